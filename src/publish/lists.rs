//! The lists of the API, made from the store without HTTP: `--json` of the command line prints exactly these.
//!
//! All have one form: `{"<noun>": […], "next": "cursor"}`, `next` absent at the end.

use serde::{Deserialize, Serialize};
use url::Url;

use super::published::Published;
use crate::domain::feed::{Health, IdPolicy};
use crate::domain::shape::{
    AttemptShape, DeliveryShape, ErrorShape, FeedShape, KnownByShape, MergedShape, RedirectShape, StreamShape,
    WebhookShape,
};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Attempt, DeliveryId, DeliveryState, DeliveryStatus, WebhookState, WebhookStatus};
use crate::store::{FeedStatus, Store, StoreError};

/// How much of a list is given where nothing is asked.
pub const DEFAULT_LIMIT: u32 = 100;
/// How much of a list is given at most.
pub const MAX_LIMIT: u32 = 1000;

/// Which part of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// At most so many; kept within 1 and [`MAX_LIMIT`].
    pub limit: u32,
    /// What `next` said before.
    pub after: Option<String>,
}

impl Default for Part {
    fn default() -> Self {
        Self { limit: DEFAULT_LIMIT, after: None }
    }
}

/// Why there is no list.
#[derive(thiserror::Error, Debug)]
pub enum ListError {
    /// What was asked makes no sense: a sentence.
    #[error("{0}")]
    Asked(String),
    /// The query is wrong.
    #[error("{0}")]
    Query(QueryError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A query that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryError {
    /// A sentence that names the cause.
    pub message: String,
    /// Where it begins in the query, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// The query with carets under the place: two lines.
    pub marked: String,
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        write!(f, "\n{}", self.marked)
    }
}

/// `{"feeds": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FeedList {
    /// By name.
    pub feeds: Vec<FeedShape>,
    /// Where the next part begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// `{"streams": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamList {
    /// In the order of the configuration.
    pub streams: Vec<StreamShape>,
    /// Where the next part begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// `{"webhooks": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WebhookList {
    /// By name.
    pub webhooks: Vec<WebhookShape>,
    /// Where the next part begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// `{"deliveries": […]}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeliveryList {
    /// Newest first.
    pub deliveries: Vec<DeliveryShape>,
    /// Where the next part begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// Which deliveries are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this webhook.
    pub webhook: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

/// All feeds with their health, by name.
///
/// # Errors
/// The store failed.
pub async fn all_feeds(store: &dyn Store, published: &Published, now: Timestamp) -> Result<Vec<FeedShape>, StoreError> {
    let statuses = store.feed_status().await?;
    Ok(statuses.into_iter().map(|status| feed_shape(status, published, now)).collect())
}

/// The feeds with their health, by name; the cursor is the name of the last one.
///
/// # Errors
/// The store failed.
pub async fn feeds(
    store: &dyn Store,
    published: &Published,
    now: Timestamp,
    part: &Part,
) -> Result<FeedList, ListError> {
    let all = all_feeds(store, published, now).await?;
    let (feeds, next) = cut_by_name(all, part, |feed| &feed.name);
    Ok(FeedList { feeds, next })
}

/// The streams, in the order of the configuration; the cursor is the name of the last one.
#[must_use]
pub fn streams(published: &Published, part: &Part) -> StreamList {
    let mut all = published.stream_shapes();
    if let Some(after) = &part.after {
        let begin = all.iter().position(|stream| stream.name == *after).map_or(all.len(), |at| at + 1);
        all.drain(..begin);
    }
    let (streams, next) = cut(all, part.limit, |stream| stream.name.clone());
    StreamList { streams, next }
}

/// All webhooks, by name.
///
/// # Errors
/// The store failed.
pub async fn all_webhooks(store: &dyn Store, published: &Published) -> Result<Vec<WebhookShape>, StoreError> {
    let statuses = store.webhook_status().await?;
    Ok(statuses.into_iter().map(|status| webhook_shape(status, published)).collect())
}

/// The webhooks, by name; the cursor is the name of the last one.
///
/// # Errors
/// The store failed.
pub async fn webhooks(store: &dyn Store, published: &Published, part: &Part) -> Result<WebhookList, ListError> {
    let all = all_webhooks(store, published).await?;
    let (webhooks, next) = cut_by_name(all, part, |webhook| &webhook.name);
    Ok(WebhookList { webhooks, next })
}

/// Deliveries without their logs, newest first; the cursor is the row of the last one.
///
/// # Errors
/// The cursor is none, or the store failed.
pub async fn deliveries(store: &dyn Store, filter: DeliveryFilter, part: &Part) -> Result<DeliveryList, ListError> {
    let before = match part.after.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map(DeliveryId).map_err(|_| bad_cursor(text))?),
    };
    let limit = part.limit.clamp(1, MAX_LIMIT);
    // One more than asked tells whether there is a next part.
    let rows = store.deliveries(filter.webhook, filter.state, before, limit + 1).await?;
    let rows: Vec<_> = rows.into_iter().map(|status| (status.id, delivery_shape(status))).collect();
    let (rows, next) = cut(rows, limit, |(id, _)| id.0.to_string());
    Ok(DeliveryList { deliveries: rows.into_iter().map(|(_, shape)| shape).collect(), next })
}

