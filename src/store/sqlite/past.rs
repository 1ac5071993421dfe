//! Items of which only hashes are left: enough to know them again for good, no more.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::keep::KeepCounts;
use super::Result;
use super::hash::Hasher;
use super::keep::DAY_MS;
use super::keys::Keys;
use crate::domain::item::ItemId;
use crate::domain::webhook::EventKind;

/// Moves a purged item to `past_item` and `past_sighting`. False: it stays as it is, for something refers to it, its
/// keys may have to be made anew (an entry without a guid is known by its link alone), or it has the highest row:
/// rows are not given twice, for ids of calls hang on them.
pub(super) fn compact(db: &Connection, hasher: Hasher, item: ItemId) -> Result<bool> {
    // Where all who were to be called had been called before, an event is about no call.
    db.prepare_cached(
        "DELETE FROM event WHERE item_id = ?1 AND (SELECT state FROM item WHERE id = ?1) = 2
           AND NOT EXISTS (SELECT 1 FROM delivery_event WHERE event_id = event.id)",
    )?
    .execute([item.0])?;
    let row: Option<(i64, i64, String, i64)> = db
        .prepare_cached(
            "SELECT ident_hash, scope_feed, key, first_seen FROM item i
             WHERE id = ?1 AND state = 2 AND id < (SELECT max(id) FROM item)
               AND NOT EXISTS (SELECT 1 FROM sighting WHERE item_id = i.id AND guid IS NULL)
               AND NOT EXISTS (SELECT 1 FROM event WHERE item_id = i.id)
               AND NOT EXISTS (SELECT 1 FROM trace WHERE item_id = i.id)
               AND NOT EXISTS (SELECT 1 FROM merge WHERE kept = i.id)
               AND NOT EXISTS (SELECT 1 FROM merge WHERE absorbed = i.id)
               AND NOT EXISTS (SELECT 1 FROM item a WHERE a.merged_into = i.id)",
        )?
        .query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((ident_hash, scope, key, first_seen)) = row else { return Ok(false) };
    db.prepare_cached(
        "INSERT OR REPLACE INTO past_sighting (feed_id, entry_hash, item_id, key_hash, fingerprint)
         SELECT feed_id, entry_hash, item_id, key_hash, fingerprint FROM sighting WHERE item_id = ?1",
    )?
    .execute([item.0])?;
    db.prepare_cached("DELETE FROM sighting WHERE item_id = ?1")?.execute([item.0])?;
    let proof = Keys { db, hasher }.proof(scope, &key);
    db.prepare_cached("INSERT INTO past_item VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?.execute(params![
        ident_hash,
        proof,
        item.0,
        first_seen.div_euclid(DAY_MS)
    ])?;
    db.prepare_cached("DELETE FROM called WHERE item_id = ?1")?.execute([item.0])?;
    db.prepare_cached("DELETE FROM item WHERE id = ?1")?.execute([item.0])?;
    Ok(true)
}

/// Forgets a delivery that was settled long ago, with its log, and the events that only it was about. That an item
/// was announced to a webhook is remembered for as long as the item could be announced again.
pub(super) fn forget_delivery(db: &Connection, hasher: Hasher, delivery: i64) -> Result<KeepCounts> {
    let mut done = KeepCounts::default();
    let found: Option<(i64, Option<i64>)> = db
        .prepare_cached("SELECT webhook_id, alert_id FROM delivery WHERE id = ?1 AND state IN ('succeeded', 'failed')")?
        .query_row([delivery], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((webhook, alert)) = found else { return Ok(done) };
    let events: Vec<(i64, String, i64)> = db
        .prepare_cached(
            "SELECT e.id, e.kind, e.item_id FROM delivery_event d JOIN event e ON e.id = d.event_id
             WHERE d.delivery_id = ?1",
        )?
        .query_map([delivery], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_>>()?;
    for table in ["attempt", "delivery_event"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE delivery_id = ?1"))?.execute([delivery])?;
    }
    db.prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([delivery])?;
    done.deliveries = 1;
    db.prepare_cached("DELETE FROM alert WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE alert_id = ?1)")?
        .execute([alert])?;
    for (event, kind, item) in events {
        // An edit is told of once by its revision, which does not come again.
        if kind == EventKind::ItemNew.as_str() {
            db.prepare_cached("INSERT OR IGNORE INTO called VALUES (?1, ?2)")?.execute([item, webhook])?;
        }
        db.prepare_cached(
            "DELETE FROM event WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM delivery_event WHERE event_id = ?1)",
        )?
        .execute([event])?;
        done.past += u64::from(compact(db, hasher, ItemId(item))?);
    }
    Ok(done)
}
