//! A stream in one of its forms: from the cache where it is the head of it, made for who asks where it is an
//! older page.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use axum::response::Response;

use super::State;
use super::archive;
use super::cache::{Document, Format, Manner};
use super::pages::HTML;
use super::problem::Problem;
use crate::domain::time::Timestamp;
use crate::publish::cursor;
use crate::publish::published::{Edition, PublishedStream};
use crate::publish::render::page::{self, Site};
use crate::publish::render::{self, Channel, Pages, View};
use crate::publish::views;
use crate::store::{Cursor, Instance, Page, PageRequest, StoreError};

/// Stories of a page: with all their marks they are less than 50 kB.
const STORIES: u32 = 30;

/// What was asked of a stream.
pub(crate) struct Wanted<'a> {
    /// Its name.
    pub(crate) stream: &'a str,
    /// Which form.
    pub(crate) format: Format,
    /// Older than this place; `None`: the newest.
    pub(crate) before: Option<&'a str>,
    /// The token that came along.
    pub(crate) token: Option<&'a str>,
    /// Whether the address is that of a feed, also where a page is given for it.
    pub(crate) feed_address: bool,
}

/// The answer to a request for a stream.
pub(crate) async fn answer(state: &State, wanted: Wanted<'_>, asked: &HeaderMap) -> Result<Response, Problem> {
    let edition = state.parts().live.get();
    // Who does not know the token learns no more than of a stream that is none.
    let Some(stream) = edition.published.stream(wanted.stream).filter(|stream| stream.admits(wanted.token)) else {
        return Err(Problem::not_found("There is no such stream. The front page lists those that there are."));
    };
    let now = state.parts().clock.now();
    let before = wanted.before.map(|text| cursor::decode(text).ok_or_else(bad_place)).transpose()?;
    let is_private = stream.token.is_some();
    // The page of a private stream has the token in its link to older ones: it is made for who brought it.
    let token = wanted.token.filter(|_| is_private && wanted.format == Format::Page);
    let document = match before {
        None if token.is_none() => head(state, &edition, stream, wanted.format, now).await?,
        before => {
            let _turn = state.0.costly.acquire().await;
            Arc::new(make(state, &edition, stream, (wanted.format, before, token), now).await?)
        }
    };
    let max_age = state.max_age(now);
    let vary = if wanted.feed_address { "Accept-Encoding, Sec-Fetch-Dest" } else { "Accept-Encoding" };
    let mut response = document.answer(asked, Manner { max_age, vary, now }).await;
    if is_private {
        // RFC 9111 5.2.2.7: no cache between may keep it.
        if let Ok(value) = HeaderValue::from_str(&format!("private, max-age={max_age}")) {
            response.headers_mut().insert(CACHE_CONTROL, value);
        }
    } else if wanted.feed_address {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Ok(response)
}

fn bad_place() -> Problem {
    Problem::bad_request("`before` is no place in this stream. Take the address from the link to older items.")
}

async fn head(
    state: &State,
    edition: &Edition,
    stream: &PublishedStream,
    format: Format,
    now: Timestamp,
) -> Result<Arc<Document>, StoreError> {
    // Before anything is read: what commits meanwhile makes the document stale, never unseen.
    let stamp = (edition.number, state.store().version());
    let own = async {
        match stream.row {
            Some(row) => state.store().stream_version(row).await.map(Some),
            // Whatever is published is in `all`.
            None => Ok(None),
        }
    };
    let make = make(state, edition, stream, (format, None, None), now);
    state.0.cache.get((stream.name.clone(), format), stamp, now, own, make).await
}

async fn make(
    state: &State,
    edition: &Edition,
    stream: &PublishedStream,
    (format, before, token): (Format, Option<Cursor>, Option<&str>),
    now: Timestamp,
) -> Result<Document, StoreError> {
    let store = if stream.token.is_some() { state.whole() } else { state.store() };
    let limit = if format == Format::Page { stream.limit.min(STORIES) } else { stream.limit };
    let request = PageRequest { stream: stream.row, limit, before };
    let mut page = match stream.max_per_feed {
        None => store.stream_page(request).await?,
        Some(most) => store.shared_page(request, most).await?,
    };
    let (aged, until) = leave_out_old(&mut page, stream, now);
    let mut pages = Pages::default();
    if format == Format::Atom && before.is_none() && archive::has_archives(stream) {
        pages.previous = archive::with_open(store, stream, &mut page.items).await?;
    }
    // The page of a private stream has no token to listen with.
    pages.live = format == Format::Page && before.is_none() && stream.token.is_none();
    if format == Format::Json && stream.token.is_none() {
        pages.older = page.next.map(|next| page::asked(&[("before", &cursor::encode(next))]));
    }
    let mut views = views::prepare(store, page.items).await?;
    let instance = store.instance();
    for view in &mut views {
        dress(view, edition, stream, &instance, format);
    }
    let published = Arc::clone(&edition.published);
    let updated = page.changed_at.max(aged).unwrap_or_else(|| birth(&instance));
    let channel = channel(edition, stream, &instance, updated, pages);
    let older = page.next.map(|next| {
        let before = cursor::encode(next);
        token.map_or_else(
            || page::asked(&[("before", &before)]),
            |token| page::asked(&[("token", token), ("before", &before)]),
        )
    });
    let work = tokio::task::spawn_blocking(move || {
        let text = match format {
            Format::Page => {
                let streams = published.stream_shapes();
                let site = Site { title: &published.title, base: &published.public_url, streams: &streams };
                page::river(&site, &channel, &views, older.as_deref())
            }
            _ => document(format, &channel, &views),
        };
        Document::new(media(format), text, Some(updated)).until(until)
    });
    work.await.map_err(|error| StoreError::Failed(format!("rendering was cut short: {error}")))
}

/// The stream as a document says it.
pub(crate) fn channel(
    edition: &Edition,
    stream: &PublishedStream,
    instance: &Instance,
    updated: Timestamp,
    pages: Pages,
) -> Channel {
    Channel {
        name: stream.name.clone(),
        title: stream.title.clone(),
        id: format!("tag:{}:{}/{}", instance.tagging, instance.id, stream.name),
        base: edition.published.public_url.clone(),
        asked: String::new(),
        updated,
        ttl_minutes: edition.published.ttl_minutes,
        pages,
    }
}

/// Leaves out what is too old for the stream at `now`. Gives when something grew too old last, which changed what is
/// shown, and when that happens next.
fn leave_out_old(page: &mut Page, stream: &PublishedStream, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let (Some(age), Some(oldest)) = (stream.max_age, stream.oldest(now)) else { return (None, None) };
    let young = page.items.partition_point(|item| item.effective_at >= oldest);
    let aged = page.items.get(young).map(|item| item.effective_at.plus(age));
    if aged.is_some() {
        page.items.truncate(young);
        page.next = None;
    }
    (aged, page.items.last().map(|item| item.effective_at.plus(age)))
}

/// Shows an item as its stream has it shown.
pub(crate) fn dress(view: &mut View, edition: &Edition, stream: &PublishedStream, instance: &Instance, format: Format) {
    edition.published.keep_public(&mut view.item.streams);
    if let Some(template) = stream.item_title.as_deref().filter(|_| format != Format::Page) {
        view.retitle(template);
    }
    let ours = format!("tag:{}:{}/item/", instance.tagging, instance.id);
    if stream.own_ids && !view.item.published_id.starts_with(&ours) {
        // Rows are never given twice, and digests have no hyphen.
        view.item.published_id = format!("{ours}row-{}", view.item.id.0);
    }
}

pub(crate) fn document(format: Format, channel: &Channel, views: &[View]) -> String {
    match format {
        Format::Rss => render::rss(channel, views),
        Format::Json => render::json(channel, views),
        Format::Atom | Format::Page => render::atom(channel, views),
    }
}

pub(crate) fn media(format: Format) -> &'static str {
    match format {
        Format::Atom => "application/atom+xml; charset=utf-8",
        Format::Rss => "application/rss+xml; charset=utf-8",
        Format::Json => "application/feed+json; charset=utf-8",
        Format::Page => HTML,
    }
}

