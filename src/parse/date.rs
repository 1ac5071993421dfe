//! Dates: the families of RFC 3339 and RFC 822, with the omissions and slips that are common in feeds.
//!
//! No zone given means UTC. What cannot be read is none, and never costs the entry.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta};

use crate::domain::time::Timestamp;

/// Longest date that is looked at, in bytes.
const MAX_DATE_BYTES: usize = 100;

/// Reads a date, or gives none.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > MAX_DATE_BYTES {
        return None;
    }
    rfc3339(text).or_else(|| unix(text)).or_else(|| ideographic(text)).or_else(|| rfc822(text))
}

/// Seconds or milliseconds since 1970, as programs print them: nine digits are 1973 at least.
fn unix(text: &str) -> Option<Timestamp> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    match text.len() {
        9 | 10 => Some(Timestamp::from_ms(number * 1_000)),
        12 | 13 => Some(Timestamp::from_ms(number)),
        _ => None,
    }
}

/// Korean, Japanese and Chinese: the numbers in order, with a sign behind each. A Korean time without a zone is Korea's.
fn ideographic(text: &str) -> Option<Timestamp> {
    let korean = text.contains(['\u{B144}', '\u{C624}']);
    if !korean && !text.contains('\u{5E74}') {
        return None;
    }
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let mut next = |max: usize| match numbers.next() {
        Some(digits) if digits.len() <= max => digits.parse().ok(),
        Some(_) => None,
        None => Some(0_u32),
    };
    let mut parts = Parts { year: i32::try_from(next(4)?).ok()?, month: next(2)?, day: next(2)?, ..Parts::default() };
    (parts.hour, parts.minute, parts.second) = (next(2)?, next(2)?, next(2)?);
    let (morning, afternoon) = (text.contains("\u{C624}\u{C804}"), text.contains("\u{C624}\u{D6C4}"));
    if morning || afternoon || text.contains("\u{5348}\u{5F8C}") {
        parts.hour = parts.hour % 12 + if morning { 0 } else { 12 };
    }
    parts.offset = if korean { 540 } else { 0 };
    parts.timestamp()
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

    /// The day of a year: three digits with no fourth, and no month behind them.
    fn ordinal(&mut self) -> Option<u32> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let ends = self.0.as_bytes().get(digits).is_none_or(|byte| matches!(byte, b'T' | b't' | b' '));
        if digits == 3 && ends { self.number(3, 3) } else { None }
    }

    /// A month as a number, or as a word: Hungarian programs write `2002-szeptember-07`.
    fn month(&mut self, min: usize) -> Option<u32> {
        if !self.0.starts_with(char::is_alphabetic) {
            return self.number(min, 2);
        }
        let length = self.0.find(|c: char| !c.is_alphabetic())?;
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        month_of(word)
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
    if !basic && let Some(ordinal) = at.ordinal() {
        let date = NaiveDate::from_yo_opt(parts.year, ordinal)?;
        (parts.month, parts.day) = (date.month(), date.day());
    } else {
        parts.month = at.month(if basic { 2 } else { 1 })?;
        if !basic && at.0.is_empty() {
            return parts.timestamp();
        }
        if !basic && !at.eat(&['-', '.']) {
            return None;
        }
        parts.day = at.number(if basic { 2 } else { 1 }, 2)?;
    }
    if at.0.starts_with(['T', 't', ' ']) {
        // Some put spaces around the T.
        at.0 = at.0.trim_start();
        at.eat(&['T', 't']);
        at.0 = at.0.trim_start();
        if !at.0.is_empty() {
            parts.hour = at.number(1, 2)?;
            let colon = at.eat(&[':']);
            if colon || basic {
                parts.minute = at.number(1, 2)?;
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
    let dashed = |word: &&str| word.contains('-') && word.contains(char::is_alphabetic);
    let words = bare.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    for word in words {
        if let Some(numbers) = numeric(word).filter(|_| day.is_none()) {
            (year, month, day) = (Some(numbers.0), Some(numbers.1), Some(numbers.2));
            continue;
        }
        // 06-Sep-2003 is three words.
        let pieces: Vec<&str> = match Some(word).filter(dashed).filter(|_| day.is_none()) {
            Some(word) => word.split('-').filter(|piece| !piece.is_empty()).collect(),
            None => vec![word],
        };
        for piece in pieces {
            // 7., 7th and 7TH are days.
            let bare = piece.trim_end_matches(|c: char| {
                c == '.' || (day.is_none() && !time && "stndrhº".contains(c.to_ascii_lowercase()))
            });
            let number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
            if piece.contains(':') && !time && !piece.starts_with(['+', '-']) {
                clock(piece, &mut parts)?;
                time = true;
            } else if number && day.is_none() && bare.len() <= 2 {
                day = bare.parse().ok();
            } else if number && year.is_none() && bare.len() <= 4 {
                year = full_year(bare);
            } else if !time && month_of(piece).is_some() {
                // Of two words the later one: weekdays look like months in some languages.
                month = month_of(piece);
            } else if time && half_day(piece, &mut parts.hour) {
                // AM or PM: nothing more to do.
            } else if time && month.is_none() && month_of(piece).is_some() {
                month = month_of(piece);
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

/// Year, month and day in one word: `2002/9/7`, `9/17/2002` as Americans write it, `17/9/2002` where that cannot be, `17.9.2002`.
fn numeric(word: &str) -> Option<(i32, u32, u32)> {
    let mark = if word.contains('/') { '/' } else { '.' };
    let mut numbers = word.split(mark).map(|digits| {
        Some(digits)
            .filter(|digits| digits.len() <= 4)
            .and_then(|digits| digits.parse::<u32>().ok().map(|n| (n, digits.len())))
    });
    let ((first, digits), (second, _), (third, length)) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() {
        return None;
    }
    if digits == 4 {
        return Some((i32::try_from(first).ok()?, second, third));
    }
    let year = full_year(word.get(word.len() - length..)?)?;
    let american = mark == '/' && first <= 12;
    Some(if american { (year, first, second) } else { (year, second, first) })
}

/// How the months begin in English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Russian, Greek and Hungarian.
const MONTHS: [&str; 12] = [
    "jan jän gen ene sty янв ιαν",
    "feb fév fev lut фев φεβ",
    "mar mär mae maa mrt már мар μαρ μάρ",
    "apr avr abr kwi ápr апр απρ",
    "may mai mei mag maj máj май мая μαι μαϊ μάι μαΐ",
    "jun juin giu cze jún июн ιουν ιούν",
    "jul juil lug lip júl июл ιουλ ιούλ",
    "aug aoû aou ago sie авг αυγ αύγ",
    "sep set wrz sze сен σεπ",
    "oct okt out ott paź paz окт οκτ",
    "nov lis ноя νοε νοέ",
    "dec déc dez dic gru дек δεκ",
];

/// English months, and the days of the week that stand beside them in nearly every date: they need not be looked for.
fn english(word: &str) -> Option<Option<u32>> {
    let start = <[u8; 3]>::try_from(word.as_bytes().get(..3)?).ok()?;
    let month = match &start.map(|byte| byte.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        b"mon" | b"tue" | b"wed" | b"thu" | b"fri" | b"sat" | b"sun" => return Some(None),
        _ => return None,
    };
    Some(Some(month))
}

fn month_of(word: &str) -> Option<u32> {
    let word = word.trim_matches('.');
    if let Some(known) = english(word) {
        return known;
    }
    let word = word.to_lowercase();
    if word.chars().count() < 3 {
        return None;
    }
    let begins = |stems: &&str| stems.split(' ').any(|stem| word.starts_with(stem));
    MONTHS.iter().zip(1..).find(|(stems, _)| begins(stems)).map(|(_, number)| number)
}

/// Zones that are written by name, in minutes east of UTC: those of RFC 822, and what feeds have besides.
const ZONES: [(&str, i64); 40] = [
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
    ("NZDT", 780),
    ("AWST", 480),
    ("ACST", 570),
    ("ACDT", 630),
    ("SGT", 480),
    ("HKT", 480),
    ("IST", 330),
    ("BRT", -180),
    ("ART", -180),
    ("MSD", 240),
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
    let minutes = if at.0.is_empty() { 0 } else { at.number(1, 2)? };
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
            ("2003-07-01 T 01:55:07-05:00", "2003-07-01T06:55:07Z"),
            ("2003-182T08:00Z", "2003-07-01T08:00:00Z"),
            ("2003-j\u{FA}lius-1T8:00+2:0", "2003-07-01T06:00:00Z"),
            ("2003-07-01T08:00:00+00:00Z", "2003-07-01T08:00:00Z"),
            ("1057046400", "2003-07-01T08:00:00Z"),
            ("1057046400250", "2003-07-01T08:00:00Z"),
            ("2003\u{B144} 7\u{C6D4} 1\u{C77C}  08:00:00", "2003-06-30T23:00:00Z"),
            ("2003-07-01 \u{C624}\u{D6C4} 8:00:00", "2003-07-01T11:00:00Z"),
            ("2003\u{5E74}7\u{6708}1\u{65E5}", "2003-07-01T00:00:00Z"),
            ("7/14/2003 8:00 PM", "2003-07-14T20:00:00Z"),
            ("14/7/2003", "2003-07-14T00:00:00Z"),
            ("2003/7/14 08:00", "2003-07-14T08:00:00Z"),
            ("14.7.2003 08:00:00", "2003-07-14T08:00:00Z"),
            ("mar., 1 juil. 2003 08:00:00 +0200", "2003-07-01T06:00:00Z"),
            ("Dienstag, 1. M\u{E4}rz 2005 08:00:00 MEZ", "2005-03-01T07:00:00Z"),
            ("mar, 01 mar 2005 08:00:00 GMT", "2005-03-01T08:00:00Z"),
            ("wto, 1 lis 2005 08:00:00 +0100", "2005-11-01T07:00:00Z"),
            ("\u{412}\u{442}, 1 \u{43C}\u{430}\u{44F} 2005 08:00:00 MSK", "2005-05-01T05:00:00Z"),
            ("\u{3A4}\u{3C1}\u{3B9}, 01 \u{399}\u{3BF}\u{3CD}\u{3BB} 2003 08:00:00 EET", "2003-07-01T06:00:00Z"),
            ("July 1st, 2003", "2003-07-01T00:00:00Z"),
            ("1 August 2003 8:05 NOVT", "2003-08-01T08:05:00Z"),
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
