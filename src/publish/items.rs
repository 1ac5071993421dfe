//! What is stored: all of it, one stream, or what meets a query, newest or best first. Without HTTP, so that the
//! command line can print what the API answers.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::lists::{DEFAULT_LIMIT, ListError, MAX_LIMIT, QueryError, bad_cursor};
use super::meet::explain;
use super::published::{Edition, Published, PublishedStream};
use super::render::View;
use super::search::{Caught, Hunt, Place, aside, young};
use super::{cursor, views};
use crate::domain::item::Item;
use crate::domain::shape::ItemShape;
use crate::domain::stream::{StreamId, TermHit};
use crate::domain::time::Timestamp;
use crate::query::explain::Verdict;
use crate::query::syntax::{Query, SyntaxError};
use crate::store::{PageRequest, Store, StoreError};

/// How long a search may take before it gives what it has.
pub const BUDGET: Duration = Duration::from_secs(5);

/// In which order items are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sorting {
    /// By date.
    #[default]
    Newest,
    /// By how well they meet the query; where that says nothing of the text, by date.
    Best,
}

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
    /// The order.
    pub sorting: Sorting,
    /// How long it may take.
    pub budget: Duration,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            query: None,
            stream: None,
            since: None,
            after: None,
            limit: DEFAULT_LIMIT,
            sorting: Sorting::Newest,
            budget: BUDGET,
        }
    }
}

/// `{"items": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ItemList {
    /// In the order that was asked for.
    pub items: Vec<ItemShape>,
    /// Where to go on. With a query it may be there although fewer than `limit` were found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Only the latest was looked at, for the time was over or there is too much: there may be more, and better ones.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub partial: bool,
}

/// Items that were found, ready to be published.
pub(super) struct Finding {
    pub(super) views: Vec<View>,
    /// Of each, its score and where it meets the query.
    pub(super) told: Vec<(Option<f64>, Vec<TermHit>)>,
    pub(super) next: Option<String>,
    pub(super) partial: bool,
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
    let Finding { views, told, next, partial } = find(store, edition, params, now).await?;
    let items = views.into_iter().zip(told).map(|(view, (score, snippets))| {
        let mut shape = shape(view);
        (shape.score, shape.snippets) = (score, snippets);
        shape
    });
    Ok(ItemList { items: items.collect(), next, partial })
}

/// Finds items.
pub(super) async fn find(
    store: &dyn Store,
    edition: &Edition,
    params: &Params,
    now: Timestamp,
) -> Result<Finding, ListError> {
    let published = &edition.published;
    let query = read_query(params.query.as_deref())?;
    let stream = find_stream(published, params.stream.as_deref())?;
    let sorting = match &query {
        Some(query) if query.narrow() != crate::domain::search::Narrow::Any => params.sorting,
        _ => Sorting::Newest,
    };
    let since = params.since.max(stream.and_then(|stream| stream.oldest(now)));
    let row = stream.and_then(|stream| stream.row);
    let from = params.after.as_deref().map(|text| read_place(sorting, text)).transpose()?;
    let limit = params.limit.clamp(1, MAX_LIMIT);
    let caught = match &query {
        None => newest(store, row, since, from, limit).await?,
        Some(query) => {
            let hunt = Hunt {
                store,
                published,
                query,
                stream: row.zip(params.stream.as_deref()),
                since,
                limit: usize::try_from(limit).unwrap_or(1),
                now,
                until: Instant::now() + params.budget,
            };
            match from {
                Some(Place::Score(spot)) => hunt.best(Some(spot)).await?,
                Some(Place::Date(cursor)) => hunt.newest(Some(cursor)).await?,
                None if sorting == Sorting::Best => hunt.best(None).await?,
                None => hunt.newest(None).await?,
            }
        }
    };
    let (items, scores): (Vec<Item>, Vec<Option<f64>>) = caught.items.into_iter().unzip();
    let views = views::prepare(store, items).await?;
    let next = caught.next.map(|place| match place {
        Place::Date(cursor) => cursor::encode(cursor),
        Place::Score(spot) => cursor::encode_spot(spot),
    });
    let hidden = std::sync::Arc::clone(published);
    let published = std::sync::Arc::clone(published);
    let telling = move || {
        let tell = |(view, score): (&View, Option<f64>)| {
            let snippets = query.as_ref().map(|query| passages(&view.item, query, &published, now));
            (score, snippets.unwrap_or_default())
        };
        let told = views.iter().zip(scores).map(tell).collect();
        (views, told)
    };
    let (mut views, told) = aside(telling).await?;
    views.iter_mut().for_each(|view| hidden.keep_public(&mut view.item.streams));
    Ok(Finding { views, told, next, partial: caught.partial })
}

async fn newest(
    store: &dyn Store,
    stream: Option<StreamId>,
    since: Option<Timestamp>,
    from: Option<Place>,
    limit: u32,
) -> Result<Caught, StoreError> {
    let before = from.and_then(|place| match place {
        Place::Date(cursor) => Some(cursor),
        Place::Score(_) => None,
    });
    let page = store.stream_page(PageRequest { stream, limit, before }).await?;
    let (items, ended) = young(since, page.items);
    let next = page.next.filter(|_| !ended).map(Place::Date);
    Ok(Caught { items: items.into_iter().map(|item| (item, None)).collect(), next, ..Caught::default() })
}

fn read_place(sorting: Sorting, text: &str) -> Result<Place, ListError> {
    let place = match sorting {
        Sorting::Newest => cursor::decode(text).map(Place::Date),
        Sorting::Best => cursor::decode_spot(text).map(Place::Score),
    };
    place.ok_or_else(|| bad_cursor(text))
}

/// Where an item meets a query.
pub(super) fn passages(item: &Item, query: &Query, published: &Published, now: Timestamp) -> Vec<TermHit> {
    match explain(item, query, published, now) {
        Verdict::Met(passages) => passages,
        Verdict::Failed { .. } => Vec::new(),
    }
}

pub(super) fn shape(view: View) -> ItemShape {
    ItemShape::new(&view.item, &view.clean, view.summary_text, view.content_text)
}

pub(super) fn read_query(text: Option<&str>) -> Result<Option<Query>, ListError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let query = Query::parse(text).map_err(|error| ListError::Query(mark(text, error)))?;
    Ok(Some(query).filter(|query| !query.is_everything()))
}

fn find_stream<'a>(published: &'a Published, name: Option<&str>) -> Result<Option<&'a PublishedStream>, ListError> {
    let Some(name) = name else { return Ok(None) };
    published.stream(name).filter(|stream| stream.admits(None)).map(Some).ok_or_else(|| {
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
