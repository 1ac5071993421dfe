//! The routes that people open, and the addresses of feeds beside them.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::State;
use super::cache::{Document, Format, Manner};
use super::feeds::{self, Wanted};
use super::problem::Problem;
use super::sight::Sight;
use super::{api, conditional};
use crate::domain::name::ALL;
use crate::domain::shape::StreamShape;
use crate::publish::lists::{self, Part};
use crate::publish::published::Edition;
use crate::publish::render;
use crate::publish::render::page::{self, Report, Site};
use crate::publish::trace;
use crate::store::StoreError;

/// The media type of pages.
pub(crate) const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const OPML: &str = "text/x-opml; charset=utf-8";
/// Feeds whose size is shown.
const LARGEST: u32 = 10;
/// Feeds of one page of the list.
const FEEDS: u32 = 50;
/// Days whose stories are counted.
const DAYS: u32 = 30;
/// How long the style is fresh, in seconds.
const STYLE_AGE: u32 = 24 * 3600;

/// Other parameters are let through: trackers and caches add theirs to addresses of feeds.
#[derive(Deserialize)]
pub(crate) struct Before {
    before: Option<String>,
    token: Option<String>,
}

type AskedBefore = Result<Query<Before>, QueryRejection>;

fn before(asked: AskedBefore) -> Result<Before, Problem> {
    match asked {
        Ok(Query(asked)) => Ok(Before { before: asked.before.filter(|before| !before.is_empty()), ..asked }),
        Err(error) => Err(Problem::bad_request(format!("The query of the address cannot be read: {error}."))),
    }
}

/// `/`: the river of news.
pub(crate) async fn front(
    Extract(state): Extract<State>,
    query: AskedBefore,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Before { before, .. } = before(query)?;
    let before = before.as_deref();
    let wanted = Wanted { stream: ALL, format: Format::Page, before, token: None, feed_address: false };
    feeds::answer(&state, wanted, &headers).await
}

/// `/{stream}`, and `/{stream}.atom`, `.rss`, `.json`.
pub(crate) async fn file(
    Extract(state): Extract<State>,
    file: Result<Path<String>, PathRejection>,
    query: AskedBefore,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(Path(file)) = file else { return Err(nothing().await) };
    let Before { before, token } = before(query)?;
    let (before, token) = (before.as_deref(), token.as_deref());
    let wanted = match feeds::split(&file) {
        None => Wanted { stream: &file, format: Format::Page, before, token, feed_address: false },
        Some((stream, format)) => {
            // A person who opens the address of a feed gets the same items as a page that says what it is for.
            let format = if conditional::is_navigation(&headers) { Format::Page } else { format };
            Wanted { stream, format, before, token, feed_address: true }
        }
    };
    feeds::answer(&state, wanted, &headers).await
}

/// Where a list goes on.
#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// `/feeds`: what is followed.
pub(crate) async fn feeds(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Result<Query<After>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(After { after }) =
        asked.map_err(|error| Problem::bad_request(format!("The query of the address cannot be read: {error}.")))?;
    let edition = state.parts().live.get();
    let now = state.parts().clock.now();
    let _turn = state.0.costly.acquire().await;
    let all = lists::all_feeds(sight.store(), &edition.published, now).await?;
    let work = move || {
        let (streams, count) = (edition.published.stream_shapes(), all.len());
        let (feeds, next) = lists::cut_by_name(all, &Part { limit: FEEDS, after }, |feed| &feed.name);
        let next = next.map(|next| page::asked(&[("after", &next)]));
        page::feeds(&site(&edition, &streams), &feeds, count, next.as_deref(), now)
    };
    Ok(html(aside(work).await?))
}

/// `/feeds.opml`: what is followed, for other readers.
pub(crate) async fn opml(
    Extract(state): Extract<State>,
    sight: Sight,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let published = state.parts().live.get().published;
    let now = state.parts().clock.now();
    let _turn = state.0.costly.acquire().await;
    let feeds = lists::all_feeds(sight.store(), &published, now).await?;
    let work = move || Document::new(OPML, render::opml(&published.title, &feeds, published.applied_at), None);
    let document = aside(work).await?;
    let max_age = state.max_age(now);
    Ok(document.answer(&headers, Manner { max_age, vary: "Accept-Encoding", now }).await)
}

/// `/{stream}/subscribe`: its addresses.
pub(crate) async fn subscribe(
    Extract(state): Extract<State>,
    name: Result<Path<String>, PathRejection>,
    query: AskedBefore,
) -> Result<Response, Problem> {
    let edition = state.parts().live.get();
    let (stream, asked) = followed(&edition, name, query)?;
    let streams = edition.published.stream_shapes();
    Ok(html(page::subscribe(&site(&edition, &streams), &stream, &asked)))
}

/// `/{stream}/subscribe.opml`: the same as a file.
pub(crate) async fn subscribe_opml(
    Extract(state): Extract<State>,
    name: Result<Path<String>, PathRejection>,
    query: AskedBefore,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let edition = state.parts().live.get();
    let (stream, asked) = followed(&edition, name, query)?;
    let (page, atom) = (format!("{}{asked}", stream.page_url), format!("{}{asked}", stream.atom_url));
    let text = render::stream_opml(&stream.title, &page, &atom, edition.published.applied_at);
    let now = state.parts().clock.now();
    Ok(Document::new(OPML, text, None).answer(&headers, Manner { max_age: 0, vary: "Accept-Encoding", now }).await)
}

