//! Where words and line feeds are in ASCII text, 64 bytes at a time: most text is that, and every text of every story goes
//! through here.

/// What was found, by its place in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// A word: a maximal run of letters and digits.
    Word(usize, usize),
    /// A line feed.
    Feed,
}

/// Bytes that are looked at together: a bit of a word for each.
const BLOCK: usize = 64;

/// For fewer a block is not worth it: what stands between words of other letters.
const SHORT: usize = 16;

/// The first byte that is not ASCII, or the length.
pub(super) fn first_foreign(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (chunk, at) in chunks.iter().zip(0..) {
        let foreign = u64::from_le_bytes(*chunk) & u64::from_ne_bytes([0x80; 8]);
        if foreign != 0 {
            return at * 8 + wide(foreign.trailing_zeros() / 8);
        }
    }
    bytes.len() - rest.len() + rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len())
}

/// Finds words and line feeds in a text of ASCII characters alone, in order.
pub(super) fn pieces(bytes: &[u8], each: &mut impl FnMut(Piece)) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let (mut open, mut at) = (None, 0);
    for block in blocks {
        open = look(block, at, open, each);
        at += BLOCK;
    }
    if rest.len() >= SHORT {
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        open = look(&last, at, open, each);
    } else {
        for byte in rest {
            if byte.is_ascii_alphanumeric() {
                open = open.or(Some(at));
            } else if let Some(start) = open.take() {
                each(Piece::Word(start, at));
            }
            if *byte == b'\n' {
                each(Piece::Feed);
            }
            at += 1;
        }
    }
    if let Some(start) = open {
        each(Piece::Word(start, bytes.len()));
    }
}

/// One block. `open`: where the word began that reaches into it. Gives the same for the next one.
#[inline]
fn look(block: &[u8; BLOCK], at: usize, open: Option<usize>, each: &mut impl FnMut(Piece)) -> Option<usize> {
    let words = bits(block, |byte| byte.is_ascii_digit() | (byte | 0x20).is_ascii_lowercase());
    let has_feeds = block.iter().fold(false, |any, byte| any | (*byte == b'\n'));
    let mut feeds = if has_feeds { bits(block, |byte| byte == b'\n') } else { 0 };
    // A bit where a word begins, and one after where it ends.
    let mut edges = words ^ (words << 1 | u64::from(open.is_some()));
    let mut open = open;
    loop {
        let upto = feeds.trailing_zeros();
        // A word may end at the line feed itself.
        let mut part = if feeds == 0 { edges } else { edges & (u64::MAX >> (63 - upto)) };
        edges ^= part;
        if let Some(start) = open.take_if(|_| part != 0) {
            each(Piece::Word(start, at + take(&mut part)));
        }
        while part != 0 {
            let start = at + take(&mut part);
            if part == 0 {
                open = Some(start);
                break;
            }
            each(Piece::Word(start, at + take(&mut part)));
        }
        if feeds == 0 {
            return open;
        }
        each(Piece::Feed);
        feeds &= feeds - 1;
    }
}

/// Takes the lowest bit out.
fn take(bits: &mut u64) -> usize {
    let lowest = bits.trailing_zeros();
    *bits &= bits.wrapping_sub(1);
    wide(lowest)
}

/// Of which bytes something holds. In this form the compiler asks it of many at once.
#[inline]
fn bits(block: &[u8; BLOCK], holds: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = if holds(*byte) { 0x80 } else { 0 };
    }
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| bits << 8 | gather(u64::from_le_bytes(*eight)))
}

/// The highest bits of eight bytes that have no other, side by side.
fn gather(bytes: u64) -> u64 {
    (bytes >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

fn wide(bit: u32) -> usize {
    usize::try_from(bit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One byte at a time.
    fn plainly(text: &str) -> Vec<Piece> {
        let (mut found, mut start) = (Vec::new(), None);
        for (at, byte) in text.bytes().chain([0]).enumerate() {
            if byte.is_ascii_alphanumeric() {
                start = start.or(Some(at));
                continue;
            }
            found.extend(start.take().map(|start| Piece::Word(start, at)));
            found.extend((byte == b'\n').then_some(Piece::Feed));
        }
        found
    }

    fn found(text: &str) -> Vec<Piece> {
        let mut found = Vec::new();
        pieces(text.as_bytes(), &mut |piece| found.push(piece));
        found
    }

    #[test]
    fn every_ascii_character_is_what_it_is() {
        for byte in 0..128_u8 {
            for before in ["", "a", " ", "\n"] {
                let text = format!("{before}{}z", char::from(byte));
                assert_eq!(found(&text), plainly(&text), "{text:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pieces_are_those_that_a_plain_loop_finds(runs in proptest::collection::vec(("[a-z0-9]{0,70}", "[ \n.]{0,3}"), 0..40)) {
            let text: String = runs.iter().flat_map(|(word, gap)| [word.as_str(), gap.as_str()]).collect();
            prop_assert_eq!(found(&text), plainly(&text));
        }

        #[test]
        fn the_first_foreign_byte_is_found(text in "[a-c]{0,20}[é ]{0,3}[a-c]{0,20}") {
            let plain = text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
            prop_assert_eq!(first_foreign(text.as_bytes()), plain);
        }
    }
}
