//! The reading side of the API. An unknown parameter is refused: a misspelt one would else be ignored silently.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::State;
use super::problem::Problem;
use super::sight::Sight;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::DeliveryState;
use crate::publish::items::{self, Params, Sorting, read_since};
use crate::publish::lists::{self, DEFAULT_LIMIT, DeliveryFilter, MAX_LIMIT, Part};
use crate::publish::matches::{self, Tried};
use crate::publish::merges;
use crate::publish::trace::{self, Answer};

type Asked<T> = Result<Query<T>, QueryRejection>;
type Named = Result<Path<String>, PathRejection>;

/// A part of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartQuery {
    limit: Option<u32>,
    after: Option<String>,
}

impl PartQuery {
    fn part(self) -> Result<Part, Problem> {
        Ok(Part { limit: read_limit(self.limit)?, after: self.after })
    }
}

/// A part of the items.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemQuery {
    q: Option<String>,
    stream: Option<String>,
    since: Option<String>,
    order: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// What a query would have met.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MatchQuery {
    q: String,
    since: Option<String>,
    item: Option<String>,
    limit: Option<u32>,
}

/// Merges: all, or those of one item.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeQuery {
    item: Option<i64>,
    limit: Option<u32>,
}

/// What is to be explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainQuery {
    url: String,
}

/// A part of the deliveries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryQuery {
    webhook: Option<String>,
    state: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// `/api/v1/feeds`.
pub(crate) async fn feeds(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Asked<PartQuery>,
) -> Result<Response, Problem> {
    let part = read(asked)?.part()?;
    let published = state.parts().live.get().published;
    let list = lists::feeds(sight.store(), &published, state.parts().clock.now(), &part).await?;
    json(&list)
}

/// `/api/v1/streams`.
pub(crate) async fn streams(Extract(state): Extract<State>, asked: Asked<PartQuery>) -> Result<Response, Problem> {
    let part = read(asked)?.part()?;
    json(&lists::streams(&state.parts().live.get().published, &part))
}

/// `/api/v1/fill`.
pub(crate) async fn fill(Extract(state): Extract<State>) -> Result<Response, Problem> {
    json(&state.parts().control.fill())
}

/// `/api/v1/webhooks`.
pub(crate) async fn webhooks(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Asked<PartQuery>,
) -> Result<Response, Problem> {
    let part = read(asked)?.part()?;
    let published = state.parts().live.get().published;
    let list = lists::webhooks(sight.store(), &published, &part).await?;
    json(&list)
}

/// `/api/v1/deliveries`.
pub(crate) async fn deliveries(sight: Sight, asked: Asked<DeliveryQuery>) -> Result<Response, Problem> {
    let asked = read(asked)?;
    let wanted = match asked.state.as_deref() {
        None => None,
        Some(word) => Some(
            DeliveryState::parse(word)
                .ok_or_else(|| Problem::bad_request("`state` is one of pending, succeeded, failed and held."))?,
        ),
    };
    let part = Part { limit: read_limit(asked.limit)?, after: asked.after };
    let filter = DeliveryFilter { webhook: asked.webhook, state: wanted };
    let list = lists::deliveries(sight.store(), filter, &part).await?;
    json(&list)
}

/// `/api/v1/deliveries/{id}`, with its log.
pub(crate) async fn delivery(sight: Sight, id: Named) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such delivery. /api/v1/deliveries lists them.");
    let Ok(Path(id)) = id else { return Err(missing()) };
    json(&lists::delivery(sight.store(), &id).await?.ok_or_else(missing)?)
}

/// `/api/v1/items`.
pub(crate) async fn items(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Asked<ItemQuery>,
) -> Result<Response, Problem> {
    let asked = read(asked)?;
    let since = read_age(asked.since.as_deref(), state.parts().clock.now())?;
    let limit = read_limit(asked.limit)?;
    let sorting = match asked.order.as_deref() {
        None | Some("date") => Sorting::Newest,
        Some("score") => Sorting::Best,
        Some(_) => return Err(Problem::bad_request("`order` is `date` (newest first) or `score` (best first).")),
    };
    let (query, stream, after) = (asked.q, asked.stream, asked.after);
    let params = Params { query, stream, since, after, limit, sorting, ..Params::default() };
    let _turn = state.0.costly.acquire().await;
    let list = items::list(sight.store(), &state.parts().live.get(), &params, state.parts().clock.now()).await?;
    json(&list)
}

