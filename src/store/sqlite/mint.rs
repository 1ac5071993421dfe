//! The ids that are made once and for ever: of published items, and of webhook calls.

use sha2::{Digest as _, Sha256};

use super::commit::{Commit, Load};
use super::{Instance, Result, schema};
use crate::domain::decision::{Candidate, Scope};
use crate::domain::feed::FeedId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{EventKind, WebhookId};

impl Commit<'_> {
    /// The id under which an item will be published for ever, and its hash. The publisher's own passes
    /// through (RFC 4287 4.2.6), unless another item has it.
    pub(super) fn mint(&self, load: &Load<'_>, candidate: &Candidate) -> Result<(String, i64)> {
        // That of a private feed may say where it is from, and stays when a public feed takes the story over.
        if let Some(native) = candidate.native_id.as_ref().filter(|_| !load.private) {
            let hash = self.keys.hasher.short(&[native.as_bytes()]);
            if self.free(hash)? {
                return Ok((native.clone(), hash));
            }
        }
        let feed = if candidate.scope == Scope::Global { 0 } else { load.feed.0 };
        let mut digest = Sha256::new();
        digest.update(feed.to_be_bytes());
        digest.update(candidate.key.as_bytes());
        let digest = schema::base32(digest.finalize().get(..16).unwrap_or_default());
        let base = format!("tag:{}:{}/item/{digest}", self.instance.tagging, self.instance.id);
        let (mut id, mut n) = (base.clone(), 1);
        loop {
            let hash = self.keys.hasher.short(&[id.as_bytes()]);
            if self.free(hash)? {
                return Ok((id, hash));
            }
            n += 1;
            id = format!("{base}/{n}");
        }
    }

    fn free(&self, published_hash: i64) -> Result<bool> {
        self.tx
            .db
            .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM item WHERE published_hash = ?1)")?
            .query_row([published_hash], |row| row.get(0))
    }

    /// `webhook-id`: the same for ever for one event and one webhook, so that it is enqueued exactly once,
    /// whatever crashes. `item.new` goes to a webhook once, whatever revision the item has by then. It hangs on the
    /// story's published id and not on its row: a database that went back to an earlier state gives rows again, and whoever
    /// drops repeats would drop another story.
    pub(super) fn message_id(&self, webhook: WebhookId, published: &str, kind: EventKind, revision: u32) -> String {
        let revision = if kind == EventKind::ItemNew { 0 } else { revision };
        message(&format!("{} {} {} {published} {revision}", self.instance.id, webhook.0, kind.as_str()))
    }
}

/// The same of what the operator is told of a feed: once for each time that it broke.
pub(super) fn alert_id(
    instance: &Instance,
    webhook: WebhookId,
    kind: EventKind,
    feed: FeedId,
    broken_at: Timestamp,
) -> String {
    message(&format!("{} {} {} {} {}", instance.id, webhook.0, kind.as_str(), feed.0, broken_at.as_ms()))
}

/// The same of what the operator is told of a webhook: once for each time that it was paused or disabled.
pub(super) fn hook_alert_id(
    instance: &Instance,
    webhook: WebhookId,
    kind: EventKind,
    about: WebhookId,
    broken_at: Timestamp,
) -> String {
    message(&format!("{} {} {} {} {}", instance.id, webhook.0, kind.as_str(), about.0, broken_at.as_ms()))
}

fn message(of: &str) -> String {
    format!("msg_{}", schema::base32(Sha256::digest(of).get(..16).unwrap_or_default()))
}
