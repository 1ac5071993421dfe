//! Webhooks: their states, what is done with them by hand, and what the operator is told of them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{HookOrder, Instance, Replay, Replayed};
use super::feeds::json;
use super::{Result, count, mint, owe};
use crate::domain::endpoint::Endpoint;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{
    Attempt, DeliveryId, EventKind, HookAlert, Settlement, WebhookId, WebhookState, WebhookStatus,
};

/// Rows that one step of an order touches: the writer is held for some milliseconds.
const STEP: u32 = 1000;
/// Of what is told once a day.
const DAY_MS: i64 = 86_400_000;

/// What is remembered of a webhook.
pub(super) fn load(db: &Connection, webhook: WebhookId) -> Result<Option<Endpoint>> {
    db.prepare_cached("SELECT state, failing_since, slow_until, slow_step, last_at FROM webhook WHERE id = ?1")?
        .query_row([webhook.0], |row| {
            let time = |at: Option<i64>| at.map(Timestamp::from_ms);
            Ok(Endpoint {
                state: WebhookState::parse(&row.get::<_, String>(0)?).unwrap_or(WebhookState::Active),
                failing_since: time(row.get(1)?),
                slow_until: time(row.get(2)?),
                slow_step: row.get(3)?,
                last_try: time(row.get(4)?),
            })
        })
        .optional()
}

/// Keeps the last attempt.
pub(super) fn tried(db: &Connection, webhook: WebhookId, attempt: &Attempt) -> Result<()> {
    db.prepare_cached(
        "UPDATE webhook SET last_at = ?2, last_ms = ?3, last_status = ?4, last_error = ?5 WHERE id = ?1",
    )?
    .execute(params![
        webhook.0,
        attempt.at.as_ms(),
        i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
        attempt.http_status,
        attempt.error
    ])?;
    Ok(())
}

/// Keeps another state, and owes the operator a call if it was paused or disabled by that.
pub(super) fn turn(
    db: &Connection,
    instance: &Instance,
    webhook: WebhookId,
    (old, new): (&Endpoint, &Endpoint),
    at: Timestamp,
    settlement: &Settlement,
) -> Result<u32> {
    let turned = new.state != old.state;
    let said = settlement.attempt.error.as_deref().unwrap_or("it failed");
    let reason = match new.state {
        WebhookState::Active => None,
        WebhookState::Slowed => Some(format!("{said}; one call at a time is tried")),
        WebhookState::Paused if turned => {
            let since = new.failing_since.unwrap_or(at).rfc3339();
            Some(format!("nothing but failures since {since}; the last one: {said}"))
        }
        WebhookState::Disabled if turned => Some(format!("{said}; what it is owed is held")),
        WebhookState::Paused | WebhookState::Disabled => reason(db, webhook)?,
    };
    store(db, webhook, new, reason.as_deref(), turned.then_some(at))?;
    let kind = match new.state {
        WebhookState::Paused if turned => EventKind::WebhookPaused,
        WebhookState::Disabled if turned => EventKind::WebhookDisabled,
        _ => return Ok(0),
    };
    let (name, due): (String, u64) = db
        .prepare_cached(
            "SELECT name, (SELECT count(*) FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending')
             FROM webhook w WHERE id = ?1",
        )?
        .query_row([webhook.0], |row| Ok((row.get(0)?, count(row, 1)?)))?;
    let reason = reason.unwrap_or_default();
    let alert = HookAlert { kind, occurred_at: at, webhook: name, since: new.failing_since, reason, due };
    enqueue(db, instance, webhook, &alert, at, &settlement.alerts)
}

fn reason(db: &Connection, webhook: WebhookId) -> Result<Option<String>> {
    db.prepare_cached("SELECT reason FROM webhook WHERE id = ?1")?.query_row([webhook.0], |row| row.get(0))
}

