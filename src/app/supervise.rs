//! Proof of work: what each part did last, for the watchdog, the metrics and the status line.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::House;
use super::index::Bell;
use crate::domain::feed::Health;
use crate::domain::name::ALL;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Verdict;
use crate::ops::health::{Part, Progress};
use crate::ops::metrics::{DeliveryResult, Metrics, PollCounts, PollOutcome};
use crate::ops::notify::{Notifier, watchdog_interval};
use crate::poll::{Observer, Outcome, PollReport};
use crate::store::StoreError;

/// How often each part has to prove that it moves, without a watchdog that wants to hear of it sooner.
const ROUND: Duration = Duration::from_secs(20);
/// Between two looks at the feeds: that one is not free.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How much longer a start may take that is still at its database, told anew four times in that time.
const OPENING: Duration = Duration::from_secs(60);
/// The longest that a probe of the own server may take.
const PROBE: Duration = Duration::from_secs(4);

/// Hears of polls, for metrics and watchdog.
pub(super) struct Watch {
    pub(super) metrics: Arc<Metrics>,
    pub(super) progress: Arc<Progress>,
    /// Poked when items were stored.
    pub(super) news: Arc<Notify>,
    /// Rung when anything was stored that the search index has to follow.
    pub(super) bell: Arc<Bell>,
    /// Set after each poll.
    pub(super) stirred: Arc<AtomicBool>,
    pub(super) also: Option<Arc<dyn Observer>>,
}

impl Observer for Watch {
    fn polled(&self, report: &PollReport) {
        let outcome = match report.outcome {
            Outcome::Loaded => PollOutcome::Loaded,
            Outcome::NotModified if report.body_bytes > 0 => PollOutcome::Unchanged,
            Outcome::NotModified => PollOutcome::NotModified,
            Outcome::Failed => PollOutcome::Failed,
            Outcome::Offline => PollOutcome::Offline,
            Outcome::Gone => PollOutcome::Gone,
            Outcome::Held => PollOutcome::Held,
        };
        let stored = &report.stored;
        let counts = PollCounts { new: stored.new, changed: stored.changed, sighted: stored.sighted };
        self.metrics.poll(outcome, counts, Duration::from_millis(report.duration_ms));
        self.metrics.fetched(report.body_bytes, report.behind_ms.map(Duration::from_millis));
        self.stirred.store(true, Ordering::Release);
        self.progress.polled(Instant::now());
        if stored.new > 0 {
            self.news.notify_one();
        }
        if stored.new + stored.changed > 0 {
            self.bell.ring();
        }
        if let Some(also) = &self.also {
            also.polled(report);
        }
    }

    fn ticked(&self, now: Timestamp, next_due: Option<Timestamp>) {
        self.progress.mark(Part::Scheduler, Instant::now());
        self.progress.due(next_due);
        if let Some(also) = &self.also {
            also.ticked(now, next_due);
        }
    }
}

pub(super) fn delivery_result(verdict: &Verdict) -> DeliveryResult {
    match verdict {
        Verdict::Succeeded => DeliveryResult::Succeeded,
        Verdict::Retry(_) => DeliveryResult::Retried,
        Verdict::Failed => DeliveryResult::Failed,
        Verdict::Disabled => DeliveryResult::Disabled,
        Verdict::PutBack => DeliveryResult::PutBack,
    }
}

/// Waits for the database to be opened, and has the service manager wait too: a check of every page or a migration
/// may take longer than a start otherwise may.
pub(super) async fn patiently<T>(notifier: &Notifier, opening: impl Future<Output = T>) -> T {
    tokio::pin!(opening);
    loop {
        tokio::select! {
            opened = &mut opening => return opened,
            () = tokio::time::sleep(OPENING / 4) => {
                notifier.extend_timeout(OPENING);
                notifier.status("opening the database: it is checked, and brought up to date");
            }
        }
    }
}

