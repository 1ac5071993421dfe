//! Many queries behind one index: a hash of folded words, a sorted table of prefixes, and for each query its anchor.
//!
//! An anchor is a set of terms of which at least one occurs wherever the query is met: of an AND the rarest of its
//! parts', of an OR all of theirs together. A query without one (nothing positive in it) is tried on every item.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::filter::{eight, first_bytes, word_key};
use super::pattern::Required;
use super::prefixes::Prefixes;
use super::syntax::{Field, Node, NodeKind, Parsed, Query, TextAtom};
use super::terms::Terms;
use super::words::Words;
use crate::domain::time::Timestamp;

/// Many queries behind one index of words.
#[derive(Debug, Default)]
pub struct Index {
    /// Each with its pivots: what is looked at together stands together.
    queries: Vec<(Arc<Parsed>, Pivots)>,
    /// For each query of several atoms their pivots, by their ids.
    pivots: Vec<Pivot>,
    /// The words that queries hang on, and all prefixes by which an atom is found.
    words: Terms,
    prefixes: Prefixes,
    /// For each term, the queries that hang on it.
    anchored: Lists<Hung>,
    pub(super) feeds: HashMap<Box<str>, Vec<u32>>,
    pub(super) sites: HashMap<Box<str>, Vec<u32>>,
    pub(super) languages: HashMap<Box<str>, Vec<u32>>,
    pub(super) always: Vec<u32>,
    /// Whether the tags of feeds have to be split.
    pub(super) looks_at_tags: bool,
    /// Whether a query looks at feeds: their names, or their tags.
    looks_at_feeds: bool,
    /// Whether a query looks at dates.
    looks_at_dates: bool,
    /// Whether regular expressions hang on words.
    pub(super) has_patterns: bool,
    /// How many queries with a regular expression are tried on every item.
    everywhere: usize,
    pub(super) now: Option<Timestamp>,
    /// Odd; see `evaluate::Chains`.
    pub(super) secret: u64,
}

/// A query in an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pub(super) query: &'a Parsed,
    /// For each atom of text, by its id, the word that it is found by.
    pub(super) pivots: &'a [Pivot],
}

impl Plan<'_> {
    /// Looks at what stands next to the query's head, and gives a number that is of no use. See [`super::scan`]: it brings
    /// memory near.
    pub(super) fn touch(&self) -> usize {
        let (first, last) = (self.pivots.first(), self.pivots.last());
        let pivots = [first, last].into_iter().flatten().fold(0, |all, pivot| all ^ usize::from(pivot.word));
        let text = self.query.source.as_bytes().first().map_or(0, |byte| usize::from(*byte));
        pivots.wrapping_add(text).wrapping_add(self.query.root.begin())
    }
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

    fn shrink_to_fit(&mut self) {
        self.all.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    fn get(&self, list: usize) -> &[T] {
        let bound = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        let start = list.checked_sub(1).and_then(bound).unwrap_or(0);
        bound(list).and_then(|end| self.all.get(start..end)).unwrap_or_default()
    }
}

/// A query that hangs on a term. Those with the same to look for beside it stand together, so that a processor foresees what is
/// asked of the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Hung {
    pub(super) beside: Beside,
    pub(super) query: u32,
}

/// Another word that must be there as well: most of what hangs on a common word is ruled out by it without a look at the query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Beside {
    /// How many words after the one that the query hangs on it stands; 0: anywhere.
    pub(super) step: i16,
    /// How many bytes of a prefix `key` has; 0: it is a whole word.
    pub(super) head: u8,
    /// Its key, 0: none is known; of a prefix its first bytes.
    pub(super) key: u32,
}

impl Beside {
    /// A word at a certain place that begins so.
    fn begun(prefix: &str, step: i16) -> Self {
        let head = prefix.len().min(4);
        Self { key: first_bytes(eight(prefix.as_bytes()), head), step, head: u8::try_from(head).unwrap_or(0) }
    }
}

/// The pivots of a query.
#[derive(Clone, Copy, Debug)]
enum Pivots {
    /// It has one atom.
    One(Pivot),
    /// It has none, or several: where they begin in `pivots`.
    From(u32),
}

/// The word by which an atom is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pivot {
    /// The key of the word; of a prefix the term in the index.
    pub(super) find: u32,
    /// Which word of the atom it is.
    pub(super) word: u16,
    /// Whether it is only how a word begins.
    pub(super) prefix: bool,
}

impl Index {
    /// Compiles queries; a query is known by its place in the list.
    #[must_use]
    pub fn new(queries: &[Query]) -> Self {
        Self::with_frequencies(queries, &by_length)
    }

