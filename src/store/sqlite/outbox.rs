//! The outbox: deliveries owed, leased, settled, and their log.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Leased, StoreHealth, Want};
use super::{Result, count, endpoint};
use crate::domain::endpoint::Gate;
use crate::domain::item::ItemId;
use crate::domain::name::ALL;
use crate::domain::stream::{Match, StreamId};
use crate::domain::time::Timestamp;
use crate::domain::trace::Call;
use crate::domain::webhook::{
    Attempt, DeliveryId, DeliveryLease, DeliveryState, DeliveryStatus, EventKind, Subject, WebhookId, WebhookState,
};

/// Stands for `all` where a match names its stream.
pub(super) const ALL_STREAM: StreamId = StreamId(0);

/// Leases what is due, oldest first. Leases that ran out are taken over: whoever held them has crashed.
pub(super) fn lease(db: &Connection, wants: &[Want], now: Timestamp, until: Timestamp, token: u64) -> Result<Leased> {
    let mut leased = Leased::default();
    let token = i64::try_from(token).unwrap_or(i64::MAX);
    for want in wants {
        let gate = endpoint::load(db, want.webhook)?.map_or(Gate::Shut, |endpoint| endpoint.gate(now));
        let (ids, next) = match gate {
            Gate::Open if want.strict => oldest(db, want.webhook, now)?,
            Gate::Open => (due(db, want, now, want.most)?, None),
            Gate::Probe => probe(db, want, now)?,
            Gate::Until(at) => (Vec::new(), Some(at)),
            Gate::Shut => (Vec::new(), None),
        };
        for id in &ids {
            db.prepare_cached("UPDATE delivery SET lease_token = ?2, lease_until = ?3 WHERE id = ?1")?
                .execute(params![id, token, until.as_ms()])?;
            leased.deliveries.extend(load(db, *id)?);
        }
        let next = match gate {
            Gate::Open if !want.strict => next_at(db, want.webhook, token)?,
            // That one is under way. Its end wakes the outbox; if it never comes, its lease runs out.
            Gate::Open | Gate::Probe if !ids.is_empty() => Some(until),
            _ => next,
        };
        leased.next_at = [leased.next_at, next].into_iter().flatten().min();
    }
    Ok(leased)
}

/// A clock that was put back since `before` by more than this makes due times wrong.
const STEP: Duration = Duration::from_secs(30);

/// What was seen when deliveries were leased.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    at: Timestamp,
    /// The newest delivery by then.
    newest: i64,
}

/// Looks whether the clock was put back since `before`, or, in the first look after a start, ever: then no delivery waits
/// for the old time to come round again.
pub(super) fn look(db: &Connection, before: Option<Look>, now: Timestamp, until: Timestamp) -> Result<Look> {
    match before {
        None if lies_ahead(db, now)? => after_a_step(db, Timestamp::MAX, now, until)?,
        Some(before) if before.at > now.plus(STEP) => after_a_step(db, before.at, now, until)?,
        // A commit that took its time before the clock was put back may come after that was seen.
        Some(before) => drop(
            db.prepare_cached(
                "UPDATE delivery SET next_at = ?1 WHERE id > ?2 AND state = 'pending' AND attempts = 0 AND next_at > ?1",
            )?
            .execute([now.as_ms(), before.newest])?,
        ),
        None => {}
    }
    let newest = db.prepare_cached("SELECT coalesce(max(id), 0) FROM delivery")?.query_row([], |row| row.get(0))?;
    Ok(Look { at: now, newest })
}

/// Whether times lie ahead that only a clock which was put back can leave there: of an attempt, or of a call that was never
/// tried, for that is due since it is owed.
fn lies_ahead(db: &Connection, now: Timestamp) -> Result<bool> {
    let sql = "SELECT coalesce((SELECT max(at) FROM attempt), 0) > ?1
                 OR EXISTS (SELECT 1 FROM delivery WHERE state = 'pending' AND next_at > ?1 AND attempts = 0)";
    db.query_row(sql, [now.as_ms()], |row| row.get(0))
}

