//! A finished poll, stored whole: items, sightings, stream membership, deliveries owed, validators, next due
//! time, in one transaction. The decision about each entry is asked for in here, where nothing else can
//! come between what is known and what is done.

use rusqlite::{OptionalExtension as _, params};

use super::super::{CommitReport, PollCommit, PollResult, Routes};
use super::feeds::{self, json};
use super::hash::Hasher;
use super::writer::Tx;
use super::{Instance, Result, items, streams};
use crate::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, KnownSighting, Scope};
use crate::domain::feed::{FeedId, FeedInfo};
use crate::domain::item::ItemId;
use crate::domain::stream::Match;
use crate::domain::time::Timestamp;
use crate::domain::webhook::EventKind;

/// Kinds of `change`.
const NEW: i64 = 1;
const REVISED: i64 = 2;
const SIGHTED: i64 = 3;

/// One commit, with everything it asks.
pub(super) struct Commit<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) hasher: Hasher,
    pub(super) instance: &'a Instance,
    pub(super) judge: &'a dyn Judge,
    pub(super) routes: &'a Routes,
}

/// The load that is being stored.
pub(super) struct Load<'a> {
    pub(super) feed: FeedId,
    pub(super) at: Timestamp,
    pub(super) quiet: bool,
    pub(super) info: &'a FeedInfo,
    /// The snapshot of `info` for the items of this load, made at the first that needs it.
    pub(super) source: Option<i64>,
    pub(super) report: CommitReport,
}

/// Which streams an item entered or is in, and whether `all` is one of them.
pub(super) struct Entered {
    pub(super) kind: EventKind,
    pub(super) matches: Vec<Match>,
    pub(super) all: bool,
    pub(super) changed: Vec<String>,
}

