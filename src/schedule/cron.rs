//! A schedule: crontab's dialect over the `cron` crate, and its ticks on the clock of a time zone.
//!
//! The crate speaks Quartz and goes wrong where the clock is put forward or back, so only its calendar is used:
//! fields are turned into its language and asked about naive local times, and the way from there to instants
//! is ours. The rules are those of the `croner` crate, which the tests hold them against:
//!
//! - When day of month and day of week are both restricted, either is enough. Only a `*` alone restricts
//!   nothing; then the other one must hold.
//! - A schedule is *fixed* if second, minute and hour are one number each: a time in the spring gap becomes the
//!   first instant after it, and a time in the autumn fold is its first pass only.
//! - Any other schedule is an *interval* (wildcards, steps, lists, ranges) and follows the clock on the wall:
//!   what the gap skips is skipped, what the fold repeats is repeated, so its real spacing stays.
//! - `@every` is spaced from the epoch and knows no zone.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::dialect::{self, Field, Fields, Meaning};
use crate::domain::time::Timestamp;

/// A schedule in our crontab dialect. Cheap to clone. Two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct Schedule {
    source: Arc<str>,
    ticks: Ticks,
}

#[derive(Clone, Debug)]
enum Ticks {
    /// So many seconds apart, counted from the epoch; at least one.
    Every(i64),
    Calendar(Arc<Calendar>),
}

/// Ticks as naive local times.
#[derive(Debug)]
struct Calendar {
    days: cron::Schedule,
    /// The other half of "day of month or day of week".
    or_days: Option<cron::Schedule>,
    interval: bool,
    found: Mutex<Found>,
}

/// What was found last, the next one to be forgotten first. Feeds that share a schedule ask for the same few ticks, and to walk
/// the calendar for each of them is the most that it costs to find their next polls.
#[derive(Default, Debug)]
struct Found([Option<Span>; 4]);

/// From `after` on, in seconds since the epoch, up to `tick`: the first tick after any moment in there is `tick`.
#[derive(Clone, Copy, Debug)]
struct Span {
    zone: Tz,
    after: i64,
    tick: i64,
}

impl Found {
    fn get(&self, after: i64, zone: Tz) -> Option<i64> {
        let holds = |span: &&Span| span.zone == zone && (span.after..span.tick).contains(&after);
        self.0.iter().flatten().find(holds).map(|span| span.tick)
    }

    fn put(&mut self, span: Span) {
        self.0.rotate_left(1);
        self.0[3] = Some(span);
    }
}

/// When a feed is asked, as the configuration has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timing {
    /// By the clock.
    Cron(Schedule),
    /// By its own history.
    Auto,
}

impl Timing {
    /// How it is written.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Cron(schedule) => schedule.source(),
            Self::Auto => "auto",
        }
    }

    /// The schedule, if it goes by one.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::Cron(schedule) => Some(schedule),
            Self::Auto => None,
        }
    }
}

/// Why a schedule is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScheduleError {
    /// A sentence that names the cause.
    pub message: String,
    /// Where in the text, in bytes.
    pub at: Range<usize>,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for ScheduleError {}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Schedule {}

impl Hash for Schedule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Schedule {
    /// Reads a schedule: five fields, six with leading seconds, an `@` word, or `@every` with a span.
    ///
    /// # Errors
    /// A sentence, the place in the text, and mostly a hint; also for a schedule that would never fire.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let ticks = match dialect::read(text)? {
            Meaning::Every(span) => Ticks::Every(i64::try_from(span.as_secs()).unwrap_or(i64::MAX).max(1)),
            Meaning::Fields(fields) => Ticks::Calendar(Arc::new(Calendar::new(&fields, text)?)),
        };
        Ok(Self { source: text.trim_ascii().into(), ticks })
    }

    /// The text that it was read from, without the spaces around it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first tick strictly after `after`; always a whole second. `None` after the year 2100, where the
    /// calendar of the `cron` crate ends.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        let after = after.as_secs();
        let at = match &self.ticks {
            Ticks::Every(secs) => after.div_euclid(*secs).checked_add(1)?.checked_mul(*secs)?,
            Ticks::Calendar(calendar) => calendar.next_after(after, zone)?,
        };
        let at = Timestamp::from_secs(at);
        (at.as_secs() > after).then_some(at)
    }

    /// From the first tick after `after` to the one that follows it.
    #[must_use]
    pub fn gap_after(&self, after: Timestamp, zone: Tz) -> Option<Duration> {
        let first = self.next_after(after, zone)?;
        Some(self.next_after(first, zone)?.since(first))
    }
}

