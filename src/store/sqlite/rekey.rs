//! Keys made anew when the rules have changed: newest items first, a step at a time. How far it has come stands in
//! `meta`, so that an interrupted run goes on; and what polls in flight still stored by the old rules is found, too.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Keymaker, Rekeyed};
use super::Result;
use super::feeds::json;
use super::keys::Keys;
use super::merge::merge;
use super::writer::Tx;
use crate::domain::decision::{Life, entry_of_key};
use crate::domain::feed::{FeedId, Habits};
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// In `meta`: how far it has come.
const STATE: &str = "rules";
/// Rows that may be looked at in vain at a start, before that is written down.
const SLACK: i64 = 10_000;

/// Rows below `before` are still to be done, and those above `top`, which came since.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Progress {
    version: i64,
    before: i64,
    top: i64,
}

/// One step.
pub(super) struct Step<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) keys: Keys<'a>,
    pub(super) maker: &'a Keymaker,
    pub(super) version: i64,
    pub(super) at: Timestamp,
}

struct Item {
    id: ItemId,
    feed: FeedId,
    key: String,
    first_seen: Timestamp,
}

impl Step<'_> {
    /// Looks at `limit` items more.
    pub(super) fn run(&self, limit: u32) -> Result<Rekeyed> {
        let db = self.tx.db;
        let highest: i64 = db.query_row("SELECT coalesce(max(id), 0) FROM item", [], |row| row.get(0))?;
        let found = progress(db)?.filter(|progress| progress.version == self.version);
        let mut now = match found {
            Some(progress) => progress,
            None => {
                self.hubs()?;
                self.aliases()?;
                Progress { version: self.version, before: i64::MAX, top: highest }
            }
        };
        let tail = now.before == 0;
        let range = if tail { (now.top, i64::MAX) } else { (0, now.before) };
        let items = self.items(range, limit)?;
        let mut report = Rekeyed::default();
        for item in &items {
            self.item(item, &mut report)?;
        }
        let last = items.last().filter(|_| items.len() >= usize::try_from(limit).unwrap_or(usize::MAX));
        match last {
            Some(last) if !tail => now.before = last.id.0,
            Some(_) => {}
            None if tail => {
                report.done = true;
                now.top = highest;
            }
            None => now.before = 0,
        }
        report.seen_down_to = items.last().map(|item| item.first_seen).filter(|_| now.before > 0);
        let is_news = found.is_none_or(|found| found.before != now.before || now.top - found.top > SLACK);
        if is_news || report.looked > 0 {
            keep(db, now)?;
        }
        if report.moved + report.merged > 0 {
            self.tx.publishes();
        }
        Ok(report)
    }

    fn items(&self, (above, below): (i64, i64), limit: u32) -> Result<Vec<Item>> {
        let mut read = self.tx.db.prepare_cached(
            "SELECT id, main_feed, key, first_seen FROM item
             WHERE id > ?1 AND id < ?2 AND scope_feed = 0 AND merged_into IS NULL AND rule_version <> ?3
             ORDER BY id DESC LIMIT ?4",
        )?;
        let rows = read.query_map(params![above, below, self.version, limit], |row| {
            Ok(Item {
                id: ItemId(row.get(0)?),
                feed: FeedId(row.get(1)?),
                key: row.get(2)?,
                first_seen: Timestamp::from_ms(row.get(3)?),
            })
        })?;
        rows.collect()
    }

    fn item(&self, item: &Item, report: &mut Rekeyed) -> Result<()> {
        let (db, keys) = (self.tx.db, self.keys);
        report.looked += 1;
        if keys.life(item.id.0)?.item != item.id {
            // Absorbed by one that stood before it in this step.
            return self.stamp(item.id);
        }
        let made = (self.maker)(item.feed, &item.key).filter(|key| *key != item.key);
        let Some(key) = made else { return self.stamp(item.id) };
        match keys.find(keys.hash(0, &key), 0, &key)?.item {
            None => {
                keys.rekey(item.id, &key, "rules", self.version, self.at)?;
                self.sightings(item.id, &item.key, &key)?;
                report.moved += 1;
            }
            Some(other) if other.item == item.id || other.life == Life::Past => self.stamp(item.id)?,
            Some(other) => match merge(keys, self.tx, item.id, other.item, "rules", self.at)? {
                Some(kept) => {
                    if kept == item.id {
                        swap(db, keys, kept, other.item)?;
                    }
                    self.sightings(kept, &item.key, &key)?;
                    self.stamp(kept)?;
                    report.merged += 1;
                }
                None => {
                    let detail = format!("by the rules it would be {key}, where item {} is", other.item.0);
                    keys.note(item.id, "conflict", &detail, self.at)?;
                    self.stamp(item.id)?;
                    report.apart += 1;
                }
            },
        }
        Ok(())
    }

    fn stamp(&self, item: ItemId) -> Result<()> {
        self.tx
            .db
            .prepare_cached("UPDATE item SET rule_version = ?2 WHERE id = ?1")?
            .execute(params![item.0, self.version])?;
        Ok(())
    }

    /// Sightings that had the old key have the new one, and those that are known by it are known by the new one.
    fn sightings(&self, item: ItemId, from: &str, to: &str) -> Result<()> {
        let (db, keys) = (self.tx.db, self.keys);
        db.prepare_cached("UPDATE sighting SET key_hash = ?3 WHERE item_id = ?1 AND key_hash = ?2")?
            .execute(params![item.0, keys.hash(0, from), keys.hash(0, to)])?;
        let (from, to) = (keys.hasher.long(&entry_of_key(from)), keys.hasher.long(&entry_of_key(to)));
        // Not `OR REPLACE`: what that deletes is not counted by triggers.
        for sql in [
            "DELETE FROM sighting WHERE entry_hash = ?3 AND ?2 <> ?3
               AND feed_id IN (SELECT feed_id FROM sighting WHERE item_id = ?1 AND entry_hash = ?2)",
            "UPDATE sighting SET entry_hash = ?3 WHERE item_id = ?1 AND entry_hash = ?2",
        ] {
            db.prepare_cached(sql)?.execute(params![item.0, from, to])?;
        }
        // What was merged is given back by the hashes that it has now.
        db.prepare_cached(
            "UPDATE merge SET undo = replace(undo, hex(?2), hex(?3)) WHERE kept = ?1 AND undone_at IS NULL",
        )?
        .execute(params![item.0, from, to])?;
        Ok(())
    }

    /// Aliases lead from and to keys of the new rules, too.
    fn aliases(&self) -> Result<()> {
        let db = self.tx.db;
        let rows: Vec<(String, String, String)> = db
            .prepare("SELECT from_key, to_key, source FROM alias WHERE rule_version <> ?1")?
            .query_map([self.version], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_>>()?;
        for (from, to, source) in rows {
            let made = |key: &str| (self.maker)(FeedId(0), key).unwrap_or_else(|| key.to_owned());
            let (new_from, new_to) = (made(&from), made(&to));
            if new_from != from && self.keys.find(self.keys.hash(0, &new_from), 0, &new_from)?.item.is_none() {
                self.keys.alias(&new_from, &new_to, &source, self.version, self.at)?;
            }
        }
        Ok(())
    }

    fn hubs(&self) -> Result<()> {
        let db = self.tx.db;
        let rows: Vec<(i64, String)> = db
            .prepare("SELECT feed_id, habits FROM feed_document WHERE habits IS NOT NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        for (feed, text) in rows {
            let mut habits: Habits = serde_json::from_str(&text).unwrap_or_default();
            let mut seen = HashSet::new();
            for hub in &mut habits.hubs {
                *hub = (self.maker)(FeedId(feed), hub).unwrap_or_else(|| hub.clone());
            }
            habits.hubs.retain(|hub| seen.insert(hub.clone()));
            db.execute("UPDATE feed_document SET habits = ?2 WHERE feed_id = ?1", params![feed, json(&habits)?])?;
        }
        Ok(())
    }
}

