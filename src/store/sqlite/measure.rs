//! How large is what: by feed now and then, and the whole database when somebody asks.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::keep::{Anatomy, FeedSize, FeedSizes, Measure, Part, Size, Stage, TableSize};
use super::keep::pragma;
use super::{Result, count, schema};
use crate::domain::time::Timestamp;

/// A feed and what it takes.
pub(super) type Row = (i64, Size);

/// Between two measurements.
const EVERY_MS: i64 = 6 * 3_600_000;
/// Rows that are read at a time: some milliseconds, so that no checkpoint waits.
const ROWS: i64 = 5000;
/// What a row of an item takes beside its texts, with its indexes: three hashes and their indexes, seven numbers.
const ITEM_BYTES: u64 = 95;
/// What a sighting takes beside its texts, with its indexes.
const SIGHTING_BYTES: u64 = 75;
/// What a past entry takes, its part of the item included: measured by `benches/keep.rs`.
const PAST_BYTES: u64 = 66;

/// The columns of a body that hold its text.
const BODY: &str = "coalesce(octet_length(b.title), 0) + coalesce(octet_length(b.summary), 0) \
     + coalesce(octet_length(b.content), 0) + coalesce(octet_length(b.extra), 0) \
     + coalesce(octet_length(b.clean_summary), 0) + coalesce(octet_length(b.clean_content), 0)";

/// Whether it is time to measure.
pub(super) fn due(db: &Connection, now: Timestamp) -> Result<bool> {
    let at: Option<i64> = meta(db, "sizes_at")?;
    // A time that lies ahead was measured under another clock.
    Ok(at.is_none_or(|at| at > now.as_ms() || now.as_ms() - at >= EVERY_MS))
}

fn meta(db: &Connection, key: &str) -> Result<Option<i64>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Sums up a few thousand rows more.
pub(super) fn go_on(db: &Connection, measure: Measure) -> Result<Stage> {
    let Measure { part, mut sizes } = measure;
    let next = match part {
        Part::Bodies(after) => bodies(db, after, &mut sizes)?,
        Part::Sightings(feed, entry) => sightings(db, feed, &entry, &mut sizes)?,
        Part::Past(feed, entry) => past(db, feed, &entry, &mut sizes)?,
    };
    Ok(match next {
        Some(part) => Stage::Measure(Measure { part, sizes }),
        None => Stage::Sizes { sizes, after: i64::MIN },
    })
}

fn bodies(db: &Connection, after: i64, sizes: &mut BTreeMap<i64, Size>) -> Result<Option<Part>> {
    // octet_length() needs the head of a row only, not the pages where its text goes on.
    let sql = format!(
        "SELECT b.item_id, i.main_feed, {BODY} FROM item_body b JOIN item i ON i.id = b.item_id
         WHERE b.item_id > ?1 ORDER BY b.item_id LIMIT ?2"
    );
    let mut read = db.prepare_cached(&sql)?;
    let mut rows = read.query([after, ROWS])?;
    let (mut last, mut n) = (after, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let size = sizes.entry(row.get(1)?).or_default();
        size.stories += 1;
        size.body_bytes += count(row, 2)?;
        n += 1;
    }
    Ok(Some(if n < ROWS { Part::Sightings(0, Vec::new()) } else { Part::Bodies(last) }))
}

fn sightings(db: &Connection, feed: i64, entry: &[u8], sizes: &mut BTreeMap<i64, Size>) -> Result<Option<Part>> {
    // An item is counted where it is published from.
    let mut read = db.prepare_cached(
        "SELECT s.feed_id, s.entry_hash, coalesce(octet_length(s.guid), 0) + coalesce(octet_length(s.link), 0),
           CASE WHEN i.main_feed = s.feed_id THEN octet_length(i.key) + coalesce(octet_length(i.link), 0)
             + octet_length(i.published_id) END
         FROM (SELECT * FROM sighting WHERE (feed_id, entry_hash) > (?1, ?2) ORDER BY feed_id, entry_hash LIMIT ?3) s
         JOIN item i ON i.id = s.item_id",
    )?;
    let mut rows = read.query(params![feed, entry, ROWS])?;
    let (mut last, mut n) = (None, 0);
    while let Some(row) = rows.next()? {
        let feed: i64 = row.get(0)?;
        let size = sizes.entry(feed).or_default();
        size.entries += 1;
        size.identity_bytes += SIGHTING_BYTES + count(row, 2)?;
        if row.get::<_, Option<i64>>(3)?.is_some() {
            size.identity_bytes += ITEM_BYTES + count(row, 3)?;
        }
        last = Some((feed, row.get(1)?));
        n += 1;
    }
    Ok(Some(match last {
        Some((feed, entry)) if n >= ROWS => Part::Sightings(feed, entry),
        _ => Part::Past(0, Vec::new()),
    }))
}

fn past(db: &Connection, feed: i64, entry: &[u8], sizes: &mut BTreeMap<i64, Size>) -> Result<Option<Part>> {
    let mut read = db.prepare_cached(
        "SELECT feed_id, entry_hash FROM past_sighting WHERE (feed_id, entry_hash) > (?1, ?2)
         ORDER BY feed_id, entry_hash LIMIT ?3",
    )?;
    let mut rows = read.query(params![feed, entry, ROWS])?;
    let (mut last, mut n) = (None, 0);
    while let Some(row) = rows.next()? {
        let feed: i64 = row.get(0)?;
        let size = sizes.entry(feed).or_default();
        size.entries += 1;
        size.identity_bytes += PAST_BYTES;
        last = Some((feed, row.get(1)?));
        n += 1;
    }
    Ok(last.filter(|_| n >= ROWS).map(|(feed, entry)| Part::Past(feed, entry)))
}

