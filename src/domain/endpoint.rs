//! How a webhook is, and what each attempt makes of that. Pure: times are arguments.
//!
//! A webhook that asks for less (429), whose server is down (502, 503, 504) or that does not answer is slowed as a
//! whole: nothing is sent until a time, then one call goes as a probe. What happens meanwhile uses up no attempt of
//! any delivery, so an endpoint may be down for as long as it takes. After a long time of nothing but failures it is
//! paused; 410 disables it. Both hold what it is owed until somebody resumes it.

use std::time::Duration;

use super::time::Timestamp;
use super::webhook::{Verdict, WebhookState};

/// How long a webhook is slowed at first, and the most that doubling leads to; `Retry-After` may ask for more.
const FIRST_SLOW: Duration = Duration::from_secs(5);
const LONGEST_SLOW: Duration = Duration::from_secs(600);
/// Later than `Retry-After` may ask for: the clock was set back meanwhile.
const ABSURD: Duration = Duration::from_secs(25 * 3600);
/// What the time between two attempts counts for at the most, half as much again as the longest usual wait: the machine was
/// off or asleep for the rest of it, or its clock was set, and nobody tried.
const LONGEST_GAP: Duration = Duration::from_secs(36 * 3600);

/// What is remembered of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Its state.
    pub state: WebhookState,
    /// Since when there was nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// When it was called last.
    pub last_try: Option<Timestamp>,
    /// While it is slowed: until when nothing is sent.
    pub slow_until: Option<Timestamp>,
    /// How often in a row it was slowed.
    pub slow_step: u32,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { state: WebhookState::Active, failing_since: None, last_try: None, slow_until: None, slow_step: 0 }
    }
}

/// An attempt that ended, as far as the webhook's state depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End<'a> {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What follows for its delivery.
    pub verdict: &'a Verdict,
    /// It says that the whole webhook is to be left alone, for at least as long as it asks.
    pub overload: Option<Duration>,
}

/// How many deliveries may be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// As many as there is room for.
    Open,
    /// One, if none is under way.
    Probe,
    /// None before this time.
    Until(Timestamp),
    /// None.
    Shut,
}

