//! When a feed is asked next: the one place where all the rules about "not before" meet.
//!
//! The ticks of a feed are its schedule's, each shifted by the feed's own offset. The next poll is at the first
//! tick that is not too early for any rule, or at the moment that the last rule allows, if a tick lies just
//! before it: an hourly feed with `max-age=3600` is polled every hour and not every second one.

use std::hash::Hasher as _;
use std::time::Duration;

use chrono_tz::Tz;
use siphasher::sip::SipHasher13;

use super::cron::Schedule;
use crate::domain::feed::{FeedState, NextPoll};
use crate::domain::time::Timestamp;

/// Freshness and `Retry-After` hold for a week at the most, so that no feed dies of an absurd value.
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
    pub schedule: &'a Schedule,
    /// The zone of its fields.
    pub zone: Tz,
    /// Whether polls are shifted within the window.
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

/// When to ask next, after a poll that ended at `now`. `state` is what was remembered before it.
#[must_use]
pub fn next_poll(pace: &Pace<'_>, state: &FeedState, ended: Ended, now: Timestamp) -> NextPoll {
    let until = |span: Option<Duration>| span.map(|span| now.plus(span.min(CAP)));
    match ended {
        Ended::Gone => {
            let reason = "it answered 410 Gone; `feedmill poll` or another address revives it".to_owned();
            NextPoll { reason, ..NextPoll::default() }
        }
        Ended::Well { fresh_for } => decide(pace, now, 0, until(fresh_for), None),
        Ended::Badly { retry_after } => {
            decide(pace, now, state.errors.saturating_add(1), state.fresh_until, until(retry_after))
        }
    }
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
    decide(pace, last.min(now), state.errors, state.fresh_until, state.retry_until)
}

/// A rule that holds a feed back, and its sentence.
struct Rule {
    until: Timestamp,
    name: String,
}

fn decide(
    pace: &Pace<'_>,
    last: Timestamp,
    errors: u32,
    fresh_until: Option<Timestamp>,
    retry_until: Option<Timestamp>,
) -> NextPoll {
    // What is remembered may come from a clock that was ahead: the cap holds for it too.
    let capped = |until: Option<Timestamp>| until.map(|until| until.min(last.plus(CAP))).filter(|until| *until > last);
    let (fresh_until, retry_until) = (capped(fresh_until), capped(retry_until));
    let mut rules = vec![Rule { until: last.plus(pace.min_interval), name: "min_interval".to_owned() }];
    if errors > 0 {
        let failures = if errors == 1 { "failure" } else { "failures in a row" };
        let name = format!("back-off after {errors} {failures}");
        rules.push(Rule { until: last.plus(backoff(pace.backoff, errors)), name });
    }
    rules.extend(fresh_until.map(|until| Rule { until, name: "max-age of the last answer".to_owned() }));
    rules.extend(retry_until.map(|until| Rule { until, name: "Retry-After of the last answer".to_owned() }));
    let first = tick_after(pace, last);
    let last_rule = rules.into_iter().max_by_key(|rule| rule.until);
    let not_before = last_rule.as_ref().map_or(last, |rule| rule.until);
    let (due_at, reason) = match first {
        // A schedule that never fires was refused when it was read; a zone may still have no more ticks.
        None => (not_before.plus(DAY), "the schedule has no more ticks; asked once a day".to_owned()),
        Some(first) => {
            let tick = first_fitting(pace, first, not_before);
            let due = tick.max(not_before);
            let shown = clock(first, last, pace.zone);
            let reason = match last_rule.filter(|_| due > first) {
                Some(Rule { until, name }) => {
                    format!("{name} ({}) is later than your schedule ({shown})", span(until.since(last)))
                }
                None => format!("your schedule ({shown})"),
            };
            (due, reason)
        }
    };
    NextPoll { due_at: Some(due_at), reason, fresh_until, retry_until }
}

/// The first tick that lies at most a little before `not_before`.
fn first_fitting(pace: &Pace<'_>, first: Timestamp, not_before: Timestamp) -> Timestamp {
    if first >= not_before {
        return first;
    }
    // Far ahead of the first tick, ticks are looked for near the end of the rule, not one by one.
    let gap = gap(pace, first);
    let slack = SLACK.min(gap / 10);
    let mut tick = if first.plus(slack) >= not_before {
        first
    } else {
        let near = not_before.minus(slack).minus(Duration::from_millis(1));
        tick_after(pace, near).unwrap_or(first)
    };
    while tick.plus(slack) < not_before {
        let Some(next) = tick_after(pace, tick) else { break };
        tick = next;
    }
    tick
}

/// The first tick after `after`, shifted by the feed's own offset.
fn tick_after(pace: &Pace<'_>, after: Timestamp) -> Option<Timestamp> {
    if !pace.spread {
        return pace.schedule.next_after(after, pace.zone);
    }
    // The offset depends on the gap that the tick opens, so begin a window back and take the first that fits.
    let mut tick = pace.schedule.next_after(after.minus(WINDOW), pace.zone)?;
    loop {
        let next = pace.schedule.next_after(tick, pace.zone);
        let window = next.map_or(WINDOW, |next| next.since(tick)).min(WINDOW);
        let shifted = tick.plus(offset(pace.url, window));
        if shifted > after {
            return Some(shifted);
        }
        tick = next?;
    }
}

fn gap(pace: &Pace<'_>, tick: Timestamp) -> Duration {
    tick_after(pace, tick).map_or(DAY, |next| next.since(tick))
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

/// A span for people: the two largest units.
fn span(span: Duration) -> String {
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

/// The hour and minute in the zone of the schedule; with the date where it is not the day of `from`.
fn clock(at: Timestamp, from: Timestamp, zone: Tz) -> String {
    let (at, from) = (at.to_chrono().with_timezone(&zone), from.to_chrono().with_timezone(&zone));
    let form = if at.date_naive() == from.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("2026-03-02T{text}Z")).unwrap()
    }

    fn hourly() -> Schedule {
        Schedule::parse("0 * * * *").unwrap()
    }

    fn pace(schedule: &Schedule) -> Pace<'_> {
        Pace {
            schedule,
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
        let daily = Schedule::parse("30 8 * * *").unwrap();
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
        let schedule = Schedule::parse("@yearly").unwrap();
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
            let schedule = Schedule::parse(line).unwrap();
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
