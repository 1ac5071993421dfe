//! Spans and times as the reasons tell them.

use std::fmt::{self, Display};
use std::time::Duration;

use chrono::Timelike as _;
use chrono_tz::Tz;

use crate::domain::time::Timestamp;

/// A span for people: the two largest units.
pub(super) fn span(span: Duration) -> String {
    let secs = span.as_secs();
    match (secs / 86_400, secs / 3600 % 24, secs / 60 % 60, secs % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, 0, _, _) => format!("{d} d"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// The hour and minute in a zone; with the date where it is not the day of `from`.
pub(super) fn clock(at: Timestamp, from: Timestamp, zone: Tz) -> impl Display {
    let (at, from) = (at.to_chrono().with_timezone(&zone).naive_local(), from.to_chrono().with_timezone(&zone));
    let date = Some(at.date()).filter(|date| *date != from.date_naive());
    fmt::from_fn(move |f| {
        if let Some(date) = date {
            write!(f, "{date} ")?;
        }
        // A pattern would be read anew for each of them.
        write!(f, "{:02}:{:02}", at.hour(), at.minute())
    })
}
