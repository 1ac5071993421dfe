//! Feeds: what the configuration names, and what is remembered between polls.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{FeedLease, FeedSpec, FeedStatus, NextPoll, Registry, Subscriptions, Unions};
use super::open::{CACHE_KIB, READER_CACHE_KIB};
use super::writer::Tx;
use super::{Result, count, streams, unions};
use crate::domain::feed::{
    ErrorKind, FeedId, FeedInfo, FeedState, Habits, Health, Merged, Move, PollError, Validators,
};
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookId;

/// Makes the rows agree with the configuration.
pub(super) fn apply(tx: &Tx<'_>, subscriptions: &Subscriptions, now: Timestamp) -> Result<Registry> {
    let db = tx.db;
    let (feeds, unions) = feeds(db, &subscriptions.feeds, now)?;
    let mut registry = Registry { feeds, unions, ..Registry::default() };
    for spec in &subscriptions.streams {
        registry.streams.push(streams::apply(db, spec)?);
    }
    db.execute("UPDATE webhook SET active = 0 WHERE active", [])?;
    for name in &subscriptions.webhooks {
        let id = db.prepare_cached(
            "INSERT INTO webhook (name, active) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET active = 1 RETURNING id",
        )?.query_row([name], |row| row.get(0))?;
        registry.webhooks.push(WebhookId(id));
    }
    tx.publishes();
    Ok(registry)
}

/// Rows and due times, in the order of the configuration.
type Rows = Vec<(FeedId, Option<Timestamp>)>;

/// The rows, if they say just what the configuration says: at most starts nothing has changed, and nothing
/// is written.
fn unchanged(db: &Connection, specs: &[FeedSpec]) -> Result<Option<Rows>> {
    let mut read = db.prepare_cached(
        "SELECT f.id, s.due_at, f.name, f.config_url, f.title, f.enabled, f.own_headers, f.private
         FROM feed f JOIN feed_state s ON s.feed_id = f.id WHERE f.active",
    )?;
    let places: foldhash::HashMap<&str, usize> =
        specs.iter().enumerate().map(|(n, spec)| (spec.url.as_str(), n)).collect();
    let mut found: Vec<Option<(FeedId, Option<Timestamp>)>> = vec![None; specs.len()];
    let mut rows = read.query([])?;
    // Row by row, and nothing copied: there may be a hundred thousand.
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        let place = text(3)?.and_then(|url| places.get(url)).copied();
        let Some((spec, seat)) = place.and_then(|n| Some((specs.get(n)?, found.get_mut(n)?))) else { return Ok(None) };
        let same = text(2)? == Some(&*spec.name)
            && text(4)? == spec.title.as_deref()
            && row.get::<_, bool>(5)? == spec.enabled
            && row.get::<_, bool>(6)? == spec.own_headers
            && row.get::<_, bool>(7)? == spec.private;
        if !same {
            return Ok(None);
        }
        *seat = Some((FeedId(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(Timestamp::from_ms)));
    }
    Ok(found.into_iter().collect())
}

/// A feed is the same one if its URL is, else if its name is, else it is new.
fn feeds(db: &Connection, specs: &[FeedSpec], now: Timestamp) -> Result<(Rows, Unions)> {
    // All rows are looked at: what is kept of their pages would stay, and the next commits need few of them.
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    let known = unchanged(db, specs)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if let Some(rows) = known {
        return Ok((rows, Unions::default()));
    }
    let mut ids: Vec<Option<i64>> = Vec::with_capacity(specs.len());
    let mut taken = HashSet::new();
    for spec in specs {
        let id = db
            .prepare_cached("SELECT id FROM feed WHERE config_url = ?1")?
            .query_row([spec.url.as_str()], |row| row.get(0))
            .optional()?;
        taken.extend(id);
        ids.push(id);
    }
    for (spec, id) in specs.iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
        let named: Option<i64> = db
            .prepare_cached("SELECT id FROM feed WHERE name = ?1")?
            .query_row([&*spec.name], |row| row.get(0))
            .optional()?;
        *id = named.filter(|id| taken.insert(*id));
    }
    // Names may be swapped, and a removed feed gives its name up: first all get out of the way.
    db.execute("UPDATE feed SET name = '~' || id, active = 0 WHERE active OR name NOT LIKE '~%'", [])?;
    let mut unions = Unions::default();
    let mut rows = Vec::with_capacity(specs.len());
    for (spec, id) in specs.iter().zip(ids) {
        rows.push(match id {
            Some(id) => update(db, id, spec, &mut unions)?,
            None => insert(db, spec, now)?,
        });
    }
    db.execute("UPDATE feed SET removed_at = ?1 WHERE NOT active AND removed_at IS NULL", [now.as_ms()])?;
    unions::settle(db, now, &mut unions)?;
    if unions != Unions::default() {
        for (id, due) in &mut rows {
            *due = due_at(db, id.0)?;
        }
    }
    Ok((rows, unions))
}

