//! Into which streams a commit puts an item, and why it is in them.

use super::Result;
use super::commit::{Commit, Load};
use super::feeds::json;
use super::streams::{self, Door, Entering};
use crate::domain::decision::Candidate;
use crate::domain::feed::FeedId;
use crate::domain::item::ItemId;
use crate::domain::stream::{Match, StreamId};
use crate::domain::time::Timestamp;

impl Commit<'_> {
    /// Puts the item into the streams that it meets with all of its feeds, and those that are one with them; gives all of these, and those that are new.
    pub(super) fn rematch(
        &self,
        load: &Load<'_>,
        candidate: &Candidate,
        item: ItemId,
    ) -> Result<(Vec<Match>, Vec<Match>)> {
        let (db, at) = (self.tx.db, load.at);
        let date: i64 =
            db.prepare_cached("SELECT effective_at FROM item WHERE id = ?1")?.query_row([item.0], |row| row.get(0))?;
        let date = Timestamp::from_ms(date);
        let redated = self.judge.looks_at_dates() && date != candidate.effective_at(at);
        let feeds = if redated || self.judge.looks_at_feeds() { self.carriers(item)? } else { Vec::new() };
        let matches = if redated || feeds.len() > 1 {
            self.judge.rematch(candidate, &feeds, date)
        } else {
            candidate.matches.clone()
        };
        let hidden = !matches.is_empty() && self.is_private(load, item)?;
        let mut entered = Vec::new();
        for found in &matches {
            if self.enter(found, item, (date, at), hidden)? {
                entered.push(found.clone());
            }
        }
        if !entered.is_empty() {
            streams::renamed(db, item)?;
        }
        Ok((matches, entered))
    }

    /// The feeds that carry an item, and those that are one with them.
    fn carriers(&self, item: ItemId) -> Result<Vec<FeedId>> {
        self.tx
            .db
            .prepare_cached(
                "SELECT feed_id FROM sighting WHERE item_id = ?1 UNION SELECT feed_id FROM feed_state
                 WHERE merged_into IN (SELECT feed_id FROM sighting WHERE item_id = ?1)",
            )?
            .query_map([item.0], |row| row.get(0).map(FeedId))?
            .collect()
    }

    /// Puts an item of this date into a stream. `hidden`: it is from a private feed. False: it was in it.
    pub(super) fn enter(
        &self,
        found: &Match,
        item: ItemId,
        (effective_at, at): (Timestamp, Timestamp),
        hidden: bool,
    ) -> Result<bool> {
        let term = found.term.as_ref().map(|hit| json(&hit.brief())).transpose()?;
        let entering = Entering { stream: found.stream, item, effective_at, term: term.as_deref(), at };
        let mut door = self.door.borrow_mut();
        let door = match &mut *door {
            Some(door) => door,
            none => none.insert(Door::open(self.tx.db)?),
        };
        door.enter(&entering, hidden)
    }

    /// The streams that an item is in, and why: as its text is now, else as it was when it entered.
    pub(super) fn memberships(&self, item: ItemId, now: &[Match]) -> Result<Vec<Match>> {
        let mut read = self
            .tx
            .db
            .prepare_cached("SELECT stream_id, term FROM stream_item WHERE item_id = ?1 ORDER BY stream_id")?;
        let rows = read.query_map([item.0], |row| {
            let stream = StreamId(row.get(0)?);
            if let Some(fresh) = now.iter().find(|found| found.stream == stream) {
                return Ok(fresh.clone());
            }
            let term: Option<String> = row.get(1)?;
            Ok(Match { stream, term: term.and_then(|text| serde_json::from_str(&text).ok()) })
        })?;
        rows.collect()
    }
}
