//! Aliases, merges and keys made anew, as the boundary has them.

use crate::domain::feed::FeedId;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// Whose word an alias is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AliasSource {
    /// A permanent redirect was followed (RFC 9110 15.4.2, 15.4.9).
    Redirect,
    /// The page names its canonical address (RFC 6596).
    Canonical,
}

impl AliasSource {
    /// The word under which it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Canonical => "canonical",
        }
    }
}

/// Another address of a story. Both are keys; neither is a front page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Learnt {
    /// The address that leads away.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// Whose word it is.
    pub source: AliasSource,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Learned {
    /// It is remembered.
    Kept,
    /// It was known.
    Known,
    /// Two stored items are one now: this one was kept.
    Merged(ItemId),
    /// It was not believed: why.
    Refused(&'static str),
}

/// Two items that were made one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MergeStatus {
    /// The one that was kept.
    pub kept: ItemId,
    /// The one that it absorbed; `items unmerge` takes its number.
    pub absorbed: ItemId,
    /// When.
    pub at: Timestamp,
    /// By what: `redirect`, `canonical`, `origlink`, `rules`.
    pub reason: String,
    /// When it was undone.
    pub undone_at: Option<Timestamp>,
    /// The title of the kept one.
    pub title: Option<String>,
    /// The link of the kept one.
    pub kept_link: Option<String>,
    /// The link of the absorbed one.
    pub absorbed_link: Option<String>,
}

/// Makes a key by the rules of today, from one that was made by those of yesterday: the rules of this feed, or those of
/// all for feed 0. `None`: it makes none of it.
pub type Keymaker = dyn Fn(FeedId, &str) -> Option<String> + Send + Sync;

/// What one step of making keys anew did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rekeyed {
    /// All keys are of this version.
    pub done: bool,
    /// Items looked at.
    pub looked: u32,
    /// Items with another key.
    pub moved: u32,
    /// Items that became one with another.
    pub merged: u32,
    /// Items that should have, but must stay apart.
    pub apart: u32,
    /// What was stored since then is done; `None`: nothing older is left.
    pub seen_down_to: Option<Timestamp>,
}
