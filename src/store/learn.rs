//! Aliases and merges, as the boundary has them.

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
}
