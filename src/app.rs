//! The house put together: what runs, in which order it starts and stops, and how a reload swaps it.
//!
//! Holds no rule of the domain and renders nothing: it hands each room what it works with, and supervises.
//!
//! Invariant: the configuration was read and checked whole before anything is opened or bound, and a reload
//! swaps all of it or nothing. Clock, listeners, stop signal and observers are arguments.

mod control;
mod doors;
mod fill;
mod index;
mod keep;
mod once;
mod polls;
mod rekey;
mod resolve;
mod sample;
mod supervise;
mod translate;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::doors::control_sockets;
use crate::config::settings::FeedSettings;
use crate::config::{Environment, Settings};
use crate::deliver::{self, Outbox};
use crate::domain::feed::{ByFeed, FeedId, FeedState, NextPoll};
use crate::domain::time::{Clock, Timestamp};
use crate::domain::webhook::{Attempt, Settled, Verdict};
use crate::fetch::client::Fetcher;
use crate::fetch::guard::Guard;
use crate::ops::health::Progress;
use crate::ops::logging::Log;
use crate::ops::metrics::Metrics;
use crate::ops::notify::Notifier;
use crate::poll::{self, Observer, Plan, Poller, Stages};
use crate::publish::published::Live;
use crate::publish::serve;
use crate::store::sqlite::{Access, Options, Sqlite};
use crate::store::{Registry, Store, StoreError};

pub use self::once::{Deaf, poll_once, poll_shape, published, target};

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long a stop waits for answers, deliveries and polls in flight before it gives them back.
const DRAIN: Duration = Duration::from_secs(20);
/// Feeds whose states are read at a time.
const STATES_AT_A_TIME: u32 = 1000;

/// Why the daemon cannot start.
#[derive(thiserror::Error, Debug)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {cause}. Choose another address in [server] listen, or stop what uses it.")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// Something that the system refuses.
    #[error("{0}")]
    System(String),
    /// It was to stop before it had started.
    #[error("stopped")]
    Stopped,
}

/// What the daemon is given besides its settings.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The environment as it was at start; a reload reads secrets from it.
    pub environment: Environment,
    /// Sockets that systemd handed over, with their names; in their absence it binds what is configured.
    pub listeners: Vec<(String, StdListener)>,
    /// Where the control socket goes; `None`: there is none.
    pub control_socket: Option<PathBuf>,
    /// The process's log, if it has one: a reload sets its level.
    pub log: Option<Log>,
    /// Hears of each poll, besides metrics and the log.
    pub observer: Option<Arc<dyn Observer>>,
    /// Set to end it.
    pub stop: CancellationToken,
}

/// A running daemon.
pub struct Daemon {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    house: Arc<House>,
}

/// The configuration that is in force.
#[derive(Clone)]
struct Configured {
    settings: Arc<Settings>,
    /// The row of each feed, in the order of the settings.
    rows: Arc<[FeedId]>,
}

impl Configured {
    fn new(settings: Settings, registry: &Registry) -> Self {
        Self { settings: Arc::new(settings), rows: registry.feeds.iter().map(|(row, _)| *row).collect() }
    }

    /// The feeds with their rows.
    fn feeds(&self) -> impl Iterator<Item = (&FeedSettings, FeedId)> {
        self.settings.feeds.iter().zip(self.rows.iter().copied())
    }
}

