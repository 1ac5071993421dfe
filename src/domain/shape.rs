//! The JSON that other programs see: one serde type a shape, used by the API, by `--json`, by JSON Feed and
//! by webhook calls alike. snake_case; times RFC 3339 UTC; what is not known is absent; `_ms` and `_bytes`.

use serde::{Deserialize, Serialize};

use super::feed::{ErrorKind, Health, IdPolicy};
use super::item::{Clean, Extras, Item, Person};
use super::stream::TermHit;
use super::time::Timestamp;
use super::webhook::{DeliveryState, WebhookState};

/// A JSON Feed 1.1 item with Feedmill's extension.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ItemShape {
    /// The published id.
    pub id: String,
    /// The link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// Title, plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Content, clean HTML.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_html: Option<String>,
    /// Content, plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_text: Option<String>,
    /// Summary, plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub summary: Option<String>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<String>,
    /// When it was published, by its own word, but never later than it was first seen.
    pub date_published: Timestamp,
    /// When its text last changed.
    pub date_modified: Timestamp,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub authors: Vec<AuthorShape>,
    /// Categories, by term.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// Attached files.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attachments: Vec<AttachmentShape>,
    /// Language tag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<String>,
    /// What JSON Feed has no place for.
    #[serde(rename = "_feedmill")]
    pub feedmill: Extension,
    /// How well it meets what was searched for; only where that is the order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<f64>,
    /// Where it meets what was searched for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub snippets: Vec<TermHit>,
}

/// A JSON Feed author.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuthorShape {
    /// The name, or the address where there is no name.
    pub name: String,
    /// Their page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
}

/// A JSON Feed attachment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttachmentShape {
    /// Where it is.
    pub url: String,
    /// Media type; `application/octet-stream` where none was given.
    pub mime_type: String,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size_in_bytes: Option<u64>,
    /// How long it plays, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_in_seconds: Option<u64>,
}

/// `_feedmill` of an item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Extension {
    /// The row.
    pub item: i64,
    /// The canonical key.
    pub key: String,
    /// When it was stored.
    pub first_seen: Timestamp,
    /// 1, and one more for each edit.
    pub revision: u32,
    /// The streams that it is in, but for `all`.
    pub streams: Vec<String>,
    /// Its main feed.
    pub source: SourceShape,
    /// Every feed that carried it.
    pub sightings: Vec<SightingShape>,
    /// What else it came with: media elements, comments, licence, rights.
    #[serde(flatten)]
    pub extras: Extras,
}

/// The feed that an item comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SourceShape {
    /// Its name.
    pub name: String,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Its address.
    pub feed_url: String,
    /// Its site.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home_page_url: Option<String>,
}

/// One appearance of an item in a feed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SightingShape {
    /// The feed's name.
    pub feed: String,
    /// The feed's title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The guid there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guid: Option<String>,
    /// The link there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// Since when.
    pub first_seen: Timestamp,
}

impl ItemShape {
    /// An item with its clean HTML, and the plain texts of summary and content.
    #[must_use]
    pub fn new(item: &Item, clean: &Clean, summary_text: Option<String>, content_text: Option<String>) -> Self {
        // JSON Feed 1.1 wants one of content_html and content_text in each item: a bare title stands for both.
        let content_text = content_text
            .or_else(|| summary_text.clone())
            .or_else(|| item.title.clone())
            .or_else(|| Some(item.link.clone().unwrap_or_default()));
        Self {
            id: item.published_id.clone(),
            url: item.link.clone(),
            title: item.title.clone(),
            content_html: clean.content.clone().or_else(|| clean.summary.clone()),
            content_text,
            summary: summary_text,
            image: item.image.clone(),
            date_published: item.effective_at,
            date_modified: item.updated,
            authors: item.authors.iter().filter_map(AuthorShape::new).collect(),
            tags: item.categories.iter().map(|category| category.term.clone()).collect(),
            attachments: item.enclosures.iter().map(AttachmentShape::new).collect(),
            language: item.language.clone(),
            feedmill: Extension::new(item),
            score: None,
            snippets: Vec::new(),
        }
    }
}

impl AuthorShape {
    fn new(person: &Person) -> Option<Self> {
        let name = person.name.clone().or_else(|| person.email.clone()).or_else(|| person.uri.clone())?;
        Some(Self { name, url: person.uri.clone() })
    }
}

impl AttachmentShape {
    fn new(enclosure: &super::item::Enclosure) -> Self {
        Self {
            url: enclosure.url.clone(),
            mime_type: enclosure.mime_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            title: enclosure.title.clone(),
            size_in_bytes: enclosure.length_bytes,
            duration_in_seconds: enclosure.duration_s,
        }
    }
}

