//! Items: rows to stories and back.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::super::Cleaned;
use super::Result;
use super::feeds::{json, titled};
use crate::domain::element::Element;
use crate::domain::feed::{FeedId, FeedInfo};
use crate::domain::item::{Category, Clean, Enclosure, Entry, Extras, Item, ItemId, Person, Sighting, Source};
use crate::domain::time::Timestamp;

/// What few entries have, in one column.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
pub(super) struct Extra {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Person>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<Category>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enclosures: Vec<Enclosure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<FeedInfo>,
    #[serde(skip_serializing_if = "Extras::is_empty")]
    extras: Extras,
}

impl Extra {
    fn of(entry: &Entry) -> Self {
        Self {
            authors: entry.authors.clone(),
            categories: entry.categories.clone(),
            enclosures: entry.enclosures.clone(),
            image: entry.image.clone(),
            language: entry.language.clone(),
            source: entry.source.clone(),
            extras: entry.extras.clone(),
        }
    }
}

/// Writes or replaces an item's body; what was cleaned of an older one goes.
pub(super) fn keep_body(db: &Connection, item: ItemId, source: i64, entry: &Entry) -> Result<()> {
    let extra = Extra::of(entry);
    let extra = if extra == Extra::default() { None } else { Some(json(&extra)?) };
    db.prepare_cached(
        "INSERT OR REPLACE INTO item_body (item_id, source_id, title, summary, content, extra)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![item.0, source, entry.title, entry.summary, entry.content, extra])?;
    Ok(())
}

/// What an entry says of its files, as bytes that differ if it says something else: of what is in the vocabularies only where it
/// lies, for they count views and ratings, too. `None`: it has none.
pub(super) fn files(enclosures: &[Enclosure], image: Option<&str>, media: &[Element]) -> Option<Vec<u8>> {
    let mut addresses = Vec::new();
    media.iter().for_each(|element| element.each(&mut |one| addresses.extend(one.attribute("url"))));
    let none = enclosures.is_empty() && image.is_none() && addresses.is_empty();
    // Texts and numbers only, which serde_json never refuses.
    (!none).then(|| serde_json::to_vec(&(enclosures, image, addresses)).unwrap_or_default())
}

/// Puts an entry's files in the place of those that were kept. False: they are the same, or it is published from another feed.
pub(super) fn keep_files(db: &Connection, feed: FeedId, item: ItemId, entry: &Entry) -> Result<bool> {
    let kept: Option<Option<String>> = db
        .prepare_cached(
            "SELECT b.extra FROM item i JOIN item_body b ON b.item_id = i.id
             WHERE i.id = ?1 AND i.main_feed = ?2 AND i.state = 0",
        )?
        .query_row([item.0, feed.0], |row| row.get(0))
        .optional()?;
    let Some(kept) = kept else { return Ok(false) };
    let mut extra: Extra = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let now = files(&entry.enclosures, entry.image.as_deref(), &entry.extras.media);
    if files(&extra.enclosures, extra.image.as_deref(), &extra.extras.media) == now {
        return Ok(false);
    }
    extra.enclosures.clone_from(&entry.enclosures);
    extra.image.clone_from(&entry.image);
    extra.extras.media.clone_from(&entry.extras.media);
    db.prepare_cached("UPDATE item_body SET extra = ?2 WHERE item_id = ?1")?.execute(params![item.0, json(&extra)?])?;
    Ok(true)
}

/// What an edit changed, as readers see it.
pub(super) fn differences(db: &Connection, item: ItemId, entry: &Entry, link: Option<&str>) -> Result<Vec<String>> {
    let mut read = db.prepare_cached(
        "SELECT b.title, b.summary, b.content, i.link FROM item i LEFT JOIN item_body b ON b.item_id = i.id
         WHERE i.id = ?1",
    )?;
    read.query_row([item.0], |row| {
        let mut changed = Vec::new();
        for (n, (name, now)) in [
            ("title", entry.title.as_deref()),
            ("summary", entry.summary.as_deref()),
            ("content", entry.content.as_deref()),
            ("link", link),
        ]
        .into_iter()
        .enumerate()
        {
            // A link that is missing now is still the one that it had.
            let kept = name == "link" && now.is_none();
            if !kept && row.get_ref(n)?.as_str_or_null().unwrap_or_default() != now {
                changed.push(name.to_owned());
            }
        }
        Ok(changed)
    })
}

const COLUMNS: &str = "i.id, i.key, i.link, i.published_id, i.first_seen, i.published, i.updated, i.effective_at, \
     i.revision, b.title, b.summary, b.content, b.extra, b.clean_version, b.clean_summary, b.clean_content, \
     s.info AS source_info, f.name AS feed_name, f.title AS feed_title, f.config_url AS feed_url";

const TABLES: &str = "item i LEFT JOIN item_body b ON b.item_id = i.id LEFT JOIN source s ON s.id = b.source_id \
     JOIN feed f ON f.id = i.main_feed";

/// One item.
pub(super) fn load(db: &Connection, id: ItemId) -> Result<Option<Item>> {
    let found = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE i.id = ?1"))?
        .query_row([id.0], item)
        .optional()?;
    found.map(|item| complete(db, item)).transpose()
}

/// Those of these items that are shown.
pub(super) fn shown(db: &Connection, ids: &[ItemId]) -> Result<Vec<Item>> {
    let mut read = db.prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE i.id = ?1 AND i.state = 0"))?;
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        let found = read.query_row([id.0], item).optional()?;
        items.extend(found.map(|item| complete(db, item)).transpose()?);
    }
    Ok(items)
}

