//! Two items that turned out to be one story, and parting them again. Nothing is deleted: the absorbed row stays, with
//! its body, and points to the one that was kept.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::super::MergeStatus;
use super::feeds::json;
use super::keys::{ABSORBED, Keys, SHOWN};
use super::writer::Tx;
use super::{Result, fts, streams};
use crate::domain::item::ItemId;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;

/// Kind of `change`.
pub(super) const MERGED: i64 = 4;

/// What it takes to part two items again.
#[derive(Serialize, Deserialize, Default)]
struct Undo {
    /// The absorbed item's state before.
    state: i64,
    /// Its sightings: feed and hash in hex.
    sightings: Vec<(i64, String)>,
    /// Its streams, and why it was in them.
    streams: Vec<(i64, Option<String>)>,
    /// Streams that the kept item entered by the merge alone.
    entered: BTreeSet<i64>,
    /// Items that it had absorbed itself.
    inner: Vec<i64>,
}

/// Makes one item of two; the older row is kept. `None`: they are one already, or must stay apart: a feed carries both
/// as two entries, somebody parted them, or one of them is private.
pub(super) fn merge(
    keys: Keys<'_>,
    tx: &Tx<'_>,
    one: ItemId,
    other: ItemId,
    reason: &str,
    at: Timestamp,
) -> Result<Option<ItemId>> {
    let (kept, absorbed) = (one.min(other), one.max(other));
    if kept == absorbed || must_stay_apart(keys, kept, absorbed)? {
        return Ok(None);
    }
    let undo = absorb(keys, kept, absorbed, at)?;
    keys.db
        .prepare_cached("INSERT INTO merge (kept, absorbed, at, reason, undo) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![kept.0, absorbed.0, at.as_ms(), reason, json(&undo)?])?;
    changed(keys, tx, kept, at)?;
    Ok(Some(kept))
}

fn must_stay_apart(keys: Keys<'_>, kept: ItemId, absorbed: ItemId) -> Result<bool> {
    keys.db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sighting a JOIN sighting b ON a.feed_id = b.feed_id
                            WHERE a.item_id = ?1 AND b.item_id = ?2)
                 OR EXISTS (SELECT 1 FROM merge WHERE undone_at IS NOT NULL AND kept = ?1 AND absorbed = ?2)
                 OR (SELECT count(*) FROM item WHERE id IN (?1, ?2) AND state <> 1) < 2
                 OR (SELECT count(DISTINCT f.private) FROM item i JOIN feed f ON f.id = i.main_feed WHERE i.id IN (?1, ?2)) > 1",
        )?
        .query_row([kept.0, absorbed.0], |row| row.get(0))
}

