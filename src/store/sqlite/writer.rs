//! The one thread that writes. Jobs that wait are committed together, so that many small writes share one sync.
//! If one of them fails, all is rolled back and each is run again by itself, so that it takes no other with it;
//! a savepoint around each would copy every page that they change.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

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
    /// Runs it in the open transaction; false: it failed, and keeps the reason.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells the one who asked.
    fn answer(self: Box<Self>, committed: std::result::Result<(), StoreError>);
}

struct Task<T, F> {
    work: F,
    outcome: Option<Result<T>>,
    tell: oneshot::Sender<std::result::Result<T, StoreError>>,
}

impl<T: Send, F: Fn(&Tx<'_>) -> Result<T> + Send> Job for Task<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let outcome = self.outcome.insert((self.work)(tx));
        outcome.is_ok()
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
    ) -> std::io::Result<Self> {
        let (orders, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(connection, checkpointer, queue, &version))?;
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
) {
    let mut closing = None;
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
        commit(&connection, group, version);
        checkpointer.committed(&connection);
    }
    drop(checkpointer);
    // Closing the last connection writes the log into the file; readers were closed before.
    let closed = connection.close().map_err(|(_, e)| open::failed(&e));
    if let Some(tell) = closing {
        let _ = tell.send(closed);
    }
}

fn commit(db: &Connection, mut group: Vec<Box<dyn Job>>, version: &AtomicU64) {
    match attempt(db, &mut group, version) {
        Err(e) if group.len() > 1 => {
            tracing::debug!(error = %e, jobs = group.len(), "a group of writes failed; each is tried by itself");
            for job in group {
                commit(db, vec![job], version);
            }
        }
        outcome => {
            for job in group {
                job.answer(outcome.clone().map_err(StoreError::Failed));
            }
        }
    }
}

/// One transaction with all of them, or nothing.
fn attempt(db: &Connection, group: &mut [Box<dyn Job>], version: &AtomicU64) -> std::result::Result<(), String> {
    if group.is_empty() {
        return Ok(());
    }
    let execute = |sql: &str| db.prepare_cached(sql).and_then(|mut s| s.execute([])).map_err(|e| e.to_string());
    // Without a transaction nothing may run: a job would commit by itself, statement by statement.
    execute("BEGIN IMMEDIATE").inspect_err(|e| tracing::error!(error = %e, "the database cannot be written"))?;
    let published = Cell::new(false);
    let tx = Tx { db, published: &published };
    let done = group.iter_mut().all(|job| job.run(&tx));
    // A full disk or an I/O error may have ended the transaction already.
    let outcome = match (done, db.is_autocommit()) {
        (true, false) => execute("COMMIT").map(|_| ()),
        (true, true) => Err("the transaction was ended by an error of the disk".to_owned()),
        (false, _) => Err("a statement failed".to_owned()),
    };
    match &outcome {
        Ok(()) if published.get() => {
            version.fetch_add(1, Ordering::AcqRel);
        }
        Ok(()) => {}
        Err(cause) => {
            tracing::error!(error = %cause, "a transaction was rolled back; nothing of it is stored");
            if !db.is_autocommit()
                && let Err(e) = execute("ROLLBACK")
            {
                tracing::error!(error = %e, "the transaction cannot be rolled back");
            }
        }
    }
    outcome
}
