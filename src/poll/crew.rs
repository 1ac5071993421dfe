//! The tasks that polls run on. What a poll keeps while it waits is several kilobytes: a task that takes one poll after the other
//! spares the allocator most of a round of 304s.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc};
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
pub(super) struct Crew {
    put: mpsc::UnboundedSender<Job>,
    jobs: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>,
    hands: usize,
}

impl Default for Crew {
    fn default() -> Self {
        // As many jobs as the loop has places for.
        let (put, jobs) = mpsc::unbounded_channel();
        Self { put, jobs: Arc::new(Mutex::new(jobs)), hands: 0 }
    }
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
        if self.hands <= busy {
            self.hands += 1;
            tasks.spawn(work(Arc::clone(poller), Arc::clone(&self.jobs), done.clone()));
        }
        // The receiver is ours, too.
        let _ = self.put.send(job);
    }

    /// Whether it has any tasks.
    pub(super) fn is_empty(&self) -> bool {
        self.hands == 0
    }
}

/// Polls what is there to poll, one after the other. A panic is that poll's failure, and its place does not go with it.
async fn work(poller: Arc<Poller>, jobs: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>, done: mpsc::UnboundedSender<Told>) {
    loop {
        let Some(job) = jobs.lock().await.recv().await else { return };
        let (feed, begun) = (Arc::clone(&job.feed), poller.stages().clock().now());
        let poll = AssertUnwindSafe(poller.poll(job, &done)).catch_unwind();
        let report = poll.await.unwrap_or_else(|_| lost(feed.id, feed.name.shared(), begun));
        if done.send(Told::Ended(report)).is_err() {
            return;
        }
    }
}