fn absorb(keys: Keys<'_>, kept: ItemId, absorbed: ItemId, at: Timestamp) -> Result<Undo> {
    let db = keys.db;
    let mut undo = Undo {
        state: db.query_row("SELECT state FROM item WHERE id = ?1", [absorbed.0], |row| row.get(0))?,
        ..Undo::default()
    };
    undo.sightings = db
        .prepare_cached("SELECT feed_id, hex(entry_hash) FROM sighting WHERE item_id = ?1")?
        .query_map([absorbed.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    undo.inner = db
        .prepare_cached("SELECT id FROM item WHERE merged_into = ?1")?
        .query_map([absorbed.0], |row| row.get(0))?
        .collect::<Result<_>>()?;
    undo.streams = db
        .prepare_cached("SELECT stream_id, term FROM stream_item WHERE item_id = ?1")?
        .query_map([absorbed.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    streams::touch(db, absorbed, at, true)?;
    db.execute("DELETE FROM stream_item WHERE item_id = ?1", [absorbed.0])?;
    for (stream, term) in &undo.streams {
        if enter(keys, *stream, kept, term.as_deref(), at)? {
            undo.entered.insert(*stream);
        }
    }
    // To a webhook that heard of the absorbed one, the kept one is not new.
    db.execute(
        "INSERT OR IGNORE INTO called SELECT ?1, webhook_id FROM called WHERE item_id = ?2
         UNION SELECT ?1, o.webhook_id FROM event e JOIN delivery_event d ON d.event_id = e.id
           JOIN delivery o ON o.id = d.delivery_id WHERE e.item_id = ?2 AND e.kind = 'item.new'",
        [kept.0, absorbed.0],
    )?;
    db.execute("UPDATE sighting SET item_id = ?1 WHERE item_id = ?2", [kept.0, absorbed.0])?;
    db.execute("UPDATE item SET merged_into = ?1 WHERE merged_into = ?2", [kept.0, absorbed.0])?;
    db.execute("UPDATE item SET state = ?3, merged_into = ?1 WHERE id = ?2", params![kept.0, absorbed.0, ABSORBED])?;
    fts::forget(db, absorbed)?;
    Ok(undo)
}

/// A shown item enters a stream; one that is not, does not.
fn enter(keys: Keys<'_>, stream: i64, item: ItemId, term: Option<&str>, at: Timestamp) -> Result<bool> {
    let effective: Option<i64> = keys
        .db
        .prepare_cached("SELECT effective_at FROM item WHERE id = ?1 AND state = ?2")?
        .query_row([item.0, SHOWN], |row| row.get(0))
        .optional()?;
    let Some(effective) = effective else { return Ok(false) };
    streams::enter(keys.db, StreamId(stream), item, Timestamp::from_ms(effective), term, at)
}

fn changed(keys: Keys<'_>, tx: &Tx<'_>, item: ItemId, at: Timestamp) -> Result<()> {
    keys.db.prepare_cached("INSERT INTO change (item_id, kind, at) VALUES (?1, ?2, ?3)")?.execute(params![
        item.0,
        MERGED,
        at.as_ms()
    ])?;
    streams::touch(keys.db, item, at, true)?;
    tx.publishes();
    Ok(())
}

/// Parts an item from the one that absorbed it. `None`: it was never merged, or is parted already. What was seen of the
/// story since stays with the kept item. Calls nobody; the two are never merged by themselves again.
pub(super) fn unmerge(keys: Keys<'_>, tx: &Tx<'_>, absorbed: ItemId, at: Timestamp) -> Result<Option<ItemId>> {
    let db = keys.db;
    let found: Option<(i64, i64, i64, String)> = db
        .query_row(
            "SELECT id, kept, at, undo FROM merge WHERE absorbed = ?1 AND undone_at IS NULL ORDER BY id DESC LIMIT 1",
            [absorbed.0],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((merge, kept, merged_at, undo)) = found else { return Ok(None) };
    let undo: Undo = serde_json::from_str(&undo).unwrap_or_default();
    let kept = keys.life(kept)?.item;
    db.execute("UPDATE merge SET undone_at = ?2 WHERE id = ?1", params![merge, at.as_ms()])?;
    db.execute(
        "UPDATE item SET merged_into = NULL,
           state = CASE WHEN EXISTS (SELECT 1 FROM item_body WHERE item_id = ?1) THEN ?2 ELSE 2 END WHERE id = ?1",
        params![absorbed.0, undo.state],
    )?;
    for inner in &undo.inner {
        db.execute("UPDATE item SET merged_into = ?2 WHERE id = ?1 AND state = 1", [*inner, absorbed.0])?;
    }
    for (feed, hash) in &undo.sightings {
        db.prepare_cached(
            "UPDATE sighting SET item_id = ?3 WHERE feed_id = ?1 AND entry_hash = unhex(?2) AND item_id = ?4",
        )?
        .execute(params![feed, hash, absorbed.0, kept.0])?;
    }
    for stream in &undo.entered {
        // A feed that brought it since may have taken it there, too.
        db.execute(
            "DELETE FROM stream_item WHERE stream_id = ?1 AND item_id = ?2
               AND NOT EXISTS (SELECT 1 FROM sighting WHERE item_id = ?2 AND first_seen >= ?3)",
            [*stream, kept.0, merged_at],
        )?;
    }
    for (stream, term) in &undo.streams {
        enter(keys, *stream, absorbed, term.as_deref(), at)?;
    }
    changed(keys, tx, absorbed, at)?;
    changed(keys, tx, kept, at)?;
    Ok(Some(kept))
}

/// Merges, newest first: those that an item took part in, or all.
pub(super) fn list(db: &Connection, item: Option<ItemId>, limit: u32) -> Result<Vec<MergeStatus>> {
    let mut read = db.prepare_cached(
        "SELECT m.kept, m.absorbed, m.at, m.reason, m.undone_at, b.title, k.link, a.link
         FROM merge m LEFT JOIN item k ON k.id = m.kept LEFT JOIN item a ON a.id = m.absorbed
           LEFT JOIN item_body b ON b.item_id = m.kept
         WHERE ?1 IS NULL OR m.kept = ?1 OR m.absorbed = ?1 ORDER BY m.id DESC LIMIT ?2",
    )?;
    let rows = read.query_map(params![item.map(|item| item.0), limit], |row| {
        Ok(MergeStatus {
            kept: ItemId(row.get(0)?),
            absorbed: ItemId(row.get(1)?),
            at: Timestamp::from_ms(row.get(2)?),
            reason: row.get(3)?,
            undone_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
            title: row.get(5)?,
            kept_link: row.get(6)?,
            absorbed_link: row.get(7)?,
        })
    })?;
    rows.collect()
}
