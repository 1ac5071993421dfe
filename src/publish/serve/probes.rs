//! What machines ask: is it alive, does it work, how much has it done.

use std::time::{Duration, Instant};

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{Parts, State};
use crate::domain::time::Timestamp;
use crate::ops::health::{NextDue, Readiness};
use crate::ops::metrics::{CONTENT_TYPE as OPENMETRICS, StoreNumbers};
use crate::store::StoreHealth;

/// How long the database may take to say that it is there.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// `/healthz`: the process lives and answers.
pub(crate) async fn healthz() -> Response {
    text(StatusCode::OK, "ok\n".to_owned())
}

/// `/readyz`: the database answers and polling is not behind.
pub(crate) async fn readyz(Extract(state): Extract<State>) -> Response {
    let database = match tokio::time::timeout(DATABASE_TIMEOUT, state.whole().health()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database failed");
            Err("it failed".to_owned())
        }
        Err(_) => Err(format!("no answer within {} s", DATABASE_TIMEOUT.as_secs())),
    };
    let Parts { progress, clock, .. } = state.parts();
    let readiness = Readiness::judge(database, age(progress.next_due().at(), clock.now()), progress, Instant::now());
    if readiness.ready() {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, readiness.reasons.join("\n") + "\n")
}

/// `/metrics`, the states as they are at this moment.
pub(crate) async fn metrics(Extract(state): Extract<State>) -> Result<Response, Problem> {
    let parts = state.parts();
    let now = parts.clock.now();
    // A database that fails must not hide the other numbers: they are needed most then.
    if let Ok(feeds) = state.whole().feed_health(now).await {
        parts.metrics.feeds(feeds);
    }
    if let Ok(health) = state.whole().health().await {
        parts.metrics.store(&numbers(&health, parts.progress.next_due(), now));
    }
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS))], parts.metrics.text()).into_response())
}

fn age(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.map(|at| now.since(at)).unwrap_or_default()
}

fn numbers(health: &StoreHealth, next: NextDue, now: Timestamp) -> StoreNumbers {
    StoreNumbers {
        items: health.items,
        owed: health.owed,
        oldest_owed: age(health.oldest_owed, now),
        given_up: health.failed,
        webhooks: health.webhooks,
        size_bytes: health.size_bytes,
        poll_lag: age(next.at(), now),
        hindered: health.hindrance.is_some(),
    }
}

fn text(status: StatusCode, body: String) -> Response {
    let media = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(CONTENT_TYPE, media)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_counted_from_now_and_what_lies_ahead_is_no_lag() {
        let now = Timestamp::from_secs(100);
        let health = StoreHealth { oldest_owed: Some(Timestamp::from_secs(40)), ..StoreHealth::default() };
        let numbers = numbers(&health, NextDue::At(Timestamp::from_secs(130)), now);
        assert_eq!((numbers.oldest_owed, numbers.poll_lag), (Duration::from_secs(60), Duration::ZERO));
    }
}
