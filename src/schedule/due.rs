//! When a feed is asked next: the one place where all the rules about "not before" meet.
//!
//! The ticks of a feed are its schedule's, each shifted by the feed's own offset. The next poll is at the first
//! tick that is not too early for any rule, or at the moment that the last rule allows, if a tick lies just
//! before it: an hourly feed with `max-age=3600` is polled every hour and not every second one.

use std::hash::Hasher as _;
use std::time::Duration;

use chrono_tz::Tz;
use siphasher::sip::SipHasher13;

use super::cron::{Schedule, Timing};
use super::words::{clock, span};
use super::{auto, skip};
use crate::domain::feed::{Cadence, FeedState, NextPoll};
use crate::domain::time::Timestamp;

/// What a server or a document says holds for a week at the most, so that no feed dies of an absurd value.
const CAP: Duration = Duration::from_secs(7 * 86_400);
/// A back-off ends in a daily probe: a feed never dies.
const DAY: Duration = Duration::from_secs(86_400);
/// The widest window that polls are spread over.
const WINDOW: Duration = Duration::from_secs(3600);
/// How much before a rule's end a tick may lie.
const SLACK: Duration = Duration::from_secs(60);

/// How a feed is paced.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    /// Its schedule.
    pub timing: &'a Timing,
    /// The zone of its fields.
    pub zone: Tz,
    /// Whether polls are shifted within the window. A schedule without that is exact, and a hint does not move it.
    pub spread: bool,
    /// Never more often than this.
    pub min_interval: Duration,
    /// After a failure; doubles to a day.
    pub backoff: Duration,
    /// What the feed's own offset is a stable hash of: its URL.
    pub url: &'a str,
}

/// How a poll ended, as far as the next one depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// 200 or 304.
    Well {
        /// For how long the answer is fresh by its own word (max-age less Age, else Expires; RFC 9111 4.2).
        fresh_for: Option<Duration>,
    },
    /// It failed. `state.errors` counts the failures before this one.
    Badly {
        /// `Retry-After`, as a span from now (RFC 9110 10.2.3).
        retry_after: Option<Duration>,
    },
    /// 410.
    Gone,
}

/// What the rules look at.
struct Seen<'a> {
    /// When it was last asked.
    last: Timestamp,
    /// When it last answered well.
    last_ok: Option<Timestamp>,
    errors: u32,
    fresh_until: Option<Timestamp>,
    retry_until: Option<Timestamp>,
    cadence: &'a Cadence,
}

impl<'a> Seen<'a> {
    /// What is remembered, as seen at `now`. If the last poll lies ahead, the clock was put back since then, and
    /// all that was reckoned with it is moved back as far: a span stays a span, and no feed waits for the old time.
    fn remembered(state: &'a FeedState, last: Timestamp, now: Timestamp) -> Self {
        let ahead = last.since(now);
        let back = |at: Option<Timestamp>| at.map(|at| at.minus(ahead));
        let last = last.min(now);
        // What comes from a clock that was ahead once is capped as well.
        let capped = |at: Option<Timestamp>| back(at).map(|at| at.min(last.plus(CAP)));
        Self {
            last,
            last_ok: back(state.last_ok).map(|at| at.min(last)),
            errors: state.errors,
            fresh_until: capped(state.fresh_until),
            retry_until: capped(state.retry_until),
            cadence: &state.cadence,
        }
    }
}

