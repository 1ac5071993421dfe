//! Retention: what goes, what stays known for good, and that nothing comes back. Through the store, where time is
//! an argument, and through the real daemon.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use feedmill::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, NextPoll};
use feedmill::domain::item::{Entry, Item, ItemId};
use feedmill::domain::stream::{Match, StreamId};
use feedmill::domain::time::Timestamp;
use feedmill::domain::webhook::{Attempt, Settlement, Verdict, WebhookId};
use feedmill::publish::meet::words;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    Backlog, CommitReport, FeedSpec, KEEP_ROWS, KeepCounts, KeepCursor, KeepRules, PageRequest, PollCommit, PollResult,
    Raw, Route, Routes, Store, StreamSpec, Subscriptions, Want, Worded,
};
use rusqlite::Connection;
use tempfile::TempDir;
use url::Url;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()
}

fn day(n: u32) -> Timestamp {
    start().plus(DAY * n)
}

/// The real look-up order, without queries.
struct Plain;

impl Judge for Plain {
    fn decide(&self, known: &Known, candidate: &Candidate, survey: &Survey) -> Decision {
        feedmill::identity::decide::decide(known, candidate, survey)
    }

    fn rematch(&self, _: &Candidate, _feeds: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

/// A database with the feeds a, b and c, the stream `peace` and the webhook that it calls.
struct Bench {
    store: Arc<Sqlite>,
    dir: TempDir,
    feeds: Vec<FeedId>,
    stream: StreamId,
    webhook: WebhookId,
    routes: Arc<Routes>,
}

impl Bench {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap());
        let feed = |name: &str| FeedSpec {
            name: name.into(),
            url: Url::parse(&format!("https://{name}.example/rss")).unwrap().into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions {
            feeds: ["a", "b", "c"].map(feed).to_vec(),
            streams: vec![StreamSpec { name: "peace".to_owned(), definition: "peace".to_owned() }],
            webhooks: vec!["desk".to_owned()],
        };
        let registry = store.apply_subscriptions(subscriptions, start()).await.unwrap();
        let (stream, webhook) = (registry.streams[0].0, registry.webhooks[0]);
        let routes = HashMap::from([(Some(stream), vec![Route { webhook, new: true, updated: true, private: false }])]);
        let feeds = registry.feeds.iter().map(|(id, _)| *id).collect();
        Self { store, dir, feeds, stream, webhook, routes: Arc::new(routes) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("t.db")
    }

    fn db(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn count(&self, what: &str) -> i64 {
        self.db().query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    }

    fn peace(&self, mut candidate: Candidate) -> Candidate {
        candidate.matches = vec![Match { stream: self.stream, term: None }];
        candidate
    }

    async fn load(&self, feed: usize, at: Timestamp, candidates: Vec<Candidate>) -> CommitReport {
        let feed = self.feeds[feed];
        let lease = self.store.lease_due_feeds(vec![feed], at, at.plus(HOUR)).await.unwrap().remove(0);
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { updated: Some(at), ..FeedInfo::default() }),
            candidates,
            quiet: false,
            habits: None,
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let next = NextPoll { due_at: Some(at.plus(HOUR)), ..NextPoll::default() };
        let poll = PollCommit { feed, token: lease.token, at, result, next, alerts: Arc::default() };
        self.store.commit_poll(poll, Arc::new(Plain), Arc::clone(&self.routes)).await.unwrap()
    }

    async fn page(&self, stream: Option<StreamId>) -> Vec<Item> {
        self.store.stream_page(PageRequest { stream, limit: 1000, before: None }).await.unwrap().items
    }

    async fn titles(&self) -> Vec<String> {
        let mut titles: Vec<_> = self.page(None).await.into_iter().filter_map(|item| item.title).collect();
        titles.sort();
        titles
    }

    /// One run.
    async fn run(&self, rules: &KeepRules) -> KeepCounts {
        let rules = Arc::new(rules.clone());
        let (mut at, mut done) = (KeepCursor::default(), KeepCounts::default());
        for _ in 0..10_000 {
            let step = self.store.keep(Arc::clone(&rules), at).await.unwrap();
            assert!(step.rows <= KEEP_ROWS, "a transaction worked on {} rows", step.rows);
            done += step.done;
            match step.next {
                Some(next) => at = next,
                None => return done,
            }
        }
        panic!("the run does not end");
    }

    /// A run a day, from the first day to `last`, as a daemon does; the sum of what was done.
    async fn days(&self, rules: &KeepRules, last: u32) -> KeepCounts {
        let mut done = KeepCounts::default();
        for n in 0..=last {
            done += self.run(&KeepRules { now: day(n), ..rules.clone() }).await;
        }
        done
    }

    async fn index(&self, backlog: &Backlog) -> bool {
        let worded = |(item, raw): &(ItemId, Option<Raw>)| Worded { item: *item, texts: raw.as_ref().map(words) };
        let worded = backlog.items.iter().map(worded).collect();
        self.store.index(worded, backlog.from, backlog.to).await.unwrap()
    }

    async fn settle_all(&self, at: Timestamp, verdict: Verdict) -> usize {
        let wants = vec![Want { webhook: self.webhook, most: 1000, strict: false }];
        let leased = self.store.lease_deliveries(wants, at, at.plus(HOUR)).await.unwrap().deliveries;
        for call in &leased {
            let attempt = Attempt { at, ..Attempt::default() };
            let settlement = Settlement::new(call.id, call.token, attempt, verdict.clone());
            assert!(self.store.settle_delivery(settlement).await.unwrap().is_some());
        }
        leased.len()
    }
}

fn keep(days: u32) -> KeepRules {
    KeepRules { keep: Some(DAY * days), ..KeepRules::default() }
}

fn candidate(n: u32, title: &str) -> Candidate {
    let print = title.bytes().fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    let key = format!("https://x.example/{n}");
    Candidate {
        entry: Entry {
            guid: Some(format!("urn:{n}")),
            link: Some(key.clone()),
            title: Some(title.to_owned()),
            content: Some(format!("<p>{title}</p>")),
            // What a publisher claims has no say in how long a story is kept.
            published: Timestamp::parse_rfc3339("1999-01-01T00:00:00Z"),
            ..Entry::default()
        },
        link: Some(key.clone()),
        key,
        scope: Scope::Global,
        entry_id: format!("urn:{n}"),
        native_id: Some(format!("urn:{n}")),
        fingerprint: Fingerprint { title: print, text: print },
        aliases: Vec::new(),
        by_guid: false,
        wordy: false,
        own: false,
        matches: Vec::new(),
    }
}

#[tokio::test]
async fn a_story_goes_when_it_was_kept_for_long_enough_whatever_date_it_claims() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![bench.peace(candidate(1, "Peace"))]).await;
    bench.load(0, day(5), vec![candidate(2, "Later")]).await;
    let version = bench.store.version();
    assert_eq!(bench.days(&keep(10), 10).await.bodies, 0);
    assert_eq!(bench.store.version(), version, "nothing that is published changed");
    let done = bench.days(&keep(10), 11).await;
    assert_eq!(done.bodies, 1);
    assert!(bench.store.version() > version);
    assert_eq!(bench.titles().await, ["Later"]);
    assert!(bench.page(Some(bench.stream)).await.is_empty());
    assert_eq!(bench.store.health().await.unwrap().items, 1);
    assert_eq!(bench.store.feed_status().await.unwrap()[0].items, 2, "it carried both");
    assert_eq!(bench.count("source"), 1, "what no story names goes too");
}

