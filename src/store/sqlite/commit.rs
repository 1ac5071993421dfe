//! A finished poll, stored whole: items, sightings, stream membership, deliveries owed, validators, next due
//! time, in one transaction. The decision about each entry is asked for in here, where nothing else can
//! come between what is known and what is done.

use std::cell::RefCell;

use rusqlite::{OptionalExtension as _, params};

use super::super::{CommitReport, PollCommit, PollResult, Routes};
use super::feeds::{self, json};
use super::keys::Keys;
use super::known::{Looked, Place, Present, known_as_it_is};
use super::listing::{self, Digest, LONGEST, Listing};
use super::remember::{Unmodified, remember};
use super::streams::Door;
use super::writer::Tx;
use super::{Instance, Result, items, public, streams};
use crate::domain::decision::{Candidate, Decision, Judge, Life, LinkChange, Survey};
use crate::domain::feed::{FeedId, FeedInfo};
use crate::domain::item::ItemId;
use crate::domain::stream::{Match, StreamId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::EventKind;

/// Kinds of `change`.
pub(super) const NEW: i64 = 1;
pub(super) const REVISED: i64 = 2;
pub(super) const SIGHTED: i64 = 3;

/// One commit, with everything it asks.
pub(super) struct Commit<'a> {
    pub(super) tx: &'a Tx<'a>,
    pub(super) keys: Keys<'a>,
    pub(super) instance: &'a Instance,
    pub(super) judge: &'a dyn Judge,
    pub(super) routes: &'a Routes,
    /// Opened by the first item that enters a stream.
    pub(super) door: RefCell<Option<Door<'a>>>,
}

/// The load that is being stored.
pub(super) struct Load<'a> {
    pub(super) feed: FeedId,
    pub(super) at: Timestamp,
    /// What is stored now calls no webhook.
    pub(super) quiet: bool,
    pub(super) info: &'a FeedInfo,
    /// Nothing of the feed is shown to just anybody.
    pub(super) private: bool,
    /// There are such feeds.
    pub(super) any_private: bool,
    /// The feed was loaded before.
    pub(super) again: bool,
    /// It has ignored something before, and does so now.
    pub(super) has_ignored: bool,
    pub(super) ignored: bool,
    /// The snapshot of `info` for the items of this load, made at the first that needs it.
    pub(super) source: Option<i64>,
    /// The newest date among the items that it brought.
    pub(super) newest: Option<Timestamp>,
    pub(super) present: Present,
    pub(super) report: CommitReport,
}

/// Which streams an item entered or is in, and whether `all` is one of them.
pub(super) struct Entered {
    pub(super) kind: EventKind,
    pub(super) matches: Vec<Match>,
    pub(super) all: bool,
    pub(super) changed: Vec<String>,
    /// Which of the streams an edited item was not in before.
    pub(super) newly: Vec<StreamId>,
}

