//! What the commit asks of `identity`, and what it hears: the types of that conversation, known to both sides.

use super::feed::{FeedId, FeedInfo, Habits};
use super::item::{Entry, ItemId};
use super::stream::Match;
use super::time::Timestamp;

/// Whether a key stands for one story everywhere, or only within its feed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// A canonical URL: one story across all feeds.
    Global,
    /// A guid, a hash of content, or a URL in a feed that shares nothing: it says nothing outside its feed.
    Feed,
}

/// Hashes of an entry's folded title and text, apart, so that an edit can be told from a recycled guid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Fingerprint {
    /// Of the title, white space folded. 0: it has none.
    pub title: u32,
    /// Of the text of summary and content, without tags and white space. 0: it has none.
    pub text: u32,
}

impl Fingerprint {
    /// Both in one number, for storage; those with one title are neighbours.
    #[must_use]
    pub fn pack(self) -> i64 {
        i64::from_be_bytes((u64::from(self.title) << 32 | u64::from(self.text)).to_be_bytes())
    }

    /// What two entries share that may be one under another guid and link: the title; without one, the text.
    #[must_use]
    pub fn likeness(self) -> i64 {
        i64::from(if self.title == 0 { self.text } else { self.title }.cast_signed())
    }

    /// From what [`Self::pack`] made.
    #[must_use]
    pub fn unpack(packed: i64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
        Self { title: u32::from_be_bytes([a, b, c, d]), text: u32::from_be_bytes([e, f, g, h]) }
    }

    /// True if another story may stand behind `now`: nothing that can be compared is the same. Where there is no
    /// title or no text, nothing speaks for it being the same.
    #[must_use]
    pub fn is_other(self, now: Self) -> bool {
        let same = |was: u32, is: u32| was != 0 && was == is;
        !same(self.title, now.title) && !same(self.text, now.text)
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
    /// Other keys that stand for the same story by the publisher's own word.
    pub aliases: Vec<String>,
    /// What the entry is known by within its feed: its guid, else [`entry_of_key`]. The same from load to load.
    pub entry_id: String,
    /// The publisher's id that may be published as it is: an absolute IRI. `None`: mint one.
    pub native_id: Option<String>,
    /// The operator says that its guid alone decides, whatever it says and wherever it leads.
    pub by_guid: bool,
    /// Hashes of what readers see.
    pub fingerprint: Fingerprint,
    /// Whether its text is long enough to be known by.
    pub wordy: bool,
    /// Whether the feed is the publisher's own: its home page and the link are one site.
    pub own: bool,
    /// The streams whose query it meets, seen from its own feed alone.
    pub matches: Vec<Match>,
}

impl Candidate {
    /// The effective date of the item that it makes when it is first seen at `now`: a date in the future is none.
    #[must_use]
    pub fn effective_at(&self, now: Timestamp) -> Timestamp {
        self.entry.published.or(self.entry.updated).map_or(now, |published| published.min(now))
    }
}

/// What an entry is known by if it is known by its key. No guid begins with a space, so that the two cannot meet.
#[must_use]
pub fn entry_of_key(key: &str) -> String {
    format!(" {key}")
}

/// Where an item is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Life {
    /// It is published.
    #[default]
    Shown,
    /// Its body went by retention; its identity stays.
    Purged,
    /// Hashes are left.
    Past,
}

/// What the store knows about the entry's own sighting in its feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSighting {
    /// The item that it stands for.
    pub item: ItemId,
    /// Where that item is in its life. An unchanged entry is not asked for it: then it is `Shown`.
    pub life: Life,
    /// Hashes at the last load.
    pub fingerprint: Fingerprint,
    /// Whether the entry still has the key that the sighting had.
    pub same_key: bool,
    /// Whether its guid has not been used for two stories.
    pub trusted: bool,
    /// Whether this feed is the one that the item is published as coming from.
    pub main_feed: bool,
}

impl KnownSighting {
    /// True if the entry has nothing in common with what was seen under its guid: neither link nor title nor text.
    #[must_use]
    pub fn is_other(&self, now: Fingerprint) -> bool {
        !self.same_key && (!self.trusted || self.fingerprint.is_other(now))
    }
}

/// An item that stands under the candidate's key, or one of its aliases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownItem {
    /// The item.
    pub item: ItemId,
    /// Where it is in its life.
    pub life: Life,
}

