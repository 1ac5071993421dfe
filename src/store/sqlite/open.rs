//! Opening a file, and refusing one that is not ours, damaged, newer or held: such a file is left as it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::StoreError;
use super::{restore, schema};

/// "FeMi" in the header says whose file it is.
pub(super) const APPLICATION_ID: i64 = 0x4665_4d69;

/// What is wanted of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Only looks; the file must be there. May stand beside a daemon.
    Look,
    /// Writes: takes the lock that a daemon takes, and makes the file if it is not there.
    Own,
}

/// How to open.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is wanted.
    pub access: Access,
    /// Whether every page is checked first; takes about a second a gigabyte.
    pub check: bool,
    /// Authority and date for the `tag:` URIs of a database that is made now (RFC 4151 2.1).
    pub tagging: String,
}

pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: Option<File>,
}

/// Before 3.51.3 a log that is begun anew beside a reader may lose commits (<https://sqlite.org/releaselog/3_51_3.html>).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Refuses a library that may damage the file, whatever this program was linked with.
fn library(version: i32, path: &Path) -> Result<(), StoreError> {
    if version >= OLDEST_SQLITE {
        return Ok(());
    }
    let words = |n: i32| format!("{}.{}.{}", n / 1_000_000, n / 1000 % 1000, n % 1000);
    let cause = format!(
        "this program was built with SQLite {}, which can lose what was committed; it takes {} or later",
        words(version),
        words(OLDEST_SQLITE)
    );
    Err(StoreError::Unusable { path: path.display().to_string(), cause })
}

pub(super) fn open(path: &Path, options: &Options) -> Result<Opened, StoreError> {
    library(rusqlite::version_number(), path)?;
    let shown = || path.display().to_string();
    let lock = match options.access {
        Access::Own => Some(lock(path)?),
        Access::Look => None,
    };
    match options.access {
        Access::Own => restore::finish(path)?,
        Access::Look if restore::is_unfinished(path) => {
            let cause = "a backup was being restored and the end of it is missing. Start the daemon, which does it";
            return Err(StoreError::Unusable { path: shown(), cause: cause.to_owned() });
        }
        Access::Look => {}
    }
    match std::fs::metadata(path) {
        Ok(_) => inspect(path, options.check)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if options.access == Access::Look {
                return Err(StoreError::Missing { path: shown() });
            }
            create(path)?;
        }
        Err(e) => return Err(StoreError::Unusable { path: shown(), cause: e.to_string() }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| refused(path, &e))?;
    set_up(&connection).map_err(|e| refused(path, &e))?;
    if options.access == Access::Own {
        schema::migrate(&mut connection, path, &options.tagging)?;
        schema::take_over(&connection).map_err(|e| refused(path, &e))?;
    }
    Ok(Opened { connection, lock })
}

/// Pages that a connection keeps, in KiB. The writer's: what a commit looks up stands all over the file.
pub(super) const CACHE_KIB: i64 = 16_384;
/// There are several readers, they begin each answer anew, and the system keeps the file's pages too.
pub(super) const READER_CACHE_KIB: i64 = 2_048;

/// What every connection gets.
pub(super) fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(128);
    // Else a plan that might be another one for another value is made anew for each: for each story of a page, or of a commit.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}

/// One daemon a database: the lock stands beside the file, for SQLite's own locks fall with any descriptor
/// of it that is closed. The system drops it when the process ends, however it ends.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let unusable = |e: &std::io::Error| StoreError::Unusable {
        path: path.display().to_string(),
        cause: format!("its folder cannot be written: {e}"),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let mut file = options.open(beside(path, ".lock")).map_err(|e| unusable(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            let holder = pid.trim().parse::<u32>().map(|pid| format!(" (process {pid})")).unwrap_or_default();
            return Err(StoreError::Held { path: path.display().to_string(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(unusable(&e)),
    }
    let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)).map(|_| ()));
    written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(|e| unusable(&e))?;
    Ok(file)
}