/// A delivery that was tried waits as long as it was to wait after its last attempt, or what was left of that at `before`;
/// one that was not is due.
fn after_a_step(db: &Connection, before: Timestamp, now: Timestamp, until: Timestamp) -> Result<()> {
    let moved = db.execute(
        "UPDATE delivery SET next_at = ?1 + next_at - told.at
         FROM (SELECT d.id, min(?2, coalesce((SELECT max(a.at) FROM attempt a WHERE a.delivery_id = d.id), d.next_at)) AS at
               FROM delivery d WHERE d.state = 'pending' AND d.next_at > ?1) told
         WHERE delivery.id = told.id AND told.at > ?1 AND told.at <= next_at",
        [now.as_ms(), before.as_ms()],
    )?;
    db.execute(
        "UPDATE delivery SET lease_until = ?1 WHERE lease_token IS NOT NULL AND lease_until > ?1",
        [until.as_ms()],
    )?;
    // A webhook that was slowed, too.
    db.execute(
        "UPDATE webhook SET slow_until = ?1 + max(0, slow_until - min(?2, last_at))
         WHERE slow_until > ?1 AND min(?2, last_at) > ?1",
        [now.as_ms(), before.as_ms()],
    )?;
    if moved > 0 {
        tracing::warn!(deliveries = moved, "the clock was put back; calls that wait are due anew");
    }
    Ok(())
}

/// What is due, oldest first.
fn due(db: &Connection, want: &Want, now: Timestamp, most: u32) -> Result<Vec<i64>> {
    db.prepare_cached(
        "SELECT id FROM delivery WHERE webhook_id = ?1 AND state = 'pending' AND next_at <= ?2
           AND (lease_until IS NULL OR lease_until <= ?2) ORDER BY next_at, id LIMIT ?3",
    )?
    .query_map(params![want.webhook.0, now.as_ms(), most], |row| row.get(0))?
    .collect()
}

/// The oldest that is owed, if it is due, and else when that will be: the others wait for it.
fn oldest(db: &Connection, webhook: WebhookId, now: Timestamp) -> Result<(Vec<i64>, Option<Timestamp>)> {
    let found: Option<(i64, i64)> = db
        .prepare_cached(
            "SELECT id, max(next_at, coalesce(lease_until, next_at)) FROM delivery
             WHERE webhook_id = ?1 AND state = 'pending' ORDER BY id LIMIT 1",
        )?
        .query_row([webhook.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        Some((id, at)) if at <= now.as_ms() => (vec![id], None),
        other => (Vec::new(), other.map(|(_, at)| Timestamp::from_ms(at))),
    })
}

/// One delivery, if none is under way.
fn probe(db: &Connection, want: &Want, now: Timestamp) -> Result<(Vec<i64>, Option<Timestamp>)> {
    let under_way: Option<i64> = db
        .prepare_cached(
            "SELECT max(lease_until) FROM delivery WHERE webhook_id = ?1 AND lease_token IS NOT NULL
               AND lease_until > ?2",
        )?
        .query_row(params![want.webhook.0, now.as_ms()], |row| row.get(0))?;
    match under_way {
        Some(until) => Ok((Vec::new(), Some(Timestamp::from_ms(until)))),
        None if want.strict => oldest(db, want.webhook, now),
        None => {
            let ids = due(db, want, now, 1)?;
            // Nothing is due: the first that will be is the probe.
            let next = if ids.is_empty() { next_at(db, want.webhook, 0)? } else { None };
            Ok((ids, next))
        }
    }
}

/// When the next delivery is due that was not leased just now: the first that nobody holds, or the first
/// whose lease runs out.
fn next_at(db: &Connection, webhook: WebhookId, token: i64) -> Result<Option<Timestamp>> {
    let free: Option<i64> = db
        .prepare_cached(
            "SELECT next_at FROM delivery WHERE webhook_id = ?1 AND state = 'pending' AND lease_token IS NULL
             ORDER BY next_at, id LIMIT 1",
        )?
        .query_row([webhook.0], |row| row.get(0))
        .optional()?;
    let held: Option<i64> = db
        .prepare_cached(
            "SELECT min(lease_until) FROM delivery WHERE webhook_id = ?1 AND lease_token IS NOT NULL
               AND lease_token <> ?2",
        )?
        .query_row([webhook.0, token], |row| row.get(0))?;
    Ok([free, held].into_iter().flatten().min().map(Timestamp::from_ms))
}

