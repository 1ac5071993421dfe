//! What a delivery costs: how many a second are settled durably, beside a bare loop of reqwest; how long after a commit
//! the call begins; and what a hanging endpoint with a hundred thousand due does to another one.
//!
//! `cargo bench --bench deliver`; the database lies in `$DELIVER_DIR` (the working directory), which is to be a real disk.
//! `DELIVER_CALLS` (20,000) and `DELIVER_DUE` (100,000) are how many there are.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use feedmill::deliver::{Limits, Outbox, Target};
use feedmill::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, NextPoll};
use feedmill::domain::item::Entry;
use feedmill::domain::stream::Match;
use feedmill::domain::time::{Clock, SystemClock, Timestamp};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, PollCommit, PollResult, Registry, Route, Store, StreamSpec, Subscriptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const SECRET: &[u8] = b"bench-bench-bench-bench-bench-32";
const SAMPLES: usize = 500;
const LOAD: usize = 1000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct AllNew;

impl Judge for AllNew {
    fn decide(&self, _known: &Known, _candidate: &Candidate, _survey: &Survey) -> Decision {
        Decision::New
    }

    fn rematch(&self, _: &Candidate, _feeds: &[FeedId], _now: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A receiver that reads calls and says 200, or never says anything. It knows when the last one came.
struct Receiver {
    url: url::Url,
    calls: AtomicUsize,
    last: Mutex<Option<Instant>>,
    hangs: bool,
}

impl Receiver {
    /// On a thread of its own, as another program would be.
    fn start(hangs: bool) -> Outcome<Arc<Self>> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/hook", listener.local_addr()?).parse()?;
        let receiver = Arc::new(Self { url, calls: AtomicUsize::new(0), last: Mutex::default(), hangs });
        let shared = Arc::clone(&receiver);
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let tasks = TaskTracker::new();
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    tasks.spawn(Arc::clone(&shared).serve(stream));
                }
            });
        });
        Ok(receiver)
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let (head, length) = loop {
                if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(buffer.get(..at).unwrap_or_default()).to_ascii_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                    break (at + 4, length.unwrap_or(0_usize));
                }
                if buffer.is_empty() {
                    let first = stream.read_buf(&mut buffer).await;
                    // The first byte of a call.
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    if first.map_or(true, |read| read == 0) {
                        return;
                    }
                } else if stream.read_buf(&mut buffer).await.map_or(true, |read| read == 0) {
                    return;
                }
            };
            while buffer.len() < head + length {
                if stream.read_buf(&mut buffer).await.map_or(true, |read| read == 0) {
                    return;
                }
            }
            buffer.drain(..head + length);
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.hangs {
                std::future::pending::<()>().await;
            }
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
                return;
            }
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A database with a feed, and for each receiver a stream that calls it.
struct Bench {
    store: Arc<dyn Store>,
    registry: Registry,
    targets: Vec<Target>,
    wake: Arc<Notify>,
    stories: AtomicU64,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new(receivers: &[&Receiver], concurrency: usize) -> Outcome<Self> {
        let place = std::env::var("DELIVER_DIR").unwrap_or_else(|_| ".".to_owned());
        let dir = tempfile::TempDir::new_in(place)?;
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options)?);
        let names: Vec<String> = (0..receivers.len()).map(|n| format!("hook-{n}")).collect();
        let feed = FeedSpec {
            name: "a".into(),
            url: url::Url::parse("https://a.example/rss")?.into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions {
            feeds: vec![feed],
            streams: names.iter().map(|n| StreamSpec { name: n.clone(), definition: n.clone() }).collect(),
            webhooks: names.clone(),
        };
        let registry = store.apply_subscriptions(subscriptions, SystemClock.now()).await?;
        let mut targets = Vec::new();
        for ((receiver, id), name) in receivers.iter().zip(&registry.webhooks).zip(&names) {
            targets.push(Target {
                secrets: vec![SECRET.to_vec()],
                allow_networks: vec!["127.0.0.0/8".parse()?],
                retry: vec![Duration::from_secs(5); 9],
                concurrency,
                ..Target::to(*id, name, receiver.url.clone())
            });
        }
        Ok(Self { store, registry, targets, wake: Arc::default(), stories: AtomicU64::new(0), _dir: dir })
    }

    fn candidate(&self, n: u64, hook: usize) -> Option<Candidate> {
        let key = format!("https://news.example.org/world/2026/03/a-story-of-some-length-about-the-harbour-{n}");
        let entry = Entry {
            link: Some(key.clone()),
            title: Some(format!("A story of some length about the harbour, number {n}")),
            content: Some("The harbour was closed on Tuesday. ".repeat(20)),
            ..Entry::default()
        };
        let found = Match { stream: self.registry.streams.get(hook)?.0, term: None };
        Some(Candidate {
            entry,
            link: Some(key.clone()),
            key: key.clone(),
            scope: Scope::Global,
            entry_id: key,
            native_id: None,
            fingerprint: Fingerprint::default(),
            aliases: Vec::new(),
            by_guid: false,
            wordy: false,
            own: false,
            matches: vec![found],
        })
    }

    /// Commits so many stories that the stream of `hook` matches, and wakes the outbox.
    async fn publish(&self, count: usize, hook: usize) -> Outcome<()> {
        let now = SystemClock.now();
        let Some((feed, _)) = self.registry.feeds.first().copied() else { return Err("no feed".into()) };
        let leases = self.store.lease_due_feeds(vec![feed], now, now.plus(Duration::from_secs(60))).await?;
        let Some(lease) = leases.into_iter().next() else { return Err("the feed is leased".into()) };
        let first = self.stories.fetch_add(count as u64, Ordering::SeqCst);
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { title: Some("Feed A".to_owned()), ..FeedInfo::default() }),
            candidates: (first..first + count as u64).filter_map(|n| self.candidate(n, hook)).collect(),
            quiet: false,
            habits: None,
            validators: None,
            body_hash: first,
            redirect: None,
        };
        let poll =
            PollCommit { feed, token: lease.token, at: now, result, next: NextPoll::default(), alerts: Arc::default() };
        let mut routes = HashMap::new();
        for (stream, webhook) in self.registry.streams.iter().zip(&self.registry.webhooks) {
            routes.insert(Some(stream.0), vec![Route { webhook: *webhook, new: true, updated: false, private: false }]);
        }
        self.store.commit_poll(poll, Arc::new(AllNew), Arc::new(routes)).await?;
        self.wake.notify_one();
        Ok(())
    }

    fn start(&self) -> (CancellationToken, TaskTracker, Arc<Outbox>) {
        let (store, clock) = (Arc::clone(&self.store), Arc::new(SystemClock) as Arc<dyn Clock>);
        let limits = Limits { drain: Duration::ZERO, ..Limits::default() };
        let wake = Arc::clone(&self.wake);
        let outbox = Outbox::new(store, clock, wake, self.targets.clone(), limits, Arc::new(|_, _, _| {}));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&outbox).run(stop.clone(), tasks.clone()));
        (stop, tasks, outbox)
    }

    async fn due(&self, hook: usize) -> Outcome<u64> {
        let all = self.store.webhook_status().await?;
        Ok(all.get(hook).map_or(0, |hook| hook.due))
    }
}