#[tokio::test]
async fn an_edit_begins_the_time_anew() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![candidate(1, "One")]).await;
    bench.load(0, day(8), vec![candidate(1, "One, corrected"), candidate(2, "Two")]).await;
    assert_eq!(bench.days(&keep(10), 17).await.bodies, 0);
    assert_eq!(bench.days(&keep(10), 19).await.bodies, 2);
}

#[tokio::test]
async fn a_feed_has_its_own_time_and_a_story_stays_as_long_as_any_feed_that_carries_it() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![candidate(1, "a alone"), candidate(2, "a and b"), candidate(3, "a and c")]).await;
    bench.load(1, day(0), vec![candidate(2, "a and b"), candidate(4, "b alone")]).await;
    bench.load(2, day(0), vec![candidate(3, "a and c"), candidate(5, "c alone")]).await;
    let mut rules = keep(10);
    rules.feeds = [(bench.feeds[1], None), (bench.feeds[2], Some(3 * DAY))].into_iter().collect();
    bench.days(&rules, 4).await;
    assert_eq!(bench.titles().await, ["a alone", "a and b", "a and c", "b alone"]);
    bench.days(&rules, 11).await;
    assert_eq!(bench.titles().await, ["a and b", "b alone"]);
    bench.days(&rules, 99).await;
    assert_eq!(bench.titles().await, ["a and b", "b alone"]);
    // Without any rule nothing goes at all.
    assert_eq!(bench.days(&KeepRules::default(), 120).await.bodies, 0);
}