/// What lives as long as the daemon does.
struct House {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    environment: Environment,
    poller: Arc<Poller>,
    outbox: Arc<Outbox>,
    live: Live,
    configured: Mutex<Configured>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    /// Ends the run that makes keys anew.
    rekeying: Mutex<CancellationToken>,
    /// A signal asked for one that has not begun.
    reload_wanted: AtomicBool,
    /// Cancelled by a second signal.
    hurry: CancellationToken,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
    /// Who follows what is published.
    readers: Arc<serve::readers::Readers>,
    /// Set when the feeds may be in other states than they were when that was last counted.
    stirred: Arc<AtomicBool>,
    /// Rung when something was stored.
    bell: Arc<index::Bell>,
    notifier: Arc<Notifier>,
    log: Option<Log>,
    resolving: resolve::Seat,
    filling: fill::Filling,
    /// Where the daemon finds its own /healthz.
    probe_at: OnceLock<SocketAddr>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A runtime for the daemon.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // Two at the least: a server that floods us can keep one busy, and deadlines are for the other to see.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

/// A runtime for one command: what it waits for is elsewhere, and one thread that never wakes another one costs
/// the least.
///
/// # Errors
/// The system gives no threads.
pub fn small_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Opens the store as the daemon does.
///
/// # Errors
/// See [`Sqlite::open`].
pub fn open_store(settings: &Settings, check: bool, now: Timestamp) -> Result<Sqlite, StoreError> {
    own_store(&settings.storage.database, check, translate::tagging(settings, now))
}

fn own_store(file: &Path, check: bool, tagging: String) -> Result<Sqlite, StoreError> {
    Sqlite::open(file, &Options { access: Access::Own, check, tagging })
}

/// Logs what a configuration may not mean though it says it.
pub fn tell_doubts(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(config.warning = %warning, "the configuration may not mean what it says");
    }
}

/// A fetcher as the settings want it.
///
/// # Errors
/// A sentence, if the contact cannot be sent.
pub fn fetcher(settings: &Settings) -> Result<Fetcher, String> {
    let poll = &settings.poll;
    Fetcher::new(&Guard::new(poll.allow_networks.clone()), poll.contact.as_deref(), poll.memory_bytes)
        .map(|fetcher| fetcher.through(Arc::clone(&poll.reach)))
}

impl Daemon {
    /// Starts everything; when it returns, requests are answered and polls go out.
    ///
    /// # Errors
    /// A sentence: the database is refused, an address is taken.
    pub async fn start(settings: Settings, parts: Parts) -> Result<Self, StartError> {
        let now = parts.clock.now();
        let (file, tagging) = (settings.storage.database.clone(), translate::tagging(&settings, now));
        let notifier = Arc::new(Notifier::new());
        // Checking every page may take a while; the runtime must not stand still for it.
        let opening = tokio::task::spawn_blocking(move || own_store(&file, true, tagging));
        let opened = tokio::select! {
            opened = supervise::patiently(&notifier, opening) => opened,
            // What is half done there is undone or finished by the next start, as after a crash.
            () = parts.stop.cancelled() => return Err(StartError::Stopped),
        };
        let store: Arc<dyn Store> = Arc::new(opened.map_err(|e| StartError::System(e.to_string()))??);
        let doors = doors::bind(&settings, parts.listeners)?;
        let registry = store.apply_subscriptions(translate::subscriptions(&settings), now).await?;

        let owed = Arc::new(Notify::new());
        let metrics = Arc::new(Metrics::new(VERSION));
        let progress = Arc::new(Progress::new(Instant::now()));
        let fetcher = fetcher(&settings).map_err(StartError::System)?;
        let stages = Stages::new(Arc::clone(&store), Arc::clone(&parts.clock), fetcher, Arc::clone(&owed))
            .remembering(&settings.storage.database.with_added_extension("reading"));
        let resolving = resolve::Seat::default();
        let stirred = Arc::new(AtomicBool::new(true));
        let bell = Arc::new(index::Bell::default());
        let watch = supervise::Watch {
            metrics: Arc::clone(&metrics),
            progress: Arc::clone(&progress),
            news: Arc::clone(&resolving.news),
            bell: Arc::clone(&bell),
            stirred: Arc::clone(&stirred),
            also: parts.observer,
        };
        let targets = translate::targets(&settings, &registry);
        let mut published = translate::published(&settings, &registry, now);
        published.unite(store.merged_feeds().await?);
        let house = Arc::new(House {
            poller: Poller::new(stages, Arc::new(watch)),
            outbox: Outbox::new(
                Arc::clone(&store),
                Arc::clone(&parts.clock),
                owed,
                targets,
                deliver::Limits { drain: DRAIN, ..deliver::Limits::default() },
                count_attempts(&metrics),
            ),
            live: Live::new(published),
            store,
            clock: parts.clock,
            environment: parts.environment,
            configured: Mutex::new(Configured::new(settings, &registry)),
            reloading: tokio::sync::Mutex::default(),
            rekeying: Mutex::default(),
            reload_wanted: AtomicBool::new(false),
            hurry: CancellationToken::new(),
            metrics,
            progress,
            readers: Arc::default(),
            stirred,
            bell,
            notifier,
            log: parts.log,
            resolving,
            filling: fill::Filling::default(),
            probe_at: OnceLock::new(),
            tasks: TaskTracker::new(),
            stop: parts.stop,
        });
        house.put_plan(&registry).await?;
        house.begin().map_err(|e| StartError::System(format!("the thread that polls cannot be started: {e}")))?;
        let addresses = house.open(doors, parts.control_socket)?;
        house.notifier.ready();
        Ok(Self { addresses, house })
    }