/// When to ask next, after a poll that ended at `now`. `state` is what was remembered before it, but for the cadence,
/// which is that of the last document that was read.
#[must_use]
pub fn next_poll(pace: &Pace<'_>, state: &FeedState, ended: Ended, now: Timestamp) -> NextPoll {
    let until = |span: Option<Duration>| span.map(|span| now.plus(span.min(CAP)));
    let before = Seen::remembered(state, state.last_try.unwrap_or(now), now);
    let seen = match ended {
        Ended::Gone => {
            let reason = "it answered 410 Gone; `feedmill poll` or another address revives it".to_owned();
            return NextPoll { reason, ..NextPoll::default() };
        }
        Ended::Well { fresh_for } => {
            Seen { last_ok: Some(now), errors: 0, fresh_until: until(fresh_for), retry_until: None, ..before }
        }
        Ended::Badly { retry_after } => {
            Seen { errors: state.errors.saturating_add(1), retry_until: until(retry_after), ..before }
        }
    };
    decide(pace, &Seen { last: now, ..seen })
}

/// When a feed is due under a schedule that may have changed since its last poll: the same rules, from what
/// is remembered. A feed that was never asked is due at once; one that is gone is not.
#[must_use]
pub fn reschedule(pace: &Pace<'_>, state: &FeedState, now: Timestamp) -> NextPoll {
    if state.gone {
        return NextPoll { reason: state.due_reason.clone(), ..NextPoll::default() };
    }
    let Some(last) = state.last_try else {
        return NextPoll { due_at: Some(now), reason: "it is new".to_owned(), ..NextPoll::default() };
    };
    // Counted from the last poll, however long the daemon was away: what was missed becomes one poll.
    decide(pace, &Seen::remembered(state, last, now))
}

/// A rule that holds a feed back.
struct Rule {
    name: Named,
    from: Timestamp,
    until: Timestamp,
}

/// Which one. The reason is written once, of the rule that gave it: a poll asks them all.
enum Named {
    MinInterval,
    UpdatePeriod,
    Ttl,
    MaxAge,
    BackOff(u32),
    RetryAfter,
}

impl Rule {
    /// Its sentence, with what it asks for.
    fn says(&self) -> String {
        let span = span(self.until.since(self.from));
        let name = match self.name {
            Named::MinInterval => "min_interval",
            Named::UpdatePeriod => "sy:updatePeriod of the feed",
            Named::Ttl => "ttl of the feed",
            Named::MaxAge => "max-age of the last answer",
            Named::BackOff(1) => "back-off after 1 failure",
            Named::BackOff(errors) => return format!("back-off after {errors} failures in a row ({span})"),
            Named::RetryAfter => "Retry-After of the last answer",
        };
        format!("{name} ({span})")
    }
}

/// The rule that holds the feed back for longest beyond its last poll; of two with one end, the later one says why.
fn holding(pace: &Pace<'_>, seen: &Seen<'_>) -> Option<Rule> {
    let last = seen.last;
    let answered = seen.last_ok.unwrap_or(last);
    let ttl = seen.cadence.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60).min(CAP));
    // A hint, the weakest of all: publishing software puts "hourly" into every feed. So it yields to whatever else the
    // feed says and to a schedule that is exact, and slows down to a day at the most.
    let hint = seen.cadence.update_period_s.filter(|_| pace.spread && seen.fresh_until.is_none() && ttl.is_none());
    let period = hint.map(|secs| Duration::from_secs(secs.into()).min(DAY));
    let failed = (seen.errors > 0).then(|| last.plus(backoff(pace.backoff, seen.errors)));
    let rules = [
        (Named::MinInterval, last, Some(last.plus(pace.min_interval))),
        (Named::UpdatePeriod, answered, period.map(|period| answered.plus(period))),
        (Named::Ttl, answered, ttl.map(|ttl| answered.plus(ttl))),
        (Named::MaxAge, answered, seen.fresh_until),
        (Named::BackOff(seen.errors), last, failed),
        (Named::RetryAfter, last, seen.retry_until),
    ];
    let rules = rules.into_iter().filter_map(|(name, from, until)| Some(Rule { name, from, until: until? }));
    rules.filter(|rule| rule.until > last).max_by_key(|rule| rule.until)
}