pub(super) fn due_at(db: &Connection, id: i64) -> Result<Option<Timestamp>> {
    let due: Option<i64> =
        db.prepare_cached("SELECT due_at FROM feed_state WHERE feed_id = ?1")?.query_row([id], |row| row.get(0))?;
    Ok(due.map(Timestamp::from_ms))
}

/// The address that is asked: a fragment is no part of it.
fn asked(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

fn insert(db: &Connection, spec: &FeedSpec, now: Timestamp) -> Result<(FeedId, Option<Timestamp>)> {
    let url = spec.url.as_str();
    db.prepare_cached(
        "INSERT INTO feed (name, config_url, title, active, enabled, own_headers, private, added_at)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![spec.name, url, spec.title, spec.enabled, spec.own_headers, spec.private, now.as_ms()])?;
    let id = db.last_insert_rowid();
    db.prepare_cached("INSERT INTO feed_document (feed_id, current_url) VALUES (?1, ?2)")?
        .execute(params![id, asked(url)])?;
    db.prepare_cached("INSERT INTO feed_state (feed_id, due_at, due_reason) VALUES (?1, ?2, 'it is new')")?
        .execute([id, now.as_ms()])?;
    Ok((FeedId(id), Some(now)))
}

fn update(db: &Connection, id: i64, spec: &FeedSpec, unions: &mut Unions) -> Result<(FeedId, Option<Timestamp>)> {
    let url = spec.url.as_str();
    let before: String =
        db.prepare_cached("SELECT config_url FROM feed WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
    db.prepare_cached(
        "UPDATE feed SET name = ?2, config_url = ?3, title = ?4, active = 1, enabled = ?5, own_headers = ?6,
           private = ?7, removed_at = NULL WHERE id = ?1",
    )?
    .execute(params![id, spec.name, url, spec.title, spec.enabled, spec.own_headers, spec.private])?;
    if before != url {
        // Another address: validators and learnt redirects belonged to the old one (RFC 9110 8.8), and a
        // feed that was gone there may be alive here. That it was broken stays: it is to be told that it recovered.
        db.prepare_cached(
            "UPDATE feed_document SET current_url = ?2, validator_url = NULL, etag = NULL, last_modified = NULL,
               body_hash = NULL, cadence = NULL, moved_at = NULL, moved_from = NULL
             WHERE feed_id = ?1",
        )?
        .execute(params![id, asked(url)])?;
        db.prepare_cached(
            "UPDATE feed_state SET errors = 0, failing_since = NULL, error_kind = NULL, error_text = NULL,
               error_status = NULL, gone = 0, dead = 0, fresh_until = NULL, retry_until = NULL, merged_into = NULL,
               merged_at = NULL, due_at = iif(paused_at IS NULL, coalesce(last_try, 0), NULL),
               due_reason = 'its address is new'
             WHERE feed_id = ?1",
        )?
        .execute([id])?;
        unions.parted.extend(unions::part(db, FeedId(id))?);
    }
    Ok((FeedId(id), due_at(db, id)?))
}

/// In the history of moves, the status of a way back.
pub(super) const BACK: u16 = 0;

/// What is remembered of a feed: of `feed_document d` and `feed_state s`.
const STATE: &str = "d.current_url, d.validator_url, d.etag, d.last_modified, d.body_hash, d.loaded_once, s.last_try, \
     s.last_ok, s.due_at, s.due_reason, s.fresh_until, s.retry_until, s.errors, s.failing_since, s.error_kind, \
     s.error_status, s.error_text, s.gone, d.habits, d.cadence, d.moved_at, d.moved_from, s.dead, s.broken_at, \
     s.merged_into, d.ignore, s.paused_at";

/// Reads the columns of [`STATE`], which begin at `base`. By number: by name, each read of a row would compare
/// some 200 names. What a failure writes and the next success clears is read only after a failure.
fn state(row: &Row<'_>, base: usize) -> Result<FeedState> {
    let time = |n: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(base + n)?.map(Timestamp::from_ms));
    let validators = match row.get::<_, Option<String>>(base + 1)? {
        Some(url) => Some(Validators { url, etag: row.get(base + 2)?, last_modified: row.get(base + 3)? }),
        None => None,
    };
    let errors = row.get(base + 12)?;
    let (failing_since, error, gone, dead) = match errors {
        0 => Default::default(),
        _ => (time(13)?, error(row, base + 14)?, row.get(base + 17)?, row.get(base + 22)?),
    };
    Ok(FeedState {
        current_url: row.get(base)?,
        validators,
        body_hash: row.get::<_, Option<i64>>(base + 4)?.map(|hash| u64::from_ne_bytes(hash.to_ne_bytes())),
        loaded_once: row.get(base + 5)?,
        last_try: time(6)?,
        last_ok: time(7)?,
        due_at: time(8)?,
        due_reason: row.get(base + 9)?,
        fresh_until: time(10)?,
        retry_until: time(11)?,
        errors,
        failing_since,
        error,
        gone,
        habits: from_json(row, base + 18)?,
        cadence: from_json(row, base + 19)?,
        moved: time(20)?.zip(row.get(base + 21)?),
        dead,
        broken_at: time(23)?,
        merged_into: row.get::<_, Option<i64>>(base + 24)?.map(FeedId),
        ignore: row.get(base + 25)?,
        paused_at: time(26)?,
    })
}

/// The last failure, whose columns begin at `base`.
fn error(row: &Row<'_>, base: usize) -> Result<Option<PollError>> {
    let kind: Option<String> = row.get(base)?;
    let Some(kind) = kind.as_deref().and_then(ErrorKind::parse) else { return Ok(None) };
    let message = row.get::<_, Option<String>>(base + 2)?.unwrap_or_default();
    Ok(Some(PollError { kind, http_status: row.get(base + 1)?, message }))
}

/// A value that is JSON in a column; `NULL` is the default.
fn from_json<T: serde::de::DeserializeOwned + Default>(row: &Row<'_>, column: usize) -> Result<T> {
    Ok(match row.get_ref(column)?.as_str_or_null().unwrap_or_default() {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => T::default(),
    })
}

/// What is remembered of feeds that were leased.
pub(super) fn leases(db: &Connection, ours: &[(FeedId, u64)]) -> Result<Vec<FeedLease>> {
    // One statement for all: to run one for each would cost as much again as it reads.
    let mut read = db.prepare_cached(&format!(
        "SELECT j.key, {STATE} FROM json_each(?1) j CROSS JOIN feed_state s ON s.feed_id = j.value
           CROSS JOIN feed_document d ON d.feed_id = s.feed_id"
    ))?;
    let mut merged = db.prepare_cached("SELECT feed_id FROM feed_state WHERE merged_into = ?1")?;
    // Mostly none is.
    let any: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM feed_state WHERE merged_into IS NOT NULL)")?
        .query_row([], |row| row.get(0))?;
    let mut out = Vec::with_capacity(ours.len());
    let feeds: Vec<FeedId> = ours.iter().map(|(feed, _)| *feed).collect();
    let mut rows = read.query([json(&feeds)?])?;
    while let Some(row) = rows.next()? {
        let place = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
        let Some((feed, token)) = ours.get(place) else { continue };
        let also = match any {
            true => merged.query_map([feed.0], |row| row.get(0).map(FeedId))?.collect::<Result<_>>()?,
            false => Vec::new(),
        };
        out.push(FeedLease { feed: *feed, token: *token, state: Box::new(state(row, 1)?), also });
    }
    Ok(out)
}

/// What is remembered of one feed.
pub(super) fn remembered(db: &Connection, feed: FeedId) -> Result<FeedState> {
    db.prepare_cached(&format!(
        "SELECT {STATE} FROM feed_state s JOIN feed_document d USING (feed_id) WHERE s.feed_id = ?1"
    ))?
    .query_row([feed.0], |row| state(row, 0))
}

/// The history of moves, newest first.
fn moves(db: &Connection) -> Result<HashMap<i64, Vec<Move>>> {
    let mut read = db.prepare_cached(
        "SELECT feed_id, at, status, from_url, to_url FROM feed_redirect ORDER BY feed_id, at DESC, rowid DESC",
    )?;
    let mut moves: HashMap<i64, Vec<Move>> = HashMap::new();
    let rows = read.query_map([], |row| {
        let status = Some(row.get(2)?).filter(|status| *status != BACK);
        let at = Timestamp::from_ms(row.get(1)?);
        Ok((row.get(0)?, Move { at, status, from: row.get(3)?, to: row.get(4)? }))
    })?;
    for row in rows {
        let (feed, step) = row?;
        let moves = moves.entry(feed).or_default();
        if moves.len() < FeedStatus::MOVES {
            moves.push(step);
        }
    }
    Ok(moves)
}

/// The feeds that are followed, by name.
pub(super) fn status(db: &Connection) -> Result<Vec<FeedStatus>> {
    let mut moves = moves(db)?;
    let mut read = db.prepare_cached(&format!(
        "SELECT f.id, f.name, f.config_url, f.title, f.info, {STATE},
           coalesce((SELECT entries FROM feed_tally t WHERE t.feed_id = f.id), 0) AS items,
           (SELECT name FROM feed k WHERE k.id = s.merged_into) AS merged_name, s.merged_at AS merged_since
         FROM feed f JOIN feed_state s ON s.feed_id = f.id JOIN feed_document d ON d.feed_id = f.id
         WHERE f.active ORDER BY f.name"
    ))?;
    let rows = read.query_map([], |row| {
        let merged: Option<(String, i64)> = row.get::<_, Option<_>>("merged_name")?.zip(row.get("merged_since")?);
        Ok(FeedStatus {
            moves: moves.remove(&row.get(0)?).unwrap_or_default(),
            merged: merged.map(|(into, since)| Merged { into, since: Timestamp::from_ms(since) }),
            feed: FeedId(row.get(0)?),
            name: row.get(1)?,
            url: row.get(2)?,
            info: titled(&row.get::<_, String>(4)?, row.get(3)?),
            state: state(row, 5)?,
            items: count(row, "items")?,
        })
    })?;
    rows.collect()
}

/// What is remembered, in the order of the rows.
pub(super) fn states(db: &Connection, after: Option<FeedId>, limit: u32) -> Result<Vec<(FeedId, FeedState)>> {
    let mut read = db.prepare_cached(&format!(
        "SELECT f.id, {STATE} FROM feed f JOIN feed_state s ON s.feed_id = f.id JOIN feed_document d ON d.feed_id = f.id
         WHERE f.active AND f.id > ?1 ORDER BY f.id LIMIT ?2"
    ))?;
    let after = after.map_or(i64::MIN, |feed| feed.0);
    read.query_map(params![after, limit], |row| Ok((FeedId(row.get(0)?), state(row, 1)?)))?.collect()
}

/// Counts. Nothing is read of feeds that are well.
pub(super) fn health(db: &Connection, now: Timestamp) -> Result<Vec<(Health, u64)>> {
    let all: u64 = db.prepare_cached("SELECT count(*) FROM feed WHERE active")?.query_row([], |row| count(row, 0))?;
    let mut read = db.prepare_cached(
        "SELECT f.enabled, s.gone, s.errors, s.failing_since, s.paused_at FROM feed f JOIN feed_state s ON s.feed_id = f.id
         WHERE f.active AND (NOT f.enabled OR s.gone OR s.errors > 0 OR s.paused_at IS NOT NULL)",
    )?;
    let mut rows = read.query([])?;
    let mut counts = [Health::Failing, Health::Broken, Health::Gone, Health::Paused].map(|health| (health, 0_u64));
    while let Some(row) = rows.next()? {
        let state = FeedState {
            gone: row.get(1)?,
            errors: row.get(2)?,
            failing_since: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_ms),
            paused_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
            ..FeedState::default()
        };
        let health = if row.get(0)? { state.health(now) } else { Health::Paused };
        for (_, count) in counts.iter_mut().filter(|(one, _)| *one == health) {
            *count += 1;
        }
    }
    let ill: u64 = counts.iter().map(|(_, count)| count).sum();
    Ok(counts.into_iter().chain([(Health::Ok, all.saturating_sub(ill))]).collect())
}

