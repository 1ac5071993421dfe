//! Bytes to entries: decodes, finds the root, reads RSS, Atom and RDF with feed-rs and JSON Feed by itself, and maps
//! everything to one [`Entry`].
//!
//! Never fetches, never reads a clock, never resolves anything that a document names (no external entity, no DTD), never
//! makes up an id or a date: what a document does not say is `None`.
//!
//! Invariant: no input panics, overflows the stack or takes more than a fixed multiple of its own size; whatever was
//! mended on the way is in [`Feed::repairs`].

mod cadence;
mod charset;
mod date;
mod feed;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod json;
mod json_value;
mod lenient;
mod limits;
mod original;
mod page;
mod plain;
mod root;
mod route;
mod shape;

use std::panic::{AssertUnwindSafe, catch_unwind};

use url::Url;

use self::limits::MAX_BASE_BYTES;
pub use self::limits::{MAX_DOCUMENT_BYTES, MAX_ENTRIES};
pub use self::page::PageFeed;
use self::root::Kind;
pub use self::shape::{EnclosureRow, EntryShape, FeedShape, RepairShape, Shape, shape};
use crate::domain::feed::{Cadence, FeedInfo};
use crate::domain::item::Entry;

/// A document that was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Feed {
    /// What it says of itself.
    pub info: FeedInfo,
    /// Its entries, in document order; at most [`MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// What had to be mended to read it.
    pub repairs: Vec<Repair>,
    /// How often it wants to be asked for.
    pub cadence: Cadence,
}

/// Something that had to be mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repair {
    /// Byte offset in the document, as UTF-8: for a document in another encoding, in the decoded text.
    pub at: usize,
    /// A sentence.
    pub what: String,
}

impl Repair {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

/// Why a document cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// A sentence.
    pub message: String,
    /// The feeds that it names, for a web page, in the page's order.
    pub feeds: Vec<PageFeed>,
}

impl ParseError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), feeds: Vec::new() }
    }
}

/// Reads a document: `bytes` as they came, `content_type` as the header had it, `base` the URL that relative links
/// are meant against. The media type is not believed, only its charset.
///
/// # Errors
/// A sentence about what it is instead of a feed, or why it cannot be read.
pub fn parse(bytes: &[u8], content_type: Option<&str>, base: Option<&Url>) -> Result<Feed, ParseError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(ParseError::new(format!(
            "The document has {} bytes; more than {MAX_DOCUMENT_BYTES} are not read.",
            bytes.len()
        )));
    }
    let base = base.filter(|base| base.as_str().len() <= MAX_BASE_BYTES);
    let mut repairs = Vec::new();
    let text = charset::decode(bytes, content_type, &mut repairs);
    let mut feed = match root::kind(&text, &mut repairs) {
        Kind::Json(at) => json::read(text.get(at..).unwrap_or_default(), base, &mut repairs)?,
        Kind::Xml(at) => xml(&text, at, base, &mut repairs)?,
        Kind::Page => return Err(page::error(&text, base)),
        Kind::Other(what) => return Err(ParseError::new(what)),
    };
    feed.repairs = repairs;
    Ok(feed)
}

/// Reads the XML document whose root tag opens at `at`: with feed-rs if that reads it fully, else with the lenient reader.
fn xml(text: &str, at: usize, base: Option<&Url>, repairs: &mut Vec<Repair>) -> Result<Feed, ParseError> {
    let document = text.get(at..).unwrap_or_default();
    let whole = route::strict(document).and_then(|length| document.get(..length));
    if let Some(feed) = whole.and_then(|document| first_reader(document, base)) {
        return Ok(feed);
    }
    lenient::read(text, at, base, repairs)
}

/// feed-rs, for a document that it reads fully; none if it fails, or gives fewer entries than there are.
fn first_reader(document: &str, base: Option<&Url>) -> Option<Feed> {
    // feed-rs 3.0.0 can panic: on `<author>`s where the byte beside an e-mail address is inside of a character.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let parser = feed_rs::parser::Builder::new()
            .base_uri(base.map(Url::as_str))
            .sanitize_content(false)
            .id_generator(|_, _, _| feed::NO_ID.to_owned())
            .timestamp_parser(|text| date::parse(text).map(crate::domain::time::Timestamp::to_chrono))
            .build();
        parser.parse(document.as_bytes())
    }));
    Some(feed::map(read.ok()?.ok()?, base))
}

#[cfg(test)]
#[path = "differential/tests.rs"]
mod differential;
#[cfg(test)]
#[path = "hostile/tests.rs"]
mod hostile;
#[cfg(test)]
#[path = "mutations/tests.rs"]
mod mutations;
#[cfg(test)]
mod tests;
