//! From a key to its item: through the items, what is past, and the aliases; and the aliases themselves.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use super::hash::Hasher;
use crate::domain::decision::{KnownItem, Life};
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// States of an item row.
pub(super) const SHOWN: i64 = 0;
pub(super) const ABSORBED: i64 = 1;
pub(super) const PURGED: i64 = 2;

/// Whose word an alias is: an entry's link moved.
pub(super) const MOVED: &str = "moved";

/// Addresses that a story has left, notes about it, and its entries in one feed: the last ones are kept.
const MOST_MOVES: i64 = 16;
const MOST_NOTES: i64 = 32;
const MOST_SIGHTINGS: i64 = 64;

/// Keys of one database.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) db: &'a Connection,
    pub(super) hasher: Hasher,
}

/// What stands under a key.
#[derive(Clone, Copy)]
pub(super) struct Found {
    /// The hash under which it stands, or would stand.
    pub(super) hash: i64,
    pub(super) item: Option<KnownItem>,
    /// It is [`MOVED`] if an alias of that sort led there.
    pub(super) alias: Option<&'static str>,
}

/// A row under a hash, whichever table it is from.
enum Row {
    Item { id: i64, scope: i64, key: String, state: i64, merged_into: Option<i64> },
    Past { id: i64, proof: i64 },
    Alias { from: String, to: String, moved: bool },
}