#[tokio::test]
async fn a_clock_that_steps_a_year_ahead_takes_nothing_with_it() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![candidate(1, "One")]).await;
    bench.run(&KeepRules { now: day(0), ..keep(90) }).await;
    for _ in 0..24 {
        let done = bench.run(&KeepRules { now: day(365), ..keep(90) }).await;
        assert_eq!(done.bodies, 0);
        assert!(done.behind_ms > 300 * 86_400_000, "it says that the clock is ahead");
    }
    // The clock is put right: all is as it was, and what is due goes in its time.
    assert_eq!(bench.run(&KeepRules { now: day(2), ..keep(90) }).await.behind_ms, 0);
    assert_eq!(bench.titles().await, ["One"]);
    assert_eq!(bench.days(&keep(90), 91).await.bodies, 1);
}

#[tokio::test]
async fn above_the_largest_size_the_oldest_bodies_go_until_it_fits() {
    let bench = Bench::new().await;
    for n in 0..400 {
        let mut big = candidate(n, &format!("{n:03}"));
        big.entry.content = Some("x".repeat(20_000));
        bench.load(0, day(0), vec![big]).await;
    }
    let size = bench.store.anatomy(10, day(0)).await.unwrap();
    let most = (size.size_bytes - size.free_bytes) / 2;
    let rules = KeepRules { now: day(0), max_bytes: Some(most), ..KeepRules::default() };
    let done = bench.run(&rules).await;
    assert!((150..250).contains(&done.bodies), "{done:?}");
    let titles = bench.titles().await;
    assert_eq!(titles.last().unwrap(), "399", "the newest stay");
    assert_eq!(titles.len() as u64, 400 - done.bodies);
    let after = bench.store.anatomy(10, day(0)).await.unwrap();
    assert!(after.size_bytes - after.free_bytes <= most);
    // What is free goes back to the system, but for what the next hours need.
    assert!(done.pages > 0 && after.free_bytes <= after.size_bytes / 16 + 4096, "{after:?}");
    bench.store.close().await.unwrap();
    assert!(std::fs::metadata(bench.path()).unwrap().len() < size.size_bytes * 2 / 3);
}

#[tokio::test]
async fn a_purged_story_that_the_origin_still_serves_does_not_come_back_and_calls_nobody() {
    let bench = Bench::new().await;
    // The highest row keeps its place: nothing is forgotten about it but its body.
    let load = || vec![bench.peace(candidate(1, "Peace"))];
    assert_eq!(bench.load(0, day(0), load()).await.deliveries, 1);
    assert_eq!(bench.settle_all(day(0), Verdict::Succeeded).await, 1);
    assert_eq!(bench.days(&keep(10), 60).await.bodies, 1);
    assert_eq!(bench.count("item WHERE state = 2"), 1);
    assert_eq!(bench.load(0, day(61), load()).await, CommitReport::default());
    assert!(bench.titles().await.is_empty());
    assert_eq!(bench.settle_all(day(61), Verdict::Succeeded).await, 0);
}

/// A story in two feeds, called and purged; the next row is another one's.
async fn bench_with_a_past() -> (Bench, KeepCounts) {
    let bench = Bench::new().await;
    let load = || vec![bench.peace(candidate(1, "Peace"))];
    bench.load(0, day(0), load()).await;
    bench.load(1, day(0), load()).await;
    bench.settle_all(day(0), Verdict::Succeeded).await;
    bench.load(2, day(70), vec![candidate(2, "The highest row")]).await;
    let done = bench.days(&keep(10), 60).await;
    (bench, done)
}

#[tokio::test]
async fn of_a_purged_story_only_hashes_stay() {
    let (bench, done) = bench_with_a_past().await;
    assert_eq!((done.bodies, done.past, done.deliveries), (1, 1, 1));
    for table in ["item WHERE id = 1", "sighting WHERE item_id = 1", "event", "delivery", "called"] {
        assert_eq!(bench.count(table), 0, "{table}");
    }
    assert_eq!((bench.count("past_item"), bench.count("past_sighting")), (1, 2));
    let anatomy = bench.store.anatomy(10, day(0)).await.unwrap();
    assert_eq!((anatomy.items, anatomy.past, anatomy.stories), (2, 1, 1));
}

