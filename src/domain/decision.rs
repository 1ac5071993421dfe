//! What the commit asks of `identity`, and what it hears: the types of that conversation, known to both sides.

use super::feed::FeedId;
use super::item::{Entry, ItemId};
use super::stream::Match;

/// Whether a key stands for one story everywhere, or only within its feed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// A canonical URL: one story across all feeds.
    Global,
    /// A guid or a hash of content: it says nothing outside its feed.
    Feed,
}

/// Hashes of an entry's folded title and text, apart, so that an edit can be told from a recycled guid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Fingerprint {
    /// Of the title, white space folded.
    pub title: u32,
    /// Of the text of summary and content, without tags and white space.
    pub text: u32,
}

impl Fingerprint {
    /// Both in one number, for storage.
    #[must_use]
    pub fn pack(self) -> i64 {
        i64::from_be_bytes((u64::from(self.title) << 32 | u64::from(self.text)).to_be_bytes())
    }

    /// From what [`Self::pack`] made.
    #[must_use]
    pub fn unpack(packed: i64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
        Self { title: u32::from_be_bytes([a, b, c, d]), text: u32::from_be_bytes([e, f, g, h]) }
    }
}

/// An entry made ready for the commit: everything pure is done.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// The entry.
    pub entry: Entry,
    /// The link that is shown: the entry's, general tracking names removed.
    pub link: Option<String>,
    /// The canonical key, or a text that stands for the entry within its feed.
    pub key: String,
    /// How far the key reaches.
    pub scope: Scope,
    /// What the entry is known by within its feed: its guid, else its key. The same from load to load.
    pub entry_id: String,
    /// The publisher's id that may be published as it is: an absolute IRI. `None`: mint one.
    pub native_id: Option<String>,
    /// Hashes of what readers see.
    pub fingerprint: Fingerprint,
    /// The streams whose query it meets, seen from its own feed alone.
    pub matches: Vec<Match>,
}

/// What the store knows about the entry's own sighting in its feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSighting {
    /// The item that it stands for.
    pub item: ItemId,
    /// Hashes at the last load.
    pub fingerprint: Fingerprint,
    /// Whether the entry still has the key that the sighting had.
    pub same_key: bool,
    /// Whether this feed is the one that the item is published as coming from.
    pub main_feed: bool,
}

/// What the store knows about a candidate, read inside the transaction that will act on it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// The same entry in the same feed.
    pub sighting: Option<KnownSighting>,
    /// An item with the same key and scope.
    pub item: Option<ItemId>,
}

/// What is to be done with a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// A story never seen: store it.
    New,
    /// Nothing changed since the last load: write nothing.
    Same,
    /// A known story seen in one more place: add a sighting.
    Sighted(ItemId),
    /// The entry's text changed; `revise`: the item's too, for it is published from this feed.
    Changed {
        /// The item.
        item: ItemId,
        /// Whether the item itself is to be revised, or the sighting only.
        revise: bool,
    },
    /// The publisher used the guid again for another story: a new item, and the sighting points to it.
    Recycled,
}

/// The pure side of a commit: `identity` and `query` behind one face, for one load of one feed.
pub trait Judge: Send + Sync {
    /// New, changed or same.
    fn decide(&self, known: &Known, candidate: &Candidate) -> Decision;

    /// The streams that candidate `index` is in when all of `feeds` carry it: terms such as `feed:` and
    /// `tag:` look at every sighting. Asked only for a story that more than one feed carries.
    fn rematch(&self, index: usize, feeds: &[FeedId]) -> Vec<Match>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_survives_packing() {
        for (title, text) in [(0, 0), (u32::MAX, 1), (7, u32::MAX)] {
            let print = Fingerprint { title, text };
            assert_eq!(Fingerprint::unpack(print.pack()), print);
        }
    }
}
