//! Edits of configuration files, written only if the configuration that they make is good: all of them, or none.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, fchown};
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
    /// Locked against other commands like this one until it is dropped; none of a file that is not there and stays so.
    file: Option<File>,
    text: String,
    /// It was not there before, and goes again if nothing is written.
    made: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.made && fs::metadata(&self.real).is_ok_and(|facts| facts.len() == 0) {
            let _ = fs::remove_file(&self.real); // empty, so it says nothing
        }
    }
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
        let before = if path.exists() { Held::open(path)? } else { Held::new(path, main, write)? };
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
                return Ok(Self { path: path.to_owned(), real, file: Some(file), text, made: false });
            }
        }
    }

    /// A file that is not there yet: like the main one in owner and mode, for the daemon has to read it too.
    fn new(path: &Path, main: &Path, write: bool) -> Result<Self, ChangeError> {
        if !write {
            return Ok(Self {
                path: path.to_owned(),
                real: path.to_owned(),
                file: None,
                text: String::new(),
                made: false,
            });
        }
        let cannot = |e: &std::io::Error| sentence(path, "cannot be made", e);
        let like = fs::metadata(main).map_err(|e| cannot(&e))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        if let Some(folder) = folder {
            fs::create_dir(folder).map_err(|e| cannot(&e))?;
            // Whoever may read a file may look into its folder.
            let mode = like.mode() & 0o777;
            let mode = mode | (mode & 0o444) >> 2;
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).map_err(|e| cannot(&e))?;
            let made = fs::metadata(folder).map_err(|e| cannot(&e))?;
            own(&made, &like, |owner, group| chown(folder, Some(owner), Some(group))).map_err(|e| cannot(&e))?;
        }
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => {
                let made = file.metadata().map_err(|e| cannot(&e))?;
                own(&made, &like, |owner, group| fchown(&file, Some(owner), Some(group))).map_err(|e| cannot(&e))?;
                file.set_permissions(like.permissions()).map_err(|e| cannot(&e))?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {} // of another command like this one
            Err(e) => return Err(cannot(&e)),
        }
        let mut held = Self::open(path)?;
        held.made = true;
        Ok(held)
    }

    /// Writes a new file beside it and puts it in its place: whoever reads sees the old text or the new one.
    fn replace(&self, text: &str) -> Result<(), ChangeError> {
        self.try_replace(text).map_err(|e| sentence(&self.path, "cannot be written, and was left as it is", &e))
    }

    fn try_replace(&self, text: &str) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let folder = self.real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let facts = file.metadata()?;
        let mut new = tempfile::Builder::new().prefix(".feedmill-").suffix(".toml").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        own(&new.as_file().metadata()?, &facts, |owner, group| fchown(new.as_file(), Some(owner), Some(group)))?;
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

/// Gives what was made the owner of another file, if it is not its own: only root may give files away.
fn own(
    made: &fs::Metadata,
    like: &fs::Metadata,
    give: impl FnOnce(u32, u32) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if (made.uid(), made.gid()) == (like.uid(), like.gid()) { Ok(()) } else { give(like.uid(), like.gid()) }
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
    use std::os::unix::fs::symlink;

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
    fn a_file_that_is_not_there_is_made_like_the_main_one_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (main, more) = (folder.path().join("feedmill.toml"), folder.path().join("feeds.d/added.toml"));
        fs::write(&main, "include = [\"feeds.d/*.toml\"]\n").unwrap();
        fs::set_permissions(&main, fs::Permissions::from_mode(0o640)).unwrap();
        let add_to = |url, write| apply(&main, &Environment::default(), &[(more.clone(), add(url))], write);
        assert_eq!(add_to("https://a.example/", false).unwrap().feeds.len(), 1);
        assert!(!more.exists() && !more.parent().unwrap().exists(), "it was only tried");
        assert!(add_to("nonsense:", true).is_err() && !more.exists());
        assert_eq!(add_to("https://a.example/", true).unwrap().included.files.as_slice(), std::slice::from_ref(&more));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&more), mode(more.parent().unwrap())), (0o640, 0o750));
        assert_eq!(add_to("https://b.example/", true).unwrap().feeds.len(), 2);
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
