//! What the configuration means: every value checked, every default filled in, every reference resolved.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::include::Included;
use crate::domain::address::Address;
use crate::domain::feed::{Dedupe, IdPolicy};
use crate::domain::name::Name;
use crate::domain::reach::Reach;
use crate::domain::webhook::Rate;
use crate::identity::canonical::Rules;
use crate::message::Format;
use crate::query::syntax::Query;
use crate::schedule::cron::Timing;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that it was read from.
    pub path: PathBuf,
    /// The files that it includes.
    pub included: Included,
    /// `[server]`.
    pub server: Server,
    /// `[storage]`.
    pub storage: Storage,
    /// `[poll]`.
    pub poll: Poll,
    /// `[identity]`: the rules that keys are made by.
    pub rules: Rules,
    /// `[identity]`: hosts whose short links are followed; names below them count too.
    pub resolve: Vec<String>,
    /// `[[feed]]` and the feeds of `[[subscriptions]]`, in order.
    pub feeds: Vec<FeedSettings>,
    /// `[[stream]]`, in order; `all` is always the first.
    pub streams: Vec<StreamSettings>,
    /// `[[webhook]]`, in order, the values of `[webhooks]` filled in.
    pub webhooks: Vec<Arc<WebhookSettings>>,
    /// `[alerts]`: the webhooks that are told that a feed broke or recovered.
    pub alerts: Vec<Name>,
    /// `[log]`.
    pub log: Log,
    /// What is allowed but looks like a mistake: sentences with their place.
    pub warnings: Vec<String>,
}

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens, unless systemd hands over sockets.
    pub listen: Vec<SocketAddr>,
    /// Where /status, /metrics, /api, /healthz and /readyz are served, and nowhere else, if set.
    pub private_listen: Option<SocketAddr>,
    /// What subscribers see in links; ends in `/`.
    pub public_url: Url,
    /// Title of the merged feed and the pages.
    pub title: String,
    /// What the write side of the API asks for; `None`: the write side is off.
    pub admin_token: Option<SecretString>,
    /// What everything asks for, as the password of any user; `None`: it is open.
    pub read_token: Option<SecretString>,
    /// The names that it answers to beside that of `public_url`; `None`: those that nobody outside can have.
    pub hosts: Option<Vec<String>>,
    /// Proxies that may say for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at a time; more wait in the backlog.
    pub max_connections: usize,
}

/// `[storage]`.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The database's file, absolute or relative to the working directory.
    pub database: PathBuf,
    /// How long the bodies of stories are kept, also of feeds that are followed no more.
    pub keep: Keep,
    /// Above this size in bytes the oldest bodies go.
    pub max_bytes: Option<u64>,
}

/// How long the bodies of stories are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Keep {
    /// For good.
    #[default]
    Forever,
    /// Since they were seen first or edited last.
    For(Duration),
}

impl Keep {
    /// The time, if it ends.
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::For(time) => Some(time),
        }
    }
}

/// `[poll]`: what holds for all feeds together.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Requests at a time.
    pub concurrency: usize,
    /// Requests at a time to one host.
    pub per_host: usize,
    /// After a failure; doubles to a day.
    pub backoff: Duration,
    /// Decoded bodies in flight, all together, in bytes.
    pub memory_bytes: u64,
    /// Goes into the User-Agent.
    pub contact: Option<String>,
    /// Private networks that feeds may be on.
    pub allow_networks: Vec<IpNet>,
    /// How servers are reached, unless a feed says otherwise.
    pub reach: Arc<Reach>,
}

/// Where a feed is written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// In a `[[feed]]` of this file.
    Table(Arc<Path>),
    /// In this list of `[[subscriptions]]`.
    List(Arc<Path>),
}

/// One feed, the defaults of `[poll]` and `[storage]` filled in. There may be a hundred thousand: what feeds have in
/// common they share.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Its name.
    pub name: Name,
    /// Its address: http or https. Credentials in it were moved to `access`.
    pub url: Address,
    /// The title that overrides its own.
    pub title: Option<Arc<str>>,
    /// Its tags.
    pub tags: Arc<[String]>,
    /// All else that is no secret.
    pub terms: Arc<Terms>,
    /// How its server is reached, and what it is shown.
    pub access: Arc<Access>,
}