impl Keys<'_> {
    /// The hash of a key. `scope`: 0, or the feed that the key is bound to.
    pub(super) fn hash(&self, scope: i64, key: &str) -> i64 {
        self.hasher.short(&[&scope.to_be_bytes(), key.as_bytes()])
    }

    /// A second hash of the same, for keys whose text is gone.
    pub(super) fn proof(&self, scope: i64, key: &str) -> i64 {
        self.hasher.short(&[b"proof", &scope.to_be_bytes(), key.as_bytes()])
    }

    /// The item with this key. A hash alone never decides: the key is compared, and where two meet, the later one moves
    /// on. `hash` is that of the key.
    pub(super) fn find(&self, hash: i64, scope: i64, key: &str) -> Result<Found> {
        let mut hash = hash;
        let mut alias = None;
        loop {
            let mut taken = false;
            for row in self.rows(hash)? {
                match row {
                    Row::Item { id, scope: there, key: text, state, merged_into } if there == scope && text == key => {
                        let life = if state == PURGED { Life::Purged } else { Life::Shown };
                        let item = match merged_into {
                            Some(kept) => self.life(kept)?,
                            None => KnownItem { item: ItemId(id), life },
                        };
                        return Ok(Found { hash, item: Some(item), alias: None });
                    }
                    Row::Past { id, proof } if proof == self.proof(scope, key) => {
                        let item = KnownItem { item: ItemId(id), life: Life::Past };
                        return Ok(Found { hash, item: Some(item), alias: None });
                    }
                    Row::Alias { from, to, moved } if scope == 0 && from == key => alias = Some((to, moved)),
                    Row::Alias { .. } => {}
                    Row::Item { .. } | Row::Past { .. } => taken = true,
                }
            }
            if !taken {
                break;
            }
            hash = hash.wrapping_add(1);
        }
        // Chains are flat: what an alias leads to is no alias.
        Ok(match alias.filter(|(to, _)| to != key) {
            Some((to, moved)) => {
                let item = self.find(self.hash(0, &to), 0, &to)?.item;
                Found { hash, item, alias: moved.then_some(MOVED) }
            }
            None => Found { hash, item: None, alias: None },
        })
    }

    fn rows(&self, hash: i64) -> Result<Vec<Row>> {
        let mut read = self.db.prepare_cached(
            "SELECT 0, id, scope_feed, key, state, merged_into FROM item WHERE ident_hash = ?1
             UNION ALL SELECT 1, item_id, proof, NULL, NULL, NULL FROM past_item WHERE ident_hash = ?1
             UNION ALL SELECT 2, source = 'moved', NULL, from_key, to_key, NULL FROM alias WHERE from_hash = ?1",
        )?;
        let rows = read.query_map([hash], |row| {
            Ok(match row.get::<_, i64>(0)? {
                0 => Row::Item {
                    id: row.get(1)?,
                    scope: row.get(2)?,
                    key: row.get(3)?,
                    state: row.get(4)?,
                    merged_into: row.get(5)?,
                },
                1 => Row::Past { id: row.get(1)?, proof: row.get(2)? },
                _ => Row::Alias { from: row.get(3)?, to: row.get(4)?, moved: row.get(1)? },
            })
        })?;
        rows.collect()
    }

    /// Where an item row is in its life; an absorbed one speaks for the one that was kept.
    pub(super) fn life(&self, item: i64) -> Result<KnownItem> {
        let found: Option<(i64, Option<i64>)> = self
            .db
            .prepare_cached("SELECT state, merged_into FROM item WHERE id = ?1")?
            .query_row([item], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => Ok(KnownItem { item: ItemId(item), life: Life::Past }),
            Some((_, Some(kept))) if kept != item => self.life(kept),
            Some((PURGED, _)) => Ok(KnownItem { item: ItemId(item), life: Life::Purged }),
            Some(_) => Ok(KnownItem { item: ItemId(item), life: Life::Shown }),
        }
    }

    /// Remembers that `from` is another address of what `to` stands for. Chains are flattened, a circle is refused.
    /// `false`: it is known, or may not be.
    pub(super) fn alias(&self, from: &str, to: &str, source: &str, version: i64, at: Timestamp) -> Result<bool> {
        let onward: Option<String> = self
            .db
            .prepare_cached("SELECT to_key FROM alias WHERE from_hash = ?1 AND from_key = ?2")?
            .query_row(params![self.hash(0, to), to], |row| row.get(0))
            .optional()?;
        let to = onward.as_deref().unwrap_or(to);
        if from == to {
            return Ok(false);
        }
        let added = self
            .db
            .prepare_cached(
                "INSERT INTO alias (from_hash, from_key, to_key, source, rule_version, seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (from_hash) DO UPDATE SET to_key = excluded.to_key, source = excluded.source,
                   rule_version = excluded.rule_version, seen_at = excluded.seen_at
                 WHERE from_key = excluded.from_key AND to_key <> excluded.to_key",
            )?
            .execute(params![self.hash(0, from), from, to, source, version, at.as_ms()])?;
        if added > 0 {
            self.db.prepare_cached("UPDATE alias SET to_key = ?2 WHERE to_key = ?1")?.execute([from, to])?;
        }
        if added > 0 && source == MOVED {
            self.forget_moves(to)?;
        }
        Ok(added > 0)
    }

    /// An address that is another one at each load is none to come back to: of many that a story has left, the last
    /// ones are remembered.
    fn forget_moves(&self, to: &str) -> Result<()> {
        self.db
            .prepare_cached(
                "DELETE FROM alias WHERE from_hash IN
                   (SELECT from_hash FROM alias WHERE to_key = ?1 AND source = ?2
                    ORDER BY seen_at DESC, from_hash LIMIT -1 OFFSET ?3)",
            )?
            .execute(params![to, MOVED, MOST_MOVES])?;
        Ok(())
    }

    /// In one feed an item is known by so many entries at the most, those that were seen last: guids or links that are
    /// others at each load do not fill the database.
    pub(super) fn forget_sightings(&self, feed: i64, item: ItemId) -> Result<()> {
        self.db
            .prepare_cached(
                "DELETE FROM sighting WHERE feed_id = ?1 AND entry_hash IN
                   (SELECT entry_hash FROM sighting WHERE item_id = ?2 AND feed_id = ?1
                    ORDER BY first_seen DESC, entry_hash LIMIT -1 OFFSET ?3)",
            )?
            .execute(params![feed, item.0, MOST_SIGHTINGS])?;
        Ok(())
    }

    /// Writes down what happened to an item that its rows do not say; the last of it is kept.
    pub(super) fn note(&self, item: ItemId, kind: &str, detail: &str, at: Timestamp) -> Result<()> {
        self.db
            .prepare_cached("INSERT INTO trace (item_id, at, kind, detail) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![item.0, at.as_ms(), kind, detail])?;
        self.db
            .prepare_cached(
                "DELETE FROM trace WHERE item_id = ?1 AND id <=
                   (SELECT id FROM trace WHERE item_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute([item.0, MOST_NOTES])?;
        Ok(())
    }

    /// An item whose entries have all left its key gives it up: who stands there next is not that story. It gets the
    /// key that they have now, by the rules of a version; where that is another item's, it is known by its entries alone.
    ///
    /// `from`: the feed in which it has moved. What else the feed knew it by is of former guids.
    pub(super) fn leave(&self, item: ItemId, from: i64, to: Option<(&str, i64)>, at: Timestamp) -> Result<()> {
        let (scope, feed, key): (i64, i64, String) = self
            .db
            .prepare_cached("SELECT scope_feed, main_feed, key FROM item WHERE id = ?1")?
            .query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let stands: bool = self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sighting WHERE item_id = ?1 AND key_hash = ?2 AND feed_id <> ?3)",
            )?
            .query_row([item.0, self.hash(0, &key), from], |row| row.get(0))?;
        if scope != 0 || stands {
            return Ok(());
        }
        if let Some((to, version)) = to {
            return self.rekey(item, to, MOVED, version, at);
        }
        let own = format!("item:{}", item.0);
        let free = self.find(self.hash(feed, &own), feed, &own)?.hash;
        self.db
            .prepare_cached("UPDATE item SET ident_hash = ?2, scope_feed = ?3, key = ?4 WHERE id = ?1")?
            .execute(params![item.0, free, feed, own])?;
        self.db.prepare_cached("DELETE FROM alias WHERE to_key = ?1")?.execute([key])?;
        Ok(())
    }

    /// The item gets another key, and the old one leads to it. The new one must be free.
    pub(super) fn rekey(&self, item: ItemId, to: &str, source: &str, version: i64, at: Timestamp) -> Result<()> {
        let (scope, from): (i64, String) = self
            .db
            .prepare_cached("SELECT scope_feed, key FROM item WHERE id = ?1")?
            .query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let free = self.find(self.hash(0, to), 0, to)?.hash;
        self.db
            .prepare_cached(
                "UPDATE item SET ident_hash = ?2, scope_feed = 0, key = ?3, rule_version = ?4 WHERE id = ?1",
            )?
            .execute(params![item.0, free, to, version])?;
        // What is an item's own key leads nowhere else.
        self.db
            .prepare_cached("DELETE FROM alias WHERE from_hash = ?1 AND from_key = ?2")?
            .execute(params![self.hash(0, to), to])?;
        if scope == 0 {
            self.alias(&from, to, source, version, at)?;
        }
        Ok(())
    }
}
