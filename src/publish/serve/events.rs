//! `/events`: stories as they come in, as server-sent events (HTML Living Standard 9.2). The id of an event is its line
//! in the log of changes, so whoever comes back with `Last-Event-ID` goes on where they were.
//!
//! Everybody who listens looks at the log when the store has changed, and not before; there are at most [`LISTENERS`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::State;
use super::problem::Problem;
use super::sight::Sight;
use crate::domain::name::ALL;
use crate::publish::{items, views};
use crate::store::{Store, StoreError};

/// Listeners at a time: each holds a connection.
pub(crate) const LISTENERS: usize = 64;
/// How often the store is looked at for a change: a number in memory.
const LOOK: Duration = Duration::from_millis(500);
/// After so long without an event a comment is sent: proxies cut what is silent, and a client that is gone is noticed.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(25);

/// What is listened to.
#[derive(Deserialize)]
pub(crate) struct Asked {
    stream: Option<String>,
    token: Option<String>,
}

/// `/events`: the stories of `all`, or of `?stream=`.
pub(crate) async fn events(
    Extract(state): Extract<State>,
    sight: Sight,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) =
        asked.map_err(|error| Problem::bad_request(format!("The query of the address cannot be read: {error}.")))?;
    let stream = asked.stream.unwrap_or_else(|| ALL.to_owned());
    let published = state.parts().live.get().published;
    let found = published.stream(&stream).filter(|stream| stream.admits(asked.token.as_deref()));
    let found = found.ok_or_else(|| Problem::not_found("There is no such stream. /api/v1/streams lists them."))?;
    // Who knows a stream's token sees what is in it.
    let store = if found.token.is_some() { Arc::clone(&state.parts().store) } else { sight.0 };
    let Ok(place) = Arc::clone(&state.0.listeners).try_acquire_owned() else {
        let sentence = format!("{LISTENERS} listen already, and no more can. Ask for the feed instead.");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence));
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let mut listener = Listener {
        state,
        store,
        stream,
        token: asked.token,
        at: 0,
        seen: None,
        ready: VecDeque::new(),
        quiet_since: Instant::now(),
        _place: place,
    };
    listener.begin(last).await?;
    let body = futures_util::stream::unfold(listener, |mut listener| async {
        let bytes = listener.next().await?;
        Some((Ok::<_, Infallible>(bytes), listener))
    });
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx would else keep it until it has a page full.
    let unbuffered = ("x-accel-buffering", HeaderValue::from_static("no"));
    let cache = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([kind, cache], [unbuffered], Body::from_stream(body)).into_response())
}

struct Listener {
    state: State,
    store: Arc<dyn Store>,
    stream: String,
    token: Option<String>,
    /// The last line of the log that it knows.
    at: i64,
    /// The state of the store that it knows.
    seen: Option<u64>,
    ready: VecDeque<Bytes>,
    quiet_since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// From `last` on, or from now.
    async fn begin(&mut self, last: Option<i64>) -> Result<(), StoreError> {
        let news = self.store.news(last).await?;
        // What is behind `last` is read at the first look.
        self.at = last.filter(|last| *last < news.upto).unwrap_or(news.upto);
        let hello = format!("retry: 10000\nid: {}\nevent: hello\ndata: {{}}\n\n", self.at);
        self.ready.push_back(hello.into());
        Ok(())
    }

    /// What is sent next; `None`: the daemon stops, the stream is no more, or the database does not answer. The client
    /// comes back by itself.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.quiet_since = Instant::now();
                return Some(bytes);
            }
            // Before anything is read: what is committed meanwhile is read the next time.
            let version = self.store.version();
            if self.seen != Some(version) {
                if self.look().await.ok()? {
                    self.seen = Some(version);
                }
                continue;
            }
            tokio::select! {
                () = self.state.parts().stop.cancelled() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.quiet_since.elapsed() >= HEARTBEAT {
                self.ready.push_back(Bytes::from_static(b":\n\n"));
            }
        }
    }

    /// Reads on in the log. True: up to its end.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let news = self.store.news(Some(self.at)).await?;
        let published = self.state.parts().live.get().published;
        let admitted = published.stream(&self.stream).is_some_and(|stream| stream.admits(self.token.as_deref()));
        if !admitted {
            return Err(StoreError::Closed);
        }
        let ids = news.changes.iter().map(|(_, item, _)| *item).collect();
        let found = self.store.items(ids).await?;
        let views = views::prepare(&*self.store, found).await?;
        for (seq, item, edited) in &news.changes {
            let Some(view) = views.iter().find(|view| view.item.id == *item) else { continue };
            if self.stream != ALL && !view.item.streams.contains(&self.stream) {
                continue;
            }
            let mut view = view.clone();
            published.keep_public(&mut view.item.streams);
            let name = if *edited { "updated" } else { "new" };
            let data = serde_json::to_string(&items::shape(view)).unwrap_or_default();
            self.ready.push_back(format!("id: {seq}\nevent: {name}\ndata: {data}\n\n").into());
        }
        let more = news.upto > self.at;
        self.at = self.at.max(news.upto);
        Ok(!more)
    }
}
