//! When the process must not go on with its file. After a sync that failed the system may have dropped what it was to
//! write and say nothing the next time; a damaged page may have spread; and a file that was moved away or replaced is
//! written for nobody. Then nothing more is written, and the daemon ends: the next start opens the file and checks it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, ffi};
use tokio_util::sync::CancellationToken;

use super::StoreError;

/// How often the writer looks whether its file is still where it was.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Whether, and why.
pub(super) struct Broken {
    path: PathBuf,
    /// Device and inode as they were when it was opened.
    file: Option<(u64, u64)>,
    cause: OnceLock<Cause>,
    told: CancellationToken,
}

enum Cause {
    Sync(String),
    Damage(String),
    Moved,
}

impl Broken {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: file(path), cause: OnceLock::new(), told: CancellationToken::new() }
    }

    /// An error came: is it one after which the file must be left alone?
    pub(super) fn heed(&self, error: &rusqlite::Error) {
        if let Some(cause) = judge(error) {
            self.set(cause);
        }
    }

    /// Looks whether the file is still the one that was opened.
    pub(super) fn look(&self, looked: &mut Instant) {
        if looked.elapsed() >= LOOK_EVERY {
            *looked = Instant::now();
            if file(&self.path) != self.file {
                self.set(Cause::Moved);
            }
        }
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
}
