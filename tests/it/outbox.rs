//! The outbox over a real database and a real receiver: each call that is owed arrives, whatever happens between.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feedmill::deliver::{Limits, Outbox, Target};
use feedmill::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, NextPoll};
use feedmill::domain::item::Entry;
use feedmill::domain::stream::{Match, TermHit};
use feedmill::domain::time::{Clock, SystemClock, Timestamp};
use feedmill::domain::webhook::{DeliveryState, DeliveryStatus, Settled, Verdict, WebhookState};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, PollCommit, PollResult, Registry, Route, Store, StreamSpec, Subscriptions, Want};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::support::faulty::Faulty;
use crate::support::receiver::{Answer, Call, Receiver};

const SECRET: &[u8] = b"a secret of twenty-four b";
const PATIENCE: Duration = Duration::from_secs(30);

struct AllNew;

impl Judge for AllNew {
    fn decide(&self, _known: &Known, _candidate: &Candidate, _: &Survey) -> Decision {
        Decision::New
    }
    fn rematch(&self, _: &Candidate, _feeds: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

/// The wall clock, moved on by a test.
#[derive(Default)]
pub(crate) struct Shifted(AtomicI64);

impl Shifted {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        let ms = u64::try_from(self.0.load(Ordering::SeqCst)).unwrap();
        SystemClock.now().plus(Duration::from_millis(ms))
    }
}

/// A database with one feed, and for each receiver a stream that calls it.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) targets: Vec<Target>,
    pub(crate) clock: Arc<Shifted>,
    wake: Arc<Notify>,
    verdicts: Arc<Mutex<Vec<(String, Verdict)>>>,
    stories: Mutex<u32>,
    _dir: TempDir,
}

/// An outbox at work.
pub(crate) struct Running {
    pub(crate) outbox: Arc<Outbox>,
    stop: CancellationToken,
    tasks: TaskTracker,
    run: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.run.await.unwrap();
        self.tasks.close();
        self.tasks.wait().await;
        assert_eq!(self.outbox.in_flight(), 0);
    }
}

impl Bench {
    pub(crate) async fn new(receivers: &[&Receiver]) -> Self {
        let dir = TempDir::new().unwrap();
        let options = Options { access: Access::Own, check: true, tagging: "example.org,2026-01-01".to_owned() };
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap());
        let names: Vec<String> = (0..receivers.len()).map(|n| format!("hook-{n}")).collect();
        let spec = FeedSpec {
            name: "a".into(),
            url: Url::parse("https://a.example/rss").unwrap().into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions {
            feeds: vec![spec],
            streams: names.iter().map(|n| StreamSpec { name: n.clone(), definition: n.clone() }).collect(),
            webhooks: names.clone(),
        };
        let registry = store.apply_subscriptions(subscriptions, SystemClock.now()).await.unwrap();
        let targets = receivers.iter().zip(&names).zip(&registry.webhooks);
        let targets = targets.map(|((receiver, name), id)| Target {
            secrets: vec![SECRET.to_vec()],
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            retry: vec![Duration::from_millis(20); 3],
            concurrency: 2,
            ..Target::to(*id, name, receiver.url("/"))
        });
        let targets = targets.collect();
        let (wake, verdicts) = (Arc::new(Notify::new()), Arc::default());
        Self { store, registry, targets, clock: Arc::default(), wake, verdicts, stories: Mutex::new(0), _dir: dir }
    }

