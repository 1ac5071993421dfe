//! What a feed does not keep: entries that its `ignore` query meets. They are remembered, so that each can be explained, and
//! taken back when the query is another one.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Result;
use super::commit::{Commit, Load};
use super::keys::Keys;
use super::known::Place;
use crate::domain::decision::{Candidate, Decision};
use crate::domain::feed::FeedId;
use crate::domain::time::Timestamp;
use crate::domain::trace::Ignored;

/// How long it is remembered of an entry that has left its feed that it was ignored.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

impl Commit<'_> {
    /// Whether the feed has ignored anything so far.
    pub(super) fn has_ignored(&self, feed: FeedId) -> Result<bool> {
        self.tx
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM ignored WHERE feed_id = ?1)")?
            .query_row([feed.0], |row| row.get(0))
    }

    /// True: the entry is not kept, and that is remembered. What the feed has brought already stays, however it is edited.
    pub(super) fn ignores(
        &self,
        load: &mut Load<'_>,
        index: usize,
        candidate: &Candidate,
        place: &Place,
        decision: Decision,
    ) -> Result<bool> {
        if !matches!(decision, Decision::New | Decision::Sighted(_) | Decision::Recycled) {
            return Ok(false);
        }
        let query = self.judge.ignore();
        match query.filter(|_| self.judge.is_ignored(index)) {
            Some(query) => self.remember_ignored(load, candidate, place, query).map(|()| true),
            None if load.has_ignored => self.take_back(load, place, query).map(|()| false),
            None => Ok(false),
        }
    }

    fn remember_ignored(&self, load: &mut Load<'_>, candidate: &Candidate, place: &Place, query: &str) -> Result<()> {
        let db = self.tx.db;
        let known: Option<i64> = db
            .prepare_cached("SELECT id FROM ignoring WHERE query = ?1")?
            .query_row([query], |row| row.get(0))
            .optional()?;
        let query_id = match known {
            Some(id) => id,
            None => {
                db.prepare_cached("INSERT INTO ignoring (query) VALUES (?1)")?.execute([query])?;
                db.last_insert_rowid()
            }
        };
        let is_url = candidate.key.starts_with("https://") || candidate.key.starts_with("http://");
        let key = candidate.link.as_deref().filter(|_| !is_url).unwrap_or(&candidate.key);
        db.prepare_cached(
            "INSERT INTO ignored (feed_id, entry_hash, key_hash, query_id, at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (feed_id, entry_hash) DO UPDATE SET key_hash = excluded.key_hash, query_id = excluded.query_id
               WHERE key_hash <> excluded.key_hash OR query_id <> excluded.query_id",
        )?
        .execute(params![load.feed.0, place.entry_hash, self.keys.hash(0, key), query_id, load.at.as_ms()])?;
        load.ignored = true;
        Ok(())
    }

    /// Keeps what the feed's document was judged by: under another query it has to be read again. And forgets what was
    /// ignored long ago and has left the document, now and then: when something more is ignored.
    pub(super) fn keep_ignore(&self, load: &Load<'_>, places: &[Place]) -> Result<()> {
        let (db, feed) = (self.tx.db, load.feed.0);
        db.prepare_cached("UPDATE feed_document SET ignore = ?2 WHERE feed_id = ?1 AND ignore IS NOT ?2")?
            .execute(params![feed, self.judge.ignore()])?;
        if !load.ignored {
            return Ok(());
        }
        let there: HashSet<[u8; 16]> = places.iter().map(|place| place.entry_hash).collect();
        let old: Vec<[u8; 16]> = db
            .prepare_cached("SELECT entry_hash FROM ignored WHERE feed_id = ?1 AND at < ?2")?
            .query_map([feed, load.at.minus(REMEMBERED).as_ms()], |row| row.get(0))?
            .collect::<Result<_>>()?;
        for entry in old.iter().filter(|entry| !there.contains(*entry)) {
            db.prepare_cached("DELETE FROM ignored WHERE feed_id = ?1 AND entry_hash = ?2")?
                .execute(params![feed, entry])?;
        }
        Ok(())
    }

    /// An entry that was ignored and is not any more. If that is because the query is another one, nobody is called.
    fn take_back(&self, load: &mut Load<'_>, place: &Place, query: Option<&str>) -> Result<()> {
        let db = self.tx.db;
        let before: Option<String> = db
            .prepare_cached(
                "SELECT q.query FROM ignored i JOIN ignoring q ON q.id = i.query_id
                 WHERE i.feed_id = ?1 AND i.entry_hash = ?2",
            )?
            .query_row(params![load.feed.0, place.entry_hash], |row| row.get(0))
            .optional()?;
        let Some(before) = before else { return Ok(()) };
        load.quiet |= query != Some(before.as_str());
        db.prepare_cached("DELETE FROM ignored WHERE feed_id = ?1 AND entry_hash = ?2")?
            .execute(params![load.feed.0, place.entry_hash])?;
        Ok(())
    }
}

/// The feeds that ignore a story with this key.
pub(super) fn of_key(db: &Connection, keys: Keys<'_>, key: &str) -> Result<Vec<Ignored>> {
    let mut read = db.prepare_cached(
        "SELECT f.name, q.query, i.at FROM ignored i JOIN ignoring q ON q.id = i.query_id JOIN feed f ON f.id = i.feed_id
         WHERE i.key_hash = ?1 ORDER BY i.at, f.name",
    )?;
    let rows = read.query_map([keys.hash(0, key)], |row| {
        Ok(Ignored { feed: row.get(0)?, query: row.get(1)?, at: Timestamp::from_ms(row.get(2)?) })
    })?;
    rows.collect()
}
