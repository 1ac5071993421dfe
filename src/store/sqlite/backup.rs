//! A copy of a database that may be in use: whole, as it was at one moment, checked, and only its owner's.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::open::{self, Access, Options};

/// Pages that are copied between two reports.
const STEP: std::ffi::c_int = 1_000;
/// Before a step is tried again that another one is in the way of.
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the database at `from` to `to`, which must not exist yet; `progress` is told pages done and pages in all. A
/// daemon may be at work on it: the copy is what it had committed when this began. Says how large the copy is, in
/// bytes.
///
/// # Errors
/// A sentence: what was copied is no sound database, or `to` cannot be written. Nothing is left at `to` then.
pub fn backup(from: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, StoreError> {
    let unusable = |path: &Path, cause: &dyn std::fmt::Display| StoreError::Unusable {
        path: path.display().to_string(),
        cause: cause.to_string(),
    };
    if to.symlink_metadata().is_ok() {
        return Err(unusable(to, &"there is a file of that name already. Give the copy another name"));
    }
    let source = open::open(from, &Options { access: Access::Look, check: false, tagging: String::new() })?.connection;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside its place, for its owner only, and gone if anything goes wrong.
    let part = tempfile::Builder::new().prefix(".feedmill-backup-").tempfile_in(folder);
    let part = part.map_err(|e| unusable(to, &e))?;
    copy(&source, part.path(), &mut progress).map_err(|e| unusable(to, &e))?;
    open::check(part.path())?;
    part.as_file().sync_all().map_err(|e| unusable(to, &e))?;
    let file = part.persist_noclobber(to).map_err(|e| unusable(to, &e.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| unusable(to, &e))?;
    Ok(file.metadata().map_err(|e| unusable(to, &e))?.len())
}

fn copy(source: &Connection, part: &Path, progress: &mut impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    // One transaction over all steps: without it every commit of the daemon would make the copy begin anew.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part, flags)?;
    {
        let backup = Backup::new(source, &mut copy)?;
        loop {
            let step = backup.step(STEP)?;
            let pages = backup.progress();
            let of = |pages: std::ffi::c_int| u64::try_from(pages).unwrap_or(0);
            progress(of(pages.pagecount - pages.remaining), of(pages.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
    // The copy comes in one file, also if it is opened from a medium that cannot be written.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.close().map_err(|(_, e)| e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_sound_private_and_takes_no_place_of_another() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::TempDir::new().unwrap();
        let (from, to) = (dir.path().join("a.db"), dir.path().join("b.db"));
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = super::super::Sqlite::open(&from, &options).unwrap();
        let mut last = (0, 0);
        let size = backup(&from, &to, |done, all| last = (done, all)).unwrap();
        assert_eq!(last.0, last.1);
        let meta = std::fs::metadata(&to).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (size, 0o600));
        assert!(open::check(&to).is_ok());
        let error = backup(&from, &to, |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("b.db") && error.contains("already"), "{error}");
        assert!(matches!(backup(&dir.path().join("none"), &to, |_, _| {}), Err(StoreError::Unusable { .. })));
        let nowhere = dir.path().join("no/folder/c.db");
        assert!(backup(&from, &nowhere, |_, _| {}).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5, "a.db, its log, index and lock, b.db");
        drop(store);
    }
}
