//! Short links: found among recent items, newest first and a page at a time, and what became of each.

use std::time::Duration;

use rusqlite::{Connection, params};
use url::Url;

use super::super::{Hunt, Hunted, Resolution, ShortLink, Unresolved};
use super::Result;
use super::keys::SHOWN;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// Items of one page.
const PAGE: i64 = 2_000;
const DAY_MS: i64 = 86_400_000;
/// No host is left alone for longer: beyond that lies what a clock that was put back has left.
const LONGEST_HOLD: Duration = Duration::from_secs(7 * 86_400);

/// Links of one page, each with host and port.
#[derive(Default)]
pub(super) struct Found {
    pub(super) page: Hunted,
    pub(super) links: Vec<(ItemId, String)>,
}

/// Looks through a page of recent items. Those that are known within one feed only are left out: nothing could become
/// one with them.
pub(super) fn hunt(db: &Connection, hunt: &Hunt) -> Result<Found> {
    let mut read = db.prepare_cached(
        "SELECT id, link, first_seen, scope_feed = 0 AND state = ?4 FROM item WHERE id > ?1 AND id < ?2
         ORDER BY id DESC LIMIT ?3",
    )?;
    let above = hunt.above.map_or(0, |item| item.0);
    let mut rows = read.query(params![above, hunt.below.map_or(i64::MAX, |item| item.0), PAGE, SHOWN])?;
    let mut found = Found::default();
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        let item = ItemId(row.get(0)?);
        found.page.newest = found.page.newest.or(Some(item));
        if row.get::<_, i64>(2)? < hunt.since.as_ms() {
            break;
        }
        looked += 1;
        found.page.next = Some(item).filter(|_| looked == PAGE);
        let link: Option<String> = row.get(1)?;
        if let Some(place) = link.filter(|_| row.get(3).unwrap_or(false)).and_then(|link| place(&link, &hunt.hosts)) {
            found.links.push((item, place));
        }
    }
    found.page.found = u32::try_from(found.links.len()).unwrap_or(u32::MAX);
    Ok(found)
}

/// Host and port of a link on one of the hosts.
fn place(link: &str, hosts: &[String]) -> Option<String> {
    let url = Url::parse(link).ok()?;
    let host = url.host_str()?;
    let below = |name: &String| {
        let rest = host.strip_suffix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    hosts.iter().any(below).then(|| url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Forgets what a hunt from scratch finds again, and what is old.
pub(super) fn forget(db: &Connection, since: Timestamp, now: Timestamp) -> Result<()> {
    db.execute("DELETE FROM resolution WHERE found_at < ?1 OR (tries = 0 AND next_at IS NOT NULL)", [since.as_ms()])?;
    db.execute("DELETE FROM resolution_hold WHERE until <= ?1", [now.as_ms()])?;
    Ok(())
}

/// Puts links on the list; those that are there stay as they are.
pub(super) fn enlist(db: &Connection, links: &[(ItemId, String)], now: Timestamp) -> Result<()> {
    let mut write = db.prepare_cached(
        "INSERT OR IGNORE INTO resolution (item_id, host, found_at, next_at) VALUES (?1, ?2, ?3, ?3)",
    )?;
    for (item, place) in links {
        write.execute(params![item.0, place, now.as_ms()])?;
    }
    Ok(())
}

/// What is to be followed at `now`. Nothing waits for a time that only a clock which was put back can have left.
pub(super) fn unresolved(db: &Connection, now: Timestamp, limit: u32) -> Result<Unresolved> {
    let mut read = db.prepare_cached(
        "SELECT r.item_id, i.link, i.key, r.tries FROM resolution r JOIN item i ON i.id = r.item_id
         WHERE r.next_at IS NOT NULL AND (r.next_at <= ?1 OR coalesce(r.tried_at, r.found_at) > ?1)
           AND i.state = ?3 AND i.link IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM resolution_hold h WHERE h.host = r.host AND h.until > ?1 AND h.until <= ?4)
         ORDER BY r.item_id DESC LIMIT ?2",
    )?;
    let latest = now.plus(LONGEST_HOLD).as_ms();
    let links = read.query_map(params![now.as_ms(), limit, SHOWN, latest], |row| {
        Ok(ShortLink { item: ItemId(row.get(0)?), link: row.get(1)?, key: row.get(2)?, tries: row.get(3)? })
    })?;
    let links = links.collect::<Result<_>>()?;
    let tried_today = db
        .prepare_cached("SELECT count(*) FROM resolution WHERE tried_at > ?1 AND tried_at <= ?2")?
        .query_row([now.as_ms() - DAY_MS, now.as_ms()], |row| row.get(0))?;
    let mut read = db.prepare_cached("SELECT host FROM resolution_hold WHERE until > ?1 AND until <= ?2")?;
    let held = read.query_map([now.as_ms(), latest], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok(Unresolved { links, tried_today, held })
}

pub(super) fn keep(db: &Connection, kept: &Resolution, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE resolution SET tries = tries + 1, tried_at = ?2, next_at = ?3, outcome = ?4 WHERE item_id = ?1",
    )?
    .execute(params![kept.item.0, now.as_ms(), kept.next.map(Timestamp::as_ms), kept.outcome])?;
    if let Some((host, until)) = &kept.hold {
        db.prepare_cached(
            "INSERT INTO resolution_hold VALUES (?1, ?2)
             ON CONFLICT (host) DO UPDATE SET until = iif(until > ?3, excluded.until, max(until, excluded.until))",
        )?
        .execute(params![host, until.as_ms(), now.plus(LONGEST_HOLD).as_ms()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_on_a_listed_host_or_below_it() {
        let hosts = ["t.co".to_owned(), "127.0.0.1".to_owned()];
        for (link, expected) in [
            ("https://t.co/x", Some("t.co")),
            ("http://T.CO:8080/x", Some("t.co:8080")),
            ("https://a.t.co/x", Some("a.t.co")),
            ("https://at.co/x", None),
            ("https://t.co.example/x", None),
            ("https://n.example/?u=t.co", None),
            ("http://127.0.0.1:81/x", Some("127.0.0.1:81")),
            ("t.co/x", None),
            ("mailto:a@t.co", None),
        ] {
            assert_eq!(place(link, &hosts).as_deref(), expected, "{link}");
        }
    }
}
