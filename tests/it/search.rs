//! Search from outside: right after the commit, after `kill -9` in the middle of indexing, with and without a daemon.

use std::time::Duration;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn config(origin: &Origin) -> String {
    format!(
        "schedule = \"@every 1h\"\nspread = false\n[[feed]]\nname = \"press\"\nurl = \"{}\"\n",
        origin.url("/press")
    )
}

fn stories(count: usize) -> String {
    let items: Vec<_> = (0..count)
        .map(|n| {
            let link = format!("https://press.example/2026/{n}");
            story(&format!("Peace talks number{n} in town{}", n % 7), &link, &n.to_string())
        })
        .collect();
    rss(&items)
}

/// How many items have been taken up, as the file says.
fn indexed(house: &Installation) -> i64 {
    let db = rusqlite::Connection::open(house.database()).unwrap();
    db.query_row("SELECT count(*) FROM item_fts_docsize", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_story_is_found_right_after_its_commit_and_by_the_command_with_and_without_a_daemon() {
    let origin = Origin::start();
    origin.answer("/press", |_| Reply::ok(stories(50)));
    let house = Installation::new(&config(&origin));
    let daemon = house.start();
    daemon.until("the feed was polled", |d| {
        d.json("/api/v1/items?limit=1")["items"].as_array().is_some_and(|items| !items.is_empty())
    });
    // Nothing is indexed yet, or something, or everything: it makes no difference.
    let found = daemon.json("/api/v1/items?q=number7&order=score");
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["url"], "https://press.example/2026/7");
    assert_eq!(found["items"][0]["snippets"][0]["text"], "number7");
    assert!(found["items"][0]["score"].as_f64().unwrap() > 0.0);
    daemon.until("everything is indexed", |_| indexed(&house) == 50);
    let again = daemon.json("/api/v1/items?q=number7&order=score");
    assert_eq!(again["items"][0]["snippets"], found["items"][0]["snippets"]);
    assert_eq!(daemon.get("/api/v1/items?q=peace&order=size").status, 400);

    let run = |args: &[&str]| {
        let out = house.run(args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let with = run(&["search", "peace", "town3", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&with).unwrap()["items"].as_array().unwrap().len(), 7);
    let table = run(&["search", "number7"]);
    assert!(table.contains("Peace talks [number7] in town0"), "{table}");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(run(&["search", "peace", "town3", "--json"]), with);
    assert_eq!(run(&["search", "number7"]), table);
}

#[test]
fn kill_9_in_the_middle_of_indexing_leaves_every_story_to_be_found() {
    const STORIES: usize = 1400;
    let origin = Origin::start();
    origin.answer("/press", |_| Reply::ok(stories(STORIES)));
    let house = Installation::new(&config(&origin));
    let all = |json: &serde_json::Value| json["items"].as_array().unwrap().len();
    let (mut kills, mut before) = (0, 0);
    for round in 0..40_u64 {
        let daemon = house.start();
        daemon.until("something more is indexed", |_| {
            let now = indexed(&house);
            now > before || now == i64::try_from(STORIES).unwrap()
        });
        std::thread::sleep(Duration::from_millis(round * 7 % 60));
        daemon.kill();
        before = indexed(&house);
        kills += 1;
        for (query, count) in [("number17", 1), ("number1399", 1), ("\"in town3\"", 200), ("pea* town3", 200)] {
            for order in ["search", "items"] {
                let out = house.run(&[order, query, "--json", "--limit", "1000"]);
                let list: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
                assert_eq!(all(&list), count, "{order} {query} with {before} indexed");
            }
        }
        if before == i64::try_from(STORIES).unwrap() {
            break;
        }
    }
    println!("{kills} kills");
    assert!(kills > 1, "it was not killed in the middle");
    let check = rusqlite::Connection::open(house.database()).unwrap();
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn the_page_marks_what_was_found_and_the_feeds_have_the_same_stories() {
    let origin = Origin::start();
    origin.answer("/press", |_| Reply::ok(stories(50)));
    let house = Installation::new(&config(&origin));
    let daemon = house.start();
    daemon.until("the feed was polled", |d| d.get("/search.json?q=number7").text().contains("press.example/2026/7"));
    let page = daemon.get("/search?q=body%3Atown3").text();
    assert_eq!((page.matches("<mark>town3</mark>").count(), page.matches("<article>").count()), (7, 7));
    let page = daemon.get("/search?q=number7+%3Cscript%3E").text();
    assert!(page.contains("value=\"number7 &lt;script&gt;\"") && !page.contains("<script>"), "{page}");
    let page = daemon.get("/search?q=peace+OR+(").text();
    assert!(page.contains("^") && page.contains("role=\"alert\""), "{page}");

    let page = daemon.get("/search?q=peace&order=date").text();
    assert_eq!(page.matches("<article>").count(), 30);
    let (_, next) = page.split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let second = daemon.get(&format!("/search{next}")).text();
    assert_eq!((second.matches("<article>").count(), second.contains("rel=\"next\"")), (20, false));
    let best = daemon.get("/search?q=peace").text();
    let (_, next) = best.split_once("rel=\"next\" href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    assert_eq!(daemon.get(&format!("/search{next}")).text().matches("<article>").count(), 20);

    let feed = daemon.json("/search.json?q=town3");
    assert_eq!(feed["items"].as_array().unwrap().len(), 7);
    let own = format!("http://{}/search.json?q=town3", house.address);
    assert_eq!(feed["feed_url"], own.as_str());
    let atom = daemon.get("/search.atom?q=%22in+town3%22");
    let address = format!("href=\"http://{}/search.atom?q=%22in+town3%22\"", house.address);
    assert!(atom.text().contains(&address), "{}", atom.text());
    let etag = atom.header("etag").unwrap().to_owned();
    assert_eq!(daemon.get_with("/search.atom?q=%22in+town3%22", &[("If-None-Match", &etag)]).status, 304);
    let long = format!("/search?q={}", "a".repeat(1001));
    assert_eq!(daemon.get(&long).status, 400);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_query_is_tried_before_it_goes_live_and_says_why_one_story_is_met_or_not() {
    let origin = Origin::start();
    origin.answer("/press", |_| Reply::ok(stories(50)));
    let house = Installation::new(&config(&origin));
    let daemon = house.start();
    daemon.until("the feed was polled", |d| d.get("/all.json").text().contains("press.example/2026/7"));
    let run = |args: &[&str]| {
        let out = house.run(args);
        (out.status.code(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let asked: [&[&str]; 4] = [
        &["match", "peace town3", "--since", "3650d"],
        &["match", "peace town3", "--since", "3650d", "--json", "--limit", "2"],
        &["match", "peace -(town0)", "--item", "https://press.example/2026/7"],
        &["match", "peace -(town3)", "--item", "https://press.example/2026/7", "--json"],
    ];
    let with: Vec<_> = asked.iter().map(|args| run(args)).collect();
    assert!(with[0].1.starts_with("7 of 50 stories since "), "{}", with[0].1);
    assert!(with[0].1.contains('█') && with[0].1.contains("Peace  for peace"), "{}", with[0].1);
    let list: serde_json::Value = serde_json::from_str(&with[1].1).unwrap();
    assert_eq!((&list["matched"], &list["scanned"]), (&7.into(), &50.into()));
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let days = list["per_day"].as_array().unwrap();
    assert_eq!(days.iter().map(|day| day["matched"].as_u64().unwrap()).sum::<u64>(), 7);
    let place = &list["items"][0]["matches"][0];
    assert_eq!((&place["field"], &place["term"], &place["text"]), (&"title".into(), &"peace".into(), &"Peace".into()));
    assert_eq!(place["highlights"], serde_json::json!([[0, 5]]));
    assert!(with[2].1.contains("  peace -(town0)\n        ^^^^^^^^"), "{}", with[2].1);
    let met: serde_json::Value = serde_json::from_str(&with[3].1).unwrap();
    assert_eq!((&met["matched"], &met["failed"]), (&true.into(), &serde_json::Value::Null));
    let failed = daemon.json("/api/v1/matches?q=peace+war&item=https://press.example/2026/7");
    assert_eq!(failed["failed"], serde_json::json!({"clause": "war", "at": [6, 9]}));
    let unknown = ["match", "peace", "--item", "https://press.example/none"];
    assert_eq!(run(&unknown).0, Some(1));
    assert_eq!(run(&["match", "peace", "--since", "yesterday"]).0, Some(2));
    let wrong = run(&["match", "peace (", "--item", "1"]);
    assert!(wrong.0 == Some(1) && wrong.2.contains('^'), "{wrong:?}");

    assert_eq!(daemon.stop(), Some(0));
    let without: Vec<_> = asked.iter().map(|args| run(args)).collect();
    assert_eq!(without[2..], with[2..]);
    let moved = |json: &str| {
        let mut list: serde_json::Value = serde_json::from_str(json).unwrap();
        list.as_object_mut().unwrap().remove("since");
        list
    };
    assert_eq!(moved(&without[1].1), moved(&with[1].1));
}
