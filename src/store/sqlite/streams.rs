//! Streams: who is in them, and their pages.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::super::{Cursor, Fill, Page, PageRequest, StreamSpec};
use super::writer::Tx;
use super::{Result, items};
use crate::domain::item::ItemId;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;

/// `stream.filled`: it has all that is stored and belongs there, and nothing else.
const WHOLE: i64 = 1;
const TO_BE_FILLED: i64 = 0;

/// The stream's row, and whether it has to be filled.
pub(super) fn apply(db: &Connection, spec: &StreamSpec) -> Result<(StreamId, bool)> {
    db.prepare_cached(
        "INSERT INTO stream (name, definition, filled) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE
           SET filled = iif(definition = excluded.definition, filled, ?3), definition = excluded.definition
         RETURNING id, filled",
    )?
    .query_row(params![spec.name, spec.definition, TO_BE_FILLED], |row| {
        Ok((StreamId(row.get(0)?), row.get::<_, i64>(1)? != WHOLE))
    })
}

/// An item enters a stream; `term` is why, in brief and as JSON. False: it was in it.
pub(super) fn enter(
    db: &Connection,
    stream: StreamId,
    item: ItemId,
    effective_at: Timestamp,
    term: Option<&str>,
    at: Timestamp,
) -> Result<bool> {
    let hidden = db
        .prepare_cached("SELECT f.private FROM item i JOIN feed f ON f.id = i.main_feed WHERE i.id = ?1")?
        .query_row([item.0], |row| row.get(0))?;
    Door::open(db)?.enter(&Entering { stream, item, effective_at, term, at }, hidden)
}

/// An item that enters a stream.
pub(super) struct Entering<'a> {
    pub(super) stream: StreamId,
    pub(super) item: ItemId,
    pub(super) effective_at: Timestamp,
    /// Why, in brief and as JSON.
    pub(super) term: Option<&'a str>,
    pub(super) at: Timestamp,
}

/// What it takes to put items into streams. A cold import does this more often than anything else, and to look the statements up would
/// be a tenth of it; a subquery with rows of its own, or an insertion from a query, would take a temporary table or a statement
/// journal each.
pub(super) struct Door<'a> {
    add: CachedStatement<'a>,
    count: CachedStatement<'a>,
}

impl<'a> Door<'a> {
    pub(super) fn open(db: &'a Connection) -> Result<Self> {
        Ok(Self {
            // Ignored as well: the stream is gone, and has no number to give.
            add: db.prepare_cached(
                "INSERT OR IGNORE INTO stream_item (stream_id, effective_at, item_id, seq, term)
                 VALUES (?1, ?2, ?3, (SELECT last_seq + 1 FROM stream_state WHERE stream_id = ?1), ?4)",
            )?,
            count: db.prepare_cached(
                "UPDATE stream_state SET last_seq = last_seq + 1, version = version + 1, changed_at = ?2,
                   public_at = iif(?3, public_at, ?2)
                 WHERE stream_id = ?1",
            )?,
        })
    }

    /// `hidden`: the item is from a private feed. False: it was in the stream.
    pub(super) fn enter(&mut self, entering: &Entering<'_>, hidden: bool) -> Result<bool> {
        let Entering { stream, item, effective_at, term, at } = *entering;
        let added = self.add.execute(params![stream.0, effective_at.as_ms(), item.0, term])?;
        if added > 0 {
            self.count.execute(params![stream.0, at.as_ms(), hidden])?;
        }
        Ok(added > 0)
    }
}

/// An item is in other streams than before: the documents of all of them name them.
pub(super) fn renamed(db: &Connection, item: ItemId) -> Result<()> {
    db.prepare_cached(
        "UPDATE stream_state SET version = version + 1
         WHERE stream_id IN (SELECT stream_id FROM stream_item WHERE item_id = ?1)",
    )?
    .execute([item.0])?;
    Ok(())
}

/// A number that grows with what the stream's documents show.
pub(super) fn version(db: &Connection, stream: StreamId) -> Result<i64> {
    let found = db
        .prepare_cached("SELECT version FROM stream_state WHERE stream_id = ?1")?
        .query_row([stream.0], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(-1))
}

/// An item that is in streams changed: so did they; `for_all`: not only for who sees private feeds.
pub(super) fn touch(db: &Connection, item: ItemId, at: Timestamp, for_all: bool) -> Result<()> {
    db.prepare_cached(
        "UPDATE stream_state SET changed_at = ?2, version = version + 1, public_at = iif(
           ?3 AND (SELECT main_feed FROM item WHERE id = ?1) NOT IN (SELECT id FROM feed WHERE private), ?2, public_at)
         WHERE stream_id IN (SELECT stream_id FROM stream_item WHERE item_id = ?1)",
    )?
    .execute(params![item.0, at.as_ms(), for_all])?;
    Ok(())
}

/// A feed is called something else from now on, and any stream may show its name. To look for those that do would cost more
/// than to make documents again that turn out the same.
pub(super) fn renew(db: &Connection) -> Result<()> {
    db.execute("UPDATE stream_state SET version = version + 1", []).map(|_| ())
}

