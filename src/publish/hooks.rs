//! What is done with webhooks by hand: the same for the daemon and for a command on the database itself.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;
use crate::store::{HookOrder, Replay, Store, StoreError};

/// What was done with a webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HookReport {
    /// How many deliveries it concerns: held, released, given up or due again.
    pub count: u64,
    /// The webhook.
    pub webhook: String,
}

/// What `feedmill webhooks replay` did: of each webhook, what the API said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplayReport {
    /// How many deliveries are due again, all together.
    pub count: u64,
    /// Of each webhook.
    pub webhooks: Vec<HookReport>,
}

/// The body of `POST /api/v1/webhooks/{name}/replay`: deliveries that were enqueued in this window, which were given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// From this time on: RFC 3339, or an age such as `3d`.
    pub since: String,
    /// Before this time; absent: until now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
    /// Those that succeeded, too.
    #[serde(default)]
    pub all: bool,
}

/// Pauses, resumes or drops, step by step. `None`: there is no such webhook.
///
/// # Errors
/// The store failed; the steps that were done stay done.
pub async fn order(
    store: &dyn Store,
    webhook: String,
    order: HookOrder,
    now: Timestamp,
) -> Result<Option<HookReport>, StoreError> {
    let mut dropped = 0_u64;
    loop {
        let Some((count, more)) = store.order_webhook(webhook.clone(), order, now).await? else { return Ok(None) };
        dropped = dropped.saturating_add(count);
        if !more {
            let count = if order == HookOrder::Drop { dropped } else { count };
            return Ok(Some(HookReport { count, webhook }));
        }
    }
}

/// Makes deliveries due again, step by step. `None`: there is no such webhook.
///
/// # Errors
/// The store failed; the steps that were done stay done.
pub async fn replay(store: &dyn Store, replay: Replay, now: Timestamp) -> Result<Option<HookReport>, StoreError> {
    let (mut count, mut after) = (0_u64, None);
    loop {
        let Some(step) = store.replay(replay.clone(), after, now).await? else { return Ok(None) };
        count = count.saturating_add(step.count);
        match step.next {
            Some(next) => after = Some(next),
            None => return Ok(Some(HookReport { count, webhook: replay.webhook })),
        }
    }
}

/// The times of a window in words; a sentence about one that cannot be read.
///
/// # Errors
/// A sentence.
pub fn window(webhook: String, asked: &ReplayRequest, now: Timestamp) -> Result<Replay, String> {
    let read = |key: &str, text: &str| {
        super::items::read_since(text, now)
            .ok_or_else(|| format!("`{key}` is a time such as 2026-11-24T08:00:00Z, or an age such as 30d, 12h, 90m."))
    };
    let since = read("since", &asked.since)?;
    // What is enqueued at this very moment is in the window.
    let until = asked.until.as_deref().map(|text| read("until", text)).transpose()?;
    let until = until.unwrap_or_else(|| now.plus(std::time::Duration::from_millis(1)));
    Ok(Replay { webhook, since, until, all: asked.all })
}
