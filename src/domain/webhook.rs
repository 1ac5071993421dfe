//! A webhook, the events that it is called about, and a delivery on its way.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::item::{Item, ItemId};
use super::shape::{CallFeed, ErrorShape};
use super::stream::{Match, StreamId};
use super::time::Timestamp;

/// A webhook's row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct WebhookId(pub i64);

/// A delivery's row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeliveryId(pub i64);

/// What a webhook can be called about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum EventKind {
    /// An item first entered a stream of the webhook.
    #[serde(rename = "item.new")]
    ItemNew,
    /// An item in one of its streams was edited.
    #[serde(rename = "item.updated")]
    ItemUpdated,
    /// A feed counts as broken from now on.
    #[serde(rename = "feed.broken")]
    FeedBroken,
    /// A feed that was broken answers well again.
    #[serde(rename = "feed.recovered")]
    FeedRecovered,
    /// A webhook failed for so long that it was paused.
    #[serde(rename = "webhook.paused")]
    WebhookPaused,
    /// A webhook answered 410.
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled,
    /// The template of a webhook failed: a call went out in the standard form instead.
    #[serde(rename = "webhook.template_failed")]
    TemplateFailed,
}

impl EventKind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ItemNew => "item.new",
            Self::ItemUpdated => "item.updated",
            Self::FeedBroken => "feed.broken",
            Self::FeedRecovered => "feed.recovered",
            Self::WebhookPaused => "webhook.paused",
            Self::WebhookDisabled => "webhook.disabled",
            Self::TemplateFailed => "webhook.template_failed",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::ItemNew,
            Self::ItemUpdated,
            Self::FeedBroken,
            Self::FeedRecovered,
            Self::WebhookPaused,
            Self::WebhookDisabled,
            Self::TemplateFailed,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// The snapshot that commits with an item: what the body of each call about it is rendered from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// The item at that moment.
    pub item: Item,
    /// What changed, for `item.updated`: `title`, `summary`, `content`, `link` …
    pub changed: Vec<String>,
    /// The streams that it entered by the edit, for `item.updated`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entered: Vec<StreamId>,
}

/// What the operator is told of a feed, as it was at that moment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// The feed.
    pub feed: CallFeed,
    /// Since when it fails or, if it recovered, had failed.
    pub since: Timestamp,
    /// Failures in a row.
    pub errors_in_row: u32,
    /// The last of them.
    pub error: Option<ErrorShape>,
}

/// What the operator is told of a webhook, as it was at that moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HookAlert {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// Its name.
    pub webhook: String,
    /// Since when there was nothing but failures, where that is why.
    pub since: Option<Timestamp>,
    /// Why, in a sentence.
    pub reason: String,
    /// Deliveries that it is owed.
    pub due: u64,
}

/// What a call is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Subject {
    /// An item.
    Item(Box<Event>),
    /// A feed.
    Feed(Box<Alert>),
    /// A webhook.
    Hook(Box<HookAlert>),
}

/// A delivery that was leased to be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct DeliveryLease {
    /// The row.
    pub id: DeliveryId,
    /// Proves that the lease is still ours; settling with another one changes nothing.
    pub token: u64,
    /// To whom.
    pub webhook: WebhookId,
    /// `webhook-id`: the same in every attempt, in one event for one webhook, for ever.
    pub message_id: String,
    /// What it is about.
    pub subject: Subject,
    /// Which streams of this webhook it is in, and why.
    pub matches: Vec<Match>,
    /// Names of these streams, in the order of `matches`.
    pub streams: Vec<String>,
    /// The body, once it was rendered; it is never rendered again.
    pub body: Option<Vec<u8>>,
    /// Attempts made so far.
    pub attempts: u32,
    /// Those of them that count against the schedule.
    pub tries: u32,
}

/// One attempt, as it is logged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status, if an answer came.
    pub http_status: Option<u16>,
    /// What went wrong, in a sentence; `None` for a success.
    pub error: Option<String>,
    /// Request headers, a line each, signature masked.
    pub request: String,
    /// The first 16 KiB of the answer, as text.
    pub response: String,
}

/// What follows from an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// 2xx: done.
    Succeeded,
    /// Again at this time.
    Retry(Timestamp),
    /// The schedule is used up: kept as failed, to be replayed by hand.
    Failed,
    /// 410: the webhook is disabled and holds its deliveries.
    Disabled,
    /// It counts for nothing: the webhook is slowed, paused or disabled. The delivery is due when that ends.
    PutBack,
}

