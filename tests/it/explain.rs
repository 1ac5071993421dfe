//! The trace of a story: what `explain`, its page and the API tell of it, through the real daemon.

use std::hash::Hasher as _;
use std::process::Output;

use rusqlite::{Connection, params};
use serde_json::Value;
use siphasher::sip::SipHasher13;

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::{Answer, Receiver};

const SECRET: &[u8] = b"explain-explain-explain-explain!";
const SECRET_TEXT: &str = "whsec_ZXhwbGFpbi1leHBsYWluLWV4cGxhaW4tZXhwbGFpbiE=";
const KEY: &str = "https://news.example/2026/harbour-peace-talks";
const LINKS: [&str; 3] = [
    "https://news.example/2026/harbour-peace-talks?utm_source=a",
    "http://www.news.example/2026/harbour-peace-talks/",
    "https://news.example/2026/harbour-peace-talks/amp#respond",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", text(&out.stdout), text(&out.stderr)))
}

fn has(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

fn in_order(told: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let at = told[from..].find(part).unwrap_or_else(|| panic!("{part} is not there, or too early, in\n{told}"));
        from += at;
    }
}

/// One story in three feeds, in one stream, called about after one failure.
struct Case {
    house: Installation,
    daemon: Daemon,
    _origin: Origin,
    receiver: Receiver,
}