/// Makes room for what was measured.
pub(super) fn clear(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM meta WHERE key = 'sizes_at'", [])?;
    db.execute("DELETE FROM feed_size", []).map(|_| ())
}

/// Keeps what was measured.
pub(super) fn write(db: &Connection, rows: &[Row], at: i64) -> Result<()> {
    let mut write = db.prepare_cached("INSERT OR REPLACE INTO feed_size VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    for (feed, size) in rows {
        write.execute(params![
            feed,
            number(size.stories),
            number(size.body_bytes),
            number(size.entries),
            number(size.identity_bytes)
        ])?;
    }
    db.execute("INSERT OR REPLACE INTO meta VALUES ('sizes_at', ?1)", [at]).map(|_| ())
}

/// What was measured last, the largest first.
pub(super) fn sizes(db: &Connection, limit: u32) -> Result<FeedSizes> {
    let mut read = db.prepare_cached(
        "SELECT CASE WHEN f.active THEN f.name ELSE f.config_url END, f.active, s.stories, s.body_bytes, s.entries,
           s.identity_bytes
         FROM feed_size s JOIN feed f ON f.id = s.feed_id
         ORDER BY s.body_bytes + s.identity_bytes DESC, s.feed_id LIMIT ?1",
    )?;
    let rows = read.query_map([limit], |row| {
        Ok(FeedSize {
            name: row.get(0)?,
            followed: row.get(1)?,
            stories: count(row, 2)?,
            body_bytes: count(row, 3)?,
            entries: count(row, 4)?,
            identity_bytes: count(row, 5)?,
        })
    })?;
    let feeds: Vec<FeedSize> = rows.collect::<Result<_>>()?;
    let all =
        db.query_row("SELECT count(*) FROM feed_size s JOIN feed f ON f.id = s.feed_id", [], |row| count(row, 0))?;
    let more = all.saturating_sub(feeds.len() as u64);
    Ok(FeedSizes { measured_at: meta(db, "sizes_at")?.map(Timestamp::from_ms), feeds, more })
}

/// Tables and indexes that hold identity alone: without bodies, streams, calls and the log of changes.
const IDENTITY: [&str; 4] = ["item", "sighting", "past_item", "past_sighting"];

/// What the feeds take now.
fn sizes_now(db: &Connection, limit: u32, now: Timestamp) -> Result<FeedSizes> {
    let mut stage = Stage::Measure(Measure::default());
    let sizes = loop {
        match stage {
            Stage::Measure(so_far) => stage = go_on(db, so_far)?,
            Stage::Sizes { sizes, .. } => break sizes,
            _ => break BTreeMap::new(),
        }
    };
    let mut read = db.prepare("SELECT id, CASE WHEN active THEN name ELSE config_url END, active FROM feed")?;
    let rows = read.query_map([], |row| {
        let size = sizes.get(&row.get(0)?).copied().unwrap_or_default();
        Ok(FeedSize {
            name: row.get(1)?,
            followed: row.get(2)?,
            stories: size.stories,
            body_bytes: size.body_bytes,
            entries: size.entries,
            identity_bytes: size.identity_bytes,
        })
    })?;
    let mut feeds: Vec<FeedSize> = rows.collect::<Result<_>>()?;
    feeds.retain(|feed| feed.stories + feed.entries > 0);
    feeds.sort_by_key(|feed| std::cmp::Reverse(feed.body_bytes + feed.identity_bytes));
    let all = feeds.len();
    feeds.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(FeedSizes { measured_at: Some(now), more: (all - feeds.len()) as u64, feeds })
}

/// The database in numbers. Reads every page.
pub(super) fn anatomy(db: &Connection, limit: u32, now: Timestamp) -> Result<Anatomy> {
    let page = pragma(db, "page_size")?;
    let bytes = |pages: i64| u64::try_from(pages.saturating_mul(page)).unwrap_or(0);
    let mut all = Anatomy {
        version: pragma(db, "user_version")?,
        newest_version: schema::NEWEST,
        size_bytes: bytes(pragma(db, "page_count")?),
        free_bytes: bytes(pragma(db, "freelist_count")?),
        ..Anatomy::default()
    };
    let mut read = db.prepare(
        "SELECT d.name, d.pgsize, s.tbl_name FROM dbstat d LEFT JOIN sqlite_schema s ON s.name = d.name
         WHERE d.aggregate = TRUE ORDER BY d.pgsize DESC, d.name",
    )?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let table = TableSize { name: row.get(0)?, size_bytes: count(row, 1)? };
        let of: Option<String> = row.get(2)?;
        let of = of.unwrap_or_default();
        if IDENTITY.contains(&of.as_str()) {
            all.identity_bytes += table.size_bytes;
        }
        if of.starts_with("past_") {
            all.past_bytes += table.size_bytes;
        }
        all.tables.push(table);
    }
    if all.version < schema::NEWEST {
        return Ok(all); // the tables below come with the next start
    }
    all.past = db.query_row("SELECT count(*) FROM past_item", [], |row| count(row, 0))?;
    all.items = all.past + db.query_row("SELECT count(*) FROM item", [], |row| count(row, 0))?;
    all.stories = db.query_row("SELECT n FROM tally WHERE name = 'items'", [], |row| count(row, 0))?;
    all.newest = db
        .query_row(
            "SELECT max(coalesce((SELECT at FROM change ORDER BY seq DESC LIMIT 1), 0),
                        coalesce((SELECT max(last_try) FROM feed_state), 0))",
            [],
            |row| row.get(0),
        )
        .map(|at: i64| Some(Timestamp::from_ms(at)).filter(|_| at > 0))?;
    all.keep_clock = meta(db, "keep_clock")?.map(Timestamp::from_ms);
    all.feeds = sizes_now(db, limit, now)?;
    Ok(all)
}
