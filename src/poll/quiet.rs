//! Polls that brought no document, committed together: most of a round is 304s, and a transaction, a sync and
//! a wake-up each would be most of its cost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::store::{CommitReport, PollCommit, Store, StoreError};

/// How long the first of them waits for company, if others are under way. Little hangs on it: at most an alert is owed.
const LINGER: Duration = Duration::from_millis(10);

type Answer = oneshot::Sender<Result<CommitReport, StoreError>>;

/// The place where they gather: as many as there are polls in flight, so it is bounded by `[poll] concurrency`.
pub(super) struct Quiet {
    store: Arc<dyn Store>,
    gathered: Mutex<Vec<(PollCommit, Answer)>>,
    /// Polls that may still come here.
    away: AtomicUsize,
    /// Told when there is none.
    all_in: Notify,
}

/// A poll on its way.
pub(super) struct Away<'a>(&'a Quiet);

impl Drop for Away<'_> {
    fn drop(&mut self) {
        if self.0.away.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_in.notify_one();
        }
    }
}

impl Quiet {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, gathered: Mutex::default(), away: AtomicUsize::new(0), all_in: Notify::new() }
    }

    /// A poll begins. Until it ends or comes here, it may be waited for.
    pub(super) fn begin(&self) -> Away<'_> {
        self.away.fetch_add(1, Ordering::AcqRel);
        Away(self)
    }

    /// Commits a poll, with those that come within a moment; the first of them sees to it. To be awaited to the end.
    pub(super) async fn commit(&self, poll: PollCommit, away: Away<'_>) -> Result<CommitReport, StoreError> {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.push((poll, answer));
            gathered.len() == 1
        };
        drop(away);
        if first {
            self.settle().await;
        }
        answered.await.map_err(|_| StoreError::Closed)?
    }

    async fn settle(&self) {
        let company = async {
            // What was told of an earlier moment is looked at again.
            while self.away.load(Ordering::Acquire) > 0 {
                self.all_in.notified().await;
            }
        };
        let _ = tokio::time::timeout(LINGER, company).await;
        let gathered = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            // As many will come the next time.
            let room = Vec::with_capacity(gathered.len());
            std::mem::replace(&mut *gathered, room)
        };
        let (polls, answers): (Vec<PollCommit>, Vec<Answer>) = gathered.into_iter().unzip();
        match self.store.commit_quiet(polls).await {
            Ok(reports) => {
                for (answer, report) in answers.into_iter().zip(reports) {
                    let _ = answer.send(Ok(report));
                }
            }
            Err(e) => {
                let cause = match e {
                    StoreError::Failed(cause) => cause,
                    other => other.to_string(),
                };
                for answer in answers {
                    let _ = answer.send(Err(StoreError::Failed(cause.clone())));
                }
            }
        }
    }
}