fn case() -> Case {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    receiver.script([Answer::status(503), Answer::status(200)]);
    let mut config =
        "first_import = \"notify\"\nschedule = \"@hourly\"\nspread = false\nmin_interval = \"1s\"\n".to_owned();
    for (n, link) in LINKS.iter().enumerate() {
        let items =
            [story("Peace talks", link, &format!("g{n}")), story("Other", &format!("https://o.example/{n}"), "o")];
        origin.route(&format!("/{n}"), Reply::ok(rss(&items)));
        config.push_str(&format!("[[feed]]\nname = \"f{n}\"\nurl = \"{}\"\n", origin.url(&format!("/{n}"))));
    }
    config.push_str(&format!(
        "[[stream]]\nname = \"watch\"\nmatch = 'peace'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
         \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\nretry = [\"1s\", \"1s\"]\n",
        receiver.url("/hook?key=hunter2")
    ));
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("three sightings", |d| {
        d.json("/watch.json")["items"][0]["_feedmill"]["sightings"].as_array().is_some_and(|s| s.len() == 3)
    });
    daemon.until("the call and its retry", |_| receiver.calls().len() >= 2);
    daemon.until("it is settled", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
    Case { house, daemon, _origin: origin, receiver }
}

#[test]
fn explain_tells_the_whole_way_of_a_story_with_and_without_a_daemon() {
    let Case { house, daemon, receiver, .. } = case();
    let number = daemon.json("/watch.json")["items"][0]["_feedmill"]["item"].clone();
    let asked = "http://news.example/2026/harbour-peace-talks/index.html?fbclid=1";
    let number_text = number.to_string();
    let calls: [&[&str]; 4] = [
        &["explain", asked],
        &["explain", asked, "--json"],
        &["explain", &number_text],
        &["explain", LINKS[1], "--json"],
    ];
    let with: Vec<Output> = calls.iter().map(|args| house.run(args)).collect();

    let told = text(&with[0].stdout);
    println!("{told}");
    assert_eq!(with[0].status.code(), Some(0), "{told}{}", text(&with[0].stderr));
    has(
        &told,
        &["Peace talks", KEY, "The story is known by the key of this URL.", "index-file", "trailing-slash", "amp-path"],
    );
    has(&told, &["`f0`", "`f1`", "`f2`", "`g0`", "`g1`", "`g2`", "watch: peace met \"Peace\" in its title"]);
    in_order(&told, &["First seen in", "answered 503", "answered 200", "succeeded after 2 attempts"]);
    assert!(!told.contains("hunter2") && !told.contains(SECRET_TEXT), "{told}");

    let whole = json(&with[1]);
    let trace = &whole["trace"];
    assert_eq!(
        (&whole["title"], &whole["_feedmill"]["item"], &trace["key"]),
        (&"Peace talks".into(), &number, &KEY.into())
    );
    assert_eq!(trace["asked"]["key"], KEY);
    assert_eq!(trace["keys"].as_array().unwrap().len(), 3, "{trace:#}");
    assert!(trace["keys"].as_array().unwrap().iter().all(|address| address["key"] == KEY));
    let met = &trace["streams"][0];
    assert_eq!([&met["stream"], &met["field"], &met["term"], &met["text"]], ["watch", "title", "peace", "Peace"]);
    let kinds: Vec<&str> = trace["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for (kind, times) in [("seen", 1), ("sighted", 2), ("owed", 1), ("called", 2)] {
        assert_eq!(kinds.iter().filter(|known| **known == kind).count(), times, "{kind}: {kinds:?}");
    }
    let delivery = &trace["deliveries"][0];
    assert_eq!(
        (&delivery["webhook"], &delivery["state"], &delivery["attempts"]),
        (&"desk".into(), &"succeeded".into(), &2.into())
    );
    assert_eq!((&delivery["log"][0]["http_status"], &delivery["log"][1]["http_status"]), (&503.into(), &200.into()));

    // The API: the same but for what was asked.
    let api = daemon.json(&format!("/api/v1/items/{number}"));
    assert!(api["trace"].get("asked").is_none());
    assert_eq!((&api["trace"]["events"], &api["title"]), (&trace["events"], &whole["title"]));
    let query: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
    assert_eq!(daemon.json(&format!("/api/v1/explain?url={query}")), whole);

    // The page, for everybody: all of it, but where the receiver is.
    let page = daemon.get(&format!("/item/{number}"));
    let html = page.text();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    has(&html, &["Peace talks", "<code><bdi>g2</bdi></code>", KEY, "answered 503", "answered 200", "href=\"/watch\""]);
    has(&html, &["First seen in", "About Peace talks.", "succeeded"]);
    let receiver_at = receiver.url("/").port().unwrap().to_string();
    assert!(!html.contains("<script") && !html.contains("style=") && !html.contains(&receiver_at), "{html}");
    let tag = page.header("etag").unwrap();
    assert_eq!(daemon.get_with(&format!("/item/{number}"), &[("If-None-Match", tag)]).status, 304);
    has(&daemon.get("/").text(), &[&format!("href=\"/item/{number}\"")]);

    assert_eq!(daemon.stop(), Some(0));
    for (args, before) in calls.iter().zip(with) {
        let after = house.run(args);
        assert_eq!((text(&after.stdout), after.status.code()), (text(&before.stdout), Some(0)), "{args:?}");
    }
}

/// Opens a database beside its daemon, to put there what only time would bring.
fn open(house: &Installation) -> Connection {
    Connection::open(house.database()).unwrap()
}

/// The database's own hash, as the store makes it.
fn hash(db: &Connection, parts: &[&[u8]]) -> i64 {
    let key: [u8; 16] = db.query_row("SELECT value FROM meta WHERE key = 'hash_key'", [], |row| row.get(0)).unwrap();
    let mut hasher = SipHasher13::new_with_key(&key);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish().cast_signed()
}

fn key_hash(db: &Connection, key: &str) -> i64 {
    hash(db, &[&0_i64.to_be_bytes(), key.as_bytes()])
}

fn alias(db: &Connection, from: &str, to: &str, source: &str) {
    db.execute(
        "INSERT INTO alias VALUES (?1, ?2, ?3, ?4, 1, 1772445660000)",
        params![key_hash(db, from), from, to, source],
    )
    .unwrap();
}

#[test]
fn what_was_never_kept_is_answered_with_reasons_and_status_1() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(rss(&[story("One", "https://n.example/1", "1")])));
    origin.route("/sick", Reply::status(500));
    let feed = |name: &str| format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")));
    let house = Installation::new(&format!("schedule = \"@hourly\"\n{}{}", feed("f"), feed("sick")));
    let daemon = house.start();
    daemon.until("one item", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 1);
    let db = open(&house);
    let habits = r#"{"id": "guid", "reason": "its links are shared", "hubs": ["https://home.example/hub"]}"#;
    db.execute("UPDATE feed_document SET habits = ?1 WHERE feed_id = 1", [habits]).unwrap();
    let gone = "https://n.example/long-ago";
    let proof = hash(&db, &[b"proof", &0_i64.to_be_bytes(), gone.as_bytes()]);
    db.execute("INSERT INTO past_item VALUES (?1, ?2, 77, 20514)", params![key_hash(&db, gone), proof]).unwrap();
    alias(&db, "https://short.example/x", gone, "redirect");
    alias(&db, "https://short.example/y", "https://n.example/unknown", "canonical");

    let cases: [(&str, &[&str]); 9] = [
        (
            "https://home.example/new?utm_source=x",
            &[
                "https://home.example/new",
                "tracking",
                "No feed has carried",
                "`f` is of that site, and is well. It last answered well at",
            ],
        ),
        ("https://elsewhere.example/1", &["No feed that is followed names elsewhere.example as its site."]),
        ("http://www.home.example/hub/", &["Many entries of the feed `f` link to it"]),
        ("https://home.example/", &["front page"]),
        ("ftp://n.example/1", &["is no http or https URL"]),
        ("4711", &["There is no item 4711."]),
        (gone, &["It is past: its story was item 77, seen on 2026-03-02."]),
        ("https://short.example/x", &["permanent redirect", "It is past: its story was item 77"]),
        (
            "https://short.example/y",
            &["names it as the canonical one", "https://n.example/unknown, is not kept either"],
        ),
    ];
    let answers: Vec<_> =
        cases.iter().map(|(url, _)| (house.run(&["explain", url]), house.run(&["explain", url, "--json"]))).collect();
    for ((url, parts), (plain, coded)) in cases.iter().zip(&answers) {
        let told = text(&plain.stdout);
        assert_eq!(
            (plain.status.code(), coded.status.code(), text(&plain.stderr).as_str()),
            (Some(1), Some(1), ""),
            "{told}"
        );
        has(&told, &["not kept"]);
        has(&told, parts);
        let problem = json(coded);
        assert_eq!((&problem["status"], &problem["unkept"]["asked"]["url"]), (&404.into(), &(*url).into()));
        let reasons = problem["unkept"]["reasons"].as_array().unwrap();
        assert!(reasons.iter().all(|reason| told.contains(reason.as_str().unwrap())), "{problem:#}");
    }
    let query: String = url::form_urlencoded::byte_serialize(gone.as_bytes()).collect();
    let answer = daemon.get(&format!("/api/v1/explain?url={query}"));
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json(&answers[6].1));

    drop(db);
    assert_eq!(daemon.stop(), Some(0));
    for ((url, _), (before, _)) in cases.iter().zip(&answers) {
        assert_eq!(text(&house.run(&["explain", url]).stdout), text(&before.stdout), "{url}");
    }
}

