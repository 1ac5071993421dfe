//! Our dialect against croner, tick by tick: random expressions, five years, four zones, the nights when the clock changes.
//!
//! `cargo test` takes some of the expressions; `FEEDMILL_CRON_ALL=1` takes 5,000 in each zone.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::{America, Australia, Europe, Tz};

use super::cron::Schedule;
use crate::domain::time::Timestamp;

const ZONES: [Tz; 4] = [Tz::UTC, Europe::Berlin, America::New_York, Australia::Lord_Howe];
const FIRST_YEAR: i32 = 2026;
const YEARS: i32 = 5;
const HOUR: Duration = Duration::from_secs(3600);

/// A small generator of its own: the same expressions in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn field(&mut self, low: u64, high: u64, stars: u64) -> String {
        let n = |dice: &mut Self| low + dice.below(high - low + 1);
        match self.below(6 + stars) {
            0 | 1 => n(self).to_string(),
            2 => {
                let (a, b) = (n(self), n(self));
                format!("{}-{}", a.min(b), a.max(b))
            }
            3 => {
                let (a, b, step) = (n(self), n(self), 1 + self.below((high - low) / 2));
                format!("{}-{}/{step}", a.min(b), a.max(b))
            }
            4 => format!("{},{},{}", n(self), n(self), n(self)),
            5 => format!("*/{}", 1 + self.below((high - low) / 2)),
            _ => "*".to_owned(),
        }
    }

    fn expression(&mut self) -> String {
        let second = if self.below(4) == 0 { self.field(0, 59, 0) + " " } else { String::new() };
        // Half of them look at the hours in which clocks change.
        let last = if self.below(2) == 0 { 4 } else { 23 };
        let (minute, hour) = (self.field(0, 59, 2), self.field(0, last, 3));
        let (day, month, weekday) = (self.field(1, 31, 8), self.field(1, 12, 8), self.field(0, 7, 8));
        format!("{second}{minute} {hour} {day} {month} {weekday}")
    }
}

fn local(at: Timestamp, zone: Tz) -> DateTime<Tz> {
    at.to_chrono().with_timezone(&zone)
}

fn midnight(day: NaiveDate, zone: Tz) -> Timestamp {
    let at = zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest().unwrap();
    Timestamp::from_chrono(at.with_timezone(&Utc))
}

/// Two hours before each change of the clock in the five years.
fn nights(zone: Tz) -> Vec<Timestamp> {
    let mut at = midnight(NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap(), zone);
    let end = midnight(NaiveDate::from_ymd_opt(FIRST_YEAR + YEARS, 1, 1).unwrap(), zone);
    let mut nights = Vec::new();
    let offset = |at: Timestamp| local(at, zone).naive_local() - local(at, zone).naive_utc();
    while at < end {
        let next = at.plus(HOUR);
        if offset(at) != offset(next) {
            nights.push(at.minus(HOUR * 2));
        }
        at = next;
    }
    nights
}

/// What is compared of one expression.
#[derive(Clone, Copy)]
struct Extent {
    /// Ticks in a row at the beginning, and in each night.
    row: usize,
    /// Days whose first tick is compared; between them, each `stride`th.
    stride: u64,
}

struct Pair {
    ours: Schedule,
    oracle: croner::Cron,
    zone: Tz,
    compared: usize,
}

impl Pair {
    /// The next tick, if both say the same.
    fn step(&mut self, now: Timestamp) -> Option<Timestamp> {
        let next = self.ours.next_after(now, self.zone);
        let wanted = self.oracle.find_next_occurrence(&local(now, self.zone), false).ok();
        let wanted = wanted.map(|at| Timestamp::from_chrono(at.with_timezone(&Utc)));
        assert_eq!(next, wanted, "{} in {} after {now} (left: ours, right: croner's)", self.ours, self.zone);
        self.compared += 1;
        next
    }

    fn row(&mut self, from: Timestamp, until: Timestamp, most: usize) {
        let mut now = from;
        for _ in 0..most {
            match self.step(now) {
                Some(next) if next < until => now = next,
                _ => return,
            }
        }
    }