impl Commit<'_> {
    pub(super) fn run(&self, poll: &PollCommit) -> Result<CommitReport> {
        feeds::remember(self.tx.db, poll)?;
        let PollResult::Loaded { info, candidates, quiet, .. } = &poll.result else {
            return Ok(CommitReport::default());
        };
        let report = CommitReport::default();
        let mut load = Load { feed: poll.feed, at: poll.at, quiet: *quiet, info, source: None, report };
        // Oldest first, as documents stand newest first: rows and sequence numbers then follow time.
        for (index, candidate) in candidates.iter().enumerate().rev() {
            self.store(&mut load, index, candidate)?;
        }
        if load.report != CommitReport::default() {
            self.tx.publishes();
        }
        Ok(load.report)
    }

    fn store(&self, load: &mut Load<'_>, index: usize, candidate: &Candidate) -> Result<()> {
        let scope = if candidate.scope == Scope::Global { 0 } else { load.feed.0 };
        let entry_hash = self.hasher.long(&candidate.entry_id);
        let key_hash = self.hasher.short(&[&scope.to_be_bytes(), candidate.key.as_bytes()]);
        let sighting = self.known_sighting(load.feed, &entry_hash, key_hash, candidate.fingerprint)?;
        let (ident_hash, item) = match &sighting {
            Some(known) if known.same_key => (key_hash, Some(known.item)),
            _ => self.find(key_hash, scope, &candidate.key)?,
        };
        let known = Known { sighting, item };
        let place = Place { scope, entry_hash, key_hash, ident_hash };
        match (self.judge.decide(&known, candidate), known.item) {
            (Decision::Same, _) => Ok(()),
            (Decision::Changed { item, revise }, _) => {
                self.see(load, candidate, &place, item)?;
                if revise { self.revise(load, index, candidate, item) } else { Ok(()) }
            }
            (Decision::Sighted(item), _) | (Decision::New | Decision::Recycled, Some(item)) => {
                self.sighted(load, index, candidate, &place, item)
            }
            (Decision::New | Decision::Recycled, None) => self.new_item(load, candidate, &place),
        }
    }

    fn known_sighting(
        &self,
        feed: FeedId,
        entry_hash: &[u8; 16],
        key_hash: i64,
        fingerprint: Fingerprint,
    ) -> Result<Option<KnownSighting>> {
        let found: Option<(i64, i64, i64)> = self
            .tx
            .db
            .prepare_cached(
                "SELECT item_id, key_hash, fingerprint FROM sighting WHERE feed_id = ?1 AND entry_hash = ?2",
            )?
            .query_row(params![feed.0, entry_hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((item, known_key, packed)) = found else { return Ok(None) };
        let known = Fingerprint::unpack(packed);
        // An unchanged entry, the common case, needs no look at its item.
        let main_feed = known != fingerprint
            && self
                .tx
                .db
                .prepare_cached("SELECT main_feed = ?2 FROM item WHERE id = ?1")?
                .query_row([item, feed.0], |row| row.get(0))?;
        let same_key = known_key == key_hash;
        Ok(Some(KnownSighting { item: ItemId(item), fingerprint: known, same_key, main_feed }))
    }

    /// The item with this key, and the hash under which it stands or would stand. A hash alone never
    /// decides: the key is compared, and where two meet, the later one moves on.
    fn find(&self, key_hash: i64, scope: i64, key: &str) -> Result<(i64, Option<ItemId>)> {
        let mut hash = key_hash;
        loop {
            let found: Option<(i64, i64, String)> = self
                .tx
                .db
                .prepare_cached("SELECT id, scope_feed, key FROM item WHERE ident_hash = ?1")?
                .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            match found {
                None => return Ok((hash, None)),
                Some((id, there, text)) if there == scope && text == key => return Ok((hash, Some(ItemId(id)))),
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }

    fn new_item(&self, load: &mut Load<'_>, candidate: &Candidate, place: &Place) -> Result<()> {
        let (db, at) = (self.tx.db, load.at);
        let published = candidate.entry.published.or(candidate.entry.updated);
        let effective_at = published.map_or(at, |published| published.min(at));
        // What the source says of its last change counts, but not a date in the future.
        let updated = candidate.entry.updated.map_or(effective_at, |updated| updated.min(at).max(effective_at));
        let (published_id, published_hash) = self.mint(load.feed, candidate)?;
        db.prepare_cached(
            "INSERT INTO item (ident_hash, scope_feed, key, link, published_id, published_hash, main_feed, first_seen,
               published, updated, effective_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            place.ident_hash,
            place.scope,
            candidate.key,
            candidate.link,
            published_id,
            published_hash,
            load.feed.0,
            at.as_ms(),
            published.map(Timestamp::as_ms),
            updated.as_ms(),
            effective_at.as_ms()
        ])?;
        let item = ItemId(db.last_insert_rowid());
        items::keep_body(db, item, self.source(load)?, &candidate.entry)?;
        self.see(load, candidate, place, item)?;
        self.log(item, NEW, at)?;
        for found in &candidate.matches {
            self.enter(found, item, effective_at, at)?;
        }
        load.report.new += 1;
        let matches = candidate.matches.clone();
        self.owe(load, item, &Entered { kind: EventKind::ItemNew, matches, all: true, changed: Vec::new() })
    }

    /// A known item in one more place: it may enter streams by it.
    fn sighted(
        &self,
        load: &mut Load<'_>,
        index: usize,
        candidate: &Candidate,
        place: &Place,
        item: ItemId,
    ) -> Result<()> {
        self.see(load, candidate, place, item)?;
        self.log(item, SIGHTED, load.at)?;
        let matches = self.rematch(index, candidate, item, load.at)?;
        streams::touch(self.tx.db, item, load.at)?;
        load.report.sighted += 1;
        self.owe(load, item, &Entered { kind: EventKind::ItemNew, matches, all: false, changed: Vec::new() })
    }

    /// An edit in the feed that the item is published from.
    fn revise(&self, load: &mut Load<'_>, index: usize, candidate: &Candidate, item: ItemId) -> Result<()> {
        let db = self.tx.db;
        let changed = items::differences(db, item, &candidate.entry, candidate.link.as_deref())?;
        db.prepare_cached(
            "UPDATE item SET link = ?2, updated = max(updated, ?3), revision = revision + 1 WHERE id = ?1",
        )?
        .execute(params![item.0, candidate.link, load.at.as_ms()])?;
        items::keep_body(db, item, self.source(load)?, &candidate.entry)?;
        self.log(item, REVISED, load.at)?;
        self.rematch(index, candidate, item, load.at)?;
        streams::touch(db, item, load.at)?;
        load.report.changed += 1;
        let matches = self.memberships(item)?;
        self.owe(load, item, &Entered { kind: EventKind::ItemUpdated, matches, all: true, changed })
    }

    /// Puts the item into the streams that it meets with all of its feeds; gives those that are new.
    fn rematch(&self, index: usize, candidate: &Candidate, item: ItemId, at: Timestamp) -> Result<Vec<Match>> {
        let db = self.tx.db;
        let feeds: Vec<FeedId> = db
            .prepare_cached("SELECT DISTINCT feed_id FROM sighting WHERE item_id = ?1")?
            .query_map([item.0], |row| row.get(0).map(FeedId))?
            .collect::<Result<_>>()?;
        let matches = if feeds.len() > 1 { self.judge.rematch(index, &feeds) } else { candidate.matches.clone() };
        if matches.is_empty() {
            return Ok(matches);
        }
        let effective_at: i64 =
            db.prepare_cached("SELECT effective_at FROM item WHERE id = ?1")?.query_row([item.0], |row| row.get(0))?;
        let mut entered = Vec::new();
        for found in matches {
            if self.enter(&found, item, Timestamp::from_ms(effective_at), at)? {
                entered.push(found);
            }
        }
        Ok(entered)
    }

    fn enter(&self, found: &Match, item: ItemId, effective_at: Timestamp, at: Timestamp) -> Result<bool> {
        let term = found.term.as_ref().map(json).transpose()?;
        streams::enter(self.tx.db, found.stream, item, effective_at, term.as_deref(), at)
    }

    /// The streams that an item is in, and why.
    fn memberships(&self, item: ItemId) -> Result<Vec<Match>> {
        let mut read = self
            .tx
            .db
            .prepare_cached("SELECT stream_id, term FROM stream_item WHERE item_id = ?1 ORDER BY stream_id")?;
        let rows = read.query_map([item.0], |row| {
            let term: Option<String> = row.get(1)?;
            let term = term.and_then(|text| serde_json::from_str(&text).ok());
            Ok(Match { stream: crate::domain::stream::StreamId(row.get(0)?), term })
        })?;
        rows.collect()
    }

    /// Writes the entry's sighting.
    fn see(&self, load: &Load<'_>, candidate: &Candidate, place: &Place, item: ItemId) -> Result<()> {
        self.tx
            .db
            .prepare_cached(
                "INSERT INTO sighting (feed_id, entry_hash, item_id, key_hash, fingerprint, first_seen, guid, link)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, (SELECT link FROM item WHERE id = ?3)))
                 ON CONFLICT (feed_id, entry_hash) DO UPDATE SET item_id = excluded.item_id,
                   key_hash = excluded.key_hash, fingerprint = excluded.fingerprint, guid = excluded.guid,
                   link = excluded.link",
            )?
            .execute(params![
                load.feed.0,
                place.entry_hash,
                item.0,
                place.key_hash,
                candidate.fingerprint.pack(),
                load.at.as_ms(),
                candidate.entry.guid,
                candidate.link
            ])?;
        Ok(())
    }

    /// The snapshot that becomes `atom:source`; one row for as long as the feed says the same of itself.
    fn source(&self, load: &mut Load<'_>) -> Result<i64> {
        if let Some(id) = load.source {
            return Ok(id);
        }
        let (db, info) = (self.tx.db, json(load.info)?);
        let last: Option<(i64, bool)> = db
            .prepare_cached("SELECT id, info = ?2 FROM source WHERE feed_id = ?1 ORDER BY id DESC LIMIT 1")?
            .query_row(params![load.feed.0, info], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let id = match last {
            Some((id, true)) => id,
            _ => {
                db.prepare_cached("INSERT INTO source (feed_id, info) VALUES (?1, ?2)")?
                    .execute(params![load.feed.0, info])?;
                db.last_insert_rowid()
            }
        };
        load.source = Some(id);
        Ok(id)
    }

    fn log(&self, item: ItemId, kind: i64, at: Timestamp) -> Result<()> {
        self.tx.db.prepare_cached("INSERT INTO change (item_id, kind, at) VALUES (?1, ?2, ?3)")?.execute(params![
            item.0,
            kind,
            at.as_ms()
        ])?;
        Ok(())
    }
}

/// Where a candidate stands: its hashes, computed once.
struct Place {
    scope: i64,
    entry_hash: [u8; 16],
    key_hash: i64,
    ident_hash: i64,
}
