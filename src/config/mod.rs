//! The configuration: what was typed (`file.rs`, a table at a time) becomes what it means ([`settings`]), or a
//! list of mistakes, each with its place ([`error`]).
//!
//! Never opens a database, binds an address or asks a network: it reads files and the environment it is given, and
//! writes a file only where a command edits it ([`edit`], [`change`]).
//!
//! Invariant: all or nothing. [`load`] looks at everything, says all that is wrong at once, and gives settings
//! only if nothing is; a key whose feature is not there is refused by name, never ignored.

pub mod change;
pub mod edit;
pub mod error;
mod feed;
mod file;
mod headers;
mod identity;
pub mod include;
mod keys;
pub mod opml;
mod pieces;
mod reach;
mod secret;
mod section;
mod server;
pub mod settings;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod units;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::error::{Mistake, Mistakes, NotFound};
pub use self::feed::{split_auth, web_address};
pub use self::settings::Settings;

/// The shipped configuration: every key with its default and a comment.
pub const SHIPPED: &str = include_str!("../../config/feedmill.toml");

/// The shipped configuration without its feeds and its stream, which stand there as comments, and with a folder of included
/// files: nobody is asked who was not named, and commands leave this file alone.
#[must_use]
pub fn empty() -> String {
    let (mut out, mut inside) = (String::with_capacity(SHIPPED.len()), false);
    for line in SHIPPED.lines() {
        inside = line.starts_with("[[feed]]") || line.starts_with("[[stream]]") || inside && !line.is_empty();
        match line.strip_prefix("# include = ") {
            Some(files) => out.extend(["include = ", files]),
            None if inside => out.extend(["# ", line.strip_prefix("# ").unwrap_or(line)]),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Where secrets and state come from: the environment, as it was at start.
#[derive(Clone, Default)]
pub struct Environment {
    /// All variables. They hold secrets: nothing prints them.
    pub variables: BTreeMap<String, String>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}

impl Environment {
    /// That of this process. Variables that are no UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect() }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}

/// Reads and checks a configuration whole.
///
/// # Errors
/// Every mistake, each with its place.
pub fn load(path: &Path, environment: &Environment) -> Result<Settings, Mistakes> {
    file::load(path, environment, &file::Instead::new())
}

/// The feed whose name is most like `name`, if one is much like it.
#[must_use]
pub fn nearest_feed<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    keys::nearest(name, settings.feeds.iter().map(|feed| feed.name.as_str()))
}

/// Where the configuration is: `--config`, `$FEEDMILL_CONFIG`, `./feedmill.toml`, `./config/feedmill.toml`,
/// `/etc/feedmill/feedmill.toml`. One that is named is taken, whether it is there or not.
///
/// # Errors
/// None is there; the sentence says where it was looked for.
pub fn locate(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, NotFound> {
    if let Some(path) = named.map(Path::to_path_buf).or_else(|| environment.path("FEEDMILL_CONFIG")) {
        return Ok(path);
    }
    let places = ["feedmill.toml", "config/feedmill.toml", "/etc/feedmill/feedmill.toml"].map(PathBuf::from);
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| NotFound { looked_for: places.to_vec() })
}

/// Where the database of a configuration is, however wrong the rest of it may be: commands that talk to the
/// daemon need no more.
#[must_use]
pub fn database_of(path: &Path, environment: &Environment) -> Option<PathBuf> {
    let text = std::fs::read_to_string(path).ok()?;
    let (table, _) = toml::de::DeTable::parse_recoverable(&text);
    let storage = table.get_ref().get("storage").and_then(|storage| storage.get_ref().get("database"));
    let name = storage.and_then(|value| value.get_ref().as_str()).unwrap_or(server::DATABASE);
    Some(server::database(path, name, environment))
}
