//! `/search`, as a page and as feeds. It is open to anyone, so a query has a length, a search has a time, and few run at
//! once; who finds all places taken is asked to come again.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::State;
use super::cache::{Document, Format, Manner};
use super::conditional;
use super::feeds::{birth, document, media};
use super::pages::{HTML, aside, site};
use super::problem::Problem;
use super::sight::Sight;
use crate::publish::items::{self, Finding, Params, Sorting};
use crate::publish::lists::ListError;
use crate::publish::render::page::{self, Results};
use crate::publish::render::{Channel, Pages};

/// Longest query, in bytes.
const MAX_QUERY_BYTES: usize = 1000;
/// How long one search may take before it gives what it has.
const BUDGET: Duration = Duration::from_secs(2);
/// How long it waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// When to come again, in seconds.
const COME_AGAIN: u16 = 10;
/// Results of a page.
const PAGE: u32 = 30;
/// Items of a feed.
const FEED: u32 = 100;

/// Other parameters are let through: caches and trackers add theirs.
#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    q: Option<String>,
    order: Option<String>,
    after: Option<String>,
}

type AskedFor = Result<Query<Asked>, QueryRejection>;

/// `/search`.
pub(crate) async fn page(Extract(state): Extract<State>, sight: Sight, asked: AskedFor) -> Result<Response, Problem> {
    results(&state, &sight, read(asked)?).await
}

/// `/search.atom`.
pub(crate) async fn atom(
    state: Extract<State>,
    sight: Sight,
    asked: AskedFor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    feed(state.0, sight, asked, headers, Format::Atom).await
}

/// `/search.rss`.
pub(crate) async fn rss(
    state: Extract<State>,
    sight: Sight,
    asked: AskedFor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    feed(state.0, sight, asked, headers, Format::Rss).await
}

/// `/search.json`.
pub(crate) async fn json(
    state: Extract<State>,
    sight: Sight,
    asked: AskedFor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    feed(state.0, sight, asked, headers, Format::Json).await
}

fn read(asked: AskedFor) -> Result<Asked, Problem> {
    let Query(asked) =
        asked.map_err(|error| Problem::bad_request(format!("The query of the address cannot be read: {error}.")))?;
    match asked.q.as_deref().unwrap_or_default().len() {
        0..=MAX_QUERY_BYTES => Ok(asked),
        _ => Err(Problem::bad_request(format!(
            "The query is longer than {MAX_QUERY_BYTES} bytes. Ask for less at once."
        ))),
    }
}

/// What a search came to.
enum Outcome {
    Found(Finding),
    /// The query cannot be read: why, with carets under the place.
    Wrong(String),
    /// All places are taken.
    Busy,
}

async fn search(state: &State, sight: &Sight, asked: &Asked, sorting: Sorting, limit: u32) -> Result<Outcome, Problem> {
    let Ok(turn) = tokio::time::timeout(PATIENCE, state.0.costly.acquire()).await else { return Ok(Outcome::Busy) };
    let params = Params {
        query: asked.q.clone(),
        after: asked.after.clone().filter(|after| !after.is_empty()),
        limit,
        sorting,
        budget: BUDGET,
        ..Params::default()
    };
    let found = items::find(sight.store(), &state.parts().live.get(), &params, state.parts().clock.now()).await;
    drop(turn);
    match found {
        Ok(found) => Ok(Outcome::Found(found)),
        Err(ListError::Query(wrong)) => Ok(Outcome::Wrong(wrong.to_string())),
        Err(other) => Err(other.into()),
    }
}

fn busy() -> Response {
    let sentence = "Others are searching, and there are no more places. Try again in some seconds.";
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(COME_AGAIN));
    response
}

async fn results(state: &State, sight: &Sight, asked: Asked) -> Result<Response, Problem> {
    let best = asked.order.as_deref() != Some("date");
    let is_asked = asked.q.as_deref().is_some_and(|query| !query.trim().is_empty());
    let nothing = || Finding { views: Vec::new(), told: Vec::new(), next: None, partial: false };
    let (found, trouble) = match is_asked {
        false => (nothing(), None),
        true => match search(state, sight, &asked, if best { Sorting::Best } else { Sorting::Newest }, PAGE).await? {
            Outcome::Found(found) => (found, None),
            Outcome::Wrong(why) => (nothing(), Some(why)),
            Outcome::Busy => return Ok(busy()),
        },
    };
    let status = if trouble.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let edition = state.parts().live.get();
    let text = aside(move || {
        let streams = edition.published.stream_shapes();
        let results = Results {
            query: asked.q.as_deref().unwrap_or_default().trim(),
            best,
            views: &found.views,
            told: &found.told,
            next: found.next.as_deref(),
            partial: found.partial,
            trouble: trouble.as_deref(),
        };
        page::search(&site(&edition, &streams), &results)
    })
    .await?;
    Ok((status, [(CONTENT_TYPE, HeaderValue::from_static(HTML))], text).into_response())
}

async fn feed(
    state: State,
    sight: Sight,
    asked: AskedFor,
    headers: HeaderMap,
    format: Format,
) -> Result<Response, Problem> {
    let asked = read(asked)?;
    if conditional::is_navigation(&headers) {
        return results(&state, &sight, Asked { order: Some("date".to_owned()), ..asked }).await;
    }
    let query = asked.q.clone().unwrap_or_default().trim().to_owned();
    if query.is_empty() {
        return Err(Problem::bad_request("What to search for is missing: add `?q=` and a query to the address."));
    }
    let found = match search(&state, &sight, &asked, Sorting::Newest, FEED).await? {
        Outcome::Found(found) => found,
        Outcome::Wrong(why) => return Err(Problem::bad_request(why)),
        Outcome::Busy => return Ok(busy()),
    };
    // A feed that lacks stories for once would be taken for one that lost them.
    if found.partial {
        return Ok(busy());
    }
    let published = state.parts().live.get().published;
    let instance = state.store().instance();
    let now = state.parts().clock.now();
    let made = move || {
        let asked = page::asked(&[("q", &query)]);
        let updated = found.views.iter().map(|view| view.item.updated).max().unwrap_or_else(|| birth(&instance));
        let channel = Channel {
            name: "search".to_owned(),
            title: format!("{}: {query}", published.title),
            id: format!("tag:{}:{}/search{asked}", instance.tagging, instance.id),
            base: published.public_url.clone(),
            asked,
            updated,
            ttl_minutes: published.ttl_minutes,
            pages: Pages::default(),
        };
        Document::new(media(format), document(format, &channel, &found.views), Some(updated))
    };
    let document = aside(made).await?;
    let max_age = state.max_age(now);
    let mut response =
        document.answer(&headers, Manner { max_age, vary: "Accept-Encoding, Sec-Fetch-Dest", now }).await;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}