/// One delivery by its `webhook-id`, with its log.
///
/// # Errors
/// The store failed.
pub async fn delivery(store: &dyn Store, message_id: &str) -> Result<Option<DeliveryShape>, StoreError> {
    Ok(store.delivery(message_id.to_owned()).await?.map(delivery_shape))
}

/// The sentence about a cursor that is none.
pub(crate) fn bad_cursor(text: &str) -> ListError {
    let short: String = text.chars().take(40).collect();
    ListError::Asked(format!("`{short}` is no place in this list. Give what `next` said, or leave `after` out."))
}

pub(crate) fn cut_by_name<T>(mut all: Vec<T>, part: &Part, name: impl Fn(&T) -> &str) -> (Vec<T>, Option<String>) {
    all.sort_by(|a, b| name(a).cmp(name(b)));
    if let Some(after) = &part.after {
        all.retain(|one| name(one) > after.as_str());
    }
    cut(all, part.limit, |one| name(one).to_owned())
}

fn cut<T>(mut all: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit.clamp(1, MAX_LIMIT)).unwrap_or(1);
    let more = all.len() > limit;
    all.truncate(limit);
    let next = if more { all.last().map(cursor) } else { None };
    (all, next)
}

fn feed_shape(status: FeedStatus, published: &Published, now: Timestamp) -> FeedShape {
    let FeedStatus { name, url, info, state, items, moves, merged, .. } = status;
    let settings = published.feeds.get(name.as_str());
    let health = match settings {
        Some(feed) if !feed.enabled => Health::Paused,
        _ => state.health(now),
    };
    FeedShape {
        title: info.title,
        url: without_credentials(&url),
        current_url: without_credentials(if state.current_url.is_empty() { &url } else { &state.current_url }),
        home_page_url: info.home_url,
        tags: settings.map(|feed| feed.tags.to_vec()).unwrap_or_default(),
        state: health,
        last_success: state.last_ok,
        last_attempt: state.last_try,
        next_poll: state.due_at.filter(|_| !matches!(health, Health::Paused | Health::Gone)),
        next_poll_reason: match state.paused_at {
            Some(since) => Some(format!("it was paused by hand at {since}")),
            None => Some(state.due_reason).filter(|reason| !reason.is_empty()),
        },
        items,
        errors_in_row: state.errors,
        error: state.error.map(|e| ErrorShape { kind: e.kind, http_status: e.http_status, message: e.message }),
        known_by: Some(state.habits).filter(|habits| habits.id != IdPolicy::Guid).map(|habits| KnownByShape {
            id: habits.id,
            reason: habits.reason,
            since: habits.since,
        }),
        redirects: moves
            .into_iter()
            .map(|step| RedirectShape {
                at: step.at,
                status: step.status,
                from: without_credentials(&step.from),
                to: without_credentials(&step.to),
            })
            .collect(),
        merged: merged.map(|merged| MergedShape { into: merged.into, since: merged.since }),
        name,
    }
}

/// User names and passwords in URLs are never shown anywhere.
pub(super) fn without_credentials(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if parsed.username().is_empty() && parsed.password().is_none() {
        return url.to_owned();
    }
    let cleared = parsed.set_username("").is_ok() && parsed.set_password(None).is_ok();
    if cleared { parsed.into() } else { String::new() }
}

fn webhook_shape(status: WebhookStatus, published: &Published) -> WebhookShape {
    let settings = published.webhooks.get(&status.name);
    WebhookShape {
        // One that is no longer configured but still owes deliveries.
        format: settings.filter(|_| status.active).map_or_else(|| "removed".to_owned(), |hook| hook.format.clone()),
        events: settings.map(|webhook| webhook.events.clone()).unwrap_or_default(),
        name: status.name,
        state: status.state,
        reason: status.reason,
        slowed_until: status.slow_until.filter(|_| status.state == WebhookState::Slowed),
        due: status.due,
        failed: status.failed,
        oldest_due: status.oldest_due,
        last_attempt: status.last_attempt.map(attempt_shape),
    }
}

