//! What a commit owes to webhooks: it stands in the same transaction as the item that it is about.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, params};

use super::commit::{Commit, Entered, Load};
use super::feeds::json;
use super::{Result, items, outbox, public};
use crate::domain::item::ItemId;
use crate::domain::stream::Match;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Event, EventKind, WebhookId};

/// What calls are about: the event's row, the id that its story is published under, and the story's revision.
struct Told {
    event: i64,
    published_id: String,
    revision: u32,
}

impl Commit<'_> {
    /// Enqueues what is owed: one call a webhook, however many of its streams the item is in.
    pub(super) fn owe(&self, load: &mut Load<'_>, item: ItemId, entered: &Entered) -> Result<()> {
        if load.quiet {
            return Ok(());
        }
        let private = self.is_private(load, item)?;
        let all = entered.all.then_some((None, Match { stream: outbox::ALL_STREAM, term: None }));
        let named = entered.matches.iter().map(|found| (Some(found.stream), found.clone()));
        let mut owed: BTreeMap<WebhookId, Vec<Match>> = BTreeMap::new();
        for (stream, found) in all.into_iter().chain(named) {
            for route in self.routes.get(&stream).into_iter().flatten() {
                let wanted = if entered.kind == EventKind::ItemNew { route.new } else { route.updated };
                if wanted && (route.private || !private) {
                    owed.entry(route.webhook).or_default().push(found.clone());
                }
            }
        }
        if owed.is_empty() {
            return Ok(());
        }
        let told = self.event(load, item, entered)?;
        for (webhook, mut matches) in owed {
            let mut seen = HashSet::new();
            matches.retain(|found| seen.insert(found.stream));
            load.report.deliveries += self.enqueue(load.at, webhook, item, &told, entered.kind, &matches)?;
        }
        Ok(())
    }

    /// Whether the item is from a private feed.
    pub(super) fn is_private(&self, load: &Load<'_>, item: ItemId) -> Result<bool> {
        if !load.any_private {
            return Ok(false);
        }
        self.tx
            .db
            .prepare_cached("SELECT f.private FROM item i JOIN feed f ON f.id = i.main_feed WHERE i.id = ?1")?
            .query_row([item.0], |row| row.get(0))
    }

    /// The snapshot that every body about this event is rendered from: the row, and the item's revision.
    fn event(&self, load: &Load<'_>, item: ItemId, entered: &Entered) -> Result<Told> {
        let db = self.tx.db;
        let Some(mut snapshot) = items::load(db, item)? else { return Err(rusqlite::Error::QueryReturnedNoRows) };
        if !self.is_private(load, item)? {
            public::conceal(db, &mut snapshot)?;
        }
        let (revision, published_id) = (snapshot.revision, snapshot.published_id.clone());
        let event = Event {
            kind: entered.kind,
            occurred_at: load.at,
            item: snapshot,
            changed: entered.changed.clone(),
            entered: entered.newly.clone(),
        };
        let id = db
            .prepare_cached(
                "INSERT INTO event (kind, item_id, revision, occurred_at, data) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (kind, item_id, revision) DO UPDATE SET kind = kind RETURNING id",
            )?
            .query_row(params![entered.kind.as_str(), item.0, revision, load.at.as_ms(), json(&event)?], |row| {
                row.get(0)
            })?;
        Ok(Told { event: id, published_id, revision })
    }

    fn enqueue(
        &self,
        at: Timestamp,
        webhook: WebhookId,
        item: ItemId,
        told: &Told,
        kind: EventKind,
        matches: &[Match],
    ) -> Result<u32> {
        let message = self.message_id(webhook, &told.published_id, kind, told.revision);
        let db = self.tx.db;
        let added = db
            .prepare_cached(
                "INSERT INTO delivery (webhook_id, message_id, matches, next_at, created_at)
                 SELECT ?1, ?2, ?3, ?4, ?4
                 WHERE NOT (?6 AND EXISTS (SELECT 1 FROM called WHERE item_id = ?5 AND webhook_id = ?1))
                 ON CONFLICT (message_id) DO NOTHING",
            )?
            .execute(params![
                webhook.0,
                message,
                json(&matches)?,
                at.as_ms(),
                item.0,
                // What was made of an absorbed item, or so long ago that it is forgotten, was made all the same.
                kind == EventKind::ItemNew
            ])?;
        if added == 0 {
            return Ok(0);
        }
        db.prepare_cached("INSERT INTO delivery_event VALUES (?1, ?2)")?
            .execute([db.last_insert_rowid(), told.event])?;
        Ok(1)
    }
}

/// Enqueues an alert to a webhook, once. Gives how many deliveries that added.
pub(super) fn alert(db: &Connection, to: WebhookId, message: &str, at: Timestamp, alert: i64) -> Result<u32> {
    let added = db
        .prepare_cached(
            "INSERT INTO delivery (webhook_id, message_id, matches, next_at, created_at, alert_id)
             VALUES (?1, ?2, '[]', ?3, ?3, ?4) ON CONFLICT (message_id) DO NOTHING",
        )?
        .execute(params![to.0, message, at.as_ms(), alert])?;
    Ok(u32::try_from(added).unwrap_or(0))
}
