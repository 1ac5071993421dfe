//! Dates: the families of RFC 3339 and RFC 822, with the omissions and slips that are common in feeds.
//!
//! No zone given means UTC. What cannot be read is none, and never costs the entry.

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta};

use crate::domain::time::Timestamp;

/// Longest date that is looked at, in bytes.
const MAX_DATE_BYTES: usize = 100;

/// Reads a date, or gives none.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > MAX_DATE_BYTES {
        return None;
    }
    rfc3339(text).or_else(|| rfc822(text))
}

/// A date and time as it was written.
#[derive(Default)]
struct Parts {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    milli: u32,
    /// East of UTC, in minutes.
    offset: i64,
}

impl Parts {
    /// Years before 1000 are the zero values of programming languages, not dates.
    fn timestamp(&self) -> Option<Timestamp> {
        if !(1000..=9999).contains(&self.year) || self.hour > 24 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let mut date = NaiveDate::from_ymd_opt(self.year, self.month, self.day)?;
        // ISO 8601 had 24:00 for midnight at the end of a day; RFC 3339 5.6 has second 60.
        let hour = if self.hour == 24 {
            date = date.checked_add_days(Days::new(1))?;
            0
        } else {
            self.hour
        };
        let time: NaiveDateTime = date.and_hms_milli_opt(hour, self.minute, self.second.min(59), self.milli)?;
        let utc = time.checked_sub_signed(TimeDelta::try_minutes(self.offset)?)?;
        Some(Timestamp::from_chrono(utc.and_utc()))
    }
}

/// Reads along a text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// A number of `min` to `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let length = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if length < min {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        digits.parse().ok()
    }

    fn eat(&mut self, any: &[char]) -> bool {
        match self.0.strip_prefix(any) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// `:ss` and a fraction, as far as they are there; `second` and `milli` of `parts`.
    fn seconds(&mut self, parts: &mut Parts, basic: bool) -> Option<()> {
        if (basic && self.0.starts_with(|c: char| c.is_ascii_digit())) || self.eat(&[':']) {
            parts.second = self.number(1, 2)?;
            if self.eat(&['.', ',']) {
                let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
                let (fraction, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                let millis = fraction.get(..3.min(length))?;
                parts.milli = format!("{millis:0<3}").parse().ok()?;
            }
        }
        Some(())
    }
}

/// RFC 3339 and ISO 8601: each part behind the year may be missing, `T` may be a space, the zone may lack its colon.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let mut at = Cursor(text);
    let mut parts = Parts { month: 1, day: 1, ..Parts::default() };
    parts.year = i32::try_from(at.number(4, 4)?).ok()?;
    let basic = !at.eat(&['-']);
    if at.0.is_empty() {
        return parts.timestamp();
    }
    parts.month = at.number(if basic { 2 } else { 1 }, 2)?;
    if !basic && at.0.is_empty() {
        return parts.timestamp();
    }
    if !basic && !at.eat(&['-']) {
        return None;
    }
    parts.day = at.number(if basic { 2 } else { 1 }, 2)?;
    if at.eat(&['T', 't', ' ']) {
        at.0 = at.0.trim_start();
        if !at.0.is_empty() {
            parts.hour = at.number(1, 2)?;
            let colon = at.eat(&[':']);
            if colon || basic {
                parts.minute = at.number(2, 2)?;
                at.seconds(&mut parts, basic && !colon)?;
            }
        }
    }
    parts.offset = zone(at.0.trim())?;
    parts.timestamp()
}

/// RFC 822 section 5 and RFC 2822, and the outputs of `date` and asctime: the parts are known by their looks, so their
/// order, the weekday and the commas do not matter.
fn rfc822(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let (mut day, mut month, mut year, mut time) = (None, None, None, false);
    let bare = text.split('(').next().unwrap_or_default();
    let dashed = |word: &&str| word.contains('-') && word.contains(|c: char| c.is_ascii_alphabetic());
    let words = bare.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    for word in words {
        // 06-Sep-2003 is three words.
        let pieces: Vec<&str> = match Some(word).filter(dashed).filter(|_| day.is_none()) {
            Some(word) => word.split('-').filter(|piece| !piece.is_empty()).collect(),
            None => vec![word],
        };
        for piece in pieces {
            let number = piece.bytes().all(|byte| byte.is_ascii_digit());
            if piece.contains(':') && !time && !piece.starts_with(['+', '-']) {
                clock(piece, &mut parts)?;
                time = true;
            } else if number && day.is_none() && piece.len() <= 2 {
                day = piece.parse().ok();
            } else if number && year.is_none() && piece.len() <= 4 {
                year = full_year(piece);
            } else if month.is_none() && month_of(piece).is_some() {
                month = month_of(piece);
            } else if time && half_day(piece, &mut parts.hour) {
                // AM or PM: nothing more to do.
            } else if time {
                parts.offset = zone(piece).unwrap_or(parts.offset);
            }
        }
    }
    (parts.day, parts.month, parts.year) = (day?, month?, year?);
    parts.timestamp()
}

