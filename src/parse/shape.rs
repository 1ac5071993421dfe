//! The JSON that `feedmill parse --json` prints: the shape of the corpus' expected files, with the repairs.

use serde::Serialize;

use super::{Feed, ParseError};
use crate::domain::item::{Entry, Extras, Person};
use crate::domain::time::Timestamp;

/// A parsed document, or the reason why it is none.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Shape {
    /// Whether it is a feed.
    pub ok: bool,
    /// Why it is none: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it says of itself.
    pub feed: FeedShape,
    /// How many entries it has.
    pub n_entries: usize,
    /// Its entries, in document order.
    pub entries: Vec<EntryShape>,
    /// What was mended.
    pub repairs: Vec<RepairShape>,
}

/// What a document says of itself.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct FeedShape {
    /// Title, plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The site's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The `atom:id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// Its language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// An entry.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct EntryShape {
    /// The guid as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The address that stood in the link's place, where the document names the original one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_link: Option<String>,
    /// Title, plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Summary, HTML source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Content, HTML source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// Names, else addresses.
    pub authors: Vec<String>,
    /// Terms.
    pub categories: Vec<String>,
    /// Attached files.
    pub enclosures: Vec<EnclosureRow>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What else is passed on: media elements, comments, licence, rights.
    #[serde(flatten)]
    pub extras: Extras,
}

/// An attached file.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct EnclosureRow {
    /// Its address.
    pub url: String,
    /// Its media type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// Something that was mended.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct RepairShape {
    /// Byte offset.
    pub at: usize,
    /// A sentence.
    pub what: String,
}

/// What [`super::parse`] gave, as it is shown.
#[must_use]
pub fn shape(parsed: &Result<Feed, ParseError>) -> Shape {
    let feed = match parsed {
        Ok(feed) => feed,
        Err(error) => return Shape { error: Some(error.message.clone()), ..Shape::default() },
    };
    let info = &feed.info;
    Shape {
        ok: true,
        error: None,
        feed: FeedShape {
            title: info.title.clone(),
            link: info.home_url.clone(),
            id: info.atom_id.clone(),
            updated: info.updated,
            language: info.language.clone(),
        },
        n_entries: feed.entries.len(),
        entries: feed.entries.iter().map(entry).collect(),
        repairs: feed.repairs.iter().map(|repair| RepairShape { at: repair.at, what: repair.what.clone() }).collect(),
    }
}

fn entry(entry: &Entry) -> EntryShape {
    let shown = |person: &Person| person.name.clone().or_else(|| person.email.clone());
    EntryShape {
        id: entry.guid.clone(),
        link: entry.link.clone(),
        proxy_link: entry.proxy_link.clone(),
        title: entry.title.clone(),
        summary: entry.summary.clone(),
        content: entry.content.clone(),
        published: entry.published,
        updated: entry.updated,
        authors: entry.authors.iter().filter_map(shown).collect(),
        categories: entry.categories.iter().map(|category| category.term.clone()).collect(),
        enclosures: entry
            .enclosures
            .iter()
            .map(|enclosure| EnclosureRow {
                url: enclosure.url.clone(),
                mime_type: enclosure.mime_type.clone(),
                length: enclosure.length_bytes,
            })
            .collect(),
        image: entry.image.clone(),
        extras: entry.extras.clone(),
    }
}
