//! How a command reaches what it asks: the running daemon over its control socket, else the database.

use std::cell::OnceCell;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Failure;
use super::client::Client;
use crate::app;
use crate::config::{self, Environment, Settings};
use crate::domain::time::{Clock as _, SystemClock, Timestamp};
use crate::publish::published::{Edition, Published};
use crate::store::sqlite::{Access, Options, Sqlite};
use crate::store::{Registry, Store};

/// Where systemd puts the credentials of the packaged service.
const CREDENTIALS: &str = "/run/credentials/feedmill.service";

/// Where the command was called: the configuration that was named, and the environment.
pub(super) struct Place {
    pub(super) config: Option<PathBuf>,
    pub(super) environment: Environment,
    settings: OnceCell<Settings>,
}

/// Whom a listing is read from.
pub(super) enum Source {
    /// The running daemon.
    Daemon(Client),
    /// The database itself.
    Database(At),
}

/// The database, and what the configuration says about what is in it.
pub(super) struct At {
    pub(super) store: Arc<dyn Store>,
    pub(super) published: Arc<Published>,
    pub(super) now: Timestamp,
}

impl At {
    pub(super) fn edition(&self) -> Edition {
        Edition { number: 1, published: Arc::clone(&self.published) }
    }
}

impl Place {
    pub(super) fn new(config: Option<PathBuf>, mut environment: Environment) -> Self {
        // Commands of root read the service's credentials where systemd put them, as long as it runs.
        let packaged = config::locate(config.as_deref(), &environment).is_ok_and(|at| at.starts_with("/etc/feedmill"));
        if packaged && Path::new(CREDENTIALS).is_dir() {
            let folder = environment.variables.entry("CREDENTIALS_DIRECTORY".to_owned());
            folder.or_insert_with(|| CREDENTIALS.to_owned());
        }
        Self { config, environment, settings: OnceCell::new() }
    }

    /// True if a configuration was named, and not only found.
    pub(super) fn is_named(&self) -> bool {
        let named = self.environment.variables.get("FEEDMILL_CONFIG");
        self.config.is_some() || named.is_some_and(|path| !path.is_empty())
    }

    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        config::locate(self.config.as_deref(), &self.environment).map_err(|e| Failure::config(e.to_string()))
    }

    /// The settings for who keeps them: they are read, and not kept here too.
    pub(super) fn read(&self) -> Result<Settings, Failure> {
        Ok(config::load(&self.path()?, &self.environment)?)
    }

    /// Reads the configuration; once a command.
    pub(super) fn settings(&self) -> Result<&Settings, Failure> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = self.read()?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Where the database is. A configuration that is broken by now must not keep anybody from a backup.
    pub(super) fn database(&self) -> Result<PathBuf, Failure> {
        match self.settings() {
            Ok(settings) => Ok(settings.storage.database.clone()),
            Err(wrong) => config::database_of(&self.path()?, &self.environment).ok_or(wrong),
        }
    }

    /// The daemon, if one runs. Its configuration may be broken by now: only where it is matters.
    pub(super) async fn daemon(&self) -> Result<Option<Client>, Failure> {
        let path = self.path()?;
        let database = match self.settings() {
            Ok(settings) => Some(settings.storage.database.clone()),
            Err(_) => config::database_of(&path, &self.environment),
        };
        for socket in app::control_sockets(database.as_deref(), &path, &self.environment) {
            if let Some(client) = Client::connect(&socket).await {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// Whom a listing is read from.
    pub(super) async fn source(&self) -> Result<Source, Failure> {
        if let Some(daemon) = self.daemon().await? {
            return Ok(Source::Daemon(daemon));
        }
        let settings = self.settings()?;
        let options = Options { access: Access::Look, check: false, tagging: String::new() };
        let store = Arc::new(Sqlite::open(&settings.storage.database, &options)?);
        let now = SystemClock.now();
        let mut published = app::published(settings, &Registry::default(), now);
        published.unite(store.merged_feeds().await?);
        Ok(Source::Database(At { store, published: Arc::new(published), now }))
    }

    /// Runs a future to its end.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        app::small_runtime()?.block_on(work)
    }
}