/// The end of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The lease's token.
    pub token: u64,
    /// What was done.
    pub attempt: Attempt,
    /// When it was over, by the clock as it is by then: it may have been set meanwhile.
    pub ended: Timestamp,
    /// What follows, unless the webhook's state wants something else.
    pub verdict: Verdict,
    /// The whole webhook is to be left alone, for at least as long as it asks.
    pub overload: Option<Duration>,
    /// After so long of nothing but failures it is paused.
    pub pause_after: Duration,
    /// Who is told of that.
    pub alerts: Arc<[WebhookId]>,
}

impl Settlement {
    /// An attempt that says nothing of the webhook as a whole; nobody is told, and no clock was set.
    #[must_use]
    pub fn new(delivery: DeliveryId, token: u64, attempt: Attempt, verdict: Verdict) -> Self {
        let ended = attempt.at.plus(Duration::from_millis(attempt.duration_ms));
        let (overload, pause_after, alerts) = (None, Duration::MAX, Arc::default());
        Self { delivery, token, attempt, ended, verdict, overload, pause_after, alerts }
    }
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// What follows for the delivery.
    pub verdict: Verdict,
    /// The webhook's state, if it became another one by this.
    pub turned: Option<WebhookState>,
    /// Deliveries that were enqueued to tell of it.
    pub owed: u32,
    /// How long the delivery had been owed by then.
    pub after: Duration,
}

/// How often a webhook is called at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// So many calls; at least one.
    pub count: u32,
    /// In this time.
    pub per: Duration,
}

impl Rate {
    /// From one call to the next, were they evenly spread.
    #[must_use]
    pub fn gap(self) -> Duration {
        self.per / self.count.max(1)
    }

    /// How far ahead of that calls may go: timers are not exact, and a tenth of a second is no burst.
    #[must_use]
    pub fn slack(self) -> Duration {
        self.gap().max(Duration::from_millis(100))
    }
}

/// State of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Owed.
    Pending,
    /// Received.
    Succeeded,
    /// Given up.
    Failed,
    /// Owed, but the webhook is paused or disabled.
    Held,
}

impl std::str::FromStr for DeliveryState {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::parse(word).ok_or("it is one of pending, succeeded, failed and held")
    }
}

impl DeliveryState {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed, Self::Held].into_iter().find(|state| state.as_str() == word)
    }
}

/// State of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// Called as usual.
    Active,
    /// Slowed down by its own answers.
    Slowed,
    /// Paused: deliveries are held.
    Paused,
    /// It answered 410: deliveries are held.
    Disabled,
}

impl WebhookState {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Slowed => "slowed",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Slowed, Self::Paused, Self::Disabled].into_iter().find(|state| state.as_str() == word)
    }
}

/// A webhook as it stands, for listings.
#[derive(Clone, PartialEq, Debug)]
pub struct WebhookStatus {
    /// The row.
    pub id: WebhookId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: WebhookState,
    /// Why it is in that state, in a sentence.
    pub reason: Option<String>,
    /// While it is slowed: until when nothing is sent.
    pub slow_until: Option<Timestamp>,
    /// Whether it is configured.
    pub active: bool,
    /// Deliveries that are owed, held ones included.
    pub due: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// When the oldest one that is owed was enqueued.
    pub oldest_due: Option<Timestamp>,
    /// The last attempt.
    pub last_attempt: Option<Attempt>,
}

/// A delivery as it stands, for listings.
#[derive(Clone, PartialEq, Debug)]
pub struct DeliveryStatus {
    /// The row: the cursor of listings.
    pub id: DeliveryId,
    /// `webhook-id`.
    pub message_id: String,
    /// The webhook's name.
    pub webhook: String,
    /// What it is about.
    pub kind: EventKind,
    /// Which item, if it is about one.
    pub item: Option<ItemId>,
    /// The name of the feed, if it is about one.
    pub feed: Option<String>,
    /// Its state.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due.
    pub next_attempt: Option<Timestamp>,
    /// What each attempt sends, once it was rendered; only of a single one.
    pub body: Option<String>,
    /// The log, oldest first; empty in lists, filled for a single one.
    pub log: Vec<Attempt>,
}
