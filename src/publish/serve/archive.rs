//! Archives (RFC 5005 section 4): a stream's items in documents of a fixed size, in the order in which they entered it,
//! so that whoever was away gets all of them. Which items a document has never changes; what they say may, as that of
//! any document.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Extract};
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::State;
use super::cache::{Document, Format, Manner};
use super::feeds::{birth, channel, document, dress, media};
use super::problem::Problem;
use crate::domain::item::{Item, ItemId};
use crate::publish::published::PublishedStream;
use crate::publish::render::Pages;
use crate::publish::views;
use crate::store::{Archive, ArchiveRequest, Store, StoreError};

/// Places of an archive. It must never change: the addresses of archives hang on it. The head has up to so many items
/// more than it should, so it is small.
const SIZE: u32 = 50;
/// How long an archive is fresh, in seconds.
const FRESH: u32 = 24 * 3600;

/// Whether a stream has archives: whatever enters it must be in its head, so one that leaves out has none; and nobody
/// could follow the links of a private one, for the token never stands in a document.
pub(crate) fn has_archives(stream: &PublishedStream) -> bool {
    stream.token.is_none() && stream.max_per_feed.is_none() && stream.max_age.is_none()
}

/// Adds the items that are in no archive yet to the newest ones, and gives the archive before them. Whoever reads the
/// archives after the head misses nothing, whatever comes in meanwhile.
pub(crate) async fn with_open(
    store: &dyn Store,
    stream: &PublishedStream,
    items: &mut Vec<Item>,
) -> Result<Option<u64>, StoreError> {
    let here = items.iter().map(|item| item.id).collect();
    let Some(open) = page(store, stream, None, here).await? else { return Ok(None) };
    items.extend(open.items);
    items.sort_by_key(|item| std::cmp::Reverse((item.effective_at, item.id)));
    Ok(open.earlier)
}

async fn page(
    store: &dyn Store,
    stream: &PublishedStream,
    number: Option<u64>,
    but: Vec<ItemId>,
) -> Result<Option<Archive>, StoreError> {
    store.archive(ArchiveRequest { stream: stream.row, number, size: SIZE, but }).await
}

/// `/{stream}/archive/{n}.atom`.
pub(crate) async fn archive(
    Extract(state): Extract<State>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such archive. The feed of the stream links to its latest one.");
    let Path((name, file)) = path.map_err(|_| missing())?;
    let number = file.strip_suffix(".atom").and_then(read_number).ok_or_else(missing)?;
    let edition = state.parts().live.get();
    let stream = edition.published.stream(&name).filter(|stream| has_archives(stream)).ok_or_else(missing)?;
    let _turn = state.0.costly.acquire().await;
    let found = page(state.store(), stream, Some(number), Vec::new()).await?.ok_or_else(missing)?;
    let mut views = views::prepare(state.store(), found.items).await?;
    let instance = state.store().instance();
    for view in &mut views {
        dress(view, &edition, stream, &instance, Format::Atom);
    }
    // Its own last change, not the stream's.
    let updated = views.iter().map(|view| view.item.updated).max().unwrap_or_else(|| birth(&instance));
    let pages = Pages { archive: Some(number), previous: found.earlier, next: found.later, ..Pages::default() };
    let channel = channel(&edition, stream, &instance, updated, pages);
    let work = move || Document::new(media(Format::Atom), document(Format::Atom, &channel, &views), Some(updated));
    let document = Arc::new(super::pages::aside(work).await?);
    let now = state.parts().clock.now();
    let mut response = document.answer(&headers, Manner { max_age: FRESH, vary: "Accept-Encoding", now }).await;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}

/// A number has one address: no sign, no zero before it.
fn read_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    (number > 0 && !text.starts_with('0')).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_archive_has_one_number() {
        assert_eq!((read_number("1"), read_number("120")), (Some(1), Some(120)));
        for wrong in ["", "0", "01", "+1", "-1", "1.0", "x", "99999999999999999999"] {
            assert_eq!(read_number(wrong), None, "{wrong}");
        }
    }
}
