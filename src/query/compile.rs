//! Many queries behind one index: a hash of folded words, a sorted table of prefixes, and for each query its anchor.
//!
//! An anchor is a set of terms of which at least one occurs wherever the query is met: of an AND the rarest of its
//! parts', of an OR all of theirs together. A query without one (nothing positive in it) is tried on every item.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::filter::Filter;
use super::pattern::Required;
use super::prefixes::Prefixes;
use super::syntax::{Field, Node, NodeKind, Parsed, Query, TextAtom};
use crate::domain::time::Timestamp;

/// Many queries behind one index of words.
#[derive(Debug, Default)]
pub struct Index {
    queries: Vec<Arc<Parsed>>,
    /// For each query, the pivots of its atoms, by their ids.
    pivots: Lists<Pivot>,
    words: HashMap<Box<str>, u32>,
    prefixes: Prefixes,
    filter: Filter,
    /// For each term, the queries that hang on it.
    anchored: Lists<u32>,
    pub(super) feeds: HashMap<Box<str>, Vec<u32>>,
    pub(super) sites: HashMap<Box<str>, Vec<u32>>,
    pub(super) languages: HashMap<Box<str>, Vec<u32>>,
    pub(super) always: Vec<u32>,
    /// Whether the tags of feeds have to be split.
    pub(super) looks_at_tags: bool,
    /// Whether a query looks at dates.
    looks_at_dates: bool,
    /// Whether regular expressions hang on words.
    pub(super) has_patterns: bool,
    /// How many queries with a regular expression are tried on every item.
    everywhere: usize,
    pub(super) now: Option<Timestamp>,
}

/// A query in an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pub(super) query: &'a Parsed,
    /// For each atom of text, by its id, the word that it is found by.
    pub(super) pivots: &'a [Pivot],
}

/// Many short lists in one: with many queries, every allocation counts.
#[derive(Debug)]
struct Lists<T> {
    all: Vec<T>,
    /// Where each list ends in `all`.
    ends: Vec<u32>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { all: Vec::new(), ends: Vec::new() }
    }
}

impl<T> Lists<T> {
    fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.all.extend(list);
        self.ends.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
    }

    fn get(&self, list: usize) -> &[T] {
        let bound = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let start = list.checked_sub(1).and_then(bound).unwrap_or(0);
        bound(list).and_then(|end| self.all.get(start..end)).unwrap_or_default()
    }
}

/// The word by which an atom is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pivot {
    /// The term in the index.
    pub(super) term: u32,
    /// Which word of the atom it is.
    pub(super) word: u32,
}

impl Index {
    /// Compiles queries; a query is known by its place in the list.
    #[must_use]
    pub fn new(queries: &[Query]) -> Self {
        Self::with_frequencies(queries, &by_length)
    }

    /// Compiles queries when it is known how many documents of ours a folded word is in: queries hang on their
    /// rarest words. What the function says changes the cost of a scan, never its result.
    #[must_use]
    pub fn with_frequencies(queries: &[Query], frequency: &dyn Fn(&str) -> u64) -> Self {
        let mut builder =
            Builder { frequency, index: Self::default(), prefixes: BTreeMap::new(), terms: 0, hung: Vec::new() };
        for query in queries {
            builder.add(query);
        }
        let Builder { mut index, prefixes, terms, mut hung, .. } = builder;
        hung.sort_unstable();
        hung.dedup();
        let mut rest = hung.iter().peekable();
        for term in 0..terms {
            index.anchored.push(std::iter::from_fn(|| rest.next_if(|(t, _)| *t == term).map(|(_, query)| *query)));
        }
        index.filter = Filter::new(index.words.keys(), prefixes.keys());
        index.prefixes = Prefixes::new(prefixes);
        index
    }

    /// The same, with ages reckoned to `now`. Without, `age:` is met by every item: membership in a stream must not
    /// change by itself.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        Self { now: Some(now), ..self }
    }

    /// How many of the queries are tried on every item because of a regular expression of which no word is known.
    #[must_use]
    pub fn everywhere(&self) -> usize {
        self.everywhere
    }

    /// Whether any query looks at the date of items; else it is all the same to a scan.
    #[must_use]
    pub fn looks_at_dates(&self) -> bool {
        self.looks_at_dates
    }

    /// Calls `each` with every term that this folded word is or begins with.
    pub(super) fn terms_of(&self, word: &str, each: &mut impl FnMut(u32)) {
        if self.filter.may_be_word(word)
            && let Some(term) = self.words.get(word)
        {
            each(*term);
        }
        if self.filter.may_have_prefix(word) {
            self.prefixes.of(word, each);
        }
    }

    /// The queries that hang on a term.
    pub(super) fn anchored(&self, term: u32) -> &[u32] {
        usize::try_from(term).map_or(&[], |term| self.anchored.get(term))
    }

    /// How many queries there are.
    pub(super) fn len(&self) -> usize {
        self.queries.len()
    }

    /// A query, ready to be tried.
    pub(super) fn plan(&self, query: usize) -> Option<Plan<'_>> {
        Some(Plan { query: self.queries.get(query)?, pivots: self.pivots.get(query) })
    }
}

