//! The tasks that polls run on. What a poll keeps while it waits is several kilobytes: a task that takes one poll after the other
//! spares the allocator most of a round of 304s.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

use super::FeedPlan;
use super::run::{Poller, Told, lost};
use crate::store::FeedLease;

/// More polls than this at once are a crowd.
const CROWD: usize = 8;
/// A poll that has not begun after so long says that something holds its thread.
const HELD: Duration = Duration::from_millis(50);
/// For so long that thread is given nothing more.
const HELD_FOR: Duration = Duration::from_secs(60);

/// A feed that is to be polled.
pub(super) struct Job {
    pub(super) feed: Arc<FeedPlan>,
    pub(super) lease: FeedLease,
    /// When it was given to the crew.
    given: Instant,
}

/// Those that poll. A thread that wakes no other one polls cheapest, but a server that floods us (interim answers without
/// end, RFC 9110 15.2) holds it. So such a thread polls feeds that answered when they were last asked, and the loop's own
/// runtime all others; and those that come one by one, for whom it would only be woken.
pub(super) struct Crews {
    here: Crew,
    alone: Option<Crew>,
    /// Something held the thread: nothing is given to it before then.
    held_until: Option<Instant>,
}

impl Crews {
    /// Crews whose tasks are on `tasks` and tell `done`: on this runtime, and on `alone`.
    pub(super) fn new(
        poller: &Arc<Poller>,
        done: &mpsc::UnboundedSender<Told>,
        tasks: &TaskTracker,
        alone: Option<Handle>,
    ) -> Self {
        let crew = |on| Crew {
            poller: Arc::clone(poller),
            done: done.clone(),
            tasks: tasks.clone(),
            on,
            board: Arc::default(),
        };
        Self { here: crew(Handle::current()), alone: alone.map(crew), held_until: None }
    }

    /// Begins a poll, one of so many that are under way or begin now.
    pub(super) fn begin(&self, feed: Arc<FeedPlan>, lease: FeedLease, busy: usize) {
        let job = Job { feed, lease, given: Instant::now() };
        let trusted = job.lease.state.errors == 0 && job.lease.state.loaded_once;
        let held = || self.held_until.is_some_and(|until| Instant::now() < until);
        match &self.alone {
            Some(crew) if busy > CROWD && trusted && !held() => crew.begin(job),
            _ => self.here.begin(job),
        }
    }

    /// When to look whether the thread is held, if anything waits for it. What has waited too long is polled here.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let waited = self.alone.as_ref()?.waited()?;
        if waited < HELD {
            return Some(HELD);
        }
        tracing::debug!("something holds the thread that polls; others poll for a minute");
        self.held_until = Some(Instant::now() + HELD_FOR);
        let jobs = self.alone.as_ref()?.take_back();
        jobs.into_iter().for_each(|job| self.here.begin(job));
        None
    }

    /// Nothing is left to do for now.
    pub(super) fn dismiss(&mut self) {
        self.here.dismiss();
        self.alone.iter_mut().for_each(Crew::dismiss);
    }
}

/// Tasks that wait for polls, on one runtime. They end when they are dismissed, or the crew is dropped, and nothing is left to do.
struct Crew {
    poller: Arc<Poller>,
    done: mpsc::UnboundedSender<Told>,
    tasks: TaskTracker,
    on: Handle,
    board: Arc<Board>,
}

/// Where polls wait for a task.
#[derive(Default)]
struct Board {
    list: Mutex<List>,
    /// For the foreman: there are polls, or there will be none.
    given: Notify,
    /// For a task: there is a poll; for all: there will be none.
    changed: Notify,
}

#[derive(Default)]
struct List {
    jobs: VecDeque<Job>,
    /// Tasks that wait for one.
    idle: usize,
    begun: bool,
    closed: bool,
}

impl Crew {
    /// Begins a poll.
    fn begin(&self, job: Job) {
        let mut list = self.board.list();
        list.jobs.push_back(job);
        let begun = std::mem::replace(&mut list.begun, true);
        drop(list);
        if !begun {
            let (poller, board, done) = (Arc::clone(&self.poller), Arc::clone(&self.board), self.done.clone());
            self.tasks.spawn_on(employ(poller, board, done, self.tasks.clone()), &self.on);
        }
        self.board.given.notify_one();
    }

    /// For how long the oldest poll that no task has taken is there.
    fn waited(&self) -> Option<Duration> {
        self.board.list().jobs.front().map(|job| job.given.elapsed())
    }

    /// Polls that no task has taken.
    fn take_back(&self) -> VecDeque<Job> {
        std::mem::take(&mut self.board.list().jobs)
    }

    /// Lets the tasks go.
    fn dismiss(&mut self) {
        if self.board.list().begun {
            self.board.close();
            self.board = Arc::default();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.board.close();
    }
}

impl Board {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.list().closed = true;
        self.given.notify_one();
        self.changed.notify_waiters();
    }

    /// The next poll; `None`: there will be none.
    async fn next(&self) -> Option<Job> {
        loop {
            let mut changed = pin!(self.changed.notified());
            {
                let mut list = self.list();
                if let Some(job) = list.jobs.pop_front() {
                    return Some(job);
                }
                if list.closed {
                    return None;
                }
                // Under the lock: two that are told at once are two that wake.
                changed.as_mut().enable();
                list.idle += 1;
            }
            changed.await;
            self.list().idle -= 1;
        }
    }
}

/// The foreman: wakes a task for each poll, or makes one. It does so where they run, for to wake a task of another runtime is a
/// call to the system.
async fn employ(poller: Arc<Poller>, board: Arc<Board>, done: mpsc::UnboundedSender<Told>, tasks: TaskTracker) {
    loop {
        board.given.notified().await;
        let (jobs, idle, closed) = {
            let list = board.list();
            (list.jobs.len(), list.idle, list.closed)
        };
        (0..jobs.min(idle)).for_each(|_| board.changed.notify_one());
        for _ in idle..jobs {
            tasks.spawn(work(Arc::clone(&poller), Arc::clone(&board), done.clone()));
        }
        if closed {
            return;
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