/// How many items are shown, from a date on.
pub(super) fn count_since(db: &Connection, since: Option<Timestamp>) -> Result<u64> {
    db.prepare_cached("SELECT count(*) FROM item WHERE state = 0 AND effective_at >= ?1")?
        .query_row([since.map_or(i64::MIN, Timestamp::as_ms)], |row| super::count(row, 0))
}

/// How many items are shown by the day, the last one that of `now`.
pub(super) fn days(db: &Connection, now: Timestamp, days: u32) -> Result<Vec<u64>> {
    const DAY_MS: i64 = 86_400_000;
    let first = now.as_ms().div_euclid(DAY_MS) - i64::from(days) + 1;
    let mut counts = vec![0; usize::try_from(days).unwrap_or_default()];
    // No date lies before 1970 here, so that a division cuts where the days do.
    let mut read = db.prepare_cached(
        "SELECT effective_at / 86400000, count(*) FROM item WHERE state = 0 AND effective_at >= ?1 GROUP BY 1",
    )?;
    let rows = read.query_map([first.max(0) * DAY_MS], |row| Ok((row.get::<_, i64>(0)?, super::count(row, 1)?)))?;
    for row in rows {
        let (day, count) = row?;
        if let Some(slot) = usize::try_from(day - first).ok().and_then(|place| counts.get_mut(place)) {
            *slot = count;
        }
    }
    Ok(counts)
}

fn item(row: &Row<'_>) -> Result<Item> {
    let time = |name: &str| Ok::<_, rusqlite::Error>(Timestamp::from_ms(row.get(name)?));
    let extra: Option<String> = row.get("extra")?;
    let extra: Extra = extra.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let version: Option<u32> = row.get("clean_version")?;
    let clean = match version {
        Some(version) if version == crate::domain::item::CLEAN_VERSION => {
            Some(Clean { summary: row.get("clean_summary")?, content: row.get("clean_content")? })
        }
        _ => None,
    };
    let info: Option<String> = row.get("source_info")?;
    Ok(Item {
        id: ItemId(row.get("id")?),
        key: row.get("key")?,
        published_id: row.get("published_id")?,
        link: row.get("link")?,
        title: row.get("title")?,
        summary: row.get("summary")?,
        content: row.get("content")?,
        clean,
        published: row.get::<_, Option<i64>>("published")?.map(Timestamp::from_ms),
        updated: time("updated")?,
        effective_at: time("effective_at")?,
        first_seen: time("first_seen")?,
        revision: row.get("revision")?,
        authors: extra.authors,
        categories: extra.categories,
        enclosures: extra.enclosures,
        image: extra.image,
        language: extra.language,
        source: Source {
            name: row.get("feed_name")?,
            feed_url: row.get("feed_url")?,
            info: titled(info.as_deref().unwrap_or("{}"), row.get("feed_title")?),
        },
        own_source: extra.source,
        extras: extra.extras,
        sightings: Vec::new(),
        streams: Vec::new(),
    })
}

/// Adds sightings and streams.
fn complete(db: &Connection, mut item: Item) -> Result<Item> {
    let mut read = db.prepare_cached(
        "SELECT f.name, f.title, f.config_url, g.guid, g.link, g.first_seen, f.info
         FROM sighting g JOIN feed f ON f.id = g.feed_id JOIN item i ON i.id = g.item_id
         WHERE g.item_id = ?1 ORDER BY g.feed_id <> i.main_feed, g.first_seen, f.name, g.entry_hash",
    )?;
    let link = item.link.clone();
    let rows = read.query_map([item.id.0], |row| {
        Ok(Sighting {
            feed: row.get(0)?,
            title: titled(&row.get::<_, String>(6)?, row.get(1)?).title,
            feed_url: row.get(2)?,
            guid: row.get(3)?,
            url: row.get::<_, Option<String>>(4)?.or_else(|| link.clone()),
            first_seen: Timestamp::from_ms(row.get(5)?),
        })
    })?;
    item.sightings = rows.collect::<Result<_>>()?;
    let mut read = db.prepare_cached(
        "SELECT s.name FROM stream_item m JOIN stream s ON s.id = m.stream_id WHERE m.item_id = ?1 ORDER BY s.name",
    )?;
    item.streams = read.query_map([item.id.0], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok(item)
}

/// Keeps clean HTML; what is of another revision by now is left out. The published bytes do not change by it.
pub(super) fn keep_clean(db: &Connection, cleaned: &[Cleaned]) -> Result<()> {
    let mut write = db.prepare_cached(
        "UPDATE item_body SET clean_version = ?3, clean_summary = ?4, clean_content = ?5
         WHERE item_id = ?1 AND (SELECT revision FROM item WHERE id = ?1) = ?2",
    )?;
    for Cleaned { item, revision, clean } in cleaned {
        let version = crate::domain::item::CLEAN_VERSION;
        write.execute(params![item.0, revision, version, clean.summary, clean.content])?;
    }
    Ok(())
}
