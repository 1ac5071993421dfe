//! The end of a poll: what is told of it once its commit is known, which may be that of many.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::moves::{tell_move, tell_unions};
use super::{FeedPlan, Outcome, Plan, PollReport};
use crate::domain::feed::{ErrorKind, FeedState, PollError};
use crate::domain::time::Timestamp;
use crate::store::{CommitReport, Redirect, StoreError};

/// A poll whose commit is awaited.
pub(super) struct End {
    pub(super) plan: Arc<Plan>,
    pub(super) feed: Arc<FeedPlan>,
    pub(super) begun: Instant,
    /// When it counts as polled.
    pub(super) at: Timestamp,
    /// It is polled by hand only.
    pub(super) paused: bool,
    pub(super) redirect: Option<Redirect>,
    /// As it is if all is stored.
    pub(super) report: PollReport,
}

impl End {
    /// Tells the journal, and those who deliver what is owed; the report is for whoever follows polls.
    pub(super) fn told(self, committed: Result<CommitReport, StoreError>, owed: &Notify) -> PollReport {
        let Self { plan, feed, begun, at, paused, redirect, mut report } = self;
        report.duration_ms = millis(begun);
        match committed {
            Ok(stored) => {
                if let Some(redirect) = redirect.filter(|_| !stored.lost) {
                    tell_move(&feed, &redirect);
                }
                tell_unions(&plan, &stored.unions);
                if stored.deliveries > 0 {
                    owed.notify_one();
                }
                if stored.unions.joined.iter().any(|(joined, _)| *joined == feed.id) {
                    report.next_due = None;
                }
                report.stored = stored;
            }
            Err(e) => {
                // Nothing was stored, the validators neither: the same is fetched again.
                report.outcome = Outcome::Failed;
                report.error =
                    Some(PollError { kind: ErrorKind::Body, http_status: None, message: format!("not stored: {e}") });
                report.next_due = Some(at.plus(feed.manner.backoff)).filter(|_| !paused);
            }
        }
        report
    }
}

/// When a feed is asked next on its own; a paused one is not.
pub(super) fn unless_paused(state: &FeedState, due: Option<Timestamp>) -> Option<Timestamp> {
    due.filter(|_| state.paused_at.is_none())
}

/// How long ago that is.
pub(super) fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
