//! The values of `before:`, `after:` and `age:`: days, moments and spans of time.

use std::time::Duration;

use super::atom::Typed;
use super::grammar::error;
use super::syntax::{Field, Node, NodeKind, Query, SyntaxError};
use crate::domain::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// What an item's date must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Earlier than this.
    Before(Timestamp),
    /// Then or later.
    From(Timestamp),
    /// Less than so many milliseconds ago.
    Younger(i64),
    /// More than so many milliseconds ago.
    Older(i64),
}

impl When {
    /// Whether a date is so. `now`: the present moment; `None`: ages are left out of account, for they change by
    /// themselves.
    pub(super) fn has(self, date: Timestamp, now: Option<Timestamp>) -> bool {
        let age = now.map(|now| now.as_ms().saturating_sub(date.as_ms()));
        match self {
            Self::Before(end) => date < end,
            Self::From(start) => date >= start,
            Self::Younger(most) => age.is_none_or(|age| age < most),
            Self::Older(least) => age.is_none_or(|age| age > least),
        }
    }
}

/// Reads a value of `before:`, `after:` or `age:`.
pub(super) fn value(field: Field, typed: &Typed<'_>) -> Result<NodeKind, SyntaxError> {
    let text = typed.text.trim();
    let when = match field {
        Field::Age => age(text),
        // A day is neither before itself nor after itself.
        Field::Before => day(text).or_else(|| Timestamp::parse_rfc3339(text)).map(When::Before),
        _ => day(text).map(|day| day.plus(DAY)).or_else(|| Timestamp::parse_rfc3339(text)).map(When::From),
    };
    when.map(NodeKind::When).ok_or_else(|| {
        if field == Field::Age {
            let hint = "Write `age:<7d` for what is younger, `age:>7d` for what is older; s, m, h, d and w are units.";
            return typed.wrong(format!("`{text}` is no age."), hint);
        }
        let hint = "Write a day as in `2026-01-31` (in UTC), or a moment as in `2026-01-31T08:00:00Z`.";
        typed.wrong(format!("`{text}` is no date."), hint)
    })
}

/// The beginning of a day in UTC.
fn day(text: &str) -> Option<Timestamp> {
    (text.len() == 10).then(|| Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))).flatten()
}

fn age(text: &str) -> Option<When> {
    let younger = text.starts_with('<');
    let span = text.strip_prefix(['<', '>'])?;
    let unit = span.chars().next_back()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let number = span.strip_suffix(unit)?;
    let number = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<i64>().ok()).flatten()?;
    let ms = number.checked_mul(seconds)?.checked_mul(1000)?;
    Some(if younger { When::Younger(ms) } else { When::Older(ms) })
}

impl Query {
    /// How old an item may be that a stream of this query shows; `None`: as old as it likes. Membership ignores it, and
    /// whoever renders the stream applies it.
    ///
    /// # Errors
    /// An `age:` that cannot stand in a stream, with its place.
    pub fn stream_age(&self) -> Result<Option<Duration>, SyntaxError> {
        let root = &self.inner.root;
        let clauses = if let NodeKind::And(nodes) = &root.kind { nodes } else { std::slice::from_ref(root) };
        let mut least: Option<i64> = None;
        for node in clauses {
            match &node.kind {
                NodeKind::When(When::Younger(most)) => least = Some(least.map_or(*most, |least| least.min(*most))),
                NodeKind::When(When::Older(_)) => {
                    let hint = "Write `age:<…`; a search can ask for what is older.";
                    return Err(error("A stream cannot hold back what is young.", node.at.range(), hint));
                }
                _ => refuse_age(node)?,
            }
        }
        Ok(least.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }
}

fn refuse_age(node: &Node) -> Result<(), SyntaxError> {
    let mut place = None;
    node.any(&mut |node| {
        let is_age = matches!(node.kind, NodeKind::When(When::Younger(_) | When::Older(_)));
        place = place.take().or_else(|| is_age.then(|| node.at.range()));
        is_age
    });
    place.map_or(Ok(()), |at| {
        let hint = "Write it beside all the rest, as in `(a OR b) age:<7d`.";
        Err(error("In a stream `age:` stands alone, not within NOT, OR or brackets.", at, hint))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        Timestamp::parse_rfc3339(text).unwrap().as_ms()
    }

    #[test]
    fn days_and_moments_are_read_and_a_day_is_neither_before_nor_after_itself() {
        let read = |query: &str| match Query::parse(query).map(|query| match query.inner.root.kind {
            NodeKind::When(when) => when,
            _ => panic!("{query:?}"),
        }) {
            Ok(When::Before(at)) => Some(("before", at.as_ms())),
            Ok(When::From(at)) => Some(("from", at.as_ms())),
            Ok(When::Younger(ms)) => Some(("younger", ms)),
            Ok(When::Older(ms)) => Some(("older", ms)),
            Err(_) => None,
        };
        for (query, want) in [
            ("before:2026-01-31", Some(("before", ms("2026-01-31T00:00:00Z")))),
            ("after:2026-01-31", Some(("from", ms("2026-02-01T00:00:00Z")))),
            ("after:\"2026-01-31T08:00:00+01:00\"", Some(("from", ms("2026-01-31T07:00:00Z")))),
            ("before:2026-01-31T08:00:00Z", Some(("before", ms("2026-01-31T08:00:00Z")))),
            ("age:<7d", Some(("younger", 7 * 86_400_000))),
            ("age:>90m", Some(("older", 90 * 60_000))),
            ("age:<2w", Some(("younger", 14 * 86_400_000))),
            ("before:2026-02-30", None),
            ("before:2026-1-3", None),
            ("after:yesterday", None),
            ("age:7d", None),
            ("age:<7", None),
            ("age:<d", None),
            ("age:<-1d", None),
            ("age:<9999999999999999d", None),
        ] {
            assert_eq!(read(query), want, "{query}");
        }
    }

    #[test]
    fn a_stream_has_the_least_of_its_ages_and_none_within_a_clause() {
        let age = |query: &str| Query::parse(query).unwrap().stream_age();
        let days = |n| Some(DAY * n);
        for (query, want) in [("peace", None), ("age:<7d", days(7)), ("(a OR b) age:<7d age:<3d -c", days(3))] {
            assert_eq!(age(query).unwrap(), want, "{query}");
        }
        for (query, place) in
            [("a OR age:<7d", "<7d"), ("a -age:<7d", "<7d"), ("a (b age:<1h)", "<1h"), ("x age:>2d", ">2d")]
        {
            let error = age(query).unwrap_err();
            assert_eq!(&query[error.at.clone()], place, "{error:?}");
            assert!(error.hint.is_some());
        }
    }
}
