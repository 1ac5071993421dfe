//! The end of an attempt: what becomes of the delivery, and of its webhook.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Instance;
use super::{Result, endpoint};
use crate::domain::endpoint::End;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Attempt, DeliveryId, DeliveryState, Settled, Settlement, Verdict, WebhookId};

/// Attempts that are kept of one delivery: while its webhook is slowed there is no end of them.
const MOST_ATTEMPTS: u32 = 64;

/// Ends an attempt.
pub(super) fn settle(db: &Connection, instance: &Instance, settlement: &Settlement) -> Result<Option<Settled>> {
    let (id, attempt, ended) = (settlement.delivery.0, &settlement.attempt, settlement.ended);
    let found: Option<(i64, u32, i64)> = db
        .prepare_cached(
            "SELECT webhook_id, attempts, created_at FROM delivery WHERE id = ?1 AND lease_token = ?2 AND state = 'pending'",
        )?
        .query_row(params![id, i64::try_from(settlement.token).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((webhook, before, created)) = found else { return Ok(None) };
    let webhook = WebhookId(webhook);
    let old = endpoint::load(db, webhook)?.unwrap_or_default();
    let (verdict, overload) = (&settlement.verdict, settlement.overload);
    // Not `attempt.at`: what follows is reckoned by one clock.
    let began = ended.minus(Duration::from_millis(attempt.duration_ms));
    let (new, counts) = old.after(&End { began, ended, verdict, overload }, settlement.pause_after);
    let verdict = match verdict {
        Verdict::Retry(_) | Verdict::Failed if !counts => Verdict::PutBack,
        other => other.clone(),
    };
    let (state, next) = match &verdict {
        Verdict::Succeeded => (DeliveryState::Succeeded, None),
        Verdict::Retry(at) => (DeliveryState::Pending, Some(at.as_ms())),
        Verdict::Failed => (DeliveryState::Failed, None),
        // Behind what else is due by then: a call that a server hangs on must not be each probe.
        Verdict::PutBack => (DeliveryState::Pending, new.slow_until.map(Timestamp::as_ms)),
        Verdict::Disabled => (DeliveryState::Pending, None),
    };
    db.prepare_cached(
        "UPDATE delivery SET state = ?2, attempts = attempts + 1, tries = tries + ?3, next_at = coalesce(?4, next_at),
           lease_token = NULL, lease_until = NULL, settled_at = CASE WHEN ?2 = 'pending' THEN NULL ELSE ?5 END
         WHERE id = ?1",
    )?
    .execute(params![id, state.as_str(), counts, next, ended.as_ms()])?;
    log(db, id, before.saturating_add(1), attempt)?;
    endpoint::tried(db, webhook, attempt)?;
    let owed = if new == old { 0 } else { endpoint::turn(db, instance, webhook, (&old, &new), ended, settlement)? };
    let turned = (new.state != old.state).then_some(new.state);
    Ok(Some(Settled { verdict, turned, owed, after: ended.since(Timestamp::from_ms(created)) }))
}

fn log(db: &Connection, delivery: i64, n: u32, attempt: &Attempt) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO attempt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
        delivery,
        n,
        attempt.at.as_ms(),
        i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX),
        attempt.http_status,
        attempt.error,
        attempt.request,
        attempt.response
    ])?;
    if n > MOST_ATTEMPTS {
        db.prepare_cached("DELETE FROM attempt WHERE delivery_id = ?1 AND n <= ?2")?
            .execute(params![delivery, n - MOST_ATTEMPTS])?;
    }
    Ok(())
}

/// Gives a lease back.
pub(super) fn release(db: &Connection, delivery: DeliveryId, token: u64) -> Result<()> {
    db.prepare_cached("UPDATE delivery SET lease_token = NULL, lease_until = NULL WHERE id = ?1 AND lease_token = ?2")?
        .execute(params![delivery.0, i64::try_from(token).unwrap_or(i64::MAX)])?;
    Ok(())
}