    /// Five years: the first tick after each midnight, rows of ticks at the start, and in the nights before, between
    /// and after the two passes of the hour that is there twice.
    fn run(&mut self, nights: &[Timestamp], extent: Extent) {
        let first = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap();
        let end = midnight(NaiveDate::from_ymd_opt(FIRST_YEAR + YEARS, 1, 1).unwrap(), self.zone);
        let mut day = first;
        loop {
            let from = midnight(day, self.zone).minus(Duration::from_secs(1));
            let Some(next) = self.step(from).filter(|next| *next < end) else { break };
            day = local(next, self.zone).date_naive().max(day) + Days::new(extent.stride);
        }
        self.row(midnight(first, self.zone), end, extent.row);
        for night in nights {
            for half in 0..8 {
                let from = night.plus(HOUR / 2 * half);
                self.row(from, from.plus(HOUR / 2), extent.row);
                // Between ticks, and in the middle of a second.
                self.step(from.plus(Duration::from_millis(517_500)));
            }
            self.row(*night, night.plus(HOUR * 30), extent.row);
        }
    }
}

fn pair(text: &str, zone: Tz) -> Option<Pair> {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    let oracle = parser.parse(text).unwrap();
    match Schedule::parse(text) {
        Ok(ours) => Some(Pair { ours, oracle, zone, compared: 0 }),
        Err(_) => {
            let from = midnight(NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap(), zone);
            assert!(
                oracle.find_next_occurrence(&local(from, zone), false).is_err(),
                "{text} was refused, and it fires"
            );
            None
        }
    }
}

#[test]
fn croner_finds_the_same_ticks_of_random_schedules_through_five_years_and_their_nights() {
    let all = std::env::var_os("FEEDMILL_CRON_ALL").is_some();
    let (count, extent) =
        if all { (5_000, Extent { row: 60, stride: 1 }) } else { (250, Extent { row: 8, stride: 37 }) };
    let nights = ZONES.map(nights);
    assert_eq!(nights.each_ref().map(Vec::len), [0, 10, 10, 10]);
    let mut dice = Dice(0x5eed_2026);
    let (mut compared, mut refused) = (0, 0);
    for round in 0..count {
        let text = dice.expression();
        for (zone, nights) in ZONES.into_iter().zip(&nights) {
            // Every second of a short run looks at one zone only: it is the rest that takes the time.
            if !all && (round % 4 != 0) && ZONES[round % 4] != zone {
                continue;
            }
            match pair(&text, zone) {
                Some(mut pair) => {
                    pair.run(nights, extent);
                    compared += pair.compared;
                }
                None => refused += 1,
            }
        }
    }
    println!("{count} expressions, {compared} ticks compared, {refused} refused by both");
    assert!(compared > 30_000, "only {compared} ticks were compared");
}

#[test]
fn croner_agrees_on_lists_steps_and_days_that_people_write() {
    let nights = ZONES.map(nights);
    for text in [
        "30 2 * * *",
        "0 30 2 * * *",
        "5-5 2 * * *",
        "50 2-2/1 * * *",
        "50 2-2/3 * * *",
        "0,30 2 * * *",
        "30 2,14 * * *",
        "*/15 * * * *",
        "*/15 2 * * *",
        "* 2 * * *",
        "0 */2 * * *",
        "0 0-23 * * *",
        "*/20 30 1 * * *",
        "15 2 */2 * *",
        "0 0 */10 * mon",
        "0 0 13 * */5",
        "0 0 1-31 * mon",
        "0 0 1 * 0-6",
        "0 0 29 2 *",
        "0 3 31 */2 7",
        "59 23 28-31 feb sun-tue",
    ] {
        for (zone, nights) in ZONES.into_iter().zip(&nights) {
            pair(text, zone).unwrap().run(nights, Extent { row: 30, stride: 9 });
        }
    }
}

#[test]
fn fixed_schedules_never_lose_a_day_nor_run_twice() {
    let mut dice = Dice(42);
    for zone in ZONES {
        for _ in 0..20 {
            let text = format!("{} {} * * *", dice.below(60), dice.below(4));
            let schedule = Schedule::parse(&text).unwrap();
            let mut now = Timestamp::parse_rfc3339("2026-01-01T12:00:00Z").unwrap();
            let mut days = BTreeSet::new();
            for _ in 0..365 {
                now = schedule.next_after(now, zone).unwrap();
                let local = local(now, zone);
                assert!(local.hour() <= 4);
                assert!(days.insert(local.date_naive()), "{text} in {zone} ran twice on {local}");
            }
        }
    }
}