async fn end((stop, tasks, _): (CancellationToken, TaskTracker, Arc<Outbox>)) {
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Calls a second that are received and settled, at this many at a time.
async fn throughput(calls: usize, concurrency: usize) -> Outcome<f64> {
    let receiver = Receiver::start(false)?;
    let bench = Bench::new(&[&receiver], concurrency).await?;
    for _ in 0..calls / LOAD {
        bench.publish(LOAD, 0).await?;
    }
    let begun = Instant::now();
    let running = bench.start();
    while receiver.calls() < calls / LOAD * LOAD || bench.due(0).await? > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rate = receiver.calls() as f64 / begun.elapsed().as_secs_f64();
    end(running).await;
    Ok(rate)
}

/// The same body, posted by reqwest alone: nothing signed, nothing stored.
async fn bare(calls: usize, concurrency: usize) -> Outcome<f64> {
    let receiver = Receiver::start(false)?;
    let client = reqwest::Client::new();
    let body = bytes::Bytes::from(vec![b'x'; 1800]);
    let left = Arc::new(AtomicUsize::new(calls));
    let tasks = TaskTracker::new();
    let begun = Instant::now();
    for _ in 0..concurrency {
        let (client, body, left, url) = (client.clone(), body.clone(), Arc::clone(&left), receiver.url.clone());
        tasks.spawn(async move {
            while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                let sent = client.post(url.clone()).body(body.clone()).send().await;
                drop(sent.map(|answer| answer.status()));
            }
        });
    }
    tasks.close();
    tasks.wait().await;
    Ok(calls as f64 / begun.elapsed().as_secs_f64())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let ms = |of_thousand: usize| {
        let at = times.get((times.len() * of_thousand / 1000).min(times.len().saturating_sub(1)));
        at.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    format!("p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms", ms(500), ms(990), ms(1000))
}

/// From the return of the commit to the first byte at the receiver, one call after the other.
async fn latency(bench: &Bench, receiver: &Receiver, hook: usize, pause: Duration) -> Outcome<Vec<Duration>> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        tokio::time::sleep(pause).await;
        let before = receiver.calls();
        bench.publish(1, hook).await?;
        let committed = Instant::now();
        while receiver.calls() == before {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let Some(first) = receiver.last() else { return Err("no call came".into()) };
        times.push(first.saturating_duration_since(committed));
    }
    Ok(times)
}

/// Resident memory, in megabytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

async fn run() -> Outcome<()> {
    let calls = number("DELIVER_CALLS", 20_000);
    for concurrency in [4, 16, 64] {
        let (ours, theirs) = (throughput(calls, concurrency).await?, bare(calls, concurrency).await?);
        println!("{concurrency:>3} at a time: {ours:.0} settled a second; bare reqwest {theirs:.0}");
    }
    let receiver = Receiver::start(false)?;
    let bench = Bench::new(&[&receiver], 4).await?;
    let running = bench.start();
    let idle = latency(&bench, &receiver, 0, Duration::from_millis(5)).await?;
    println!("commit to first byte, idle: {}", percentiles(idle));
    end(running).await;

    let due = number("DELIVER_DUE", 100_000);
    let (dead, alive) = (Receiver::start(true)?, Receiver::start(false)?);
    let bench = Bench::new(&[&dead, &alive], 4).await?;
    for _ in 0..due / LOAD {
        bench.publish(LOAD, 0).await?;
    }
    let before = resident();
    let running = bench.start();
    let beside = latency(&bench, &alive, 1, Duration::from_millis(20)).await?;
    println!("commit to first byte, beside an endpoint that hangs with {due} due: {}", percentiles(beside));
    println!("memory {before:.0} MB before, {:.0} MB after; {} calls hang", resident(), dead.calls());
    end(running).await;
    Ok(())
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run())
}
