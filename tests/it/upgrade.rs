//! Databases of older versions: brought up to date with all that is in them, whatever pulls the plug meanwhile.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::support::daemon::Installation;

/// Name and SQL of each migration, in order.
fn migrations() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

/// A database as the program of that version left it, with so many stories.
pub(crate) fn old(path: &Path, version: usize, stories: u32) {
    let mut db = Connection::open(path).unwrap();
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    db.pragma_update(None, "application_id", 0x4665_4d69).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    let tx = db.transaction().unwrap();
    tx.execute_batch("CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)")
        .unwrap();
    for (n, (name, sql)) in (1..=version).zip(migrations()) {
        tx.execute_batch(&sql).unwrap();
        let sum: String = Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        tx.execute("INSERT INTO migration VALUES (?1, ?2, ?3)", params![i64::try_from(n).unwrap(), name, sum]).unwrap();
    }
    tx.execute_batch(&format!(
        "INSERT INTO meta VALUES ('tagging', 'example.org,2026-01-01');
         INSERT INTO feed (id, name, config_url, active, enabled, added_at) VALUES (1, 'a', 'https://a.example/', 1, 1, 0);
         INSERT INTO feed_state (feed_id, current_url, loaded_once) VALUES (1, 'https://a.example/', 1);
         INSERT INTO source VALUES (1, 1, '{{}}');
         INSERT INTO webhook (id, name, active) VALUES (1, 'desk', 1);
         CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {stories}) SELECT n FROM n;
         INSERT INTO item (id, ident_hash, scope_feed, key, published_id, published_hash, main_feed, first_seen, updated, effective_at)
           SELECT n, n, 0, 'https://a.example/' || n, 'urn:' || n, n, 1, n * 1000, n * 1000, n * 1000 FROM n;
         INSERT INTO item_body (item_id, source_id, title, summary) SELECT n, 1, 'Story ' || n, 'About the story ' || n FROM n;
         INSERT INTO sighting (feed_id, entry_hash, item_id, key_hash, fingerprint, {twin} first_seen, guid)
           SELECT 1, randomblob(16), n, n, n * 4294967296 + n, {twin_value} n * 1000, 'g' || n FROM n;
         INSERT INTO change (item_id, kind, at) SELECT n, 1, n * 1000 FROM n;
         INSERT INTO event (id, kind, item_id, revision, occurred_at, data) SELECT n, 'item.new', n, 1, n * 1000, '{{}}' FROM n WHERE n <= 100;
         INSERT INTO delivery (id, webhook_id, message_id, state, matches, body, attempts, next_at, created_at, settled_at)
           SELECT n, 1, 'msg_' || n, 'succeeded', '[]', x'7b7d', 1, 0, n * 1000, n * 1000 FROM n WHERE n <= 100;
         INSERT INTO delivery_event SELECT n, n FROM n WHERE n <= 100;
         INSERT INTO attempt SELECT n, 1, n * 1000, 5, 204, NULL, '', '' FROM n WHERE n <= 100;
         INSERT INTO stream (id, name, definition, filled) VALUES (1, 'river', 'story', 1);
         UPDATE {state} SET last_seq = {stories}, changed_at = 7000 WHERE {stream} = 1;
         INSERT INTO stream_item (stream_id, effective_at, item_id, seq) SELECT 1, n * 1000, n, {stories} + 1 - n FROM n;
         DROP TABLE n",
        state = if version < 16 { "stream" } else { "stream_state" },
        stream = if version < 16 { "id" } else { "stream_id" },
        twin = if version < 7 { "" } else { "twin_hash," },
        twin_value = if version < 7 { "" } else { "n," },
    ))
    .unwrap();
    tx.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    tx.commit().unwrap();
    db.close().unwrap();
}

