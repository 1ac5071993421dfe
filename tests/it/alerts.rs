//! What the operator is told of feeds: that one broke, and that it recovered, once each, whatever crashes.

use std::sync::Arc;
use std::time::Duration;

use feedmill::domain::feed::{ErrorKind, FeedId, NextPoll, PollError};
use feedmill::domain::time::Timestamp;
use feedmill::domain::webhook::{DeliveryState, EventKind, Subject, WebhookId};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, PollCommit, PollResult, Store, Subscriptions, Want};
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";
const MINUTE: Duration = Duration::from_secs(60);

fn hook(name: &str, url: &str) -> String {
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = \
         [\"127.0.0.0/8\"]\nretry = [\"1s\", \"1s\"]\n"
    )
}

fn body(call: &[u8]) -> Value {
    serde_json::from_slice(call).unwrap()
}

#[test]
fn a_feed_that_is_gone_and_one_that_comes_back_are_told_once_each_through_a_crash() {
    let (origin, ops) = (Origin::start(), Receiver::start(&[SECRET]));
    ops.script([Answer::status(503), Answer::status(200)]);
    let document = rss(&[story("One", "https://n.example/1", "1")]);
    origin.route("/f", Reply::ok(document.clone()));
    origin.route("/other", Reply::ok(document.clone()));
    let config = format!(
        "schedule = \"@hourly\"\nfirst_import = \"notify\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[feed]]\nname = \
         \"other\"\nurl = \"{}\"\n{}[alerts]\nnotify = [\"ops\"]\n",
        origin.url("/f"),
        origin.url("/other"),
        hook("ops", ops.url("/ops").as_str()),
    );
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    assert_eq!(daemon.json("/api/v1/webhooks")["webhooks"][0]["events"], serde_json::json!(["alerts"]));
    origin.route("/f", Reply::status(410));
    house.run(&["poll", "f"]);
    daemon.until("the call and its retry", |_| ops.calls().len() == 2);
    let calls = ops.calls();
    assert!(calls.iter().all(|call| call.accepted == [true]));
    assert_eq!((&calls[0].id, &calls[0].body), (&calls[1].id, &calls[1].body));
    let call = body(&calls[0].body);
    assert_eq!(call["type"], "feed.broken");
    let data = &call["data"];
    assert_eq!((&data["feed"]["name"], &data["feed"]["url"]), (&"f".into(), &origin.url("/f").as_str().into()));
    assert_eq!((&data["errors_in_row"], &data["error"]["http_status"]), (&1.into(), &410.into()));
    assert_eq!(data["since"], call["timestamp"]);
    daemon.until("it is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
    let delivery = daemon.json("/api/v1/deliveries")["deliveries"][0].clone();
    assert_eq!(
        (&delivery["type"], &delivery["feed"], delivery.get("item")),
        (&"feed.broken".into(), &"f".into(), None)
    );
    daemon.kill();
    // It goes on to be gone: that was told.
    let daemon = house.start();
    house.run(&["poll", "f"]);
    origin.route("/f", Reply::ok(document));
    house.run(&["poll", "f"]);
    house.run(&["poll", "f"]);
    daemon.until("the recovery", |_| ops.calls().len() >= 3);
    assert_eq!(daemon.stop(), Some(0));
    let calls = ops.calls();
    assert_eq!(calls.len(), 3, "nothing else is told, and no item");
    let call = body(&calls[2].body);
    assert_eq!((&call["type"], &call["data"]["errors_in_row"]), (&"feed.recovered".into(), &2.into()));
    assert_eq!(call["data"]["since"], data["since"]);
}

#[test]
fn a_name_in_alerts_that_is_no_webhook_is_a_mistake_with_a_hint() {
    let house = Installation::new(&format!("{}[alerts]\nnotify = [\"opps\"]\n", hook("ops", "http://127.0.0.1:9/")));
    let out = house.run(&["check"]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(78));
    assert!(text.contains("no webhook named `opps`") && text.contains("did you mean \"ops\"?"), "{text}");
}

#[test]
fn the_numbers_tell_how_polls_end_what_they_bring_and_how_late_they_are() {
    let origin = Origin::start();
    let document = rss(&[story("One", "https://n.example/1", "1")]);
    origin.script("/f", [Reply::ok(document.clone()).header("etag", "\"1\""), Reply::status(304)]);
    origin.route("/same", Reply::ok(document.clone()));
    let feed = |path: &str| format!("[[feed]]\nname = \"{path}\"\nurl = \"{}\"\n", origin.url(&format!("/{path}")));
    let house = Installation::new(&format!("schedule = \"@hourly\"\n{}{}", feed("f"), feed("same")));
    let daemon = house.start();
    daemon.until("both were polled", |d| d.get("/metrics").text().contains("polls_total{outcome=\"loaded\"} 2"));
    house.run(&["poll"]);
    let text = daemon.get("/metrics").text();
    for line in [
        "feedmill_polls_total{outcome=\"not_modified\"} 1".to_owned(),
        "feedmill_polls_total{outcome=\"unchanged\"} 1".to_owned(),
        format!("feedmill_poll_body_bytes_total {}", document.len() * 3),
        "feedmill_poll_behind_seconds_count 2".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("\"same\""), "no label names a feed");
}

struct Bench {
    store: Arc<dyn Store>,
    feeds: Vec<FeedId>,
    ops: Vec<WebhookId>,
    dir: TempDir,
}

fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()
}

fn open(dir: &TempDir) -> Arc<dyn Store> {
    let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
    Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap())
}

