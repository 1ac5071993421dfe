//! `include`: over which files a configuration is spread, and into which of them a command writes a new feed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::Environment;
use super::file::Instead;
use super::keys::Table;
use super::section::{Gathered, Section};
use super::settings::{Origin, Settings};
use super::source::{Source, plain};

/// Files that may be included.
const MAX_INCLUDED: usize = 1000;
/// Stands for `*` in the name of the file that commands write into.
const ADDED: &str = "added";

/// What `include` names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Included {
    /// As it was written, from the main file's folder.
    pub patterns: Vec<PathBuf>,
    /// The files that fit, in the order in which they are read, each once.
    pub files: Vec<PathBuf>,
}

/// Reads the files that `include` of the main file names; what cannot be read is a mistake at its place there.
pub(super) fn read(
    root: &Source,
    environment: &Environment,
    gathered: &Gathered,
    instead: &Instead,
) -> (Included, Vec<Source>) {
    let (mut included, mut sources) = (Included::default(), Vec::new());
    if !root.text.contains("include") {
        return (included, sources);
    }
    let (table, errors) = DeTable::parse_recoverable(&root.text);
    if !errors.is_empty() {
        return (included, sources); // said when the file itself is read
    }
    let silent = Gathered::default();
    let span = table.span();
    let section = Section::new(root, environment, &silent, Table::Top, table.get_ref(), &span);
    let mut seen = vec![real(&root.path)];
    for value in section.list("include", false).unwrap_or_default() {
        let Some(pattern) = value.text() else { continue };
        let wrong = |why: &str| gathered.add(root.mistake(value.at.clone(), format!("`include`: {why}"), None, &[]));
        let pattern = root.folder().join(pattern);
        let paths = matching(&pattern, instead).unwrap_or_else(|why| {
            wrong(&why);
            Vec::new()
        });
        for path in paths {
            if seen.contains(&real(&path)) {
                continue;
            }
            seen.push(real(&path));
            if seen.len() > MAX_INCLUDED + 1 {
                wrong(&format!("more than {MAX_INCLUDED} files fit."));
                return (included, sources);
            }
            match super::file::read(&path, instead) {
                Ok(source) => {
                    included.files.push(path);
                    sources.push(source);
                }
                // A file that is not there has no line of its own.
                Err(mistake) if mistake.line == 0 => wrong(&mistake.message),
                Err(mistake) => gathered.add(*mistake),
            }
        }
        included.patterns.push(pattern);
    }
    (included, sources)
}

/// Under two names a file is one.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The files that a pattern means, in order: `*` stands for any part of a file's name.
fn matching(pattern: &Path, instead: &Instead) -> Result<Vec<PathBuf>, String> {
    let name = pattern.file_name().and_then(|name| name.to_str()).ok_or("it names no file.")?;
    let folder = pattern.parent().unwrap_or(Path::new(""));
    if folder.to_str().is_some_and(|folder| folder.contains('*')) {
        return Err("`*` can stand in the file's name only.".to_owned());
    }
    if !name.contains('*') {
        if pattern.is_dir() {
            let shown = pattern.display();
            return Err(format!("{shown} is a folder; \"{shown}/*.toml\" means the files in it."));
        }
        return Ok(vec![pattern.to_owned()]);
    }
    let looked_in = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(looked_in) {
        Ok(entries) => entries.flatten().map(|entry| folder.join(entry.file_name())).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(), // a folder of files that is not there has none
        Err(e) => return Err(format!("the folder {} cannot be read: {}.", looked_in.display(), plain(&e))),
    };
    // Those too that are about to be written.
    paths.extend(instead.keys().filter(|path| path.parent() == Some(folder)).cloned());
    paths.retain(|path| fits(name, path));
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Editors and package managers leave files beside the real ones whose names begin with a dot.
fn fits(pattern: &str, path: &Path) -> bool {
    path.file_name().and_then(|file| file.to_str()).is_some_and(|file| !file.starts_with('.') && glob(pattern, file))
}

fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// The file that a new feed is written into. With feeds in the main file: that one. Else a file of the commands' own in the
/// first folder that `include` names (`feeds.d/*.toml`: `feeds.d/added.toml`), which need not be there yet; else the first
/// included file with feeds; else the main file.
#[must_use]
pub fn home(settings: &Settings) -> PathBuf {
    let files: Vec<&Path> = settings
        .feeds
        .iter()
        .filter_map(|feed| match &feed.terms.origin {
            Origin::Table(file) => Some(&**file),
            Origin::List(_) => None,
        })
        .collect();
    if files.contains(&settings.path.as_path()) {
        return settings.path.clone();
    }
    let own = settings.included.patterns.iter().find_map(|pattern| {
        let name = pattern.file_name()?.to_str()?;
        name.contains('*').then(|| pattern.with_file_name(name.replace('*', ADDED)))
    });
    own.or_else(|| files.first().map(|file| file.to_path_buf())).unwrap_or_else(|| settings.path.clone())
}

/// A file that somebody names, as the configuration knows it: one that it is read from, or one that is not there and would be.
///
/// # Errors
/// A sentence: the configuration does not include it.
pub fn named(settings: &Settings, file: &Path) -> Result<PathBuf, String> {
    let known = std::iter::once(&settings.path).chain(&settings.included.files);
    let wanted = real(file);
    if let Some(path) = known.into_iter().find(|path| real(path) == wanted) {
        return Ok(path.clone());
    }
    let folder = |path: &Path| real(&Path::new(".").join(path.parent().unwrap_or(Path::new(""))));
    let new = settings.included.patterns.iter().find_map(|pattern| {
        let same = folder(pattern) == folder(file) && fits(pattern.file_name()?.to_str()?, file);
        same.then(|| pattern.with_file_name(file.file_name().unwrap_or_default()))
    });
    new.filter(|path| !path.exists()).ok_or_else(|| {
        let (file, main) = (file.display(), settings.path.display());
        format!("{file} is no file of this configuration: `include` in {main} does not name it. Nothing was changed.")
    })
}
