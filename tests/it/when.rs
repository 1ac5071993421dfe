//! When feeds are polled: through steps of the clock, sleep, and an outage of our own network, with a clock that the test sets.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feedmill::domain::feed::{ErrorKind, FeedId, FeedState, Health};
use feedmill::domain::name::Name;
use feedmill::domain::time::{Clock, Timestamp};
use feedmill::fetch::client::Fetcher;
use feedmill::fetch::guard::Guard;
use feedmill::identity::canonical::Rules;
use feedmill::poll::{FeedPlan, Manner, Observer, Outcome, Plan, PollReport, Poller, Scheduled, Stages};
use feedmill::schedule::cron::{Schedule, Timing};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, Store, Subscriptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::support::daemon::{Installation, PATIENCE, rss, story};
use crate::support::faulty::Faulty;
use crate::support::origin::{Origin, Reply};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Default)]
struct Heard {
    reports: Mutex<Vec<PollReport>>,
    ticked: Mutex<Timestamp>,
}

impl Observer for Heard {
    fn polled(&self, report: &PollReport) {
        self.reports.lock().unwrap().push(report.clone());
    }

    fn ticked(&self, now: Timestamp, _next_due: Option<Timestamp>) {
        *self.ticked.lock().unwrap() = now;
    }
}

/// Six feeds on two hosts, and one that has never worked.
struct House {
    clock: Arc<Hands>,
    heard: Arc<Heard>,
    faulty: Arc<Faulty>,
    store: Arc<dyn Store>,
    poller: Arc<Poller>,
    /// No connection carries a byte.
    down: Arc<AtomicBool>,
    stop: CancellationToken,
    origin: Origin,
    _dir: tempfile::TempDir,
}

fn plan(id: FeedId, n: usize, url: &str) -> FeedPlan {
    FeedPlan {
        id,
        name: Name::slug(&format!("f{n}")),
        url: Url::parse(url).unwrap().into(),
        tags: [].into(),
        manner: Arc::new(manner()),
    }
}

fn manner() -> Manner {
    Manner {
        schedule: Timing::Cron(Schedule::parse("0 * * * *").unwrap()),
        zone: chrono_tz::Tz::UTC,
        spread: true,
        min_interval: MINUTE * 15,
        backoff: MINUTE * 15,
        first_import_notifies: false,
        timeout: Duration::from_secs(20),
        max_body_bytes: 100_000,
        user_agent: None,
        private_headers: Vec::new(),
        reach: Arc::default(),
        rules: Arc::new(Rules::default()),
        id_policy: None,
        dedupe: feedmill::domain::feed::Dedupe::default(),
        ignore: None,
    }
}

impl House {
    async fn new() -> Self {
        Self::with(8, 0).await
    }

    /// With so many polls at a time, of which the first so many panic.
    async fn with(concurrency: usize, panics: u32) -> Self {
        Self::reading_for(concurrency, panics, MINUTE).await
    }

