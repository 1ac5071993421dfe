//! What a call says: the standard body, the messages of chats, and what a template makes of either.
//!
//! Never sends anything, reads no clock and knows no store: a call goes in, bytes come out.
//!
//! Invariant: a body keeps the limits of whom it is for, whatever a publisher sends, by shortening at a word; and nothing
//! that a publisher sends becomes markup, a mention or a line of its own in it.

mod digest;
mod discord;
mod ntfy;
mod slack;
pub mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;

pub use self::digest::Digest;
pub use self::template::Template;
use crate::domain::shape::{AlertShape, CallShape, HookAlertShape, TestShape};

/// What a call is about, in the form of the standard body.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Call {
    /// An item.
    Item(Box<CallShape>),
    /// A feed.
    Feed(Box<AlertShape>),
    /// A webhook.
    Hook(Box<HookAlertShape>),
    /// Nothing: it is a test.
    Test(Box<TestShape>),
}

/// The form of a webhook's calls.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// The JSON that is documented.
    #[default]
    Standard,
    /// A message for a Slack incoming webhook.
    Slack,
    /// A message for a Discord webhook.
    Discord,
    /// A message for an ntfy server, published as JSON.
    Ntfy {
        /// Under which topic.
        topic: String,
    },
    /// What a template makes of it.
    Template(Arc<Template>),
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Ntfy { .. } => "ntfy",
            Self::Template(_) => "template",
        }
    }
}

/// The bytes of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// JSON.
    pub body: Vec<u8>,
    /// Why it is the standard body and not what the template would have made: a sentence.
    pub failed: Option<String>,
}

/// The body of a call with this `webhook-id` to the webhook of this name. A template that fails leaves the standard body.
///
/// # Errors
/// A shape cannot be written as JSON.
pub fn render(format: &Format, call: &Call, id: &str, webhook: &str) -> Result<Rendered, serde_json::Error> {
    let whole = |body| Rendered { body, failed: None };
    match format {
        Format::Standard => serde_json::to_vec(call).map(whole),
        Format::Slack => serde_json::to_vec(&slack::message(&Digest::of(call))).map(whole),
        Format::Discord => serde_json::to_vec(&discord::message(&Digest::of(call))).map(whole),
        Format::Ntfy { topic } => serde_json::to_vec(&ntfy::message(&Digest::of(call), topic)).map(whole),
        Format::Template(template) => match template.render(call, id, webhook) {
            Ok(body) => Ok(whole(body)),
            Err(error) => {
                let failed = Some(error.to_string());
                serde_json::to_vec(call).map(|body| Rendered { body, failed })
            }
        },
    }
}

/// Calls of every kind, one with all that an item may have and one with as little as possible: what a template is tried on.
#[must_use]
pub fn samples() -> Vec<Call> {
    use serde_json::json;
    let time = "2026-01-02T03:04:05Z";
    let feed = json!({"name": "example", "title": "Example", "url": "https://example.com/rss",
        "home_page_url": "https://example.com/"});
    let bare_feed = json!({"name": "example", "url": "https://example.com/rss"});
    let extension = json!({"item": 1, "key": "https://example.com/1", "first_seen": time, "revision": 1, "streams": [],
        "source": {"name": "example", "feed_url": "https://example.com/rss"}, "sightings": []});
    let full = json!({"id": "urn:1", "url": "https://example.com/1", "title": "A \"title\" & <more>", "content_text": "Text",
        "content_html": "<p>Text</p>", "summary": "Short", "image": "https://example.com/1.jpg", "date_published": time,
        "date_modified": time, "authors": [{"name": "Ann"}], "tags": ["world"], "language": "en",
        "attachments": [{"url": "https://example.com/1.mp3", "mime_type": "audio/mpeg"}], "_feedmill": extension});
    let bare = json!({"id": "urn:1", "date_published": time, "date_modified": time, "_feedmill": extension});
    let found = json!({"stream": "all", "field": "title", "term": "title", "text": "title", "snippet": "A title"});
    let item = |kind: &str, item: &serde_json::Value, feed: &serde_json::Value, matches: serde_json::Value| {
        let data = json!({"streams": ["all"], "matches": matches, "item": item, "feed": feed, "changed": []});
        json!({"type": kind, "timestamp": time, "data": data})
    };
    let broken = json!({"type": "feed.broken", "timestamp": time, "data": {"feed": feed, "since": time, "errors_in_row": 3,
        "error": {"kind": "http", "http_status": 404, "message": "404 Not Found"}}});
    let recovered = json!({"type": "feed.recovered", "timestamp": time, "data": {"feed": bare_feed, "since": time,
        "errors_in_row": 3}});
    let hook = json!({"type": "webhook.paused", "timestamp": time, "data": {"webhook": {"name": "desk"},
        "reason": "nothing but failures", "due": 7}});
    let test = json!({"type": "test", "timestamp": time, "data": {"message": "A test call."}});
    fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value, call: fn(Box<T>) -> Call) -> Option<Call> {
        serde_json::from_value(value).ok().map(|shape| call(Box::new(shape)))
    }
    [
        read(item("item.new", &full, &feed, json!([found])), Call::Item),
        read(item("item.updated", &bare, &bare_feed, json!([{"stream": "all"}])), Call::Item),
        read(broken, Call::Feed),
        read(recovered, Call::Feed),
        read(hook, Call::Hook),
        read(test, Call::Test),
    ]
    .into_iter()
    .flatten()
    .collect()
}