/// A stream that who asks may follow, and what follows its addresses: the token that they brought.
fn followed(
    edition: &Edition,
    name: Result<Path<String>, PathRejection>,
    query: AskedBefore,
) -> Result<(StreamShape, String), Problem> {
    let token = before(query)?.token;
    let missing = || Problem::not_found("There is no such stream. The front page lists those that there are.");
    let Ok(Path(name)) = name else { return Err(missing()) };
    let stream = edition.published.stream(&name).filter(|stream| stream.admits(token.as_deref()));
    let stream = stream.ok_or_else(missing)?;
    let asked = token.filter(|_| stream.token.is_some()).map(|token| page::asked(&[("token", &token)]));
    Ok((edition.published.stream_shape(stream), asked.unwrap_or_default()))
}

/// `/status`: how everything is.
pub(crate) async fn status(Extract(state): Extract<State>, sight: Sight) -> Result<Response, Problem> {
    let edition = state.parts().live.get();
    let (now, version) = (state.parts().clock.now(), state.parts().version);
    let _turn = state.0.costly.acquire().await;
    let store = sight.store();
    let feeds = lists::all_feeds(store, &edition.published, now).await?;
    let webhooks = lists::all_webhooks(store, &edition.published).await?;
    let health = store.health().await?;
    let sizes = store.feed_sizes(LARGEST).await?;
    let days = store.days(now, DAYS).await?;
    let known = Arc::clone(&state.parts().readers);
    let next_due = state.parts().progress.next_due().at();
    let work = move || {
        let streams = edition.published.stream_shapes();
        let readers: Vec<u64> = streams.iter().map(|stream| known.of(&stream.name, now)).collect();
        let (feeds, webhooks, days, readers) = (&*feeds, &*webhooks, &*days, &*readers);
        let report = Report { feeds, webhooks, health: &health, next_due, sizes: &sizes, days, readers, version };
        page::status(&site(&edition, &streams), &report, now)
    };
    Ok(html(aside(work).await?))
}

/// `/item/{item}`: one story, its sources and its trace. Made for who asks: its calls go on without anything that is
/// published changing. Whoever has it asks again each time and is told so.
pub(crate) async fn item(
    Extract(state): Extract<State>,
    sight: Sight,
    item: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such story. The front page has the latest ones.");
    let asked = item.ok().and_then(|Path(text)| api::read_item(&text)).ok_or_else(missing)?;
    let edition = state.parts().live.get();
    let _turn = state.0.costly.acquire().await;
    let told = trace::of_item(sight.store(), &edition.published, asked).await?.ok_or_else(missing)?;
    if told.item != asked {
        return Ok(api::moved(told.item));
    }
    let work = move || {
        let streams = edition.published.stream_shapes();
        Document::new(HTML, page::item(&site(&edition, &streams), &told.view, &told.trace), None)
    };
    let now = state.parts().clock.now();
    Ok(aside(work).await?.answer(&headers, Manner { max_age: 0, vary: "Accept-Encoding", now }).await)
}

/// Ten thousand feeds take some ten milliseconds to write: not on a thread that serves.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Failed(format!("rendering was cut short: {error}")))
}

/// `/static/icon.svg`, and `/favicon.ico`, which browsers ask for beside feeds.
pub(crate) async fn icon() -> Response {
    let cache = (CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    ([(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")), cache], page::ICON).into_response()
}

/// Style and script of all pages, made ready once for all requests.
pub(crate) fn static_documents() -> (Document, Document) {
    (Document::new(CSS, page::STYLE.to_owned(), None), Document::new(SCRIPT, page::SCRIPT.to_owned(), None))
}

/// `/static/live.js`.
pub(crate) async fn script(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let manner = Manner { max_age: STYLE_AGE, vary: "Accept-Encoding", now: state.parts().clock.now() };
    state.0.script.answer(&headers, manner).await
}

/// `/static/style.css`.
pub(crate) async fn style(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let manner = Manner { max_age: STYLE_AGE, vary: "Accept-Encoding", now: state.parts().clock.now() };
    state.0.style.answer(&headers, manner).await
}

/// `/robots.txt`: everything here was published elsewhere first, and that is where it should be found.
pub(crate) async fn robots() -> Response {
    let cache = (CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    ([(CONTENT_TYPE, HeaderValue::from_static(TEXT)), cache], "User-agent: *\nDisallow: /\n").into_response()
}

/// Every other address.
pub(crate) async fn nothing() -> Problem {
    Problem::not_found("There is nothing at this address. The front page lists the streams.")
}

/// A problem as people see it.
pub(crate) fn error(state: &State, problem: &Problem) -> String {
    let edition = state.parts().live.get();
    let streams = edition.published.stream_shapes();
    page::error(&site(&edition, &streams), problem.status, &problem.title, &problem.detail)
}

pub(crate) fn site<'a>(edition: &'a Edition, streams: &'a [StreamShape]) -> Site<'a> {
    Site { title: &edition.published.title, base: &edition.published.public_url, streams }
}

fn html(text: String) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(HTML))], text).into_response()
}