    /// The same, with so much time for each document.
    async fn reading_for(concurrency: usize, panics: u32, longest: Duration) -> Self {
        let begin = Timestamp::parse_rfc3339("2026-03-02T10:17:00Z").unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(begin.as_ms())));
        let (origin, down, dir) =
            (Origin::start(), Arc::new(AtomicBool::new(false)), tempfile::TempDir::new().unwrap());
        let port = origin.address().port();
        let urls: Vec<String> =
            (0..6).map(|n| format!("http://{}:{port}/{n}", ["127.0.0.1", "localhost"][n % 2])).collect();
        for n in 0..6 {
            let down = Arc::clone(&down);
            let document = rss(&[story("One", &format!("https://n.example/{n}"), "1")]);
            origin.answer(&format!("/{n}"), move |_| {
                if down.load(Ordering::SeqCst) { Reply::raw("").close() } else { Reply::ok(document.clone()).close() }
            });
        }
        let options = Options { access: Access::Own, check: true, tagging: "example.org,2026-01-01".to_owned() };
        let faulty = Arc::new(Faulty::new(Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap())));
        faulty.panics.store(panics, Ordering::SeqCst);
        let store: Arc<dyn Store> = Arc::clone(&faulty) as Arc<dyn Store>;
        let feeds = urls.iter().enumerate().map(|(n, url)| FeedSpec {
            name: format!("f{n}").into(),
            url: Url::parse(url).unwrap().into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        });
        let subscriptions = Subscriptions { feeds: feeds.collect(), ..Subscriptions::default() };
        let rows = store.apply_subscriptions(subscriptions, begin).await.unwrap().feeds;
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let fetcher = Fetcher::new(&guard, None, 4 << 20).unwrap();
        let stages =
            Stages::new(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, fetcher, Arc::new(Notify::new()))
                .reading_for(longest);
        let heard = Arc::new(Heard::default());
        let poller = Poller::new(stages, Arc::clone(&heard) as Arc<dyn Observer>);
        let plans = rows.iter().zip(&urls).enumerate().map(|(n, ((id, _), url))| (*id, Arc::new(plan(*id, n, url))));
        let scheduled = rows.iter().map(|(feed, due)| Scheduled { feed: *feed, due: *due }).collect();
        poller.replace(Plan { feeds: plans.collect(), concurrency, per_host: 1, ..Plan::default() }, scheduled);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&poller).run(stop.clone(), tasks.clone(), None));
        Self { clock, heard, faulty, store, poller, down, stop, origin, _dir: dir }
    }

    async fn states(&self) -> Vec<FeedState> {
        self.store.feed_status().await.unwrap().into_iter().map(|status| status.state).collect()
    }

    fn polls(&self) -> usize {
        self.heard.reports.lock().unwrap().len()
    }

    /// How many polls each feed had since there were so many, by how they ended.
    fn since(&self, polls: usize) -> BTreeMap<String, Vec<Outcome>> {
        let mut counts: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for report in &self.heard.reports.lock().unwrap()[polls..] {
            counts.entry(report.name.to_string()).or_default().push(report.outcome);
        }
        counts
    }

    /// Sets the clock, and waits until all that is due is done, or a poll was put off.
    async fn at(&self, now: Timestamp) {
        let before = self.polls();
        let due = self.states().await.iter().filter(|state| state.due_at.unwrap() <= now).count();
        self.clock.0.store(now.as_ms(), Ordering::SeqCst);
        self.poller.nudge();
        let begun = Instant::now();
        loop {
            let looked = *self.heard.ticked.lock().unwrap() == now;
            let put_off = self.since(before).values().flatten().any(|outcome| *outcome == Outcome::Offline);
            let done = self.polls() >= before + due;
            if looked && (put_off || (done && self.states().await.iter().all(|state| state.due_at.unwrap() > now))) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not done: {:#?}", self.states().await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All six, once each.
    fn once_each(&self, polls: usize) {
        let counts = self.since(polls);
        assert!(counts.len() == 6 && counts.values().all(|polls| polls.len() == 1), "{counts:?}");
    }
}

/// A minute is none here; what is shown is that it ends, what it is called, and that the place is free again.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_read_for_too_long_is_a_failure_of_its_feed_and_holds_no_place() {
    let house = House::reading_for(1, 0, Duration::ZERO).await;
    let stories: Vec<_> = (0..350)
        .map(|n| story(&format!("Story {n}"), &format!("https://n.example/long/{n}"), &n.to_string()))
        .collect();
    house.origin.route("/0", Reply::ok(rss(&stories)));
    let feeds: Vec<FeedId> = house.store.feed_status().await.unwrap().iter().map(|status| status.feed).collect();
    let begun = Instant::now();
    loop {
        let mut told = house.poller.poll_now(feeds.clone());
        let mut failed = None;
        while let Some(report) = told.recv().await {
            failed = report.error.filter(|_| report.feed == feeds[0]).or(failed);
        }
        match failed {
            Some(error) if error.message.contains("was not read within 0 seconds; please report this feed") => {
                assert_eq!(error.kind, ErrorKind::Parse);
                break;
            }
            // While the one before goes on, the next is not begun.
            Some(error) => assert!(error.message.contains("is being read still"), "{}", error.message),
            None => {}
        }
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(house.since(0).len() == 6, "the others had their turn: {:?}", house.since(0));
    assert!(house.states().await.iter().any(|state| state.errors > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_clock_and_a_sleep_give_one_poll_a_feed_and_no_stall() {
    let house = House::new().await;
    house.at(house.now()).await;
    house.once_each(0);
    // Put forward by two days, or asleep for as long: what was missed is one poll.
    let (begin, polls) = (house.now(), house.polls());
    house.at(begin.plus(DAY * 2)).await;
    house.once_each(polls);
    // Put back: nobody is asked for that, and nobody waits until the old time comes round again.
    let polls = house.polls();
    let back = begin.plus(MINUTE);
    house.at(back).await;
    assert_eq!(house.polls(), polls);
    for state in house.states().await {
        let due = state.due_at.unwrap();
        assert!(due > back && due <= back.plus(HOUR * 2), "{}: {}", due, state.due_reason);
        assert!(state.last_try.unwrap() <= back && state.due_reason.contains("your schedule"), "{state:?}");
    }
    house.at(back.plus(HOUR * 2)).await;
    house.once_each(polls);
    // A night's sleep.
    let polls = house.polls();
    house.at(back.plus(HOUR * 10)).await;
    house.once_each(polls);
    // A step that is smaller than the gap between polls costs nothing and adds nothing.
    let polls = house.polls();
    house.at(back.plus(HOUR * 10).minus(MINUTE * 5)).await;
    assert_eq!(house.polls(), polls);
    house.at(back.plus(HOUR * 12)).await;
    house.once_each(polls);
    house.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_panics_keeps_no_place_and_is_told_as_failed() {
    let house = House::with(1, 3).await;
    let begun = Instant::now();
    while house.polls() < 6 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", house.since(0));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    house.once_each(0);
    let failed = house.since(0).values().flatten().filter(|outcome| **outcome == Outcome::Failed).count();
    assert_eq!(failed, 3);
    house.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_that_are_committed_together_all_end_if_that_panics() {
    let house = House::new().await;
    house.at(house.now()).await;
    let feeds: Vec<FeedId> = house.store.feed_status().await.unwrap().iter().map(|status| status.feed).collect();
    // All bring the same document again, and gather.
    let polls = house.polls();
    house.faulty.panics_together.store(2, Ordering::SeqCst);
    let mut told = house.poller.poll_now(feeds);
    while let Some(report) = told.recv().await {
        let failed = report.error.is_some_and(|error| error.message.starts_with("not stored: "));
        assert_eq!(failed, report.outcome == Outcome::Failed);
    }
    house.once_each(polls);
    assert!(house.since(polls).values().flatten().any(|outcome| *outcome == Outcome::Failed));
    // When their leases are over, all are polled again.
    let polls = house.polls();
    house.at(house.now().plus(DAY)).await;
    house.once_each(polls);
    assert!(house.since(polls).values().flatten().all(|outcome| *outcome == Outcome::NotModified));
    house.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_two_days_leaves_no_feed_on_a_long_back_off() {
    let house = House::new().await;
    house.at(house.now()).await;
    house.down.store(true, Ordering::SeqCst);
    let end = house.now().plus(DAY * 2);
    let (mut steps, mut offline, mut begun_at, mut begun_step) = (0, 0, None, 0);
    while house.now() < end {
        // By the minute for three hours, then in longer steps.
        let step = if steps < 180 { MINUTE } else { MINUTE * 7 };
        let before = house.polls();
        house.at(house.now().plus(step)).await;
        let put_off = house.since(before).values().flatten().filter(|outcome| **outcome == Outcome::Offline).count();
        if begun_at.is_some() {
            // A failure that was counted before it was noticed may still have been on its way into the store.
            let late = usize::from(begun_step + 1 == steps);
            assert!(house.polls() - before - put_off <= late && put_off == 1, "one probe a minute, step {steps}");
        } else if put_off > 0 {
            (begun_at, begun_step) = (Some(house.now()), steps);
        }
        (steps, offline) = (steps + 1, offline + put_off);
    }
    let told = begun_at.unwrap().since(end.minus(DAY * 2));
    // All are asked once by the end of the next full hour, each at a minute of its own.
    assert!(told < HOUR * 2, "it was told after {told:?}");
    assert!(offline > 400);
    let tried: HashMap<String, usize> = house
        .since(0)
        .into_iter()
        .map(|(name, polls)| (name, polls.iter().filter(|outcome| **outcome == Outcome::Offline).count()))
        .collect();
    assert!(tried.values().all(|count| *count > 20), "all take their turn: {tried:?}");
    for state in house.states().await {
        assert!(state.errors <= 1, "no failure is counted: {state:?}");
        assert_ne!(state.health(end), Health::Broken);
    }
    assert!(house.states().await.iter().any(|state| state.due_reason.contains("our own network seems to be down")));
    // It is back: all are due, and asked once.
    house.down.store(false, Ordering::SeqCst);
    let polls = house.polls();
    house.at(house.now().plus(MINUTE)).await;
    house.once_each(polls);
    for state in house.states().await {
        assert_eq!((state.errors, state.error), (0, None));
        assert!(state.due_at.unwrap() <= house.now().plus(HOUR * 2), "{}", state.due_reason);
    }
    house.stop.cancel();
}

#[test]
fn the_journal_has_one_line_when_our_network_goes_down_and_one_when_it_is_back() {
    let (origin, down) = (Origin::start(), Arc::new(AtomicBool::new(true)));
    let mut config = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nbackoff = \"1s\"\n".to_owned();
    for n in 0..4 {
        let down = Arc::clone(&down);
        let document = rss(&[story("One", &format!("https://n.example/{n}"), "1")]);
        origin.answer(&format!("/{n}"), move |_| {
            if down.load(Ordering::SeqCst) { Reply::raw("").close() } else { Reply::ok(document.clone()).close() }
        });
        let host = ["127.0.0.1", "localhost"][n % 2];
        config
            .push_str(&format!("[[feed]]\nname = \"f{n}\"\nurl = \"http://{host}:{}/{n}\"\n", origin.address().port()));
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("it is told", |d| d.log().contains("our own network seems to be down"));
    daemon.until("a feed says so", |d| {
        let feeds = d.json("/api/v1/feeds")["feeds"].as_array().unwrap().clone();
        feeds.iter().any(|feed| feed["next_poll_reason"].as_str().unwrap().contains("our own network seems to be down"))
    });
    assert!(daemon.get("/status").text().contains("our own network seems to be down"));
    // By hand one may ask all the same, and is told why it fails.
    let polled = house.run(&["poll", "f0"]);
    assert!(String::from_utf8_lossy(&polled.stdout).contains("our own network seems to be down"), "{polled:?}");
    down.store(false, Ordering::SeqCst);
    assert!(house.run(&["poll", "f0"]).status.success());
    daemon.until("it is back", |d| d.log().contains("our own network is back"));
    assert_eq!(daemon.log().matches("our own network seems to be down: polls fail").count(), 1, "{}", daemon.log());
    assert_eq!(daemon.log().matches("our own network is back").count(), 1);
    daemon.until("all were polled", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 4);
    daemon.until("all go on", |d| {
        let feeds = d.json("/api/v1/feeds")["feeds"].as_array().unwrap().clone();
        feeds
            .iter()
            .all(|feed| feed["state"] == "ok" && feed["next_poll_reason"].as_str().unwrap().contains("your schedule"))
    });
    daemon.stop();
}

/// A feed's name, what its origin answers, its keys, and how its reason begins.
type Told = (&'static str, Reply, &'static str, String);

fn told_cases() -> Vec<Told> {
    let document = |head: &str| {
        let items = rss(&[story("One", "https://n.example/1", "1")]);
        items.replace("<title>T</title>", &format!("<title>T</title>{head}"))
    };
    // The hours of a day from an hour before now on, but for one that is far away.
    let all_but_one = |hour: u32| {
        let hours = (0..24).filter(|n| *n != hour).map(|n| format!("<hour>{n}</hour>")).collect::<String>();
        document(&format!("<skipHours>{hours}</skipHours>"))
    };
    let now = feedmill::domain::time::SystemClock.now().to_chrono();
    let far = (chrono::Timelike::hour(&now) + 12) % 24;
    let sy = "<sy:updatePeriod>daily</sy:updatePeriod>";
    let dated = |n: i64| {
        let at = Timestamp::from_chrono(now).minus(HOUR * 20 * u32::try_from(n).unwrap()).rfc822();
        format!("<item><title>{n}</title><link>https://n.example/d{n}</link><pubDate>{at}</pubDate></item>")
    };
    let items: String = (0..4).map(dated).collect();
    let history = format!("<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>");
    let cases = [
        (
            "age",
            Reply::ok(document("")).header("cache-control", "max-age=7200"),
            "",
            "max-age of the last answer (2 h) is later than your schedule (",
        ),
        ("ttl", Reply::ok(document("<ttl>180</ttl>")), "", "ttl of the feed (3 h) is later than your schedule ("),
        (
            "skip",
            Reply::ok(all_but_one(far)),
            "",
            &format!("skipHours of the feed (to {far:02}:00 GMT) is later than your schedule ("),
        ),
        ("hint", Reply::ok(document(sy)), "", "sy:updatePeriod of the feed (1 d) is later than your schedule ("),
        ("own", Reply::ok(document(sy)), "schedule = \"0 0 29 2 *\"", "your schedule ("),
        (
            "fail",
            Reply::status(500),
            "min_interval = \"1m\"",
            "back-off after 1 failure (2 h) is later than your schedule (",
        ),
        (
            "wait",
            Reply::status(503).header("retry-after", "10800"),
            "",
            "Retry-After of the last answer (3 h) is later than your schedule (",
        ),
        (
            "date",
            Reply::status(429).header("retry-after", Timestamp::from_chrono(now).plus(HOUR * 200).rfc822()),
            "",
            "Retry-After of the last answer (7 d) is later than your schedule (",
        ),
        ("auto", Reply::ok(history), "schedule = \"auto\"", "half of its usual gap between items (10 h)"),
        (
            "news",
            Reply::ok(document("")),
            "schedule = \"auto\"",
            "an hour, as its usual gap between items is not known yet",
        ),
        ("gone", Reply::status(410), "", "it answered 410 Gone"),
    ];
    cases.map(|(name, reply, keys, reason)| (name, reply, keys, reason.to_owned())).into()
}

#[test]
fn every_rule_tells_its_reason_in_the_list_on_the_page_and_after_a_restart() {
    // A host each: one that complains of too many requests holds all of its feeds.
    let (origin, cases) = (Origin::everywhere(), told_cases());
    let mut config = "schedule = \"*/30 * * * *\"\n".to_owned();
    config.push_str("backoff = \"2h\"\n");
    for (host, (name, reply, keys, _)) in (1..).zip(&cases) {
        origin.route(&format!("/{name}"), reply.clone());
        let url = origin.url_at(host, &format!("/{name}"));
        config.push_str(&format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n{keys}\n"));
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    let feeds = |value: serde_json::Value| -> HashMap<String, serde_json::Value> {
        let list = value["feeds"].as_array().unwrap().clone();
        list.into_iter().map(|feed| (feed["name"].as_str().unwrap().to_owned(), feed)).collect()
    };
    daemon.until("all were polled", |d| feeds(d.json("/api/v1/feeds")).values().all(|f| f["last_attempt"].is_string()));
    let told = feeds(daemon.json("/api/v1/feeds"));
    for (name, .., reason) in &cases {
        let said = told[*name]["next_poll_reason"].as_str().unwrap();
        assert!(said.starts_with(reason.as_str()), "{name}: {said}");
    }
    let page = daemon.get("/status").text();
    for word in ["max-age of the last answer (2 h)", "ttl of the feed (3 h)", "skipHours of the feed"] {
        assert!(page.contains(word), "{word}");
    }
    let listed: serde_json::Value = serde_json::from_slice(&house.run(&["feeds", "--json"]).stdout).unwrap();
    assert_eq!(feeds(listed), told);
    let checked = String::from_utf8(house.run(&["check"]).stdout).unwrap();
    assert!(checked.contains("auto, 2 feeds: by the usual gap between items"), "{checked}");
    // A restart moves nothing and asks nobody; another schedule moves what is shown at once.
    daemon.kill();
    let requests = origin.all_requests().len();
    let daemon = house.start();
    assert_eq!(feeds(daemon.json("/api/v1/feeds")), told);
    house.configure(&config.replace("0 0 29 2 *", "@yearly"));
    assert!(house.run(&["reload"]).status.success());
    let moved = feeds(daemon.json("/api/v1/feeds"));
    assert!(moved["own"]["next_poll"].as_str().unwrap().contains("-01-01T00:00:00Z"), "{}", moved["own"]);
    assert_ne!(moved["own"]["next_poll_reason"], told["own"]["next_poll_reason"]);
    assert_eq!(moved["ttl"], told["ttl"]);
    assert_eq!(origin.all_requests().len(), requests);
    daemon.stop();
}