#[tokio::test]
async fn a_story_of_which_only_hashes_are_left_stays_known_when_guid_and_link_change_one_after_the_other() {
    let (bench, _) = bench_with_a_past().await;
    let told = |guid: &str, n: u32| {
        let mut it = candidate(n, "Peace");
        guid.clone_into(&mut it.entry_id);
        vec![bench.peace(it)]
    };
    for load in [told("urn:a", 1), told("urn:a", 91), told("urn:b", 91), told("urn:b", 92), told("urn:c", 92)] {
        for _ in 0..2 {
            assert_eq!(bench.load(0, day(71), load.clone()).await, CommitReport::default());
        }
    }
    assert_eq!(bench.count("past_sighting"), 2 + 3, "an edit writes none, another guid writes one");
    assert_eq!(bench.count("past_item"), 1, "where it stands now");
}

#[tokio::test]
async fn a_story_of_which_only_hashes_are_left_is_known_by_its_entry_and_by_its_key() {
    let (bench, _) = bench_with_a_past().await;
    let load = || vec![bench.peace(candidate(1, "Peace"))];
    let mut renamed = bench.peace(candidate(1, "Peace"));
    renamed.entry_id = "urn:another".to_owned();
    let edited = bench.peace(candidate(1, "Peace, corrected"));
    for (feed, load) in [(0, load()), (1, load()), (2, load()), (0, vec![renamed]), (1, vec![edited])] {
        let report = bench.load(feed, day(71), load).await;
        assert_eq!((report.new, report.deliveries), (0, 0), "feed {feed}");
    }
    assert_eq!(bench.titles().await, ["The highest row"]);
}

#[tokio::test]
async fn a_story_without_a_guid_or_with_a_call_that_is_owed_keeps_its_rows() {
    let bench = Bench::new().await;
    let mut nameless = candidate(1, "No guid");
    nameless.entry.guid = None;
    bench.load(0, day(0), vec![candidate(3, "Last"), bench.peace(candidate(2, "Owed")), nameless]).await;
    let done = bench.days(&keep(10), 90).await;
    assert_eq!((done.bodies, done.past), (3, 0));
    assert_eq!(bench.count("item WHERE state = 2"), 3);
    // The call is made from what was kept for it, and only then the row goes.
    assert_eq!(bench.settle_all(day(90), Verdict::Succeeded).await, 1);
    assert_eq!(bench.days(&keep(10), 119).await.past, 0);
    assert_eq!(bench.days(&keep(10), 121).await.past, 1);
    assert_eq!(bench.count("item WHERE state = 2"), 2);
}

#[tokio::test]
async fn settled_calls_are_forgotten_after_thirty_days_and_not_made_again() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![bench.peace(candidate(1, "Peace"))]).await;
    bench.load(0, day(0), vec![bench.peace(candidate(2, "Failed"))]).await;
    assert_eq!(bench.settle_all(day(0), Verdict::Failed).await, 2);
    bench.load(0, day(1), vec![bench.peace(candidate(3, "Owed"))]).await;
    assert_eq!(bench.days(&KeepRules::default(), 29).await.deliveries, 0);
    assert_eq!(bench.days(&KeepRules::default(), 31).await.deliveries, 2);
    assert_eq!((bench.count("delivery"), bench.count("event"), bench.count("attempt")), (1, 1, 0));
    assert_eq!(bench.store.webhook_status().await.unwrap()[0].failed, 0);
    // The story lives on, and enters the stream by one more feed: its webhook has heard of it.
    bench.db().execute("DELETE FROM stream_item", []).unwrap();
    let report = bench.load(1, day(32), vec![bench.peace(candidate(1, "Peace"))]).await;
    assert_eq!((report.sighted, report.deliveries), (1, 0));
    // An edit is news.
    let report = bench.load(0, day(33), vec![bench.peace(candidate(2, "Failed, corrected"))]).await;
    assert_eq!(report.deliveries, 1);
}

