//! What is published, as bytes: the documents of a stream (Atom 1.0, RSS 2.0, JSON Feed 1.1), the list of
//! what is followed (OPML 2.0), and the pages that people see.
//!
//! Never reads the store, a clock or the network, and never cleans HTML: a [`View`] brings its clean HTML
//! along, and nothing else of an item is written as HTML.
//!
//! Invariant: the same arguments give the same bytes, and whatever a publisher wrote, the bytes are
//! well-formed: every text and attribute of the XML goes through `xml`, every one of the pages through maud.

use url::Url;

use crate::domain::item::{Clean, Item, Person, Sighting};
use crate::domain::name::ALL;
use crate::domain::time::Timestamp;

pub use self::atom::atom;
pub use self::json::json;
pub use self::opml::{opml, opml_export, stream_opml};
pub use self::rss::rss;

mod atom;
mod json;
mod media;
mod opml;
pub mod page;
mod rss;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod text;
mod xml;

/// Version of the rendering: bytes that an older version made are made again.
pub const VERSION: u32 = 1;

/// How much of the content stands in for a title that is missing, in characters (design 6.9).
const TITLE_CHARACTERS: usize = 80;

/// An item ready to be published.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// The item.
    pub item: Item,
    /// Its HTML, cleaned by the present sanitiser.
    pub clean: Clean,
    /// The text of its summary.
    pub summary_text: Option<String>,
    /// The text of its content.
    pub content_text: Option<String>,
}

/// A stream as a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// The stream's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its id: a stored `tag:` URI that does not depend on where it is served (RFC 4287 4.2.6).
    pub id: String,
    /// `public_url`.
    pub base: Url,
    /// What follows its addresses: `?q=…` for a search, else nothing.
    pub asked: String,
    /// When the stream last changed as readers see it; never the present time.
    pub updated: Timestamp,
    /// The interval of the schedule, in minutes; 0: not known.
    pub ttl_minutes: u32,
    /// The other documents of the stream.
    pub pages: Pages,
}

/// Where a stream goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pages {
    /// The number of the archive (RFC 5005 section 4) that the document is; `None`: it is the stream's present one.
    pub archive: Option<u64>,
    /// The archive before it.
    pub previous: Option<u64>,
    /// The archive after it.
    pub next: Option<u64>,
    /// What follows the address of the page with older items: `?before=…`.
    pub older: Option<String>,
    /// Whether the page is told of stories that come in: it is the newest one of a public stream.
    pub live: bool,
}

impl Channel {
    /// The address of the document in one format: `atom`, `rss`, `json`.
    fn document(&self, extension: &str) -> String {
        address(&self.base, &format!("{}.{extension}{}", self.name, self.asked))
    }

    /// The address of an archive.
    fn archive(&self, number: u64) -> String {
        address(&self.base, &format!("{}/archive/{number}.atom", self.name))
    }

    /// The address of the stream's page: the river itself for `all`.
    fn page(&self) -> String {
        let name = if self.name == ALL { "" } else { &self.name };
        address(&self.base, &format!("{name}{}", self.asked))
    }
}

impl View {
    /// A title that is never empty: the item's own, else the beginning of its text, else its link, else its id.
    fn title(&self) -> String {
        let text = || self.text().map(|text| text::excerpt(text, TITLE_CHARACTERS));
        let link = || self.item.link.as_deref().and_then(text::link);
        let own = text::present(self.item.title.as_deref()).map(|title| text::legal(title).into_owned());
        own.or_else(text).or_else(link).unwrap_or_else(|| self.item.published_id.clone())
    }

    /// Gives it another title, by a template with `{title}` and `{feed}`.
    pub fn retitle(&mut self, template: &str) {
        let (title, feed) = (self.title(), self.source_title().to_owned());
        // In one go: a title may have brackets of its own.
        let mut parts = template.split("{title}").map(|part| part.replace("{feed}", &feed));
        let first = parts.next().unwrap_or_default();
        self.item.title = Some(parts.fold(first, |made, part| format!("{made}{title}{part}")));
    }

    /// The text of the content, else of the summary, unless it is blank.
    fn text(&self) -> Option<&str> {
        text::present(self.content_text.as_deref()).or_else(|| text::present(self.summary_text.as_deref()))
    }

    /// The link, if it is one that may be published.
    fn link(&self) -> Option<String> {
        self.item.link.as_deref().and_then(text::link)
    }

    /// Clean HTML of the content, unless it is blank.
    fn content(&self) -> Option<&str> {
        text::present(self.clean.content.as_deref())
    }

    /// Clean HTML of the summary, unless it is blank or says what the content says.
    fn summary(&self) -> Option<&str> {
        text::present(self.clean.summary.as_deref()).filter(|summary| self.content() != Some(*summary))
    }

    /// When it was published: min(its own word, first seen), so that a date in the future never shows
    /// (design 6, identity and time 4).
    fn published(&self) -> Timestamp {
        self.item.effective_at
    }

    /// Its authors; where it names none, those of the feed that it comes from (RFC 4287 4.2.1).
    fn authors(&self) -> &[Person] {
        let source = self.item.own_source.as_ref().unwrap_or(&self.item.source.info);
        if self.item.authors.is_empty() { &source.authors } else { &self.item.authors }
    }

    /// The title of the feed that it comes from.
    fn source_title(&self) -> &str {
        text::present(self.item.source.info.title.as_deref()).unwrap_or(&self.item.source.name)
    }

    /// One sighting of each further feed.
    fn further(&self) -> Vec<&Sighting> {
        let mut further: Vec<&Sighting> = Vec::new();
        for sighting in &self.item.sightings {
            let known = further.iter().any(|known| known.feed == sighting.feed);
            if !known && sighting.feed != self.item.source.name {
                further.push(sighting);
            }
        }
        further
    }
}

/// What to call the feed of a sighting.
fn sighting_title(sighting: &Sighting) -> &str {
    text::present(sighting.title.as_deref()).unwrap_or(&sighting.feed)
}

/// Where a sighting leads: the story as it is there, else the feed.
fn sighting_link(sighting: &Sighting) -> Option<String> {
    sighting.url.as_deref().and_then(text::link).or_else(|| text::link(&sighting.feed_url))
}

/// What to call somebody: the name, else the address, else the page.
fn person_name(person: &Person) -> Option<&str> {
    [&person.name, &person.email, &person.uri].into_iter().find_map(|field| text::present(field.as_deref()))
}

/// An address below `base`, whether that ends in a slash or not.
fn address(base: &Url, path: &str) -> String {
    format!("{}/{path}", base.as_str().trim_end_matches('/'))
}