/// Until the stop: proves that the writer and the server move, says how the feeds are, and feeds the
/// watchdog if every part has moved.
pub(super) async fn keep_watch(house: Arc<House>) {
    // A third of the interval passes between two pings; a part that stood still for two of them is stuck.
    let limit = watchdog_interval().map_or(Duration::from_secs(60), |interval| interval.mul_f64(2.0 / 3.0));
    let progress = Arc::clone(&house.progress);
    let pinging = house.notifier.run(house.stop.clone(), move || {
        let stuck = progress.stuck(Instant::now(), limit);
        for part in &stuck {
            tracing::error!(%part, "a part of the daemon stands still");
        }
        stuck.is_empty()
    });
    let proving = async {
        let round = watchdog_interval().map_or(ROUND, |interval| ROUND.min(interval / 4));
        let (mut looked, mut filled): (Option<Instant>, Option<String>) = (None, None);
        while !house.stop.is_cancelled() {
            prove(&house).await;
            // Whoever follows `all` follows every feed, through us: publishers are told, once anybody does.
            let readers = house.readers.of(ALL, house.clock.now());
            house.poller.stages().fetcher().tell_readers(readers);
            // Where nothing was polled nothing is counted again: the daemon costs nothing while its feeds sleep.
            let filling = house.filling.words();
            let due = looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) && house.stirred.swap(false, Ordering::AcqRel);
            if due || filling != filled {
                look(&house, filling.as_deref()).await;
                looked = Some(Instant::now());
                filled = filling;
            }
            tokio::select! {
                () = house.stop.cancelled() => {}
                () = tokio::time::sleep(round) => {}
            }
        }
    };
    tokio::join!(pinging, proving);
}

/// Has each part do something small.
async fn prove(house: &House) {
    // The scheduler sleeps up to a minute when nothing is due; being asked wakes it.
    house.poller.nudge();
    if let Some(log) = &house.log {
        house.metrics.log_lost(log.lost());
    }
    // An empty write goes the whole way: queue, transaction, sync.
    // One that is refused moves too: a full disk, or one that another program holds, is no reason to start again.
    if !matches!(house.store.keep_bodies(Vec::new()).await, Err(StoreError::Closed)) {
        house.progress.mark(Part::Writer, Instant::now());
    }
    let address = house.probe_at.get().copied();
    let answered = async { probe(address?).await.ok() };
    if tokio::time::timeout(PROBE, answered).await.ok().flatten().is_some() {
        house.progress.mark(Part::Http, Instant::now());
    }
}

/// A request to the own server, the whole way through the network.
async fn probe(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).await?;
    if head.ends_with(b" 200") { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Where a listener can be reached from here: one on all addresses by the loopback.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// Takes over which feeds have become one, or are so no longer.
async fn unite(house: &House) {
    // A reload that is under way does the same.
    let Ok(_one) = house.reloading.try_lock() else { return };
    match house.store.merged_feeds().await {
        Ok(merged) => house.live.unite(merged),
        Err(e) => tracing::error!(error = %e, "the database does not answer"),
    }
}

/// How the feeds are, for metrics and the status line.
async fn look(house: &House, filling: Option<&str>) {
    match house.store.feed_health(house.clock.now()).await {
        Ok(counts) => {
            let all: u64 = counts.iter().map(|(_, count)| count).sum();
            let failing = [Health::Failing, Health::Broken, Health::Gone];
            let failing: u64 = counts.iter().filter(|(one, _)| failing.contains(one)).map(|(_, count)| count).sum();
            let hindrance = house.store.health().await.ok().and_then(|health| health.hindrance);
            let state = hindrance.map_or_else(|| "ready".to_owned(), |why| format!("nothing can be stored: {why}"));
            let filling = filling.map(|words| format!(", {words}")).unwrap_or_default();
            house.notifier.status(&format!("{state}: {all} feeds, {failing} failing{filling}"));
            house.metrics.feeds(counts);
            unite(house).await;
        }
        Err(e) => tracing::error!(error = %e, "the database does not answer"),
    }
}
