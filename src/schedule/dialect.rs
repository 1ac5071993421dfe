//! The text of a schedule: crontab's five fields, six with leading seconds, the `@` words, `@every`.
//!
//! This file turns text into sets of numbers and says what is wrong with it and where. It knows no time zone
//! and no calendar but the length of the months.

use std::ops::Range;
use std::time::Duration;

use super::cron::ScheduleError;

/// More than any honest schedule needs: 60 minutes written out take 170 bytes.
const MAX_BYTES: usize = 500;
/// `@every` with more than this is a mistake of units.
const MAX_EVERY: Duration = Duration::from_secs(366 * 86_400);

/// What a text means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// A fixed spacing.
    Every(Duration),
    /// Fields of the clock and the calendar.
    Fields(Box<Fields>),
}

/// The six fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fields {
    pub(super) second: Field,
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day: Field,
    pub(super) month: Field,
    pub(super) weekday: Field,
}

/// One field: the numbers that it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Field {
    /// Bit `n` stands for the number `n`.
    pub(super) set: u64,
    /// It is `*` and nothing else: it restricts nothing.
    pub(super) star: bool,
    /// It names every number that it can.
    pub(super) full: bool,
    /// It is one number, without a wildcard or a step of more than 1.
    pub(super) single: bool,
}

impl Field {
    /// The numbers, ascending.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        let set = self.set;
        (0..64).filter(move |n| set >> n & 1 == 1)
    }
}

/// What a kind of field can hold.
struct Kind {
    name: &'static str,
    low: u32,
    high: u32,
    /// Three-letter names; the first one stands for `low`.
    names: &'static [&'static str],
}

