//! A stream: a named query over everything that was seen; and a match of an item with one.

use serde::{Deserialize, Serialize};

/// A stream's row. `all` has none: it holds every item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StreamId(pub i64);

/// Where and how an item met a stream's query.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Match {
    /// The stream.
    pub stream: StreamId,
    /// The first term that was met; `None` for a query without a positive part.
    pub term: Option<TermHit>,
}

/// A query's term as it was found in an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TermHit {
    /// `title`, `summary`, `content`, `tag`, `feed`, `site` …
    pub field: String,
    /// The term as the query has it.
    pub term: String,
    /// The text as it stands in the item.
    pub text: String,
    /// At most 200 characters around it, cut at words.
    pub snippet: String,
}