/// How common a word is held to be when nothing better is known: the longer, the rarer.
fn by_length(word: &str) -> u64 {
    let letters = u32::try_from(word.len()).unwrap_or(u32::MAX);
    1 << 14_u32.saturating_sub(letters)
}

/// How common a feed, a site or a language is held to be. They narrow, but a word that is not very short narrows more.
const NARROW: u64 = 1 << 10;

/// What a query can hang on.
#[derive(Clone, Debug)]
enum Hook {
    Term(u32),
    /// A whole word of a regular expression.
    Word(Box<str>),
    Feed(Box<str>),
    Site(Box<str>),
    Language(Box<str>),
}

/// Hooks of which one must be there, and how common they are together.
struct Anchor {
    hooks: Vec<Hook>,
    cost: u64,
}

impl Anchor {
    fn one(hook: Hook, cost: u64) -> Option<Self> {
        Some(Self { hooks: vec![hook], cost })
    }
}

struct Builder<'a> {
    frequency: &'a dyn Fn(&str) -> u64,
    index: Index,
    prefixes: BTreeMap<Box<str>, u32>,
    /// How many terms there are.
    terms: u32,
    /// Terms, and queries that hang on them.
    hung: Vec<(u32, u32)>,
}

impl Builder<'_> {
    fn add(&mut self, query: &Query) {
        let parsed = &query.inner;
        let number = u32::try_from(self.index.queries.len()).unwrap_or(u32::MAX);
        let mut pivots = Vec::new();
        self.pivots(&parsed.root, &mut pivots);
        pivots.sort_unstable_by_key(|(id, _)| *id);
        let pivots: Vec<Pivot> = pivots.into_iter().map(|(_, pivot)| pivot).collect();
        match self.anchor(&parsed.root, &pivots) {
            None => {
                self.index.always.push(number);
                self.index.everywhere += usize::from(parsed.has_pattern());
            }
            Some(anchor) => {
                for hook in anchor.hooks {
                    self.hang(number, hook);
                }
            }
        }
        self.index.looks_at_dates |= parsed.has_date();
        self.index.queries.push(Arc::clone(parsed));
        self.index.pivots.push(pivots);
    }

    fn hang(&mut self, query: u32, hook: Hook) {
        let queries = match hook {
            Hook::Term(term) => return self.hung.push((term, query)),
            Hook::Word(word) => {
                self.index.has_patterns = true;
                let term = self.word(&word);
                return self.hung.push((term, query));
            }
            Hook::Feed(name) => self.index.feeds.entry(name).or_default(),
            Hook::Site(host) => self.index.sites.entry(host).or_default(),
            Hook::Language(tag) => self.index.languages.entry(tag).or_default(),
        };
        if queries.last() != Some(&query) {
            queries.push(query);
        }
    }

    /// Gives every atom the word that it will be found by.
    fn pivots(&mut self, node: &Node, out: &mut Vec<(u32, Pivot)>) {
        node.any(&mut |node| {
            match &node.kind {
                NodeKind::Text(atom) => {
                    self.index.looks_at_tags |= atom.field == Field::Tag;
                    out.push((atom.id, self.pivot(atom)));
                }
                NodeKind::Pattern(pattern) => self.index.looks_at_tags |= pattern.field == Field::Tag,
                _ => {}
            }
            false
        });
    }

    fn pivot(&mut self, atom: &TextAtom) -> Pivot {
        let last = atom.words.len().saturating_sub(1);
        let is_prefix = |word: usize| atom.prefix && word == last;
        let rarest = atom.words.iter().enumerate().min_by_key(|(i, word)| self.cost(word, is_prefix(*i)));
        let (word, text) = rarest.map_or((0, ""), |(word, text)| (word, text));
        let term = if is_prefix(word) {
            let fresh = self.terms;
            let term = *self.prefixes.entry(text.into()).or_insert(fresh);
            self.terms += u32::from(term == fresh);
            term
        } else {
            self.word(text)
        };
        Pivot { term, word: u32::try_from(word).unwrap_or(u32::MAX) }
    }

    /// The term of a whole word.
    fn word(&mut self, text: &str) -> u32 {
        if let Some(known) = self.index.words.get(text) {
            return *known;
        }
        let fresh = self.terms;
        self.index.words.insert(text.into(), fresh);
        self.terms += 1;
        fresh
    }

    /// How common a word is; a beginning is taken for several words.
    fn cost(&self, word: &str, prefix: bool) -> u64 {
        let cost = (self.frequency)(word).max(1);
        if prefix { cost.saturating_mul(8).max(by_length(word)) } else { cost }
    }

    fn anchor(&self, node: &Node, pivots: &[Pivot]) -> Option<Anchor> {
        match &node.kind {
            NodeKind::Everything | NodeKind::Not(_) | NodeKind::Type(_) | NodeKind::When(_) => None,
            NodeKind::Pattern(pattern) => {
                let sum = |words: &Required| {
                    let costs = words.iter().map(|word| self.cost(word, false));
                    costs.fold(0, u64::saturating_add)
                };
                let rarest = pattern.required.iter().min_by_key(|words| sum(words))?;
                Some(Anchor { hooks: rarest.iter().cloned().map(Hook::Word).collect(), cost: sum(rarest) })
            }
            NodeKind::And(nodes) => self.rarest(nodes.iter(), pivots),
            NodeKind::Near(near) => self.rarest(near.operands(), pivots),
            NodeKind::Or(nodes) => {
                let mut all = Anchor { hooks: Vec::new(), cost: 0 };
                for node in nodes {
                    let anchor = self.anchor(node, pivots)?;
                    all.hooks.extend(anchor.hooks);
                    all.cost = all.cost.saturating_add(anchor.cost);
                }
                Some(all)
            }
            NodeKind::Text(atom) => {
                let pivot = usize::try_from(atom.id).ok().and_then(|id| pivots.get(id))?;
                let word = usize::try_from(pivot.word).ok()?;
                let prefix = atom.prefix && word + 1 == atom.words.len();
                let cost = self.cost(atom.words.iter().nth(word).unwrap_or_default(), prefix);
                Anchor::one(Hook::Term(pivot.term), cost)
            }
            NodeKind::Feed(name) if name.contains('*') => None,
            NodeKind::Feed(name) => Anchor::one(Hook::Feed(name.clone()), NARROW),
            NodeKind::Site(host) => Anchor::one(Hook::Site(host.clone()), NARROW),
            NodeKind::Language(tag) => Anchor::one(Hook::Language(tag.clone()), NARROW),
        }
    }

    fn rarest<'n>(&self, nodes: impl Iterator<Item = &'n Node>, pivots: &[Pivot]) -> Option<Anchor> {
        nodes.filter_map(|node| self.anchor(node, pivots)).min_by_key(|anchor| anchor.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(queries: &[&str]) -> Index {
        let queries: Vec<Query> = queries.iter().map(|q| Query::parse(q).unwrap()).collect();
        Index::new(&queries)
    }

    fn hangs_on(index: &Index, word: &str) -> Vec<u32> {
        let mut found = Vec::new();
        index.terms_of(word, &mut |term| found.extend_from_slice(index.anchored(term)));
        found
    }

    #[test]
    fn a_query_hangs_on_its_rarest_term_and_an_or_on_all_of_its_terms() {
        let index =
            index(&["peace negotiations", "cat OR elephant", "\"the constitution\"", "-sport", "zelen*", "tea -sport"]);
        assert_eq!(hangs_on(&index, "negotiations"), [0]);
        assert!(hangs_on(&index, "peace").is_empty());
        assert_eq!(hangs_on(&index, "cat"), [1]);
        assert_eq!(hangs_on(&index, "elephant"), [1]);
        assert_eq!(hangs_on(&index, "constitution"), [2]);
        assert!(hangs_on(&index, "the").is_empty());
        assert_eq!(hangs_on(&index, "zelensky"), [4]);
        assert!(hangs_on(&index, "zele").is_empty());
        assert_eq!(hangs_on(&index, "tea"), [5]);
        assert_eq!(index.always, [3]);
    }

    #[test]
    fn feeds_sites_and_languages_anchor_what_has_no_rarer_word() {
        let index =
            index(&["feed:bbc", "site:bbc.co.uk lang:de", "feed:bbc-* election", "feed:bbc-*", "type:audio/* OR x"]);
        assert_eq!(index.feeds["bbc"], [0]);
        assert_eq!(index.sites["bbc.co.uk"], [1]);
        assert!(index.languages.is_empty());
        assert_eq!(hangs_on(&index, "election"), [2]);
        assert_eq!(index.always, [3, 4]);
    }

    #[test]
    fn frequencies_decide_what_is_rare() {
        let query = Query::parse("international yeti").unwrap();
        let index = Index::with_frequencies(&[query], &|word| if word == "yeti" { 900 } else { 2 });
        assert_eq!(hangs_on(&index, "international"), [0]);
        assert!(hangs_on(&index, "yeti").is_empty());
    }

    #[test]
    fn the_filter_never_denies_a_term() {
        let words: Vec<String> = (0..2_000).map(|i| format!("w{i}{}", "é".repeat(i % 7))).collect();
        let parsed: Vec<Query> = words.iter().map(|w| Query::parse(w).unwrap()).collect();
        let index = Index::new(&parsed);
        for (i, word) in words.iter().enumerate() {
            let folded = crate::query::text::folded(word);
            assert_eq!(hangs_on(&index, &folded), [u32::try_from(i).unwrap()], "{word}");
        }
    }
}
