//! What is stored, newest first: all of it, one stream, or what meets a query. Without HTTP, so that the
//! command line can print what the API answers.
//!
//! A query is tried on what is stored, page by page from the newest, until enough was found or enough was
//! looked at; `next` goes on from there. So one call costs bounded work, whatever the query.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cursor;
use super::lists::{DEFAULT_LIMIT, ListError, MAX_LIMIT, QueryError, bad_cursor};
use super::published::{Edition, Published, PublishedStream};
use super::render::View;
use super::views;
use crate::domain::item::Item;
use crate::domain::shape::ItemShape;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::query::compile::Index;
use crate::query::scan::{Document, FeedTerms, Folded};
use crate::query::syntax::{Query, SyntaxError};
use crate::sanitize;
use crate::store::{Cursor, PageRequest, Store, StoreError};

/// Stored items that one call looks at before it gives what it has.
pub const MAX_SCANNED: usize = 20_000;
/// Items read at a time while a query is tried.
const CHUNK: u32 = 200;

/// Which items are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Params {
    /// A query; `None` or empty: everything.
    pub query: Option<String>,
    /// Only of this stream; `None`: of all.
    pub stream: Option<String>,
    /// Only with an effective date from then on.
    pub since: Option<Timestamp>,
    /// What `next` said before.
    pub after: Option<String>,
    /// At most so many; kept within 1 and 1000.
    pub limit: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { query: None, stream: None, since: None, after: None, limit: DEFAULT_LIMIT }
    }
}

/// `{"items": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ItemList {
    /// Newest first.
    pub items: Vec<ItemShape>,
    /// Where to go on. With a query it may be there although fewer than `limit` were found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Lists items. `now`: what ages are reckoned to.
///
/// # Errors
/// The query cannot be read, the stream or the cursor is unknown, or the store failed.
pub async fn list(
    store: &dyn Store,
    edition: &Edition,
    params: &Params,
    now: Timestamp,
) -> Result<ItemList, ListError> {
    let published = &edition.published;
    let query = read_query(params.query.as_deref())?;
    let stream = find_stream(published, params.stream.as_deref())?;
    let from = match params.after.as_deref() {
        None => None,
        Some(text) => Some(cursor::decode(text).ok_or_else(|| bad_cursor(text))?),
    };
    let oldest = stream.and_then(|stream| stream.oldest(now));
    let hunt = Hunt {
        stream: stream.and_then(|stream| stream.row),
        since: params.since.max(oldest),
        limit: params.limit.clamp(1, MAX_LIMIT),
        now,
    };
    let (items, next) = match query {
        None => hunt.newest(store, from).await?,
        Some(query) => hunt.matching(store, published, query, from).await?,
    };
    let views = views::prepare(store, items).await?;
    Ok(ItemList { items: views.into_iter().map(shape).collect(), next: next.map(cursor::encode) })
}

pub(super) fn shape(view: View) -> ItemShape {
    ItemShape::new(&view.item, &view.clean, view.summary_text, view.content_text)
}

struct Hunt {
    stream: Option<StreamId>,
    since: Option<Timestamp>,
    limit: u32,
    now: Timestamp,
}

type Found = (Vec<Item>, Option<Cursor>);

impl Hunt {
    async fn newest(&self, store: &dyn Store, from: Option<Cursor>) -> Result<Found, StoreError> {
        let page = store.stream_page(self.page(from, self.limit)).await?;
        let (items, ended) = self.young(page.items);
        Ok((items, page.next.filter(|_| !ended)))
    }

    async fn matching(
        &self,
        store: &dyn Store,
        published: &Arc<Published>,
        query: Query,
        mut from: Option<Cursor>,
    ) -> Result<Found, StoreError> {
        let limit = usize::try_from(self.limit).unwrap_or(1);
        let index = Arc::new(Index::new(&[query]).as_of(self.now));
        let (mut found, mut scanned) = (Vec::new(), 0);
        while scanned < MAX_SCANNED {
            let page = store.stream_page(self.page(from, CHUNK)).await?;
            let (items, ended) = self.young(page.items);
            scanned += items.len();
            let (index, published) = (Arc::clone(&index), Arc::clone(published));
            // Texts of HTML and words of texts: some milliseconds a chunk, so not on a thread that serves.
            let sift = tokio::task::spawn_blocking(move || sift(items, &index, &published));
            let hits = sift.await.map_err(|e| StoreError::Failed(format!("the search was cut short: {e}")))?;
            found.extend(hits);
            if found.len() > limit {
                found.truncate(limit);
                let last = found.last().map(|item| Cursor { effective_at: item.effective_at, item: item.id });
                return Ok((found, last));
            }
            from = page.next.filter(|_| !ended);
            if from.is_none() || found.len() == limit {
                return Ok((found, from));
            }
        }
        Ok((found, from))
    }

    fn page(&self, before: Option<Cursor>, limit: u32) -> PageRequest {
        PageRequest { stream: self.stream, limit, before }
    }

    /// The items that are young enough, and whether that was the last of them: dates only fall from here on.
    fn young(&self, mut items: Vec<Item>) -> (Vec<Item>, bool) {
        let Some(since) = self.since else { return (items, false) };
        let before = items.len();
        items.retain(|item| item.effective_at >= since);
        let ended = items.len() < before;
        (items, ended)
    }
}

