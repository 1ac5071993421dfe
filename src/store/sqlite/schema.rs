//! Migrations: forward only, each in one transaction, each remembered with its checksum.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::hash::Hasher;
use super::open::refused;
use super::{Instance, StoreError};

/// Name and SQL, in order; the version is the place in the list. What was released is never edited.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_begin", include_str!("../migrations/0001_begin.sql")),
    ("0002_identity", include_str!("../migrations/0002_identity.sql")),
    ("0003_keep", include_str!("../migrations/0003_keep.sql")),
    ("0004_trace", include_str!("../migrations/0004_trace.sql")),
    ("0005_resolve", include_str!("../migrations/0005_resolve.sql")),
    ("0006_listing", include_str!("../migrations/0006_listing.sql")),
    ("0007_sighting", include_str!("../migrations/0007_sighting.sql")),
    ("0008_cadence", include_str!("../migrations/0008_cadence.sql")),
    ("0009_moves", include_str!("../migrations/0009_moves.sql")),
    ("0010_endpoint", include_str!("../migrations/0010_endpoint.sql")),
    ("0011_ignore", include_str!("../migrations/0011_ignore.sql")),
    ("0012_search", include_str!("../migrations/0012_search.sql")),
    ("0013_publish", include_str!("../migrations/0013_publish.sql")),
    ("0014_public", include_str!("../migrations/0014_public.sql")),
    ("0015_due", include_str!("../migrations/0015_due.sql")),
    ("0016_member", include_str!("../migrations/0016_member.sql")),
    ("0017_document", include_str!("../migrations/0017_document.sql")),
];

/// The version that this program writes.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// A migration makes some tables anew, twice for a moment: in the log and in the file.
const LEAST_ROOM: u64 = 8 << 20;

/// Refuses to begin what there is no room for: half of the file, which no migration has needed yet.
fn room(path: &Path, size: u64, free: u64) -> Result<(), StoreError> {
    let needed = (size / 2).max(LEAST_ROOM);
    if free >= needed {
        return Ok(());
    }
    let cause = format!(
        "it has to be brought up to date, which may take {} MB, and its disk has {} MB free. Nothing was changed. Make room, \
         then start again",
        needed.div_ceil(1_000_000),
        free / 1_000_000
    );
    Err(StoreError::Unusable { path: path.display().to_string(), cause })
}

/// What is left for this user on the disk of a file.
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

pub(super) fn migrate(connection: &mut Connection, path: &Path, tagging: &str) -> Result<(), StoreError> {
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| refused(path, &e))?;
    if (1..NEWEST).contains(&version) {
        let size = std::fs::metadata(path).map_or(0, |facts| facts.len());
        free(path).map_or(Ok(()), |free| room(path, size, free))?;
        tracing::info!(db.path = %path.display(), db.from = version, db.to = NEWEST, "bringing the database up to date");
    }
    run(connection, tagging).map_err(|e| match e {
        Trouble::Sql(e) => refused(path, &e),
        Trouble::Edited(name) => StoreError::Corrupt {
            path: path.display().to_string(),
            cause: format!("its migration {name} is not the one that this program knows"),
        },
    })?;
    if version == 0 {
        tracing::info!(db.path = %path.display(), "made the database");
    }
    Ok(())
}

enum Trouble {
    Sql(rusqlite::Error),
    Edited(&'static str),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn run(connection: &mut Connection, tagging: &str) -> Result<(), Trouble> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)",
    )?;
    for (version, (name, sql)) in (1_i64..).zip(MIGRATIONS) {
        let sum = hex(&Sha256::digest(sql.as_bytes()));
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done: Option<String> =
            tx.query_row("SELECT sha256 FROM migration WHERE version = ?1", [version], |row| row.get(0)).optional()?;
        match done {
            Some(known) if known == sum => {}
            Some(_) => return Err(Trouble::Edited(name)),
            None => {
                tx.execute_batch(sql)?;
                tx.execute("INSERT INTO migration VALUES (?1, ?2, ?3)", params![version, name, sum])?;
                if version == 1 {
                    tx.execute("INSERT INTO meta VALUES ('tagging', ?1)", [tagging])?;
                }
                tx.pragma_update(None, "user_version", version)?;
            }
        }
        tx.commit()?;
    }
    Ok(())
}

