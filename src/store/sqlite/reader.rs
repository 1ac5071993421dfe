//! A few read-only connections, lent out one at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::broken::Broken;
use super::{Result, StoreError, open, public};

/// How many reads may run at a time; more wait.
const READERS: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    /// They see what anybody may see.
    public: bool,
    broken: Arc<Broken>,
    idle: Arc<Mutex<Vec<Connection>>>,
    slots: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path, broken: Arc<Broken>) -> Result<Self> {
        let first = connect(path, false)?;
        Ok(Self {
            path: path.to_owned(),
            public: false,
            broken,
            idle: Arc::new(Mutex::new(vec![first])),
            slots: Arc::new(Semaphore::new(READERS)),
        })
    }

    /// Others that see what anybody may see. They wait for the same slots.
    pub(super) fn public(&self) -> Self {
        Self {
            path: self.path.clone(),
            public: true,
            broken: Arc::clone(&self.broken),
            idle: Arc::default(),
            slots: Arc::clone(&self.slots),
        }
    }

    /// Runs a read on a blocking thread. Every read is short, so that none holds the log's checkpoint back.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, StoreError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (path, public, idle) = (self.path.clone(), self.public, Arc::clone(&self.idle));
        let done = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => connect(&path, public)?,
            };
            // One transaction, so that the parts of an answer belong together.
            let answer = connection.unchecked_transaction().and_then(|tx| work(&tx));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(slot);
            answer
        });
        done.await.map_err(|e| StoreError::Failed(e.to_string()))?.map_err(|e| {
            self.broken.heed(&e);
            open::failed(&e)
        })
    }

    /// Closes what is idle; whoever asks from now on is told so.
    pub(super) fn close(&self) {
        self.slots.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn connect(path: &Path, public: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    open::set_up(&connection)?;
    connection.pragma_update(None, "cache_size", -open::READER_CACHE_KIB)?;
    if public {
        public::cover(&connection)?;
    }
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
