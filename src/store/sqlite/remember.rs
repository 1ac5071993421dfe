//! What a finished poll means for the next one, and what the operator is told of the feed's health by it.

use rusqlite::{CachedStatement, Connection, params};

use super::super::{CommitReport, NextPoll, PollCommit, PollResult, Redirect, Unions};
use super::feeds::{self, BACK, json};
use super::{Instance, Result, mint, owe, unions};
use crate::domain::feed::{Cadence, FeedId, FeedState, Health, PollError, Validators};
use crate::domain::shape::{CallFeed, ErrorShape};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Alert, EventKind};

/// Moves of a feed that are remembered: a publisher may redirect to another address each time.
const MOST_MOVES: u32 = 50;

/// The statement of the common case: looked up once for all that are committed together.
pub(super) struct Unmodified<'a>(CachedStatement<'a>);

/// Keeps what a finished poll means for the next one. The report holds what is owed for that.
pub(super) fn remember(
    db: &Connection,
    instance: &Instance,
    poll: &PollCommit,
    unmodified: &mut Unmodified<'_>,
) -> Result<CommitReport> {
    let mut report = CommitReport::default();
    match &poll.result {
        PollResult::NotModified { validators, redirect } => {
            if let Some(validators) = validators {
                keep_validators(db, poll.feed.0, validators.as_ref())?;
            }
            // The common case: one statement.
            if !unmodified.keep(poll)? {
                recover(db, instance, poll, &mut report)?;
                unmodified.keep(poll)?;
            }
            if let Some(redirect) = redirect {
                moved(db, poll, redirect, &mut report.unions)?;
                if redirect.status.is_some() {
                    unions::join(db, poll.feed, poll.at, &mut report.unions)?;
                }
            }
            return Ok(report);
        }
        PollResult::Loaded { info, validators, body_hash, redirect, cadence, .. } => {
            let (broken, first) = db
                .prepare_cached(
                    "SELECT s.broken_at IS NOT NULL, NOT d.loaded_once
                     FROM feed_state s JOIN feed_document d USING (feed_id) WHERE s.feed_id = ?1",
                )?
                .query_row([poll.feed.0], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?)))?;
            if broken {
                recover(db, instance, poll, &mut report)?;
            }
            loaded(db, poll, *body_hash)?;
            if let Some(cadence) = cadence {
                keep_cadence(db, poll.feed, cadence)?;
            }
            keep_validators(db, poll.feed.0, validators.as_ref())?;
            db.prepare_cached("UPDATE feed SET info = ?2 WHERE id = ?1")?.execute(params![poll.feed.0, json(info)?])?;
            next(db, poll.feed, &poll.next)?;
            if let Some(redirect) = redirect {
                moved(db, poll, redirect, &mut report.unions)?;
            }
            if first || redirect.as_ref().is_some_and(|redirect| redirect.status.is_some()) {
                unions::join(db, poll.feed, poll.at, &mut report.unions)?;
            }
        }
        PollResult::Failed(error) | PollResult::Gone(error) => {
            failed(db, poll, error)?;
            next(db, poll.feed, &poll.next)?;
            break_down(db, instance, poll, &mut report)?;
        }
    }
    Ok(report)
}

impl<'a> Unmodified<'a> {
    pub(super) fn prepare(db: &'a Connection) -> Result<Self> {
        db.prepare_cached(
            "UPDATE feed_state SET last_try = ?2, last_ok = ?2, errors = 0, failing_since = NULL, error_kind = NULL,
               error_status = NULL, error_text = NULL, gone = 0, dead = 0, due_at = iif(merged_into IS NULL AND paused_at IS NULL, ?3, NULL),
               due_reason = ?4, fresh_until = ?5, retry_until = ?6 WHERE feed_id = ?1 AND broken_at IS NULL",
        )
        .map(Self)
    }

