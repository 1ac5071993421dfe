//! The trace of a story: what the store has written down about its way, and the JSON in which it is told.

use serde::{Deserialize, Serialize};

use super::item::{Item, ItemId};
use super::shape::{DeliveryShape, ItemShape, MatchShape};
use super::stream::TermHit;
use super::time::Timestamp;
use super::webhook::DeliveryStatus;

/// What a story is looked for by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TraceBy {
    /// Its row.
    Item(ItemId),
    /// What somebody has in hand: the keys that it may have, the likeliest first, and its text, which may be a
    /// published id.
    Given {
        /// The text as given.
        text: String,
        /// The keys that rules make of it; none: it is no http(s) URL.
        keys: Vec<String>,
    },
}

/// What the store knows of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Traced {
    /// The story. An absorbed one is answered with the one that was kept.
    pub story: Option<Box<Story>>,
    /// The other address that led on, whether to a story or not.
    pub alias: Option<Alias>,
    /// Nothing but its hash is left.
    pub past: Option<Past>,
    /// Feeds in which one of the keys stands for many stories. Looked for only where there is no story.
    pub hubs: Vec<Habit>,
    /// Feeds that do not keep it.
    pub ignored: Vec<Ignored>,
}

/// A feed that does not keep a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ignored {
    /// The feed.
    pub feed: String,
    /// Its `ignore` query, as it was then.
    pub query: String,
    /// Since when.
    pub at: Timestamp,
}

/// A story with everything that is written down about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Story {
    /// The item, with its sightings and streams.
    pub item: Item,
    /// The item that was asked for and is absorbed by now.
    pub absorbed: Option<ItemId>,
    /// Its body went by retention.
    pub purged: bool,
    /// The feed that its key holds within, and what is known of it; `None`: its key is a URL and holds everywhere.
    pub scope: Option<Habit>,
    /// When it was edited, oldest first.
    pub edits: Vec<Timestamp>,
    /// Its other addresses.
    pub aliases: Vec<Alias>,
    /// Merges that it was part of, on either side.
    pub merges: Vec<Merge>,
    /// What its rows do not say.
    pub notes: Vec<Note>,
    /// The streams that it is in, but for `all`, and why.
    pub streams: Vec<(String, Option<TermHit>)>,
    /// Its calls, oldest first, with their logs.
    pub calls: Vec<Call>,
}

/// Another address of a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The key of that address.
    pub from: String,
    /// The key that it stands for.
    pub to: String,
    /// `redirect`, `origlink`, `canonical`, `moved`, `rules`, `operator`.
    pub source: String,
    /// When it was learnt.
    pub seen_at: Timestamp,
}

/// Two items that turned out to be one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merge {
    /// The one that stayed.
    pub kept: ItemId,
    /// The one that went into it.
    pub absorbed: ItemId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
}

/// Something that happened to an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What: one word.
    pub kind: String,
    /// The particulars, as text.
    pub detail: String,
}

/// A call that was owed about a story.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// Since when it is owed.
    pub created_at: Timestamp,
    /// How it stands, with its log.
    pub status: DeliveryStatus,
}

/// A story of which nothing but its identity is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Past {
    /// The number that it had.
    pub item: ItemId,
    /// When it was last seen, to the day.
    pub seen: Timestamp,
}

/// What is known of a feed's guids and links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Habit {
    /// The feed.
    pub feed: String,
    /// Why it is read as it is: a sentence.
    pub reason: Option<String>,
}

/// A key, and the steps that lead to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyed {
    /// The key.
    pub key: String,
    /// What each rule made; empty: the URL is its own key.
    pub steps: Vec<RuleShape>,
}

/// What one rule of the key made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RuleShape {
    /// The rule.
    pub rule: String,
    /// The URL after it.
    pub url: String,
}

/// A story with its trace: an item as everywhere, and `trace` beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StoryShape {
    /// The item.
    #[serde(flatten)]
    pub item: ItemShape,
    /// Its way.
    pub trace: TraceShape,
}

/// The way of a story.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TraceShape {
    /// What was asked for, where that was no number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<AskedShape>,
    /// What it is known by.
    pub key: String,
    /// Why its key is what it is, where that needs a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Each address that feeds gave for it, and the steps to its key.
    pub keys: Vec<KeyShape>,
    /// What happened, oldest first.
    pub events: Vec<EventShape>,
    /// The streams that it is in, but for `all`, and why.
    pub streams: Vec<MatchShape>,
    /// Its webhook calls, oldest first, with their logs.
    pub deliveries: Vec<DeliveryShape>,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AskedShape {
    /// As given.
    pub url: String,
    /// Its key; absent: it is no http(s) URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The steps to it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<RuleShape>,
    /// How it was found: a sentence; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
}

/// An address that feeds gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyShape {
    /// The feeds that gave it.
    pub feeds: Vec<String>,
    /// The address as it is shown: general tracking names are gone already.
    pub url: String,
    /// What the rules of now make of it; absent: it has no key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The steps to it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<RuleShape>,
    /// Why the story is not known by that key, where it is not: a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Something that happened to a story.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventShape {
    /// When; absent: nobody wrote it down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
    /// What: `seen`, `sighted`, `edited`, `alias`, `merged`, `unmerged`, `owed`, `called`, `purged`, or another word.
    pub kind: String,
    /// The same as a sentence.
    pub text: String,
    /// The feed that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feed: Option<String>,
    /// The other item that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub item: Option<i64>,
    /// The webhook that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub webhook: Option<String>,
    /// What went wrong with a call. It may name the receiver's host, so pages for everybody leave it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// Why there is no story.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnkeptShape {
    /// What was asked for.
    pub asked: AskedShape,
    /// Why it is not kept, as far as that is known: a sentence each, at least one.
    pub reasons: Vec<String>,
}
