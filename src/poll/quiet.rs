//! Polls that brought no document, committed together: most of a round is 304s, and a transaction, a sync and
//! a wake-up each would be most of its cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::store::{CommitReport, PollCommit, Store, StoreError};

/// How long the first of them waits for company. Little hangs on it: at most an alert is owed.
const LINGER: Duration = Duration::from_millis(3);
/// Polls that are committed together at the most.
const GROUP: usize = 256;

type Answer = oneshot::Sender<Result<CommitReport, StoreError>>;

/// The place where they gather.
pub(super) struct Quiet {
    store: Arc<dyn Store>,
    put: mpsc::UnboundedSender<(PollCommit, Answer)>,
    /// One at a time takes all that is there and commits it; the others wait for their answer.
    gathered: Mutex<mpsc::UnboundedReceiver<(PollCommit, Answer)>>,
}

impl Quiet {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        // As many as there are polls in flight, so it is bounded by [poll] concurrency.
        let (put, gathered) = mpsc::unbounded_channel();
        Self { store, put, gathered: Mutex::new(gathered) }
    }

    /// Commits a poll, with others.
    pub(super) async fn commit(&self, poll: PollCommit) -> Result<CommitReport, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        self.put.send((poll, answer)).map_err(|_| StoreError::Closed)?;
        tokio::select! {
            biased;
            done = &mut answered => return done.map_err(|_| StoreError::Closed)?,
            mut gathered = self.gathered.lock() => self.settle(&mut gathered, &mut answered).await,
        }
        answered.await.map_err(|_| StoreError::Closed)?
    }

    async fn settle(
        &self,
        gathered: &mut mpsc::UnboundedReceiver<(PollCommit, Answer)>,
        mine: &mut oneshot::Receiver<Result<CommitReport, StoreError>>,
    ) {
        // Another one may have committed this poll while we waited for the lock.
        if !mine.is_empty() {
            return;
        }
        tokio::time::sleep(LINGER).await;
        while mine.is_empty() {
            let (mut polls, mut answers) = (Vec::new(), Vec::new());
            while polls.len() < GROUP
                && let Ok((poll, answer)) = gathered.try_recv()
            {
                polls.push(poll);
                answers.push(answer);
            }
            if polls.is_empty() {
                return;
            }
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
}