impl Calendar {
    fn new(fields: &Fields, text: &str) -> Result<Self, ScheduleError> {
        let either = !fields.day.star && !fields.weekday.star;
        // The crate counts the days of the week from 1, Sunday.
        let weekday = list(&fields.weekday, 1);
        let day = list(&fields.day, 0);
        let build = |day: &str, weekday: &str| {
            let [second, minute, hour, month] =
                [&fields.second, &fields.minute, &fields.hour, &fields.month].map(|field| list(field, 0));
            let quartz = format!("{second} {minute} {hour} {day} {month} {weekday}");
            cron::Schedule::from_str(&quartz).map_err(|error| ScheduleError {
                message: format!("the schedule cannot be used: {error}"),
                at: 0..text.len(),
                hint: None,
            })
        };
        let (days, or_days) =
            if either { (build(&day, "*")?, Some(build("*", &weekday)?)) } else { (build(&day, &weekday)?, None) };
        let fixed = [&fields.second, &fields.minute, &fields.hour].iter().all(|field| field.single);
        Ok(Self { days, or_days, interval: !fixed, found: Mutex::default() })
    }

    /// The first naive local time strictly after `after`.
    fn tick_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // As if it were UTC, where the crate makes no mistakes.
        let after = after.and_utc();
        let next = |schedule: &cron::Schedule| schedule.after(&after).next();
        let first = next(&self.days);
        let second = self.or_days.as_ref().and_then(next);
        let tick = match (first, second) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(tick.naive_utc())
    }

    /// The first instant strictly after `after`, both in seconds since the epoch.
    fn next_after(&self, after: i64, zone: Tz) -> Option<i64> {
        let found = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let known = found().get(after, zone);
        known.or_else(|| {
            let tick = self.look_after(after, zone)?;
            found().put(Span { zone, after, tick });
            Some(tick)
        })
    }

    fn look_after(&self, after: i64, zone: Tz) -> Option<i64> {
        // The crate's calendar begins in 1970 and takes no negative year.
        let after = DateTime::<Utc>::from_timestamp(after.max(-1), 0)?.with_timezone(&zone);
        // Each mapping below is monotone from naive times to instants, so the first tick whose instant is
        // later is the one; a tick that is not later on the wall can only be so in the second pass of a fold.
        let found = self.first_from(after.naive_local(), &after, zone);
        if !self.interval {
            return found;
        }
        let MappedLocalTime::Ambiguous(early, late) = zone.from_local_datetime(&after.naive_local()) else {
            return found;
        };
        let first_pass = |at: i64| {
            let at = DateTime::<Utc>::from_timestamp(at, 0).map(|at| at.with_timezone(&zone));
            at.is_some_and(|at| {
                matches!(zone.from_local_datetime(&at.naive_local()), MappedLocalTime::Ambiguous(early, _) if early == at)
            })
        };
        if after >= late || found.is_some_and(first_pass) {
            return found;
        }
        // In the first pass of a fold: its second pass is still to come, and may come before `found`.
        let again = self.second_pass(after.naive_local() - (late - early), &after, zone);
        match (found, again) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The first tick after `from`, on the wall, whose instant is after `after`.
    fn first_from(&self, from: NaiveDateTime, after: &DateTime<Tz>, zone: Tz) -> Option<i64> {
        let mut tick = self.tick_after(from)?;
        loop {
            let instant = match zone.from_local_datetime(&tick) {
                MappedLocalTime::Single(at) => Some(at),
                MappedLocalTime::Ambiguous(early, _) if early > *after => Some(early),
                MappedLocalTime::Ambiguous(_, late) => self.interval.then_some(late),
                MappedLocalTime::None => {
                    let end = GapInfo::new(&tick, &zone).and_then(|gap| gap.end)?;
                    if self.interval {
                        tick = self.tick_after(end.naive_local() - TimeDelta::seconds(1))?;
                        continue;
                    }
                    Some(end)
                }
            };
            if let Some(at) = instant.filter(|at| at > after) {
                return Some(at.timestamp());
            }
            tick = self.tick_after(tick)?;
        }
    }

    /// The first tick after `from`, on the wall, in the second pass of the fold in whose first pass `after` is.
    fn second_pass(&self, from: NaiveDateTime, after: &DateTime<Tz>, zone: Tz) -> Option<i64> {
        let here = after.naive_local();
        let mut tick = self.tick_after(from)?;
        loop {
            match zone.from_local_datetime(&tick) {
                MappedLocalTime::Ambiguous(_, late) if late > *after => return Some(late.timestamp()),
                // Past the fold, `first_from` has found what there is.
                _ if tick > here => return None,
                _ => tick = self.tick_after(tick)?,
            }
        }
    }
}