const SECOND: Kind = Kind { name: "second", low: 0, high: 59, names: &[] };
const MINUTE: Kind = Kind { name: "minute", low: 0, high: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", low: 0, high: 23, names: &[] };
const DAY: Kind = Kind { name: "day of month", low: 1, high: 31, names: &[] };
const MONTH: Kind = Kind {
    name: "month",
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// 7 is Sunday as well as 0.
const WEEKDAY: Kind =
    Kind { name: "day of week", low: 0, high: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// A word of the text and where it begins.
type Word<'a> = (usize, &'a str);

/// The words that stand for fields.
const WORDS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

pub(super) fn read(text: &str) -> Result<Meaning, ScheduleError> {
    if text.len() > MAX_BYTES {
        return Err(wrong(
            0..text.len(),
            format!("the schedule has {} bytes; {MAX_BYTES} is the limit", text.len()),
            Some("use ranges and steps, such as */5".to_owned()),
        ));
    }
    let words = split(text);
    let Some(&(at, first)) = words.first() else {
        return Err(wrong(
            0..text.len(),
            "the schedule is empty".to_owned(),
            Some("for example \"0 * * * *\", every hour".to_owned()),
        ));
    };
    if first.starts_with('@') {
        return at_word(text, (at, first), words.get(1..).unwrap_or_default());
    }
    fields(text, &words)
}

fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (c.is_ascii_whitespace(), start) {
            (true, Some(from)) => {
                words.extend(text.get(from..at).map(|word| (from, word)));
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    if let Some(from) = start {
        words.extend(text.get(from..).map(|word| (from, word)));
    }
    words
}

fn at_word(text: &str, (at, word): Word<'_>, rest: &[Word<'_>]) -> Result<Meaning, ScheduleError> {
    let here = at..at + word.len();
    let all = at..text.trim_ascii_end().len();
    if word.eq_ignore_ascii_case("@every") {
        return match rest {
            [] => Err(wrong(here, "`@every` needs a span".to_owned(), Some("for example \"@every 10m\"".to_owned()))),
            [(from, span)] => Ok(Meaning::Every(every(*from, span)?)),
            _ => Err(wrong(
                all,
                "`@every` takes one span, without spaces in it".to_owned(),
                Some("for example \"@every 1h30m\"".to_owned()),
            )),
        };
    }
    let known = WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    let Some((name, meaning)) = known else {
        let message = format!("`{}` is not a word of schedules", excerpt(word));
        let hint = "the words are @hourly @daily @midnight @weekly @monthly @yearly @annually and @every SPAN";
        return Err(wrong(here, message, Some(hint.to_owned())));
    };
    if !rest.is_empty() {
        return Err(wrong(all, format!("`{name}` stands alone"), Some(format!("write \"{name}\" or \"{meaning}\""))));
    }
    fields(meaning, &split(meaning))
}

/// `10m`, `1h30m`, `2d`: whole numbers with s, m, h, d, w.
fn every(from: usize, span: &str) -> Result<Duration, ScheduleError> {
    let here = from..from + span.len();
    let bad = |what: &str| {
        let message = format!("`{}` is no span: {what}", excerpt(span));
        wrong(here.clone(), message, Some("numbers with s, m, h, d or w, such as 90s, 10m or 1h30m".to_owned()))
    };
    let mut total = 0_u64;
    let mut number: Option<u64> = None;
    for c in span.chars() {
        if let Some(digit) = c.to_digit(10) {
            let grown = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(u64::from(digit)));
            number = Some(grown.ok_or_else(|| bad("the number is too large"))?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(bad(&format!("`{c}` is no unit"))),
        };
        let count = number.take().ok_or_else(|| bad(&format!("a number is missing before `{c}`")))?;
        let more = count.checked_mul(unit).and_then(|n| n.checked_add(total));
        total = more.ok_or_else(|| bad("the number is too large"))?;
    }
    if number.is_some() {
        return Err(bad("the unit is missing"));
    }
    if total == 0 {
        return Err(bad("it must be a second or more"));
    }
    let span = Duration::from_secs(total);
    if span > MAX_EVERY { Err(bad("it must be a year or less")) } else { Ok(span) }
}

fn fields(text: &str, words: &[Word<'_>]) -> Result<Meaning, ScheduleError> {
    let zero = (0, "0");
    let (second, rest) = match words {
        rest if rest.len() == 5 => (zero, rest),
        [first, rest @ ..] if rest.len() == 5 => (*first, rest),
        _ => return Err(wrong_count(text, words)),
    };
    let [minute, hour, day, month, weekday] = rest else {
        return Err(wrong_count(text, words));
    };
    let fields = Fields {
        second: field(&SECOND, second)?,
        minute: field(&MINUTE, *minute)?,
        hour: field(&HOUR, *hour)?,
        day: field(&DAY, *day)?,
        month: field(&MONTH, *month)?,
        weekday: sunday_once(&field(&WEEKDAY, *weekday)?),
    };
    check_fires(&fields, day.0..month.0 + month.1.len())?;
    Ok(Meaning::Fields(Box::new(fields)))
}

fn wrong_count(text: &str, words: &[Word<'_>]) -> ScheduleError {
    let from = words.first().map_or(0, |(at, _)| *at);
    let here = from..text.trim_ascii_end().len();
    let plain = "five fields (minute hour day-of-month month day-of-week), or six with seconds in front";
    if let [(_, word)] = words {
        let word = excerpt(word);
        let hint = match word.to_ascii_lowercase().as_str() {
            "hourly" | "daily" | "midnight" | "weekly" | "monthly" | "yearly" | "annually" => {
                format!("write \"@{word}\"")
            }
            _ => plain.to_owned(),
        };
        return wrong(here, format!("`{word}` is not a schedule"), Some(hint));
    }
    let count = words.len();
    let hint = if count == 7 { format!("{plain}; there is no field for the year") } else { plain.to_owned() };
    wrong(here, format!("a schedule has 5 or 6 fields, and this one has {count}"), Some(hint))
}

fn field(kind: &Kind, (at, text): Word<'_>) -> Result<Field, ScheduleError> {
    let mut set = 0_u64;
    let mut from = at;
    for part in text.split(',') {
        for n in range(kind, (from, part))? {
            set |= 1 << n;
        }
        from += part.len() + 1;
    }
    let full = (kind.low..=kind.high).all(|n| set >> n & 1 == 1);
    let stepped = |part: &str| part.split_once('/').is_some_and(|(_, step)| digits(step) != Some(1));
    let single = set.is_power_of_two() && !text.contains('*') && !text.split(',').any(stepped);
    Ok(Field { set, star: text == "*", full, single })
}

/// 0 and 7 are both Sunday; from here on only 0 is.
fn sunday_once(field: &Field) -> Field {
    let set = field.set & 0x7f | field.set >> 7 & 1;
    Field { set, star: field.star, full: set == 0x7f, single: field.single }
}

/// `*`, `5`, `1-5`, `*/10`, `10-50/10`.
fn range(kind: &Kind, (at, part): Word<'_>) -> Result<impl Iterator<Item = u32> + use<>, ScheduleError> {
    let (body, step) = match part.split_once('/') {
        Some((body, step)) => (body, Some((at + body.len() + 1, step))),
        None => (part, None),
    };
    let here = at..at + part.len();
    let (low, high) = if body == "*" {
        (kind.low, if kind.high == 7 { 6 } else { kind.high })
    } else if let Some((from, to)) = body.split_once('-') {
        bounds(kind, (at, from), (at + from.len() + 1, to))?
    } else {
        let n = number(kind, (at, body), false)?;
        if let Some((_, step)) = step {
            let hint = format!("write {n}-{}/{step}, or */{step}", kind.high);
            return Err(wrong(here, format!("`{}`: a step needs a range", excerpt(part)), Some(hint)));
        }
        (n, n)
    };
    let step = step.map_or(Ok(1), |word| step_of(kind, word))?;
    Ok((low..=high).step_by(step))
}

fn bounds(kind: &Kind, from: Word<'_>, to: Word<'_>) -> Result<(u32, u32), ScheduleError> {
    let low = number(kind, from, false)?;
    let high = number(kind, to, true)?;
    if low <= high {
        return Ok((low, high));
    }
    let (a, b) = (from.1, to.1);
    let here = from.0..to.0 + b.len();
    let last = if kind.high == 7 { 6 } else { kind.high };
    let hint = format!("to go past the end, write {a}-{last},{}-{b}", kind.low);
    Err(wrong(here, format!("`{}-{}` runs backwards", excerpt(a), excerpt(b)), Some(hint)))
}

fn step_of(kind: &Kind, (at, text): Word<'_>) -> Result<usize, ScheduleError> {
    let here = at..at + text.len();
    let span = kind.high - kind.low;
    let step = digits(text).filter(|n| *n > 0);
    match step {
        Some(n) if n <= span.max(1) => Ok(usize::try_from(n).unwrap_or(1)),
        Some(n) => {
            let message = format!("a step of {n} is longer than the {} field", kind.name);
            let hint = match kind.name {
                "second" => format!("for a fixed spacing write \"@every {n}s\""),
                "minute" => format!("for a fixed spacing write \"@every {n}m\""),
                "hour" => format!("for a fixed spacing write \"@every {n}h\""),
                _ => format!("at most {span}"),
            };
            Err(wrong(here, message, Some(hint)))
        }
        None => Err(wrong(
            here,
            format!("`{}` is no step", excerpt(text)),
            Some("a step is a number from 1, such as */5".to_owned()),
        )),
    }
}

/// `last`: it ends a range, where Sunday is 7.
fn number(kind: &Kind, (at, text): Word<'_>, last: bool) -> Result<u32, ScheduleError> {
    let here = at..at + text.len();
    if let Some(n) = digits(text) {
        if (kind.low..=kind.high).contains(&n) {
            return Ok(n);
        }
        let message = format!("{n} is no {}", kind.name);
        return Err(wrong(here, message, Some(format!("{} to {}", kind.low, kind.high))));
    }
    let found = kind.names.iter().zip(kind.low..).find(|(name, _)| text.eq_ignore_ascii_case(name));
    if let Some((_, n)) = found {
        return Ok(if last && n == 0 && kind.high == 7 { 7 } else { n });
    }
    if text.is_empty() {
        return Err(wrong(here, format!("a number is missing in the {} field", kind.name), None));
    }
    Err(wrong(here, format!("`{}` is no {}", excerpt(text), kind.name), Some(hint_for(kind, text))))
}

fn hint_for(kind: &Kind, text: &str) -> String {
    let short =
        text.get(..3).filter(|short| text.len() > 3 && kind.names.iter().any(|n| n.eq_ignore_ascii_case(short)));
    if let Some(short) = short {
        return format!("names have three letters: {}", short.to_ascii_lowercase());
    }
    if text == "?" {
        return "write * instead of ?".to_owned();
    }
    let quartz = |c: char| matches!(c, 'L' | 'l' | 'W' | 'w' | '#');
    let mut plain = text.chars().filter(|c| !quartz(*c));
    if text.contains(quartz) && plain.all(|c| c.is_ascii_digit()) {
        return "L, W and # belong to another dialect; crontab has no word for them".to_owned();
    }
    match kind.names {
        [first, .., last] => format!("{} to {}, or {first} to {last}", kind.low, kind.high),
        _ => {
            format!("{} to {}, *, ranges such as {}-{}, steps such as */2", kind.low, kind.high, kind.low, kind.low + 4)
        }
    }
}

fn digits(text: &str) -> Option<u32> {
    // `u32::from_str` would take a sign.
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Refuses 30 February and its like: with the day of the week left open, some month must have such a day.
fn check_fires(fields: &Fields, here: Range<usize>) -> Result<(), ScheduleError> {
    let by_weekday = !fields.day.star && !fields.weekday.star;
    if by_weekday {
        return Ok(());
    }
    let length = |month: u32| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = fields.day.numbers().next().unwrap_or(1);
    if fields.month.numbers().any(|month| day <= length(month)) {
        return Ok(());
    }
    let months = fields.month.numbers();
    let longest = months.map(length).max().unwrap_or(0);
    let message = format!("this schedule never fires: no month that it names has a day {day}");
    Err(wrong(here, message, Some(format!("the longest of them has {longest} days"))))
}

fn wrong(at: Range<usize>, message: String, hint: Option<String>) -> ScheduleError {
    ScheduleError { message, at, hint }
}

/// What is quoted back is short, whatever was typed.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> [Vec<u32>; 6] {
        match read(text).unwrap() {
            Meaning::Fields(f) => {
                [&f.second, &f.minute, &f.hour, &f.day, &f.month, &f.weekday].map(|field| field.numbers().collect())
            }
            Meaning::Every(_) => panic!("{text} has fields"),
        }
    }

    #[test]
    fn fields_are_read_as_crontab_reads_them() {
        let all = |low: u32, high: u32| (low..=high).collect::<Vec<_>>();
        let cases: &[(&str, [Vec<u32>; 6])] = &[
            ("* * * * *", [vec![0], all(0, 59), all(0, 23), all(1, 31), all(1, 12), all(0, 6)]),
            (
                "*/20 6-8 1,15 jan-MAR 1-5",
                [vec![0], vec![0, 20, 40], vec![6, 7, 8], vec![1, 15], vec![1, 2, 3], all(1, 5)],
            ),
            ("30 5 4 3 2 sat", [vec![30], vec![5], vec![4], vec![3], vec![2], vec![6]]),
            ("0 0 * * 0", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), vec![0]]),
            ("0 0 * * 7", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), vec![0]]),
            ("0 0 * * fri-sun", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), vec![0, 5, 6]]),
            ("0 0 * * sun-tue", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), vec![0, 1, 2]]),
            ("0 0 * * 5-7", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), vec![0, 5, 6]]),
            ("0 0 * * 0-7", [vec![0], vec![0], vec![0], all(1, 31), all(1, 12), all(0, 6)]),
            ("10-50/15,3 00 * * *", [vec![0], vec![3, 10, 25, 40], vec![0], all(1, 31), all(1, 12), all(0, 6)]),
            (" \t0  0 1\t*  * ", [vec![0], vec![0], vec![0], vec![1], all(1, 12), all(0, 6)]),
            ("@Hourly", [vec![0], vec![0], all(0, 23), all(1, 31), all(1, 12), all(0, 6)]),
            ("@annually", [vec![0], vec![0], vec![0], vec![1], vec![1], all(0, 6)]),
        ];
        for (text, wanted) in cases {
            assert_eq!(&numbers(text), wanted, "{text}");
        }
        for (word, meaning) in WORDS {
            assert_eq!(read(word).unwrap(), read(meaning).unwrap(), "{word}");
        }
    }

    #[test]
    fn spans_are_sums_of_numbers_with_units() {
        for (text, secs) in [
            ("@every 10m", 600),
            ("@every 1h30m", 5_400),
            ("@EVERY 90s", 90),
            (" @every  2d ", 172_800),
            ("@every 1w", 604_800),
        ] {
            assert_eq!(read(text).unwrap(), Meaning::Every(Duration::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_located_and_explained() {
        // (text, what the range covers, a word of the message, a word of the hint)
        for (text, covers, message, hint) in [
            ("", "", "empty", "0 * * * *"),
            ("   ", "   ", "empty", "0 * * * *"),
            ("* * * *", "* * * *", "has 4", "five fields"),
            (" 0 * * * * * 2026 ", "0 * * * * * 2026", "has 7", "year"),
            ("hourly", "hourly", "not a schedule", "@hourly"),
            ("often", "often", "not a schedule", "five fields"),
            ("@reboot", "@reboot", "not a word", "@hourly"),
            ("@daily 5", "@daily 5", "stands alone", "@daily"),
            ("@every", "@every", "needs a span", "10m"),
            ("@every 5 m", "@every 5 m", "one span", "1h30m"),
            ("@every 10", "10", "unit is missing", "10m"),
            ("@every m", "m", "number is missing", "10m"),
            ("@every 5y", "5y", "no unit", "10m"),
            ("@every 0s", "0s", "second or more", "10m"),
            ("@every 500d", "500d", "year or less", "10m"),
            ("@every 99999999999999999999w", "99999999999999999999w", "too large", "10m"),
            ("60 * * * *", "60", "60 is no minute", "0 to 59"),
            ("0 24 * * *", "24", "24 is no hour", "0 to 23"),
            ("0 0 0 * *", "0", "0 is no day of month", "1 to 31"),
            ("0 0 * 13 *", "13", "13 is no month", "1 to 12"),
            ("0 0 * * 8", "8", "8 is no day of week", "0 to 7"),
            ("0 0 * * monday", "monday", "no day of week", "mon"),
            ("0 0 ? * 1", "?", "no day of month", "write *"),
            ("0 0 L * *", "L", "no day of month", "another dialect"),
            ("0 0 * * 5#2", "5#2", "no day of week", "another dialect"),
            ("0 0 * * foo", "foo", "no day of week", "sun to sat"),
            ("1,,2 * * * *", "", "missing", ""),
            ("1, * * * *", "", "missing", ""),
            ("5- * * * *", "", "missing", ""),
            ("/5 * * * *", "", "missing", ""),
            ("5/15 * * * *", "5/15", "needs a range", "5-59/15"),
            ("*/0 * * * *", "0", "no step", "*/5"),
            ("*/x * * * *", "x", "no step", "*/5"),
            ("*/90 * * * *", "90", "longer than", "@every 90m"),
            ("0 0 * * 1-5/9", "9", "longer than", "at most"),
            ("0 22-2 * * *", "22-2", "backwards", "22-23,0-2"),
            ("0 0 * * fri-mon", "fri-mon", "backwards", "fri-6,0-mon"),
            ("+5 * * * *", "+5", "no minute", "0 to 59"),
            ("0 0 30 2 *", "30 2", "never fires", "29 days"),
            ("0 0 31 4,6,9,11 *", "31 4,6,9,11", "never fires", "30 days"),
            ("0 0 30,31 feb *", "30,31 feb", "never fires", "29 days"),
            ("0 ü * * *", "ü", "no hour", "0 to 23"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(text.get(error.at.clone()), Some(covers), "{text}: {error:?}");
            assert!(error.message.contains(message), "{text}: {error:?}");
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_long_text_is_refused_and_not_quoted_whole() {
        assert!(read(&"1,".repeat(400)).is_err());
        let error = read(&format!("{} * * * *", "x".repeat(450))).unwrap_err();
        assert!(error.message.len() < 200, "{}", error.message);
    }

    #[test]
    fn a_weekday_saves_a_day_that_no_month_has() {
        assert!(read("0 0 30 2 1").is_ok());
        assert!(read("0 0 30 2 */2").is_ok());
        assert!(read("0 0 29 2 *").is_ok());
        assert!(read("0 0 29-31 2 *").is_ok());
    }
}
