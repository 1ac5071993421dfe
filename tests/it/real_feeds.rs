//! Real input: every captured document of the corpus, served by a local origin, through the whole daemon.

use std::path::{Path, PathBuf};

use crate::support::daemon::Installation;
use crate::support::origin::{Origin, Reply};

fn corpus() -> Option<PathBuf> {
    let given = std::env::var_os("FEEDMILL_CORPUS").map(PathBuf::from);
    let path = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    path.join("parse").is_dir().then_some(path)
}

#[test]
fn captured_feeds_are_read_once_kept_once_and_answered_304_from_then_on() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus (FEEDMILL_CORPUS, ../shared/corpus)");
        return;
    };
    let origin = Origin::start();
    let (mut config, mut names) = (String::from("schedule = \"@hourly\"\nper_host = 16\n"), Vec::new());
    for class in ["real-popular", "real-world"] {
        for entry in std::fs::read_dir(corpus.join("parse").join(class)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "feed") {
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            let route = format!("/{class}/{}", names.len());
            let tag = format!("\"{}\"", names.len());
            origin.answer(&route, move |request| {
                if request.header("if-none-match") == Some(tag.as_bytes()) {
                    Reply::status(304).header("etag", &tag)
                } else {
                    Reply::ok(body.clone()).header("etag", &tag)
                }
            });
            config.push_str(&format!("[[feed]]\nname = \"f{}\"\nurl = \"{}\"\n", names.len(), origin.url(&route)));
            names.push(path);
        }
    }
    config.push_str("[[stream]]\nname = \"all\"\nlimit = 1000\n");
    let house = Installation::new(&config);
    let first = poll(&house);
    let loaded: Vec<_> = first.iter().filter(|feed| feed["outcome"] == "loaded").collect();
    for failed in first.iter().filter(|feed| feed["outcome"] != "loaded") {
        let n: usize = failed["name"].as_str().unwrap()[1..].parse().unwrap();
        println!("not read: {} ({})", names[n].file_name().unwrap().display(), failed["error"]);
    }
    println!("{} of {} captured feeds read", loaded.len(), names.len());
    assert!(loaded.len() * 100 >= names.len() * 90, "{} of {}", loaded.len(), names.len());

    let second = poll(&house);
    let new: u64 = second.iter().map(|feed| feed["new"].as_u64().unwrap()).sum();
    let unmodified = second.iter().filter(|feed| feed["outcome"] == "not_modified").count();
    assert_eq!((unmodified, new), (loaded.len(), 0), "the second round is all 304");

    let daemon = house.start();
    let published = daemon.json("/all.json")["items"].as_array().unwrap().clone();
    assert!(!published.is_empty());
    let parsed = feedmill::parse::parse(&daemon.get("/all.atom").body, None, None).unwrap();
    // What is in no archive yet is in the Atom feed, whatever its date.
    assert!((published.len()..published.len() + 50).contains(&parsed.entries.len()), "{}", parsed.entries.len());
    assert_eq!(daemon.stop(), Some(0));

    // Asked for whole once more, as if the validators were lost: still nothing is stored twice.
    let db = rusqlite::Connection::open(house.database()).unwrap();
    let count =
        |db: &rusqlite::Connection| db.query_row("SELECT count(*) FROM item", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = count(&db);
    db.execute(
        "UPDATE feed_document SET validator_url = NULL, etag = NULL, last_modified = NULL, body_hash = NULL",
        [],
    )
    .unwrap();
    let third = poll(&house);
    let again: u64 = third.iter().map(|feed| feed["new"].as_u64().unwrap() + feed["changed"].as_u64().unwrap()).sum();
    assert_eq!((count(&db), again), (before, 0), "{before} items");
}

fn poll(house: &Installation) -> Vec<serde_json::Value> {
    let out = house.run(&["poll", "--json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    report["feeds"].as_array().unwrap().clone()
}