    /// Commits `count` stories that each stream of `hooks` matches, and wakes the outbox as the app does.
    pub(crate) async fn publish(&self, count: u32, hooks: &[usize]) {
        let now = self.clock.now();
        let feed = self.registry.feeds[0].0;
        let lease = self.store.lease_due_feeds(vec![feed], now, now.plus(PATIENCE)).await.unwrap().remove(0);
        let first = {
            let mut stories = self.stories.lock().unwrap();
            *stories += count;
            *stories - count
        };
        let candidates = (first..first + count).map(|n| self.candidate(n, hooks)).collect();
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { title: Some("Feed A".to_owned()), ..FeedInfo::default() }),
            candidates,
            quiet: false,
            habits: None,
            validators: None,
            body_hash: u64::from(first),
            redirect: None,
        };
        let poll =
            PollCommit { feed, token: lease.token, at: now, result, next: NextPoll::default(), alerts: Arc::default() };
        let route = |n: usize| Route { webhook: self.registry.webhooks[n], new: true, updated: false, private: false };
        let routes: HashMap<_, _> =
            (0..self.targets.len()).map(|n| (Some(self.registry.streams[n].0), vec![route(n)])).collect();
        let report = self.store.commit_poll(poll, Arc::new(AllNew), Arc::new(routes)).await.unwrap();
        assert_eq!(report.deliveries as usize, count as usize * hooks.len());
        self.wake.notify_one();
    }

    fn candidate(&self, n: u32, hooks: &[usize]) -> Candidate {
        let key = format!("https://x.example/{n}");
        let term = TermHit {
            field: "title".into(),
            term: "story".to_owned(),
            text: "Story".to_owned(),
            snippet: format!("Story {n}"),
            highlights: vec![(0, 5)],
        };
        let found = |hook: &usize| Match { stream: self.registry.streams[*hook].0, term: Some(term.clone()) };
        let entry = Entry { link: Some(key.clone()), title: Some(format!("Story {n}")), ..Entry::default() };
        Candidate {
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
            matches: hooks.iter().map(found).collect(),
        }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.targets.clone(), Limits::default())
    }

    pub(crate) fn start_with(&self, targets: Vec<Target>, limits: Limits) -> Running {
        self.start_over(Arc::clone(&self.store), targets, limits)
    }

    fn start_over(&self, store: Arc<dyn Store>, targets: Vec<Target>, limits: Limits) -> Running {
        let verdicts = Arc::clone(&self.verdicts);
        let count = move |target: &Target, _: &_, settled: &Settled| {
            verdicts.lock().unwrap().push((target.name.clone(), settled.verdict.clone()));
        };
        let wake = Arc::clone(&self.wake);
        let outbox =
            Outbox::new(store, Arc::clone(&self.clock) as Arc<dyn Clock>, wake, targets, limits, Arc::new(count));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let run = tasks.spawn(Arc::clone(&outbox).run(stop.clone(), tasks.clone()));
        Running { outbox, stop, tasks, run }
    }

    pub(crate) async fn deliveries(&self) -> Vec<DeliveryStatus> {
        self.store.deliveries(None, None, None, 1000).await.unwrap()
    }

    pub(crate) async fn in_state(&self, state: DeliveryState) -> usize {
        self.deliveries().await.iter().filter(|delivery| delivery.state == state).count()
    }

    pub(crate) async fn wait_for(&self, state: DeliveryState, count: usize) {
        let end = Instant::now() + PATIENCE;
        while self.in_state(state).await != count {
            assert!(Instant::now() < end, "waited in vain: {:#?}", self.deliveries().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn ids(calls: &[Call]) -> HashSet<String> {
    calls.iter().map(|call| call.id.clone()).collect()
}

#[tokio::test]
async fn what_is_owed_arrives_once_and_is_written_down() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(10, &[0]).await;
    let running = bench.start();
    bench.wait_for(DeliveryState::Succeeded, 10).await;
    // And what comes later, too: the outbox sleeps by now, for a minute if nobody wakes it.
    bench.publish(1, &[0]).await;
    bench.wait_for(DeliveryState::Succeeded, 11).await;
    running.stop().await;
    let calls = receiver.calls();
    assert_eq!((calls.len(), ids(&calls).len()), (11, 11));
    assert!(calls.iter().all(|call| call.accepted == [true]));
    let body: serde_json::Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["streams"][0]), (&"item.new".into(), &"hook-0".into()));
    assert_eq!(body["data"]["matches"][0]["snippet"], body["data"]["item"]["title"]);
    let shown = bench.store.delivery(calls[0].id.clone()).await.unwrap().unwrap();
    assert_eq!((shown.attempts, shown.log.len(), shown.log[0].http_status), (1, 1, Some(200)));
    assert_eq!(bench.verdicts.lock().unwrap().len(), 11);
}

