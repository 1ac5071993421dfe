//! The write-ahead log, written into the file by a thread of its own: the commit that makes the log long does not wait
//! for it, nor does whoever waits for the writer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::broken::Broken;
use super::{Result, open};

/// Pages of the log that are not in the file yet, before the thread is woken.
const LONG: i64 = 1_000;
/// In the log, before the writer does it itself: the thread does not keep up (64 MB).
const TOO_LONG: i64 = 16_000;

/// Wakes the thread when the log is long.
pub(super) struct Checkpointer {
    path: PathBuf,
    broken: Arc<Broken>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Checkpointer {
    /// For the log of `writer`. The thread begins when it is first needed: a command that writes little does without.
    pub(super) fn new(writer: &Connection, path: PathBuf, broken: Arc<Broken>) -> Result<Self> {
        writer.pragma_update(None, "wal_autocheckpoint", TOO_LONG)?;
        Ok(Self { path, broken, thread: None })
    }

    /// After a commit.
    pub(super) fn committed(&mut self, writer: &Connection) {
        let waiting = writer
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")
            .and_then(|mut asked| asked.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)));
        if waiting.is_ok_and(|pages| pages > LONG)
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
        writer.execute_batch("INSERT INTO t VALUES (randomblob(6000000))").unwrap();
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