impl Extension {
    fn new(item: &Item) -> Self {
        let source = &item.source;
        Self {
            item: item.id.0,
            key: item.key.clone(),
            first_seen: item.first_seen,
            revision: item.revision,
            streams: item.streams.clone(),
            source: SourceShape {
                name: source.name.clone(),
                title: source.info.title.clone(),
                feed_url: source.feed_url.clone(),
                home_page_url: source.info.home_url.clone(),
            },
            sightings: item
                .sightings
                .iter()
                .map(|s| SightingShape {
                    feed: s.feed.clone(),
                    title: s.title.clone(),
                    guid: s.guid.clone(),
                    url: s.url.clone(),
                    first_seen: s.first_seen,
                })
                .collect(),
            extras: item.extras.clone(),
        }
    }
}

/// A feed's health.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FeedShape {
    /// Its name.
    pub name: String,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The configured address, without credentials.
    pub url: String,
    /// Where it is asked now.
    pub current_url: String,
    /// Its site.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home_page_url: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How it is.
    pub state: Health,
    /// When it last answered well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_success: Option<Timestamp>,
    /// When it was last asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_attempt: Option<Timestamp>,
    /// When it is asked next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_poll: Option<Timestamp>,
    /// Why then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_poll_reason: Option<String>,
    /// Items that it carried.
    pub items: u64,
    /// Failures in a row.
    pub errors_in_row: u32,
    /// The last failure, while it lasts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<ErrorShape>,
    /// What its entries are known by, where its guids are not believed any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub known_by: Option<KnownByShape>,
    /// Where it moved, newest first, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub redirects: Vec<RedirectShape>,
    /// The feed that is asked in its place, for both led to one address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub merged: Option<MergedShape>,
}

/// A permanent redirect that was stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RedirectShape {
    /// When.
    pub at: Timestamp,
    /// 301 or 308; absent where it went back, for there was no feed any more where it had moved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
}

impl RedirectShape {
    /// A sentence without its time.
    #[must_use]
    pub fn words(&self) -> String {
        match self.status {
            Some(status) => format!("moved from {} to {} ({status})", self.from, self.to),
            None => format!("went back from {} to {}: there was no feed any more", self.from, self.to),
        }
    }
}

/// The feed that another one is merged into.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MergedShape {
    /// Its name.
    pub into: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a feed's entries are known by, and why not by their guids.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KnownByShape {
    /// Their link, or their content.
    pub id: IdPolicy,
    /// A sentence.
    pub reason: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// A feed's last failure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ErrorShape {
    /// Its kind.
    pub kind: ErrorKind,
    /// The status, where one came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub http_status: Option<u16>,
    /// A sentence.
    pub message: String,
}

/// A stream.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamShape {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its query; empty for `all`.
    #[serde(rename = "match")]
    pub query: String,
    /// The webhooks that it calls.
    pub notify: Vec<String>,
    /// Its three addresses, and its page.
    pub atom_url: String,
    /// RSS.
    pub rss_url: String,
    /// JSON Feed.
    pub json_url: String,
    /// The page.
    pub page_url: String,
}

/// A webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WebhookShape {
    /// Its name.
    pub name: String,
    /// The format of its calls.
    pub format: String,
    /// What it is called about.
    pub events: Vec<String>,
    /// How it is.
    pub state: WebhookState,
    /// Why it is in that state: a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// While it is slowed: until when nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowed_until: Option<Timestamp>,
    /// Deliveries that are owed.
    pub due: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// When the oldest one that is owed was enqueued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oldest_due: Option<Timestamp>,
    /// The last attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_attempt: Option<AttemptShape>,
}

/// An attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttemptShape {
    /// When.
    pub at: Timestamp,
    /// The status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub http_status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The request's headers, a line each, secrets masked; in the log of a single delivery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// The beginning of the answer; in the log of a single delivery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<String>,
}

/// A delivery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeliveryShape {
    /// `webhook-id`.
    pub id: String,
    /// The webhook.
    pub webhook: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which item, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub item: Option<i64>,
    /// Which feed, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feed: Option<String>,
    /// Its state.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt: Option<Timestamp>,
    /// What each attempt sends, of a single delivery whose body was rendered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<String>,
    /// The log of a single delivery.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub log: Vec<AttemptShape>,
}

/// The body of a webhook call about an item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallShape {
    /// `item.new`, `item.updated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened: the same in every attempt.
    pub timestamp: Timestamp,
    /// The rest.
    pub data: CallData,
}

/// `data` of a webhook call about an item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallData {
    /// The streams of this webhook that the item is in.
    pub streams: Vec<String>,
    /// Why it is in them.
    pub matches: Vec<MatchShape>,
    /// The item.
    pub item: ItemShape,
    /// Its main feed.
    pub feed: CallFeed,
    /// What changed, for `item.updated`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed: Vec<String>,
    /// The streams that it was not in before the edit, for `item.updated`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub newly_matches: Vec<String>,
}

