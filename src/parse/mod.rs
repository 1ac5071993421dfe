//! Bytes to entries: decodes, finds the root, reads RSS, Atom and RDF with feed-rs and JSON Feed by itself, and maps
//! everything to one [`Entry`].
//!
//! Never fetches, never reads a clock, never resolves anything that a document names (no external entity, no DTD), never
//! makes up an id or a date: what a document does not say is `None`.
//!
//! Invariant: no input panics, overflows the stack or takes more than a fixed multiple of its own size; whatever was
//! mended on the way is in [`Feed::repairs`].

mod charset;
mod date;
mod depth;
mod feed;
mod json;
mod limits;
mod mend;
mod original;
mod page;
mod plain;
mod root;
mod shape;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use url::Url;

pub use self::limits::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ENTRIES};
use self::root::Kind;
pub use self::shape::{EnclosureRow, EntryShape, FeedShape, RepairShape, Shape, shape};
use crate::domain::feed::FeedInfo;
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
}

impl ParseError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
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

/// Reads the XML document whose root tag opens at `at`: as it is, else once more with what can be mended mended.
fn xml(text: &str, at: usize, base: Option<&Url>, repairs: &mut Vec<Repair>) -> Result<Feed, ParseError> {
    let (document, closing) = bounded(text.get(at..).unwrap_or_default(), at, repairs)?;
    let text = text.get(..at + document.len()).unwrap_or(text);
    let (tag, rest) = root::tag(text, at, repairs);
    let error = match first_reader(&[&tag, rest, &closing], base) {
        Ok(feed) => return Ok(feed),
        Err(error) => error,
    };
    let mut mended = Vec::new();
    let Some(whole) = mend::mend(rest, text.len() - rest.len(), &mut mended) else { return Err(error) };
    repairs.append(&mut mended);
    // Mending turns tags into text and quotes into nothing: what was inside may count now.
    let whole = [&*tag, &*whole, &*closing].concat();
    let (document, closing) = bounded(&whole, at, repairs)?;
    first_reader(&[document, "", &closing], base).map_err(|again| {
        ParseError::new(format!("{again} What could be mended of it was mended already; that was not enough."))
    })
}

/// The part of an XML document that is read, and the tags that close it there. `at` is where it begins.
fn bounded<'a>(document: &'a str, at: usize, repairs: &mut Vec<Repair>) -> Result<(&'a str, String), ParseError> {
    let Some(cut) = depth::check(document)? else { return Ok((document, String::new())) };
    let what = format!("The document has more than {MAX_ENTRIES} entries; the rest was left out.");
    repairs.push(Repair::new(at + cut.length, what));
    Ok((document.get(..cut.length).unwrap_or(document), cut.closing))
}

/// feed-rs, over the pieces of a document, without joining them.
fn first_reader(pieces: &[&str; 3], base: Option<&Url>) -> Result<Feed, ParseError> {
    let [tag, rest, closing] = pieces;
    // feed-rs 3.0.0 can panic: on `<author>`s where the byte beside an e-mail address is inside of a character.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let parser = feed_rs::parser::Builder::new()
            .base_uri(base.map(Url::as_str))
            .sanitize_content(false)
            .id_generator(|_, _, _| feed::NO_ID.to_owned())
            .timestamp_parser(|text| date::parse(text).map(crate::domain::time::Timestamp::to_chrono))
            .build();
        parser.parse(tag.as_bytes().chain(rest.as_bytes()).chain(closing.as_bytes()))
    }));
    match read {
        Ok(Ok(read)) => {
            let mut feed = feed::map(read, base);
            original::put(&mut feed, pieces);
            Ok(feed)
        }
        Ok(Err(error)) => Err(ParseError::new(sentence(&error))),
        Err(_) => Err(ParseError::new("The document cannot be read: feed-rs failed inside on one of its values.")),
    }
}

/// A feed-rs error as a sentence; its byte position is left out where it counts from the root.
fn sentence(error: &feed_rs::parser::ParseFeedError) -> String {
    use feed_rs::parser::{ParseErrorKind, ParseFeedError};
    match error {
        ParseFeedError::XmlReader(error) => {
            let cause = error.to_string();
            let cause = cause.split_once(": ").map_or(cause.as_str(), |(_, cause)| cause);
            format!("The document is not well-formed XML: {}.", cause.trim_end_matches('.'))
        }
        ParseFeedError::ParseError(ParseErrorKind::NoFeedRoot) => {
            "The document has the root of a feed, but no channel that can be read.".to_owned()
        }
        ParseFeedError::ParseError(ParseErrorKind::UnknownMimeType { mime, .. }) => {
            format!("The document has a text of the type \u{201c}{mime}\u{201d}, which Atom does not know.")
        }
        ParseFeedError::ParseError(ParseErrorKind::MissingContent { reference, .. }) => {
            format!("The document lacks the text of an element that needs one ({reference}).")
        }
        other => format!("The document cannot be read: {other}."),
    }
}

#[cfg(test)]
mod tests;
