//! An entry (one in a parsed document), and an item (one story in the store).

use serde::{Deserialize, Serialize};

use super::element::Element;
use super::feed::FeedInfo;
use super::time::Timestamp;

/// An item's row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ItemId(pub i64);

/// Somebody who wrote something. At least one field is set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Person {
    /// Name, as plain text.
    pub name: Option<String>,
    /// Address, without `mailto:`.
    pub email: Option<String>,
    /// Their page.
    pub uri: Option<String>,
}

/// A category as the publisher set it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Category {
    /// The term.
    pub term: String,
    /// The scheme or domain that it belongs to.
    pub scheme: Option<String>,
    /// What people are shown, where it differs.
    pub label: Option<String>,
}

/// An attached file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Enclosure {
    /// Absolute URL.
    pub url: String,
    /// Media type as given.
    pub mime_type: Option<String>,
    /// Size in bytes, if given and positive.
    pub length_bytes: Option<u64>,
    /// How long it plays, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// Its title, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What few entries have, and what is only passed on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Extras {
    /// Media RSS, iTunes, Podcasting 2.0 and places, as they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Element>,
    /// The page where it is talked about, absolute (RSS 2.0, comments).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments_url: Option<String>,
    /// Its licence, absolute (RFC 4946).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Its rights, as plain text (RFC 4287 4.2.10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rights: Option<String>,
}

impl Extras {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One entry of a parsed document: nothing in it was made up by the parser.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// `guid`, `atom:id` or JSON `id` as written, trimmed.
    pub guid: Option<String>,
    /// The best link (design: alternate, then link, then a guid that is a URL, then the first enclosure), absolute.
    pub link: Option<String>,
    /// Where `link` is what the publisher named as the original (`feedburner:origLink`): the address it stands in for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_link: Option<String>,
    /// Title, as plain text on one line.
    pub title: Option<String>,
    /// Summary: HTML source, not yet cleaned.
    pub summary: Option<String>,
    /// Content: HTML source, not yet cleaned.
    pub content: Option<String>,
    /// When it was published, by its own word.
    pub published: Option<Timestamp>,
    /// When it was changed, by its own word.
    pub updated: Option<Timestamp>,
    /// Who wrote it.
    pub authors: Vec<Person>,
    /// Its categories.
    pub categories: Vec<Category>,
    /// Its attached files.
    pub enclosures: Vec<Enclosure>,
    /// A picture for it, absolute.
    pub image: Option<String>,
    /// BCP 47 language tag as given.
    pub language: Option<String>,
    /// Where it was first published, if it came with an `atom:source` of its own.
    pub source: Option<FeedInfo>,
    /// The rest that is passed on.
    #[serde(default, skip_serializing_if = "Extras::is_empty")]
    pub extras: Extras,
}

/// Version of the rules that HTML is cleaned by. What an older version made is made again.
pub const CLEAN_VERSION: u32 = 1;

/// Cleaned HTML that may be published, made once and kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Clean {
    /// Summary as safe HTML.
    pub summary: Option<String>,
    /// Content as safe HTML.
    pub content: Option<String>,
}

/// The feed that an item is published as coming from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// The feed's name in the configuration.
    pub name: String,
    /// The feed's address, without credentials.
    pub feed_url: String,
    /// What the feed said of itself when the item was stored. Frozen: a published document must not move by itself.
    pub info: FeedInfo,
}

/// One appearance of an item in one feed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sighting {
    /// The feed's name.
    pub feed: String,
    /// The feed's title.
    pub title: Option<String>,
    /// The feed's address, without credentials.
    pub feed_url: String,
    /// The guid that it has there.
    pub guid: Option<String>,
    /// The link that it has there.
    pub url: Option<String>,
    /// When it was first seen there.
    pub first_seen: Timestamp,
}

/// One story as it is stored and published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// The row.
    pub id: ItemId,
    /// The canonical key: an absolute https URL, or a text that is bound to a feed.
    pub key: String,
    /// The id under which it is published. Minted once; never changes.
    pub published_id: String,
    /// The link that is shown.
    pub link: Option<String>,
    /// Title, as plain text.
    pub title: Option<String>,
    /// Summary: HTML source.
    pub summary: Option<String>,
    /// Content: HTML source.
    pub content: Option<String>,
    /// What of it may be published, if it was cleaned already by the present sanitiser.
    pub clean: Option<Clean>,
    /// By its own word.
    pub published: Option<Timestamp>,
    /// When its text last changed as readers see it.
    pub updated: Timestamp,
    /// min(published, first seen), frozen: what it is ordered by.
    pub effective_at: Timestamp,
    /// When it was stored.
    pub first_seen: Timestamp,
    /// 1, and one more for each edit.
    pub revision: u32,
    /// Who wrote it.
    pub authors: Vec<Person>,
    /// The publisher's categories.
    pub categories: Vec<Category>,
    /// Its attached files.
    pub enclosures: Vec<Enclosure>,
    /// A picture for it.
    pub image: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Its main feed.
    pub source: Source,
    /// The `atom:source` that the entry came with, which is kept in place of ours.
    pub own_source: Option<FeedInfo>,
    /// The rest that is passed on.
    #[serde(default, skip_serializing_if = "Extras::is_empty")]
    pub extras: Extras,
    /// All feeds that carried it, the main one first.
    pub sightings: Vec<Sighting>,
    /// The streams that it is in, but for `all`.
    pub streams: Vec<String>,
}
