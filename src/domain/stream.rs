//! A stream: a named query over everything that was seen; and a match of an item with one.

use std::borrow::Cow;

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
    pub field: Cow<'static, str>,
    /// The term as the query has it.
    pub term: String,
    /// The text as it stands in the item.
    pub text: String,
    /// At most 200 characters around it, cut at words; empty: not kept.
    #[serde(default)]
    pub snippet: String,
    /// Where in the snippet the text stands, in Unicode scalar values, from and to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highlights: Vec<(usize, usize)>,
}

impl TermHit {
    /// As it stays with a membership: a list without names and without the snippet, which would be most of it and is
    /// in the text. It is read back as a hit with an empty one.
    #[must_use]
    pub fn brief(&self) -> [&str; 3] {
        [&self.field, &self.term, &self.text]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_hit_is_read_back_as_one_without_a_snippet_and_a_whole_one_as_it_was() {
        let hit = |snippet: &str| TermHit {
            field: "title".into(),
            term: "peace*".to_owned(),
            text: "\"Peace\"".to_owned(),
            snippet: snippet.to_owned(),
            highlights: if snippet.is_empty() { Vec::new() } else { vec![(0, 5)] },
        };
        let brief = serde_json::to_string(&hit("The \"Peace\" talks").brief()).unwrap();
        assert_eq!(serde_json::from_str::<TermHit>(&brief).unwrap(), hit(""));
        let whole = serde_json::to_string(&hit("talks")).unwrap();
        assert_eq!(serde_json::from_str::<TermHit>(&whole).unwrap(), hit("talks"));
    }
}