/// A new file that only its owner can read: feeds and webhooks may be private. It gets its name when it is a database: one
/// that is empty would be refused for good, for it may have been somebody's.
fn create(path: &Path) -> Result<(), StoreError> {
    let unusable = |e: std::io::Error| StoreError::Unusable { path: path.display().to_string(), cause: e.to_string() };
    let fresh = beside(path, ".new");
    // What a crash left of an earlier try; we hold the lock, so nobody is at it.
    for end in ["", "-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(&fresh, end)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unusable(e)),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(&fresh).map_err(unusable)?;
    let made = Connection::open(&fresh).and_then(|db| {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        // Here and not in place: what a crash leaves of the change would have to be undone by whoever only looks.
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.close().map_err(|(_, e)| e)
    });
    made.map_err(|e| refused(path, &e))?;
    std::fs::rename(&fresh, path).map_err(unusable)
}

fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Looks at a file that is there, without any chance to change it: with a read-only connection nothing is
/// checkpointed when it is closed.
fn inspect(path: &Path, check: bool) -> Result<(), StoreError> {
    header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| refused(path, &e))?;
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|e| refused(path, &e))
    };
    if pragma("application_id")? != APPLICATION_ID {
        let cause = "it is a database of another program".to_owned();
        return Err(StoreError::Foreign { path: path.display().to_string(), cause });
    }
    let found = pragma("user_version")?;
    if found > schema::NEWEST {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known: schema::NEWEST });
    }
    if check { verdict(&connection, path) } else { Ok(()) }
}

/// Looks at a whole file, every page of it.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    inspect(path, true)
}

fn verdict(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let verdict = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|e| refused(path, &e))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt { path: path.display().to_string(), cause: verdict });
    }
    Ok(())
}

/// The first 100 bytes (<https://sqlite.org/fileformat.html>, 1.3): is it a database, and is it whole?
pub(super) fn header(path: &Path) -> Result<(), StoreError> {
    let shown = path.display().to_string();
    let foreign = |cause: &str| StoreError::Foreign { path: shown.clone(), cause: cause.to_owned() };
    let unusable = |e: std::io::Error| StoreError::Unusable { path: shown.clone(), cause: e.to_string() };
    let mut file = File::open(path).map_err(unusable)?;
    let size = file.metadata().map_err(unusable)?.len();
    if size == 0 {
        return Err(foreign("it is empty"));
    }
    let mut bytes = [0_u8; 100];
    if file.read_exact(&mut bytes).is_err() || !bytes.starts_with(b"SQLite format 3\0") {
        return Err(foreign("it is no SQLite database"));
    }
    let field = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0; 4]);
        u64::from(u32::from_be_bytes(four))
    };
    let page = match u64::from(u16::from_be_bytes([bytes[16], bytes[17]])) {
        1 => 65_536,
        size => size,
    };
    // The page count holds only if both change counters agree. Beside a log it says nothing: a checkpoint that is under way,
    // or was cut short by a crash, writes this page before those at the end of the file, and the log has all of them.
    let logged = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let (pages, counted) = (field(28), field(24) == field(92) && !logged);
    if counted && pages.saturating_mul(page) > size {
        let cause = format!("it should have {pages} pages of {page} bytes and ends after {size} bytes");
        return Err(StoreError::Corrupt { path: shown, cause });
    }
    Ok(())
}

/// Says what an error means for the file.
pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path, cause: "it is no SQLite database".to_owned() },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { path, cause: error.to_string() },
        _ => StoreError::Unusable { path, cause: error.to_string() },
    }
}

pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sqlite_is_refused_and_ours_is_not() {
        let said = |version| library(version, Path::new("t.db")).map_err(|e| e.to_string());
        assert_eq!((said(rusqlite::version_number()), said(OLDEST_SQLITE)), (Ok(()), Ok(())));
        let old = said(3_046_001).unwrap_err();
        assert!(old.contains("SQLite 3.46.1") && old.contains("3.51.3") && old.contains("t.db"), "{old}");
    }
}