    /// False: it counts as broken, and nothing was written.
    fn keep(&mut self, poll: &PollCommit) -> Result<bool> {
        let next = &poll.next;
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
        let (due, fresh, retry) = (ms(next.due_at), ms(next.fresh_until), ms(next.retry_until));
        let written = self.0.execute(params![poll.feed.0, poll.at.as_ms(), due, next.reason, fresh, retry])?;
        Ok(written > 0)
    }
}

fn loaded(db: &Connection, poll: &PollCommit, body_hash: u64) -> Result<()> {
    db.prepare_cached("UPDATE feed_document SET loaded_once = 1, body_hash = ?2 WHERE feed_id = ?1")?
        .execute([poll.feed.0, i64::from_ne_bytes(body_hash.to_ne_bytes())])?;
    db.prepare_cached(
        "UPDATE feed_state SET last_try = ?2, last_ok = ?2, errors = 0, failing_since = NULL, error_kind = NULL,
           error_status = NULL, error_text = NULL, gone = 0, dead = 0
         WHERE feed_id = ?1",
    )?
    .execute([poll.feed.0, poll.at.as_ms()])?;
    Ok(())
}

fn keep_validators(db: &Connection, feed: i64, validators: Option<&Validators>) -> Result<()> {
    db.prepare_cached("UPDATE feed_document SET validator_url = ?2, etag = ?3, last_modified = ?4 WHERE feed_id = ?1")?
        .execute(params![
            feed,
            validators.map(|v| v.url.as_str()),
            validators.and_then(|v| v.etag.as_deref()),
            validators.and_then(|v| v.last_modified.as_deref())
        ])?;
    Ok(())
}

fn keep_cadence(db: &Connection, feed: FeedId, cadence: &Cadence) -> Result<()> {
    let text = if *cadence == Cadence::default() { None } else { Some(json(cadence)?) };
    db.prepare_cached("UPDATE feed_document SET cadence = ?2 WHERE feed_id = ?1")?.execute(params![feed.0, text])?;
    Ok(())
}

fn failed(db: &Connection, poll: &PollCommit, error: &PollError) -> Result<()> {
    let gone = matches!(poll.result, PollResult::Gone(_));
    db.prepare_cached(
        "UPDATE feed_state SET last_try = ?2, errors = errors + 1, failing_since = coalesce(failing_since, ?2),
           error_kind = ?3, error_status = ?4, error_text = ?5, gone = ?6, dead = iif(?7, dead + 1, 0)
         WHERE feed_id = ?1",
    )?
    .execute(params![
        poll.feed.0,
        poll.at.as_ms(),
        error.kind.as_str(),
        error.http_status,
        error.message,
        gone,
        error.is_lasting()
    ])?;
    Ok(())
}

fn next(db: &Connection, feed: FeedId, next: &NextPoll) -> Result<()> {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
    db.prepare_cached(
        "UPDATE feed_state SET due_at = iif(merged_into IS NULL AND paused_at IS NULL, ?2, NULL), due_reason = ?3,
           fresh_until = ?4, retry_until = ?5 WHERE feed_id = ?1",
    )?
    .execute(params![feed.0, ms(next.due_at), next.reason, ms(next.fresh_until), ms(next.retry_until)])?;
    Ok(())
}

/// Keeps a move and writes it into the history. A way back is gone once: it can be taken again after another move only.
fn moved(db: &Connection, poll: &PollCommit, redirect: &Redirect, unions: &mut Unions) -> Result<()> {
    let (feed, at) = (poll.feed.0, poll.at.as_ms());
    let before = redirect.status.map(|_| (at, redirect.from.as_str())).unzip();
    db.prepare_cached("UPDATE feed_document SET current_url = ?2, moved_at = ?3, moved_from = ?4 WHERE feed_id = ?1")?
        .execute(params![feed, redirect.to, before.0, before.1])?;
    let status = redirect.status.unwrap_or(BACK);
    db.prepare_cached("INSERT INTO feed_redirect VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        feed,
        at,
        status,
        redirect.from,
        redirect.to
    ])?;
    db.prepare_cached(
        "DELETE FROM feed_redirect WHERE feed_id = ?1 AND rowid NOT IN
           (SELECT rowid FROM feed_redirect WHERE feed_id = ?1 ORDER BY at DESC, rowid DESC LIMIT ?2)",
    )?
    .execute(params![feed, MOST_MOVES])?;
    if redirect.status.is_none() {
        // They were one with it where it had moved, not where it is now.
        unions.parted.extend(unions::part(db, poll.feed)?);
    }
    Ok(())
}

