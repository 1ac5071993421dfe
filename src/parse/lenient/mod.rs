//! The reader of what feed-rs loses or refuses: broken XML, unknown versions, types, namespaces and entities, items out of place.
//!
//! Never recurses, never follows what a document names, never refuses for an error in the middle: a complete entry is kept,
//! whatever stands around it.
//!
//! Invariant: each byte is looked at a bounded number of times, and what is kept is at most a fixed multiple of the document.

mod about;
mod entry;
mod field;
mod log;
mod mapping;
mod media;
mod person;
mod refs;
mod scan;
pub(in crate::parse) mod space;
mod text;
mod walk;

use url::Url;

use self::log::Log;
use self::refs::Entities;
use self::walk::Walk;
use super::{Feed, ParseError, Repair, original};

/// Reads the document whose root tag opens at `at`; what is before it is the prolog.
///
/// # Errors
/// A sentence, for a document that is cut off inside of its first entry: it is not empty, it is broken.
pub(super) fn read(text: &str, at: usize, base: Option<&Url>, repairs: &mut Vec<Repair>) -> Result<Feed, ParseError> {
    let mut log = Log::default();
    let entities = Entities::declared(text.get(..at).unwrap_or_default(), &mut log);
    let mut walk = Walk::new(text, at, base, entities, log);
    walk.run();
    if walk.entries.is_empty() && walk.cut {
        return Err(ParseError::new("The document is not well-formed XML, and it ends before an entry does."));
    }
    if !walk.channel {
        walk.log
            .note(at, "The document has the root of a feed, but no channel; it was read as a feed without entries.");
    }
    repairs.extend(walk.log.into_list(text.len()));
    let cadence = std::mem::take(&mut walk.about.cadence).finish();
    let mut feed = Feed { info: walk.about.finish(), entries: walk.entries, repairs: Vec::new(), cadence };
    original::apply(&mut feed, walk.originals);
    Ok(feed)
}

#[cfg(test)]
mod tests;