impl Bench {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        let feed = |name: &str| FeedSpec {
            name: name.into(),
            url: Url::parse(&format!("https://{name}.example/rss")).unwrap().into(),
            title: Some("The Courier".into()),
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions {
            feeds: vec![feed("a"), feed("b")],
            webhooks: vec!["ops".to_owned(), "desk".to_owned()],
            ..Subscriptions::default()
        };
        let registry = store.apply_subscriptions(subscriptions, start()).await.unwrap();
        let feeds = registry.feeds.iter().map(|(id, _)| *id).collect();
        Self { store, feeds, ops: registry.webhooks, dir }
    }

    /// Polls a feed so many minutes after the start, each with its end: `.` well, `x` a failure, `g` gone. Gives what is
    /// owed by that.
    async fn poll(&self, feed: usize, minutes: u64, end: char) -> u32 {
        let at = start().plus(MINUTE * u32::try_from(minutes).unwrap());
        let feed = self.feeds[feed];
        let lease = self.store.lease_due_feeds(vec![feed], at, at.plus(MINUTE)).await.unwrap().remove(0);
        let error = PollError { kind: ErrorKind::Timeout, http_status: None, message: "too slow".to_owned() };
        let result = match end {
            '.' => PollResult::NotModified { validators: None, redirect: None },
            'g' => PollResult::Gone(error),
            _ => PollResult::Failed(error),
        };
        let next = NextPoll { due_at: Some(at), ..NextPoll::default() };
        let poll = PollCommit { feed, token: lease.token, at, result, next, alerts: self.ops.as_slice().into() };
        self.store.commit_quiet(vec![poll]).await.unwrap()[0].deliveries
    }

    /// What was owed, oldest first: webhook, kind, feed.
    async fn told(&self) -> Vec<(String, EventKind, String)> {
        let all = self.store.deliveries(None, None, None, 100).await.unwrap();
        all.into_iter().rev().map(|delivery| (delivery.webhook, delivery.kind, delivery.feed.unwrap())).collect()
    }
}

#[tokio::test]
async fn a_feed_is_broken_after_three_failures_over_six_hours_and_only_then_recovers() {
    for (case, polls, told) in [
        ("two failures", "0x 360x 361.", ""),
        ("three within six hours", "0x 100x 359x 400.", ""),
        ("three over six hours", "0x 100x 360x", "360b"),
        ("the third is late", "0x 100x 359x 2000x", "2000b"),
        ("told once", "0x 100x 360x 500x 900x", "360b"),
        ("a success in between", "0x 100. 200x 300x 500x", ""),
        ("recovered", "0x 100x 360x 400. 401.", "360b 400r"),
        ("broken again", "0x 1x 360x 400. 500x 501x 860x 861.", "360b 400r 860b 861r"),
        ("gone", "0g", "0b"),
        ("gone, asked by hand, gone still", "0g 10g 20x 400x", "0b"),
        ("gone and back", "0g 10.", "0b 10r"),
        ("broken, then gone", "0x 1x 360x 400g 500.", "360b 500r"),
    ] {
        let bench = Bench::new().await;
        let mut heard = Vec::new();
        for poll in polls.split(' ') {
            let (minutes, end) = poll.split_at(poll.len() - 1);
            let owed = bench.poll(0, minutes.parse().unwrap(), end.chars().next().unwrap()).await;
            assert!(owed == 0 || owed == 2, "{case}: one a webhook");
            if owed > 0 {
                heard.push(format!("{minutes}{}", if end == "." { "r" } else { "b" }));
            }
        }
        assert_eq!(heard.join(" "), told, "{case}");
        let count = told.split(' ').filter(|word| !word.is_empty()).count();
        assert_eq!(bench.told().await.len(), count * 2, "{case}");
    }
}

#[tokio::test]
async fn what_is_told_survives_a_restart_under_its_id_and_others_are_not_touched() {
    let bench = Bench::new().await;
    for minutes in [0, 100, 360] {
        bench.poll(0, minutes, 'x').await;
    }
    bench.poll(1, 360, 'x').await;
    let told =
        [("ops", "a"), ("desk", "a")].map(|(hook, feed)| (hook.to_owned(), EventKind::FeedBroken, feed.to_owned()));
    assert_eq!(bench.told().await, told);
    let ids = |deliveries: Vec<feedmill::domain::webhook::DeliveryStatus>| -> Vec<String> {
        deliveries.into_iter().map(|delivery| delivery.message_id).collect()
    };
    let before = ids(bench.store.deliveries(None, None, None, 9).await.unwrap());
    let Bench { store, feeds, ops, dir } = bench;
    store.close().await.unwrap();
    drop(store);
    let bench = Bench { store: open(&dir), feeds, ops, dir };
    bench.poll(0, 500, 'x').await;
    assert_eq!(ids(bench.store.deliveries(None, Some(DeliveryState::Pending), None, 9).await.unwrap()), before);
    let now = start().plus(MINUTE * 600);
    let wants = vec![Want { webhook: bench.ops[0], most: 9, strict: false }];
    let leased = bench.store.lease_deliveries(wants, now, now.plus(MINUTE)).await.unwrap();
    let [lease] = leased.deliveries.as_slice() else { panic!("{leased:?}") };
    let Subject::Feed(alert) = &lease.subject else { panic!("{lease:?}") };
    assert_eq!((alert.since, alert.errors_in_row, alert.occurred_at), (start(), 3, start().plus(MINUTE * 360)));
    assert_eq!((alert.feed.name.as_str(), alert.feed.title.as_deref()), ("a", Some("The Courier")));
    assert_eq!(alert.error.as_ref().unwrap().message, "too slow");
    assert!(lease.matches.is_empty() && lease.streams.is_empty());
    assert!(bench.store.delivery(lease.message_id.clone()).await.unwrap().is_some());
}
