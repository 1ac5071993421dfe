//! Feeds that move: what is stored, what is taken back, and which feeds become one by it.

use std::sync::Arc;
use std::time::Duration;

use feedmill::domain::decision::{Candidate, Decision, Judge, Known, Survey};
use feedmill::domain::feed::{ErrorKind, FeedId, FeedInfo, Health, NextPoll, PollError};
use feedmill::domain::stream::Match;
use feedmill::domain::time::Timestamp;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    CommitReport, FeedOrder, FeedSpec, FeedStatus, PollCommit, PollResult, Redirect, Registry, Routes, Store,
    Subscriptions,
};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

fn document(n: usize) -> Reply {
    let stories: Vec<_> = (1..=n)
        .rev()
        .map(|n| story(&format!("Story {n}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    Reply::ok(rss(&stories))
}

/// Polls by hand, without a daemon; gives how it ended, by name.
fn poll(house: &Installation) -> Vec<(String, String)> {
    let out = house.run(&["poll", "--json"]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    let word = |feed: &Value, key: &str| feed[key].as_str().unwrap().to_owned();
    report["feeds"].as_array().unwrap().iter().map(|feed| (word(feed, "name"), word(feed, "outcome"))).collect()
}

fn shown(house: &Installation, name: &str) -> Value {
    let out = house.run(&["feeds", name, "--json"]);
    let list: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    list["feeds"][0].clone()
}

#[test]
fn a_move_is_stored_shown_and_taken_back_once_there_is_no_feed_any_more() {
    let origin = Origin::start();
    let (old, new) = (origin.url("/old"), origin.url("/new"));
    origin.route("/old", Reply::redirect(308, "/new"));
    origin.route("/new", document(1).header("etag", "\"new\""));
    let house = Installation::new(&feed("f", &old));
    poll(&house);
    let feed = shown(&house, "f");
    assert_eq!((&feed["url"], &feed["current_url"]), (&old.as_str().into(), &new.as_str().into()));
    let redirects = feed["redirects"].as_array().unwrap().clone();
    assert_eq!((redirects.len(), &redirects[0]["status"]), (1, &308.into()));
    assert_eq!((&redirects[0]["from"], &redirects[0]["to"]), (&old.as_str().into(), &new.as_str().into()));
    poll(&house);
    assert_eq!(origin.requests("/old").len(), 1, "it is asked at its new address");
    assert_eq!(origin.requests("/new").len(), 2);

    // Trouble that passes by itself leads nowhere.
    for reply in [Reply::status(503), Reply::status(404), Reply::status(404), Reply::status(503)] {
        origin.route("/new", reply);
        poll(&house);
    }
    assert_eq!(origin.requests("/old").len(), 1);
    // Three in a row that say that there is no feed. A 410 is one of them, so soon after a move.
    origin.route("/old", Reply::status(500));
    for reply in [Reply::status(404), Reply::status(410), Reply::ok("<html><title>For sale</title></html>")] {
        origin.route("/new", reply);
        assert_eq!(poll(&house), [("f".to_owned(), "failed".to_owned())]);
    }
    poll(&house);
    assert_eq!((origin.requests("/old").len(), origin.requests("/new").len()), (2, 9));
    let feed = shown(&house, "f");
    assert!(feed["error"]["message"].as_str().unwrap().contains(&old), "{feed:#}");
    assert_eq!(feed["current_url"], new.as_str(), "it did not answer there, either");
    // The old address answers again: that is where it is from now on.
    origin.route("/old", document(2));
    for _ in 0..3 {
        poll(&house);
    }
    assert_eq!(poll(&house), [("f".to_owned(), "loaded".to_owned())]);
    let asked = origin.requests("/old");
    assert!(asked.iter().all(|request| request.header("if-none-match").is_none()), "validators stay with their URL");
    let feed = shown(&house, "f");
    assert_eq!((&feed["current_url"], &feed["state"]), (&old.as_str().into(), &"ok".into()));
    assert_eq!(feed["redirects"].as_array().unwrap().len(), 2);
    assert_eq!(feed["redirects"][0].get("status"), None);
    let text = String::from_utf8(house.run(&["feeds", "f"]).stdout).unwrap();
    assert!(text.contains("went back") && text.contains("(308)"), "{text}");
    // And there it stays, whatever happens.
    origin.route("/old", Reply::status(404));
    let before = origin.requests("/new").len();
    for _ in 0..8 {
        poll(&house);
    }
    assert_eq!(origin.requests("/new").len(), before);
    // Another address in the configuration begins anew.
    house.configure(&self::feed("f", &new));
    origin.route("/new", document(3));
    poll(&house);
    assert_eq!(
        (&shown(&house, "f")["current_url"], &shown(&house, "f")["state"]),
        (&new.as_str().into(), &"ok".into())
    );
}

#[test]
fn two_feeds_that_become_one_are_asked_once_and_streams_by_either_name_go_on() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/a", document(1));
    origin.route("/b", document(1));
    let fast = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nbackoff = \"1s\"\n";
    let (a, b) = (feed("a", &origin.url("/a")), feed("b", &origin.url("/b/")));
    let (a, b) = (format!("{a}tags = [\"press\"]\n"), b);
    origin.route("/b/", document(1));
    let rest = format!(
        "[[stream]]\nname = \"by-name\"\nmatch = 'feed:a'\nnotify = [\"desk\"]\n[[stream]]\nname = \"by-tag\"\nmatch = \
         'tag:press'\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = \
         [\"127.0.0.0/8\"]\n",
        receiver.url("/hook")
    );
    let house = Installation::new(&format!("{fast}{a}{b}{rest}"));
    let daemon = house.start();
    let feeds = |daemon: &crate::support::daemon::Daemon| daemon.json("/api/v1/feeds")["feeds"].clone();
    daemon
        .until("both are loaded", |d| feeds(d).as_array().unwrap().iter().all(|feed| feed["last_success"].is_string()));
    // The address differs by a slash; it is one all the same.
    origin.route("/a", Reply::redirect(301, "/b"));
    daemon.until("they are one", |d| feeds(d)[0]["merged"]["into"] == "b");
    let merged = feeds(&daemon)[0].clone();
    assert_eq!((merged.get("next_poll"), &merged["state"]), (None, &"ok".into()), "{merged:#}");
    assert!(merged["next_poll_reason"].as_str().unwrap().contains("address of b"), "{merged:#}");
    assert!(daemon.get("/status").text().contains("merged into b"));
    let text = String::from_utf8(house.run(&["feeds"]).stdout).unwrap();
    assert!(text.contains("a: merged into b since"), "{text}");
    // What b brings now is called for as an item of a.
    let asked = origin.requests("/a").len();
    origin.route("/b/", document(2));
    daemon.until("the call", |_| !receiver.calls().is_empty());
    let call: Value = serde_json::from_slice(&receiver.calls()[0].body).unwrap();
    assert_eq!((&call["data"]["item"]["title"], &call["data"]["streams"][0]), (&"Story 2".into(), &"by-name".into()));
    for stream in ["/by-name.json", "/by-tag.json"] {
        assert_eq!(daemon.json(stream)["items"].as_array().unwrap().len(), 2, "{stream}");
    }
    let story = daemon.json("/by-name.json")["items"][1]["_feedmill"]["sightings"].clone();
    assert_eq!(story.as_array().unwrap().len(), 2, "sightings stay: {story:#}");
    assert_eq!(origin.requests("/a").len(), asked, "a is asked no more");
    assert_eq!(daemon.log().matches("asked in its place").count(), 1, "{}", daemon.log());
    // A restart asks it no more than before, and a stream that is filled anew takes the other's items in.
    daemon.kill();
    house.configure(&format!("{fast}{a}{b}{}", rest.replace("match = 'tag:press'", "match = 'tag:press -nothing'")));
    let daemon = house.start();
    daemon.until("the stream is filled", |d| d.json("/by-tag.json")["items"].as_array().unwrap().len() == 2);
    assert_eq!(origin.requests("/a").len(), asked);
    assert_eq!(daemon.log().matches("asked in its place").count(), 1);
    // The other is switched off: this one is on its own again, at once, where it had moved.
    let before = origin.requests("/b").len();
    origin.route("/b", document(3));
    house.configure(&format!("{fast}{a}{b}enabled = false\n{rest}"));
    assert!(house.run(&["reload"]).status.success());
    origin.wait_for("/b", before + 1);
    daemon.until("it is on its own", |d| feeds(d)[0].get("merged").is_none() && feeds(d)[0]["next_poll"].is_string());
    daemon.until("the story", |d| d.json("/by-name.json")["items"].as_array().unwrap().len() == 3);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn feeds_with_one_target_from_the_start_are_one_and_those_with_credentials_or_a_temporary_redirect_are_not() {
    let origin = Origin::start();
    origin.route("/target", document(1));
    for (path, status) in [("/one", 301), ("/two", 308), ("/secret", 301), ("/while", 302), ("/then", 307)] {
        origin.route(path, Reply::redirect(status, "/target"));
    }
    origin.route("/mixed", Reply::redirect(301, "/then"));
    let feeds: String = ["one", "two", "while", "mixed"].map(|n| feed(n, &origin.url(&format!("/{n}")))).concat();
    let secret = format!("{}username = \"me\"\npassword = \"pw\"\n", feed("secret", &origin.url("/secret")));
    let house = Installation::new(&format!("per_host = 1\n{feeds}{secret}"));
    poll(&house);
    let merged = || {
        let list: Value = serde_json::from_slice(&house.run(&["feeds", "--json"]).stdout).unwrap();
        let into =
            |feed: &Value| Some((feed["name"].as_str()?.to_owned(), feed["merged"]["into"].as_str()?.to_owned()));
        list["feeds"].as_array().unwrap().iter().filter_map(into).collect::<Vec<_>>()
    };
    let first = merged();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(["one", "two"].contains(&first[0].0.as_str()) && ["one", "two"].contains(&first[0].1.as_str()));
    // All that are asked on their own are asked; the merged one is not.
    let polled: Vec<String> = poll(&house).into_iter().map(|(name, _)| name).collect();
    assert_eq!(polled.len(), 4, "{polled:?}");
    assert!(!polled.contains(&first[0].0));
    // By its name it is, and is merged all the same.
    assert!(house.run(&["poll", &first[0].0]).status.success());
    assert_eq!(merged(), first);
    // Another address for the one that is asked, and both are on their own.
    origin.route("/other", document(1));
    let kept = &first[0].1;
    let (from, to) = (format!("/{kept}\""), "/other\"".to_owned());
    house.configure(&format!("per_host = 1\n{}{secret}", feeds.replace(&from, &to)));
    poll(&house);
    assert_eq!(merged(), []);
}

/// For documents without entries: it is never asked.
struct Nobody;

impl Judge for Nobody {
    fn decide(&self, _: &Known, _: &Candidate, _: &Survey) -> Decision {
        Decision::Same
    }

    fn rematch(&self, _: &Candidate, _: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

struct Bench {
    store: Arc<dyn Store>,
    registry: Registry,
    now: Timestamp,
    _dir: TempDir,
}

fn spec(name: &str, url: &str) -> FeedSpec {
    FeedSpec {
        name: name.into(),
        url: Url::parse(url).unwrap().into(),
        title: None,
        enabled: true,
        own_headers: false,
        private: false,
    }
}

fn error(kind: ErrorKind, http_status: Option<u16>) -> PollError {
    PollError { kind, http_status, message: "no".to_owned() }
}

impl Bench {
    async fn new(feeds: &[FeedSpec]) -> Self {
        let dir = TempDir::new().unwrap();
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap());
        let now = Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap();
        let mut bench = Self { store, registry: Registry::default(), now, _dir: dir };
        bench.apply(feeds).await;
        bench
    }

    async fn apply(&mut self, feeds: &[FeedSpec]) {
        let subscriptions = Subscriptions { feeds: feeds.to_vec(), ..Subscriptions::default() };
        self.registry = self.store.apply_subscriptions(subscriptions, self.now).await.unwrap();
    }

    async fn commit(&mut self, feed: usize, result: PollResult) -> CommitReport {
        self.now = self.now.plus(HOUR);
        let (id, _) = self.registry.feeds[feed];
        let lease = self.store.lease_due_feeds(vec![id], self.now, self.now.plus(HOUR)).await.unwrap().remove(0);
        let next = NextPoll { due_at: Some(self.now.plus(DAY)), ..NextPoll::default() };
        let poll = PollCommit { feed: id, token: lease.token, at: self.now, result, next, alerts: Arc::default() };
        self.store.commit_poll(poll, Arc::new(Nobody), Arc::new(Routes::new())).await.unwrap()
    }

    /// Loads a feed; `moved` is where a permanent redirect led it.
    async fn load(&mut self, feed: usize, moved: Option<&str>) -> CommitReport {
        let from = self.status(feed).await.state.current_url;
        let redirect = moved.map(|to| Redirect { status: Some(301), from, to: to.to_owned() });
        let result = PollResult::Loaded {
            info: Box::new(FeedInfo::default()),
            candidates: Vec::new(),
            quiet: false,
            habits: None,
            cadence: None,
            validators: None,
            body_hash: 1,
            redirect,
        };
        self.commit(feed, result).await
    }

    async fn status(&self, feed: usize) -> FeedStatus {
        let (id, _) = self.registry.feeds[feed];
        self.store.feed_status().await.unwrap().into_iter().find(|status| status.feed == id).unwrap()
    }

    async fn merged(&self, feed: usize) -> Option<String> {
        self.status(feed).await.merged.map(|merged| merged.into)
    }
}

#[tokio::test]
async fn a_move_to_another_feeds_address_makes_one_of_the_two_in_whatever_spelling() {
    for (case, other, to, one) in [
        ("the same", "https://b.example/f", "https://b.example/f", true),
        ("scheme", "http://b.example/f", "https://b.example/f", true),
        ("slash", "https://b.example/f/", "https://b.example/f", true),
        ("fragment", "https://b.example/f#x", "https://b.example/f", true),
        ("query", "https://b.example/f?x=1", "https://b.example/f", false),
        ("port", "https://b.example:8443/f", "https://b.example/f", false),
        ("host", "https://www.b.example/f", "https://b.example/f", false),
    ] {
        let mut bench = Bench::new(&[spec("a", "https://a.example/f"), spec("b", other)]).await;
        bench.load(0, Some(to)).await;
        assert_eq!(bench.merged(0).await, None, "{case}: b was never loaded, what it brings is yet to be seen");
        let report = bench.load(1, None).await;
        let (a, b) = (bench.registry.feeds[0].0, bench.registry.feeds[1].0);
        assert_eq!(report.unions.joined, if one { vec![(a, b)] } else { vec![] }, "{case}");
        assert_eq!(bench.merged(0).await, one.then(|| "b".to_owned()), "{case}");
        assert_eq!(bench.status(0).await.state.due_at.is_none(), one, "{case}");
        let lease = bench.store.lease_due_feeds(vec![b], bench.now, bench.now.plus(HOUR)).await.unwrap().remove(0);
        assert_eq!(lease.also, if one { vec![a] } else { vec![] }, "{case}");
    }
}

#[tokio::test]
async fn a_304_behind_a_permanent_redirect_is_a_move_like_any_other() {
    let mut bench = Bench::new(&[spec("a", "https://a.example/f"), spec("b", "https://b.example/f")]).await;
    bench.load(0, None).await;
    bench.load(1, None).await;
    let (from, to) = ("https://a.example/f".to_owned(), "https://b.example/f".to_owned());
    let redirect = Some(Redirect { status: Some(308), from, to });
    let report = bench.commit(0, PollResult::NotModified { validators: None, redirect }).await;
    assert_eq!(report.unions.joined, [(bench.registry.feeds[0].0, bench.registry.feeds[1].0)]);
    let status = bench.status(0).await;
    assert_eq!((status.moves.len(), status.state.due_at, status.state.moved.is_some()), (1, None, true));
    assert_eq!(bench.store.merged_feeds().await.unwrap(), [("a".to_owned(), "b".to_owned())]);
}

#[tokio::test]
async fn what_is_configured_at_one_address_without_a_move_stays_two() {
    let mut bench = Bench::new(&[spec("a", "http://b.example/f"), spec("b", "https://b.example/f")]).await;
    bench.load(0, None).await;
    assert_eq!(bench.load(1, None).await.unions.joined, []);
    // When the one moves to the other's scheme, it is a move like any other.
    let report = bench.load(0, Some("https://b.example/f")).await;
    assert_eq!(report.unions.joined, [(bench.registry.feeds[0].0, bench.registry.feeds[1].0)]);
}

#[tokio::test]
async fn a_union_ends_when_the_other_is_removed_switched_off_locked_moved_by_hand_or_broken() {
    let (a, b) = (spec("a", "https://a.example/f"), spec("b", "https://b.example/f"));
    for (case, others) in [
        ("removed", vec![]),
        ("switched off", vec![FeedSpec { enabled: false, ..b.clone() }]),
        ("locked", vec![FeedSpec { own_headers: true, ..b.clone() }]),
        ("another address", vec![spec("b", "https://c.example/f")]),
    ] {
        let mut bench = Bench::new(&[a.clone(), b.clone()]).await;
        bench.load(1, None).await;
        bench.load(0, Some("https://b.example/f")).await;
        assert_eq!(bench.merged(0).await.as_deref(), Some("b"), "{case}");
        let feeds: Vec<FeedSpec> = std::iter::once(a.clone()).chain(others).collect();
        bench.apply(&feeds).await;
        assert_eq!(bench.merged(0).await, None, "{case}");
        assert!(bench.registry.feeds[0].1.is_some_and(|due| due <= bench.now), "{case}: it is due");
        // Undone in the configuration, done again.
        bench.apply(&[a.clone(), b.clone()]).await;
        let again = bench.merged(0).await;
        if again.is_none() {
            // Its address is new to it: it is to be loaded first.
            bench.load(1, None).await;
        }
        assert_eq!(bench.merged(0).await.as_deref(), Some("b"), "{case}");
    }
    let mut bench = Bench::new(&[a, b]).await;
    bench.load(1, None).await;
    bench.load(0, Some("https://b.example/f")).await;
    let gone = PollResult::Gone(error(ErrorKind::Http, Some(410)));
    assert_eq!(bench.commit(1, gone).await.unions.parted, [bench.registry.feeds[0].0]);
    assert_eq!((bench.merged(0).await, bench.status(0).await.state.due_at.is_some()), (None, true));
    // It recovers, and they are one again.
    assert_eq!(bench.load(1, None).await.unions.joined, [(bench.registry.feeds[0].0, bench.registry.feeds[1].0)]);
}

#[tokio::test]
async fn those_who_are_one_with_a_feed_follow_it_into_a_third() {
    let feeds = [spec("a", "https://a.example/f"), spec("b", "https://b.example/f"), spec("c", "https://c.example/f")];
    let mut bench = Bench::new(&feeds).await;
    for feed in [1, 2] {
        bench.load(feed, None).await;
    }
    bench.load(0, Some("https://b.example/f")).await;
    bench.load(1, Some("https://c.example/f")).await;
    assert_eq!((bench.merged(0).await.as_deref(), bench.merged(1).await.as_deref()), (Some("c"), Some("c")));
    assert_eq!(bench.merged(2).await, None);
}

#[tokio::test]
async fn the_history_of_moves_is_bounded() {
    let mut bench = Bench::new(&[spec("a", "https://a.example/0")]).await;
    for n in 1..=70 {
        bench.load(0, Some(&format!("https://a.example/{n}"))).await;
    }
    let moves = bench.status(0).await.moves;
    assert_eq!((moves.len(), moves[0].to.as_str()), (FeedStatus::MOVES, "https://a.example/70"));
}

#[tokio::test]
async fn a_pause_parts_feeds_that_are_one_and_a_commit_under_way_does_not_end_it() {
    let mut bench = Bench::new(&[spec("a", "https://a.example/f"), spec("b", "https://b.example/f")]).await;
    bench.load(1, None).await;
    bench.load(0, Some("https://b.example/f")).await;
    let (a, b) = (bench.registry.feeds[0].0, bench.registry.feeds[1].0);
    assert_eq!(bench.merged(0).await.as_deref(), Some("b"));

    let order = |name: &str, order: FeedOrder| bench.store.order_feed(name.to_owned(), order, bench.now);
    let paused = order("b", FeedOrder::Pause).await.unwrap().unwrap();
    assert_eq!((paused.feed, paused.due, paused.unions.parted), (b, None, vec![a]), "a is asked in its own place");
    assert_eq!(order("none", FeedOrder::Pause).await.unwrap(), None);
    assert_eq!(bench.store.paused_feeds().await.unwrap(), ["b"]);
    for result in
        [PollResult::NotModified { validators: None, redirect: None }, PollResult::Failed(error(ErrorKind::Dns, None))]
    {
        bench.commit(1, result).await;
        let state = bench.status(1).await.state;
        assert_eq!((state.due_at, state.health(bench.now)), (None, Health::Paused));
    }
    bench.load(1, None).await;
    assert_eq!((bench.status(1).await.state.due_at, bench.merged(0).await), (None, None));

    let resumed = bench.store.order_feed("b".to_owned(), FeedOrder::Resume, bench.now).await.unwrap().unwrap();
    assert_eq!((resumed.due, resumed.unions.joined), (Some(bench.now), vec![(a, b)]), "and they are one again");
    assert!(bench.store.paused_feeds().await.unwrap().is_empty());
    bench.store.order_feed("a".to_owned(), FeedOrder::Pause, bench.now).await.unwrap();
    bench.apply(&[spec("a", "https://elsewhere.example/f"), spec("b", "https://b.example/f")]).await;
    assert_eq!(bench.registry.feeds[0].1, None, "another address does not end it either");
}