fn decide(pace: &Pace<'_>, seen: &Seen<'_>) -> NextPoll {
    let last = seen.last;
    let rule = holding(pace, seen);
    let not_before = rule.as_ref().map_or(last, |rule| rule.until);
    let first = match pace.timing {
        Timing::Auto => {
            let (interval, why) = auto::interval(seen.cadence, last);
            Some((last.plus(interval), why))
        }
        Timing::Cron(schedule) => {
            let first = tick_after(pace, schedule, last);
            first.map(|first| (first, format!("your schedule ({})", clock(first, last, pace.zone))))
        }
    };
    let (due, reason) = match first {
        // A schedule that never fires was refused when it was read; a zone may still have no more ticks.
        None => (not_before.plus(DAY), "the schedule has no more ticks; asked once a day".to_owned()),
        Some((first, base)) => {
            let due = fitting(pace, first, not_before);
            match (unskipped(pace, seen.cadence, first, due), rule.filter(|_| due > first)) {
                (Some((due, says)), _) => (due, format!("{says} is later than {base}")),
                (None, Some(rule)) => (due, format!("{} is later than {base}", rule.says())),
                (None, None) => (due, base),
            }
        }
    };
    let ahead = |until: Option<Timestamp>| until.filter(|until| *until > last);
    NextPoll { due_at: Some(due), reason, fresh_until: ahead(seen.fresh_until), retry_until: ahead(seen.retry_until) }
}

/// If a poll would be within hours that the feed wants to be left alone: when it is made instead, and why.
fn unskipped(pace: &Pace<'_>, cadence: &Cadence, first: Timestamp, due: Timestamp) -> Option<(Timestamp, String)> {
    let (end, name) = skip::end(cadence, due)?;
    // By the schedule again. Where that names skipped hours only, at their end: a rule for hours must not cost days.
    let next = fitting(pace, first, end);
    let due = if skip::end(cadence, next).is_none() && next <= end.plus(DAY) { next } else { end };
    Some((due, format!("{name} (to {} GMT)", clock(end, due, Tz::UTC))))
}

/// When a rule that ends at `not_before` lets a feed be asked: at the first tick that lies at most a little before that.
fn fitting(pace: &Pace<'_>, first: Timestamp, not_before: Timestamp) -> Timestamp {
    match pace.timing {
        Timing::Auto => first.max(not_before),
        Timing::Cron(schedule) => first_fitting(pace, schedule, first, not_before).max(not_before),
    }
}

/// The first tick that lies at most a little before `not_before`.
fn first_fitting(pace: &Pace<'_>, schedule: &Schedule, first: Timestamp, not_before: Timestamp) -> Timestamp {
    if first >= not_before {
        return first;
    }
    // Far ahead of the first tick, ticks are looked for near the end of the rule, not one by one.
    let gap = tick_after(pace, schedule, first).map_or(DAY, |next| next.since(first));
    let slack = SLACK.min(gap / 10);
    let mut tick = if first.plus(slack) >= not_before {
        first
    } else {
        let near = not_before.minus(slack).minus(Duration::from_millis(1));
        tick_after(pace, schedule, near).unwrap_or(first)
    };
    while tick.plus(slack) < not_before {
        let Some(next) = tick_after(pace, schedule, tick) else { break };
        tick = next;
    }
    tick
}

/// The first tick after `after`, shifted by the feed's own offset.
fn tick_after(pace: &Pace<'_>, schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    if !pace.spread {
        return schedule.next_after(after, pace.zone);
    }
    // The offset depends on the gap that the tick opens, so begin a window back and take the first that fits.
    let mut tick = schedule.next_after(after.minus(WINDOW), pace.zone)?;
    loop {
        let next = schedule.next_after(tick, pace.zone);
        let window = next.map_or(WINDOW, |next| next.since(tick)).min(WINDOW);
        let shifted = tick.plus(offset(pace.url, window));
        if shifted > after {
            return Some(shifted);
        }
        tick = next?;
    }
}

