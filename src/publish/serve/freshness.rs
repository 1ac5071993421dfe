//! `max-age`: the time to the next poll, asked of the store at most once a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::time::Timestamp;
use crate::store::Store;

/// Longest `max-age`, in seconds.
const LONGEST: u32 = 3600;
/// Where the store does not answer, in seconds.
const UNKNOWN: u32 = 60;
/// How long an answer of the store holds.
const HOLDS: Duration = Duration::from_secs(1);

/// When the next poll is.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    asked: Option<Instant>,
    next_due: Option<Timestamp>,
    failed: bool,
}

impl Freshness {
    /// How long what is served now stays fresh, in seconds. While one asks the store, others take what was known.
    pub(crate) async fn max_age(&self, store: &dyn Store, now: Timestamp) -> u32 {
        if self.claim() {
            let health = store.health().await;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.failed = health.is_err();
            known.next_due = health.ok().and_then(|health| health.next_due);
        }
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.failed { UNKNOWN } else { until(known.next_due, now) }
    }

    fn claim(&self) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let old = known.asked.is_none_or(|asked| now.duration_since(asked) >= HOLDS);
        if old {
            known.asked = Some(now);
        }
        old
    }
}

fn until(next_due: Option<Timestamp>, now: Timestamp) -> u32 {
    let Some(due) = next_due else { return LONGEST };
    u32::try_from(due.since(now).as_secs()).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_time_to_the_next_poll_but_never_more_than_an_hour() {
        let now = Timestamp::from_secs(1000);
        for (due, age) in [(Some(1000), 0), (Some(900), 0), (Some(1090), 90), (Some(9_999_999), 3600), (None, 3600)] {
            assert_eq!(until(due.map(Timestamp::from_secs), now), age, "{due:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_at_most_once_a_second() {
        let freshness = Freshness::default();
        assert!(freshness.claim());
        assert!(!freshness.claim());
        tokio::time::advance(HOLDS).await;
        assert!(freshness.claim());
    }
}