/// What the document says of itself, the configured title put in place.
pub(super) fn titled(info: &str, title: Option<String>) -> FeedInfo {
    let mut info: FeedInfo = serde_json::from_str(info).unwrap_or_default();
    info.title = title.or(info.title);
    info
}

/// Whether a load gives another title to a feed that had been loaded, and that is shown by its own.
pub(super) fn renames(db: &Connection, feed: FeedId, info: &FeedInfo) -> Result<bool> {
    db.prepare_cached(
        "SELECT f.title IS NULL AND d.loaded_once AND json_extract(f.info, '$.title') IS NOT ?2
         FROM feed f JOIN feed_document d ON d.feed_id = f.id WHERE f.id = ?1",
    )?
    .query_row(params![feed.0, info.title], |row| row.get(0))
}

/// Due times that were reckoned anew. A state that is as it was is not written.
pub(super) fn keep_due(db: &Connection, due: &[(FeedId, NextPoll)], now: Timestamp) -> Result<()> {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
    let mut write = db.prepare_cached(
        "UPDATE feed_state SET due_at = iif(merged_into IS NULL AND paused_at IS NULL, ?2, NULL), due_reason = ?3, fresh_until = ?4, retry_until = ?5,
           last_try = min(last_try, ?6), last_ok = min(last_ok, ?6), failing_since = min(failing_since, ?6)
         WHERE feed_id = ?1 AND (due_at IS NOT ?2 OR due_reason IS NOT ?3 OR last_try > ?6)",
    )?;
    for (feed, next) in due {
        let (fresh, retry) = (ms(next.fresh_until), ms(next.retry_until));
        write.execute(params![feed.0, ms(next.due_at), next.reason, fresh, retry, now.as_ms()])?;
    }
    Ok(())
}

/// The newest date among what the feed brought; `None`: it was never loaded.
pub(super) fn newest(db: &Connection, feed: FeedId) -> Result<Option<Timestamp>> {
    let at: Option<i64> = db
        .prepare_cached("SELECT newest FROM feed_document WHERE feed_id = ?1")?
        .query_row([feed.0], |row| row.get(0))?;
    Ok(at.map(Timestamp::from_ms))
}

pub(super) fn keep_newest(db: &Connection, feed: FeedId, at: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE feed_document SET newest = ?2 WHERE feed_id = ?1")?.execute([feed.0, at.as_ms()])?;
    Ok(())
}

pub(super) fn keep_habits(db: &Connection, feed: FeedId, habits: &Habits) -> Result<()> {
    let text = if *habits == Habits::default() { None } else { Some(json(habits)?) };
    db.prepare_cached("UPDATE feed_document SET habits = ?2 WHERE feed_id = ?1")?.execute(params![feed.0, text])?;
    Ok(())
}

/// JSON for a column. It cannot fail for our own types; if it does, the transaction does.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}