/// `/api/v1/matches`: what a query would have met, or why it meets one story or not.
pub(crate) async fn matches(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Asked<MatchQuery>,
) -> Result<Response, Problem> {
    let asked = read(asked)?;
    let (published, now) = (state.parts().live.get().published, state.parts().clock.now());
    let _turn = state.0.costly.acquire().await;
    if let Some(item) = &asked.item {
        return match matches::of_item(sight.store(), &published, &asked.q, item, now).await? {
            Tried::Story(told) => json(&told),
            Tried::Unkept(unkept) => Err(Problem::unkept(unkept)),
        };
    }
    let since = read_age(asked.since.as_deref(), now)?;
    let samples = read_limit(Some(asked.limit.unwrap_or(matches::SAMPLES)))?;
    let params = matches::Params { query: asked.q, since, samples };
    json(&matches::list(sight.store(), &published, &params, state.parts().clock.now()).await?)
}

/// `/api/v1/items/{item}`, with its trace. An absorbed one leads to the one that was kept.
pub(crate) async fn item(Extract(state): Extract<State>, sight: Sight, item: Named) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such item. /api/v1/items lists them.");
    let asked = item.ok().and_then(|Path(text)| read_item(&text)).ok_or_else(missing)?;
    let published = state.parts().live.get().published;
    let told = trace::of_item(sight.store(), &published, asked).await?.ok_or_else(missing)?;
    if told.item == asked { json(&told.shape()) } else { Ok(moved(told.item)) }
}

/// `/api/v1/explain`: the story behind a URL, a published id or a number; else a problem that says why there is none.
pub(crate) async fn explain(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Asked<ExplainQuery>,
) -> Result<Response, Problem> {
    let given = read(asked)?.url;
    let published = state.parts().live.get().published;
    let _turn = state.0.costly.acquire().await;
    match trace::explain(sight.store(), &published, &given, state.parts().clock.now()).await? {
        Answer::Story(told) => json(&told.shape()),
        Answer::Unkept(unkept) => Err(Problem::unkept(unkept)),
    }
}

/// The number of an item as it stands in an address: one form only.
pub(crate) fn read_item(text: &str) -> Option<ItemId> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text).map(ItemId)
}

/// From an absorbed item to the one that was kept, for good: both stand in one folder, wherever that is served.
pub(crate) fn moved(kept: ItemId) -> Response {
    let to = HeaderValue::from(kept.0);
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, to)]).into_response()
}

/// `/api/v1/merges`: stories that were found to be one.
pub(crate) async fn merges(sight: Sight, asked: Asked<MergeQuery>) -> Result<Response, Problem> {
    let asked = read(asked)?;
    json(&merges::list(sight.store(), asked.item, read_limit(asked.limit)?).await?)
}

/// `/api/v1/openapi.json`: the description of all this (`OpenAPI` 3.1).
pub(crate) async fn openapi() -> Response {
    const DESCRIPTION: &str = include_str!("openapi.json");
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DESCRIPTION).into_response()
}

/// Any answer of the API.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer of the API could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The answer could not be written.")
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}

fn read<T>(asked: Asked<T>) -> Result<T, Problem> {
    asked.map(|Query(asked)| asked).map_err(|error| {
        Problem::bad_request(format!("The query of the address cannot be read: {}.", error.body_text()))
    })
}

fn read_age(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let since = read_since(text, now).ok_or_else(|| {
        Problem::bad_request("`since` is a time such as 2026-11-24T08:00:00Z, or an age such as 30d, 12h, 90m.")
    })?;
    Ok(Some(since))
}

fn read_limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request(format!("`limit` is {limit}, and may be 1 to {MAX_LIMIT}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_from_one_to_a_thousand() {
        for (asked, limit) in
            [(None, Some(100)), (Some(1), Some(1)), (Some(1000), Some(1000)), (Some(0), None), (Some(1001), None)]
        {
            assert_eq!(read_limit(asked).ok(), limit, "{asked:?}");
        }
    }

    #[test]
    fn a_misspelt_parameter_is_refused_by_its_name() {
        let read_url = |url: &str| read(Query::<ItemQuery>::try_from_uri(&url.parse().unwrap()));
        assert!(read_url("/api/v1/items?q=peace&limit=5&since=3d&stream=all").is_ok());
        let problem = read_url("/api/v1/items?limt=5").map(|_| ()).unwrap_err();
        assert!(problem.detail.contains("limt"), "{}", problem.detail);
        assert_eq!(problem.status, 400);
    }
}
