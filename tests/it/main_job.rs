//! The main job, end to end: the real binary between a real origin and a real receiver.

use std::collections::HashMap;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"main-job-main-job-main-job-main!";
const SECRET_TEXT: &str = "whsec_bWFpbi1qb2ItbWFpbi1qb2ItbWFpbi1qb2ItbWFpbiE=";

/// Polls every second, and tells of back catalogues.
const FAST: &str = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nbackoff = \"1s\"\n";

fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

fn desk(stream: &str, receiver: &Receiver) -> String {
    format!(
        "[[stream]]\nname = \"watch\"\nmatch = '{stream}'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
         \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \"1s\", \"1s\"]\n",
        receiver.url("/hook")
    )
}

#[test]
fn a_story_in_three_feeds_is_kept_once_published_in_three_formats_and_called_once() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    receiver.script([Answer::status(503), Answer::status(200)]);
    let links = [
        "https://news.example/2026/harbour-peace-talks?utm_source=a",
        "http://www.news.example/2026/harbour-peace-talks/",
        "https://news.example/2026/harbour-peace-talks/amp#respond",
    ];
    let mut config = format!("first_import = \"notify\"\n{FAST}");
    for (n, link) in links.iter().enumerate() {
        let document = rss(&[
            story("Peace talks", link, &format!("g{n}")),
            story("Other", &format!("https://o.example/{n}"), "o"),
        ]);
        origin.route(&format!("/{n}"), Reply::ok(document).header("etag", format!("\"{n}\"")));
        config.push_str(&feed(&format!("f{n}"), &origin.url(&format!("/{n}"))));
    }
    config.push_str(&desk("peace", &receiver));
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("all stories are there", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 4);
    daemon.until("three sightings", |d| {
        d.json("/watch.json")["items"][0]["_feedmill"]["sightings"].as_array().is_some_and(|s| s.len() == 3)
    });
    for n in 0..3 {
        let requests = origin.wait_for(&format!("/{n}"), 2);
        assert_eq!(requests[1].text("if-none-match").unwrap(), format!("\"{n}\""));
    }
    for form in ["atom", "rss", "json"] {
        let answer = daemon.get(&format!("/watch.{form}"));
        assert_eq!((answer.status, answer.text().matches("Peace talks").count() > 0), (200, true));
        let etag = answer.header("etag").unwrap().to_owned();
        assert_eq!(daemon.get_with(&format!("/watch.{form}"), &[("If-None-Match", &etag)]).status, 304);
    }
    daemon.until("the call and its retry", |_| receiver.calls().len() >= 2);
    let calls = receiver.calls();
    assert!(calls.iter().all(|call| call.accepted == [true]));
    assert_eq!((calls[0].id.clone(), &calls[0].body), (calls[1].id.clone(), &calls[1].body));
    let call: serde_json::Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(call["type"], "item.new");
    assert_eq!(call["data"]["streams"][0], "watch");
    assert_eq!(call["data"]["matches"][0]["text"], "Peace");
    daemon.until("it is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
    let owed = daemon.json("/api/v1/deliveries")["deliveries"][0].clone();
    let shown = daemon.json(&format!("/api/v1/deliveries/{}", owed["id"].as_str().unwrap()));
    assert_eq!(owed["attempts"], 2, "{shown:#}\n{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(receiver.calls().len(), 2, "{:?}", receiver.calls().iter().map(|c| c.id.clone()).collect::<Vec<_>>());
}

#[test]
fn two_polls_in_flight_with_one_story_make_one_item() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    let mut config = format!("first_import = \"notify\"\nper_host = 40\n{FAST}");
    for n in 0..40 {
        let link = format!("https://news.example/2026/one-story?utm_campaign=c{n}");
        origin.route(&format!("/{n}"), Reply::ok(rss(&[story("Peace", &link, &format!("g{n}"))])));
        config.push_str(&feed(&format!("f{n}"), &origin.url(&format!("/{n}"))));
    }
    config.push_str(&desk("peace", &receiver));
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("all have seen it", |d| {
        let items = d.json("/all.json")["items"].clone();
        items[0]["_feedmill"]["sightings"].as_array().is_some_and(|s| s.len() == 40)
    });
    assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), 1);
    daemon.until("the call", |_| !receiver.calls().is_empty());
    daemon.stop();
    assert_eq!(receiver.calls().len(), 1);
}

#[test]
fn a_back_catalogue_is_quiet_and_what_comes_later_is_called() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    origin.route("/f", Reply::ok(rss(&[story("Old peace", "https://n.example/1", "1")])));
    let house = Installation::new(&format!("{FAST}{}{}", feed("f", &origin.url("/f")), desk("peace", &receiver)));
    let daemon = house.start();
    daemon.until("the first item", |d| d.json("/watch.json")["items"].as_array().unwrap().len() == 1);
    origin.route(
        "/f",
        Reply::ok(rss(&[
            story("New peace", "https://n.example/2", "2"),
            story("Old peace", "https://n.example/1", "1"),
        ])),
    );
    daemon.until("the call", |_| !receiver.calls().is_empty());
    let call: serde_json::Value = serde_json::from_slice(&receiver.calls()[0].body).unwrap();
    assert_eq!(call["data"]["item"]["title"], "New peace");
    daemon.stop();
    assert_eq!(receiver.calls().len(), 1);
}

