//! The tasks that polls run on. What a poll keeps while it waits is several kilobytes: a task that takes one poll after the other
//! spares the allocator most of a round of 304s.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

use super::FeedPlan;
use super::run::{Poller, Told, lost};
use crate::store::FeedLease;

/// A feed that is to be polled.
pub(super) struct Job {
    pub(super) feed: Arc<FeedPlan>,
    pub(super) lease: FeedLease,
}

/// Tasks that wait for polls. They end when the crew is dropped and nothing is left to do.
#[derive(Default)]
pub(super) struct Crew {
    board: Arc<Board>,
    hands: usize,
}

/// Where polls wait for a task: as many as the loop has places for. One task is woken for each.
#[derive(Default)]
struct Board {
    jobs: Mutex<VecDeque<Job>>,
    changed: Notify,
    closed: AtomicBool,
}

impl Crew {
    /// Begins a poll beside those that run, `busy` of them.
    pub(super) fn begin(
        &mut self,
        job: Job,
        busy: usize,
        poller: &Arc<Poller>,
        done: &mpsc::UnboundedSender<Told>,
        tasks: &TaskTracker,
    ) {
        self.board.jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        if self.hands <= busy {
            self.hands += 1;
            tasks.spawn(work(Arc::clone(poller), Arc::clone(&self.board), done.clone()));
        } else {
            self.board.changed.notify_one();
        }
    }

    /// Whether it has any tasks.
    pub(super) fn is_empty(&self) -> bool {
        self.hands == 0
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.board.closed.store(true, Ordering::Release);
        self.board.changed.notify_waiters();
    }
}

impl Board {
    /// The next poll; `None`: there will be none.
    async fn next(&self) -> Option<Job> {
        loop {
            // Before the look, so that nothing is told between the two.
            let changed = self.changed.notified();
            if let Some(job) = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                return Some(job);
            }
            if self.closed.load(Ordering::Acquire) {
                return None;
            }
            changed.await;
        }
    }
}

/// Polls what is there to poll, one after the other. A panic is that poll's failure, and its place does not go with it.
async fn work(poller: Arc<Poller>, board: Arc<Board>, done: mpsc::UnboundedSender<Told>) {
    while let Some(job) = board.next().await {
        let (feed, begun) = (Arc::clone(&job.feed), poller.stages().clock().now());
        let poll = AssertUnwindSafe(poller.poll(job, &done)).catch_unwind();
        let reports = poll.await.unwrap_or_else(|_| vec![lost(feed.id, feed.name.shared(), begun)]);
        if !reports.is_empty() && done.send(Told::Ended(reports)).is_err() {
            return;
        }
    }
}