    /// Compiles queries when it is known in how many of 16,384 items a folded word is: queries hang on their rarest words. What the function says changes the cost of a scan, never its result.
    #[must_use]
    pub fn with_frequencies(queries: &[Query], frequency: &dyn Fn(&str) -> u64) -> Self {
        let mut builder = Builder {
            frequency,
            index: Self { secret: RandomState::new().hash_one(0) | 1, ..Self::default() },
            prefixes: BTreeMap::new(),
            terms: 0,
            hung: Vec::new(),
        };
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
        index.words.finish();
        index.prefixes = Prefixes::new(prefixes);
        index.queries.shrink_to_fit();
        index.pivots.shrink_to_fit();
        index.anchored.shrink_to_fit();
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

    /// Whether any query looks at feeds; else it is all the same to a scan which of them carry an item.
    #[must_use]
    pub fn looks_at_feeds(&self) -> bool {
        self.looks_at_feeds
    }

    /// The term of a whole word, if queries hang on it. `key`: the word's.
    pub(super) fn term(&self, key: u32) -> Option<u32> {
        self.words.get(key)
    }

    /// Calls `each` with every word that is a term: where it stands among the keys, and the term.
    pub(super) fn terms_of(&self, keys: &[u32], each: &mut impl FnMut(u32, u32)) {
        self.words.of(keys, each);
    }

    /// Calls `each` with the term of every prefix of every word, and where the word stands.
    pub(super) fn prefixes_of(&self, words: &Words, each: &mut impl FnMut(u32, u32)) {
        self.prefixes.of_all(words, each);
    }

    /// The queries that hang on a term.
    pub(super) fn anchored(&self, term: u32) -> &[Hung] {
        usize::try_from(term).map_or(&[], |term| self.anchored.get(term))
    }

    /// A query, ready to be tried.
    pub(super) fn plan(&self, query: usize) -> Option<Plan<'_>> {
        let (query, pivots) = self.queries.get(query)?;
        let pivots = match pivots {
            Pivots::One(pivot) => std::slice::from_ref(pivot),
            Pivots::From(start) => {
                let start = usize::try_from(*start).ok()?;
                self.pivots.get(start..start + usize::try_from(query.atoms).ok()?)?
            }
        };
        Some(Plan { query, pivots })
    }
}

/// How common a word is held to be when nothing better is known: the longer, the rarer. Of 16,384 items.
pub(super) fn by_length(word: &str) -> u64 {
    let letters = u32::try_from(word.len()).unwrap_or(u32::MAX);
    1 << 14_u32.saturating_sub(letters)
}

/// How common a feed, a site or a language is held to be. They narrow, but a word that is not very short narrows more.
const NARROW: u64 = 1 << 10;

/// What a query can hang on.
#[derive(Clone, Debug)]
enum Hook {
    /// A whole word, by its key.
    Word(u32),
    /// A whole word of a regular expression.
    Odd(u32),
    /// The term of a prefix.
    Prefix(u32),
    Feed(Box<str>),
    Site(Box<str>),
    Language(Box<str>),
}

/// Hooks of which one must be there, and how common they are together.
struct Anchor {
    /// Each with the word that must be there beside it.
    hooks: Vec<(Hook, Option<Word>)>,
    cost: u64,
    /// Whole words that must be there whatever the hook: that of the hook itself, and the rarest of the others.
    own: Option<Word>,
    other: Option<Word>,
}

/// A whole word: how common it is, and what is known of where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Word {
    cost: u64,
    beside: Beside,
}

impl Word {
    /// Beside what hangs on another atom. Of a prefix nothing is known then.
    fn anywhere(self) -> Option<Self> {
        (self.beside.head == 0).then_some(Self { beside: Beside { step: 0, ..self.beside }, ..self })
    }
}

/// A word at a certain place is so many times rarer than anywhere.
const PLACED: u64 = 256;

impl Anchor {
    fn one(hook: Hook, cost: u64) -> Option<Self> {
        Some(Self { hooks: vec![(hook, None)], cost, own: None, other: None })
    }

    /// The rarer of two that must both be met, and what is known of the other.
    fn and(self, other: Self) -> Self {
        let (mut best, rest) = if other.cost < self.cost { (other, self) } else { (self, other) };
        let others = [rest.own, rest.other].into_iter().flatten().filter_map(Word::anywhere);
        best.other = best.other.into_iter().chain(others).min();
        best
    }

    /// Both, of which one must be met.
    fn or(self, other: Self) -> Self {
        let cost = self.cost.saturating_add(other.cost);
        Self { hooks: self.settled().chain(other.settled()).collect(), cost, own: None, other: None }
    }

    /// The hooks, each with the word that must be there beside it.
    fn settled(self) -> impl Iterator<Item = (Hook, Option<Word>)> {
        let other = self.other;
        self.hooks.into_iter().map(move |(hook, beside)| (hook, beside.or(other)))
    }
}

