//! Short links, followed by the real daemon: what is learnt, what is not, and how two stories become one and are parted.

use std::time::Duration;

use feedmill::domain::time::{Clock as _, SystemClock};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::Value;

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const SECRET: &[u8] = b"resolve-resolve-resolve-resolve!";
const SECRET_TEXT: &str = "whsec_cmVzb2x2ZS1yZXNvbHZlLXJlc29sdmUtcmVzb2x2ZSE=";
const FAST: &str = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\nbackoff = \"1s\"\n";
/// Short links are on `localhost`, long ones on `127.0.0.1`: two hosts, one origin.
const RESOLVE: &str = "[identity]\nresolve = [\"localhost\"]\n";

fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n")
}

fn short(origin: &Origin, path: &str) -> String {
    format!("http://localhost:{}{path}", origin.address().port())
}

fn items(daemon: &Daemon) -> Vec<Value> {
    daemon.json("/all.json")["items"].as_array().unwrap().clone()
}

fn database(house: &Installation) -> Connection {
    Connection::open_with_flags(house.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Outcome, tries, and when it is tried again, of the item with this link.
fn resolution(house: &Installation, link: &str) -> Option<(Option<String>, u32, Option<i64>)> {
    database(house)
        .query_row(
            "SELECT outcome, tries, next_at FROM resolution JOIN item ON id = item_id WHERE link = ?1",
            [link],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .unwrap()
}

fn until_tried(daemon: &Daemon, house: &Installation, link: &str) -> String {
    daemon.until(link, |_| resolution(house, link).is_some_and(|(outcome, ..)| outcome.is_some()));
    resolution(house, link).and_then(|(outcome, ..)| outcome).unwrap()
}

/// Where an address leads, and whose word that is.
fn alias(house: &Installation, from: &str) -> Option<(String, String)> {
    database(house)
        .query_row("SELECT to_key, source FROM alias WHERE from_key = ?1", [from], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two feeds with one story: `/a` has the short link, `/b` the long one.
struct Pair {
    origin: Origin,
    house: Installation,
}

impl Pair {
    fn new(before: &str, after: &str) -> Self {
        let origin = Origin::start();
        origin.route("/s", Reply::redirect(301, origin.url("/2026/peace")));
        origin.route("/2026/peace", Reply::ok("<title>Peace</title>").header("Content-Type", "text/html"));
        origin.route("/a", Reply::ok(rss(&[story("Peace", &short(&origin, "/s"), "a1")])));
        origin.route("/b", Reply::ok(rss(&[story("Peace", &origin.url("/2026/peace"), "b1")])));
        let feeds = [feed("a", &origin.url("/a")), feed("b", &origin.url("/b"))].concat();
        let house = Installation::new(&format!("{before}{FAST}{feeds}{after}"));
        Self { origin, house }
    }

    /// Both are stored before anything is followed: else the second is known when it comes, and nothing is made one.
    fn slow(&self) {
        let there = Reply::redirect(301, self.origin.url("/2026/peace"));
        self.origin.route("/s", there.after(Duration::from_secs(3)));
    }

    fn merged(&self, daemon: &Daemon) {
        daemon.until("the two are one", |d| {
            let items = items(d);
            items.len() == 1 && items[0]["_feedmill"]["sightings"].as_array().is_some_and(|s| s.len() == 2)
        });
    }
}

#[test]
fn a_short_link_and_a_long_one_become_one_item_and_nobody_is_called_about_it() {
    let receiver = Receiver::start(&[SECRET]);
    let hook = format!(
        "{RESOLVE}[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
         \"{}\"\nsecret = \"{SECRET_TEXT}\"\nevents = [\"new\", \"updated\"]\nallow_networks = [\"127.0.0.0/8\"]\n",
        receiver.url("/hook")
    );
    let pair = Pair::new("first_import = \"notify\"\n", &hook);
    pair.slow();
    let daemon = pair.house.start();
    daemon.until("a call for each of two items", |_| receiver.calls().len() == 2);
    pair.merged(&daemon);
    assert_eq!(daemon.json("/watch.json")["items"].as_array().unwrap().len(), 1);
    let asked = pair.origin.requests("/s")[0].clone();
    assert!(asked.text("user-agent").unwrap().starts_with("Feedmill/"));
    assert!(["cookie", "referer", "authorization"].iter().all(|name| asked.header(name).is_none()));
    // Later polls bring both again: known.
    let polls = pair.origin.requests("/a").len();
    pair.origin.wait_for("/a", polls + 2);
    assert_eq!((items(&daemon).len(), pair.origin.requests("/s").len()), (1, 1));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(receiver.calls().len(), 2);
}

#[test]
fn once_a_short_link_is_known_the_long_one_is_no_new_story() {
    let receiver = Receiver::start(&[SECRET]);
    let hook = format!(
        "{RESOLVE}[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
         \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\n",
        receiver.url("/hook")
    );
    let pair = Pair::new("first_import = \"notify\"\n", &hook);
    pair.origin.route("/b", Reply::status(503));
    let daemon = pair.house.start();
    until_tried(&daemon, &pair.house, &short(&pair.origin, "/s"));
    pair.origin.route("/b", Reply::ok(rss(&[story("Peace", &pair.origin.url("/2026/peace"), "b1")])));
    pair.merged(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(receiver.calls().len(), 1);
}

/// Path of the short link, what is answered there and further on, what is learnt (path and source), and the outcome.
type Case = (&'static str, fn(&Origin), Option<(&'static str, &'static str)>, &'static str);
const CASES: &[Case] = &[
    ("/p301", |o| o.route("/p301", Reply::redirect(301, o.url("/n"))), Some(("/n", "redirect")), "answered"),
    (
        "/p308",
        |o| o.route("/p308", Reply::redirect(308, o.url("/n?utm_source=x"))),
        Some(("/n", "redirect")),
        "answered",
    ),
    ("/t302", |o| o.route("/t302", Reply::redirect(302, o.url("/n"))), None, "answered"),
    ("/t307", |o| o.route("/t307", Reply::redirect(307, o.url("/n"))), None, "answered"),
    (
        "/mixed",
        |o| {
            o.route("/mixed", Reply::redirect(301, o.url("/gate")));
            o.route("/gate", Reply::redirect(302, o.url("/n")));
        },
        Some(("/gate", "redirect")),
        "answered",
    ),
    (
        "/late",
        |o| {
            o.route("/late", Reply::redirect(303, o.url("/gate")));
            o.route("/gate", Reply::redirect(301, o.url("/n")));
        },
        None,
        "answered",
    ),
    (
        "/chain",
        |o| {
            o.route("/chain", Reply::redirect(301, o.url("/one")));
            o.route("/one", Reply::redirect(308, "/two#c2"));
            o.route("/two", Reply::ok("x"));
        },
        Some(("/two#c2", "redirect")),
        "answered",
    ),
    (
        "/loop",
        |o| {
            o.route("/loop", Reply::redirect(301, o.url("/back")));
            o.route("/back", Reply::redirect(301, "/back"));
        },
        None,
        "astray",
    ),
    ("/far", |o| o.route("/far", Reply::redirect(301, "http://10.11.12.13/n")), None, "refused"),
    ("/meta", |o| o.route("/meta", Reply::redirect(301, "http://169.254.169.254/latest")), None, "refused"),
    ("/file", |o| o.route("/file", Reply::redirect(301, "file:///etc/passwd")), None, "refused"),
    ("/lost", |o| o.route("/lost", Reply::redirect(301, o.url("/nothing"))), None, "gone"),
    (
        "/wall",
        |o| {
            o.route("/wall", Reply::redirect(301, o.url("/paid")));
            o.route("/paid", Reply::status(403));
        },
        Some(("/paid", "redirect")),
        "closed",
    ),
    ("/home", |o| o.route("/home", Reply::redirect(301, o.url("/"))), None, "gone"),
    (
        "/canon",
        |o| {
            o.route("/canon", Reply::redirect(301, o.url("/v1")));
            let page = format!("<head><link rel=canonical href='{}'>", o.url("/story"));
            o.route("/v1", Reply::ok(page).header("Content-Type", "text/html"));
        },
        Some(("/story", "")),
        "answered",
    ),
    (
        "/claim",
        |o| {
            o.route("/claim", Reply::redirect(301, o.url("/v1")));
            let page = "<head><link rel=canonical href='https://victim.example/story'>";
            o.route("/v1", Reply::ok(page).header("Content-Type", "text/html"));
        },
        Some(("/v1", "redirect")),
        "answered",
    ),
    (
        "/huge",
        |o| {
            o.route("/huge", Reply::redirect(301, o.url("/big")));
            let page = format!("<head><link rel=canonical href='{}'>", o.url("/story"));
            let block = "<!-- x -->".repeat(6_000);
            o.route("/big", Reply::ok(page).header("Content-Type", "text/html").chunked().endless(block));
        },
        Some(("/story", "")),
        "answered",
    ),
];

#[test]
fn only_what_is_permanent_and_leads_to_a_story_is_learnt() {
    let origins: Vec<Origin> = CASES.iter().map(|_| Origin::start()).collect();
    let mut stories = Vec::new();
    for ((path, set, ..), origin) in CASES.iter().zip(&origins) {
        origin.route("/n", Reply::ok("x"));
        set(origin);
        stories.push(story(&format!("Story {path}"), &short(origin, path), path));
    }
    let publisher = Origin::start();
    publisher.route("/f", Reply::ok(rss(&stories)));
    let house = Installation::new(&format!("{FAST}{}{RESOLVE}", feed("f", &publisher.url("/f"))));
    let daemon = house.start();
    for ((path, _, learnt, outcome), origin) in CASES.iter().zip(&origins) {
        let link = short(origin, path);
        assert_eq!(until_tried(&daemon, &house, &link), *outcome, "{path}\n{}", daemon.log());
        let found = alias(&house, &link);
        match learnt {
            None => assert_eq!(found, None, "{path}"),
            Some((to, source)) => {
                let (key, by) = found.unwrap_or_else(|| panic!("{path}: nothing was learnt\n{}", daemon.log()));
                assert_eq!(key, origin.url(to), "{path}");
                assert!(source.is_empty() || by == *source, "{path}: {by}");
            }
        }
    }
    assert_eq!(items(&daemon).len(), CASES.len());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_page_makes_one_of_two_items_only_where_it_may_speak_and_they_say_the_same() {
    let (origin, other) = (Origin::start(), Origin::start());
    let page =
        |to: &str| Reply::ok(format!("<head><link rel=canonical href='{to}'>")).header("Content-Type", "text/html");
    // Each `/s…` answers itself: on a short host a page may name any other.
    origin.route("/same", Reply::redirect(301, origin.url("/old")));
    origin.route("/old", page("/new"));
    other.route("/differs", Reply::redirect(301, other.url("/elsewhere")));
    other.route("/elsewhere", page("/strange"));
    origin.route(
        "/a",
        Reply::ok(rss(&[story("Same", &short(&origin, "/same"), "1"), story("This", &short(&other, "/differs"), "2")])),
    );
    origin.route(
        "/b",
        Reply::ok(rss(&[story("Same", &origin.url("/new"), "1"), story("That", &other.url("/strange"), "2")])),
    );
    let feeds = [feed("a", &origin.url("/a")), feed("b", &origin.url("/b"))].concat();
    let house = Installation::new(&format!("per_host = 2\n{FAST}{feeds}"));
    // All are stored before the first is followed.
    assert!(house.run(&["poll"]).status.success());
    house.configure(&format!("{FAST}{feeds}{RESOLVE}"));
    let daemon = house.start();
    until_tried(&daemon, &house, &short(&other, "/differs"));
    daemon.until("the same ones are one", |d| items(d).len() == 3);
    let merges = daemon.json("/api/v1/merges");
    assert_eq!(merges["merges"].as_array().unwrap().len(), 1, "{merges:#}");
    assert_eq!((&merges["merges"][0]["reason"], &merges["merges"][0]["title"]), (&"canonical".into(), &"Same".into()));
    let one = merges["merges"][0]["item"].as_i64().unwrap();
    assert_eq!(daemon.json(&format!("/api/v1/merges?item={one}")), merges);
    assert_eq!(daemon.json("/api/v1/merges?item=9999")["merges"], Value::Array(vec![]));
    assert_eq!(daemon.get("/api/v1/merges?limit=0").status, 400);
}

#[test]
fn a_host_that_has_had_enough_is_left_alone_for_an_hour_at_least() {
    let (tired, polite, fine) = (Origin::start(), Origin::start(), Origin::start());
    for path in ["/1", "/2"] {
        tired.route(path, Reply::status(429));
        polite.route(path, Reply::status(429).header("Retry-After", "7200"));
    }
    fine.route("/1", Reply::redirect(301, fine.url("/n")));
    fine.route("/n", Reply::ok("x"));
    let links: Vec<String> = ["/1", "/2"].iter().flat_map(|path| [short(&tired, path), short(&polite, path)]).collect();
    let mut stories: Vec<_> = links.iter().map(|link| story(&format!("T {link}"), link, link)).collect();
    stories.push(story("Fine", &short(&fine, "/1"), "fine"));
    fine.route("/f", Reply::ok(rss(&stories)));
    let house = Installation::new(&format!("{FAST}{}{RESOLVE}", feed("f", &fine.url("/f"))));
    let begun = SystemClock.now().as_ms();
    let daemon = house.start();
    daemon.until("all hosts were asked", |_| {
        let held: i64 = database(&house).query_row("SELECT count(*) FROM resolution_hold", [], |r| r.get(0)).unwrap();
        held == 2 && alias(&house, &short(&fine, "/1")).is_some()
    });
    std::thread::sleep(Duration::from_secs(3));
    for (origin, seconds) in [(&tired, 3_600), (&polite, 7_200)] {
        assert_eq!(origin.all_requests().len(), 1, "the second link waits with its host");
        let until: i64 = database(&house)
            .query_row(
                "SELECT until FROM resolution_hold WHERE host = ?1",
                [format!("localhost:{}", origin.address().port())],
                |row| row.get(0),
            )
            .unwrap();
        assert!((seconds * 1_000..(seconds + 60) * 1_000).contains(&(until - begun)), "{}", until - begun);
    }
    // A restart has not forgotten it.
    daemon.kill();
    let daemon = house.start();
    let polls = fine.requests("/f").len();
    fine.wait_for("/f", polls + 2);
    assert_eq!((tired.all_requests().len(), polite.all_requests().len()), (1, 1));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_failure_is_tried_again_three_times_later_and_later_and_then_never() {
    let origin = Origin::start();
    origin.route("/s", Reply::status(500));
    origin.route("/f", Reply::ok(rss(&[story("Peace", &short(&origin, "/s"), "1")])));
    let house = Installation::new(&format!("{FAST}{}{RESOLVE}", feed("f", &origin.url("/f"))));
    let link = short(&origin, "/s");
    let mut waits = Vec::new();
    for tries in 1..=4 {
        let daemon = house.start();
        daemon.until("it was tried", |_| resolution(&house, &link).is_some_and(|(_, n, _)| n == tries));
        let (outcome, _, next) = resolution(&house, &link).unwrap();
        assert_eq!(outcome.as_deref(), Some("failed"));
        waits.push(next.map(|next| (next - SystemClock.now().as_ms()) / 60_000));
        assert_eq!(daemon.stop(), Some(0));
        let db = Connection::open(house.database()).unwrap();
        db.execute("UPDATE resolution SET next_at = 0 WHERE next_at IS NOT NULL", []).unwrap();
    }
    assert!(matches!(waits[..], [Some(a), Some(b), Some(c), None] if a >= 8 && b > a && c > b), "{waits:?}");
    let daemon = house.start();
    let polls = origin.requests("/f").len();
    origin.wait_for("/f", polls + 2);
    assert_eq!(origin.requests("/s").len(), 4);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_host_that_says_nothing_delays_no_feed_and_a_stop_does_not_wait_for_it() {
    let (slow, fine) = (Origin::start(), Origin::start());
    slow.route("/s", Reply::hang());
    fine.route("/f", Reply::ok(rss(&[story("Peace", &short(&slow, "/s"), "1")])));
    let house = Installation::new(&format!("{FAST}{}{RESOLVE}", feed("f", &fine.url("/f"))));
    let daemon = house.start();
    slow.wait_for("/s", 1);
    let polls = fine.requests("/f").len();
    fine.wait_for("/f", polls + 3);
    let begun = std::time::Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "a stop cuts it off");
    // Nothing was written about it: it is asked again.
    let (outcome, tries, next) = resolution(&house, &short(&slow, "/s")).unwrap();
    assert_eq!((outcome, tries), (None, 0));
    assert!(next.is_some());
}

#[test]
fn nothing_is_followed_unless_it_is_asked_for_and_a_reload_begins_and_ends_it() {
    let pair = Pair::new("", "");
    let rest = |more: &str| {
        let feeds = [feed("a", &pair.origin.url("/a")), feed("b", &pair.origin.url("/b"))].concat();
        pair.house.configure(&format!("{FAST}{feeds}{more}"));
    };
    let daemon = pair.house.start();
    pair.origin.wait_for("/a", 3);
    pair.origin.wait_for("/b", 3);
    assert_eq!((pair.origin.requests("/s").len(), pair.origin.requests("/2026/peace").len()), (0, 0));
    assert_eq!(items(&daemon).len(), 2);
    // Other hosts than that of the link.
    rest("[identity]\nresolve = [\"t.co\"]\n");
    assert!(pair.house.run(&["reload"]).status.success());
    let polls = pair.origin.requests("/a").len();
    pair.origin.wait_for("/a", polls + 2);
    assert_eq!(pair.origin.requests("/s").len(), 0);
    rest(RESOLVE);
    assert!(pair.house.run(&["reload"]).status.success());
    pair.merged(&daemon);
    rest("");
    assert!(pair.house.run(&["reload"]).status.success());
    pair.origin.route("/a", Reply::ok(rss(&[story("More", &short(&pair.origin, "/s2"), "a2")])));
    daemon.until("the new story", |d| items(d).len() == 2);
    let polls = pair.origin.requests("/a").len();
    pair.origin.wait_for("/a", polls + 2);
    assert_eq!(pair.origin.requests("/s2").len(), 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_was_made_one_is_listed_and_parted_with_and_without_a_daemon_and_stays_apart() {
    let pair = Pair::new("", RESOLVE);
    let house = &pair.house;
    let none = house.run(&["items", "unmerge", "1"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("no database"), "{}", text(&none.stderr));
    assert!(!house.database().exists());

    pair.slow();
    let daemon = house.start();
    pair.merged(&daemon);
    let list: Value = serde_json::from_slice(&house.run(&["items", "merges", "--json"]).stdout).unwrap();
    let merge = &list["merges"][0];
    assert_eq!((list["merges"].as_array().unwrap().len(), &merge["reason"]), (1, &"redirect".into()));
    assert_eq!(list, daemon.json("/api/v1/merges"));
    let table = text(&house.run(&["items", "merges"]).stdout);
    assert!(table.contains("redirect") && table.contains("Peace"), "{table}");
    let (kept, absorbed) = (merge["item"].as_i64().unwrap(), merge["absorbed"].as_i64().unwrap());
    // Over TCP it is a write like any other.
    let refused = daemon.request("POST", &format!("/api/v1/items/{kept}/unmerge"), &[]);
    assert!(matches!(refused.status, 401 | 403));
    assert_eq!(daemon.get(&format!("/api/v1/items/{kept}/unmerge")).status, 405);

    let unknown = house.run(&["items", "unmerge", "777"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("Item 777 has not been made one"), "{}", text(&unknown.stderr));
    // By the number of the kept one, which absorbed one only.
    let parted = house.run(&["items", "unmerge", &kept.to_string()]);
    assert!(parted.status.success(), "{}", text(&parted.stderr));
    assert!(text(&parted.stdout).contains(&format!("item {absorbed} stands by itself again")));
    assert_eq!(items(&daemon).len(), 2);
    assert_eq!(house.run(&["items", "unmerge", &absorbed.to_string()]).status.code(), Some(1), "once is enough");
    assert!(daemon.json("/api/v1/merges")["merges"][0]["undone_at"].is_string());
    // Polls that go on, and following the link once more, leave them apart.
    let polls = pair.origin.requests("/a").len();
    pair.origin.wait_for("/a", polls + 2);
    assert_eq!(daemon.stop(), Some(0));
    Connection::open(house.database()).unwrap().execute("DELETE FROM resolution", []).unwrap();
    let followed = pair.origin.requests("/s").len();
    let daemon = house.start();
    pair.origin.wait_for("/s", followed + 1);
    let polls = pair.origin.requests("/b").len();
    pair.origin.wait_for("/b", polls + 2);
    assert_eq!(items(&daemon).len(), 2, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn without_a_daemon_two_stories_are_parted_on_the_database() {
    let pair = Pair::new("", RESOLVE);
    pair.slow();
    let daemon = pair.house.start();
    pair.merged(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    let list: Value = serde_json::from_slice(&pair.house.run(&["items", "merges", "--json"]).stdout).unwrap();
    let absorbed = list["merges"][0]["absorbed"].as_i64().unwrap();
    let parted = pair.house.run(&["items", "unmerge", &absorbed.to_string(), "--json"]);
    assert!(parted.status.success(), "{}", text(&parted.stderr));
    let report: Value = serde_json::from_slice(&parted.stdout).unwrap();
    assert_eq!((&report["count"], &report["item"]), (&1.into(), &absorbed.into()));
    let daemon = pair.house.start();
    let polls = pair.origin.requests("/a").len();
    pair.origin.wait_for("/a", polls + 2);
    assert_eq!(items(&daemon).len(), 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn kill_9_while_links_are_followed_loses_nothing() {
    const LINKS: usize = 12;
    let origins: Vec<Origin> = (0..LINKS).map(|_| Origin::start()).collect();
    let (mut shorts, mut longs) = (Vec::new(), Vec::new());
    for (n, origin) in origins.iter().enumerate() {
        origin.route("/s", Reply::redirect(301, origin.url("/n")).after(Duration::from_millis(60)));
        origin.route("/n", Reply::ok("x"));
        shorts.push(story(&format!("Story {n}"), &short(origin, "/s"), &format!("s{n}")));
        longs.push(story(&format!("Story {n}"), &origin.url("/n"), &format!("l{n}")));
    }
    let publisher = Origin::start();
    publisher.route("/a", Reply::ok(rss(&shorts)));
    publisher.route("/b", Reply::ok(rss(&longs)));
    let feeds = [feed("a", &publisher.url("/a")), feed("b", &publisher.url("/b"))].concat();
    let house = Installation::new(&format!("per_host = 2\n{FAST}{feeds}{RESOLVE}"));
    for round in 0..8 {
        let daemon = house.spawn();
        std::thread::sleep(Duration::from_millis(150 + 70 * round));
        daemon.kill();
    }
    let daemon = house.start();
    daemon.until("each story is there once, from both feeds", |d| {
        let items = items(d);
        items.len() == LINKS && items.iter().all(|item| item["_feedmill"]["sightings"].as_array().unwrap().len() == 2)
    });
    assert!(origins.iter().all(|origin| origin.requests("/s").len() <= 9));
    assert_eq!(daemon.stop(), Some(0));
    let verdict: String = database(&house).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn an_original_link_makes_one_story_of_the_publishers_link_and_the_counted_ones() {
    let origin = Origin::start();
    let counted = "https://feeds.example/~r/press/~3/abc/";
    let item = |guid: &str, link: &str, more: &str| {
        format!(
            "<item><title>Peace</title><link>{link}</link><guid isPermaLink=\"false\">{guid}</guid>\
             <description>About peace.</description>{more}</item>"
        )
    };
    let document = |item: String| {
        format!(
            "<rss version=\"2.0\" xmlns:fb=\"http://rssnamespace.org/feedburner/ext/1.0\"><channel><title>T</title>\
             <link>https://home.example/</link>{item}</channel></rss>"
        )
    };
    let original = "<fb:origLink>https://press.example/2026/peace</fb:origLink>";
    origin.route("/a", Reply::ok(document(item("a", counted, original))));
    origin.route("/b", Reply::ok(document(item("b", "https://press.example/2026/peace?utm_source=x", ""))));
    origin.route("/c", Reply::status(503));
    let feeds: String = ["a", "b", "c"].map(|name| feed(name, &origin.url(&format!("/{name}")))).concat();
    let house = Installation::new(&format!("{FAST}{feeds}"));
    let daemon = house.start();
    let sightings = |d: &Daemon, count: usize| {
        let items = items(d);
        items.len() == 1 && items[0]["_feedmill"]["sightings"].as_array().is_some_and(|s| s.len() == count)
    };
    daemon.until("two feeds, one story", |d| sightings(d, 2));
    assert_eq!(items(&daemon)[0]["url"], "https://press.example/2026/peace");
    // A third feed has the counted link and does not say what it stands for.
    origin.route("/c", Reply::ok(document(item("c", counted, ""))));
    daemon.until("three feeds, one story", |d| sightings(d, 3));
    assert_eq!(daemon.stop(), Some(0));
}