/// Drops the leases of deliveries that a crash left: whoever opens the database as its owner is the only one.
pub(super) fn take_over(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE delivery SET lease_token = NULL, lease_until = NULL
               WHERE state = 'pending' AND lease_token IS NOT NULL";
    connection.execute(sql, []).map(|_| ())
}

/// Who this installation is, and its hash.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<(Instance, Hasher)> {
    let bytes = |key: &str| {
        connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get::<_, [u8; 16]>(0))
    };
    let tagging = connection.query_row("SELECT value FROM meta WHERE key = 'tagging'", [], |row| row.get(0))?;
    let instance = Instance { id: base32(&bytes("instance")?), tagging };
    Ok((instance, Hasher::new(bytes("hash_key")?)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 4648 6 in lower case, without padding: it can stand in a `tag:` URI and in a `webhook-id`.
pub(super) fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    let mut put = |five: u32| out.push(char::from(DIGITS.get(five as usize & 31).copied().unwrap_or(b'a')));
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            put(buffer >> bits & 31);
        }
    }
    if bits > 0 {
        put(buffer << (5 - bits) & 31);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Fingerprint;

    #[test]
    fn a_database_of_the_first_version_becomes_one_of_the_newest_with_what_is_in_it() {
        let mut db = of_version(1);
        let prints = [
            Fingerprint { title: 7, text: 9 },
            Fingerprint { title: u32::MAX, text: 1 },
            Fingerprint { title: 0, text: u32::MAX - 3 },
        ];
        db.execute_batch(
            "INSERT INTO feed (id, name, config_url, active, enabled, added_at) VALUES (1, 'a', 'https://a/', 1, 1, 0);
             INSERT INTO feed_state (feed_id, current_url, loaded_once) VALUES (1, 'https://a/', 1);
             INSERT INTO feed_redirect VALUES (1, 5, 301, 'http://b/', 'http://a/'), (1, 7, 301, 'http://a/', 'https://a/')",
        )
        .unwrap();
        for (n, print) in (1_i64..).zip(prints) {
            db.execute(
                "INSERT INTO item (id, ident_hash, scope_feed, key, published_id, published_hash, main_feed, first_seen,
                   updated, effective_at) VALUES (?1, ?1, 0, 'https://a/' || ?1, 'urn:' || ?1, ?1, 1, ?1, ?1, ?1)",
                [n],
            )
            .unwrap();
            db.execute(
                "INSERT INTO sighting VALUES (1, randomblob(16), ?1, ?1, ?2, ?1, 'g', NULL)",
                params![n, print.pack()],
            )
            .unwrap();
        }
        assert!(run(&mut db, "example.org,2026-01-01").is_ok());
        let mut read = db.prepare("SELECT fingerprint, twin_hash FROM sighting ORDER BY item_id").unwrap();
        let rows = read.query_map([], |row| Ok((Fingerprint::unpack(row.get(0)?), row.get::<_, i64>(1)?))).unwrap();
        let rows: Vec<_> = rows.map(std::result::Result::unwrap).collect();
        assert_eq!(rows, prints.map(|print| (print, print.likeness())));
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("SELECT entries FROM feed_tally"), 3);
        assert_eq!(number("SELECT n FROM tally WHERE name = 'items'"), 3);
        assert_eq!(number("SELECT newest FROM feed_document"), 3);
        assert_eq!(number("SELECT count(*) FROM feed_document WHERE cadence IS NULL"), 1);
        assert_eq!(number("SELECT count(*) FROM feed_document WHERE moved_at = 7 AND moved_from = 'http://a/'"), 1);
        assert_eq!(number("SELECT below FROM fts_state"), 4, "what was there before is still to be indexed");
        assert_eq!(number("PRAGMA user_version"), NEWEST);
        assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    }

    /// A database as the program of that version left it: empty.
    fn of_version(version: usize) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", true).unwrap();
        db.execute_batch(
            "CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)",
        )
        .unwrap();
        for (version, (name, sql)) in (1_i64..).zip(&MIGRATIONS[..version]) {
            db.execute_batch(sql).unwrap();
            let sum = hex(&Sha256::digest(sql.as_bytes()));
            db.execute("INSERT INTO migration VALUES (?1, ?2, ?3)", params![version, name, sum]).unwrap();
        }
        db
    }

    #[test]
    fn who_is_in_a_stream_in_which_order_and_what_it_counts_outlive_the_tables_that_are_made_anew() {
        let mut db = of_version(15);
        db.execute_batch(
            "INSERT INTO feed (id, name, config_url, active, enabled, added_at) VALUES (1, 'a', 'https://a/', 1, 1, 0);
             INSERT INTO item (id, ident_hash, scope_feed, key, published_id, published_hash, main_feed, first_seen, updated,
               effective_at) VALUES (1, 1, 0, 'a', 'urn:1', 1, 1, 1, 1, 30), (2, 2, 0, 'b', 'urn:2', 2, 1, 1, 1, 20);
             INSERT INTO stream (id, name, definition, filled, last_seq, changed_at, version, public_at)
               VALUES (4, 'x', 'one', 1, 9, 50, 12, 40), (6, 'y', 'two', 0, 1, 60, 1, NULL);
             INSERT INTO stream_item VALUES (4, 30, 1, 7, '[]'), (4, 20, 2, 9, NULL), (6, 30, 1, 1, NULL)",
        )
        .unwrap();
        assert!(run(&mut db, "example.org,2026-01-01").is_ok());
        let lines = |sql: &str| {
            let mut read = db.prepare(sql).unwrap();
            let rows = read.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(std::result::Result::unwrap).collect::<Vec<_>>()
        };
        let state = "SELECT concat_ws(',', s.id, name, definition, filled, last_seq, version, changed_at, public_at)
                     FROM stream s JOIN stream_state t ON t.stream_id = s.id ORDER BY s.id";
        assert_eq!(lines(state), ["4,x,one,1,9,12,50,40", "6,y,two,0,1,1,60"]);
        let places = "SELECT concat_ws(',', stream_id, effective_at, item_id, seq, term) FROM stream_item ORDER BY stream_id, seq";
        assert_eq!(lines(places), ["4,30,1,7,[]", "4,20,2,9", "6,30,1,1"]);
        // What follows from a change does so as before.
        db.execute_batch("DELETE FROM stream_item WHERE stream_id = 6; UPDATE item SET key = 'c' WHERE id = 2")
            .unwrap();
        db.execute_batch("INSERT INTO stream (id, name, definition, filled) VALUES (8, 'z', 'three', 0)").unwrap();
        assert_eq!(lines("SELECT concat_ws(',', stream_id, version) FROM stream_state"), ["4,14", "6,2", "8,0"]);
        assert_eq!(lines("SELECT name FROM sqlite_schema WHERE name LIKE '%\\_16' ESCAPE '\\'"), [""; 0]);
        assert_eq!(lines("SELECT \"table\" FROM pragma_foreign_key_check"), [""; 0]);
    }

    #[test]
    fn what_is_remembered_of_a_feed_is_the_same_in_two_tables() {
        let mut db = of_version(16);
        db.execute_batch(
            "INSERT INTO feed (id, name, config_url, active, enabled, added_at)
               VALUES (1, 'a', 'https://a/', 1, 1, 0), (2, 'b', 'https://b/', 1, 1, 0);
             INSERT INTO feed_state (feed_id, current_url) VALUES (1, 'https://a/');
             INSERT INTO feed_state (feed_id, current_url, validator_url, etag, last_modified, body_hash, loaded_once, last_try,
               last_ok, due_at, due_reason, fresh_until, retry_until, errors, failing_since, error_kind, error_status, error_text,
               gone, habits, newest, cadence, moved_at, moved_from, dead, broken_at, merged_into, merged_at, ignore, paused_at)
             VALUES (2, 'current', 'validator', x'01', x'02', -3, 1, 4, 5, 6, 'reason', 7, 8, 9, 10, 'kind', 11, 'text',
               12, 'habits', 13, 'cadence', 14, 'from', 15, 16, 1, 17, 'query', 18)",
        )
        .unwrap();
        assert!(run(&mut db, "example.org,2026-01-01").is_ok());
        let line = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let document =
            "SELECT concat_ws(',', current_url, validator_url, hex(etag), hex(last_modified), body_hash, loaded_once,
                          habits, newest, cadence, moved_at, moved_from, ignore) FROM feed_document WHERE feed_id = ";
        let state = "SELECT concat_ws(',', last_try, last_ok, due_at, due_reason, fresh_until, retry_until, errors, failing_since,
                       error_kind, error_status, error_text, gone, dead, broken_at, merged_into, merged_at, paused_at)
                     FROM feed_state WHERE feed_id = ";
        let (document, state) = (|id: u8| line(&format!("{document}{id}")), |id: u8| line(&format!("{state}{id}")));
        assert_eq!(document(2), "current,validator,01,02,-3,1,habits,13,cadence,14,from,query");
        assert_eq!(state(2), "4,5,6,reason,7,8,9,10,kind,11,text,12,15,16,1,17,18");
        assert_eq!((document(1), state(1)), ("https://a/,,,0".to_owned(), ",0,0,0".to_owned()));
        assert_eq!(line("SELECT count(*) || '' FROM pragma_foreign_key_check"), "0");
        assert_eq!(line("SELECT count(*) || '' FROM sqlite_schema WHERE name LIKE '%\\_17' ESCAPE '\\'"), "0");
    }

    #[test]
    fn alerts_that_are_owed_and_attempts_that_were_made_outlive_the_table_that_is_made_anew() {
        let mut db = of_version(9);
        db.execute_batch(
            "INSERT INTO feed (id, name, config_url, active, enabled, added_at) VALUES (1, 'a', 'https://a/', 1, 1, 0);
             INSERT INTO webhook (id, name, active) VALUES (1, 'ops', 1);
             INSERT INTO alert VALUES (7, 'feed.broken', 1, 5, '{}');
             INSERT INTO delivery (id, webhook_id, message_id, matches, attempts, next_at, created_at, alert_id)
               VALUES (3, 1, 'msg_a', '[]', 2, 9, 5, 7);
             INSERT INTO attempt VALUES (3, 1, 5, 10, 500, 'first', '', ''), (3, 2, 6, 20, NULL, 'second', '', '')",
        )
        .unwrap();
        assert!(run(&mut db, "example.org,2026-01-01").is_ok());
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("SELECT a.feed_id FROM delivery d JOIN alert a ON a.id = d.alert_id WHERE d.id = 3"), 1);
        assert_eq!(number("SELECT tries FROM delivery"), 2);
        assert_eq!(number("SELECT last_ms FROM webhook WHERE last_error = 'second' AND last_status IS NULL"), 20);
        assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        assert_eq!(number("SELECT count(*) FROM sqlite_schema WHERE name = 'alert_9'"), 0);
    }

    #[test]
    fn an_upgrade_that_there_is_no_room_for_does_not_begin() {
        let refused = |size, free| room(Path::new("t.db"), size, free).map_err(|e| e.to_string());
        assert_eq!((refused(1 << 20, 8 << 20), refused(1 << 30, 1 << 29)), (Ok(()), Ok(())));
        let said = refused(1 << 30, 1_000_000).unwrap_err();
        assert!(
            said.contains("537 MB") && said.contains("1 MB free") && said.contains("Nothing was changed"),
            "{said}"
        );
        assert!(refused(4096, 1_000_000).is_err());
    }

    #[test]
    fn base32_agrees_with_rfc_4648() {
        for (plain, coded) in [("f", "my"), ("foobar", "mzxw6ytboi"), ("", ""), ("fooba", "mzxw6ytb")] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
    }
}
