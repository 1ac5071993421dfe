//! Numbers, sizes and times as people read them.

use maud::{Markup, html};

use crate::domain::time::Timestamp;

/// A number with its thousands apart, by narrow spaces that do not break.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202F}');
        }
        out.push(digit);
    }
    out
}

/// A length as a number.
pub(super) fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A number with its noun.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A size in bytes, to three digits or so.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let whole = bytes / unit;
            let tenth = bytes % unit / (unit / 10);
            return if whole < 100 { format!("{whole}.{tenth} {name}") } else { format!("{whole} {name}") };
        }
    }
    counted(bytes, "byte", "bytes")
}

/// A moment as it is now: `5 min ago`, `in 3 h`, a date where it is a month away or more.
pub(super) fn around(at: Timestamp, now: Timestamp) -> Markup {
    let (past, span) = if at <= now { (true, now.since(at)) } else { (false, at.since(now)) };
    let minutes = span.as_secs() / 60;
    let words = match minutes {
        0 => "now".to_owned(),
        1..60 => relative(past, minutes, "min"),
        60..2_880 => relative(past, minutes / 60, "h"),
        2_880..43_200 => relative(past, minutes / 1_440, "days"),
        _ => date(at),
    };
    moment(at, &words)
}

fn relative(past: bool, number: u64, unit: &str) -> String {
    if past { format!("{number} {unit} ago") } else { format!("in {number} {unit}") }
}

/// `24 Nov 2026`.
pub(super) fn date(at: Timestamp) -> String {
    at.to_chrono().format("%-d %b %Y").to_string()
}

/// `Tuesday, 24 November 2026`.
pub(super) fn day(at: Timestamp) -> String {
    at.to_chrono().format("%A, %-d %B %Y").to_string()
}

/// `08:30`.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_chrono().format("%H:%M").to_string()
}

/// A time with the exact one behind it.
pub(super) fn moment(at: Timestamp, words: &str) -> Markup {
    let exact = at.to_chrono().format("%-d %b %Y %H:%M:%S UTC").to_string();
    html! { time datetime=(at.rfc3339()) title=(exact) { (words) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_written_for_people() {
        for (number, words) in [(0, "0"), (999, "999"), (1_000, "1\u{202F}000"), (1_234_567, "1\u{202F}234\u{202F}567")]
        {
            assert_eq!(count(number), words);
        }
        for (bytes, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_050, "1.0 kB"),
            (12_345_678, "12.3 MB"),
            (999_999_999, "999 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size(bytes), words);
        }
        assert_eq!(counted(1, "feed", "feeds"), "1 feed");
    }

    #[test]
    fn a_moment_is_told_from_the_present() {
        let now = Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").unwrap();
        for (at, words) in [
            ("2026-11-24T12:00:00Z", "now"),
            ("2026-11-24T12:00:59Z", "now"),
            ("2026-11-24T11:55:00Z", "5 min ago"),
            ("2026-11-24T12:34:10Z", "in 34 min"),
            ("2026-11-23T11:00:00Z", "25 h ago"),
            ("2026-11-21T12:00:00Z", "3 days ago"),
            ("2025-01-02T03:04:05Z", "2 Jan 2025"),
            ("9999-12-31T23:59:59Z", "31 Dec 9999"),
        ] {
            let at = Timestamp::parse_rfc3339(at).unwrap();
            assert!(around(at, now).into_string().ends_with(&format!(">{words}</time>")), "{words}");
        }
    }
}
