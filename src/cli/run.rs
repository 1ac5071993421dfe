//! `feedmill run`: the daemon.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::reach::Place;
use crate::app::{self, Daemon, Parts, StartError};
use crate::config::Settings;
use crate::config::settings::{Log, LogFormat};
use crate::domain::time::SystemClock;
use crate::ops::{logging, notify};

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    // Before any thread starts: it reads what systemd left in the environment.
    let listeners = notify::listeners().map_err(Failure::new)?;
    let settings = place.read()?;
    let log = start_log(&settings.log)?;
    let outcome = serve(place, settings, listeners, &log);
    log.flush();
    outcome
}

fn serve(
    place: &Place,
    settings: Settings,
    listeners: Vec<(String, TcpListener)>,
    log: &logging::Log,
) -> Result<(), Failure> {
    for warning in &settings.warnings {
        tracing::warn!(config.warning = %warning, "the configuration may not mean what it says");
    }
    let control_socket = app::control_sockets(Some(&settings.storage.database), &settings.path, &place.environment);
    app::runtime()?.block_on(async {
        // A SIGHUP that comes before the daemon is ready must not end it.
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = CancellationToken::new();
        let parts = Parts {
            clock: Arc::new(SystemClock),
            environment: place.environment.clone(),
            listeners,
            control_socket: control_socket.into_iter().find(|path| path.parent().is_some_and(std::path::Path::is_dir)),
            log: Some(log.clone()),
            observer: None,
            stop: stop.clone(),
        };
        let public_url = settings.server.public_url.clone();
        let daemon = Daemon::start(settings, parts).await?;
        for address in &daemon.addresses {
            tracing::info!(listen = %address, url = %public_url, version = app::VERSION, "ready");
        }
        let mut stopping = false;
        let handle = daemon.handle();
        let ending = daemon.run();
        tokio::pin!(ending);
        loop {
            tokio::select! {
                ended = &mut ending => return Ok(ended?),
                _ = hangup.recv() => handle.reload(),
                _ = terminate.recv() => end(&stop, &mut stopping, &handle),
                _ = interrupt.recv() => end(&stop, &mut stopping, &handle),
            }
        }
    })
}

/// The first signal ends what is in flight in order, the second one at once.
fn end(stop: &CancellationToken, stopping: &mut bool, handle: &app::Handle) {
    if *stopping {
        handle.hasten();
    }
    *stopping = true;
    stop.cancel();
}

fn start_log(log: &Log) -> Result<logging::Log, Failure> {
    let format = match log.format {
        LogFormat::Auto => logging::Format::Auto,
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
        LogFormat::Journald => logging::Format::Journald,
    };
    logging::init(&log.level, format).map_err(Failure::config)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}
