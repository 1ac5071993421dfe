//! A place in a stream as text, for `?before=`, `?after=` and `next`: the effective date in milliseconds, a
//! hyphen, the item's row. It stays true when items are added, since nothing that it names ever moves.
//! A place among what a search found, best first: `s`, the bits of the score, a hyphen, the item's row.

use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;
use crate::store::{Cursor, Spot};

/// Writes a cursor.
#[must_use]
pub fn encode(cursor: Cursor) -> String {
    format!("{}-{}", cursor.effective_at.as_ms(), cursor.item.0)
}

/// Reads what [`encode`] wrote; `None` for anything else.
#[must_use]
pub fn decode(text: &str) -> Option<Cursor> {
    // From the right: a date before 1970 begins with a hyphen of its own.
    let (ms, row) = text.rsplit_once('-')?;
    let digits = |part: &str| !part.is_empty() && part.len() <= 19 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(row) || !digits(ms.strip_prefix('-').unwrap_or(ms)) {
        return None;
    }
    let effective_at = Timestamp::from_ms(ms.parse().ok()?);
    Some(Cursor { effective_at, item: ItemId(row.parse().ok()?) })
}

/// Writes a place in the order of scores.
#[must_use]
pub fn encode_spot(spot: Spot) -> String {
    format!("s{:x}-{}", spot.score.to_bits(), spot.item.0)
}

/// Reads what [`encode_spot`] wrote; `None` for anything else.
#[must_use]
pub fn decode_spot(text: &str) -> Option<Spot> {
    let (bits, row) = text.strip_prefix('s')?.split_once('-')?;
    let is_row = !row.is_empty() && row.len() <= 19 && row.bytes().all(|b| b.is_ascii_digit());
    let is_score = bits.bytes().all(|b| b.is_ascii_hexdigit());
    let score = f64::from_bits(u64::from_str_radix(bits, 16).ok().filter(|_| is_score)?);
    let item = ItemId(row.parse().ok().filter(|_| is_row)?);
    score.is_finite().then_some(Spot { score, item })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_back_as_it_was_written(ms in -62_167_219_200_000_i64..=253_402_300_799_000, row in 0_i64..) {
            let cursor = Cursor { effective_at: Timestamp::from_ms(ms), item: ItemId(row) };
            prop_assert_eq!(decode(&encode(cursor)), Some(cursor));
        }

        #[test]
        fn a_place_among_scores_is_read_back_as_it_was_written(score in -1e9_f64..1e9, row in 0_i64..) {
            let spot = Spot { score, item: ItemId(row) };
            prop_assert_eq!(decode_spot(&encode_spot(spot)), Some(spot));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,40}") {
            if let Some(cursor) = decode(&text) {
                prop_assert_eq!(decode(&encode(cursor)), Some(cursor));
            }
            let _ = decode_spot(&text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for bad in
            ["", "-", "1", "1-", "-1", "a-1", "1-a", "1--1", "+1-1", "1 -1", "1-1 ", "1-99999999999999999999", "--1-1"]
        {
            assert_eq!(decode(bad), None, "{bad:?}");
            assert_eq!(decode_spot(bad), None, "{bad:?}");
        }
    }
}