impl Endpoint {
    /// How many deliveries may be sent at `now`.
    #[must_use]
    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.state {
            WebhookState::Paused | WebhookState::Disabled => Gate::Shut,
            WebhookState::Active => Gate::Open,
            WebhookState::Slowed => self.held_until(now).map_or(Gate::Probe, Gate::Until),
        }
    }

    /// Until when nothing may be sent. What a clock that was put back left far ahead holds nothing.
    fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.slow_until.filter(|until| *until > now && until.since(now) <= ABSURD)
    }

    /// The state after an attempt, and whether the attempt counts against the schedule of its delivery.
    #[must_use]
    pub fn after(self, end: &End<'_>, pause_after: Duration) -> (Self, bool) {
        let probe = self.held_until(end.began).is_none();
        let calm = Self { slow_until: None, slow_step: 0, ..self };
        if *end.verdict == Verdict::Succeeded {
            // What was under way when it was slowed is no sign that it is over: Retry-After holds.
            let after = if self.state == WebhookState::Slowed && probe {
                Self { state: WebhookState::Active, ..calm }
            } else {
                self
            };
            return (Self { failing_since: None, ..after }, true);
        }
        if *end.verdict == Verdict::Disabled {
            return (Self { state: WebhookState::Disabled, ..calm }, false);
        }
        let since = self.failing_since.map_or(end.began, |since| {
            let gap = self.last_try.map_or(Duration::ZERO, |last| end.began.since(last));
            // It lies ahead if the clock was put back.
            since.plus(gap.saturating_sub(LONGEST_GAP)).min(end.began)
        });
        let (after, counts) = match (self.state, end.overload) {
            (WebhookState::Paused | WebhookState::Disabled, _) => (self, false),
            (WebhookState::Active, None) => (self, true),
            (WebhookState::Active, Some(asked)) => (self.slowed(end.ended, 0, asked), true),
            (WebhookState::Slowed, Some(asked)) if probe => {
                (self.slowed(end.ended, self.slow_step.saturating_add(1), asked), false)
            }
            (WebhookState::Slowed, None) if probe => (Self { state: WebhookState::Active, ..calm }, true),
            (WebhookState::Slowed, asked) => {
                let until = self.slow_until.max(Some(end.ended.plus(asked.unwrap_or_default())));
                (Self { slow_until: until, ..self }, false)
            }
        };
        let after = Self { failing_since: Some(since), ..after };
        let lasting = end.ended.since(since) >= pause_after;
        if lasting && matches!(after.state, WebhookState::Active | WebhookState::Slowed) {
            return (Self { state: WebhookState::Paused, slow_until: None, slow_step: 0, ..after }, false);
        }
        (after, counts)
    }

    fn slowed(self, now: Timestamp, step: u32, asked: Duration) -> Self {
        let wait = FIRST_SLOW.saturating_mul(1 << step.min(16)).min(LONGEST_SLOW);
        let until = now.plus(wait.max(asked));
        Self { state: WebhookState::Slowed, slow_until: Some(until), slow_step: step, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_DAYS: Duration = Duration::from_secs(5 * 86_400);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + seconds)
    }

    /// An attempt that began and ended at these seconds.
    fn after(
        before: Endpoint,
        (began, ended): (i64, i64),
        verdict: &Verdict,
        overload: Option<u64>,
    ) -> (Endpoint, bool) {
        let overload = overload.map(Duration::from_secs);
        before.after(&End { began: at(began), ended: at(ended), verdict, overload }, FIVE_DAYS)
    }

    fn retry() -> Verdict {
        Verdict::Retry(at(0))
    }

    #[test]
    fn an_overload_slows_the_webhook_and_doubles_with_each_probe_until_one_succeeds() {
        let (mut hook, counted) = after(Endpoint::default(), (0, 1), &retry(), Some(0));
        assert!(counted, "it was sent while nothing was slowed");
        assert_eq!((hook.state, hook.slow_until), (WebhookState::Slowed, Some(at(6))));
        assert_eq!((hook.gate(at(5)), hook.gate(at(6))), (Gate::Until(at(6)), Gate::Probe));
        let mut now = 6;
        for wait in [10, 20, 40, 80, 160, 320, 600, 600, 600] {
            let (next, counted) = after(hook, (now, now), &Verdict::Failed, Some(0));
            assert!(!counted, "a probe uses no attempt up, not even the last");
            assert_eq!(next.slow_until, Some(at(now + wait)));
            (hook, now) = (next, now + wait);
        }
        let (hook, counted) = after(hook, (now, now + 1), &Verdict::Succeeded, None);
        assert_eq!((hook, counted), (Endpoint::default(), true));
        assert_eq!(hook.gate(at(now)), Gate::Open);
    }

    #[test]
    fn what_was_under_way_when_it_was_slowed_counts_for_nothing_and_opens_nothing() {
        let (hook, _) = after(Endpoint::default(), (0, 1), &retry(), Some(60));
        assert_eq!(hook.slow_until, Some(at(61)));
        let (same, counted) = after(hook, (0, 2), &retry(), Some(0));
        assert_eq!((same, counted), (hook, false));
        let (longer, _) = after(hook, (0, 2), &retry(), Some(100));
        assert_eq!(longer.slow_until, Some(at(102)));
        let (same, counted) = after(hook, (0, 2), &Verdict::Succeeded, None);
        assert_eq!((same.state, same.slow_until, counted), (WebhookState::Slowed, Some(at(61)), true));
    }

    #[test]
    fn an_answer_that_is_no_overload_ends_the_slowing_and_counts() {
        let (hook, _) = after(Endpoint::default(), (0, 1), &retry(), Some(0));
        let (hook, counted) = after(hook, (6, 7), &retry(), None);
        assert_eq!((hook.state, hook.slow_until, counted), (WebhookState::Active, None, true));
        assert_eq!(hook.failing_since, Some(at(0)), "but it fails since then");
    }

    #[test]
    fn five_days_of_nothing_but_failures_pause_it_and_one_success_in_between_does_not() {
        let day = 86_400;
        let (hook, _) = after(Endpoint::default(), (0, 0), &retry(), None);
        let (failing, counted) = after(hook, (5 * day - 1, 5 * day - 1), &retry(), None);
        assert_eq!((failing.state, counted), (WebhookState::Active, true));
        let (paused, counted) = after(failing, (5 * day, 5 * day), &Verdict::Failed, None);
        assert_eq!((paused.state, counted), (WebhookState::Paused, false));
        assert_eq!(paused.gate(at(9 * day)), Gate::Shut);
        let (well, _) = after(failing, (5 * day - 1, 5 * day - 1), &Verdict::Succeeded, None);
        let (again, _) = after(well, (5 * day, 5 * day), &retry(), None);
        assert_eq!(again.state, WebhookState::Active);
        let (slowed, _) = after(Endpoint::default(), (0, 1), &retry(), Some(0));
        let (paused, _) = after(slowed, (5 * day, 5 * day), &retry(), Some(0));
        assert_eq!((paused.state, paused.slow_until), (WebhookState::Paused, None));
    }

    #[test]
    fn a_month_in_which_nobody_tried_is_no_month_of_failures() {
        let (day, month) = (86_400, 30 * 86_400);
        let mut hook = after(Endpoint::default(), (0, 0), &retry(), None).0;
        hook.last_try = Some(at(0));
        let mut counted = 0;
        for n in 0..5 {
            assert_eq!(hook.state, WebhookState::Active, "after {n} failures");
            let tried = month + n * day;
            hook = Endpoint { last_try: Some(at(tried)), ..after(hook, (tried, tried), &retry(), None).0 };
            counted = n;
        }
        assert_eq!((hook.state, counted), (WebhookState::Paused, 4), "a day and a half, and four days");
    }

    #[test]
    fn a_410_disables_whatever_the_state_and_what_was_under_way_changes_nothing_of_a_pause() {
        for state in [WebhookState::Active, WebhookState::Slowed, WebhookState::Paused] {
            let (hook, counted) = after(Endpoint { state, ..Endpoint::default() }, (0, 1), &Verdict::Disabled, None);
            assert_eq!((hook.state, counted), (WebhookState::Disabled, false));
        }
        let paused = Endpoint { state: WebhookState::Paused, ..Endpoint::default() };
        for overload in [None, Some(0)] {
            let (hook, counted) = after(paused, (0, 1), &Verdict::Failed, overload);
            assert_eq!((hook.state, counted), (WebhookState::Paused, false));
        }
        assert_eq!(after(paused, (0, 1), &Verdict::Succeeded, None).0.state, WebhookState::Paused);
    }

    #[test]
    fn a_clock_that_was_set_back_by_a_year_does_not_slow_for_a_year() {
        let hook = Endpoint { state: WebhookState::Slowed, slow_until: Some(at(31_536_000)), ..Endpoint::default() };
        assert_eq!(hook.gate(at(0)), Gate::Probe);
        assert_eq!(after(hook, (0, 1), &Verdict::Succeeded, None), (Endpoint::default(), true), "that was the probe");
        let (slower, _) = after(hook, (0, 1), &retry(), Some(60));
        assert_eq!(slower.slow_until, Some(at(61)));
        let failing = Endpoint { failing_since: Some(at(31_536_000)), ..Endpoint::default() };
        assert_eq!(after(failing, (0, 1), &retry(), None).0.failing_since, Some(at(0)), "it is paused in time");
    }
}
