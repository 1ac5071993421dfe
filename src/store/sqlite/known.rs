//! What the store knows about the entries of a load, read inside the transaction that will act on it.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, params};

use super::Result;
use super::commit::Commit;
use super::keys::{Found, MOVED};
use crate::domain::decision::{Candidate, Decision, Fingerprint, Known, KnownItem, KnownSighting, Life, Scope, Twin};
use crate::domain::feed::FeedId;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// Entries with one title that are looked at: more are a series.
const MOST_TWINS: i64 = 16;

/// Where a candidate stands: its hashes, computed once.
pub(super) struct Place {
    pub(super) scope: i64,
    pub(super) entry_hash: [u8; 16],
    pub(super) key_hash: i64,
}

/// What is known of a candidate, and the hash under which its key stands or would stand.
pub(super) struct Looked {
    pub(super) known: Known,
    pub(super) ident_hash: i64,
}

/// The items of a load that are there under their own guid or key: they have not left the feed.
#[derive(Default)]
pub(super) struct Present {
    pub(super) items: HashSet<ItemId>,
}

/// Whether there is nothing to write: the entry is the same, and so is what is remembered of it.
pub(super) fn known_as_it_is(known: &Known, candidate: &Candidate, decision: Decision) -> bool {
    let past = known.item.is_some_and(|item| item.life == Life::Past);
    decision == Decision::Same
        && known.sighting.as_ref().map_or(!past, |sighting| {
            sighting.life != Life::Past || (sighting.same_key && sighting.fingerprint == candidate.fingerprint)
        })
}

