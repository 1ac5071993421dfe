//! A stream in pages of a fixed size, by the order in which items entered it: what has its place keeps it, whatever
//! its date. A named stream has numbers of its own; the rows of items are those of `all`.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Archive, ArchiveRequest};
use super::{Result, items, streams};
use crate::domain::item::ItemId;
use crate::domain::stream::StreamId;

/// One page: a full one by its number, or the one that is being filled.
pub(super) fn page(db: &Connection, request: &ArchiveRequest) -> Result<Option<Archive>> {
    let size = i64::from(request.size.max(1));
    let full = last(db, request.stream)? / size;
    let (number, upto) = match request.number {
        None => (full.saturating_add(1), i64::MAX),
        Some(number) => match i64::try_from(number).ok().filter(|number| (1..=full).contains(number)) {
            Some(number) => (number, number.saturating_mul(size)),
            None => return Ok(None),
        },
    };
    let after = (number - 1).saturating_mul(size);
    let mut found = Vec::new();
    for id in within(db, request.stream, after, upto)?.into_iter().filter(|id| !request.but.contains(id)) {
        found.extend(items::load(db, id)?);
    }
    found.sort_by_key(|item| std::cmp::Reverse((item.effective_at, item.id)));
    let page = |place: i64| u64::try_from((place - 1) / size + 1).ok();
    let earlier = neighbour(db, request.stream, after, false)?.and_then(page);
    let later = match request.number {
        // The one that is being filled has no address.
        Some(_) => neighbour(db, request.stream, upto, true)?.filter(|place| *place <= full * size).and_then(page),
        None => None,
    };
    Ok(Some(Archive { items: found, earlier, later }))
}

/// The last number that was given.
fn last(db: &Connection, stream: Option<StreamId>) -> Result<i64> {
    match stream {
        Some(stream) => streams::last_seq(db, stream),
        // Retention keeps the highest row.
        None => db.query_row("SELECT coalesce(max(id), 0) FROM item", [], |row| row.get(0)),
    }
}

fn within(db: &Connection, stream: Option<StreamId>, after: i64, upto: i64) -> Result<Vec<ItemId>> {
    let row = |row: &rusqlite::Row<'_>| row.get(0).map(ItemId);
    match stream {
        Some(stream) => db
            .prepare_cached("SELECT item_id FROM stream_item WHERE stream_id = ?1 AND seq > ?2 AND seq <= ?3")?
            .query_map(params![stream.0, after, upto], row)?
            .collect(),
        None => db
            .prepare_cached("SELECT id FROM item WHERE id > ?1 AND id <= ?2 AND state = 0")?
            .query_map(params![after, upto], row)?
            .collect(),
    }
}

/// The number next to `place` that an item still has: at it or below, or above it. Pages that retention emptied are
/// passed over.
fn neighbour(db: &Connection, stream: Option<StreamId>, place: i64, above: bool) -> Result<Option<i64>> {
    let number = |row: &rusqlite::Row<'_>| row.get(0);
    let found = match (stream, above) {
        (Some(stream), false) => db
            .prepare_cached("SELECT max(seq) FROM stream_item WHERE stream_id = ?1 AND seq <= ?2")?
            .query_row(params![stream.0, place], number),
        (Some(stream), true) => db
            .prepare_cached("SELECT min(seq) FROM stream_item WHERE stream_id = ?1 AND seq > ?2")?
            .query_row(params![stream.0, place], number),
        (None, false) => db
            .prepare_cached("SELECT id FROM item WHERE id <= ?1 AND state = 0 ORDER BY id DESC LIMIT 1")?
            .query_row([place], number),
        (None, true) => db
            .prepare_cached("SELECT id FROM item WHERE id > ?1 AND state = 0 ORDER BY id LIMIT 1")?
            .query_row([place], number),
    };
    found.optional().map(Option::flatten)
}
