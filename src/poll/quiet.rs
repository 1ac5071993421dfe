//! Polls that brought no document, committed together: most of a round is 304s, and a transaction, a sync and
//! a wake-up each would be most of its cost.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use crate::store::{CommitReport, PollCommit, Store, StoreError};

/// How long the first of them waits for company, if others are under way. Little hangs on it: at most an alert is owed.
const LINGER: Duration = Duration::from_millis(10);

/// How the commit of a poll went, and what was to be done with that.
pub(super) type Settled<T> = (T, Result<CommitReport, StoreError>);

/// The place where they gather: as many as there are polls in flight, so it is bounded by `[poll] concurrency`. With each, what
/// its end is told with.
pub(super) struct Quiet<T> {
    store: Arc<dyn Store>,
    gathered: Mutex<(Vec<PollCommit>, Vec<T>)>,
    /// Polls that may still come here.
    away: AtomicUsize,
    /// Told when there is none.
    all_in: Notify,
}

/// A poll on its way.
pub(super) struct Away<'a> {
    away: &'a AtomicUsize,
    all_in: &'a Notify,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        if self.away.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_in.notify_one();
        }
    }
}

impl<T> Quiet<T> {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, gathered: Mutex::default(), away: AtomicUsize::new(0), all_in: Notify::new() }
    }

    /// A poll begins. Until it ends or comes here, it may be waited for.
    pub(super) fn begin(&self) -> Away<'_> {
        self.away.fetch_add(1, Ordering::AcqRel);
        Away { away: &self.away, all_in: &self.all_in }
    }

    /// Commits a poll, with those that come within a moment. The first of them sees to it, and gets the ends of all;
    /// the others get none. To be awaited to the end.
    pub(super) async fn commit(&self, poll: PollCommit, end: T, away: Away<'_>) -> Vec<Settled<T>> {
        let first = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.0.push(poll);
            gathered.1.push(end);
            gathered.1.len() == 1
        };
        drop(away);
        if first { self.settle().await } else { Vec::new() }
    }

    async fn settle(&self) -> Vec<Settled<T>> {
        let company = async {
            // What was told of an earlier moment is looked at again.
            while self.away.load(Ordering::Acquire) > 0 {
                self.all_in.notified().await;
            }
        };
        let _ = tokio::time::timeout(LINGER, company).await;
        let (polls, ends) = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            // As many will come the next time.
            let room = gathered.1.len();
            std::mem::replace(&mut *gathered, (Vec::with_capacity(room), Vec::with_capacity(room)))
        };
        // Of a panic all have to hear, or their feeds would wait for the end for ever.
        let committed = AssertUnwindSafe(async { self.store.commit_quiet(polls).await }).catch_unwind();
        let failed = |_| Err(StoreError::Failed("it failed inside Feedmill; please report this".to_owned()));
        match committed.await.unwrap_or_else(failed) {
            Ok(reports) => ends.into_iter().zip(reports.into_iter().map(Ok)).collect(),
            Err(e) => {
                let cause = match e {
                    StoreError::Failed(cause) => cause,
                    other => other.to_string(),
                };
                ends.into_iter().map(|end| (end, Err(StoreError::Failed(cause.clone())))).collect()
            }
        }
    }
}