/// The kept item takes over the key of the one that it absorbed, and leaves it its own.
fn swap(db: &Connection, keys: Keys<'_>, kept: ItemId, absorbed: ItemId) -> Result<()> {
    let row = |id: ItemId| {
        db.query_row("SELECT ident_hash, key FROM item WHERE id = ?1", [id.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
    };
    let (ours, theirs) = (row(kept)?, row(absorbed)?);
    let aside = keys.hash(-1, &theirs.1);
    let set = |id: ItemId, hash: i64, key: &str| {
        db.execute("UPDATE item SET ident_hash = ?2, key = ?3 WHERE id = ?1", params![id.0, hash, key])
    };
    set(absorbed, aside, &theirs.1)?;
    set(kept, theirs.0, &theirs.1)?;
    set(absorbed, ours.0, &ours.1)?;
    Ok(())
}

fn progress(db: &Connection) -> Result<Option<Progress>> {
    let text: Option<String> =
        db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([STATE], |row| row.get(0)).optional()?;
    let text = text.unwrap_or_default();
    let mut numbers = text.split(' ').map(|number| number.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    Ok(match (next(), next(), next()) {
        (Some(version), Some(before), Some(top)) => Some(Progress { version, before, top }),
        _ => None,
    })
}

fn keep(db: &Connection, progress: Progress) -> Result<()> {
    let Progress { version, before, top } = progress;
    db.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
        .execute([STATE, &format!("{version} {before} {top}")])?;
    Ok(())
}
