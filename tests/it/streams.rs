//! What a stream may be told of how it is shown, and how it is filled.

use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::daemon::{Daemon, Installation, PATIENCE, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const TOKEN: &str = "a-token-of-more-than-16";

fn feeds(origin: &Origin) -> String {
    let feed = |name: &str| format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")));
    format!("schedule = \"@every 1h\"\nspread = false\n{}{}", feed("chatty"), feed("quiet"))
}

/// Six stories of one feed, two of the other.
fn serve(origin: &Origin) {
    for (name, count) in [("chatty", 6), ("quiet", 2)] {
        let one = |n: i32| {
            let (link, guid) = (format!("https://{name}.example/{n}"), format!("https://{name}.example/id/{n}"));
            story(&format!("Peace {n} {{title}}"), &link, &guid)
        };
        let document = rss(&(0..count).map(one).collect::<Vec<_>>());
        origin.answer(&format!("/{name}"), move |_| Reply::ok(document.clone()));
    }
}

fn items(daemon: &Daemon, path: &str) -> Vec<serde_json::Value> {
    daemon.json(path)["items"].as_array().unwrap().clone()
}

fn texts(items: &[serde_json::Value], key: &str) -> Vec<String> {
    items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

/// Nothing else changes than what a feed calls itself, and it is named beside a story of another one.
#[test]
fn documents_name_feeds_as_they_are_called_now() {
    let origin = Origin::start();
    let one = rss(&[story("Peace", "https://one.example/1", "1")]);
    for name in ["chatty", "quiet"] {
        origin.route(&format!("/{name}"), Reply::ok(one.clone()));
    }
    let house = Installation::new(&format!(
        "{}[[stream]]\nname = \"peace\"\nmatch = 'peace'\n",
        feeds(&origin).replacen("spread = false\n", "spread = false\nmin_interval = \"1s\"\n", 1)
    ));
    let daemon = house.start();
    daemon.until("both feeds have it", |d| {
        items(d, "/peace.json")
            .first()
            .is_some_and(|item| item["_feedmill"]["sightings"].as_array().unwrap().len() == 2)
    });
    let further =
        daemon.json("/peace.json")["items"][0]["_feedmill"]["sightings"][1]["feed"].as_str().unwrap().to_owned();
    let paths = ["/peace.atom", "/all.atom", "/peace"];
    let tags = paths.map(|path| daemon.get(path).header("etag").unwrap().to_owned());
    let renamed = one.replacen("<title>T</title>", "<title>The New Name</title>", 1);
    origin.route(&format!("/{further}"), Reply::ok(renamed));
    assert!(house.run(&["poll", &further]).status.success());
    for (path, tag) in paths.into_iter().zip(tags) {
        let answer = daemon.get_with(path, &[("If-None-Match", &tag)]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("The New Name"), "{path}: {}", answer.text());
    }
}

#[test]
fn a_chatty_feed_has_its_share_titles_name_their_feed_and_ids_are_ours_where_that_is_asked_for() {
    let origin = Origin::start();
    serve(&origin);
    let house = Installation::new(&format!(
        "{}[[stream]]\nname = \"plain\"\nmatch = 'peace'\n[[stream]]\nname = \"shared\"\nmatch = 'peace'\nlimit = 4\n\
         max_per_feed = 2\nids = \"own\"\nitem_title = \"[{{feed}}] {{title}}\"\n",
        feeds(&origin)
    ));
    let daemon = house.start();
    daemon.until("both feeds were polled", |d| items(d, "/plain.json").len() == 8);
    let plain = items(&daemon, "/plain.json");
    let shared = items(&daemon, "/shared.json");
    let feed = |item: &serde_json::Value| item["_feedmill"]["source"]["name"].as_str().unwrap().to_owned();
    let from: Vec<String> = shared.iter().map(feed).collect();
    assert_eq!(from.iter().filter(|name| *name == "chatty").count(), 2);
    assert_eq!(from.iter().filter(|name| *name == "quiet").count(), 2);
    for item in &shared {
        let same = plain.iter().find(|other| other["_feedmill"]["item"] == item["_feedmill"]["item"]).unwrap();
        assert!(same["id"].as_str().unwrap().starts_with("https://"), "{}", same["id"]);
        assert!(item["id"].as_str().unwrap().starts_with("tag:"), "{}", item["id"]);
        assert_eq!(item["title"], format!("[T] {}", same["title"].as_str().unwrap()));
    }
    let atom = daemon.get("/shared.atom").text();
    assert!(texts(&shared, "id").iter().all(|id| atom.contains(&format!("<id>{id}</id>"))));
    // The page shows the source anyway; what was passed over is not on a later page either.
    let page = daemon.get("/shared").text();
    assert!(page.matches("<article>").count() == 4 && !page.contains("[T]"), "{page}");
    assert_eq!(daemon.stop(), Some(0));
    // A restart changes nothing.
    let daemon = house.start();
    assert_eq!(texts(&items(&daemon, "/shared.json"), "id"), texts(&shared, "id"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_private_stream_is_there_for_those_who_know_its_token_and_for_nobody_else() {
    let origin = Origin::start();
    serve(&origin);
    let house = Installation::new(&format!(
        "{}[[stream]]\nname = \"secret\"\ntitle = \"Hidden\"\nmatch = 'peace'\nlimit = 3\ntoken = \"{TOKEN}\"\n",
        feeds(&origin)
    ));
    let daemon = house.start();
    let with = |path: &str| format!("{path}?token={TOKEN}");
    daemon.until("both feeds were polled", |d| items(d, "/all.json").len() == 8);
    let nothing = daemon.get("/none.atom");
    for path in
        ["/secret", "/secret.atom", "/secret.rss", "/secret.json", "/secret.json?token=", "/secret.json?token=wrong"]
    {
        let answer = daemon.get(path);
        assert_eq!((answer.status, answer.text()), (404, nothing.text()), "{path}");
    }
    for path in ["/secret", "/secret.atom", "/secret.rss", "/secret.json"] {
        let answer = daemon.get(&with(path));
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("cache-control").unwrap().starts_with("private"), "{path}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
        // Only the page's link to older stories has it, for whoever brought it.
        let times = answer.text().matches(TOKEN).count();
        assert_eq!(times, usize::from(path == "/secret"), "{path}: {}", answer.text());
    }
    let page = daemon.get(&with("/secret")).text();
    let (_, next) = page.split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    assert_eq!(daemon.get(&format!("/secret{next}")).text().matches("<article>").count(), 3);
    for path in [
        "/",
        "/all.json",
        "/api/v1/items",
        "/api/v1/items?q=peace",
        "/api/v1/streams",
        "/item/1",
        "/api/v1/items/1",
        "/feeds.opml",
        "/search?q=peace",
        "/api/v1/matches?q=peace",
    ] {
        let text = daemon.get(path).text();
        assert!(!text.contains("\"secret\"") && !text.contains("Hidden") && !text.contains(TOKEN), "{path}: {text}");
    }
    assert_eq!(daemon.get("/api/v1/items?stream=secret").status, 400);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_new_or_changed_stream_is_filled_from_what_is_stored_and_calls_nobody() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[b"crash-crash-crash-crash-crash-32"]));
    serve(&origin);
    let stream = |query: &str| {
        format!(
            "{}[[stream]]\nname = \"watch\"\nmatch = '{query}'\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
             \"{}\"\nsecret = \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\nallow_networks = [\"127.0.0.0/8\"]\n",
            feeds(&origin),
            receiver.url("/")
        )
    };
    let house = Installation::new(&feeds(&origin));
    let daemon = house.start();
    daemon.until("both feeds were polled", |d| items(d, "/all.json").len() == 8);
    for (fills, (query, count)) in (1..).zip([("peace", 8), ("feed:quiet", 2), ("\"peace 1\"", 2)]) {
        house.configure(&stream(query));
        let reloaded = house.run(&["reload"]);
        let said = String::from_utf8_lossy(&reloaded.stdout).into_owned();
        assert!(reloaded.status.success() && said.ends_with("; being filled from what is stored: watch\n"), "{said}");
        daemon.until("the stream was filled", |d| {
            let done = d.log().matches("stream filled from what is stored").count() == fills;
            done && items(d, "/watch.json").len() == count
        });
    }
    let again: serde_json::Value = serde_json::from_slice(&house.run(&["reload", "--json"]).stdout).unwrap();
    assert_eq!((&again["ok"], again.get("filling")), (&true.into(), None), "nothing is to be filled");
    assert_eq!(daemon.stop(), Some(0));
    assert!(receiver.calls().is_empty(), "a fill calls nobody");
}

/// Readers that follow its archives or `/events` know stories by their places.
#[test]
fn another_feed_or_another_query_leaves_what_belongs_in_a_stream_where_it_is() {
    let origin = Origin::start();
    serve(&origin);
    let feed = |name: &str| format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")));
    let stream = |query: &str| format!("[[stream]]\nname = \"by\"\nmatch = '{query}'\n");
    let head = "schedule = \"@every 1h\"\nspread = false\n";
    let house = Installation::new(&format!("{head}{}{}", feed("chatty"), stream("feed:chatty")));
    let daemon = house.start();
    daemon.until("it was polled", |d| items(d, "/by.json").len() == 6);
    let places = || -> Vec<(i64, i64)> {
        let db = Connection::open(house.database()).unwrap();
        let mut read = db.prepare("SELECT item_id, seq FROM stream_item ORDER BY seq").unwrap();
        read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let before = places();
    let fill = |fills: usize, config: String| {
        house.configure(&config);
        assert!(house.run(&["reload"]).status.success());
        let told = |d: &Daemon| d.log().matches("stream filled from what is stored").count();
        daemon.until("it was filled", |d| told(d) == fills);
    };
    fill(2, format!("{head}{}{}{}", feed("chatty"), feed("quiet"), stream("feed:chatty")));
    assert_eq!(places(), before, "another feed is nothing to it");
    fill(3, format!("{head}{}{}{}", feed("chatty"), feed("quiet"), stream("feed:chatty NOT \"peace 3\"")));
    let left: Vec<_> = before.iter().copied().filter(|place| places().contains(place)).collect();
    assert_eq!((left.len(), places()), (5, left.clone()), "and another query takes out what it does not find");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_fill_that_a_reload_overtakes_leaves_nothing_behind() {
    let origin = Origin::start();
    for name in ["chatty", "quiet"] {
        let one = |n: i32| {
            let (link, guid) = (format!("https://{name}.example/{n}"), format!("https://{name}.example/id/{n}"));
            story(if n % 2 == 0 { "left" } else { "right" }, &link, &guid)
        };
        let document = rss(&(0..900).map(one).collect::<Vec<_>>());
        origin.answer(&format!("/{name}"), move |_| Reply::ok(document.clone()));
    }
    let house = Installation::new(&feeds(&origin));
    let daemon = house.start();
    let titles = |d: &Daemon, stream: &str| {
        let (mut titles, mut next) = (Vec::new(), String::new());
        loop {
            let page = d.json(&format!("/api/v1/items?limit=100&stream={stream}{next}"));
            titles.extend(texts(page["items"].as_array().unwrap_or_else(|| panic!("{page}")), "title"));
            let Some(cursor) = page["next"].as_str() else { return titles };
            next = format!("&after={cursor}");
        }
    };
    daemon.until("both feeds were polled", |d| d.log().matches("items.new=900").count() == 2);
    for side in ["left", "right", "left", "right"] {
        house.configure(&format!(
            "{}[[stream]]\nname = \"side\"\nmatch = '{side}'\n[[stream]]\nname = \"both\"\nmatch = 'left OR right'\n",
            feeds(&origin)
        ));
        assert!(house.run(&["reload"]).status.success());
    }
    daemon.until("the streams were filled", |d| {
        titles(d, "side") == vec!["right"; 900] && d.log().contains("stream.name=both items=1800")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_answer_that_comes_after_a_reload_is_read_under_the_queries_of_that() {
    let origin = Origin::start();
    serve(&origin);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let both = ["left", "right"].map(|title| story(title, &format!("https://q.example/{title}"), title));
    origin.answer("/quiet", move |_| {
        let _ = gate.lock().unwrap().recv();
        Reply::ok(rss(&both))
    });
    let side = |query: &str| format!("{}[[stream]]\nname = \"side\"\nmatch = '{query}'\n", feeds(&origin));
    let house = Installation::new(&side("left"));
    let daemon = house.start();
    origin.wait_for("/quiet", 1);
    daemon.until("the other was polled", |d| items(d, "/all.json").len() == 6);
    let new = "[[stream]]\nname = \"late\"\nmatch = 'left OR right'\n";
    house.configure(&format!("{}{new}", side("right")));
    assert!(house.run(&["reload"]).status.success());
    daemon.until("all streams were filled", |d| d.log().matches("stream filled").count() == 3);
    drop(open);
    daemon.until("it was read", |d| items(d, "/all.json").len() == 8);
    assert_eq!(texts(&items(&daemon, "/side.json"), "title"), ["right"]);
    assert_eq!(items(&daemon, "/late.json").len(), 2);
    assert_eq!(daemon.stop(), Some(0));
}

/// With so many long stories that a fill takes some seconds, and the part of its configuration without streams.
fn a_full_house(origin: &Origin) -> (Installation, String) {
    let long = "some words of a story that is long enough to be looked at for a moment ".repeat(8);
    let stories: Vec<_> = (0..3000)
        .map(|n| story(&format!("Story {n} {long}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    origin.route("/f", Reply::ok(rss(&stories)));
    let feed = format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f"));
    let house = Installation::new(&feed);
    assert!(house.run(&["poll"]).status.success());
    (house, feed)
}

fn twenty_streams(round: u32) -> String {
    let stream = |n: u32| format!("[[stream]]\nname = \"s{n}\"\nmatch = '/wor+ds/ OR story OR a{round}'\n");
    (0..20).map(stream).collect()
}

#[test]
fn a_reload_on_a_terminal_shows_how_far_streams_are_filled_until_they_are() {
    let origin = Origin::start();
    let (house, feed) = a_full_house(&origin);
    let daemon = house.start();
    house.configure(&format!("{feed}{}", twenty_streams(0)));
    let far = daemon.json("/api/v1/fill");
    assert_eq!(far, serde_json::json!({ "streams": 0, "looked": 0, "of": 0 }));
    let (said, seen) = house.run_on_a_terminal(&["reload"]);
    assert!(said.contains("being filled from what is stored: s0, s1"), "{said}");
    assert!(seen.contains("/3000 ") && seen.contains("filling streams"), "{seen}");
    assert_eq!(daemon.log().matches("stream filled from what is stored").count(), 20, "it was waited for");
    assert_eq!(daemon.stop(), Some(0));
}

/// `filling 2 streams (40 %)`, for as long as it takes, and how the feeds are again when it is over.
#[test]
fn the_status_line_says_how_far_streams_are_filled() {
    let origin = Origin::start();
    let (house, feed) = a_full_house(&origin);
    let ear = UnixDatagram::bind(house.dir().join("notify")).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let notify = house.dir().join("notify");
    // The shorter the watchdog's patience, the more often it is looked.
    let daemon = house.start_in(&[("NOTIFY_SOCKET", notify.to_str().unwrap()), ("WATCHDOG_USEC", "200000")]);
    let next = |patience: Duration, wanted: &dyn Fn(&str) -> bool| {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let mut bytes = [0; 4096];
            let length = ear.recv(&mut bytes).expect("it says how it is");
            let heard = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let status = heard.lines().find_map(|line| line.strip_prefix("STATUS="));
            if let Some(status) = status.filter(|status| wanted(status)) {
                return Some(status.to_owned());
            }
        }
        None
    };
    // Some seconds of work, for it is told once a second; a fill that was over between two looks is done again.
    let filling = (0..5).find_map(|round| {
        house.configure(&format!("{feed}{}", twenty_streams(round)));
        let said = String::from_utf8(house.run(&["reload"]).stdout).unwrap();
        assert!(said.contains("being filled from what is stored: s0, s1"), "{said}");
        next(Duration::from_secs(8), &|status| status.contains("filling"))
    });
    let filling = filling.unwrap_or_else(|| panic!("it does not say that it fills:\n{}", daemon.log()));
    let percent = filling.strip_prefix("ready: 1 feeds, 0 failing, filling 20 streams (");
    let percent = percent.and_then(|rest| rest.strip_suffix(" %)")).unwrap_or_else(|| panic!("{filling}"));
    assert!(percent.parse::<u64>().unwrap() <= 100, "{filling}");
    let at_last = next(PATIENCE, &|status| !status.contains("filling"));
    assert_eq!(at_last.as_deref(), Some("ready: 1 feeds, 0 failing"));
    let filled = daemon.log().matches("stream filled from what is stored").count();
    assert!(filled >= 20, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}
