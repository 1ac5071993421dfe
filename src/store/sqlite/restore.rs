//! A backup put in the place of the database. What is there is kept aside, and at no moment does the log of one database lie
//! beside the file of another: SQLite would take it for that file's own.
//!
//! The copy gets the name `….restored` when it is whole, checked and on the disk: that decides it. What remains can be done
//! any number of times, and whoever owns the database next does it: `finish`.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};

use super::StoreError;
use super::open::{self, beside, refused};
use crate::domain::time::Timestamp;

/// Bytes that are copied between two reports.
const STEP: usize = 1 << 20;
/// The copy that is to be the database.
const DECIDED: &str = ".restored";
/// What is to become it.
const PART: &str = ".restoring";

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// The database's size in bytes.
    pub size_bytes: u64,
    /// Where what was there before is now.
    pub aside: Option<PathBuf>,
}

/// Puts a copy of the backup `from` in the place of the database at `to`; `progress` is told bytes done and bytes in all.
///
/// # Errors
/// A sentence: a daemon holds the database, another program has it open, or `from` is no sound backup of this program. The
/// database is as it was then.
pub fn restore(
    from: &Path,
    to: &Path,
    now: Timestamp,
    mut progress: impl FnMut(u64, u64),
) -> Result<Restored, StoreError> {
    let _lock = open::lock(to)?;
    let to = &real(to);
    finish(to)?;
    open::header(from)?;
    let unfit = |cause: &str| StoreError::Unusable { path: from.display().to_string(), cause: cause.to_owned() };
    if fs::metadata(beside(from, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(unfit(
            "beside it is its write-ahead log: it is a database in use, or was copied by hand. Take a copy that `feedmill backup` made",
        ));
    }
    let cannot = |e: &dyn std::fmt::Display| unusable(to, &format!("a copy cannot be put beside it: {e}"));
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner only, and gone if anything goes wrong. What a crash left of another try is in the way of nobody else.
    let name = beside(to, PART);
    for end in ["", "-journal", "-wal", "-shm"] {
        remove(&beside(&name, end)).map_err(|e| cannot(&e))?;
    }
    let name = name.file_name().unwrap_or_default().to_owned();
    let part = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(folder).map_err(|e| cannot(&e))?;
    let size_bytes = copy(from, part.as_file(), &mut progress).map_err(|e| cannot(&e))?;
    let checked = open::check(part.path()).and_then(|()| settle(part.path()));
    checked.map_err(|error| named(error, from))?;
    // Commands of root work on files of the service, which has to be able to read what they leave.
    let like = fs::metadata(to).or_else(|_| fs::metadata(folder)).map_err(|e| cannot(&e))?;
    give(part.as_file(), &like).and_then(|()| part.as_file().sync_all()).map_err(|e| cannot(&e))?;
    let held = alone(to)?;
    let aside = aside(to, now).map_err(|e| unusable(to, &format!("it cannot be kept aside: {e}")))?;
    let decided = part.persist(beside(to, DECIDED)).map_err(|e| cannot(&e.error));
    decided.and_then(|_| sync(folder).map_err(|e| cannot(&e)))?;
    finish(to)?;
    drop(held);
    Ok(Restored { size_bytes, aside })
}

/// Carries out what was decided, if anything was. Only the owner of the database's lock may.
pub(super) fn finish(to: &Path) -> Result<(), StoreError> {
    let to = &real(to);
    let decided = beside(to, DECIDED);
    if !decided.exists() {
        return Ok(());
    }
    let work = || {
        for end in ["-wal", "-shm", "-journal"] {
            remove(&beside(to, end))?;
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The log must be gone before the file changes, after a power cut too.
        sync(folder)?;
        fs::rename(&decided, to)?;
        sync(folder)
    };
    work().map_err(|e| unusable(to, &format!("a backup that was to be restored cannot be put in its place: {e}")))?;
    tracing::info!(db.path = %to.display(), "a restored backup is in its place");
    Ok(())
}

/// True if a backup was to be put in the place of the database, and was not.
pub(super) fn is_unfinished(to: &Path) -> bool {
    beside(&real(to), DECIDED).exists()
}

/// SQLite keeps a log beside what a link leads to.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn copy(from: &Path, mut to: &File, progress: &mut impl FnMut(u64, u64)) -> io::Result<u64> {
    let mut source = File::open(from)?;
    let all = source.metadata()?.len();
    let (mut buffer, mut done) = (vec![0; STEP], 0_u64);
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok(done);
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        done += u64::try_from(read).unwrap_or(0);
        progress(done, all.max(done));
    }
}

/// In the mode in which the daemon keeps it: in its place, a crash in the change would have to be undone by who only looks.
fn settle(part: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let changed = Connection::open_with_flags(part, flags).and_then(|db| {
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.close().map_err(|(_, e)| e)
    });
    changed.map_err(|e| refused(part, &e))
}

fn give(file: &File, like: &Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    let same = (made.uid(), made.gid()) == (like.uid(), like.gid());
    if same { Ok(()) } else { fchown(file, Some(like.uid()), Some(like.gid())) }
}

/// Everybody who has the file open in SQLite's log mode holds a lock on it, and would remove the log of the new one when it
/// closes the old. While this one is held nobody else comes.
fn alone(to: &Path) -> Result<Option<File>, StoreError> {
    let file = match File::options().read(true).write(true).open(to) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unusable(to, &e)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(unusable(to, &"another program has it open; end that one first")),
    }
}

/// Gives what is there a second name, the log before the file: nothing changes for who finds it under the first.
fn aside(to: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    if !to.exists() {
        return Ok(None);
    }
    let stamp: String = now.rfc3339().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let free = |n: u32| match n {
        0 => beside(to, &format!(".before-{stamp}")),
        n => beside(to, &format!(".before-{stamp}-{n}")),
    };
    let name = (0..).map(free).find(|name| !name.exists() && !beside(name, "-wal").exists()).unwrap_or_else(|| free(0));
    for end in ["-wal", ""] {
        let (from, to) = (beside(to, end), beside(&name, end));
        match fs::hard_link(&from, &to) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound && !end.is_empty() => {}
            // Where a file can have one name only.
            Err(_) => {
                fs::copy(&from, &to)?;
                File::open(&to)?.sync_all()?;
            }
        }
    }
    Ok(Some(name))
}

fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unusable { path: path.display().to_string(), cause: cause.to_string() }
}

/// The copy has a name that nobody knows: what is wrong is wrong with the backup.
fn named(error: StoreError, from: &Path) -> StoreError {
    let path = from.display().to_string();
    match error {
        StoreError::Foreign { cause, .. } => StoreError::Foreign { path, cause },
        StoreError::Corrupt { cause, .. } => StoreError::Corrupt { path, cause },
        StoreError::Newer { found, known, .. } => StoreError::Newer { path, found, known },
        StoreError::Unusable { cause, .. } => StoreError::Unusable { path, cause },
        other => other,
    }
}
