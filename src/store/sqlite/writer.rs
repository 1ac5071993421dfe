//! The one thread that writes. Jobs that wait are committed together, so that many small writes share one sync.
//! If one of them fails, all is rolled back and each is run again by itself, so that it takes no other with it;
//! a savepoint around each would copy every page that they change.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::broken::Broken;
use super::checkpoint::Checkpointer;
use super::{Result, StoreError, open};

/// Jobs that may wait; who has one more waits itself.
const QUEUE: usize = 256;
/// Jobs that are committed together at the most.
const GROUP: usize = 128;

/// The open transaction, as a job sees it.
pub(super) struct Tx<'a> {
    /// The connection.
    pub(super) db: &'a Connection,
    published: &'a Cell<bool>,
}

impl Tx<'_> {
    /// Says that what is published changes with this transaction.
    pub(super) fn publishes(&self) {
        self.published.set(true);
    }
}

/// A job: it can be run again after a rollback, and answers once it is known how the commit went.
trait Job: Send {
    /// Runs it in the open transaction; a reason why it failed is kept.
    fn run(&mut self, tx: &Tx<'_>) -> std::result::Result<(), &rusqlite::Error>;
    /// Tells the one who asked.
    fn answer(self: Box<Self>, committed: std::result::Result<(), StoreError>);
}

struct Task<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    tell: oneshot::Sender<std::result::Result<T, StoreError>>,
}

impl<T: Send, F: Fn(&Tx<'_>) -> Result<T> + Send> Job for Task<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> std::result::Result<(), &rusqlite::Error> {
        self.outcome.insert((self.work)(tx)).as_ref().map(|_| ())
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), StoreError>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(e)), _) => Err(open::failed(&e)),
            (_, Err(e)) => Err(e),
            (Some(Ok(outcome)), Ok(())) => Ok(outcome),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.tell.send(answer);
    }
}

enum Order {
    Work(Box<dyn Job>),
    Close(oneshot::Sender<std::result::Result<(), StoreError>>),
}

pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        checkpointer: Checkpointer,
        version: Arc<AtomicU64>,
        broken: Arc<Broken>,
    ) -> std::io::Result<Self> {
        let (orders, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(connection, checkpointer, queue, &version, &broken))?;
        Ok(Self { orders })
    }

    /// Runs `work` in a transaction. An answer means that it is on the disk.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job = Box::new(Task { work, outcome: None, tell });
        self.orders.send(Order::Work(job)).await.map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) -> std::result::Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        if self.orders.send(Order::Close(tell)).await.is_err() {
            return Ok(());
        }
        told.await.map_err(|_| StoreError::Closed)?
    }
}

fn serve(
    connection: Connection,
    mut checkpointer: Checkpointer,
    mut queue: mpsc::Receiver<Order>,
    version: &AtomicU64,
    broken: &Broken,
) {
    let mut closing = None;
    let mut looked = Instant::now();
    while closing.is_none() {
        let Some(first) = queue.blocking_recv() else { break };
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Work(job) => group.push(job),
                Order::Close(tell) => {
                    closing = Some(tell);
                    break;
                }
            }
            next = if group.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        broken.look(&mut looked);
        Commits { db: &connection, version, broken }.run(group);
        if broken.error().is_none() {
            checkpointer.committed(&connection);
        }
    }
    drop(checkpointer);
    if let Some(error) = broken.error().filter(|_| !broken.can_be_closed()) {
        // Closing would write the log into a file that cannot be trusted: the next start reads it, and checks.
        std::mem::forget(connection);
        if let Some(tell) = closing {
            let _ = tell.send(Err(error));
        }
        return;
    }
    // Closing the last connection writes the log into the file; readers were closed before.
    let closed = connection.close().map_err(|(_, e)| open::failed(&e));
    if let Some(tell) = closing {
        let _ = tell.send(broken.error().map_or(closed, Err));
    }
}

/// Why a transaction came to nothing.
struct Failed {
    begun: bool,
    cause: String,
}

/// Groups of jobs on their way to the disk.
#[derive(Clone, Copy)]
struct Commits<'a> {
    db: &'a Connection,
    version: &'a AtomicU64,
    broken: &'a Broken,
}

impl Commits<'_> {
    fn run(self, mut group: Vec<Box<dyn Job>>) {
        let outcome = match self.broken.error() {
            None => self.attempt(&mut group),
            Some(error) => Err(Failed { begun: false, cause: error.to_string() }),
        };
        match outcome {
            // What could not even begin would wait for each of them.
            Err(Failed { begun: true, cause: e }) if group.len() > 1 && self.broken.error().is_none() => {
                tracing::debug!(error = %e, jobs = group.len(), "a group of writes failed; each is tried by itself");
                for job in group {
                    self.run(vec![job]);
                }
            }
            outcome => {
                for job in group {
                    job.answer(match &outcome {
                        Ok(()) => Ok(()),
                        Err(failed) => {
                            Err(self.broken.error().unwrap_or_else(|| StoreError::Failed(failed.cause.clone())))
                        }
                    });
                }
            }
        }
    }

    fn execute(self, sql: &str) -> std::result::Result<(), String> {
        let done = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|e| {
            self.broken.refused(&e);
            e.to_string()
        })
    }

    /// One transaction with all of them, or nothing.
    fn attempt(self, group: &mut [Box<dyn Job>]) -> std::result::Result<(), Failed> {
        if group.is_empty() {
            return Ok(());
        }
        // Without a transaction nothing may run: a job would commit by itself, statement by statement.
        self.execute("BEGIN IMMEDIATE").map_err(|cause| {
            self.tell(&cause, "the database cannot be written");
            Failed { begun: false, cause }
        })?;
        let before = self.db.total_changes();
        let published = Cell::new(false);
        let tx = Tx { db: self.db, published: &published };
        let done = group.iter_mut().all(|job| job.run(&tx).inspect_err(|e| self.broken.refused(e)).is_ok());
        // A full disk or an I/O error may have ended the transaction already.
        let outcome = match (done, self.db.is_autocommit()) {
            (true, false) => self.execute("COMMIT"),
            (true, true) => Err("the transaction was ended by an error of the disk".to_owned()),
            (false, _) => Err("a statement failed".to_owned()),
        };
        match &outcome {
            Ok(()) => {
                // A transaction that wrote nothing fits on every disk.
                if self.db.total_changes() != before {
                    self.broken.stored();
                }
                if published.get() {
                    self.version.fetch_add(1, Ordering::AcqRel);
                }
            }
            Err(cause) => {
                self.tell(cause, "a transaction was rolled back; nothing of it is stored");
                if !self.db.is_autocommit()
                    && let Err(e) = self.execute("ROLLBACK")
                {
                    tracing::error!(error = %e, "the transaction cannot be rolled back");
                }
            }
        }
        outcome.map_err(|cause| Failed { begun: true, cause })
    }

    /// A hindrance was told as a whole: while it lasts, every write fails.
    fn tell(self, cause: &str, what: &str) {
        if self.broken.hindrance().is_some() {
            tracing::debug!(error = %cause, "{what}");
        } else {
            tracing::error!(error = %cause, "{what}");
        }
    }
}