impl Commit<'_> {
    pub(super) fn run(&self, poll: &PollCommit) -> Result<CommitReport> {
        let renamed =
            matches!(&poll.result, PollResult::Loaded { info, .. } if feeds::renames(self.tx.db, poll.feed, info)?);
        let report = remember(self.tx.db, self.instance, poll, &mut Unmodified::prepare(self.tx.db)?)?;
        let PollResult::Loaded { info, candidates, quiet, habits, .. } = &poll.result else { return Ok(report) };
        if renamed {
            streams::renew(self.tx.db)?;
            self.tx.publishes();
        }
        let newest = feeds::newest(self.tx.db, poll.feed)?;
        let places: Vec<Place> = candidates.iter().map(|candidate| self.place(poll.feed, candidate)).collect();
        let listing = Listing::read(self.tx.db, poll.feed)?;
        let digests: Vec<Digest> = candidates
            .iter()
            .zip(&places)
            .enumerate()
            .map(|(index, (candidate, place))| {
                let ignored = self.judge.ignore().filter(|_| self.judge.is_ignored(index));
                listing::digest(self.keys.hasher, place, candidate, ignored)
            })
            .collect();
        let is_listed = |index: usize| digests.get(index).is_some_and(|digest| listing.has(digest));
        let (known, present) = match newest {
            Some(_) => self.look_at_all(poll.feed, candidates, &places, is_listed)?,
            None => Default::default(),
        };
        let survey = self.judge.survey(&known, candidates, newest);
        let (feed, at, again) = (poll.feed, poll.at, newest.is_some());
        let has_ignored = self.has_ignored(feed)?;
        let (private, any_private) = public::privacy(self.tx.db, feed)?;
        let mut load = Load {
            feed,
            at,
            quiet: false,
            info,
            private,
            any_private,
            again,
            has_ignored,
            ignored: false,
            source: None,
            newest,
            present,
            report,
        };
        // Oldest first, as documents stand newest first: rows and sequence numbers then follow time.
        for (index, (candidate, place)) in candidates.iter().zip(&places).enumerate().rev() {
            let unchanged = |known| known_as_it_is(known, candidate, self.judge.decide(known, candidate, &survey));
            if !known.get(index).is_some_and(unchanged) {
                load.quiet = *quiet || survey.backfill.get(index).copied().unwrap_or(false);
                self.store(&mut load, index, candidate, place, &survey)?;
            } else if let Some(seen) = known.get(index).and_then(|known| known.sighting.as_ref())
                && index < LONGEST
            {
                // It reads as it did, and is not as it was listed: what may have changed is its files.
                self.refresh(&load, candidate, seen.item)?;
            }
        }
        listing.replace(self.tx.db, poll.feed, &digests)?;
        self.keep_ignore(&load, &places)?;
        if let Some(habits) = survey.habits.as_ref().or(habits.as_ref()) {
            feeds::keep_habits(self.tx.db, poll.feed, habits)?;
        }
        if let Some(newest) = load.newest.filter(|_| load.newest != newest) {
            feeds::keep_newest(self.tx.db, poll.feed, newest)?;
        }
        let CommitReport { new, changed, sighted, .. } = load.report;
        if new + changed + sighted > 0 {
            self.tx.publishes();
        }
        Ok(load.report)
    }

    fn store(
        &self,
        load: &mut Load<'_>,
        index: usize,
        candidate: &Candidate,
        place: &Place,
        survey: &Survey,
    ) -> Result<()> {
        // Again: what stood before it in this load may have made it known.
        let mut looked = self.look(load.feed, candidate, place, load.again)?;
        if load.again {
            self.add_twins(load.feed, candidate, &mut looked.known, &load.present)?;
        }
        let life = looked.known.item.map_or(Life::Shown, |item| item.life);
        let decision = self.judge.decide(&looked.known, candidate, survey);
        if self.ignores(load, index, candidate, place, decision)? {
            return Ok(());
        }
        let item = match decision {
            Decision::Same => return self.follow(load, candidate, place, &looked),
            Decision::Changed { item, revise, link } => {
                self.changed(load, candidate, place, &looked, (item, revise, link))?;
                item
            }
            Decision::Sighted(item) => {
                self.sighted(load, candidate, place, (item, life))?;
                item
            }
            Decision::Regrouped(item) => {
                self.regrouped(load, candidate, place, &looked, item)?;
                item
            }
            Decision::New => self.new_item(load, candidate, place, looked.ident_hash, true)?,
            Decision::Recycled => self.recycled(load, candidate, place, &looked)?,
        };
        load.present.items.insert(item);
        self.learn(load, candidate, item)
    }

    pub(super) fn new_item(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        place: &Place,
        ident_hash: i64,
        trusted: bool,
    ) -> Result<ItemId> {
        let (db, at) = (self.tx.db, load.at);
        let published = candidate.entry.published.or(candidate.entry.updated);
        let effective_at = candidate.effective_at(at);
        // What the source says of its last change counts, but not a date in the future.
        let updated = candidate.entry.updated.map_or(effective_at, |updated| updated.min(at).max(effective_at));
        let (published_id, published_hash) = self.mint(load, candidate)?;
        db.prepare_cached(
            "INSERT INTO item (ident_hash, scope_feed, key, link, published_id, published_hash, main_feed, first_seen,
               published, updated, effective_at, rule_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            ident_hash,
            place.scope,
            candidate.key,
            candidate.link,
            published_id,
            published_hash,
            load.feed.0,
            at.as_ms(),
            published.map(Timestamp::as_ms),
            updated.as_ms(),
            effective_at.as_ms(),
            self.judge.rule_version()
        ])?;
        let item = ItemId(db.last_insert_rowid());
        items::keep_body(db, item, self.source(load)?, &candidate.entry)?;
        self.see(load, candidate, place, item, trusted)?;
        self.log(item, NEW, at)?;
        for found in &candidate.matches {
            self.enter(found, item, (effective_at, at), load.private)?;
        }
        load.newest = load.newest.max(Some(effective_at));
        load.report.new += 1;
        if load.quiet {
            return Ok(item);
        }
        let matches = candidate.matches.clone();
        self.owe(
            load,
            item,
            &Entered { kind: EventKind::ItemNew, matches, all: true, changed: Vec::new(), newly: Vec::new() },
        )?;
        Ok(item)
    }

    /// A known item in one more place: it may enter streams by it.
    pub(super) fn sighted(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        place: &Place,
        (item, life): (ItemId, Life),
    ) -> Result<()> {
        self.see(load, candidate, place, item, true)?;
        self.keys.forget_sightings(load.feed.0, item)?;
        load.newest =
            load.newest.max(Some(candidate.entry.published.map_or(load.at, |published| published.min(load.at))));
        load.report.sighted += 1;
        if life != Life::Shown {
            return Ok(());
        }
        // What only a private feed adds is no change for anybody else.
        if !load.private {
            self.log(item, SIGHTED, load.at)?;
        }
        let freed = (candidate.own || load.any_private) && self.take_over(load, candidate, item)?;
        let (now, entered) = self.rematch(load, candidate, item)?;
        streams::touch(self.tx.db, item, load.at, !load.private)?;
        // For the public it is new; whoever was called about it already is not called again.
        let matches = if freed { self.memberships(item, &now)? } else { entered };
        self.owe(
            load,
            item,
            &Entered { kind: EventKind::ItemNew, matches, all: freed, changed: Vec::new(), newly: Vec::new() },
        )
    }

    /// An entry that is not as it was, where it was.
    fn changed(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        place: &Place,
        looked: &Looked,
        (item, revise, link): (ItemId, bool, LinkChange),
    ) -> Result<()> {
        let trusted = looked.known.sighting.as_ref().is_none_or(|sighting| sighting.trusted);
        let is_main = looked.known.sighting.as_ref().is_some_and(|sighting| sighting.main_feed);
        if link == LinkChange::Moved {
            self.moved(load, candidate, item, is_main)?;
        }
        if let LinkChange::Conflict(other) = link {
            let detail = format!("its link moved to {}, where item {} is", candidate.key, other.0);
            self.keys.note(item, "conflict", &detail, load.at)?;
        }
        // Before the sighting is written, for that is compared with the item's link.
        if is_main && !revise {
            self.relink(load, candidate, item)?;
            self.refresh(load, candidate, item)?;
        }
        if revise {
            self.revise(load, candidate, item, EventKind::ItemUpdated)?;
        }
        if !self.see_again(load, candidate, place, item)? {
            self.see(load, candidate, place, item, trusted)?;
        }
        let same_key = looked.known.sighting.as_ref().is_some_and(|sighting| sighting.same_key);
        match link {
            LinkChange::Conflict(_) => self.keys.leave(item, load.feed.0, None, load.at),
            // An alias led to the item: it came back to an address that it had left.
            LinkChange::None if !same_key && place.scope == 0 => {
                let to = (candidate.key.as_str(), self.judge.rule_version());
                self.keys.leave(item, load.feed.0, Some(to), load.at)
            }
            LinkChange::None | LinkChange::Moved => Ok(()),
        }
    }

    /// An edit in the feed that the item is published from.
    pub(super) fn revise(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        item: ItemId,
        kind: EventKind,
    ) -> Result<()> {
        let changed = self.rewrite(load, candidate, item)?;
        let (now, entered) = self.rematch(load, candidate, item)?;
        streams::touch(self.tx.db, item, load.at, true)?;
        load.report.changed += 1;
        let matches = self.memberships(item, &now)?;
        let newly = entered.iter().map(|found| found.stream).collect();
        self.owe(load, item, &Entered { kind, matches, all: true, changed, newly })
    }

    /// Puts the entry's text and link into the item, as its next revision; gives what it changed.
    pub(super) fn rewrite(&self, load: &mut Load<'_>, candidate: &Candidate, item: ItemId) -> Result<Vec<String>> {
        let db = self.tx.db;
        let changed = items::differences(db, item, &candidate.entry, candidate.link.as_deref())?;
        self.keep_links(item, candidate.link.as_deref())?;
        db.prepare_cached(
            "UPDATE item SET link = coalesce(?2, link), updated = max(updated, ?3), revision = revision + 1 WHERE id = ?1",
        )?
        .execute(params![item.0, candidate.link, load.at.as_ms()])?;
        items::keep_body(db, item, self.source(load)?, &candidate.entry)?;
        self.log(item, REVISED, load.at)?;
        Ok(changed)
    }

    /// Writes the entry's sighting.
    pub(super) fn see(
        &self,
        load: &Load<'_>,
        candidate: &Candidate,
        place: &Place,
        item: ItemId,
        trusted: bool,
    ) -> Result<()> {
        self.tx
            .db
            .prepare_cached(
                "INSERT INTO sighting (feed_id, entry_hash, item_id, key_hash, fingerprint, twin_hash, first_seen, guid,
                   link, trusted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, (SELECT link FROM item WHERE id = ?3)), ?10)
                 ON CONFLICT (feed_id, entry_hash) DO UPDATE SET item_id = excluded.item_id,
                   key_hash = excluded.key_hash, fingerprint = excluded.fingerprint, twin_hash = excluded.twin_hash,
                   guid = excluded.guid, link = excluded.link, trusted = excluded.trusted",
            )?
            .execute(params![
                load.feed.0,
                place.entry_hash,
                item.0,
                place.key_hash,
                candidate.fingerprint.pack(),
                candidate.fingerprint.likeness(),
                load.at.as_ms(),
                candidate.entry.guid,
                candidate.link,
                trusted
            ])?;
        Ok(())
    }

    /// Writes the sighting of an entry that is seen again for the same item: no index is touched unless its title changed.
    fn see_again(&self, load: &Load<'_>, candidate: &Candidate, place: &Place, item: ItemId) -> Result<bool> {
        let changed = self
            .tx
            .db
            .prepare_cached(
                "UPDATE sighting SET key_hash = ?4, fingerprint = ?5, guid = ?7,
                   link = nullif(?8, (SELECT link FROM item WHERE id = ?3))
                 WHERE feed_id = ?1 AND entry_hash = ?2 AND item_id = ?3 AND twin_hash = ?6",
            )?
            .execute(params![
                load.feed.0,
                place.entry_hash,
                item.0,
                place.key_hash,
                candidate.fingerprint.pack(),
                candidate.fingerprint.likeness(),
                candidate.entry.guid,
                candidate.link
            ])?;
        Ok(changed > 0)
    }

    /// The snapshot that becomes `atom:source`; one row for as long as the feed says the same of itself.
    pub(super) fn source(&self, load: &mut Load<'_>) -> Result<i64> {
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

    pub(super) fn log(&self, item: ItemId, kind: i64, at: Timestamp) -> Result<()> {
        self.tx.db.prepare_cached("INSERT INTO change (item_id, kind, at) VALUES (?1, ?2, ?3)")?.execute(params![
            item.0,
            kind,
            at.as_ms()
        ])?;
        Ok(())
    }
}