/// The last number that the stream gave.
pub(super) fn last_seq(db: &Connection, stream: StreamId) -> Result<i64> {
    let found = db
        .prepare_cached("SELECT last_seq FROM stream_state WHERE stream_id = ?1")?
        .query_row([stream.0], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// Stored items enter and leave a stream. Each change is one of now: documents are newer than those that were sent before.
pub(super) fn fill(tx: &Tx<'_>, part: &Fill, done: bool, at: Timestamp) -> Result<()> {
    let (db, stream) = (tx.db, part.stream);
    for item in &part.enter {
        let effective_at: Option<i64> = db
            .prepare_cached("SELECT effective_at FROM item WHERE id = ?1 AND state = 0")?
            .query_row([item.0], |row| row.get(0))
            .optional()?;
        if let Some(effective_at) = effective_at
            && enter(db, stream, *item, Timestamp::from_ms(effective_at), None, at)?
        {
            renamed(db, *item)?;
        }
    }
    for item in &part.leave {
        let here = db
            .prepare_cached("SELECT 1 FROM stream_item WHERE stream_id = ?1 AND item_id = ?2 AND seq <= ?3")?
            .exists(params![stream.0, item.0, part.upto])?;
        if here {
            touch(db, *item, at, true)?;
            db.prepare_cached("DELETE FROM stream_item WHERE stream_id = ?1 AND item_id = ?2")?
                .execute([stream.0, item.0])?;
        }
    }
    if done {
        db.execute("UPDATE stream SET filled = ?2 WHERE id = ?1", params![stream.0, WHOLE])?;
    }
    tx.publishes();
    Ok(())
}

fn changed_at(db: &Connection, stream: Option<StreamId>) -> Result<Option<Timestamp>> {
    let at: Option<Option<i64>> = match stream {
        Some(stream) => db
            .prepare_cached("SELECT changed_at FROM stream_state WHERE stream_id = ?1")?
            .query_row([stream.0], |row| row.get(0))
            .optional()?,
        None => db
            .prepare_cached("SELECT at FROM change ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?,
    };
    Ok(at.flatten().map(Timestamp::from_ms))
}

/// Rows that a page with a share for each feed goes through, for each item that it may have.
const PASSED_OVER: usize = 50;

/// A page, newest first, then by row.
pub(super) fn page(db: &Connection, request: &PageRequest) -> Result<Page> {
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let mut found = places(db, request, limit.saturating_add(1))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().copied().filter(|_| more);
    gather(db, request.stream, &found, next)
}

/// A page with at most so many items of each feed.
pub(super) fn shared_page(db: &Connection, request: &PageRequest, per_feed: u32) -> Result<Page> {
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let most = limit.saturating_mul(PASSED_OVER);
    let all = places(db, request, most.saturating_add(1))?;
    let (mut found, mut shares, mut next) = (Vec::new(), HashMap::<i64, u32>::new(), None);
    let mut read = db.prepare_cached("SELECT main_feed FROM item WHERE id = ?1")?;
    for place in &all {
        if found.len() == limit {
            break;
        }
        let share = shares.entry(read.query_row([place.1], |row| row.get(0))?).or_default();
        if *share < per_feed {
            *share += 1;
            found.push(*place);
        }
        next = Some(*place);
    }
    // Behind the last place that was looked at, unless that was the last one of all.
    let next = next.filter(|next| all.last() != Some(next));
    gather(db, request.stream, &found, next)
}

/// The places of items from where a page begins.
fn places(db: &Connection, request: &PageRequest, most: usize) -> Result<Vec<(i64, i64)>> {
    let (at, id) = match request.before {
        Some(Cursor { effective_at, item }) => (effective_at.as_ms(), item.0),
        None => (i64::MAX, i64::MAX),
    };
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    match request.stream {
        Some(stream) => db
            .prepare_cached(
                "SELECT effective_at, item_id FROM stream_item WHERE stream_id = ?1 AND (effective_at, item_id) < (?2, ?3)
                 ORDER BY effective_at DESC, item_id DESC LIMIT ?4",
            )?
            .query_map(params![stream.0, at, id, limit], row)?
            .collect(),
        None => db
            .prepare_cached(
                "SELECT effective_at, id FROM item WHERE state = 0 AND (effective_at, id) < (?1, ?2)
                 ORDER BY effective_at DESC, id DESC LIMIT ?3",
            )?
            .query_map(params![at, id, limit], row)?
            .collect(),
    }
}

fn gather(db: &Connection, stream: Option<StreamId>, found: &[(i64, i64)], next: Option<(i64, i64)>) -> Result<Page> {
    let next = next.map(|(at, id)| Cursor { effective_at: Timestamp::from_ms(at), item: ItemId(id) });
    let mut page = Page { items: Vec::with_capacity(found.len()), next, changed_at: changed_at(db, stream)? };
    for (_, id) in found {
        page.items.extend(items::load(db, ItemId(*id))?);
    }
    Ok(page)
}