#[tokio::test]
async fn a_failed_call_is_made_again_with_the_same_id_and_the_same_bytes() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(500), Answer::Lost, Answer::status(200)]);
    let bench = Bench::new(&[&receiver]).await;
    let running = bench.start();
    bench.publish(1, &[0]).await;
    bench.wait_for(DeliveryState::Succeeded, 1).await;
    running.stop().await;
    let calls = receiver.calls();
    assert_eq!((calls.len(), ids(&calls).len()), (3, 1));
    assert!(calls.iter().all(|call| call.body == calls[0].body && call.accepted == [true]));
    let shown = bench.store.delivery(calls[0].id.clone()).await.unwrap().unwrap();
    assert_eq!(shown.log.iter().map(|attempt| attempt.http_status).collect::<Vec<_>>(), [Some(500), None, Some(200)]);
}

#[tokio::test]
async fn a_call_whose_waits_are_used_up_is_kept_as_failed() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(500)]);
    let bench = Bench::new(&[&receiver]).await;
    let running = bench.start();
    bench.publish(2, &[0]).await;
    bench.wait_for(DeliveryState::Failed, 2).await;
    running.stop().await;
    assert_eq!(receiver.calls().len(), 8, "two calls, four attempts each");
}

#[tokio::test]
async fn a_410_disables_the_webhook_and_holds_what_it_is_owed() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::status(410)]);
    let bench = Bench::new(&[&receiver]).await;
    let running = bench.start_with(vec![Target { concurrency: 1, ..bench.targets[0].clone() }], Limits::default());
    bench.publish(5, &[0]).await;
    bench.wait_for(DeliveryState::Held, 5).await;
    running.stop().await;
    assert_eq!(receiver.calls().len(), 1);
    assert_eq!(bench.store.webhook_status().await.unwrap()[0].state, WebhookState::Disabled);
}

#[tokio::test]
async fn dead_endpoints_delay_nobody_else_even_if_they_fill_the_cap() {
    let (dead, dead_too, alive) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    dead.script([Answer::Hang]);
    dead_too.script([Answer::Hang]);
    let bench = Bench::new(&[&dead, &dead_too, &alive]).await;
    bench.publish(20, &[0, 1]).await;
    let limits = Limits { concurrency: 3, drain: Duration::ZERO };
    let running = bench.start_with(bench.targets.clone(), limits);
    dead.wait(|calls| !calls.is_empty()).await;
    dead_too.wait(|calls| !calls.is_empty()).await;
    bench.publish(20, &[2]).await;
    bench.wait_for(DeliveryState::Succeeded, 20).await;
    assert_eq!(ids(&alive.calls()).len(), 20);
    assert!(dead.calls().len() <= 2 && dead_too.calls().len() <= 2);
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_never_has_more_calls_at_a_time_than_it_may() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Slow(Duration::from_millis(10))]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(30, &[0]).await;
    let running = bench.start_with(vec![Target { concurrency: 3, ..bench.targets[0].clone() }], Limits::default());
    bench.wait_for(DeliveryState::Succeeded, 30).await;
    running.stop().await;
    assert_eq!((receiver.calls().len(), receiver.peak()), (30, 3));
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_claims_no_more() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Gate]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(10, &[0]).await;
    let running = bench.start();
    receiver.wait(|calls| calls.len() == 2).await;
    running.stop.cancel();
    tokio::task::yield_now().await;
    receiver.open_gate();
    running.stop().await;
    assert_eq!(receiver.calls().len(), 2);
    assert_eq!((bench.in_state(DeliveryState::Succeeded).await, bench.in_state(DeliveryState::Pending).await), (2, 8));
}

#[tokio::test]
async fn what_the_drain_does_not_see_the_end_of_is_given_back_untouched() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Hang]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(2, &[0]).await;
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let running = bench.start_with(bench.targets.clone(), limits);
    let first = ids(&receiver.wait(|calls| calls.len() == 2).await);
    running.stop().await;
    assert!(bench.deliveries().await.iter().all(|d| d.attempts == 0 && d.state == DeliveryState::Pending));
    // The next start sends it at once, with no lease to wait for, under its old id.
    receiver.script([Answer::status(200)]);
    let running = bench.start();
    bench.wait_for(DeliveryState::Succeeded, 2).await;
    running.stop().await;
    assert_eq!((receiver.calls().len(), ids(&receiver.calls())), (4, first));
}