/// Another entry of the same feed with the same title (without one: with the same text). It has left the feed: it does not stand in this load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Twin {
    /// Its item.
    pub item: ItemId,
    /// Whether its text is the same.
    pub same_text: bool,
    /// When it was published, by its own word.
    pub published: Option<Timestamp>,
}

/// What the store knows about a candidate, read inside the transaction that will act on it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// It stood in the feed's last load just as it stands here. Then nothing else is asked.
    pub listed: bool,
    /// The same entry in the same feed.
    pub sighting: Option<KnownSighting>,
    /// An item with the same key and scope.
    pub item: Option<KnownItem>,
    /// Asked for only if there is neither, or the sighting speaks of another story.
    pub twins: Vec<Twin>,
}

/// What a load as a whole says about its entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// Most guids are new and most stories known: the publisher has changed how it makes them.
    pub flood: bool,
    /// In the flood, dates have stayed: another date is another story.
    pub dates_kept: bool,
    /// Per candidate: an old story that came in a crowd of others. It is stored, and calls no webhook.
    pub backfill: Vec<bool>,
    /// The feed's habits, if this load changed them.
    pub habits: Option<Habits>,
}

/// What is to be done with a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// A story never seen: store it.
    New,
    /// Nothing changed since the last load, or nothing that matters: write nothing.
    Same,
    /// A known story seen in one more place: add a sighting.
    Sighted(ItemId),
    /// Guid and link have both changed, title and text say that it is a known story: add a sighting, and an alias.
    Regrouped(ItemId),
    /// The entry changed where it stood.
    Changed {
        /// The item.
        item: ItemId,
        /// Whether its text is another, and the item is published from this feed: it is to be revised.
        revise: bool,
        /// What its link has done.
        link: LinkChange,
    },
    /// The publisher used the guid again for another story: the sighting points to that one.
    Recycled,
}

/// What the link of a known entry has done since the last load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkChange {
    /// Its key is the same, or leads to the same item.
    None,
    /// It moved to an address that is nobody's.
    Moved,
    /// It moved to the address of another item. They stay apart.
    Conflict(ItemId),
}

/// The pure side of a commit: `identity` and `query` behind one face, for one load of one feed.
pub trait Judge: Send + Sync {
    /// Looks at a load as a whole. `newest`: the newest date of what the feed brought before; `None`: it is the feed's
    /// first load, and `known` is empty. Unless it is asked otherwise, it says nothing.
    fn survey(&self, _known: &[Known], _candidates: &[Candidate], _newest: Option<Timestamp>) -> Survey {
        Survey::default()
    }

    /// New, changed or same.
    fn decide(&self, known: &Known, candidate: &Candidate, survey: &Survey) -> Decision;

    /// The streams that a candidate is in when all of `feeds` carry it, and the story's effective date is `date`:
    /// terms such as `feed:` and `tag:` look at every sighting. Asked only for a story that more than one feed carries,
    /// or whose date is not the candidate's.
    fn rematch(&self, candidate: &Candidate, feeds: &[FeedId], date: Timestamp) -> Vec<Match>;

    /// The query of what the feed does not keep; `None`: it keeps everything.
    fn ignore(&self) -> Option<&str> {
        None
    }

    /// Whether candidate `index` meets that.
    fn is_ignored(&self, _index: usize) -> bool {
        false
    }

    /// Whether any stream looks at dates.
    fn looks_at_dates(&self) -> bool {
        false
    }

    /// Whether any stream looks at feeds; else it is all the same which of them carry a story.
    fn looks_at_feeds(&self) -> bool {
        true
    }

    /// Whether a feed that says this of itself is the publisher of what stands at `link`. None is, unless known.
    fn is_own(&self, _info: &FeedInfo, _link: &str) -> bool {
        false
    }

    /// The version of the rules that made the keys; 0: not known.
    fn rule_version(&self) -> i64 {
        0
    }
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

    #[test]
    fn what_is_missing_speaks_for_nothing() {
        let print = |title, text| Fingerprint { title, text };
        assert!(print(1, 1).is_other(print(2, 2)));
        assert!(print(1, 0).is_other(print(2, 0)), "two entries without a text have no text in common");
        assert!(!print(1, 1).is_other(print(1, 2)));
        assert!(!print(1, 1).is_other(print(2, 1)));
    }
}
