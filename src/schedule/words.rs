//! Spans and times as the reasons tell them.

use std::time::Duration;

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
pub(super) fn clock(at: Timestamp, from: Timestamp, zone: Tz) -> String {
    let (at, from) = (at.to_chrono().with_timezone(&zone), from.to_chrono().with_timezone(&zone));
    let form = if at.date_naive() == from.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(form).to_string()
}