#[tokio::test]
async fn a_second_signal_ends_the_drain_at_once() {
    let receiver = Receiver::start(&[SECRET]);
    receiver.script([Answer::Hang]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(1, &[0]).await;
    let limits = Limits { drain: Duration::from_hours(1), ..Limits::default() };
    let running = bench.start_with(bench.targets.clone(), limits);
    receiver.wait(|calls| calls.len() == 1).await;
    running.stop.cancel();
    running.outbox.hasten();
    running.stop().await;
}

#[tokio::test]
async fn other_targets_are_called_from_the_moment_they_are_set() {
    let (old, new) = (Receiver::start(&[SECRET]), Receiver::start(&[SECRET]));
    old.script([Answer::status(500)]);
    let bench = Bench::new(&[&old]).await;
    let mut targets = bench.targets.clone();
    targets[0].retry = vec![Duration::from_millis(5); 100_000];
    let running = bench.start_with(targets.clone(), Limits::default());
    bench.publish(1, &[0]).await;
    old.wait(|calls| calls.len() >= 2).await;
    targets[0].url = new.url("/");
    running.outbox.set_targets(targets);
    bench.wait_for(DeliveryState::Succeeded, 1).await;
    assert_eq!(new.calls()[0].body, old.calls()[0].body);
    assert_eq!(running.outbox.send_test("hook-0").await.unwrap().1.http_status, Some(200));
    assert!(running.outbox.send_test("nobody").await.is_none());
    running.stop().await;
}

#[tokio::test]
async fn a_lease_that_a_crash_left_is_taken_over_when_it_runs_out() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(1, &[0]).await;
    let (now, want) = (SystemClock.now(), Want { webhook: bench.registry.webhooks[0], most: 1, strict: false });
    let until = now.plus(Duration::from_millis(300));
    let leased = bench.store.lease_deliveries(vec![want], now, until).await.unwrap();
    assert_eq!(leased.deliveries.len(), 1);
    let running = bench.start();
    bench.wait_for(DeliveryState::Succeeded, 1).await;
    running.stop().await;
    assert!(SystemClock.now() >= until);
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test]
async fn while_the_store_fails_nothing_is_lost_nothing_is_sent_unkept_and_nothing_is_sent_twice() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    let faulty = Arc::new(Faulty::new(Arc::clone(&bench.store)));
    faulty.leases.store(1, Ordering::SeqCst);
    faulty.bodies.store(1, Ordering::SeqCst);
    bench.publish(1, &[0]).await;
    let running = bench.start_over(faulty.clone(), bench.targets.clone(), Limits::default());
    bench.wait_for(DeliveryState::Succeeded, 1).await;
    assert_eq!((faulty.leases.load(Ordering::SeqCst), faulty.bodies.load(Ordering::SeqCst)), (0, 0));
    assert_eq!((receiver.calls().len(), faulty.kept.load(Ordering::SeqCst)), (1, 1));
    // The receiver has said 200: the answer is kept in mind until it can be written down.
    faulty.settlements.store(2, Ordering::SeqCst);
    bench.publish(1, &[0]).await;
    bench.wait_for(DeliveryState::Succeeded, 2).await;
    assert_eq!(faulty.settlements.load(Ordering::SeqCst), 0);
    running.stop().await;
    assert_eq!(receiver.calls().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_added_gets_what_it_is_owed_at_once() {
    let receiver = Receiver::start(&[SECRET]);
    let bench = Bench::new(&[&receiver]).await;
    bench.publish(3, &[0]).await;
    let running = bench.start_with(Vec::new(), Limits::default());
    // Asleep for a minute, for there is nobody to call; that is longer than this test waits.
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.outbox.set_targets(bench.targets.clone());
    bench.wait_for(DeliveryState::Succeeded, 3).await;
    running.stop().await;
    assert_eq!(receiver.calls().len(), 3);
}