impl Commit<'_> {
    pub(super) fn place(&self, feed: FeedId, candidate: &Candidate) -> Place {
        let scope = if candidate.scope == Scope::Global { 0 } else { feed.0 };
        Place {
            scope,
            entry_hash: self.keys.hasher.long(&candidate.entry_id),
            key_hash: self.keys.hash(scope, &candidate.key),
        }
    }

    /// What is known of every candidate, twins included.
    pub(super) fn look_at_all(
        &self,
        feed: FeedId,
        candidates: &[Candidate],
        places: &[Place],
        is_listed: impl Fn(usize) -> bool,
    ) -> Result<(Vec<Known>, Present)> {
        let mut present = Present::default();
        let mut known = Vec::with_capacity(candidates.len());
        for (index, (candidate, place)) in candidates.iter().zip(places).enumerate() {
            if is_listed(index) {
                known.push(Known { listed: true, ..Known::default() });
                continue;
            }
            let looked = self.look(feed, candidate, place, true)?.known;
            let speaks = |sighting: &&KnownSighting| !sighting.is_other(candidate.fingerprint);
            present.items.extend(looked.sighting.as_ref().filter(speaks).map(|sighting| sighting.item));
            present.items.extend(looked.item.map(|item| item.item));
            known.push(looked);
        }
        for (known, candidate) in known.iter_mut().zip(candidates) {
            self.add_twins(feed, candidate, known, &present)?;
        }
        if known.iter().any(|known| !known.twins.is_empty()) {
            // Twins must have left the feed: only now it matters which items the listed entries are.
            let mut read =
                self.tx.db.prepare_cached("SELECT item_id FROM sighting WHERE feed_id = ?1 AND entry_hash = ?2")?;
            for (_, place) in known.iter().zip(places).filter(|(known, _)| known.listed) {
                let item: Option<i64> =
                    read.query_row(params![feed.0, place.entry_hash], |row| row.get(0)).optional()?;
                present.items.extend(item.map(ItemId));
            }
            known.iter_mut().for_each(|known| known.twins.retain(|twin| !present.items.contains(&twin.item)));
        }
        Ok((known, present))
    }

    /// What is known of one candidate. `again`: the feed was loaded before.
    pub(super) fn look(&self, feed: FeedId, candidate: &Candidate, place: &Place, again: bool) -> Result<Looked> {
        let sighting = if again { self.sighting(feed, place, candidate.fingerprint)? } else { None };
        if sighting.as_ref().is_some_and(|known| known.same_key) {
            return Ok(Looked { known: Known { sighting, ..Known::default() }, ident_hash: place.key_hash });
        }
        let Found { hash, mut item, alias } = self.keys.find(place.key_hash, place.scope, &candidate.key)?;
        if item.is_some() && alias == Some(MOVED) && !self.is_alike(item, candidate)? {
            // Somebody else stands now where a story has moved away.
            item = None;
        }
        for alias in &candidate.aliases {
            // A proxy's address may be the same for one story after the other.
            let found = if item.is_none() { self.keys.find(self.keys.hash(0, alias), 0, alias)?.item } else { None };
            if self.is_alike(found, candidate)? {
                item = found;
            }
        }
        Ok(Looked { known: Known { sighting, item, ..Known::default() }, ident_hash: hash })
    }

    fn sighting(&self, feed: FeedId, place: &Place, fingerprint: Fingerprint) -> Result<Option<KnownSighting>> {
        let db = self.tx.db;
        let found: Option<(i64, i64, i64, bool)> = db
            .prepare_cached(
                "SELECT item_id, key_hash, fingerprint, trusted FROM sighting WHERE feed_id = ?1 AND entry_hash = ?2",
            )?
            .query_row(params![feed.0, place.entry_hash], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((item, known_key, packed, trusted)) = found else { return self.past_sighting(feed, place) };
        let known = Fingerprint::unpack(packed);
        let same_key = known_key == place.key_hash;
        let mut sighting = KnownSighting {
            item: ItemId(item),
            life: Life::Shown,
            fingerprint: known,
            same_key,
            trusted,
            main_feed: false,
        };
        // An unchanged entry, the common case, needs no look at its item.
        if known != fingerprint || !same_key {
            sighting.life = self.keys.life(item)?.life;
            sighting.main_feed = db
                .prepare_cached("SELECT main_feed = ?2 FROM item WHERE id = ?1")?
                .query_row([item, feed.0], |row| row.get(0))
                .optional()?
                .unwrap_or(false);
        }
        Ok(Some(sighting))
    }

    /// Whether an item has been seen with the candidate's title or text.
    pub(super) fn is_alike(&self, item: Option<KnownItem>, candidate: &Candidate) -> Result<bool> {
        let Some(item) = item else { return Ok(false) };
        let mut read = self.tx.db.prepare_cached("SELECT fingerprint FROM sighting WHERE item_id = ?1 LIMIT 64")?;
        let prints = read.query_map([item.item.0], |row| row.get(0).map(Fingerprint::unpack))?;
        for print in prints {
            if !print?.is_other(candidate.fingerprint) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn past_sighting(&self, feed: FeedId, place: &Place) -> Result<Option<KnownSighting>> {
        self.tx
            .db
            .prepare_cached(
                "SELECT item_id, key_hash, fingerprint FROM past_sighting WHERE feed_id = ?1 AND entry_hash = ?2",
            )?
            .query_row(params![feed.0, place.entry_hash], |row| {
                Ok(KnownSighting {
                    item: ItemId(row.get(0)?),
                    life: Life::Past,
                    same_key: row.get::<_, i64>(1)? == place.key_hash,
                    fingerprint: Fingerprint::unpack(row.get(2)?),
                    trusted: true,
                    main_feed: false,
                })
            })
            .optional()
    }

    /// Entries of the feed with the candidate's title that have left it: for one that is otherwise unknown.
    pub(super) fn add_twins(
        &self,
        feed: FeedId,
        candidate: &Candidate,
        known: &mut Known,
        present: &Present,
    ) -> Result<()> {
        let Fingerprint { title, text } = candidate.fingerprint;
        let is_seen = known.sighting.as_ref().is_some_and(|sighting| !sighting.is_other(candidate.fingerprint));
        if known.listed || is_seen || known.item.is_some() || (title == 0 && text == 0) {
            return Ok(());
        }
        let mut read = self.tx.db.prepare_cached(
            "SELECT s.item_id, s.fingerprint, i.published FROM sighting s JOIN item i ON i.id = s.item_id
             WHERE s.feed_id = ?1 AND s.twin_hash = ?5 AND s.fingerprint BETWEEN ?2 AND ?3 LIMIT ?4",
        )?;
        // Without a title, only the same text is a sign.
        let (low, high) = if title == 0 { (text, text) } else { (0, u32::MAX) };
        let (first, last) = (Fingerprint { title, text: low }.pack(), Fingerprint { title, text: high }.pack());
        let rows =
            read.query_map(params![feed.0, first, last, MOST_TWINS, candidate.fingerprint.likeness()], |row| {
                Ok(Twin {
                    item: ItemId(row.get(0)?),
                    same_text: text != 0 && Fingerprint::unpack(row.get(1)?).text == text,
                    published: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ms),
                })
            })?;
        for twin in rows {
            let twin = twin?;
            if !present.items.contains(&twin.item) {
                known.twins.push(twin);
            }
        }
        Ok(())
    }
}
