//! The write-ahead log, written into the file by a thread of its own: the commit that makes the log long does not wait
//! for it, nor does whoever waits for the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::broken::Broken;
use super::{Result, open};

/// Pages of the log that are not in the file yet, before the thread is woken (16 MB): a page that several commits changed is written
/// into the file once.
const LONG: i64 = 4_000;
/// In the log, before the writer does it itself: the thread does not keep up (64 MB).
const TOO_LONG: i64 = 16_000;

/// A log of so many bytes is somebody's doing: SQLite cannot begin it anew while a transaction still reads from it.
const OVERGROWN_BYTES: u64 = 256 << 20;

/// How long the log of a database is, if that is far too long.
#[must_use]
pub fn overgrown(database: &Path) -> Option<u64> {
    let log = std::fs::metadata(open::beside(database, "-wal")).ok()?;
    Some(log.len()).filter(|bytes| *bytes > OVERGROWN_BYTES)
}

/// Wakes the thread when the log is long.
pub(super) struct Checkpointer {
    path: PathBuf,
    overgrown: Overgrown,
    broken: Arc<Broken>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Checkpointer {
    /// For the log of `writer`. The thread begins when it is first needed: a command that writes little does without.
    pub(super) fn new(writer: &Connection, path: PathBuf, broken: Arc<Broken>) -> Result<Self> {
        writer.pragma_update(None, "wal_autocheckpoint", TOO_LONG)?;
        let page: u32 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let overgrown = Overgrown { page_bytes: page.into(), most_bytes: OVERGROWN_BYTES, told: false };
        Ok(Self { path, overgrown, broken, thread: None })
    }

    /// After a commit.
    pub(super) fn committed(&mut self, writer: &Connection) {
        let log = writer
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")
            .and_then(|mut asked| asked.query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))));
        let Ok((pages, written)) = log else { return };
        self.overgrown.tell(u64::try_from(pages).unwrap_or(0), &self.path);
        if pages - written > LONG
            && let Some((wake, _)) = self.running()
        {
            // One that is at work already does all that is there.
            let _ = wake.try_send(());
        }
    }

    fn running(&mut self) -> Option<&(SyncSender<()>, JoinHandle<()>)> {
        if self.thread.is_none() {
            let (wake, woken) = sync_channel(1);
            let (path, broken) = (self.path.clone(), Arc::clone(&self.broken));
            let started =
                thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || serve(path, &woken, &broken));
            match started {
                Ok(handle) => self.thread = Some((wake, handle)),
                Err(e) => tracing::warn!(error = %e, "the writer writes its log into the file itself"),
            }
        }
        self.thread.as_ref()
    }
}

/// Whether it was told that the log is far too long.
struct Overgrown {
    page_bytes: u64,
    most_bytes: u64,
    told: bool,
}

impl Overgrown {
    /// Once when it becomes so, and once when that is over; half as long it is well again.
    fn tell(&mut self, pages: u64, database: &Path) {
        let bytes = pages.saturating_mul(self.page_bytes);
        let database = database.display();
        if !self.told && bytes > self.most_bytes {
            self.told = true;
            tracing::warn!(
                log.bytes = bytes,
                "the log of the database ({database}-wal) grows, for somebody reads the database in a transaction that does not \
                 end: `fuser {database}` names them. Nothing is lost; it becomes short again when they have ended"
            );
        } else if self.told && bytes < self.most_bytes / 2 {
            self.told = false;
            tracing::info!(log.bytes = bytes, "the log of the database is short again");
        }
    }
}

impl Drop for Checkpointer {
    /// Waits for the thread: the last one to close the file is the writer, which leaves no log behind.
    fn drop(&mut self) {
        if let Some((wake, handle)) = self.thread.take() {
            drop(wake);
            let _ = handle.join();
        }
    }
}

fn serve(path: PathBuf, woken: &Receiver<()>, broken: &Broken) {
    let connection = match Connection::open(path).and_then(|db| open::set_up(&db).map(|()| db)) {
        Ok(connection) => connection,
        Err(e) => return tracing::warn!(error = %e, "the writer writes its log into the file itself"),
    };
    while woken.recv().is_ok() {
        // PASSIVE: it waits for nobody, and nobody waits for it. What readers still need is done the next time.
        if let Err(e) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            broken.heed(&e);
            tracing::debug!(error = %e, "the log could not be written into the file; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_a_reader_keeps_from_beginning_anew_is_told_of_until_the_reader_ends() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("t.db");
        let writer = Connection::open(&path).unwrap();
        open::set_up(&writer).unwrap();
        let mut checkpointer = Checkpointer::new(&writer, path.clone(), Arc::new(Broken::new(&path))).unwrap();
        checkpointer.overgrown.most_bytes = 1 << 20;
        writer.execute_batch("CREATE TABLE t (x BLOB); INSERT INTO t VALUES (1)").unwrap();
        let mut write = |told: bool| {
            // As the thread does, but now.
            let _ = writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            writer.execute_batch("UPDATE t SET x = randomblob(100000)").unwrap();
            checkpointer.committed(&writer);
            checkpointer.overgrown.told == told
        };
        assert!((0..30).all(|_| write(false)), "without readers it is begun anew");
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
        for _ in 0..30 {
            write(true);
        }
        assert!(write(true));
        reader.execute_batch("COMMIT").unwrap();
        write(false);
        assert!(write(false));
    }

    #[test]
    fn a_long_log_is_written_into_the_file_and_the_last_to_close_leaves_none() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("t.db");
        let writer = Connection::open(&path).unwrap();
        open::set_up(&writer).unwrap();
        let mut checkpointer = Checkpointer::new(&writer, path.clone(), Arc::new(Broken::new(&path))).unwrap();
        let waiting = || {
            writer
                .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
                .unwrap()
        };
        writer.execute_batch("CREATE TABLE t (x BLOB); INSERT INTO t VALUES (randomblob(100000))").unwrap();
        checkpointer.committed(&writer);
        assert!(checkpointer.thread.is_none(), "a short log is left alone");
        writer.execute_batch("INSERT INTO t VALUES (randomblob(24000000))").unwrap();
        assert!(waiting() > LONG);
        checkpointer.committed(&writer);
        for _ in 0..1_000 {
            if waiting() == 0 {
                break;
            }
            thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(waiting(), 0);
        drop(checkpointer);
        writer.close().unwrap();
        assert!(!path.with_extension("db-wal").exists());
    }
}
