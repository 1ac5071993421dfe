//! Into which streams a commit puts an item, and why it is in them.

use super::Result;
use super::commit::Commit;
use super::feeds::json;
use super::streams;
use crate::domain::decision::Candidate;
use crate::domain::feed::FeedId;
use crate::domain::item::ItemId;
use crate::domain::stream::{Match, StreamId};
use crate::domain::time::Timestamp;

impl Commit<'_> {
    /// Puts the item into the streams that it meets with all of its feeds, and those that are one with them; gives all of these, and those that are new.
    pub(super) fn rematch(
        &self,
        index: usize,
        candidate: &Candidate,
        item: ItemId,
        at: Timestamp,
    ) -> Result<(Vec<Match>, Vec<Match>)> {
        let db = self.tx.db;
        let feeds: Vec<FeedId> = db
            .prepare_cached(
                "SELECT feed_id FROM sighting WHERE item_id = ?1 UNION SELECT feed_id FROM feed_state
                 WHERE merged_into IN (SELECT feed_id FROM sighting WHERE item_id = ?1)",
            )?
            .query_map([item.0], |row| row.get(0).map(FeedId))?
            .collect::<Result<_>>()?;
        let date: i64 =
            db.prepare_cached("SELECT effective_at FROM item WHERE id = ?1")?.query_row([item.0], |row| row.get(0))?;
        let date = Timestamp::from_ms(date);
        let redated = self.judge.looks_at_dates() && date != candidate.effective_at(at);
        let matches = if redated || feeds.len() > 1 {
            self.judge.rematch(index, &feeds, date)
        } else {
            candidate.matches.clone()
        };
        let mut entered = Vec::new();
        for found in &matches {
            if self.enter(found, item, date, at)? {
                entered.push(found.clone());
            }
        }
        if !entered.is_empty() {
            streams::renamed(db, item)?;
        }
        Ok((matches, entered))
    }

    pub(super) fn enter(&self, found: &Match, item: ItemId, effective_at: Timestamp, at: Timestamp) -> Result<bool> {
        let term = found.term.as_ref().map(|hit| json(&hit.brief())).transpose()?;
        streams::enter(self.tx.db, found.stream, item, effective_at, term.as_deref(), at)
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