/// A field as the crate reads it, its numbers moved by `shift`.
fn list(field: &Field, shift: u32) -> String {
    if field.full {
        return "*".to_owned();
    }
    let numbers: Vec<String> = field.numbers().map(|n| (n + shift).to_string()).collect();
    numbers.join(",")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::Datelike;
    use chrono_tz::{America, Australia, Europe, Pacific};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    /// The ticks from `from` on, as local times with their offset.
    fn ticks(text: &str, zone: Tz, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(text).unwrap();
        let mut now = at(from);
        let mut out = Vec::new();
        for _ in 0..count {
            now = schedule.next_after(now, zone).unwrap();
            out.push(now.to_chrono().with_timezone(&zone).format("%m-%d %H:%M:%S %z").to_string());
        }
        out
    }

    #[test]
    fn a_fixed_time_in_the_spring_gap_fires_at_the_first_instant_after_it() {
        // Berlin goes from 02:00 +01 to 03:00 +02 on 29 March 2026.
        let night = "2026-03-28T12:00:00Z";
        assert_eq!(ticks("30 2 * * *", Europe::Berlin, night, 2), ["03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]);
        // Several times in one gap are one tick.
        assert_eq!(
            ticks("0,15,30 2,3 * * *", Europe::Berlin, night, 4),
            ["03-29 03:00:00 +0200", "03-29 03:15:00 +0200", "03-29 03:30:00 +0200", "03-30 02:00:00 +0200"]
        );
        // Lord Howe's gap is half an hour: 02:00 +10:30 to 02:30 +11.
        assert_eq!(
            ticks("15 2 * * *", Australia::Lord_Howe, "2026-10-03T00:00:00Z", 2),
            ["10-04 02:30:00 +1100", "10-05 02:15:00 +1100"]
        );
        // Samoa left out the whole of 30 December 2011.
        assert_eq!(
            ticks("0 12 * * *", Pacific::Apia, "2011-12-29T23:00:00Z", 2),
            ["12-31 00:00:00 +1400", "12-31 12:00:00 +1400"]
        );
    }

    #[test]
    fn a_fixed_time_in_the_autumn_fold_fires_once_and_first() {
        // Berlin goes from 03:00 +02 back to 02:00 +01 on 25 October 2026.
        assert_eq!(
            ticks("30 2 * * *", Europe::Berlin, "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]
        );
        // Asked during the second pass, nothing of it is left.
        assert_eq!(ticks("30 2 * * *", Europe::Berlin, "2026-10-25T01:10:00Z", 1), ["10-26 02:30:00 +0100"]);
    }

    #[test]
    fn lists_and_ranges_follow_the_clock_on_the_wall() {
        assert_eq!(
            ticks("* 30 2 * * *", Europe::Berlin, "2026-10-25T00:30:58Z", 2),
            ["10-25 02:30:59 +0200", "10-25 02:30:00 +0100"]
        );
        assert_eq!(
            ticks("30 2,14 * * *", Europe::Berlin, "2026-03-28T12:00:00Z", 3),
            ["03-28 14:30:00 +0100", "03-29 14:30:00 +0200", "03-30 02:30:00 +0200"]
        );
        assert_eq!(
            ticks("0 2-3 * * *", Europe::Berlin, "2026-10-24T22:00:00Z", 3),
            ["10-25 02:00:00 +0200", "10-25 02:00:00 +0100", "10-25 03:00:00 +0100"]
        );
    }

    #[test]
    fn wildcards_keep_their_real_spacing_through_gap_and_fold() {
        assert_eq!(
            ticks("0 * * * *", Europe::Berlin, "2026-03-29T00:30:00Z", 2),
            ["03-29 03:00:00 +0200", "03-29 04:00:00 +0200"]
        );
        assert_eq!(
            ticks("*/30 * * * *", Europe::Berlin, "2026-10-24T23:45:00Z", 6),
            [
                "10-25 02:00:00 +0200",
                "10-25 02:30:00 +0200",
                "10-25 02:00:00 +0100",
                "10-25 02:30:00 +0100",
                "10-25 03:00:00 +0100",
                "10-25 03:30:00 +0100"
            ]
        );
        // All hours written out are a wildcard as well: no hour is left out at night.
        assert_eq!(
            ticks("0 0-23 * * *", America::New_York, "2026-11-01T04:30:00Z", 3),
            ["11-01 01:00:00 -0400", "11-01 01:00:00 -0500", "11-01 02:00:00 -0500"]
        );
        // Half an hour back, at 02:00 +11 on 5 April 2026.
        assert_eq!(
            ticks("*/15 * * * *", Australia::Lord_Howe, "2026-04-04T14:30:00Z", 4),
            ["04-05 01:45:00 +1100", "04-05 01:30:00 +1030", "04-05 01:45:00 +1030", "04-05 02:00:00 +1030"]
        );
        // A whole day left out, and a tick for every second: quick all the same.
        assert_eq!(
            ticks("* * * * * *", Pacific::Apia, "2011-12-30T09:59:58Z", 2),
            ["12-29 23:59:59 -1000", "12-31 00:00:00 +1400"]
        );
    }

    #[test]
    fn every_is_spaced_from_the_epoch() {
        assert_eq!(
            ticks("@every 45m", Europe::Berlin, "1970-01-01T00:00:00Z", 3),
            ["01-01 01:45:00 +0100", "01-01 02:30:00 +0100", "01-01 03:15:00 +0100"]
        );
        let schedule = Schedule::parse("@every 1h").unwrap();
        assert_eq!(schedule.next_after(Timestamp::from_ms(-1), Tz::UTC), Some(Timestamp::from_ms(0)));
        assert_eq!(schedule.gap_after(at("2026-01-01T00:00:00Z"), Tz::UTC), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn the_next_tick_is_strictly_after_and_a_whole_second() {
        let schedule = Schedule::parse("0 * * * *").unwrap();
        let noon = at("2026-05-05T12:00:00Z");
        let one = at("2026-05-05T13:00:00Z");
        assert_eq!(schedule.next_after(noon, Tz::UTC), Some(one));
        assert_eq!(schedule.next_after(noon.minus(Duration::from_millis(1)), Tz::UTC), Some(noon));
        assert_eq!(schedule.next_after(noon.plus(Duration::from_millis(1)), Tz::UTC), Some(one));
    }

    #[test]
    fn either_day_field_is_enough_unless_one_is_a_star() {
        let days = |text: &str| -> BTreeSet<u32> {
            let schedule = Schedule::parse(text).unwrap();
            let mut now = at("2026-06-01T00:00:00Z").minus(Duration::from_secs(1));
            let mut out = BTreeSet::new();
            while let Some(next) = schedule.next_after(now, Tz::UTC).filter(|at| at.to_chrono().month() == 6) {
                out.insert(next.to_chrono().day());
                now = next;
            }
            out
        };
        // June 2026 begins on a Monday.
        assert_eq!(days("0 0 13 * fri"), BTreeSet::from([5, 12, 13, 19, 26]));
        assert_eq!(days("0 0 */10 * mon"), BTreeSet::from([1, 8, 11, 15, 21, 22, 29]));
        assert_eq!(days("0 0 1-3 * */6"), BTreeSet::from([1, 2, 3, 6, 7, 13, 14, 20, 21, 27, 28]));
        assert_eq!(days("0 0 */10 * *"), BTreeSet::from([1, 11, 21]));
        assert_eq!(days("0 0 * * mon"), BTreeSet::from([1, 8, 15, 22, 29]));
        assert_eq!(days("0 0 30 2 sun"), BTreeSet::new());
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for text in ["0 0 29 2 *", "* * * * * *", "@every 1s"] {
            let schedule = Schedule::parse(text).unwrap();
            for ms in [i64::MIN, -62_167_219_200_000, -1, 0, 4_102_444_800_000, 4_133_980_799_000, i64::MAX] {
                for zone in [Tz::UTC, Pacific::Apia, America::New_York] {
                    let after = Timestamp::from_ms(ms);
                    assert!(schedule.next_after(after, zone).is_none_or(|at| at > after), "{text} {ms} {zone}");
                }
            }
        }
    }

    #[test]
    fn a_schedule_shows_its_text() {
        let schedule: Schedule = "  */5 * * * mon ".parse().unwrap();
        assert_eq!(schedule.to_string(), "*/5 * * * mon");
        assert_eq!(schedule.source(), "*/5 * * * mon");
        let error = Schedule::parse("61 * * * *").unwrap_err();
        assert_eq!(error.to_string(), "61 is no minute (0 to 59)");
    }
}