fn store(
    db: &Connection,
    webhook: WebhookId,
    new: &Endpoint,
    reason: Option<&str>,
    changed_at: Option<Timestamp>,
) -> Result<()> {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
    db.prepare_cached(
        "UPDATE webhook SET state = ?2, failing_since = ?3, slow_until = ?4, slow_step = ?5, reason = ?6,
           changed_at = coalesce(?7, changed_at) WHERE id = ?1",
    )?
    .execute(params![
        webhook.0,
        new.state.as_str(),
        ms(new.failing_since),
        ms(new.slow_until),
        new.slow_step,
        reason,
        ms(changed_at)
    ])?;
    Ok(())
}

/// Tells the operator something of a webhook, once a day.
pub(super) fn tell(
    db: &Connection,
    instance: &Instance,
    webhook: WebhookId,
    alert: &HookAlert,
    alerts: &[WebhookId],
) -> Result<u32> {
    let day = Timestamp::from_ms(alert.occurred_at.as_ms().div_euclid(DAY_MS).saturating_mul(DAY_MS));
    enqueue(db, instance, webhook, alert, day, alerts)
}

/// Owes a call to each webhook of `[alerts]` but the one that it is about: who does not answer hears nothing.
fn enqueue(
    db: &Connection,
    instance: &Instance,
    about: WebhookId,
    alert: &HookAlert,
    broken_at: Timestamp,
    alerts: &[WebhookId],
) -> Result<u32> {
    let mut others = alerts.iter().filter(|webhook| **webhook != about).peekable();
    if others.peek().is_none() {
        return Ok(0);
    }
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO alert (kind, webhook_id, broken_at, data) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, webhook_id, broken_at) DO UPDATE SET kind = kind RETURNING id",
        )?
        .query_row(params![alert.kind.as_str(), about.0, broken_at.as_ms(), json(alert)?], |row| row.get(0))?;
    let mut owed = 0;
    for webhook in others {
        let message = mint::hook_alert_id(instance, *webhook, alert.kind, about, broken_at);
        owed += owe::alert(db, *webhook, &message, alert.occurred_at, id)?;
    }
    Ok(owed)
}

/// A webhook that is configured, or was and is owed something still.
fn find(db: &Connection, name: &str) -> Result<Option<WebhookId>> {
    db.prepare_cached(
        "SELECT id FROM webhook w WHERE name = ?1
           AND (active OR EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending')
             OR EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'failed'))",
    )?
    .query_row([name], |row| row.get(0).map(WebhookId))
    .optional()
}

/// Does a step of what was asked by hand.
pub(super) fn order(db: &Connection, name: &str, order: HookOrder, now: Timestamp) -> Result<Option<(u64, bool)>> {
    let Some(webhook) = find(db, name)? else { return Ok(None) };
    let old = load(db, webhook)?.unwrap_or_default();
    match order {
        HookOrder::Pause => {
            let new = Endpoint { state: WebhookState::Paused, slow_until: None, slow_step: 0, ..old };
            if old.state != WebhookState::Paused {
                store(db, webhook, &new, Some("it was paused by hand"), Some(now))?;
            }
            Ok(Some((owed(db, webhook)?, false)))
        }
        HookOrder::Resume => {
            if old != Endpoint::default() {
                let changed = (old.state != WebhookState::Active).then_some(now);
                store(db, webhook, &Endpoint::default(), None, changed)?;
            }
            // Due since it was enqueued, so the oldest goes first, and now at the latest, for the clock may have been put back.
            // The schedule of each begins anew.
            let changed = db
                .prepare_cached(
                    "UPDATE delivery SET next_at = min(created_at, ?3), tries = 0 WHERE id IN (
                       SELECT id FROM delivery WHERE webhook_id = ?1 AND state = 'pending'
                         AND (next_at > min(created_at, ?3) OR tries > 0) LIMIT ?2)",
                )?
                .execute(params![webhook.0, STEP, now.as_ms()])?;
            Ok(Some((owed(db, webhook)?, changed == STEP as usize)))
        }
        HookOrder::Drop => {
            let changed = db
                .prepare_cached(
                    "UPDATE delivery SET state = 'failed', settled_at = ?2, lease_token = NULL, lease_until = NULL
                     WHERE id IN (SELECT id FROM delivery WHERE webhook_id = ?1 AND state = 'pending' LIMIT ?3)",
                )?
                .execute(params![webhook.0, now.as_ms(), STEP])?;
            Ok(Some((changed as u64, changed == STEP as usize)))
        }
    }
}

