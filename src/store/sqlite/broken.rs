//! When the process must not go on with its file. After a sync that failed the system may have dropped what it was to
//! write and say nothing the next time; a damaged page may have spread; and a file that was moved away or replaced is
//! written for nobody. Then nothing more is written, and the daemon ends: the next start opens the file and checks it.
//!
//! And when it may: a disk that is full, or a file that another program holds, is a hindrance. It is told once when it begins
//! and once when it is over, however many writes fail in between.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::open::beside;

/// How often the writer looks whether its file is still where it was.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A disk on which small writes fit and large ones do not is told of no oftener than this.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Whether, and why.
pub(super) struct Broken {
    path: PathBuf,
    /// Device and inode as they were when it was opened.
    file: Option<(u64, u64)>,
    /// Those of its log, once it is there. SQLite keeps that file for as long as it has the database open.
    log: OnceLock<(u64, u64)>,
    cause: OnceLock<Cause>,
    told: CancellationToken,
    hindrance: Mutex<Hindrance>,
    /// One look at all pages at a time.
    looking: Mutex<()>,
}

/// What is in the way of writes for now.
#[derive(Default)]
struct Hindrance {
    /// A sentence, while there is any.
    now: Option<String>,
    /// When one was told.
    told: Option<Instant>,
    /// The last one that was told is not over yet, as far as anybody knows.
    open: bool,
}

enum Cause {
    Sync(String),
    Damage(String),
    Moved,
    Log,
}

impl Broken {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: file(path),
            log: file(&beside(path, "-wal")).map_or_else(OnceLock::new, OnceLock::from),
            cause: OnceLock::new(),
            told: CancellationToken::new(),
            hindrance: Mutex::default(),
            looking: Mutex::default(),
        }
    }

    /// An error came: is it one after which the file must be left alone?
    pub(super) fn heed(&self, error: &rusqlite::Error) {
        match judge(error) {
            // SQLite takes a page that the disk did not give (EIO) for a damaged one; the next time it may give it.
            Some(Cause::Damage(cause)) if self.error().is_none() && self.is_sound() => {
                tracing::warn!(error = %cause, "a page of the database could not be read; all of them were looked at and are sound");
            }
            Some(cause) => self.set(cause),
            None => {}
        }
    }

    /// Looks at every page, by way of SQLite alone: its locks fall with any other descriptor of the file that is closed.
    fn is_sound(&self) -> bool {
        let _one = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Twice: what was not given once may be not given once more.
        (0..2).any(|_| {
            let verdict = Connection::open_with_flags(&self.path, flags)
                .and_then(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
            verdict.is_ok_and(|verdict| verdict == "ok")
        })
    }

    /// A write failed: is it a hindrance?
    pub(super) fn refused(&self, error: &rusqlite::Error) {
        self.heed(error);
        if self.error().is_some() {
            return;
        }
        if let Some(why) = hinders(error) {
            let mut hindrance = self.hindrance.lock().unwrap_or_else(PoisonError::into_inner);
            let said = format!("{why} ({}): {error}", self.path.display());
            if !hindrance.open && hindrance.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                tracing::error!(
                    db.path = %self.path.display(), error = %error,
                    "nothing can be stored: {why}. What is stored stays served; polls and calls are tried again until it can be"
                );
                (hindrance.told, hindrance.open) = (Some(Instant::now()), true);
            }
            hindrance.now = Some(said);
        }
    }

    /// Something was written and is on the disk.
    pub(super) fn stored(&self) {
        let mut hindrance = self.hindrance.lock().unwrap_or_else(PoisonError::into_inner);
        hindrance.now = None;
        if std::mem::take(&mut hindrance.open) {
            tracing::info!(db.path = %self.path.display(), "it can be stored again");
        }
    }

    /// What is in the way of writes for now: a sentence.
    pub(super) fn hindrance(&self) -> Option<String> {
        self.hindrance.lock().unwrap_or_else(PoisonError::into_inner).now.clone()
    }

    /// Looks whether the file is still the one that was opened.
    pub(super) fn look(&self, looked: &mut Instant) {
        if looked.elapsed() >= LOOK_EVERY {
            *looked = Instant::now();
            if file(&self.path) != self.file {
                self.set(Cause::Moved);
            }
            let log = file(&beside(&self.path, "-wal"));
            if let (Some(now), None) = (log, self.log.get()) {
                let _ = self.log.set(now);
            }
            if self.log.get().is_some_and(|known| log != Some(*known)) {
                self.set(Cause::Log);
            }
        }
    }

    /// Whether what was committed may still be written into the file: its log has no name any more, but whoever has it
    /// open has all of it.
    pub(super) fn can_be_closed(&self) -> bool {
        matches!(self.cause.get(), None | Some(Cause::Log))
    }

    fn set(&self, cause: Cause) {
        let _ = self.cause.set(cause);
        self.told.cancel();
    }

    /// The error that everybody gets from now on.
    pub(super) fn error(&self) -> Option<StoreError> {
        let path = self.path.display().to_string();
        Some(match self.cause.get()? {
            Cause::Damage(cause) => StoreError::Corrupt { path, cause: cause.clone() },
            Cause::Sync(cause) => StoreError::Broken { path, cause: format!("it could not be synced: {cause}") },
            Cause::Log => StoreError::Broken { path, cause: "its log (-wal) was moved or deleted".to_owned() },
            Cause::Moved => StoreError::Broken { path, cause: "it was moved, replaced or deleted".to_owned() },
        })
    }

    /// Waits until it is broken: never, if all goes well.
    pub(super) async fn wait(&self) -> StoreError {
        self.told.cancelled().await;
        self.error().unwrap_or(StoreError::Closed)
    }
}

fn file(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// What is in the way of a write that failed, if it may be gone by and by.
fn hinders(error: &rusqlite::Error) -> Option<&'static str> {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return None };
    match failure.code {
        ErrorCode::DiskFull => Some("the disk of the database is full"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("another program holds the database"),
        ErrorCode::ReadOnly => Some("the database is read-only"),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Some("the disk of the database refuses it"),
        _ => None,
    }
}

/// A read or a write that fails is tried again, and a full disk gets room; these are not of that kind.
fn judge(error: &rusqlite::Error) -> Option<Cause> {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return None };
    match failure.extended_code {
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => return Some(Cause::Sync(error.to_string())),
        // The search index alone: it is made anew from what is stored.
        ffi::SQLITE_CORRUPT_VTAB => return None,
        _ => {}
    }
    let damaged = matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase);
    damaged.then(|| Cause::Damage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_failed_and_a_damaged_page_end_it_and_a_full_disk_does_not() {
        let broken = |code| {
            let broken = Broken::new(Path::new("/nowhere/t.db"));
            broken.heed(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            broken.error()
        };
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(matches!(broken(code), Some(StoreError::Broken { .. })), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CORRUPT_INDEX] {
            assert!(matches!(broken(code), Some(StoreError::Corrupt { .. })), "{code}");
        }
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_BUSY] {
            assert!(broken(code).is_none(), "{code}");
        }
        assert!(broken(ffi::SQLITE_CORRUPT_VTAB).is_none());
    }

    #[test]
    fn a_full_disk_is_a_hindrance_until_something_is_written() {
        let broken = Broken::new(Path::new("/nowhere/t.db"));
        broken.refused(&rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT), None));
        assert_eq!(broken.hindrance(), None, "no fault of the disk");
        broken.refused(&rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
        assert!(broken.hindrance().is_some_and(|why| why.contains("is full (/nowhere/t.db)")));
        broken.stored();
        assert_eq!(broken.hindrance(), None);
    }
}