    /// The store, for whoever looks at it from inside the process.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.house.store)
    }

    /// A handle for signals.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.house))
    }

    /// Waits for the stop signal, then for what is in flight, and closes the store.
    ///
    /// # Errors
    /// The store cannot be closed.
    pub async fn run(self) -> Result<(), StoreError> {
        tokio::select! {
            () = self.house.stop.cancelled() => {}
            Err(error) = self.house.store.broken() => return self.give_up(error).await,
        }
        tracing::info!("stopping");
        self.house.notifier.stopping();
        self.house.notifier.extend_timeout(DRAIN + Duration::from_secs(10));
        self.house.tasks.close();
        let drained = tokio::select! {
            ended = tokio::time::timeout(DRAIN + Duration::from_secs(5), self.house.tasks.wait()) => ended.is_ok(),
            () = self.house.hurry.cancelled() => false,
        };
        if !drained {
            tracing::warn!(
                "some requests did not end in time; what they were about is asked again after the next start"
            );
        }
        self.house.store.close().await?;
        tracing::info!("stopped");
        Ok(())
    }

    /// The store must not be used any more: nothing that is in flight can be finished.
    async fn give_up(self, error: StoreError) -> Result<(), StoreError> {
        tracing::error!("the daemon ends: {error}");
        self.house.notifier.status("the database broke: see the journal");
        self.house.notifier.stopping();
        self.house.stop.cancel();
        let _ = self.house.store.close().await;
        Err(error)
    }
}

/// What signals ask of a running daemon.
pub struct Handle(Arc<House>);

impl Handle {
    /// Has the configuration read again; the verdict is logged. Requests that come while one is being carried
    /// out become one.
    pub fn reload(&self) {
        if self.0.reload_wanted.swap(true, Ordering::AcqRel) {
            return;
        }
        let house = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            let _one = house.reloading.lock().await;
            house.reload_wanted.store(false, Ordering::Release);
            let _ = house.reload_locked().await;
        });
    }

    /// Ends what is in flight at once and gives it back.
    pub fn hasten(&self) {
        self.0.outbox.hasten();
        self.0.hurry.cancel();
    }
}

