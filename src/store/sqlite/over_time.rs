//! What becomes of known items when entries move, take each other's place, or turn out to be one.

use rusqlite::{OptionalExtension as _, params};

use super::Result;
use super::commit::{Commit, Load, NEW, REVISED, SIGHTED};
use super::keep::DAY_MS;
use super::keys::{MOVED, SHOWN};
use super::known::{Looked, Place, known_as_it_is};
use super::merge::merge;
use super::{items, streams};
use crate::domain::decision::{Candidate, Decision, Life, Scope};
use crate::domain::feed::FeedInfo;
use crate::domain::item::ItemId;
use crate::domain::webhook::EventKind;

impl Commit<'_> {
    /// The entry's link moved to an address that is nobody's: both lead to the item from now on.
    pub(super) fn moved(&self, load: &Load<'_>, candidate: &Candidate, item: ItemId, is_main: bool) -> Result<()> {
        let version = self.judge.rule_version();
        let (scope, key): (i64, String) = self
            .tx
            .db
            .prepare_cached("SELECT scope_feed, key FROM item WHERE id = ?1")?
            .query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let detail = format!("its link moved from {key} to {}", candidate.key);
        if is_main {
            self.keys.rekey(item, &candidate.key, MOVED, version, load.at)?;
        } else if scope == 0 {
            self.keys.alias(&candidate.key, &key, MOVED, version, load.at)?;
        }
        self.keys.note(item, "moved", &detail, load.at)
    }

    /// Before an item gets another link: sightings that had the old one without saying so, say so.
    pub(super) fn keep_links(&self, item: ItemId, link: Option<&str>) -> Result<()> {
        self.tx
            .db
            .prepare_cached(
                "UPDATE sighting SET link = (SELECT link FROM item WHERE id = ?1)
                 WHERE item_id = ?1 AND link IS NULL AND ?2 <> (SELECT link FROM item WHERE id = ?1)",
            )?
            .execute(params![item.0, link])?;
        Ok(())
    }

    /// The item is published with the entry's link. That is no edit of the story.
    pub(super) fn relink(&self, load: &mut Load<'_>, candidate: &Candidate, item: ItemId) -> Result<()> {
        self.keep_links(item, candidate.link.as_deref())?;
        let changed = self
            .tx
            .db
            .prepare_cached(
                "UPDATE item SET link = ?2 WHERE id = ?1 AND ?2 IS NOT NULL AND link IS NOT ?2 AND state = ?3",
            )?
            .execute(params![item.0, candidate.link, SHOWN])?;
        if changed > 0 {
            self.log(item, REVISED, load.at)?;
            streams::touch(self.tx.db, item, load.at, true)?;
            load.report.changed += 1;
        }
        Ok(())
    }

    /// Guid and link have both changed, and it is the same story all the same.
    pub(super) fn regrouped(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        place: &Place,
        looked: &Looked,
        item: ItemId,
    ) -> Result<()> {
        self.retire(load, candidate, place, looked)?;
        let detail = format!("guid and link both changed; title and text or date are those of {}", candidate.key);
        self.keys.note(item, "regrouped", &detail, load.at)?;
        let (is_main, life) = (self.is_main(load, item)?, self.keys.life(item.0)?.life);
        if candidate.scope == Scope::Global {
            self.moved(load, candidate, item, is_main)?;
        }
        if is_main && life == Life::Shown {
            let same = super::items::differences(self.tx.db, item, &candidate.entry, candidate.link.as_deref())?;
            if same.iter().all(|field| field == "link") {
                self.relink(load, candidate, item)?;
            } else {
                let quiet = std::mem::replace(&mut load.quiet, true);
                self.revise(load, candidate, item, EventKind::ItemUpdated)?;
                load.quiet = quiet;
            }
        }
        self.see(load, candidate, place, item, true)?;
        self.keys.forget_sightings(load.feed.0, item)?;
        load.report.sighted += 1;
        Ok(())
    }

    fn is_main(&self, load: &Load<'_>, item: ItemId) -> Result<bool> {
        self.tx
            .db
            .prepare_cached("SELECT main_feed = ?2 FROM item WHERE id = ?1")?
            .query_row([item.0, load.feed.0], |row| row.get(0))
    }

    /// The publisher used the guid again. The old story keeps its sighting, under a hash that no guid has; the new
    /// one is known by the guid from now on, which is trusted no more.
    pub(super) fn recycled(
        &self,
        load: &mut Load<'_>,
        candidate: &Candidate,
        place: &Place,
        looked: &Looked,
    ) -> Result<ItemId> {
        self.retire(load, candidate, place, looked)?;
        match looked.known.item {
            Some(found) if found.life != Life::Past => {
                self.sighted(load, candidate, place, (found.item, found.life))?;
                self.tx
                    .db
                    .prepare_cached("UPDATE sighting SET trusted = 0 WHERE feed_id = ?1 AND entry_hash = ?2")?
                    .execute(params![load.feed.0, place.entry_hash])?;
                Ok(found.item)
            }
            Some(found) => {
                self.see_past(load, candidate, place, found.item)?;
                Ok(found.item)
            }
            None => self.new_item(load, candidate, place, looked.ident_hash, false),
        }
    }

    /// Files that lie elsewhere now, or are others, while the text is the same: no edit, so nobody is called and no date moves
    /// but those of the documents. The feed that the item is published from has the word.
    pub(super) fn refresh(&self, load: &Load<'_>, candidate: &Candidate, item: ItemId) -> Result<()> {
        if items::keep_files(self.tx.db, load.feed, item, &candidate.entry)? {
            self.log(item, SIGHTED, load.at)?;
            streams::touch(self.tx.db, item, load.at, true)?;
            self.tx.publishes();
        }
        Ok(())
    }

    /// A past story in one more place, edited, or under another address: it goes on to be known, and that is all.
    pub(super) fn follow(&self, load: &Load<'_>, candidate: &Candidate, place: &Place, looked: &Looked) -> Result<()> {
        let known = &looked.known;
        if known_as_it_is(known, candidate, Decision::Same) {
            return Ok(());
        }
        let Some(item) = known.sighting.as_ref().map(|sighting| sighting.item).or(known.item.map(|item| item.item))
        else {
            return Ok(());
        };
        let moved = known.sighting.as_ref().is_some_and(|sighting| !sighting.same_key);
        if moved && candidate.scope == Scope::Global {
            // Who stands next where it has been is another one: there is no text left to tell by.
            self.tx
                .db
                .prepare_cached(
                    "DELETE FROM past_item WHERE item_id = ?1 AND ident_hash =
                       (SELECT key_hash FROM past_sighting WHERE feed_id = ?2 AND entry_hash = ?3)",
                )?
                .execute(params![item.0, load.feed.0, place.entry_hash])?;
        }
        if moved && candidate.scope == Scope::Global && known.item.is_none() {
            self.tx
                .db
                .prepare_cached("INSERT INTO past_item VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
                .execute(params![
                    looked.ident_hash,
                    self.keys.proof(place.scope, &candidate.key),
                    item.0,
                    load.at.as_ms().div_euclid(DAY_MS)
                ])?;
        }
        self.see_past(load, candidate, place, item)
    }

    fn see_past(&self, load: &Load<'_>, candidate: &Candidate, place: &Place, item: ItemId) -> Result<()> {
        self.tx
            .db
            .prepare_cached(
                "INSERT INTO past_sighting (feed_id, entry_hash, item_id, key_hash, fingerprint)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (feed_id, entry_hash) DO UPDATE SET
                   item_id = excluded.item_id, key_hash = excluded.key_hash, fingerprint = excluded.fingerprint",
            )?
            .execute(params![load.feed.0, place.entry_hash, item.0, place.key_hash, candidate.fingerprint.pack()])?;
        Ok(())
    }

    /// The sighting of a guid that stands for another story now goes out of its way, and stays with its item.
    fn retire(&self, load: &Load<'_>, candidate: &Candidate, place: &Place, looked: &Looked) -> Result<()> {
        let Some(sighting) = &looked.known.sighting else { return Ok(()) };
        let retired = self.keys.hasher.long(&format!("{}\n{}", candidate.entry_id, sighting.item.0));
        // Not `OR REPLACE`: what that deletes is not counted by triggers.
        for sql in [
            "DELETE FROM sighting WHERE feed_id = ?1 AND entry_hash = ?3 AND ?2 <> ?3",
            "DELETE FROM past_sighting WHERE feed_id = ?1 AND entry_hash = ?3 AND ?2 <> ?3",
            "UPDATE sighting SET entry_hash = ?3 WHERE feed_id = ?1 AND entry_hash = ?2",
            "UPDATE past_sighting SET entry_hash = ?3 WHERE feed_id = ?1 AND entry_hash = ?2",
        ] {
            self.tx.db.prepare_cached(sql)?.execute(params![load.feed.0, place.entry_hash, retired])?;
        }
        let detail = format!("its guid was used again, for {}", candidate.key);
        self.keys.note(sighting.item, "recycled", &detail, load.at)
    }

    /// The publisher's own feed is preferred for link and text, and any to a private one: the item is published from it from
    /// now on. True: it was private, and is so no longer. Otherwise no webhook hears of it, for the story is the same.
    pub(super) fn take_over(&self, load: &mut Load<'_>, candidate: &Candidate, item: ItemId) -> Result<bool> {
        let db = self.tx.db;
        let (info, link, private): (String, Option<String>, bool) = db
            .prepare_cached(
                "SELECT f.info, i.link, f.private FROM item i JOIN feed f ON f.id = i.main_feed WHERE i.id = ?1",
            )?
            .query_row([item.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let why = match (private, load.private) {
            (false, true) => return Ok(false),
            (true, false) => "a public feed carries it: link and text are from there",
            _ if !candidate.own => return Ok(false),
            _ => "the publisher's own feed carries it: link and text are from there",
        };
        let info: FeedInfo = serde_json::from_str(&info).unwrap_or_default();
        let is_own = link.is_some_and(|link| self.judge.is_own(&info, &link)) && private == load.private;
        if self.is_main(load, item)? || is_own {
            return Ok(false);
        }
        if super::items::differences(db, item, &candidate.entry, candidate.link.as_deref())?.is_empty() {
            super::items::keep_body(db, item, self.source(load)?, &candidate.entry)?;
        } else {
            self.rewrite(load, candidate, item)?;
        }
        db.prepare_cached("UPDATE item SET main_feed = ?2 WHERE id = ?1")?.execute([item.0, load.feed.0])?;
        let freed = private && !load.private;
        if freed {
            self.log(item, NEW, load.at)?;
        }
        self.keys.note(item, "taken-over", why, load.at)?;
        Ok(freed)
    }

    /// Learns other keys of the item by the publisher's own word. One that is another item's makes one of the two, if
    /// they say the same.
    pub(super) fn learn(&self, load: &Load<'_>, candidate: &Candidate, item: ItemId) -> Result<()> {
        if candidate.scope == Scope::Feed || candidate.aliases.is_empty() {
            return Ok(());
        }
        let item = self.keys.life(item.0)?.item;
        let find = |key: &str| Ok::<_, rusqlite::Error>(self.keys.find(self.keys.hash(0, key), 0, key)?.item);
        for other in &candidate.aliases {
            match find(other)? {
                // It is known by the address that stayed: the link is another one.
                Some(found) if found.item == item && find(&candidate.key)?.is_none() => {
                    self.lead(&candidate.key, item, load)?;
                }
                Some(found) if found.item == item || found.life == Life::Past => {}
                Some(found) => {
                    if self.is_alike(Some(found), candidate)? {
                        merge(self.keys, self.tx, item, found.item, "origlink", load.at)?;
                    }
                }
                None => self.lead(other, item, load)?,
            }
        }
        Ok(())
    }

    /// From now on `from` leads to the item, by the publisher's word.
    fn lead(&self, from: &str, item: ItemId, load: &Load<'_>) -> Result<()> {
        let key: Option<String> = self
            .tx
            .db
            .prepare_cached("SELECT key FROM item WHERE id = ?1 AND scope_feed = 0")?
            .query_row([item.0], |row| row.get(0))
            .optional()?;
        if let Some(key) = key {
            self.keys.alias(from, &key, "origlink", self.judge.rule_version(), load.at)?;
        }
        Ok(())
    }
}