fn load(db: &Connection, id: i64) -> Result<Option<DeliveryLease>> {
    let row = db
        .prepare_cached(
            "SELECT d.webhook_id, d.message_id, d.matches, d.body, d.attempts, d.lease_token, e.data, a.data,
               a.webhook_id IS NOT NULL, d.tries
             FROM delivery d LEFT JOIN delivery_event de ON de.delivery_id = d.id LEFT JOIN event e ON e.id = de.event_id
               LEFT JOIN alert a ON a.id = d.alert_id
             WHERE d.id = ?1",
        )?
        .query_row([id], |row| {
            let matches: String = row.get(2)?;
            let data: (Option<String>, Option<String>, bool) = (row.get(6)?, row.get(7)?, row.get(8)?);
            Ok((
                (WebhookId(row.get(0)?), row.get::<_, String>(1)?, matches),
                (row.get(3)?, row.get::<_, u32>(4)?, row.get::<_, u32>(9)?, row.get::<_, i64>(5)?, data),
            ))
        })
        .optional()?;
    let Some(((webhook, message_id, matches), (body, attempts, tries, token, data))) = row else { return Ok(None) };
    let matches: Vec<Match> = parse(&matches)?;
    let subject = match data {
        (Some(event), ..) => Subject::Item(Box::new(parse(&event)?)),
        (None, Some(alert), false) => Subject::Feed(Box::new(parse(&alert)?)),
        (None, Some(alert), true) => Subject::Hook(Box::new(parse(&alert)?)),
        (None, None, _) => return Ok(None),
    };
    let mut streams = Vec::with_capacity(matches.len());
    for found in &matches {
        streams.push(stream_name(db, found.stream)?);
    }
    let token = u64::try_from(token).unwrap_or(0);
    let id = DeliveryId(id);
    Ok(Some(DeliveryLease { id, token, webhook, message_id, subject, matches, streams, body, attempts, tries }))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

fn stream_name(db: &Connection, stream: StreamId) -> Result<String> {
    if stream == ALL_STREAM {
        return Ok(ALL.to_owned());
    }
    db.prepare_cached("SELECT name FROM stream WHERE id = ?1")?.query_row([stream.0], |row| row.get(0))
}

/// Keeps bodies before their first attempt.
pub(super) fn keep_bodies(db: &Connection, bodies: &[(DeliveryId, Vec<u8>)]) -> Result<()> {
    let mut write = db.prepare_cached("UPDATE delivery SET body = ?2 WHERE id = ?1 AND body IS NULL")?;
    for (id, body) in bodies {
        write.execute(params![id.0, body])?;
    }
    Ok(())
}

pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    Ok(Attempt {
        at: Timestamp::from_ms(row.get(0)?),
        duration_ms: count(row, 1)?,
        http_status: row.get(2)?,
        error: row.get(3)?,
        request: row.get(4)?,
        response: row.get(5)?,
    })
}

const STATUS: &str = "SELECT d.id, d.message_id, w.name, coalesce(e.kind, a.kind), e.item_id, d.state, d.attempts, \
     d.next_at, w.state, d.created_at, (SELECT name FROM feed WHERE id = a.feed_id), w.active \
     FROM delivery d JOIN webhook w ON w.id = d.webhook_id LEFT JOIN delivery_event de ON de.delivery_id = d.id \
     LEFT JOIN event e ON e.id = de.event_id LEFT JOIN alert a ON a.id = d.alert_id";

fn status(row: &Row<'_>) -> Result<DeliveryStatus> {
    let webhook = WebhookState::parse(&row.get::<_, String>(8)?);
    let mut state = DeliveryState::parse(&row.get::<_, String>(5)?).unwrap_or(DeliveryState::Pending);
    let shut = matches!(webhook, Some(WebhookState::Paused | WebhookState::Disabled)) || !row.get(11)?;
    if state == DeliveryState::Pending && shut {
        state = DeliveryState::Held;
    }
    let next = Timestamp::from_ms(row.get(7)?);
    Ok(DeliveryStatus {
        id: DeliveryId(row.get(0)?),
        message_id: row.get(1)?,
        webhook: row.get(2)?,
        kind: EventKind::parse(&row.get::<_, String>(3)?).unwrap_or(EventKind::ItemNew),
        item: row.get::<_, Option<i64>>(4)?.map(ItemId),
        feed: row.get(10)?,
        state,
        attempts: row.get(6)?,
        next_attempt: Some(next).filter(|_| state == DeliveryState::Pending),
        body: None,
        log: Vec::new(),
    })
}