/// How a feed is followed. Equal ones are one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// Where it is written.
    pub origin: Origin,
    /// Whether it is polled.
    pub enabled: bool,
    /// Nothing of it is shown to just anybody.
    pub private: bool,
    /// When it is polled, in its time zone.
    pub schedule: Timing,
    /// The zone of the schedule's fields.
    pub timezone: Tz,
    /// Whether its polls are shifted within the schedule's window.
    pub spread: bool,
    /// Never more often than this.
    pub min_interval: Duration,
    /// How long its stories are kept.
    pub keep: Keep,
    /// Whether its back catalogue calls webhooks.
    pub first_import_notifies: bool,
    /// For one whole request.
    pub timeout: Duration,
    /// Of a decoded body, in bytes.
    pub max_body_bytes: u64,
    /// Parameters that its keys keep, whatever the rules say.
    pub keep_parameters: Vec<String>,
    /// Parameters that are no part of its keys.
    pub drop_parameters: Vec<String>,
    /// What its entries are known by; `None`: by what has shown to be worth trust.
    pub id_policy: Option<IdPolicy>,
    /// How far its stories may be one with others.
    pub dedupe: Dedupe,
    /// What of it is not kept.
    pub ignore: Option<Query>,
}

/// How a feed's server is reached, and what it is shown of us. Feeds that say nothing of it share that of `[poll]`.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// In place of ours.
    pub user_agent: Option<String>,
    /// What it asks for; sent to its own host only.
    pub auth: Option<Auth>,
    /// Headers to add; sent to its own host only.
    pub headers: BTreeMap<String, SecretString>,
    /// The Cookie header; sent to its own host only.
    pub cookies: Option<SecretString>,
    /// How its server is reached.
    pub reach: Arc<Reach>,
}

/// How a feed is asked for.
#[derive(Clone, Debug)]
pub enum Auth {
    /// RFC 7617.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// RFC 6750.
    Bearer(SecretString),
}

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Its name.
    pub name: Name,
    /// Its title.
    pub title: String,
    /// Its query; the empty one for `all`.
    pub query: Query,
    /// The webhooks that it calls.
    pub notify: Vec<Name>,
    /// Newest items in the published feed.
    pub limit: u32,
    /// How it is shown, where that is not as usual.
    pub show: StreamShow,
}

/// How a stream is shown, where that is not as usual.
#[derive(Clone, Debug, Default)]
pub struct StreamShow {
    /// The titles of its items, with `{title}` and `{feed}`.
    pub item_title: Option<String>,
    /// At most so many items of one feed in a document.
    pub max_per_feed: Option<u32>,
    /// Every id is one of ours.
    pub own_ids: bool,
    /// Who does not know it is told that there is no such stream.
    pub token: Option<SecretString>,
}

/// Which form of the content goes into a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentForm {
    /// `content_text`.
    Text,
    /// `content_html`.
    Html,
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Its name.
    pub name: Name,
    /// Its address.
    pub url: Url,
    /// The form of its calls.
    pub format: Format,
    /// Keys to sign with: the decoded bytes, the first one is the newest.
    pub secrets: Vec<WebhookSecret>,
    /// Headers to add.
    pub headers: BTreeMap<String, SecretString>,
    /// Which form of the content it gets.
    pub content: ContentForm,
    /// Called for new items.
    pub on_new: bool,
    /// Called for edited items.
    pub on_updated: bool,
    /// Private networks that it may be on.
    pub allow_networks: Vec<IpNet>,
    /// Waits between attempts.
    pub retry: Vec<Duration>,
    /// For one whole attempt.
    pub timeout: Duration,
    /// Attempts at a time.
    pub concurrency: usize,
    /// After so long of nothing but failures it is paused.
    pub pause_after: Duration,
    /// One at a time, the oldest first.
    pub strict: bool,
    /// How often it is called at the most.
    pub max_rate: Option<Rate>,
    /// How its server is reached.
    pub reach: Arc<Reach>,
}

/// The bytes of a signing secret; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(pub Vec<u8>);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// How the journal is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// journald where stderr is its, else text.
    Auto,
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
    /// journald's own protocol.
    Journald,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter.
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
}
