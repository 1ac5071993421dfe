//! What follows from an attempt. Pure: the time is an argument, and the spread comes from a hash and not from
//! chance, so that a restart in the middle of a retry changes nothing.

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::domain::time::Timestamp;
use crate::domain::webhook::Verdict;

/// `Retry-After` beyond this is cut to it.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How an attempt ended, as far as what follows depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ending {
    /// The status, if an answer came.
    pub http_status: Option<u16>,
    /// What the answer's `Retry-After` asks for, counted from its arrival.
    pub retry_after: Option<Duration>,
    /// No connection, or no answer in time.
    pub unreachable: bool,
}

/// Whether the whole webhook is to be left alone, and for how long it asks: it wants less (429), its server is down
/// (502, 503, 504), or it does not answer.
#[must_use]
pub fn overload(ending: Ending) -> Option<Duration> {
    let strained = ending.unreachable || matches!(ending.http_status, Some(429 | 502 | 503 | 504));
    strained.then(|| ending.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
}

/// What follows from the attempt that came after `attempts` earlier ones and ended at `now`. `waits` are the
/// webhook's waits between attempts.
///
/// A redirect is a failure: it would carry body and signature to a place that nobody configured. A 4xx is tried
/// again like a 5xx: a broken token at the receiver must not lose events.
#[must_use]
pub fn verdict(ending: Ending, message_id: &str, attempts: u32, waits: &[Duration], now: Timestamp) -> Verdict {
    match ending.http_status {
        Some(200..=299) => return Verdict::Succeeded,
        Some(410) => return Verdict::Disabled,
        _ => {}
    }
    let wait = usize::try_from(attempts).ok().and_then(|n| waits.get(n));
    match wait {
        None => Verdict::Failed,
        Some(wait) => {
            let asked = ending.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
            Verdict::Retry(now.plus(spread(*wait, message_id, attempts).max(asked)))
        }
    }
}

/// `wait` ±20 %, always the same for one attempt of one call: calls that failed together come back apart.
fn spread(wait: Duration, message_id: &str, attempts: u32) -> Duration {
    let mut hash = SipHasher13::new();
    hash.write(message_id.as_bytes());
    hash.write_u32(attempts);
    let per_mille = u32::try_from(800 + hash.finish() % 401).unwrap_or(1000);
    wait.checked_mul(per_mille).map_or(wait, |scaled| scaled / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::MAX;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-24T08:00:00Z").unwrap()
    }

    fn after(status: Option<u16>, attempts: u32) -> Verdict {
        let waits = [Duration::from_secs(5), Duration::from_mins(5)];
        verdict(Ending { http_status: status, ..Ending::default() }, "msg_a", attempts, &waits, now())
    }

    #[test]
    fn every_2xx_is_a_success_and_410_disables() {
        for status in [200, 201, 202, 204, 206, 299] {
            assert_eq!(after(Some(status), 0), Verdict::Succeeded, "{status}");
            assert_eq!(after(Some(status), 99), Verdict::Succeeded, "{status}");
        }
        assert_eq!(after(Some(410), 0), Verdict::Disabled);
        assert_eq!(after(Some(410), 99), Verdict::Disabled);
    }

    #[test]
    fn everything_else_is_tried_again_until_the_waits_are_used_up() {
        let others = [101, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 599];
        for status in others.map(Some).into_iter().chain([None]) {
            assert!(matches!(after(status, 0), Verdict::Retry(_)), "{status:?}");
            assert!(matches!(after(status, 1), Verdict::Retry(_)), "{status:?}");
            assert_eq!(after(status, 2), Verdict::Failed, "{status:?}");
            assert_eq!(after(status, u32::MAX), Verdict::Failed, "{status:?}");
        }
    }

    #[test]
    fn only_who_wants_less_is_down_or_does_not_answer_is_slowed_as_a_whole() {
        let ending = |http_status| Ending { http_status, ..Ending::default() };
        for status in [429, 502, 503, 504] {
            assert_eq!(overload(ending(Some(status))), Some(Duration::ZERO), "{status}");
        }
        for status in [200, 301, 400, 401, 404, 408, 410, 425, 500, 501, 505] {
            assert_eq!(overload(ending(Some(status))), None, "{status}");
        }
        assert_eq!(overload(ending(None)), None, "an answer that broke off is about one call");
        let asked = Ending { unreachable: true, retry_after: Some(Duration::MAX), http_status: None };
        assert_eq!(overload(asked), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn without_waits_there_is_one_attempt() {
        assert_eq!(verdict(Ending::default(), "msg_a", 0, &[], now()), Verdict::Failed);
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_never_shortens_it() {
        let waits = [Duration::from_mins(1)];
        let ask =
            |secs| Ending { http_status: Some(503), retry_after: Some(Duration::from_secs(secs)), unreachable: false };
        let plain = verdict(ask(0), "msg_a", 0, &waits, now());
        assert_eq!(verdict(ask(1), "msg_a", 0, &waits, now()), plain);
        assert_eq!(verdict(ask(3600), "msg_a", 0, &waits, now()), Verdict::Retry(now().plus(Duration::from_hours(1))));
        let capped = Verdict::Retry(now().plus(MAX_RETRY_AFTER));
        assert_eq!(verdict(ask(u64::MAX), "msg_a", 0, &waits, now()), capped);
    }

    #[test]
    fn calls_that_failed_together_come_back_apart() {
        let waits = [Duration::from_hours(1)];
        let times: std::collections::HashSet<_> = (0..100)
            .map(|n| match verdict(Ending::default(), &format!("msg_{n}"), 0, &waits, now()) {
                Verdict::Retry(at) => at,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(times.len() > 50, "{} different times of 100", times.len());
    }

    #[test]
    fn a_wait_near_the_end_of_time_is_no_panic() {
        assert_eq!(verdict(Ending::default(), "m", 0, &[Duration::MAX], NOW), Verdict::Retry(NOW));
    }

    proptest! {
        #[test]
        fn a_wait_is_spread_by_a_fifth_at_most_and_always_alike(id in ".{0,40}", n in any::<u32>(), ms in 0..200_000_000u64) {
            let wait = Duration::from_millis(ms);
            let spread = super::spread(wait, &id, n);
            prop_assert!(spread >= wait * 4 / 5 && spread <= wait * 6 / 5, "{spread:?} of {wait:?}");
            prop_assert_eq!(spread, super::spread(wait, &id, n));
        }
    }
}
