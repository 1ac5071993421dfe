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
];

/// The version that this program writes.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

pub(super) fn migrate(connection: &mut Connection, path: &Path, tagging: &str) -> Result<(), StoreError> {
    run(connection, path, tagging).map_err(|e| match e {
        Trouble::Sql(e) => refused(path, &e),
        Trouble::Edited(name) => StoreError::Corrupt {
            path: path.display().to_string(),
            cause: format!("its migration {name} is not the one that this program knows"),
        },
    })
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

fn run(connection: &mut Connection, path: &Path, tagging: &str) -> Result<(), Trouble> {
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
                tracing::info!(db.version = version, db.path = %path.display(), "bringing the database up to date");
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

    #[test]
    fn base32_agrees_with_rfc_4648() {
        for (plain, coded) in [("f", "my"), ("foobar", "mzxw6ytboi"), ("", ""), ("fooba", "mzxw6ytb")] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
    }
}
