//! The main job: a feed that is due goes through fetch, parse and match, and is committed whole.
//!
//! Never decides when a feed is due (`schedule`), what an entry is (`identity`) or what is stored how
//! (`store`): it carries one to the other. Never holds a transaction while it waits for a network.
//!
//! Invariant: one poll, one request chain, one commit. Whatever goes wrong before the commit, nothing of
//! the poll is stored, and the validators of the last good answer stay.

mod crew;
pub mod discover;
mod end;
mod judge;
mod large;
mod moves;
mod outage;
mod poison;
mod queue;
mod quiet;
mod read;
pub mod resolve;
mod run;
mod sites;
mod stages;

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;

use crate::domain::address::Address;
use crate::domain::feed::{ByFeed, Dedupe, FeedId, IdPolicy, PollError};
use crate::domain::name::Name;
use crate::domain::reach::Reach;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookId;
use crate::identity::canonical::Rules;
use crate::query::compile::Index;
use crate::schedule::cron::Timing;
use crate::schedule::due::Pace;
use crate::store::{CommitReport, Routes};

pub(crate) use self::moves::tell_unions;
pub use self::run::{Poller, Scheduled};
pub use self::stages::Stages;

/// A feed as it is to be polled. There may be a hundred thousand, asleep: the manner is shared, and the
/// address is parsed already.
#[derive(Clone, Debug)]
pub struct FeedPlan {
    /// Its row.
    pub id: FeedId,
    /// Its name.
    pub name: Name,
    /// Its configured address.
    pub url: Address,
    /// Its tags, as `tag:` sees them.
    pub tags: Arc<[String]>,
    /// How it is polled.
    pub manner: Arc<Manner>,
}

/// How feeds are polled that are polled alike.
#[derive(Clone, Debug)]
pub struct Manner {
    /// When.
    pub schedule: Timing,
    /// The zone of the schedule.
    pub zone: Tz,
    /// Whether polls are shifted within the window.
    pub spread: bool,
    /// Never more often than this.
    pub min_interval: Duration,
    /// After a failure.
    pub backoff: Duration,
    /// Whether a back catalogue calls webhooks.
    pub first_import_notifies: bool,
    /// For one whole request.
    pub timeout: Duration,
    /// Of a decoded body, in bytes.
    pub max_body_bytes: u64,
    /// In place of ours.
    pub user_agent: Option<String>,
    /// Sent to the feed's own origin only.
    pub private_headers: Vec<(String, SecretString)>,
    /// How the server is reached.
    pub reach: Arc<Reach>,
    /// The rules that keys are made by.
    pub rules: Arc<Rules>,
    /// What entries are known by; `None`: by what the feed's habits allow.
    pub id_policy: Option<IdPolicy>,
    /// How far stories may be one with others.
    pub dedupe: Dedupe,
    /// What is not kept.
    pub ignore: Option<Arc<Ignore>>,
}

/// The query of what a feed does not keep.
#[derive(Debug)]
pub struct Ignore {
    /// As it is written.
    pub query: String,
    /// Ready to be tried.
    pub index: Index,
}

impl Manner {
    /// The query of what is not kept, as it is written.
    #[must_use]
    pub fn ignored(&self) -> Option<&str> {
        self.ignore.as_ref().map(|ignore| ignore.query.as_str())
    }
}

impl FeedPlan {
    /// Its pace, as `schedule` takes it.
    #[must_use]
    pub fn pace(&self) -> Pace<'_> {
        Pace {
            timing: &self.manner.schedule,
            zone: self.manner.zone,
            spread: self.manner.spread,
            min_interval: self.manner.min_interval,
            backoff: self.manner.backoff,
            url: self.url.as_str(),
        }
    }
}

/// Everything that polls hang on; swapped whole at a reload.
#[derive(Debug, Default)]
pub struct Plan {
    /// The feeds that are polled, and those that are followed but switched off: their names and tags count.
    pub feeds: ByFeed<Arc<FeedPlan>>,
    /// All queries.
    pub index: Index,
    /// The stream of each query of the index.
    pub streams: Vec<StreamId>,
    /// Whom each stream calls.
    pub routes: Arc<Routes>,
    /// Who is told that a feed broke or recovered.
    pub alerts: Arc<[WebhookId]>,
    /// Requests at a time.
    pub concurrency: usize,
    /// Requests at a time to one host.
    pub per_host: usize,
    /// Only polls by hand: the schedule is somebody else's business.
    pub by_hand: bool,
}

/// How a poll ended, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A document was read and stored.
    Loaded,
    /// 304, or the same bytes.
    NotModified,
    /// It failed.
    Failed,
    /// It answered 410.
    Gone,
    /// It failed before a byte, as nearly all do: our own network is down. It counts as not asked.
    Offline,
    /// It was not asked: its server said not before some time, and that holds for polls by hand too.
    Held,
}

impl Outcome {
    /// The word in logs and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::NotModified => "not_modified",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Offline => "offline",
            Self::Held => "held",
        }
    }
}

/// What a poll did.
#[derive(Clone, PartialEq, Debug)]
pub struct PollReport {
    /// The feed.
    pub feed: FeedId,
    /// Its name.
    pub name: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// What was stored.
    pub stored: CommitReport,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went wrong.
    pub error: Option<PollError>,
    /// When it is asked next.
    pub next_due: Option<Timestamp>,
    /// The document that came, in bytes, as it is read; 0: none.
    pub body_bytes: u64,
    /// How long after its due time it was asked, in milliseconds; `None`: before it, by hand.
    pub behind_ms: Option<u64>,
    /// Its server said that there are too many requests.
    pub throttled: Option<Throttled>,
}

/// A server's "too many requests".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Throttled {
    /// When it may be asked again, by its own word.
    pub again: Option<Timestamp>,
}

/// Whoever wants to hear of each poll: metrics, the watchdog's proof of work, a progress bar.
pub trait Observer: Send + Sync + 'static {
    /// A poll ended.
    fn polled(&self, report: &PollReport);
    /// The loop went round; when the next feed is due, or since when the most overdue one is.
    fn ticked(&self, now: Timestamp, next_due: Option<Timestamp>);
}