pub(super) fn delivery_shape(status: DeliveryStatus) -> DeliveryShape {
    DeliveryShape {
        id: status.message_id,
        webhook: status.webhook,
        kind: status.kind.as_str().to_owned(),
        item: status.item.map(|item| item.0),
        feed: status.feed,
        state: status.state,
        attempts: status.attempts,
        next_attempt: status.next_attempt,
        body: status.body,
        log: status.log.into_iter().map(attempt_shape).collect(),
    }
}

fn attempt_shape(attempt: Attempt) -> AttemptShape {
    AttemptShape {
        at: attempt.at,
        http_status: attempt.http_status,
        duration_ms: attempt.duration_ms,
        error: attempt.error,
        request: Some(attempt.request).filter(|text| !text.is_empty()),
        response: Some(attempt.response).filter(|text| !text.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::published::tests::example;
    use super::super::published::{PublishedFeed, PublishedWebhook};
    use super::*;
    use crate::domain::feed::{FeedId, FeedInfo, FeedState};
    use crate::domain::webhook::WebhookId;

    fn status(name: &str, url: &str) -> FeedStatus {
        let state = FeedState { due_at: Some(Timestamp::from_secs(9)), ..FeedState::default() };
        let (name, url, info) = (name.into(), url.into(), FeedInfo::default());
        FeedStatus { feed: FeedId(1), name, url, info, state, items: 3, moves: Vec::new(), merged: None }
    }

    #[test]
    fn a_feed_that_is_switched_off_is_paused_and_is_asked_no_more() {
        let mut published = example();
        published.feeds.insert("a".into(), PublishedFeed { tags: ["x".into()].into(), ..PublishedFeed::default() });
        published.feeds.insert("b".into(), PublishedFeed { enabled: true, ..PublishedFeed::default() });
        let paused = feed_shape(status("a", "https://a.example/"), &published, Timestamp::from_secs(1));
        assert_eq!((paused.state, paused.next_poll, paused.tags), (Health::Paused, None, vec!["x".to_owned()]));
        let active = feed_shape(status("b", "https://b.example/"), &published, Timestamp::from_secs(1));
        assert_eq!((active.state, active.next_poll), (Health::Ok, Some(Timestamp::from_secs(9))));
        assert_eq!(active.current_url, "https://b.example/");
    }

    #[test]
    fn user_names_and_passwords_in_urls_are_not_shown() {
        for (url, shown) in [
            ("https://me:pw@a.example/rss?x=1", "https://a.example/rss?x=1"),
            ("https://me@a.example/", "https://a.example/"),
            ("https://a.example/@me", "https://a.example/@me"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    #[test]
    fn a_list_is_cut_at_its_limit_and_goes_on_after_its_cursor() {
        let names = |list: &[String]| list.iter().map(String::clone).collect::<Vec<_>>();
        let all: Vec<String> = ["c", "a", "b"].map(str::to_owned).to_vec();
        let (first, next) = cut_by_name(all.clone(), &Part { limit: 2, after: None }, |one| one);
        assert_eq!((names(&first), next.as_deref()), (vec!["a".to_owned(), "b".to_owned()], Some("b")));
        let (rest, next) = cut_by_name(all, &Part { limit: 2, after: next }, |one| one);
        assert_eq!((names(&rest), next), (vec!["c".to_owned()], None));
    }

    #[test]
    fn streams_go_on_after_their_cursor_in_the_order_of_the_configuration() {
        let first = streams(&example(), &Part { limit: 1, after: None });
        assert_eq!((first.streams[0].name.as_str(), first.next.as_deref()), ("all", Some("all")));
        let second = streams(&example(), &Part { limit: 1, after: first.next });
        assert_eq!((second.streams[0].name.as_str(), second.next), ("peace-talks", None));
        assert!(streams(&example(), &Part { limit: 1, after: Some("none".into()) }).streams.is_empty());
    }

    #[test]
    fn a_webhook_that_is_configured_no_more_says_so() {
        let mut published = example();
        let webhook = PublishedWebhook { format: "standard".into(), events: vec!["new".into()] };
        published.webhooks.insert("desk".into(), webhook);
        let status = |name: &str| WebhookStatus {
            id: WebhookId(1),
            name: name.into(),
            state: WebhookState::Active,
            reason: None,
            slow_until: None,
            active: true,
            due: 0,
            failed: 0,
            oldest_due: None,
            last_attempt: None,
        };
        assert_eq!(webhook_shape(status("desk"), &published).format, "standard");
        assert_eq!(webhook_shape(status("old"), &published).format, "removed");
    }
}