#[tokio::test]
async fn the_log_of_changes_is_cut_and_still_says_when_all_changed() {
    let bench = Bench::new().await;
    for n in 0..450 {
        bench.load(0, day(0), vec![candidate(n, "Old")]).await;
    }
    assert_eq!(bench.days(&KeepRules::default(), 31).await.changes, 0, "the search index has not followed it");
    let backlog = bench.store.unindexed(1000).await.unwrap();
    assert!(bench.index(&backlog).await);
    assert_eq!(bench.count("item_fts_docsize"), bench.count("item WHERE state = 0"));
    assert!(!bench.index(&backlog).await, "it stands elsewhere by now");
    assert_eq!(bench.days(&KeepRules::default(), 32).await.changes, 449);
    let page = bench.store.stream_page(PageRequest { stream: None, limit: 1, before: None }).await.unwrap();
    assert_eq!(page.changed_at, Some(day(0)));
}

#[tokio::test]
async fn what_goes_goes_from_the_search_index_too_and_does_not_come_back_by_a_batch_that_was_read_before() {
    let bench = Bench::new().await;
    bench.load(0, day(0), vec![candidate(1, "Old"), candidate(2, "Old")]).await;
    let first = bench.store.unindexed(1).await.unwrap();
    assert!(bench.index(&first).await);
    let second = bench.store.unindexed(1).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), bench.count("item_fts_docsize")), (1, 1, 1));
    bench.load(0, day(20), vec![candidate(3, "New")]).await;
    assert_eq!(bench.days(&keep(10), 21).await.bodies, 2);
    assert!(bench.index(&second).await);
    assert_eq!(bench.count("item_fts_docsize"), 0);
    assert!(bench.index(&bench.store.unindexed(10).await.unwrap()).await);
    assert_eq!(bench.count("item_fts_docsize"), 1);
}

#[tokio::test]
async fn many_stories_go_in_small_steps_and_polls_are_stored_in_between() {
    let bench = Bench::new().await;
    bench.load(0, day(0), (0..1500).map(|n| candidate(n, "Old")).collect()).await;
    for n in 0..11 {
        bench.run(&KeepRules { now: day(n), ..keep(10) }).await;
    }
    let rules = Arc::new(KeepRules { now: day(11), ..keep(10) });
    let (mut at, mut steps, mut bodies) = (KeepCursor::default(), 0, 0);
    loop {
        let step = bench.store.keep(Arc::clone(&rules), at).await.unwrap();
        assert!(step.rows <= KEEP_ROWS && step.done.bodies <= u64::from(KEEP_ROWS));
        bodies += step.done.bodies;
        steps += usize::from(step.done.bodies > 0);
        bench.load(1, day(11), vec![candidate(10_000 + u32::try_from(steps).unwrap(), "New")]).await;
        match step.next {
            Some(next) => at = next,
            None => break,
        }
    }
    assert_eq!(bodies, 1500);
    assert!(steps >= 1500 / KEEP_ROWS as usize, "{steps}");
    assert!(bench.titles().await.iter().all(|title| title == "New"));
    assert_eq!(i64::try_from(bench.store.health().await.unwrap().items), Ok(bench.count("item WHERE state = 0")));
}

