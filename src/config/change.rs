//! Edits of configuration files, written only if the configuration that they make is good: all of them, or none.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::edit::EditError;
use super::source::{MAX_FILE_BYTES, plain};
use super::{Environment, Mistakes, Settings, file};

/// How long another command may take over its edit, and how often one looks.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// What is done to the text of a file.
pub type Edit<'a> = Box<dyn Fn(&str) -> Result<String, EditError> + 'a>;

/// Why nothing was changed, or not all of it.
#[derive(thiserror::Error, Debug)]
pub enum ChangeError {
    /// A file cannot be read or written: a sentence.
    #[error("{0}")]
    File(String),
    /// A text cannot be edited.
    #[error("{} was left as it is: {why}.", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// Why.
        why: EditError,
    },
    /// With the edits the configuration would be wrong.
    #[error("Nothing was changed: with it the configuration would be wrong.\n{0}")]
    Wrong(Mistakes),
}

/// A file that is held while it is edited.
struct Held {
    /// As the configuration names it.
    path: PathBuf,
    /// Where it really is: a link stays, and what it leads to is replaced.
    real: PathBuf,
    /// Locked against other commands like this one until it is dropped.
    file: File,
    text: String,
}

/// Edits files of the configuration at `main`, and gives what it then means. `write`: or else it is only tried.
///
/// # Errors
/// See [`ChangeError`]. Only a disk that fails between two files can leave one of them changed; the sentence says so.
pub fn apply(
    main: &Path,
    environment: &Environment,
    edits: &[(PathBuf, Edit<'_>)],
    write: bool,
) -> Result<Settings, ChangeError> {
    let mut held = Vec::new();
    for (path, edit) in edits {
        let before = Held::open(path)?;
        let after = edit(&before.text).map_err(|why| ChangeError::Edit { path: path.clone(), why })?;
        held.push((before, after));
    }
    let instead: HashMap<PathBuf, String> =
        held.iter().map(|(before, after)| (before.path.clone(), after.clone())).collect();
    let settings = file::load(main, environment, &instead).map_err(ChangeError::Wrong)?;
    if write {
        for (before, after) in &held {
            before.replace(after)?;
        }
    }
    Ok(settings)
}

impl Held {
    fn open(path: &Path) -> Result<Self, ChangeError> {
        let cannot = |e: &std::io::Error| sentence(path, "cannot be edited", e);
        let real = fs::canonicalize(path).map_err(|e| cannot(&e))?;
        let facts = fs::metadata(&real).map_err(|e| cannot(&e))?;
        if !facts.is_file() {
            return Err(ChangeError::File(format!("{} is no file and cannot be edited.", path.display())));
        }
        if facts.permissions().readonly() {
            let shown = path.display();
            return Err(ChangeError::File(format!("{shown} is read-only (its mode says so); nothing was changed.")));
        }
        loop {
            let mut file = OpenOptions::new().read(true).write(true).open(&real).map_err(|e| cannot(&e))?;
            lock(&file).map_err(|e| cannot(&e))?;
            // Another command may have put a new file in its place while this one waited.
            if same(&file, &real).map_err(|e| cannot(&e))? {
                let text = read(&mut file).map_err(|e| cannot(&e))?;
                return Ok(Self { path: path.to_owned(), real, file, text });
            }
        }
    }

    /// Writes a new file beside it and puts it in its place: whoever reads sees the old text or the new one.
    fn replace(&self, text: &str) -> Result<(), ChangeError> {
        self.try_replace(text).map_err(|e| sentence(&self.path, "cannot be written, and was left as it is", &e))
    }

    fn try_replace(&self, text: &str) -> std::io::Result<()> {
        let folder = self.real.parent().unwrap_or(Path::new("/"));
        let facts = self.file.metadata()?;
        let mut new = tempfile::Builder::new().prefix(".feedmill-").suffix(".toml").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        let made = new.as_file().metadata()?;
        if (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
            std::os::unix::fs::fchown(new.as_file(), Some(facts.uid()), Some(facts.gid()))?;
        }
        // After the owner: a change of owner may take mode bits away.
        new.as_file().set_permissions(facts.permissions())?;
        new.as_file().sync_all()?;
        // An editor takes no lock: what it saved in the meantime is not lost.
        if fs::read_to_string(&self.real)? != self.text {
            return Err(std::io::Error::other("it was changed by someone else in the meantime; try again"));
        }
        new.persist(&self.real).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }
}

/// Waits for other commands like this one, but not for ever.
fn lock(file: &File) -> std::io::Result<()> {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Err(std::io::Error::other("another command is editing it"))
}

fn same(file: &File, path: &Path) -> std::io::Result<bool> {
    let (open, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn sentence(path: &Path, what: &str, error: &std::io::Error) -> ChangeError {
    ChangeError::File(format!("{} {what}: {}.", path.display(), plain(error).trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::config::edit::{self, NewFeed};

    fn add(url: &'static str) -> Edit<'static> {
        Box::new(move |text| edit::add(text, &[NewFeed { url: url.to_owned(), ..NewFeed::default() }]))
    }

    fn try_add(path: &Path, url: &'static str, write: bool) -> Result<Settings, ChangeError> {
        apply(path, &Environment::default(), &[(path.to_owned(), add(url))], write)
    }

    #[test]
    fn a_link_and_the_mode_stay_and_no_file_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("feedmill.toml"));
        fs::write(&real, "# mine\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real.toml", &link).unwrap();
        let settings = try_add(&link, "https://a.example/f", true).unwrap();
        assert_eq!(settings.feeds.len(), 1);
        assert_eq!(fs::read_to_string(&real).unwrap(), "# mine\n\n[[feed]]\nurl = \"https://a.example/f\"\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_would_be_wrong_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feedmill.toml");
        let text = "[[feed]]\nurl = \"https://a.example/f\"\n";
        fs::write(&path, text).unwrap();
        let twice = try_add(&path, "https://a.example/f", true).unwrap_err();
        assert!(matches!(&twice, ChangeError::Wrong(_)), "{twice}");
        assert!(twice.to_string().contains("another feed with this URL"), "{twice}");
        try_add(&path, "https://b.example/f", false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let refused = try_add(&path, "https://b.example/f", true).unwrap_err();
        assert!(refused.to_string().contains("read-only"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(try_add(&folder.path().join("none.toml"), "https://b.example/f", true).is_err());
    }

    #[test]
    fn of_several_files_all_are_changed_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (main, more) = (folder.path().join("feedmill.toml"), folder.path().join("more.toml"));
        fs::write(&main, "include = [\"more.toml\"]\n").unwrap();
        fs::write(&more, "").unwrap();
        let both =
            |a, b| apply(&main, &Environment::default(), &[(main.clone(), add(a)), (more.clone(), add(b))], true);
        both("https://a.example/", "https://a.example/").unwrap_err();
        assert_eq!(fs::read_to_string(&more).unwrap(), "");
        assert_eq!(both("https://a.example/", "https://b.example/").unwrap().feeds.len(), 2);
    }

    #[test]
    fn commands_at_the_same_time_wait_for_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("feedmill.toml");
        fs::write(&path, "").unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let url = format!("https://a{n}.example/");
                    let edit: Edit<'_> =
                        Box::new(move |text| edit::add(text, &[NewFeed { url: url.clone(), ..NewFeed::default() }]));
                    apply(path, &Environment::default(), &[(path.clone(), edit)], true).unwrap();
                });
            }
        });
        assert_eq!(super::super::load(&path, &Environment::default()).unwrap().feeds.len(), 8);
    }
}