/// A feed that was told to be broken answers well again. Nothing is written for any other.
fn recover(db: &Connection, instance: &Instance, poll: &PollCommit, report: &mut CommitReport) -> Result<()> {
    let before = feeds::remembered(db, poll.feed)?;
    let Some(broken_at) = before.broken_at else { return Ok(()) };
    db.prepare_cached("UPDATE feed_state SET broken_at = NULL WHERE feed_id = ?1")?.execute([poll.feed.0])?;
    report.deliveries += tell(db, instance, poll, EventKind::FeedRecovered, &before, broken_at)?;
    unions::join(db, poll.feed, poll.at, &mut report.unions)
}

/// A failure may be the one by which a feed counts as broken: then that is told, and feeds that are one with it are on
/// their own again.
fn break_down(db: &Connection, instance: &Instance, poll: &PollCommit, report: &mut CommitReport) -> Result<()> {
    let state = feeds::remembered(db, poll.feed)?;
    let broken = matches!(state.health(poll.at), Health::Broken | Health::Gone);
    if !broken || state.broken_at.is_some() {
        return Ok(());
    }
    db.prepare_cached("UPDATE feed_state SET broken_at = ?2 WHERE feed_id = ?1")?
        .execute([poll.feed.0, poll.at.as_ms()])?;
    report.unions.parted.extend(unions::part(db, poll.feed)?);
    report.deliveries += tell(db, instance, poll, EventKind::FeedBroken, &state, poll.at)?;
    Ok(())
}

/// Owes the operator a call to each webhook of `[alerts]`: one for each break and one for each recovery, whatever
/// crashes, for the id hangs on when the feed broke.
fn tell(
    db: &Connection,
    instance: &Instance,
    poll: &PollCommit,
    kind: EventKind,
    state: &FeedState,
    broken_at: Timestamp,
) -> Result<u32> {
    if poll.alerts.is_empty() {
        return Ok(0);
    }
    let feed = db.prepare_cached("SELECT name, config_url, info, title FROM feed WHERE id = ?1")?.query_row(
        [poll.feed.0],
        |row| {
            let info = feeds::titled(&row.get::<_, String>(2)?, row.get(3)?);
            Ok(CallFeed { name: row.get(0)?, title: info.title, url: row.get(1)?, home_page_url: info.home_url })
        },
    )?;
    let error = state.error.as_ref().map(|error| ErrorShape {
        kind: error.kind,
        http_status: error.http_status,
        message: error.message.clone(),
    });
    let since = state.failing_since.unwrap_or(broken_at);
    let alert = Alert { kind, occurred_at: poll.at, feed, since, errors_in_row: state.errors, error };
    let id: i64 = db
        .prepare_cached(
            "INSERT INTO alert (kind, feed_id, broken_at, data) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, feed_id, broken_at) DO UPDATE SET kind = kind RETURNING id",
        )?
        .query_row(params![kind.as_str(), poll.feed.0, broken_at.as_ms(), json(&alert)?], |row| row.get(0))?;
    let mut owed = 0;
    for webhook in poll.alerts.iter() {
        let message = mint::alert_id(instance, *webhook, kind, poll.feed, broken_at);
        owed += owe::alert(db, *webhook, &message, poll.at, id)?;
    }
    Ok(owed)
}