#[tokio::test]
async fn sizes_are_measured_by_feed_the_largest_first() {
    let bench = Bench::new().await;
    let mut big = candidate(1, "Big");
    big.entry.content = Some("x".repeat(50_000));
    bench.load(1, day(0), vec![big]).await;
    bench.load(0, day(0), vec![candidate(2, "Small"), candidate(3, "Small too")]).await;
    bench.load(2, day(0), vec![candidate(3, "Small too")]).await;
    assert_eq!(bench.store.feed_sizes(10).await.unwrap().measured_at, None);
    bench.run(&KeepRules { now: day(0), ..KeepRules::default() }).await;
    let sizes = bench.store.feed_sizes(2).await.unwrap();
    assert_eq!((sizes.measured_at, sizes.more), (Some(day(0)), 1));
    assert_eq!(sizes.feeds.iter().map(|feed| feed.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!((sizes.feeds[0].stories, sizes.feeds[0].body_bytes), (1, 50_003));
    assert_eq!((sizes.feeds[1].stories, sizes.feeds[1].entries), (2, 2));
    let anatomy = bench.store.anatomy(10, day(0)).await.unwrap();
    assert_eq!((anatomy.stories, anatomy.items, anatomy.past), (3, 3, 0));
    assert!(anatomy.identity_bytes > 0 && anatomy.tables.iter().any(|table| table.name == "item_body"));
}

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";

#[test]
fn the_daemon_purges_while_it_polls_and_what_the_origin_still_serves_does_not_return() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    let old = |n: u32| story(&format!("Old peace {n}"), &format!("https://n.example/{n}"), &n.to_string());
    let stories: Vec<_> = (0..300).map(old).collect();
    origin.route("/f", Reply::ok(rss(&stories)));
    let feed = format!("[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f"));
    let rest = format!(
        "[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\n\
         secret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\n[storage]\nkeep = \"30d\"\n",
        receiver.url("/hook")
    );
    let fast = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\n";
    let house = Installation::new(&format!("{fast}{feed}{rest}"));
    let daemon = house.start();
    daemon.until("all are stored", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 100);
    assert_eq!(daemon.stop(), Some(0));
    // Forty days pass. The last one is of today, for rows are not given twice.
    let forty = i64::try_from((40 * DAY).as_millis()).unwrap();
    let db = Connection::open(house.database()).unwrap();
    let sql = "UPDATE item SET first_seen = first_seen - ?1, updated = min(updated, first_seen - ?1)
               WHERE id < (SELECT max(id) FROM item)";
    assert_eq!(db.execute(sql, [forty]).unwrap(), 299);
    drop(db);
    let daemon = house.start();
    daemon.until("the old ones are gone", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    daemon.until("sizes are shown", |d| d.get("/status").text().contains("measured"));
    // The origin goes on to serve them, and has something new.
    let mut served = stories.clone();
    served.insert(0, story("New peace", "https://n.example/new", "new"));
    origin.route("/f", Reply::ok(rss(&served)));
    daemon.until("the new one", |d| d.json("/watch.json")["items"].as_array().unwrap().len() == 2);
    daemon.until("the call", |_| !receiver.calls().is_empty());
    let known = origin.requests("/f").len();
    origin.wait_for("/f", known + 2);
    assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(receiver.calls().len(), 1, "only the new one calls");
}

#[test]
fn the_doctor_says_what_is_wrong_and_exits_1_and_0_when_nothing_is() {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let origin = Origin::start();
    origin.route("/f", Reply::ok(rss(&[story("One", "https://n.example/1", "1")])));
    let feed = format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f"));
    let house = Installation::new(&feed);
    let missing = house.run(&["doctor"]);
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing.stderr));
    assert!(text(&missing.stdout).contains("PROBLEM  database"), "{}", text(&missing.stdout));
    assert!(!house.database().exists());

    assert!(house.run(&["poll"]).status.success());
    let alone = house.run(&["doctor"]);
    assert_eq!(alone.status.code(), Some(0), "{}", text(&alone.stdout));
    assert!(text(&alone.stdout).contains("warning  daemon"), "{}", text(&alone.stdout));
    let daemon = house.start();
    let report = house.run(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    let checks = report["checks"].as_array().unwrap();
    let state = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap()["state"].clone();
    for name in ["config", "daemon", "database", "disk", "clock", "network"] {
        assert_eq!(state(name), "ok", "{name}: {report}");
    }
    let database = &report["database"];
    assert_eq!((&database["stories"], &database["feeds"]["feeds"][0]["name"]), (&1.into(), &"f".into()));
    assert!(database["feeds"]["feeds"][0]["body_bytes"].as_u64().unwrap() > 0);
    // As long as one that a reader has held for a while: what follows its last transaction means nothing.
    let log = std::fs::File::options().write(true).open(house.dir().join("feedmill.db-wal")).unwrap();
    log.set_len(300 << 20).unwrap();
    let long = text(&house.run(&["doctor", "--offline"]).stdout);
    assert!(long.contains("warning  database") && long.contains("takes 314.57 MB"), "{long}");
    assert_eq!(daemon.stop(), Some(0));

    // The database has seen a time that the clock has not reached.
    let db = Connection::open(house.database()).unwrap();
    db.execute("UPDATE change SET at = at + 86400000", []).unwrap();
    drop(db);
    house.configure(&format!("{feed}ignor = 1\n"));
    let out = house.run(&["doctor"]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("PROBLEM  config") && said.contains("ignor") && said.contains("PROBLEM  clock"), "{said}");
    std::fs::write(house.database(), "GIF89a").unwrap();
    let out = house.run(&["doctor"]);
    assert!(text(&out.stdout).contains("no SQLite database"), "{}", text(&out.stdout));
    assert_eq!(out.status.code(), Some(1));
}