fn owed(db: &Connection, webhook: WebhookId) -> Result<u64> {
    db.prepare_cached("SELECT count(*) FROM delivery WHERE webhook_id = ?1 AND state = 'pending'")?
        .query_row([webhook.0], |row| count(row, 0))
}

/// What a step of a replay is about; `None`: there is no such webhook.
pub(super) fn replayable(db: &Connection, replay: &Replay, after: Option<DeliveryId>) -> Result<Option<Vec<i64>>> {
    let Some(webhook) = find(db, &replay.webhook)? else { return Ok(None) };
    let (since, until, after) = (replay.since.as_ms(), replay.until.as_ms(), after.map_or(0, |id| id.0));
    // The index of those that were given up serves only who asks for these alone.
    let states = if replay.all { "state IN ('failed', 'succeeded')" } else { "state = 'failed'" };
    let sql = format!(
        "SELECT id FROM delivery WHERE id > ?1 AND webhook_id = ?2 AND created_at >= ?3 AND created_at < ?4
           AND {states} ORDER BY id LIMIT ?5"
    );
    let mut read = db.prepare_cached(&sql)?;
    let rows = read.query_map(params![after, webhook.0, since, until, STEP], |row| row.get(0))?;
    rows.collect::<Result<_>>().map(Some)
}

/// Makes these deliveries due again. All get the same time: then the oldest goes first.
pub(super) fn replay(db: &Connection, ids: &[i64], now: Timestamp) -> Result<Replayed> {
    let mut done = Replayed { count: 0, next: None };
    let mut write = db.prepare_cached(
        "UPDATE delivery SET state = 'pending', next_at = ?2, tries = 0, settled_at = NULL
         WHERE id = ?1 AND state IN ('failed', 'succeeded')",
    )?;
    for id in ids {
        done.count += write.execute(params![id, now.as_ms()])? as u64;
    }
    if ids.len() == STEP as usize {
        done.next = ids.last().copied().map(DeliveryId);
    }
    Ok(done)
}

/// The webhooks, by name.
pub(super) fn list(db: &Connection) -> Result<Vec<WebhookStatus>> {
    let mut read = db.prepare_cached(
        "SELECT w.id, w.name, w.state, w.reason, w.slow_until, w.active,
           (SELECT count(*) FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending'),
           (SELECT count(*) FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'failed'),
           (SELECT created_at FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending' ORDER BY d.id LIMIT 1),
           w.last_at, w.last_ms, w.last_status, w.last_error
         FROM webhook w WHERE w.active
           OR EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'pending') ORDER BY w.name",
    )?;
    let time = |at: Option<i64>| at.map(Timestamp::from_ms);
    let rows = read.query_map([], |row| {
        let last = match time(row.get(9)?) {
            None => None,
            Some(at) => Some(Attempt {
                at,
                duration_ms: count(row, 10)?,
                http_status: row.get(11)?,
                error: row.get(12)?,
                ..Attempt::default()
            }),
        };
        Ok(WebhookStatus {
            id: WebhookId(row.get(0)?),
            name: row.get(1)?,
            state: WebhookState::parse(&row.get::<_, String>(2)?).unwrap_or(WebhookState::Active),
            reason: row.get(3)?,
            slow_until: time(row.get(4)?),
            active: row.get(5)?,
            due: count(row, 6)?,
            failed: count(row, 7)?,
            oldest_due: time(row.get(8)?),
            last_attempt: last,
        })
    })?;
    rows.collect()
}
