//! Aliases that were learnt outside of a feed's own word: guarded, for a page may say anything.

use rusqlite::params;

use super::super::{Learned, Learnt};
use super::Result;
use super::keys::Keys;
use super::merge::merge;
use super::writer::Tx;
use crate::domain::decision::{Fingerprint, Life};
use crate::domain::feed::Habits;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// So many addresses may lead to one target within a day; more is a site that names one page for everything.
const MOST_A_DAY: i64 = 20;
const DAY_MS: i64 = 86_400_000;

/// Keeps one alias, and makes one item of two where both are stored.
pub(super) fn learn(keys: Keys<'_>, tx: &Tx<'_>, learnt: &Learnt, version: i64, at: Timestamp) -> Result<Learned> {
    let Learnt { from, to, source } = learnt;
    if let Some(reason) = refusal(keys, to, at)? {
        return Ok(Learned::Refused(reason));
    }
    let find = |key: &str| Ok::<_, rusqlite::Error>(keys.find(keys.hash(0, key), 0, key)?.item);
    match (find(from)?, find(to)?) {
        (Some(one), Some(other)) if one.item == other.item => Ok(Learned::Known),
        (Some(one), _) | (_, Some(one)) if one.life == Life::Past => Ok(Learned::Refused("one of the two is past")),
        (Some(one), Some(other)) => {
            if !texts_agree(keys, one.item, other.item)? {
                return Ok(Learned::Refused("their titles and texts differ"));
            }
            let kept = merge(keys, tx, one.item, other.item, source.as_str(), at)?;
            Ok(kept.map_or(Learned::Refused("they must stay apart"), Learned::Merged))
        }
        (Some(one), None) => {
            let scope: i64 =
                keys.db.query_row("SELECT scope_feed FROM item WHERE id = ?1", [one.item.0], |row| row.get(0))?;
            if scope != 0 {
                return Ok(Learned::Refused("it is known within its feed only"));
            }
            keys.rekey(one.item, to, source.as_str(), version, at)?;
            keys.note(one.item, "moved", &format!("{from} leads to {to} ({})", source.as_str()), at)?;
            Ok(Learned::Kept)
        }
        (None, _) => {
            let kept = keys.alias(from, to, source.as_str(), version, at)?;
            Ok(if kept { Learned::Kept } else { Learned::Known })
        }
    }
}

fn refusal(keys: Keys<'_>, to: &str, at: Timestamp) -> Result<Option<&'static str>> {
    let sources: i64 = keys
        .db
        .prepare_cached("SELECT count(*) FROM alias WHERE to_key = ?1 AND seen_at > ?2")?
        .query_row(params![to, at.as_ms() - DAY_MS], |row| row.get(0))?;
    if sources >= MOST_A_DAY {
        return Ok(Some("too many addresses lead there within a day"));
    }
    let mut read = keys.db.prepare_cached("SELECT habits FROM feed_document WHERE habits IS NOT NULL")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let habits: Habits = serde_json::from_str(row.get_ref(0)?.as_str()?).unwrap_or_default();
        if habits.hubs.iter().any(|hub| hub == to) {
            return Ok(Some("many stories of one feed link there"));
        }
    }
    Ok(None)
}

/// Where both are held, they must say the same: the title or the text of some sighting of each.
fn texts_agree(keys: Keys<'_>, one: ItemId, other: ItemId) -> Result<bool> {
    let mut read = keys.db.prepare_cached("SELECT fingerprint FROM sighting WHERE item_id = ?1 LIMIT 32")?;
    let mut prints = |item: ItemId| -> Result<Vec<Fingerprint>> {
        read.query_map([item.0], |row| row.get(0).map(Fingerprint::unpack))?.collect()
    };
    let (ones, others) = (prints(one)?, prints(other)?);
    Ok(ones.iter().any(|one| others.iter().any(|other| !one.is_other(*other))))
}