#[test]
fn a_restart_asks_nothing_that_is_not_due_and_is_conditional() {
    let origin = Origin::start();
    let document = rss(&[story("One", "https://n.example/1", "1")]);
    origin.route("/f", Reply::ok(document).header("etag", "W/\"odd, 'tag\""));
    let house = Installation::new(&format!("schedule = \"@hourly\"\n{}", feed("f", &origin.url("/f"))));
    let daemon = house.start();
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    let before = daemon.json("/api/v1/feeds")["feeds"][0]["next_poll"].clone();
    let atom = daemon.get("/all.atom");
    daemon.kill();
    let daemon = house.start();
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(origin.requests("/f").len(), 1);
    assert_eq!(daemon.json("/api/v1/feeds")["feeds"][0]["next_poll"], before);
    let again = daemon.get("/all.atom");
    assert_eq!(atom.body, again.body, "a restart moves nothing that is published");
    assert_eq!(atom.header("etag"), again.header("etag"));
    assert!(house.run(&["poll"]).status.success());
    assert_eq!(origin.requests("/f")[1].text("if-none-match").unwrap(), "W/\"odd, 'tag\"");
}

#[test]
fn a_failing_feed_says_why_and_backs_off_while_the_others_go_on() {
    let origin = Origin::start();
    origin.route("/good", Reply::ok(rss(&[story("One", "https://n.example/1", "1")])));
    origin.route("/bad", Reply::status(500));
    origin.route("/html", Reply::ok("<!doctype html><title>No feed</title>"));
    origin.route("/gone", Reply::status(410));
    origin.route("/later", Reply::status(429).header("retry-after", "3600"));
    let names = ["good", "bad", "html", "gone", "later"];
    let feeds: String = names.iter().map(|name| feed(name, &origin.url(&format!("/{name}")))).collect();
    let house = Installation::new(&format!("per_host = 5\nschedule = \"@hourly\"\n{feeds}"));
    let daemon = house.start();
    for name in names {
        origin.wait_for(&format!("/{name}"), 1);
    }
    let states = || -> HashMap<String, serde_json::Value> {
        let feeds = daemon.json("/api/v1/feeds")["feeds"].as_array().unwrap().clone();
        feeds.into_iter().map(|feed| (feed["name"].as_str().unwrap().to_owned(), feed)).collect()
    };
    daemon.until("all were polled", |_| states().values().all(|feed| feed["last_attempt"].is_string()));
    let states = states();
    assert_eq!(states["good"]["state"], "ok");
    assert_eq!((&states["bad"]["state"], &states["bad"]["error"]["http_status"]), (&"failing".into(), &500.into()));
    assert_eq!(states["html"]["error"]["kind"], "parse");
    assert_eq!((&states["gone"]["state"], states["gone"].get("next_poll")), (&"gone".into(), None));
    let table = house.run(&["feeds"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("500") && table.contains("gone"), "{table}");
    // By hand: freshness and schedule give way, Retry-After does not.
    let polled = house.run(&["poll", "--json"]);
    let polled: serde_json::Value = serde_json::from_slice(&polled.stdout).unwrap();
    let later = polled["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == "later").unwrap();
    assert_eq!(later["outcome"], "skipped");
    assert_eq!(origin.requests("/later").len(), 1);
    assert_eq!(daemon.get("/status").status, 200);
}

#[test]
fn every_route_answers_and_hostile_requests_get_a_clear_no() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(rss(&[story("<b>One</b>", "https://n.example/1", "1")])));
    let house = Installation::new(&format!("{FAST}{}", feed("f", &origin.url("/f"))));
    let daemon = house.start();
    daemon.until("the item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    for path in [
        "/",
        "/all",
        "/all.atom",
        "/all.rss",
        "/all.json",
        "/status",
        "/feeds",
        "/feeds.opml",
        "/healthz",
        "/readyz",
        "/metrics",
        "/static/style.css",
        "/api/v1/feeds",
        "/api/v1/items",
        "/api/v1/streams",
        "/api/v1/webhooks",
        "/api/v1/deliveries",
        "/api/v1/items?q=one",
        "/api/v1/matches?q=one&since=30d",
        "/search",
        "/search?q=one",
        "/search?q=one&order=date",
        "/search.atom?q=one",
        "/search.rss?q=one",
        "/search.json?q=one",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    for path in
        ["/nothing", "/nothing.atom", "/all.xml", "/../etc/passwd", "/%2e%2e/x", "/a/b/c", "/.atom", "/all.atom/x"]
    {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    for wrong in ["/api/v1/items?q=(", "/api/v1/matches", "/search?q=(", "/search.atom?q=(", "/search.rss"] {
        assert_eq!(daemon.get(wrong).status, 400, "{wrong}");
    }
    assert_eq!(daemon.request("POST", "/all.atom", &[]).status, 405);
    assert!(matches!(daemon.request("POST", "/api/v1/reload", &[]).status, 401 | 403));
    let head = daemon.request("HEAD", "/all.atom", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    let zipped = daemon.get_with("/all.atom", &[("Accept-Encoding", "gzip")]);
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(daemon.stop(), Some(0));
}
