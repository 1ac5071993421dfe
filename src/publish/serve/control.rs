//! What the operator may ask of the running daemon, and the JSON of its answers. The app does it; here it is
//! only asked for, over the control socket or with the admin token.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;
use crate::publish::hooks::{HookReport, ReplayRequest};
use crate::publish::merges::UnmergeReport;
use crate::store::{FeedOrder, HookOrder};

/// What every method of [`Control`] gives: a result some time later.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// Does what the operator asks for. A future may be dropped at any time, when who asked has gone: what was begun
/// must then be finished or not have happened.
pub trait Control: Send + Sync + 'static {
    /// Polls feeds now, `None`: all that are polled at all, and waits for what happened.
    fn poll(&self, names: Option<Vec<String>>) -> Doing<'_, PollReport>;

    /// Pauses or resumes a feed.
    fn order_feed(&self, name: String, order: FeedOrder) -> Doing<'_, FeedReport>;

    /// Reads the configuration again and waits for the verdict.
    fn reload(&self) -> Doing<'_, ReloadReport>;

    /// How far streams that are new or have changed are filled.
    fn fill(&self) -> FillReport;

    /// Sends a signed test call to a webhook and waits for its answer.
    fn test_webhook(&self, name: String) -> Doing<'_, TestReport>;

    /// Pauses or resumes a webhook, or gives up what it is owed.
    fn order_webhook(&self, name: String, order: HookOrder) -> Doing<'_, HookReport>;

    /// Makes deliveries of a webhook due again.
    fn replay(&self, name: String, asked: ReplayRequest) -> Doing<'_, HookReport>;

    /// Logs at another level, as `[log] level` has it, until the next reload.
    fn log_level(&self, level: String) -> Doing<'_, LogReport>;

    /// Parts two items that were made one: the absorbed one is named, or the kept one where it absorbed one only.
    fn unmerge(&self, item: i64) -> Doing<'_, UnmergeReport>;
}

/// Why it was not done.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum ControlError {
    /// There is no such feed.
    #[error("There is no feed `{0}`. `feedmill feeds` lists them.")]
    UnknownFeed(String),
    /// There is no such webhook.
    #[error("There is no webhook `{0}`. `feedmill webhooks` lists them.")]
    UnknownWebhook(String),
    /// What was asked makes no sense: a sentence.
    #[error("{0}")]
    Asked(String),
    /// There is nothing to part: a sentence.
    #[error("{0}")]
    NotMerged(String),
    /// Several things may be meant: a sentence.
    #[error("{0}")]
    Ambiguous(String),
    /// The configuration was refused; the old one holds.
    #[error("The configuration was refused and the old one stays in force.{}", joined(errors))]
    Refused {
        /// Every mistake, a text each.
        errors: Vec<String>,
    },
    /// The same is being done already.
    #[error("{0}")]
    Busy(String),
    /// What was given cannot be read: a sentence.
    #[error("{0}")]
    Unreadable(String),
    /// The daemon is stopping.
    #[error("The daemon is stopping.")]
    Stopping,
    /// It went wrong: a sentence.
    #[error("{0}")]
    Failed(String),
}

fn joined(errors: &[String]) -> String {
    errors.iter().map(|error| format!("\n{error}")).collect()
}

/// How a poll ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollOutcome {
    /// A document was read and stored.
    Loaded,
    /// 304, or the same bytes again.
    NotModified,
    /// It failed.
    Failed,
    /// 410.
    Gone,
    /// It was not asked: another poll of it is going on, it is switched off, or it must not be asked yet.
    Skipped,
}

/// What happened at the poll of one feed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PollShape {
    /// The feed.
    pub name: String,
    /// How it ended.
    pub outcome: PollOutcome,
    /// Items stored.
    pub new: u32,
    /// Items revised.
    pub changed: u32,
    /// Sightings of known items.
    pub sighted: u32,
    /// The status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub http_status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// What went wrong, or why it was skipped: a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// What happened at a poll of several feeds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PollReport {
    /// How many feeds it concerned.
    pub count: usize,
    /// Each of them, by name.
    pub feeds: Vec<PollShape>,
}

/// A feed that was paused or resumed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedReport {
    /// How many feeds it concerns: one.
    pub count: usize,
    /// The feed.
    pub feed: String,
    /// When it is asked next; absent: by hand only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_poll: Option<Timestamp>,
}

/// The verdict about a configuration that was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReloadReport {
    /// How many feeds, streams and webhooks are in force by it.
    #[serde(default)]
    pub count: usize,
    /// Always true: a refusal is a problem document.
    pub ok: bool,
    /// What changed, in a sentence.
    pub message: String,
    /// Streams that are new or have another query, and are being filled from what is stored.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub filling: Vec<String>,
    /// What is allowed but looks like a mistake, and what takes effect only at a restart: a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// How far streams that are new or have changed are filled from what is stored: all of them in one pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FillReport {
    /// How many they are; 0: none is being filled.
    pub streams: usize,
    /// Stored items that were held against their queries.
    pub looked: u64,
    /// Those that there were when it began.
    pub of: u64,
}

/// What a webhook answered to a test call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TestReport {
    /// How many calls were made: one.
    pub count: usize,
    /// The webhook.
    pub webhook: String,
    /// Whether it answered 2xx.
    pub ok: bool,
    /// The `webhook-id` of the call.
    pub id: String,
    /// The status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub http_status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// What went wrong, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The request: headers with secrets masked, an empty line, the body.
    pub request: String,
    /// The beginning of the answer.
    pub response: String,
}

/// The body of `POST /api/v1/poll`. Without one, all feeds are polled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// Names of feeds; absent: all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feeds: Option<Vec<String>>,
}

/// The body of `POST /api/v1/log`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRequest {
    /// `debug`, or a filter such as `info,feedmill::deliver=debug`.
    pub level: String,
}

/// The level at which it is logged from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogReport {
    /// The level.
    pub level: String,
}
