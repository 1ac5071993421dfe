//! What a search is asked with and what it answers, and what the full-text index is fed with: the types of
//! [`Store::search`](super::Store::search), [`Store::unindexed`](super::Store::unindexed) and
//! [`Store::index`](super::Store::index).

use std::time::Instant;

use super::Cursor;
use crate::domain::item::ItemId;
use crate::domain::search::{Narrow, Statistics};
use crate::domain::time::Timestamp;

/// In which order candidates are wanted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    /// Newest first, after this place in the order of streams.
    Newest(Option<Cursor>),
    /// Best first, after this place.
    Best(Option<Spot>),
}

/// A place in the order of scores, best first, then by row. A score moves a little with everything that is indexed; so
/// the item stands for the place, and the score only where the item is not found any more.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spot {
    /// Its score.
    pub score: f64,
    /// The item.
    pub item: ItemId,
}

/// What candidates are asked by.
#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    /// What all of them meet. [`Narrow::Any`] finds nothing by the index: such queries are tried on the stream's pages.
    pub narrow: Narrow,
    /// The order.
    pub order: Order,
    /// Only with an effective date from then on.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// When the search ends, whatever it has.
    pub until: Instant,
}

/// What was found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// In the order that was wanted. By date, what is not in the index is among them.
    pub candidates: Vec<Candidate>,
    /// By score: items that are not in the index as they are now, in no order. They have to be tried, each one.
    pub tail: Vec<ItemId>,
    /// By score: what scores hang on.
    pub statistics: Statistics,
    /// Whether there are more behind the last candidate.
    pub more: bool,
    /// By date: there are so many that the stream's pages are the quicker way; nothing was found here.
    pub too_many: bool,
    /// Only the latest was looked at: the time was over, or there is too much.
    pub partial: bool,
}

/// An item that may meet the query.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// Its effective date; by score it is not looked up.
    pub effective_at: Timestamp,
    /// Its score; by date there is none.
    pub score: f64,
    /// The item.
    pub item: ItemId,
}

/// Up to where the full-text index has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The last line of the log that it has followed.
    pub done_seq: i64,
    /// Items below this row, which were there before the index was, are not in it.
    pub below: i64,
}

/// What the index has to take up next.
#[derive(Clone, PartialEq, Debug)]
pub struct Backlog {
    /// Items, each with its texts; `None`: it is not shown any more.
    pub items: Vec<(ItemId, Option<Raw>)>,
    /// Where the index stands.
    pub from: Mark,
    /// Where it will stand.
    pub to: Mark,
}

impl Backlog {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.from == self.to
    }
}

/// The texts of an item as they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Raw {
    /// Title, plain text.
    pub title: Option<String>,
    /// Summary, HTML.
    pub summary: Option<String>,
    /// Content, HTML.
    pub content: Option<String>,
}

/// The folded words of an item, joined by spaces; `None`: it goes from the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worded {
    /// The item.
    pub item: ItemId,
    /// Title, summary, content.
    pub texts: Option<[String; 3]>,
}