/// Deliveries, newest first.
pub(super) fn list(
    db: &Connection,
    webhook: Option<&str>,
    state: Option<DeliveryState>,
    before: Option<DeliveryId>,
    limit: u32,
) -> Result<Vec<DeliveryStatus>> {
    // `held` is `pending` of a webhook that is paused, disabled or not configured.
    let (stored, held) = match state {
        Some(DeliveryState::Held) => (Some("pending"), Some(true)),
        Some(DeliveryState::Pending) => (Some("pending"), Some(false)),
        other => (other.map(DeliveryState::as_str), None),
    };
    let mut read = db.prepare_cached(&format!(
        "{STATUS} WHERE d.id < ?1 AND (?2 IS NULL OR w.name = ?2) AND (?3 IS NULL OR d.state = ?3)
           AND (?4 IS NULL OR (w.state IN ('paused', 'disabled') OR NOT w.active) = ?4) ORDER BY d.id DESC LIMIT ?5"
    ))?;
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows = read.query_map(params![before, webhook, stored, held, limit], status)?;
    rows.collect()
}

/// One delivery with its log.
pub(super) fn show(db: &Connection, message_id: &str) -> Result<Option<DeliveryStatus>> {
    let found =
        db.prepare_cached(&format!("{STATUS} WHERE d.message_id = ?1"))?.query_row([message_id], status).optional()?;
    let Some(mut delivery) = found else { return Ok(None) };
    let body: Option<Vec<u8>> =
        db.prepare_cached("SELECT body FROM delivery WHERE id = ?1")?.query_row([delivery.id.0], |row| row.get(0))?;
    delivery.body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    let mut read = db.prepare_cached(
        "SELECT at, duration_ms, http_status, error, request, response FROM attempt WHERE delivery_id = ?1 ORDER BY n",
    )?;
    delivery.log = read.query_map([delivery.id.0], attempt)?.collect::<Result<_>>()?;
    Ok(Some(delivery))
}

/// The newest deliveries about an item, at most so many, oldest first, with their logs but without what was sent and
/// answered.
pub(super) fn about(db: &Connection, item: ItemId, most: u32) -> Result<Vec<Call>> {
    // Both kinds are named, for the index begins with them.
    let mut read = db
        .prepare_cached(&format!("{STATUS} WHERE e.item_id = ?1 AND e.kind IN (?2, ?3) ORDER BY d.id DESC LIMIT ?4"))?;
    let (new, updated) = (EventKind::ItemNew.as_str(), EventKind::ItemUpdated.as_str());
    let rows = read.query_map(params![item.0, new, updated, most], |row| {
        Ok(Call { created_at: Timestamp::from_ms(row.get(9)?), status: status(row)? })
    })?;
    let mut calls: Vec<Call> = rows.collect::<Result<_>>()?;
    calls.reverse();
    let mut read = db.prepare_cached(
        "SELECT at, duration_ms, http_status, error, '', '' FROM attempt WHERE delivery_id = ?1 ORDER BY n",
    )?;
    for call in &mut calls {
        call.status.log = read.query_map([call.status.id.0], attempt)?.collect::<Result<_>>()?;
    }
    Ok(calls)
}

/// Counts, and what the database at `path` takes with its log.
pub(super) fn health(db: &Connection, path: &str) -> Result<StoreHealth> {
    let files = ["", "-wal"].iter().filter_map(|end| std::fs::metadata(format!("{path}{end}")).ok());
    let size_bytes = files.map(|file| file.len()).sum();
    let time = |at: Option<i64>| at.map(Timestamp::from_ms);
    db.prepare_cached(
        "SELECT (SELECT n FROM tally WHERE name = 'items'), (SELECT count(*) FROM delivery WHERE state = 'pending'),
           (SELECT count(*) FROM delivery WHERE state = 'failed'),
           (SELECT created_at FROM delivery WHERE id = (SELECT min(id) FROM delivery WHERE state = 'pending')),
           (SELECT count(*) FROM webhook WHERE active AND state = 'active'),
           (SELECT count(*) FROM webhook WHERE active AND state = 'slowed'),
           (SELECT count(*) FROM webhook WHERE active AND state = 'paused'),
           (SELECT count(*) FROM webhook WHERE active AND state = 'disabled')",
    )?
    .query_row([], |row| {
        Ok(StoreHealth {
            items: count(row, 0)?,
            owed: count(row, 1)?,
            failed: count(row, 2)?,
            oldest_owed: time(row.get(3)?),
            webhooks: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?].map(|n: i64| u64::try_from(n).unwrap_or(0)),
            size_bytes,
            hindrance: None,
        })
    })
}
