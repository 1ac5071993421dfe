//! The full-text index, kept: it follows the log of changes, and a row goes from it in the transaction that takes the
//! item away. How far it has come is written with what it took up, so that a crash repeats a batch or does not.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Backlog, Mark, Raw, Worded};
use super::Result;
use super::commit::SIGHTED;
use crate::domain::item::ItemId;

/// Lines of the log that one batch goes through.
const LINES: u32 = 4096;
/// Texts of one batch, in bytes: their words are written in one transaction, and polls wait for it.
const MOST_BYTES: usize = 512 << 10;

/// Up to where the index has come.
pub(super) fn mark(db: &Connection) -> Result<Mark> {
    db.prepare_cached("SELECT done_seq, below FROM fts_state")?
        .query_row([], |row| Ok(Mark { done_seq: row.get(0)?, below: row.get(1)? }))
}

/// The next batch: what came or was edited, then what was there before the index was, newest first.
pub(super) fn unindexed(db: &Connection, limit: u32) -> Result<Backlog> {
    let from = mark(db)?;
    let mut batch = Backlog { items: Vec::new(), from, to: from };
    let mut bytes = 0;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut read = db.prepare_cached("SELECT seq, item_id, kind FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = read.query(params![from.done_seq, LINES])?;
    while let Some(row) = rows.next()? {
        let (seq, item, kind): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if batch.items.len() >= limit || bytes >= MOST_BYTES {
            return Ok(batch);
        }
        batch.to.done_seq = seq;
        // In one more feed it has the same words.
        if kind != SIGHTED && !batch.items.iter().any(|(known, _)| known.0 == item) {
            bytes += add(db, &mut batch, item)?;
        }
    }
    if batch.to.done_seq > from.done_seq || from.below == 0 {
        return Ok(batch);
    }
    let mut read = db.prepare_cached("SELECT id FROM item WHERE id < ?1 AND state = 0 ORDER BY id DESC")?;
    let mut rows = read.query([from.below])?;
    while let Some(row) = rows.next()? {
        if batch.items.len() >= limit || bytes >= MOST_BYTES {
            return Ok(batch);
        }
        batch.to.below = row.get(0)?;
        let item = batch.to.below;
        bytes += add(db, &mut batch, item)?;
    }
    batch.to.below = 0;
    Ok(batch)
}

fn add(db: &Connection, batch: &mut Backlog, item: i64) -> Result<usize> {
    let raw = db
        .prepare_cached(
            "SELECT b.title, b.summary, b.content FROM item i JOIN item_body b ON b.item_id = i.id
             WHERE i.id = ?1 AND i.state = 0",
        )?
        .query_row([item], |row| Ok(Raw { title: row.get(0)?, summary: row.get(1)?, content: row.get(2)? }))
        .optional()?;
    let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
    let bytes = raw.as_ref().map_or(0, |raw| length(&raw.title) + length(&raw.summary) + length(&raw.content));
    batch.items.push((ItemId(item), raw));
    Ok(bytes)
}

/// Takes a batch up.
pub(super) fn index(db: &Connection, words: &[Worded], from: Mark, to: Mark) -> Result<bool> {
    if mark(db)? != from {
        return Ok(false);
    }
    for Worded { item, texts } in words {
        // It may have gone since it was read.
        let shown: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM item WHERE id = ?1 AND state = 0)")?
            .query_row([item.0], |row| row.get(0))?;
        match texts {
            Some([title, summary, content]) if shown => {
                db.prepare_cached(
                    "INSERT OR REPLACE INTO item_fts (rowid, title, summary, content) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![item.0, title, summary, content])?;
            }
            _ => forget(db, *item)?,
        }
    }
    db.prepare_cached("UPDATE fts_state SET done_seq = ?1, below = ?2")?.execute([to.done_seq, to.below])?;
    Ok(true)
}

/// The item goes from the index, if it is in it.
pub(super) fn forget(db: &Connection, item: ItemId) -> Result<()> {
    db.prepare_cached("DELETE FROM item_fts WHERE rowid = ?1")?.execute([item.0])?;
    Ok(())
}