/// A match in a webhook call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MatchShape {
    /// The stream.
    pub stream: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// The query's term.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub term: Option<String>,
    /// The text as it stands in the item.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Some words around it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snippet: Option<String>,
    /// Where in the snippet the text stands, in Unicode scalar values, from and to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub highlights: Vec<(usize, usize)>,
}

impl MatchShape {
    /// Of a stream's name, and the term by which its query was met.
    #[must_use]
    pub fn new(stream: &str, term: Option<&TermHit>) -> Self {
        Self {
            stream: stream.to_owned(),
            field: term.map(|term| term.field.clone().into_owned()),
            term: term.map(|term| term.term.clone()),
            text: term.map(|term| term.text.clone()),
            snippet: term.map(|term| term.snippet.clone()).filter(|snippet| !snippet.is_empty()),
            highlights: term.map(|term| term.highlights.clone()).unwrap_or_default(),
        }
    }
}

/// The body of a test call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TestShape {
    /// `test`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was made.
    pub timestamp: Timestamp,
    /// The rest.
    pub data: TestData,
}

/// `data` of a test call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TestData {
    /// That it is one.
    pub message: String,
    /// The newest item, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub item: Option<ItemShape>,
    /// Its main feed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feed: Option<CallFeed>,
}

/// The body of a webhook call about a feed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AlertShape {
    /// `feed.broken`, `feed.recovered`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened: the same in every attempt.
    pub timestamp: Timestamp,
    /// The rest.
    pub data: AlertData,
}

/// `data` of a webhook call about a feed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AlertData {
    /// The feed.
    pub feed: CallFeed,
    /// Since when it fails or, if it recovered, had failed.
    pub since: Timestamp,
    /// Failures in a row.
    pub errors_in_row: u32,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<ErrorShape>,
}

/// The body of a webhook call about another webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HookAlertShape {
    /// `webhook.paused`, `webhook.disabled`, `webhook.template_failed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened: the same in every attempt.
    pub timestamp: Timestamp,
    /// The rest.
    pub data: HookAlertData,
}

/// `data` of a webhook call about another webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HookAlertData {
    /// The webhook.
    pub webhook: HookShape,
    /// Since when there was nothing but failures, where that is why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// Why, in a sentence.
    pub reason: String,
    /// Deliveries that it is owed.
    pub due: u64,
}

/// The webhook in a call about it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HookShape {
    /// Its name.
    pub name: String,
}

/// The feed in a webhook call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallFeed {
    /// Its name.
    pub name: String,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Its address.
    pub url: String,
    /// Its site.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home_page_url: Option<String>,
}

/// What a command did to the feeds of the configuration: `add`, `import`, `remove`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EditShape {
    /// How many feeds were added or removed.
    pub count: usize,
    /// That nothing was written, for it was only asked what would be.
    pub dry_run: bool,
    /// Those feeds.
    pub feeds: Vec<EditedShape>,
    /// Feeds that are called otherwise now: two names that are derived from addresses would be the same, or are no more.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub renamed: Vec<RenamedShape>,
    /// What of a list was not added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left_out: Option<LeftOutShape>,
    /// What the running daemon said when it took this up; absent where none runs, or where it refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub daemon: Option<String>,
}

/// A feed that was added to the configuration or removed from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EditedShape {
    /// Its name.
    pub name: String,
    /// Its address, without credentials.
    pub url: String,
    /// Its title: its own word, or the list's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// The tags that it was added with.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// The entries that it has now, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entries: Option<usize>,
    /// The file of the configuration.
    pub file: String,
}

/// A feed that has another name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenamedShape {
    /// Before.
    pub from: String,
    /// Now.
    pub to: String,
}

/// What of a list was not added, counted.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct LeftOutShape {
    /// Followed already.
    pub followed: usize,
    /// More than once in the list.
    pub twice: usize,
    /// Without an address.
    pub without_address: usize,
    /// With an address that cannot be a feed's: the first of them, with the reason.
    pub wrong: Vec<WrongShape>,
    /// How many such addresses there are.
    pub wrong_count: usize,
}

/// An address that cannot be a feed's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WrongShape {
    /// The address, secrets masked.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// Canonical keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeysShape {
    /// How many URLs were given.
    pub count: usize,
    /// Each of them, in their order.
    pub urls: Vec<KeyShape>,
}

/// The canonical key of a URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyShape {
    /// The URL as it was given.
    pub url: String,
    /// Its key; absent if it is no http or https URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The rule of each step, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<KeyStepShape>,
}

/// A step on the way to a canonical key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyStepShape {
    /// The rule.
    pub rule: String,
    /// The URL after it.
    pub url: String,
}

/// What was found about the signature of a captured request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerifyShape {
    /// Whether the signature is right.
    pub ok: bool,
    /// The webhook that was called with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub webhook: Option<String>,
    /// What is wrong, or worth knowing: a sentence each.
    pub notes: Vec<String>,
}
