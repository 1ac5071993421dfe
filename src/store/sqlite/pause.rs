//! Feeds that are paused by hand: that is remembered, not configured, and holds until they are resumed.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{FeedOrder, FeedOrdered, Unions};
use super::writer::Tx;
use super::{Result, feeds, unions};
use crate::domain::feed::FeedId;
use crate::domain::time::Timestamp;

/// Pauses a feed or resumes it. What it is already is left as it is.
pub(super) fn order(tx: &Tx<'_>, name: &str, order: FeedOrder, now: Timestamp) -> Result<Option<FeedOrdered>> {
    let db = tx.db;
    let id: Option<i64> = db
        .prepare_cached("SELECT id FROM feed WHERE name = ?1 AND active")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    let turned = match order {
        FeedOrder::Pause => db
            .prepare_cached(
                "UPDATE feed_state SET paused_at = ?2, due_at = NULL, due_reason = 'it was paused by hand'
                 WHERE feed_id = ?1 AND paused_at IS NULL",
            )?
            .execute([id, now.as_ms()])?,
        // At once, but not before the time that its server asked to wait for (RFC 9110 10.2.3).
        FeedOrder::Resume => db
            .prepare_cached(
                "UPDATE feed_state SET paused_at = NULL, due_reason = 'it was resumed by hand',
                   due_at = iif(gone OR merged_into IS NOT NULL, NULL, max(?2, coalesce(retry_until, 0)))
                 WHERE feed_id = ?1 AND paused_at IS NOT NULL",
            )?
            .execute([id, now.as_ms()])?,
    };
    let mut unions = Unions::default();
    if turned > 0 {
        // Those in whose place it is asked are on their own while it is not.
        unions::settle(db, now, &mut unions)?;
        tx.publishes();
    }
    Ok(Some(FeedOrdered { feed: FeedId(id), due: feeds::due_at(db, id)?, unions }))
}

/// Their names. CROSS JOIN, for those that are paused are few: by names, all feeds would be looked at.
pub(super) fn list(db: &Connection) -> Result<Vec<String>> {
    let mut read = db.prepare_cached(
        "SELECT f.name FROM feed_state s CROSS JOIN feed f ON f.id = s.feed_id WHERE s.paused_at IS NOT NULL AND f.active
         ORDER BY f.name",
    )?;
    read.query_map(params![], |row| row.get(0))?.collect()
}