/// Where in a window of this length a feed has its place: the same after every restart.
fn offset(url: &str, window: Duration) -> Duration {
    let mut hasher = SipHasher13::new();
    hasher.write(url.as_bytes());
    let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(hasher.finish() % millis)
}

fn backoff(first: Duration, errors: u32) -> Duration {
    let doubled = 1_u32.checked_shl(errors.saturating_sub(1)).unwrap_or(u32::MAX);
    first.checked_mul(doubled).unwrap_or(DAY).min(DAY.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("2026-03-02T{text}Z")).unwrap()
    }

    fn timing(line: &str) -> Timing {
        Timing::Cron(Schedule::parse(line).unwrap())
    }

    fn hourly() -> Timing {
        timing("0 * * * *")
    }

    fn pace(timing: &Timing) -> Pace<'_> {
        Pace {
            timing,
            zone: Tz::UTC,
            spread: false,
            min_interval: Duration::from_secs(900),
            backoff: Duration::from_secs(900),
            url: "https://n.example/rss",
        }
    }

    fn well(fresh_mins: Option<u64>) -> Ended {
        Ended::Well { fresh_for: fresh_mins.map(|mins| Duration::from_secs(mins * 60)) }
    }

    fn badly(retry_secs: Option<u64>) -> Ended {
        Ended::Badly { retry_after: retry_secs.map(Duration::from_secs) }
    }

    #[test]
    fn the_latest_rule_wins_and_says_so() {
        let schedule = hourly();
        let table = [
            ("the schedule alone", well(None), 0, "10:00:01", "11:00:00", "your schedule (11:00)"),
            ("fresh until before the tick", well(Some(30)), 0, "10:00:01", "11:00:00", "your schedule (11:00)"),
            (
                "max-age of the same hour",
                well(Some(60)),
                0,
                "10:00:02",
                "11:00:02",
                "max-age of the last answer (1 h) is later than your schedule (11:00)",
            ),
            (
                "max-age beyond the tick",
                well(Some(90)),
                0,
                "10:00:01",
                "12:00:00",
                "max-age of the last answer (1 h 30 min) is later than your schedule (11:00)",
            ),
            (
                "just before a tick",
                well(None),
                0,
                "10:59:00",
                "12:00:00",
                "min_interval (15 min) is later than your schedule (11:00)",
            ),
            (
                "a first failure",
                badly(None),
                0,
                "10:50:00",
                "12:00:00",
                "back-off after 1 failure (15 min) is later than your schedule (11:00)",
            ),
            ("a third one", badly(None), 2, "10:00:00", "11:00:00", "your schedule (11:00)"),
            (
                "a fourth one",
                badly(None),
                3,
                "10:00:00",
                "12:00:00",
                "back-off after 4 failures in a row (2 h) is later than your schedule (11:00)",
            ),
            (
                "Retry-After",
                badly(Some(7201)),
                0,
                "10:00:00",
                "12:00:01",
                "Retry-After of the last answer (2 h) is later than your schedule (11:00)",
            ),
        ];
        for (case, ended, errors, now, due, reason) in table {
            let state = FeedState { errors, ..FeedState::default() };
            let next = next_poll(&pace(&schedule), &state, ended, at(now));
            assert_eq!(next.due_at, Some(at(due)), "{case}: {}", next.reason);
            assert_eq!(next.reason, reason, "{case}");
        }
    }

    /// A case, what the document says, how the poll ended and when, when the next one is due, and why.
    type Paced = (&'static str, Cadence, Ended, &'static str, &'static str, &'static str);

    fn says(ttl_minutes: u32, skip_hours: u32, skip_days: u8, update_period_s: u32) -> Cadence {
        let some = |n: u32| Some(n).filter(|n| *n > 0);
        Cadence {
            ttl_minutes: some(ttl_minutes),
            skip_hours,
            skip_days,
            update_period_s: some(update_period_s),
            ..Cadence::default()
        }
    }

    /// Counts through a table under one schedule.
    fn check(pace: &Pace<'_>, table: &[Paced]) {
        for (case, cadence, ended, now, due, reason) in table {
            // The last good answer came at 09:30.
            let state = FeedState {
                cadence: cadence.clone(),
                last_try: Some(at("09:30:00")),
                last_ok: Some(at("09:30:00")),
                ..FeedState::default()
            };
            let next = next_poll(pace, &state, *ended, at(now));
            let due = due.split_once('T').map_or_else(|| at(due), |_| Timestamp::parse_rfc3339(due).unwrap());
            assert_eq!((next.due_at, next.reason.as_str()), (Some(due), *reason), "{case}");
        }
    }

    #[test]
    fn a_feeds_ttl_is_a_floor_in_minutes_and_never_a_reason_to_hurry() {
        let schedule = hourly();
        check(
            &pace(&schedule),
            &[
                ("none", says(0, 0, 0, 0), well(None), "10:00:01", "11:00:00", "your schedule (11:00)"),
                ("less than the gap", says(15, 0, 0, 0), well(None), "10:00:01", "11:00:00", "your schedule (11:00)"),
                (
                    "the gap itself, every hour",
                    says(60, 0, 0, 0),
                    well(None),
                    "10:00:20",
                    "11:00:20",
                    "ttl of the feed (1 h) is later than your schedule (11:00)",
                ),
                (
                    "more",
                    says(150, 0, 0, 0),
                    well(None),
                    "10:00:01",
                    "13:00:00",
                    "ttl of the feed (2 h 30 min) is later than your schedule (11:00)",
                ),
                (
                    "max-age is later",
                    says(90, 0, 0, 0),
                    well(Some(150)),
                    "10:00:01",
                    "13:00:00",
                    "max-age of the last answer (2 h 30 min) is later than your schedule (11:00)",
                ),
                (
                    "of the last good answer",
                    says(150, 0, 0, 0),
                    badly(None),
                    "10:00:00",
                    "12:00:00",
                    "ttl of the feed (2 h 30 min) is later than your schedule (11:00)",
                ),
                (
                    "absurd",
                    says(u32::MAX, 0, 0, 0),
                    well(None),
                    "10:00:00",
                    "2026-03-09T10:00:00Z",
                    "ttl of the feed (7 d) is later than your schedule (11:00)",
                ),
            ],
        );
    }

    #[test]
    fn the_period_of_sy_is_a_hint_that_yields_to_all_else() {
        let schedule = hourly();
        let exact = pace(&schedule);
        let day = 86_400;
        check(
            &exact,
            &[("an exact schedule", says(0, 0, 0, day), well(None), "10:00:01", "11:00:00", "your schedule (11:00)")],
        );
        // This URL's place in the hour is looked for, and reckoned with.
        let spread = Pace { spread: true, ..exact };
        let place = next_poll(&spread, &FeedState::default(), well(None), at("10:00:00")).due_at.unwrap();
        let poll = |cadence: Cadence, ended| {
            let state = FeedState { cadence, last_ok: Some(place), ..FeedState::default() };
            let next = next_poll(&spread, &state, ended, place);
            (next.due_at.unwrap().since(place).as_secs() / 60, next.reason)
        };
        assert_eq!(poll(says(0, 0, 0, 3600), well(None)).0, 60);
        assert_eq!(poll(says(0, 0, 0, 600), well(None)).0, 60);
        let (minutes, reason) = poll(says(0, 0, 0, day), well(None));
        assert_eq!(minutes, 1440);
        assert!(reason.starts_with("sy:updatePeriod of the feed (1 d) is later than your schedule ("), "{reason}");
        assert_eq!(poll(says(0, 0, 0, 365 * day), well(None)).0, 1440, "no more than a day");
        assert_eq!(poll(says(0, 0, 0, day), well(Some(30))).0, 60, "max-age speaks");
        assert_eq!(poll(says(30, 0, 0, day), well(None)).0, 60, "ttl speaks");
    }

    #[test]
    fn no_poll_is_made_in_hours_and_days_that_the_feed_wants_to_be_left_alone() {
        let schedule = hourly();
        let noon = 0b11_1111 << 11;
        check(
            &pace(&schedule),
            &[
                (
                    "the schedule goes on behind them",
                    says(0, noon, 0, 0),
                    well(None),
                    "10:00:01",
                    "17:00:00",
                    "skipHours of the feed (to 17:00 GMT) is later than your schedule (11:00)",
                ),
                ("they lie elsewhere", says(0, 1, 0, 0), well(None), "10:00:01", "11:00:00", "your schedule (11:00)"),
                (
                    "a rule ends in them",
                    says(0, noon, 0, 0),
                    badly(Some(7200)),
                    "10:00:00",
                    "17:00:00",
                    "skipHours of the feed (to 17:00 GMT) is later than your schedule (11:00)",
                ),
                (
                    "a day (it is a Monday)",
                    says(0, 1, 1, 0),
                    well(None),
                    "10:00:01",
                    "2026-03-03T01:00:00Z",
                    "skipHours and skipDays of the feed (to 01:00 GMT) is later than your schedule (11:00)",
                ),
                ("all hours", says(0, u32::MAX, 0, 0), well(None), "10:00:01", "11:00:00", "your schedule (11:00)"),
                ("all days", says(0, 0, u8::MAX, 0), well(None), "10:00:01", "11:00:00", "your schedule (11:00)"),
            ],
        );
        // A schedule that names skipped hours only is not silenced, nor does it lose its turn.
        for (line, due) in [("30 13 * * *", "17:00:00"), ("30 13 2 * *", "17:00:00"), ("30 13,18 * * *", "18:30:00")] {
            let schedule = timing(line);
            let state = FeedState { cadence: says(0, noon, 0, 0), ..FeedState::default() };
            assert_eq!(next_poll(&pace(&schedule), &state, well(None), at("10:00:00")).due_at, Some(at(due)), "{line}");
        }
    }

    #[test]
    fn an_automatic_schedule_goes_by_the_feeds_own_history_between_the_floor_and_a_day() {
        let usual = |minutes: u64| Cadence {
            usual_gap_s: Some(minutes * 60),
            newest: Some(at("10:00:00")),
            ..Cadence::default()
        };
        check(
            &pace(&Timing::Auto),
            &[
                (
                    "nothing is known",
                    Cadence::default(),
                    well(None),
                    "10:00:00",
                    "11:00:00",
                    "an hour, as its usual gap between items is not known yet",
                ),
                ("half", usual(360), well(None), "10:00:00", "13:00:00", "half of its usual gap between items (3 h)"),
                (
                    "the floor",
                    usual(10),
                    well(None),
                    "10:00:00",
                    "10:15:00",
                    "min_interval (15 min) is later than half of its usual gap between items (5 min)",
                ),
                (
                    "the ceiling",
                    usual(90_000),
                    well(None),
                    "10:00:00",
                    "2026-03-03T10:00:00Z",
                    "a day, the longest that an automatic schedule waits",
                ),
                (
                    "another rule",
                    usual(60),
                    well(Some(45)),
                    "10:00:00",
                    "10:45:00",
                    "max-age of the last answer (45 min) is later than half of its usual gap between items (30 min)",
                ),
                (
                    "skipped hours",
                    Cadence { skip_hours: 1 << 13, ..usual(360) },
                    well(None),
                    "10:00:00",
                    "14:00:00",
                    "skipHours of the feed (to 14:00 GMT) is later than half of its usual gap between items (3 h)",
                ),
            ],
        );
    }

    #[test]
    fn a_failing_feed_is_asked_once_a_day_for_ever_and_one_success_resets() {
        let schedule = hourly();
        let mut state = FeedState { last_ok: Some(at("10:00:00")), ..FeedState::default() };
        let mut now = at("10:00:00");
        let mut gaps = Vec::new();
        for _ in 0..400 {
            let due = next_poll(&pace(&schedule), &state, badly(None), now).due_at.unwrap();
            gaps.push(due.since(now).as_secs() / 3600);
            (state.errors, state.last_try, now) = (state.errors + 1, Some(now), due);
        }
        assert_eq!(gaps[..9], [1, 1, 1, 2, 4, 8, 16, 24, 24]);
        assert!(gaps[7..].iter().all(|hours| *hours == 24));
        assert_eq!(next_poll(&pace(&schedule), &state, well(None), now).due_at, Some(now.plus(HOUR)));
    }

    #[test]
    fn a_clock_that_was_put_back_leaves_the_spans_as_they_were() {
        let schedule = hourly();
        let two_days = DAY * 2;
        for (ended, errors, wanted) in [
            (well(None), 0, "11:00:00"),
            (well(Some(90)), 0, "12:00:00"),
            (badly(Some(7201)), 0, "12:00:01"),
            (badly(None), 4, "14:00:00"),
        ] {
            let then = at("10:00:00").plus(two_days);
            let state = FeedState { errors, cadence: says(45, 0, 0, 0), ..FeedState::default() };
            let next = next_poll(&pace(&schedule), &state, ended, then);
            let failed = matches!(ended, Ended::Badly { .. });
            let after = FeedState {
                last_try: Some(then),
                last_ok: Some(then).filter(|_| !failed),
                errors: if failed { errors + 1 } else { 0 },
                due_at: next.due_at,
                fresh_until: next.fresh_until,
                retry_until: next.retry_until,
                ..state
            };
            // Two days back, it is 10:00:00 again.
            let anew = reschedule(&pace(&schedule), &after, at("10:00:00"));
            assert_eq!(anew.due_at, Some(at(wanted)), "{}", anew.reason);
            assert_eq!(anew.due_at.map(|due| due.plus(two_days)), next.due_at);
        }
    }

    #[test]
    fn absurd_values_are_capped_and_nothing_dies() {
        let schedule = hourly();
        let now = at("10:00:00");
        let next = next_poll(&pace(&schedule), &FeedState::default(), well(Some(60 * 24 * 3650)), now);
        assert_eq!(next.due_at, Some(now.plus(CAP)));
        let next = next_poll(&pace(&schedule), &FeedState::default(), badly(Some(u64::MAX / 2000)), now);
        assert_eq!(next.due_at, Some(now.plus(CAP)));
        let state = FeedState { errors: u32::MAX, ..FeedState::default() };
        assert_eq!(next_poll(&pace(&schedule), &state, badly(None), now).due_at, Some(now.plus(DAY)));
    }

    #[test]
    fn a_reason_tells_the_time_of_the_feeds_own_zone() {
        let daily = timing("30 8 * * *");
        let pace = Pace { zone: Tz::Europe__Berlin, ..pace(&daily) };
        let reason = |now| next_poll(&pace, &FeedState::default(), well(None), at(now)).reason;
        assert_eq!(reason("06:00:00"), "your schedule (08:30)");
        assert_eq!(reason("10:00:00"), "your schedule (2026-03-03 08:30)");
    }

    #[test]
    fn what_a_clock_that_was_ahead_remembered_is_capped() {
        let schedule = hourly();
        let far = Some(at("10:00:00").plus(CAP * 50));
        let state =
            FeedState { last_try: Some(at("10:00:00")), fresh_until: far, retry_until: far, ..FeedState::default() };
        let next = reschedule(&pace(&schedule), &state, at("10:00:00"));
        assert_eq!(next.due_at, Some(at("10:00:00").plus(CAP)));
        assert_eq!(next_poll(&pace(&schedule), &state, badly(None), at("10:00:00")).due_at, next.due_at);
    }

    #[test]
    fn a_feed_that_was_never_asked_is_due_at_once() {
        let schedule = timing("@yearly");
        let next = reschedule(&pace(&schedule), &FeedState::default(), at("10:00:07"));
        assert_eq!(next.due_at, Some(at("10:00:07")));
    }

    #[test]
    fn a_feed_that_is_gone_is_not_asked_again() {
        let schedule = hourly();
        assert_eq!(next_poll(&pace(&schedule), &FeedState::default(), Ended::Gone, at("10:00:00")).due_at, None);
        let gone = FeedState { gone: true, ..FeedState::default() };
        assert_eq!(reschedule(&pace(&schedule), &gone, at("10:00:00")).due_at, None);
    }

    #[test]
    fn missed_ticks_become_one_poll() {
        let schedule = hourly();
        let state = FeedState { last_try: Some(at("01:00:01")), ..FeedState::default() };
        let due = reschedule(&pace(&schedule), &state, at("10:30:00")).due_at.unwrap();
        assert_eq!(due, at("02:00:00"));
        assert_eq!(next_poll(&pace(&schedule), &state, well(None), at("10:30:00")).due_at, Some(at("11:00:00")));
    }

    #[test]
    fn what_is_reckoned_anew_is_what_was_stored() {
        let schedule = hourly();
        for (ended, errors) in [(well(Some(90)), 0), (badly(None), 4), (badly(Some(9000)), 1)] {
            let state = FeedState { errors, ..FeedState::default() };
            let next = next_poll(&pace(&schedule), &state, ended, at("10:00:07"));
            let failed = matches!(ended, Ended::Badly { .. });
            let after = FeedState {
                last_try: Some(at("10:00:07")),
                errors: if failed { errors + 1 } else { 0 },
                fresh_until: next.fresh_until,
                retry_until: next.retry_until,
                ..FeedState::default()
            };
            assert_eq!(reschedule(&pace(&schedule), &after, at("10:05:00")).due_at, next.due_at);
        }
    }

    #[test]
    fn polls_are_spread_over_the_window_and_keep_their_place() {
        let schedule = hourly();
        let minutes: std::collections::HashSet<_> = (0..200)
            .map(|n| {
                let url = format!("https://n{n}.example/");
                let pace = Pace { spread: true, url: &url, ..pace(&schedule) };
                let next = |now| next_poll(&pace, &FeedState::default(), well(None), now).due_at.unwrap();
                let first = next(next(at("10:00:00")));
                let second = next(first);
                assert_eq!(second.since(first), HOUR, "{url}");
                first.as_secs() / 60 % 60
            })
            .collect();
        assert!(minutes.len() > 40, "{}", minutes.len());
    }

    proptest! {
        #[test]
        fn no_poll_comes_before_any_rule(
            secs in 0_i64..200_000_000, fresh in 0_u64..2_000_000, errors in 0_u32..20, retry in 0_u64..2_000_000,
            spread: bool, line in prop::sample::select(vec!["* * * * *", "*/7 3 * * *", "0 0 1 * *", "@every 5h"]),
        ) {
            let schedule = timing(line);
            let pace = Pace { spread, ..pace(&schedule) };
            let now = Timestamp::from_secs(1_700_000_000 + secs);
            let state = FeedState { errors, ..FeedState::default() };
            let span = Duration::from_secs(fresh).min(CAP);
            let next = next_poll(&pace, &state, Ended::Well { fresh_for: Some(span) }, now);
            prop_assert!(next.due_at.unwrap() >= now.plus(span).max(now.plus(pace.min_interval)));
            let span = Duration::from_secs(retry).min(CAP);
            let next = next_poll(&pace, &state, Ended::Badly { retry_after: Some(span) }, now);
            prop_assert!(next.due_at.unwrap() >= now.plus(span).max(now.plus(backoff(pace.backoff, errors + 1))));
        }
    }
}