#[test]
fn merges_aliases_and_all_that_time_brings_are_told_and_an_absorbed_item_leads_on() {
    let origin = Origin::start();
    let links: Vec<String> = (1..=4).map(|n| format!("https://n.example/{n}")).collect();
    let items: Vec<_> =
        links.iter().enumerate().map(|(n, link)| story(&format!("Story {n}"), link, &format!("urn:s:{n}"))).collect();
    origin.route("/f", Reply::ok(rss(&items)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    let daemon = house.start();
    daemon.until("four items", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 4);
    let db = open(&house);
    let id =
        |link: &str| db.query_row("SELECT id FROM item WHERE key = ?1", [link], |row| row.get::<_, i64>(0)).unwrap();
    let (kept, absorbed, deeper, past) = (id(&links[0]), id(&links[1]), id(&links[2]), id(&links[3]));
    let merge = "INSERT INTO merge (kept, absorbed, at, reason, undo, undone_at) VALUES (?1, ?2, ?3, ?4, '{}', ?5)";
    let at = 1_772_445_660_000_i64;
    db.execute(merge, params![absorbed, deeper, at, "redirect", None::<i64>]).unwrap();
    db.execute(merge, params![kept, absorbed, at + 60_000, "rules", None::<i64>]).unwrap();
    db.execute(merge, params![kept, past, at + 120_000, "by mistake", at + 180_000]).unwrap();
    for (from, to) in [(deeper, absorbed), (absorbed, kept)] {
        db.execute("UPDATE item SET state = 1, merged_into = ?2 WHERE id = ?1", [from, to]).unwrap();
    }
    alias(&db, "https://short.example/a", &links[0], "redirect");
    alias(&db, &links[1], &links[0], "rules");
    let note = "INSERT INTO trace (item_id, at, kind, detail) VALUES (?1, ?2, ?3, ?4)";
    db.execute(note, params![kept, at + 1, "taken-over", "the publisher's own feed carries it"]).unwrap();
    db.execute(note, params![kept, at + 2, "unheard-of", ""]).unwrap();
    db.execute("INSERT INTO change (item_id, kind, at) VALUES (?1, 2, ?2)", [kept, at + 3]).unwrap();
    db.execute("UPDATE item SET revision = 2 WHERE id = ?1", [kept]).unwrap();
    db.execute("UPDATE item SET state = 2 WHERE id = ?1", [past]).unwrap();
    db.execute("DELETE FROM item_body WHERE item_id = ?1", [past]).unwrap();

    let told = text(&house.run(&["explain", "https://short.example/a?utm_source=x"]).stdout);
    println!("{told}");
    has(
        &told,
        &[
            "https://short.example/a leads to it by a permanent redirect. The story is known by https://n.example/1.",
            "By earlier rules its key was https://n.example/2.",
            &format!(
                "Item {deeper} was merged into item {absorbed}, which is part of this one: the address of one leads to the other by a permanent redirect."
            ),
            &format!(
                "Item {absorbed} turned out to be the same story and was merged into this one: by the rules of the key they have one."
            ),
            &format!("The merge of item {past} into item {kept} was undone."),
            "The publisher's own feed carries it.",
            "Unheard-of.",
            "It was edited: revision 2.",
        ],
    );
    in_order(&told, &["It was edited", "they have one", "by mistake", "was undone"]);

    for gone in [absorbed, deeper] {
        for folder in ["/item", "/api/v1/items"] {
            let answer = daemon.get(&format!("{folder}/{gone}"));
            assert_eq!((answer.status, answer.header("location")), (308, Some(kept.to_string().as_str())), "{folder}");
        }
        let told = text(&house.run(&["explain", &gone.to_string()]).stdout);
        has(&told, &[&format!("Item {gone} was merged into this one."), &format!("item   {kept}, revision 2")]);
    }
    // Under the id that readers know it by, too.
    let told = text(&house.run(&["explain", "urn:s:2"]).stdout);
    has(&told, &[&format!("Item {deeper} was merged into this one.")]);

    let page = daemon.get(&format!("/item/{past}"));
    assert_eq!(page.status, 200);
    has(&page.text(), &["Its text is gone", "undated", &format!("<a href=\"/item/{kept}\">Item {kept}</a>")]);
    let parted = daemon.json(&format!("/api/v1/items/{past}"));
    let kinds: Vec<&str> =
        parted["trace"]["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.last(), Some(&"purged"), "{kinds:?}");
    has(&parted.to_string(), &[&format!("It was merged into item {kept}: by mistake.")]);
    assert_eq!(daemon.stop(), Some(0));
}

/// Stories of the test of costs.
const ITEMS: i64 = 1000;

/// A thousand stories, each in three streams and called about once.
fn a_thousand_stories(origin: &Origin, receiver: &Receiver) -> Installation {
    let places = ["Geneva", "Valletta", "Reykjavik", "Nairobi", "Montevideo", "Trondheim", "Bergamo"];
    let items: Vec<_> = (0..ITEMS)
        .map(|n| {
            let place = places[usize::try_from(n).unwrap() % places.len()];
            let title = format!("Envoys resume peace talks in {place} as harbour strike enters its {n}th day");
            story(&title, &format!("https://news.example/2026/03/{n}-envoys-resume-peace-talks"), &format!("urn:g:{n}"))
        })
        .collect();
    origin.route("/f", Reply::ok(rss(&items)));
    let mut config = format!(
        "first_import = \"notify\"\nschedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[webhook]]\nname = \
         \"desk\"\nurl = \"{}\"\nsecret = \"{SECRET_TEXT}\"\nallow_networks = [\"127.0.0.0/8\"]\nconcurrency = 8\n",
        origin.url("/f"),
        receiver.url("/hook")
    );
    let queries = ["(zelensk* OR envoy*) AND talks", "\"peace talks\" -tag:sports", "harbour AND strike*"];
    for (n, query) in queries.iter().enumerate() {
        config.push_str(&format!("[[stream]]\nname = \"s{n}\"\nmatch = '{query}'\nnotify = [\"desk\"]\n"));
    }
    Installation::new(&config)
}

/// One in twenty was edited, has another address and a note; one in fifty was merged.
fn what_time_brings(db: &Connection) {
    for n in (0..ITEMS).step_by(20) {
        let (from, to) = (
            format!("https://short.example/{n}/envoys-resume-peace-talks"),
            format!("https://news.example/2026/03/{n}"),
        );
        alias(db, &from, &to, "redirect");
        db.execute("INSERT INTO change (item_id, kind, at) VALUES (?1, 2, 1772445660000)", [n + 1]).unwrap();
        let detail = format!("https://news.example/2026/03/{n}-envoys-resume-peace-talks before");
        db.execute(
            "INSERT INTO trace (item_id, at, kind, detail) VALUES (?1, 1772445660000, 'moved', ?2)",
            params![n + 1, detail],
        )
        .unwrap();
    }
    for n in (1..ITEMS).step_by(50) {
        let (undo, reason) = ("x".repeat(1000), "the link of one redirects to the other for good");
        db.execute(
            "INSERT INTO merge (kept, absorbed, at, reason, undo) VALUES (?1, ?2, 1772445660000, ?3, ?4)",
            params![n, n + 1, reason, undo],
        )
        .unwrap();
    }
}

/// The issue: at most 300 bytes an item. What is kept for the trace alone, and why an item is in its streams; the log of
/// calls is kept for `webhooks show`, and is printed beside.
#[test]
fn a_trace_costs_at_most_three_hundred_bytes_an_item() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    let house = a_thousand_stories(&origin, &receiver);
    let daemon = house.start();
    daemon.until("every call is settled", |d| {
        let hook = d.json("/api/v1/webhooks")["webhooks"][0].clone();
        receiver.calls().len() >= 1000 && hook["due"] == 0
    });
    assert_eq!(daemon.stop(), Some(0));
    let db = open(&house);
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        (number("SELECT count(*) FROM stream_item"), number("SELECT count(*) FROM attempt")),
        (3 * ITEMS, ITEMS)
    );
    what_time_brings(&db);
    let pages =
        |names: &str| number(&format!("SELECT coalesce(sum(payload + unused), 0) FROM dbstat WHERE name IN ({names})"));
    let own = pages(
        "'trace', 'trace_item', 'merge', 'merge_kept', 'merge_absorbed', 'item_merged', 'delivery_event_event', 'alias', 'alias_to', 'change_edit'",
    );
    let terms = number("SELECT sum(length(CAST(term AS BLOB))) FROM stream_item");
    let log = pages("'attempt', 'attempt_at'");
    let each = (own + terms).div_euclid(ITEMS);
    println!(
        "bytes an item: trace, merges, aliases and ways to them {}; why it is in three streams {}; together {each}",
        own / ITEMS,
        terms / ITEMS
    );
    println!("beside it, the log of a call: {}", log / ITEMS);
    println!(
        "a term: {}",
        db.query_row("SELECT term FROM stream_item LIMIT 1", [], |row| row.get::<_, String>(0)).unwrap()
    );
    assert!(each <= 300, "{each} bytes an item");
}