struct Builder<'a> {
    frequency: &'a dyn Fn(&str) -> u64,
    index: Index,
    prefixes: BTreeMap<Box<str>, u32>,
    /// How many terms there are.
    terms: u32,
    /// Terms, and queries that hang on them.
    hung: Vec<(u32, Hung)>,
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
                for (hook, beside) in anchor.settled() {
                    let beside = beside.map(|word| word.beside).unwrap_or_default();
                    self.hang(Hung { query: number, beside }, hook);
                }
            }
        }
        self.index.looks_at_feeds |= self.index.looks_at_tags;
        self.index.looks_at_dates |= parsed.has_date();
        let own = match *pivots {
            [pivot] => Pivots::One(pivot),
            _ => Pivots::From(u32::try_from(self.index.pivots.len()).unwrap_or(u32::MAX)),
        };
        self.index.queries.push((Arc::clone(parsed), own));
        self.index.pivots.extend(pivots.into_iter().filter(|_| matches!(own, Pivots::From(_))));
    }

    fn hang(&mut self, hung: Hung, hook: Hook) {
        let queries = match hook {
            Hook::Prefix(term) => return self.hung.push((term, hung)),
            Hook::Word(key) | Hook::Odd(key) => {
                self.index.has_patterns |= matches!(hook, Hook::Odd(_));
                let term = self.index.words.get_or_insert(key, self.terms);
                self.terms += u32::from(term == self.terms);
                return self.hung.push((term, hung));
            }
            Hook::Feed(name) => self.index.feeds.entry(name).or_default(),
            Hook::Site(host) => self.index.sites.entry(host).or_default(),
            Hook::Language(tag) => self.index.languages.entry(tag).or_default(),
        };
        if queries.last() != Some(&hung.query) {
            queries.push(hung.query);
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
                NodeKind::Feed(_) => self.index.looks_at_feeds = true,
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
        let prefix = is_prefix(word);
        let find = if prefix {
            let fresh = self.terms;
            let term = *self.prefixes.entry(text.into()).or_insert(fresh);
            self.terms += u32::from(term == fresh);
            term
        } else {
            key_of(text)
        };
        Pivot { find, word: u16::try_from(word).unwrap_or(u16::MAX), prefix }
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
                let hooks = rarest.iter().map(|word| (Hook::Odd(key_of(word)), None));
                Some(Anchor { hooks: hooks.collect(), cost: sum(rarest), own: None, other: None })
            }
            NodeKind::And(nodes) => nodes.iter().filter_map(|node| self.anchor(node, pivots)).reduce(Anchor::and),
            NodeKind::Near(near) => near.operands().filter_map(|node| self.anchor(node, pivots)).reduce(Anchor::and),
            NodeKind::Or(nodes) => {
                let mut all: Option<Anchor> = None;
                for node in nodes {
                    let anchor = self.anchor(node, pivots)?;
                    all = Some(match all {
                        Some(before) => before.or(anchor),
                        None => anchor,
                    });
                }
                all
            }
            NodeKind::Text(atom) => self.text_anchor(atom, pivots),
            NodeKind::Feed(name) if name.contains('*') => None,
            NodeKind::Feed(name) => Anchor::one(Hook::Feed(name.clone()), NARROW),
            NodeKind::Site(host) => Anchor::one(Hook::Site(host.clone()), NARROW),
            NodeKind::Language(tag) => Anchor::one(Hook::Language(tag.clone()), NARROW),
        }
    }

    /// The pivot, and the rarest of the other words.
    fn text_anchor(&self, atom: &TextAtom, pivots: &[Pivot]) -> Option<Anchor> {
        let pivot = usize::try_from(atom.id).ok().and_then(|id| pivots.get(id))?;
        let at = usize::from(pivot.word);
        let is_prefix = |word: usize| atom.prefix && word + 1 == atom.words.len();
        let cost = self.cost(atom.words.iter().nth(at).unwrap_or_default(), pivot.prefix);
        let (mut own, mut other) = (None, None);
        for (word, text) in atom.words.iter().enumerate() {
            let cost = self.cost(text, is_prefix(word));
            let step = i16::try_from(word).ok()? - i16::try_from(at).ok()?;
            let beside =
                if is_prefix(word) { Beside::begun(text, step) } else { Beside { key: key_of(text), step, head: 0 } };
            if word == at {
                own = (!pivot.prefix).then_some(Word { cost, beside });
            } else {
                other = other.into_iter().chain([Word { cost: cost / PLACED, beside }]).min();
            }
        }
        let hook = if pivot.prefix { Hook::Prefix(pivot.find) } else { Hook::Word(pivot.find) };
        Some(Anchor { hooks: vec![(hook, None)], cost, own, other })
    }
}

fn key_of(word: &str) -> u32 {
    word_key(word.as_bytes(), word.len())
}

#[cfg(test)]
mod tests {
    use super::super::words::Part;
    use super::*;

    fn index(queries: &[&str]) -> Index {
        let queries: Vec<Query> = queries.iter().map(|q| Query::parse(q).unwrap()).collect();
        Index::new(&queries)
    }

    fn hangs_on(index: &Index, word: &str) -> Vec<u32> {
        let mut found = Vec::new();
        let mut look = |term| found.extend(index.anchored(term).iter().map(|hung| hung.query));
        index.term(key_of(word)).into_iter().for_each(&mut look);
        let mut words = Words::default();
        words.add(Part::Title, word, true);
        index.prefixes_of(&words, &mut |term, _| look(term));
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