/// When the installation was made, to the day: the date of its `tag:` URIs. A stream that never held anything
/// is as old as that; now would make another document of it each time.
pub(crate) fn birth(instance: &Instance) -> Timestamp {
    let date = instance.tagging.rsplit(',').next().unwrap_or_default();
    Timestamp::parse_rfc3339(&format!("{date}T00:00:00Z")).unwrap_or_default()
}

/// Splits the name of a feed at its last dot. `None`: the ending is none of ours, or there is no dot.
pub(crate) fn split(file: &str) -> Option<(&str, Format)> {
    let (name, ending) = file.rsplit_once('.')?;
    let format = match ending {
        "atom" => Format::Atom,
        "rss" => Format::Rss,
        "json" => Format::Json,
        _ => return None,
    };
    Some((name, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_after_the_last_dot_tells_the_form() {
        for (file, found) in [
            ("all.atom", Some(("all", Format::Atom))),
            ("peace-talks.rss", Some(("peace-talks", Format::Rss))),
            ("x.json", Some(("x", Format::Json))),
            ("a.b.atom", Some(("a.b", Format::Atom))),
            (".atom", Some(("", Format::Atom))),
            ("all", None),
            ("all.xml", None),
            ("all.ATOM", None),
            ("all.", None),
            ("", None),
        ] {
            assert_eq!(split(file), found, "{file:?}");
        }
    }

    #[test]
    fn an_installation_was_born_on_the_date_of_its_tags() {
        let born = |tagging: &str| birth(&Instance { id: "x".into(), tagging: tagging.into() }).rfc3339();
        assert_eq!(born("example.org,2026-11-24"), "2026-11-24T00:00:00Z");
        assert_eq!(born("nonsense"), "1970-01-01T00:00:00Z");
    }
}