fn sift(items: Vec<Item>, index: &Index, published: &Published) -> Vec<Item> {
    items.into_iter().filter(|item| meets(item, index, published)).collect()
}

/// Whether a stored item meets one of the queries of `index`, seen from all the feeds that carry it. Takes as long as
/// reading its HTML: some tens of microseconds.
#[must_use]
pub fn meets(item: &Item, index: &Index, published: &Published) -> bool {
    // The texts are those that the item was matched by when it came: of the HTML as it was, not cleaned.
    let text = |html: &Option<String>| html.as_deref().map(sanitize::text).unwrap_or_default();
    let (summary, content) = (text(&item.summary), text(&item.content));
    let key_is_url = item.key.starts_with("https://") || item.key.starts_with("http://");
    let document = Document {
        title: item.title.as_deref().unwrap_or_default(),
        summary: &summary,
        content: &content,
        authors: item.authors.iter().filter_map(|author| author.name.as_deref()).collect(),
        tags: item.categories.iter().map(|category| category.term.as_str()).collect(),
        url: if key_is_url { &item.key } else { item.link.as_deref().unwrap_or_default() },
        language: item.language.as_deref(),
        types: item.enclosures.iter().filter_map(|enclosure| enclosure.mime_type.as_deref()).collect(),
        date: item.effective_at,
    };
    let tags_of = |name: &str| published.feeds.get(name).map_or(&[][..], |feed| feed.tags.as_ref());
    let terms = |name| FeedTerms { name, tags: tags_of(name) };
    let names = item.sightings.iter().flat_map(|sighting| published.counts_as(&sighting.feed));
    let feeds: Vec<FeedTerms<'_>> = names.map(terms).collect();
    !index.scan(&Folded::new(&document), &feeds).is_empty()
}

fn read_query(text: Option<&str>) -> Result<Option<Query>, ListError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let query = Query::parse(text).map_err(|error| ListError::Query(mark(text, error)))?;
    Ok(Some(query).filter(|query| !query.is_everything()))
}

fn find_stream<'a>(published: &'a Published, name: Option<&str>) -> Result<Option<&'a PublishedStream>, ListError> {
    let Some(name) = name else { return Ok(None) };
    published.stream(name).map(Some).ok_or_else(|| {
        let short: String = name.chars().take(63).collect();
        ListError::Asked(format!("There is no stream `{short}`. /api/v1/streams lists them."))
    })
}

/// The error with the query and carets under the place. Both lines hold the same characters, so that they stand
/// under each other; control characters become spaces.
fn mark(text: &str, error: SyntaxError) -> QueryError {
    let SyntaxError { message, at, hint } = error;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let count = |upto: usize| text.char_indices().take_while(|(byte, _)| *byte < upto).count();
    let (from, to) = (count(at.start), count(at.end));
    let carets = "^".repeat(to.saturating_sub(from).max(1));
    let marked = format!("{line}\n{}{carets}", " ".repeat(from));
    QueryError { message, start: at.start, end: at.end, hint, marked }
}

/// Reads `?since=`: an RFC 3339 time, or an age such as `30d`, `12h`, `90m`, `45s` before `now`.
#[must_use]
pub fn read_since(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Some(at);
    }
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let span = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    Some(now.minus(std::time::Duration::from_secs(span)))
}

#[cfg(test)]
mod tests {
    use super::super::published::tests::example;
    use super::*;

    #[test]
    fn since_is_a_time_or_an_age() {
        let now = Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").unwrap();
        for (text, meant) in [
            ("2026-11-01T00:00:00Z", Some("2026-11-01T00:00:00Z")),
            ("2026-11-01T00:00:00+01:00", Some("2026-10-31T23:00:00Z")),
            ("30d", Some("2026-10-25T12:00:00Z")),
            ("90m", Some("2026-11-24T10:30:00Z")),
            ("0s", Some("2026-11-24T12:00:00Z")),
            ("", None),
            ("d", None),
            ("-1d", None),
            ("1w", None),
            ("30d ", None),
            ("3ä", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(read_since(text, now).map(Timestamp::rfc3339).as_deref(), meant, "{text:?}");
        }
    }

    #[test]
    fn carets_stand_under_the_place_by_characters_and_not_by_bytes() {
        let text = "züri AND (foo";
        let at = text.find('(').unwrap();
        let error = SyntaxError { message: "unclosed".into(), at: at..at + 1, hint: None };
        let marked = mark(text, error);
        assert_eq!(marked.marked, "züri AND (foo\n         ^");
        assert_eq!((marked.start, marked.end), (10, 11));
        let at_end = SyntaxError { message: "m".into(), at: text.len()..text.len(), hint: Some("h".into()) };
        assert!(mark(text, at_end).marked.ends_with("\n             ^"));
    }

    #[test]
    fn a_stream_is_found_by_name_and_all_has_no_row() {
        let published = example();
        let row = |name| find_stream(&published, name).unwrap().and_then(|stream| stream.row);
        assert_eq!(row(None), None);
        assert_eq!(row(Some("all")), None);
        assert_eq!(row(Some("peace-talks")), Some(StreamId(1)));
        assert!(matches!(find_stream(&published, Some("x")), Err(ListError::Asked(_))));
    }

    #[test]
    fn an_empty_query_asks_for_everything() {
        for text in [None, Some(""), Some("  \t")] {
            assert!(read_query(text).unwrap().is_none());
        }
    }
}