impl House {
    fn configured(&self) -> Configured {
        self.configured.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn settings(&self) -> Arc<Settings> {
        self.configured().settings
    }

    /// Gives the poller its plan, and streams that need it their fill; the names of these.
    async fn put_plan(self: &Arc<Self>, registry: &Registry) -> Result<Vec<String>, StoreError> {
        let settings = self.settings();
        self.resolving.end();
        let mut rekey = rekey::Rekey::new(&settings, registry);
        rekey.recent(self.store.as_ref(), self.clock.as_ref()).await?;
        let (named, rows) = (Arc::clone(&settings), registry.clone());
        // A hundred thousand queries take some tens of milliseconds: not on a thread that serves.
        let common = sample::common(self.store.as_ref(), &settings, &self.live.get().published).await?;
        let plan = tokio::task::spawn_blocking(move || translate::plan(&named, &rows, &common)).await;
        let plan = plan.map_err(|e| StoreError::Failed(format!("compiling the queries was cut short: {e}")))?;
        self.metrics.queries_everywhere(plan.index.everywhere());
        poll::tell_unions(&plan, &registry.unions);
        let moved = self.reckon(&plan).await?;
        let due = |(id, stored)| moved.get(&id).copied().unwrap_or(stored);
        let scheduled = translate::scheduled(&settings, registry, due);
        let plan_before = self.poller.replace(plan, scheduled);
        self.stirred.store(true, Ordering::Release);
        // A run under other rules ends: two would undo one another's work.
        let stop = self.stop.child_token();
        let before = std::mem::replace(
            &mut *self.rekeying.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
            stop.clone(),
        );
        before.cancel();
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        self.tasks.spawn(async move { rekey.rest(store.as_ref(), clock.as_ref(), &stop).await });
        let wanted = fill::wanted(&settings, registry, &self.live.get().published);
        let filled = wanted.as_ref().map(fill::Wanted::names).unwrap_or_default();
        let hands = (Arc::clone(&self.store), Arc::clone(&self.clock));
        self.filling.begin(wanted, plan_before, hands, &self.stop, &self.tasks);
        resolve::begin(self);
        Ok(filled)
    }

    /// Due times under a plan, where they or their reasons are not as they are stored; they are stored so, for what is
    /// shown is what is done. Most starts change nothing. A part of the feeds at a time: all that is remembered of a
    /// hundred thousand would take a hundred megabytes.
    async fn reckon(&self, plan: &Plan) -> Result<ByFeed<Option<Timestamp>>, StoreError> {
        let now = self.clock.now();
        let (mut moved, mut after) = (ByFeed::default(), None);
        loop {
            let states = self.store.feed_states(after, STATES_AT_A_TIME).await?;
            let Some((last, _)) = states.last() else { return Ok(moved) };
            after = Some(*last);
            let anew = |(feed, state): &(FeedId, FeedState)| {
                let next = translate::due_anew(plan.feeds.get(feed)?, state, now)?;
                let same = (state.due_at, state.due_reason.as_str()) == (next.due_at, next.reason.as_str());
                (!same).then_some((*feed, next))
            };
            let changed: Vec<(FeedId, NextPoll)> = states.iter().filter_map(anew).collect();
            if !changed.is_empty() {
                moved.extend(changed.iter().map(|(feed, next)| (*feed, next.due_at)));
                self.store.keep_due(changed, now).await?;
            }
        }
    }

    /// Starts the loops.
    fn begin(self: &Arc<Self>) -> std::io::Result<()> {
        let (stop, tasks) = (self.stop.clone(), self.tasks.clone());
        polls::begin(Arc::clone(&self.poller), stop.clone(), &tasks)?;
        tasks.spawn(Arc::clone(&self.outbox).run(stop.clone(), tasks.clone()));
        tasks.spawn(supervise::keep_watch(Arc::clone(self)));
        tasks.spawn(keep::run(Arc::clone(self)));
        tasks.spawn(index::run(Arc::clone(self)));
        Ok(())
    }
}

fn count_attempts(metrics: &Arc<Metrics>) -> deliver::outbox::OnAttempt {
    let metrics = Arc::clone(metrics);
    Arc::new(move |_, attempt: &Attempt, settled: &Settled| {
        metrics.attempt(supervise::delivery_result(&settled.verdict), Duration::from_millis(attempt.duration_ms));
        if settled.verdict == Verdict::Succeeded {
            metrics.delivered(settled.after);
        }
    })
}