fn number(db: &Connection, sql: &str) -> i64 {
    db.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// What is in a database that nobody uses.
fn told(path: &Path) -> [i64; 7] {
    let db = Connection::open(path).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert_eq!(number(&db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(number(&db, "PRAGMA user_version"), number(&db, "SELECT max(version) FROM migration"), "never between");
    ["item", "item_body", "sighting", "stream_item", "event", "delivery", "attempt"]
        .map(|table| number(&db, &format!("SELECT count(*) FROM {table}")))
}

/// A configuration in which the stories are still somebody's, and nobody is asked or called.
fn house() -> Installation {
    Installation::new(
        "schedule = \"@yearly\"\n[[stream]]\nname = \"all\"\nlimit = 1000\n[storage]\nkeep = \"forever\"\n",
    )
}

#[test]
fn a_database_of_every_version_is_brought_up_to_date_with_all_that_is_in_it() {
    let newest = migrations().len();
    for version in 1..newest {
        let house = house();
        old(&house.database(), version, 300);
        let before = told(&house.database());
        let daemon = house.start();
        assert_eq!(daemon.json("/all.json")["items"].as_array().unwrap().len(), 300, "from {version}");
        daemon.until("indexed", |d| d.get("/search.json?q=%22story+299%22").text().contains("Story 299"));
        let lines: Vec<String> =
            daemon.log().lines().filter(|line| line.contains("schema")).map(str::to_owned).collect();
        assert!(lines.len() == 1 && lines[0].contains(&format!("db.from={version} db.to={newest}")), "{lines:?}");
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(told(&house.database()), before, "from {version}");
        let db = Connection::open(house.database()).unwrap();
        assert_eq!(number(&db, "PRAGMA user_version"), i64::try_from(newest).unwrap());
    }
}

#[test]
fn a_first_start_says_in_one_line_that_the_database_was_made_and_the_next_says_nothing() {
    let house = house();
    for made in [1, 1] {
        let daemon = house.start();
        let log = daemon.log();
        assert_eq!((log.matches("made the database").count(), log.matches("schema").count()), (made, made), "{log}");
        assert_eq!(daemon.stop(), Some(0));
    }
}

/// `cargo test --test it every_sync -- --ignored`; `FEEDMILL_ROWS` is how many stories there are.
#[test]
#[ignore = "a minute, and strace"]
fn kill_9_at_every_sync_of_an_upgrade_leaves_one_version_or_the_next_with_all_that_is_in_it() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("there is no strace here");
        return;
    }
    let rows = std::env::var("FEEDMILL_ROWS").ok().and_then(|s| s.parse().ok()).unwrap_or(3000);
    for version in [1, 6, 9] {
        let template = tempfile::TempDir::new().unwrap();
        let template = template.path().join("old.db");
        old(&template, version, rows);
        let before = told(&template);
        let mut stopped_at = std::collections::BTreeMap::new();
        for sync in 1.. {
            let house = house();
            std::fs::copy(&template, house.database()).unwrap();
            let inject = format!("inject=fsync,fdatasync:signal=SIGKILL:when={sync}");
            let mut daemon = house.spawn_under(
                "strace",
                &["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject],
            );
            let begun = Instant::now();
            let ready = |log: &str| log.contains("ready listen");
            while !daemon.ended() && !ready(&daemon.log()) {
                assert!(begun.elapsed() < Duration::from_secs(120), "{}", daemon.log());
                std::thread::sleep(Duration::from_millis(10));
            }
            let killed = daemon.ended();
            drop(daemon);
            let db = Connection::open(house.database()).unwrap();
            *stopped_at.entry(number(&db, "PRAGMA user_version")).or_insert(0) += 1;
            drop(db);
            assert_eq!(told(&house.database()), before, "from {version}, sync {sync}");
            let daemon = house.start();
            assert_eq!(daemon.stop(), Some(0), "from {version}, sync {sync}");
            assert_eq!(told(&house.database()), before, "from {version}, sync {sync}");
            if !killed {
                println!("from version {version}: {} syncs; killed at versions {stopped_at:?}", sync - 1);
                break;
            }
        }
        assert!(stopped_at.len() > migrations().len() - version, "a kill in each migration: {stopped_at:?}");
    }
}
