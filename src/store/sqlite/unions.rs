//! Feeds that are one because a permanent redirect led one of them to the address of another: that one alone is asked.
//!
//! Nothing of them is put together. Each keeps its row and its sightings; only who is asked changes, and that is undone
//! when the one that is asked is followed no more, breaks, or has another address.

use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::Unions;
use super::Result;
use crate::domain::feed::FeedId;
use crate::domain::time::Timestamp;
use crate::domain::url::spellings;

/// Makes one of those feeds that are asked at this feed's address. Those that were configured with it, or else were there
/// first, are asked; those that a redirect led there are not. Feeds with headers of their own stay apart, and so do feeds
/// that are broken or were never loaded.
pub(super) fn join(db: &Connection, feed: FeedId, at: Timestamp, unions: &mut Unions) -> Result<()> {
    let url: String = db
        .prepare_cached("SELECT current_url FROM feed_document WHERE feed_id = ?1")?
        .query_row([feed.0], |row| row.get(0))?;
    let spellings = spellings(&url);
    // There are four at the most; the statement is the same for all.
    let urls = (0..4).map(|n| spellings.get(n).map(String::as_str));
    let mut read = db.prepare_cached(
        "SELECT d.feed_id, d.current_url <> f.config_url AS moved
         FROM feed_document d JOIN feed_state s ON s.feed_id = d.feed_id JOIN feed f ON f.id = d.feed_id
         WHERE d.current_url IN (?1, ?2, ?3, ?4) AND f.active AND f.enabled AND NOT f.own_headers
           AND s.merged_into IS NULL AND s.paused_at IS NULL AND s.broken_at IS NULL AND d.loaded_once
         ORDER BY moved, d.moved_at, d.feed_id",
    )?;
    let rows = read.query_map(params_from_iter(urls), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let here: Vec<(i64, bool)> = rows.collect::<Result<_>>()?;
    let Some(((kept, _), others)) = here.split_first() else { return Ok(()) };
    for (other, _) in others.iter().filter(|(_, moved)| *moved) {
        db.prepare_cached("UPDATE feed_state SET merged_into = ?1 WHERE merged_into = ?2")?.execute([kept, other])?;
        db.prepare_cached(
            "UPDATE feed_state SET merged_into = ?1, merged_at = ?3, due_at = NULL,
               due_reason = 'it leads to the address of ' || (SELECT name FROM feed WHERE id = ?1) || ', which is asked'
             WHERE feed_id = ?2",
        )?
        .execute([*kept, *other, at.as_ms()])?;
        unions.joined.push((FeedId(*other), FeedId(*kept)));
    }
    Ok(())
}

/// Those that are one with this feed are on their own again, and due.
pub(super) fn part(db: &Connection, feed: FeedId) -> Result<Vec<FeedId>> {
    apart(db, "merged_into = ?1", [feed.0])
}

fn apart<P: ToSql, const N: usize>(db: &Connection, which: &str, params: [P; N]) -> Result<Vec<FeedId>> {
    // Due when they were last asked: at once, and that is not reckoned anew by their schedule.
    let mut write = db.prepare_cached(&format!(
        "UPDATE feed_state SET merged_into = NULL, merged_at = NULL, due_at = iif(paused_at IS NULL, coalesce(last_try, 0), NULL),
           due_reason = 'it is on its own again' WHERE {which} RETURNING feed_id"
    ))?;
    write.query_map(params_from_iter(params), |row| row.get(0).map(FeedId))?.collect()
}

/// After the configuration has changed.
pub(super) fn settle(db: &Connection, at: Timestamp, unions: &mut Unions) -> Result<()> {
    const NOT_IN_FORCE: &str = "merged_into IS NOT NULL AND (paused_at IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM feed f WHERE f.id = feed_state.feed_id AND f.active AND f.enabled AND NOT f.own_headers)
       OR NOT EXISTS (SELECT 1 FROM feed k JOIN feed_state s ON s.feed_id = k.id WHERE k.id = feed_state.merged_into
         AND k.active AND k.enabled AND NOT k.own_headers AND s.broken_at IS NULL AND s.paused_at IS NULL))";
    unions.parted.extend(apart::<i64, 0>(db, NOT_IN_FORCE, [])?);
    let moved: Vec<i64> = db
        .prepare_cached(
            "SELECT d.feed_id FROM feed_document d JOIN feed_state s ON s.feed_id = d.feed_id JOIN feed f ON f.id = d.feed_id
             WHERE d.current_url <> f.config_url AND f.active AND f.enabled AND s.merged_into IS NULL
               AND s.paused_at IS NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for feed in moved {
        join(db, FeedId(feed), at, unions)?;
    }
    let Unions { joined, parted } = unions;
    parted.retain(|feed| joined.iter().all(|(other, _)| other != feed));
    Ok(())
}

/// The names of feeds that are one with another one, and of that one. CROSS JOIN, for these are few: by names, all feeds would
/// be looked at.
pub(super) fn list(db: &Connection) -> Result<Vec<(String, String)>> {
    let mut read = db.prepare_cached(
        "SELECT f.name, k.name FROM feed_state s CROSS JOIN feed f ON f.id = s.feed_id JOIN feed k ON k.id = s.merged_into
         WHERE s.merged_into IS NOT NULL AND f.active ORDER BY f.name",
    )?;
    read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
