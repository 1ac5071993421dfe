//! How deep a document nests and how many entries it has, looked at before it is read.

use super::ParseError;
use super::limits::{MAX_COMPARISONS, MAX_DEPTH, MAX_ENTRIES, MAX_RECURSION};

/// Elements that feed-rs recurses into, by their local names.
const RECURSIVE: [&str; 3] = ["group", "content", "category"];

/// What was found to do before the document is read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Cut {
    /// How much of the document is read, in bytes.
    pub(super) length: usize,
    /// The tags that close it there.
    pub(super) closing: String,
}

/// Refuses XML that nests deeper than [`MAX_DEPTH`], or [`MAX_RECURSION`] where feed-rs recurses, and says where to cut one
/// with more than [`MAX_ENTRIES`]: feed-rs takes some hundred times the memory of an empty `<item/>`. Exact for well-formed
/// XML; linear, without memory of its own.
///
/// # Errors
/// A sentence with the limit.
pub(super) fn check(xml: &str) -> Result<Option<Cut>, ParseError> {
    let mut path = Path::default();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let tag = rest.get(at..).unwrap_or_default();
        let length = match tag.as_bytes().get(1) {
            Some(b'/') => {
                path.close(name(tag, 2));
                2
            }
            // quick-xml steps over a DOCTYPE wherever it stands; what is in it would be counted here.
            Some(b'!') if matches!(tag.as_bytes().get(2), Some(b'D' | b'd')) => {
                return Err(ParseError::new("The document has a DOCTYPE inside of its root; that is not read."));
            }
            Some(b'!') => skip_declaration(tag),
            Some(b'?') => end_of(tag, "?>"),
            _ => {
                let name = name(tag, 1);
                path.entries += usize::from(matches!(local(name), "item" | "entry"));
                if path.entries > MAX_ENTRIES {
                    return path.closing().map(|closing| Some(Cut { length: xml.len() - tag.len(), closing }));
                }
                let (length, closed) = start_tag(tag);
                path.attributes(tag.get(..length).unwrap_or_default())?;
                if !closed {
                    path.open(name)?;
                }
                length
            }
        };
        rest = tag.get(length..).unwrap_or_default();
    }
    Ok(None)
}

/// A tag of so few bytes is not counted: it has at most some hundred attributes.
const FEW_ATTRIBUTES_BYTES: usize = 400;

/// Names of open elements that are kept: entries are no deeper in any format.
const KEPT_NAMES: usize = 4;

/// Where in the document one is.
#[derive(Default)]
struct Path<'a> {
    depth: usize,
    recursion: usize,
    entries: usize,
    comparisons: usize,
    names: Vec<&'a str>,
}

impl<'a> Path<'a> {
    fn open(&mut self, name: &'a str) -> Result<(), ParseError> {
        if self.depth < KEPT_NAMES {
            self.names.push(name);
        }
        self.depth += 1;
        self.recursion += usize::from(RECURSIVE.contains(&local(name)));
        if self.depth <= MAX_DEPTH && self.recursion <= MAX_RECURSION {
            return Ok(());
        }
        let limit = if self.depth > MAX_DEPTH { MAX_DEPTH } else { MAX_RECURSION };
        Err(ParseError::new(format!("The document nests deeper than {limit} elements; that is not read.")))
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.recursion = self.recursion.saturating_sub(usize::from(RECURSIVE.contains(&local(name))));
        self.names.truncate(self.depth);
    }

    /// Counts the comparisons that the attributes of a tag cost: an attribute has an `=` at least.
    fn attributes(&mut self, tag: &str) -> Result<(), ParseError> {
        if tag.len() <= FEW_ATTRIBUTES_BYTES {
            return Ok(());
        }
        let count = tag.bytes().filter(|byte| *byte == b'=').count();
        self.comparisons = self.comparisons.saturating_add(count.saturating_mul(count) / 2);
        if self.comparisons <= MAX_COMPARISONS {
            return Ok(());
        }
        Err(ParseError::new(format!("The document has a tag with some {count} attributes; so many are not read.")))
    }

    /// The tags that close all that is open.
    fn closing(&self) -> Result<String, ParseError> {
        if self.depth > KEPT_NAMES {
            return Err(ParseError::new(format!(
                "The document has more than {MAX_ENTRIES} entries, in elements of its own; that is not read."
            )));
        }
        Ok(self.names.iter().rev().map(|name| format!("</{name}>")).collect())
    }
}

/// The name in the tag at the start of `tag`, behind `mark` bytes.
fn name(tag: &str, mark: usize) -> &str {
    let name = tag.get(mark..).unwrap_or_default();
    let end = name.bytes().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn end_of(text: &str, end: &str) -> usize {
    text.find(end).map_or(text.len(), |at| at + end.len())
}

fn skip_declaration(tag: &str) -> usize {
    if tag.starts_with("<![CDATA[") {
        end_of(tag, "]]>")
    } else if tag.starts_with("<!--") {
        end_of(tag, "-->")
    } else {
        2
    }
}

/// Length of a start tag, and whether it closes itself. A `>` inside of quotes does not end it.
pub(super) fn start_tag(tag: &str) -> (usize, bool) {
    let bytes = tag.as_bytes();
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return (at + 1, bytes.get(at - 1) == Some(&b'/')),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    (bytes.len(), false)
}
