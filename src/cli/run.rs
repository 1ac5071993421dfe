//! `feedmill run`: the daemon.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::reach::Place;
use crate::app::{self, Daemon, Parts, StartError};
use crate::config::Settings;
use crate::config::settings::{Log, LogFormat};
use crate::domain::time::SystemClock;
use crate::ops::{logging, notify};

/// How long work that nobody waits for any more may hold up the end of the process.
const LINGER: Duration = Duration::from_millis(100);

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    // Before any thread starts: it reads what systemd left in the environment.
    let listeners = notify::listeners().map_err(Failure::new)?;
    let runtime = app::runtime()?;
    // Before anything that takes time: a signal must not end what has only begun, nor be lost.
    let signals = runtime.block_on(async { Signals::heed() })?;
    let settings = place.read()?;
    let log = start_log(&settings.log)?;
    let outcome = runtime.block_on(serve(place, settings, listeners, &log, signals));
    log.flush();
    // A migration that is not waited for, or a document that is never read to its end, cannot be told to stop.
    runtime.shutdown_timeout(LINGER);
    outcome
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn heed() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// A signal to stop.
    async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

async fn serve(
    place: &Place,
    settings: Settings,
    listeners: Vec<(String, TcpListener)>,
    log: &logging::Log,
    signals: Signals,
) -> Result<(), Failure> {
    app::tell_doubts(&settings.warnings);
    let control_socket = app::control_sockets(Some(&settings.storage.database), &settings.path, &place.environment);
    let Signals { mut hangup, mut terminate, mut interrupt } = signals;
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
    let starting = Daemon::start(settings, parts);
    tokio::pin!(starting);
    let daemon = loop {
        tokio::select! {
            started = &mut starting => match started {
                Err(StartError::Stopped) => return Ok(()),
                started => break started?,
            },
            () = Signals::stop(&mut terminate, &mut interrupt) => stop.cancel(),
        }
    };
    for address in &daemon.addresses {
        tracing::info!(listen = %address, url = %public_url, version = app::VERSION, "ready");
    }
    let handle = daemon.handle();
    let ending = daemon.run();
    tokio::pin!(ending);
    loop {
        tokio::select! {
            ended = &mut ending => return Ok(ended?),
            _ = hangup.recv() => handle.reload(),
            () = Signals::stop(&mut terminate, &mut interrupt) => end(&stop, &handle),
        }
    }
}

/// The first signal ends what is in flight in order, the second one at once.
fn end(stop: &CancellationToken, handle: &app::Handle) {
    if stop.is_cancelled() {
        handle.hasten();
    }
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
