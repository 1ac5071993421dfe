//! The trace of a story: everything that is written down about it, gathered in one read.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::keys::{ABSORBED, Keys, PURGED};
use super::{Result, ignore, items, outbox};
use crate::domain::feed::Habits;
use crate::domain::item::{Item, ItemId};
use crate::domain::stream::TermHit;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Alias, Habit, Merge, Note, Past, Story, TraceBy, Traced};

/// Of each sort of thing the newest, so many: an answer has an end.
const MOST: u32 = 500;
/// Longest way from an absorbed item to the one that was kept. Ways are short; a damaged one must have an end.
const MERGES_DEEP: usize = 32;
const DAY_MS: i64 = 86_400_000;

/// One read.
pub(super) struct Tracer<'a> {
    pub(super) db: &'a Connection,
    pub(super) keys: Keys<'a>,
}

impl Tracer<'_> {
    pub(super) fn run(&self, by: &TraceBy) -> Result<Traced> {
        let mut traced = Traced::default();
        self.find(by, &mut traced)?;
        let keys: Vec<&String> = match (&traced.story, by) {
            (Some(story), _) => vec![&story.item.key],
            (None, TraceBy::Given { keys, .. }) => keys.iter().collect(),
            (None, TraceBy::Item(_)) => Vec::new(),
        };
        for key in keys {
            traced.ignored.extend(ignore::of_key(self.db, self.keys, key)?);
        }
        Ok(traced)
    }

    fn find(&self, by: &TraceBy, traced: &mut Traced) -> Result<()> {
        match by {
            TraceBy::Item(item) => traced.story = self.story(*item)?,
            TraceBy::Given { text, keys } => {
                for key in keys {
                    self.by_key(key, traced)?;
                    if traced.story.is_some() || traced.past.is_some() {
                        return Ok(());
                    }
                }
                if let Some(item) = self.by_published_id(text)? {
                    traced.story = self.story(item)?;
                    return Ok(());
                }
                traced.hubs = self.hubs(keys)?;
            }
        }
        Ok(())
    }

    fn by_key(&self, key: &str, traced: &mut Traced) -> Result<()> {
        if self.stands(key, traced)? {
            return Ok(());
        }
        if let Some(alias) = self.alias(key)? {
            self.stands(&alias.to, traced)?;
            traced.alias = Some(alias);
        }
        Ok(())
    }

    /// What stands under the key itself: a story, which may be absorbed, or one that is past. False: nothing.
    fn stands(&self, key: &str, traced: &mut Traced) -> Result<bool> {
        let hash = self.keys.find(self.keys.hash(0, key), 0, key)?.hash;
        let item: Option<i64> = self
            .db
            .prepare_cached("SELECT id FROM item WHERE ident_hash = ?1 AND scope_feed = 0 AND key = ?2")?
            .query_row(params![hash, key], |row| row.get(0))
            .optional()?;
        if let Some(item) = item {
            traced.story = self.story(ItemId(item))?;
            return Ok(true);
        }
        traced.past = self
            .db
            .prepare_cached("SELECT item_id, seen_day FROM past_item WHERE ident_hash = ?1 AND proof = ?2")?
            .query_row([hash, self.keys.proof(0, key)], |row| {
                let seen = Timestamp::from_ms(row.get::<_, i64>(1)?.saturating_mul(DAY_MS));
                Ok(Past { item: ItemId(row.get(0)?), seen })
            })
            .optional()?;
        Ok(traced.past.is_some())
    }

    fn alias(&self, key: &str) -> Result<Option<Alias>> {
        self.db
            .prepare_cached(
                "SELECT from_key, to_key, source, seen_at FROM alias WHERE from_hash = ?1 AND from_key = ?2",
            )?
            .query_row(params![self.keys.hash(0, key), key], alias)
            .optional()
    }

    fn by_published_id(&self, text: &str) -> Result<Option<ItemId>> {
        self.db
            .prepare_cached("SELECT id FROM item WHERE published_hash = ?1 AND published_id = ?2")?
            .query_row(params![self.keys.hasher.short(&[text.as_bytes()]), text], |row| row.get(0).map(ItemId))
            .optional()
    }

    /// The feeds that know one of these keys as one of many stories.
    fn hubs(&self, keys: &[String]) -> Result<Vec<Habit>> {
        let mut read = self.db.prepare_cached(
            "SELECT f.name, d.habits FROM feed_document d JOIN feed f ON f.id = d.feed_id
             WHERE d.habits IS NOT NULL ORDER BY f.name",
        )?;
        let rows = read.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut hubs = Vec::new();
        for row in rows {
            let (feed, habits) = row?;
            let habits: Habits = serde_json::from_str(&habits).unwrap_or_default();
            if habits.hubs.iter().any(|hub| keys.contains(hub)) {
                hubs.push(Habit { feed, reason: None });
            }
        }
        Ok(hubs)
    }

    /// A story, or the one that it was absorbed by.
    fn story(&self, asked: ItemId) -> Result<Option<Box<Story>>> {
        let mut read = self.db.prepare_cached("SELECT state, merged_into, scope_feed FROM item WHERE id = ?1")?;
        let mut id = asked;
        for _ in 0..MERGES_DEEP {
            let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?));
            let Some((state, into, scope)) = read.query_row([id.0], row).optional()? else { return Ok(None) };
            match (state, into) {
                (ABSORBED, Some(into)) => id = ItemId(into),
                _ => {
                    let Some(item) = items::load(self.db, id)? else { return Ok(None) };
                    let absorbed = Some(asked).filter(|asked| *asked != id);
                    return self.gather(item, absorbed, state == PURGED, scope).map(|story| Some(Box::new(story)));
                }
            }
        }
        Ok(None)
    }

    fn gather(&self, item: Item, absorbed: Option<ItemId>, purged: bool, scope: i64) -> Result<Story> {
        let id = item.id;
        let merges = self.merges(id)?;
        let mut calls = outbox::about(self.db, id, MOST)?;
        // What was sent about an absorbed item stays in its name.
        for merge in merges.iter().filter(|merge| merge.absorbed != id && merge.undone_at.is_none()) {
            calls.extend(outbox::about(self.db, merge.absorbed, MOST)?);
        }
        calls.sort_by_key(|call| (call.created_at, call.status.id));
        Ok(Story {
            absorbed,
            purged,
            scope: if scope == 0 { None } else { self.habit(scope)? },
            edits: self.edits(id)?,
            aliases: self.aliases(&item.key)?,
            merges,
            notes: self.notes(id)?,
            streams: self.streams(id)?,
            calls,
            item,
        })
    }

    fn habit(&self, feed: i64) -> Result<Option<Habit>> {
        self.db
            .prepare_cached(
                "SELECT f.name, d.habits FROM feed f LEFT JOIN feed_document d ON d.feed_id = f.id WHERE f.id = ?1",
            )?
            .query_row([feed], |row| {
                let habits: Option<String> = row.get(1)?;
                let habits: Habits = habits.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                let reason = Some(habits.reason).filter(|reason| !reason.is_empty());
                Ok(Habit { feed: row.get(0)?, reason })
            })
            .optional()
    }

    fn edits(&self, item: ItemId) -> Result<Vec<Timestamp>> {
        let mut read = self
            .db
            .prepare_cached("SELECT at FROM change WHERE item_id = ?1 AND kind = 2 ORDER BY seq DESC LIMIT ?2")?;
        oldest_first(read.query_map([item.0, MOST.into()], |row| row.get(0).map(Timestamp::from_ms))?)
    }

    fn aliases(&self, key: &str) -> Result<Vec<Alias>> {
        let mut read = self.db.prepare_cached(
            "SELECT from_key, to_key, source, seen_at FROM alias WHERE to_key = ?1 ORDER BY seen_at DESC LIMIT ?2",
        )?;
        oldest_first(read.query_map(params![key, MOST], alias)?)
    }

    /// Merges that the item is in: what went into it, what went into that before, and what it was parted from.
    fn merges(&self, item: ItemId) -> Result<Vec<Merge>> {
        let mut read = self.db.prepare_cached(
            "WITH RECURSIVE part (id) AS (
               SELECT ?1 UNION SELECT m.absorbed FROM merge m JOIN part p ON m.kept = p.id WHERE m.undone_at IS NULL
               LIMIT ?2)
             SELECT kept, absorbed, at, reason, undone_at FROM merge WHERE kept IN (SELECT id FROM part)
             UNION SELECT kept, absorbed, at, reason, undone_at FROM merge WHERE absorbed = ?1
             ORDER BY at DESC LIMIT ?2",
        )?;
        oldest_first(read.query_map([item.0, MOST.into()], |row| {
            Ok(Merge {
                kept: ItemId(row.get(0)?),
                absorbed: ItemId(row.get(1)?),
                at: Timestamp::from_ms(row.get(2)?),
                reason: row.get(3)?,
                undone_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
            })
        })?)
    }

    fn notes(&self, item: ItemId) -> Result<Vec<Note>> {
        let mut read = self.db.prepare_cached(
            "SELECT at, kind, detail FROM trace WHERE item_id = ?1 ORDER BY at DESC, id DESC LIMIT ?2",
        )?;
        oldest_first(read.query_map([item.0, MOST.into()], |row| {
            Ok(Note { at: Timestamp::from_ms(row.get(0)?), kind: row.get(1)?, detail: row.get(2)? })
        })?)
    }

    fn streams(&self, item: ItemId) -> Result<Vec<(String, Option<TermHit>)>> {
        let mut read = self.db.prepare_cached(
            "SELECT s.name, m.term FROM stream_item m JOIN stream s ON s.id = m.stream_id WHERE m.item_id = ?1
             ORDER BY s.name",
        )?;
        let rows = read.query_map([item.0], |row| {
            let term: Option<String> = row.get(1)?;
            Ok((row.get(0)?, term.and_then(|text| serde_json::from_str(&text).ok())))
        })?;
        rows.collect()
    }
}

fn alias(row: &Row<'_>) -> Result<Alias> {
    let seen_at = Timestamp::from_ms(row.get(3)?);
    Ok(Alias { from: row.get(0)?, to: row.get(1)?, source: row.get(2)?, seen_at })
}

/// What was read newest first, so that the newest are those that are there.
fn oldest_first<T>(rows: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut all: Vec<T> = rows.collect::<Result<_>>()?;
    all.reverse();
    Ok(all)
}