fn clock(text: &str, parts: &mut Parts) -> Option<()> {
    let mut at = Cursor(text);
    parts.hour = at.number(1, 2)?;
    if !at.eat(&[':']) {
        return None;
    }
    parts.minute = at.number(1, 2)?;
    at.seconds(parts, false)?;
    if !half_day(at.0, &mut parts.hour) {
        parts.offset = zone(at.0)?;
    }
    Some(())
}

/// Reads AM and PM into the hour.
fn half_day(word: &str, hour: &mut u32) -> bool {
    let pm = word.eq_ignore_ascii_case("pm");
    if !pm && !word.eq_ignore_ascii_case("am") {
        return false;
    }
    *hour = *hour % 12 + if pm { 12 } else { 0 };
    true
}

/// RFC 2822 4.3: two digits below 50 are of this century, three digits count from 1900.
fn full_year(digits: &str) -> Option<i32> {
    let year: i32 = digits.parse().ok()?;
    Some(match digits.len() {
        4 => year,
        3 => year + 1900,
        _ if year < 50 => year + 2000,
        _ => year + 1900,
    })
}

fn month_of(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().zip(1..).find(|(name, _)| **name == start).map(|(_, number)| number)
}

/// Zones that are written by name, in minutes east of UTC: those of RFC 822, and what feeds have besides.
const ZONES: [(&str, i64); 30] = [
    ("Z", 0),
    ("UT", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("BST", 60),
    ("WEST", 60),
    ("CET", 60),
    ("MEZ", 60),
    ("CEST", 120),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
];

/// Minutes east of UTC: `+0200`, `+02:00`, `+02`, `GMT`, `GMT+2`. A name that is not known counts as UTC; none for what is no
/// zone at all.
fn zone(text: &str) -> Option<i64> {
    let name = text.split(['+', '-']).next().unwrap_or_default();
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let named = ZONES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(0, |(_, minutes)| *minutes);
    let number = text.get(name.len()..)?;
    if number.is_empty() {
        return Some(named);
    }
    let mut at = Cursor(number.get(1..)?);
    let hours = at.number(1, 2)?;
    at.eat(&[':']);
    let minutes = if at.0.is_empty() { 0 } else { at.number(2, 2)? };
    if hours > 23 || minutes > 59 {
        return Some(0);
    }
    let east = i64::from(hours * 60 + minutes);
    Some(if number.starts_with('-') { named - east } else { named + east })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_way_to_write_a_date_is_read() {
        let cases = [
            ("2003-12-31T10:14:55Z", "2003-12-31T10:14:55Z"),
            ("2003-12-31t10:14:55.250+02:00", "2003-12-31T08:14:55Z"),
            ("2003-12-31 10:14:55 +0200", "2003-12-31T08:14:55Z"),
            ("2003-12-31T10:14+02", "2003-12-31T08:14:00Z"),
            ("2003-12-31T10:14:55", "2003-12-31T10:14:55Z"),
            ("2003-12-31", "2003-12-31T00:00:00Z"),
            ("2003-12", "2003-12-01T00:00:00Z"),
            ("2003", "2003-01-01T00:00:00Z"),
            ("20020907T000001Z", "2002-09-07T00:00:01Z"),
            ("2003-12-31T24:00:00Z", "2004-01-01T00:00:00Z"),
            ("Thu, 01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21Z"),
            ("Thurs, 1 January 04 19:48 EST", "2004-01-02T00:48:00Z"),
            ("01 Jan 2004 19:48:21 -0530", "2004-01-02T01:18:21Z"),
            ("Wed,01-Jan-2004 19:48:21 +01:00", "2004-01-01T18:48:21Z"),
            ("Thu, 1 Jan 104 00:00:00 UT", "2004-01-01T00:00:00Z"),
            ("Sun Jan  4 16:29:06 PST 2004", "2004-01-05T00:29:06Z"),
            ("Jan 4, 2004 4:29 PM", "2004-01-04T16:29:00Z"),
            ("4 Jan 2004 12:05 am", "2004-01-04T00:05:00Z"),
            ("Thu, 01 Jan 2004 19:48:21 GMT+2", "2004-01-01T17:48:21Z"),
            ("1 Jan 2004", "2004-01-01T00:00:00Z"),
            ("Fri, 31 Dec 1999 23:59:60 +0000", "1999-12-31T23:59:59Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(Timestamp::rfc3339).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        let cases = [
            "",
            "yesterday",
            "0000-00-00",
            "-0001-11-30T00:00:00+00:00",
            "0001-01-01T00:00:00Z",
            "2003-02-30",
            "2003-12-31T25:00:00Z",
            "Thu, 99 Jan 2004 00:00:00 GMT",
            "12345678901234567890",
            "\u{661}\u{662} Jan 2004",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", digits in "[0-9T:+ \\-./,JanZ]{0,40}") {
            let _ = (parse(&text), parse(&digits));
        }
    }
}
