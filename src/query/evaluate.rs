//! One query on one item, once the words that both have are known.

use std::cell::{Cell, OnceCell};

use super::atom::as_written;
use super::compile::{Pivot, Plan};
use super::pattern::Pattern;
use super::scan::{FeedTerms, Folded};
use super::syntax::{Exact, Field, Near, Node, NodeKind, Raw, Symbols, TextAtom};
use super::words::{Part, Words};
use crate::domain::time::Timestamp;

/// Words, and which of the terms of an index were found among them.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    pub(super) words: &'a Words,
    /// Terms and the words that they are, or begin, in order.
    pub(super) found: Vec<(u32, u32)>,
    /// Odd, and of this process alone.
    secret: u64,
    /// How many keys were looked for.
    asked: Cell<usize>,
    chains: OnceCell<Chains>,
}

/// For so many keys, to walk through all words takes less than to sort them into chains.
const FEW: usize = 4;
/// Words that are compared at once.
const LANES: usize = 32;

impl<'a> Layer<'a> {
    pub(super) fn new(words: &'a Words, mut found: Vec<(u32, u32)>, secret: u64) -> Self {
        found.sort_unstable_by_key(|(term, word)| u64::from(*term) << 32 | u64::from(*word));
        Self { words, found, secret, asked: Cell::new(0), chains: OnceCell::new() }
    }

    /// What was found, term by term.
    pub(super) fn terms(&self) -> impl Iterator<Item = &[(u32, u32)]> {
        self.found.chunk_by(|a, b| a.0 == b.0)
    }

    /// The words of a key, in order.
    pub(super) fn of(&self, key: u32) -> impl Iterator<Item = u32> {
        let (keys, chains) = (self.words.keys(), self.chains());
        let walked = chains.is_none().then(|| walk(keys, key));
        let chained = chains.map(|chains| chains.words(keys, key));
        walked.into_iter().flatten().chain(chained.into_iter().flatten())
    }

    /// Whether there is a word of this key.
    pub(super) fn has(&self, key: u32) -> bool {
        let keys = self.words.keys();
        self.chains().map_or_else(|| keys.contains(&key), |chains| chains.words(keys, key).next().is_some())
    }

    /// Once they are worth it.
    fn chains(&self) -> Option<&Chains> {
        let asked = self.asked.get();
        self.asked.set(asked.saturating_add(1));
        (asked >= FEW).then(|| self.chains.get_or_init(|| Chains::new(self.words.keys(), self.secret)))
    }

    /// The words that a prefix begins, in order.
    fn begun(&self, term: u32) -> impl Iterator<Item = u32> {
        let start = self.found.partition_point(|(other, _)| *other < term);
        let rest = self.found.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == term).map(|(_, word)| *word)
    }

    /// The words at which an atom's pivot stands, in order.
    fn at(&self, pivot: Pivot) -> impl Iterator<Item = u32> {
        let prefixed = pivot.prefix.then(|| self.begun(pivot.find));
        let whole = (!pivot.prefix).then(|| self.of(pivot.find));
        prefixed.into_iter().flatten().chain(whole.into_iter().flatten())
    }
}

/// The words of a key, in order.
fn walk(keys: &[u32], key: u32) -> impl Iterator<Item = u32> {
    let here = (0_u32..).step_by(LANES).zip(keys.chunks(LANES)).filter(move |(_, keys)| keys.contains(&key));
    here.flat_map(move |(first, keys)| {
        (first..).zip(keys).filter_map(move |(word, other)| (*other == key).then_some(word))
    })
}

/// Which words have a key: those of a place stand in a chain.
#[derive(Debug)]
struct Chains {
    /// A power of two of them: the first word of each chain.
    heads: Vec<u32>,
    /// For each word the next one.
    next: Vec<u32>,
    /// Keys have no secret: whoever writes a text could have all of its words in one chain.
    secret: u64,
}

/// The end of a chain.
const END: u32 = u32::MAX;

impl Chains {
    fn new(keys: &[u32], secret: u64) -> Self {
        // Most items have no tags of feeds to look at.
        let heads = vec![END; if keys.is_empty() { 0 } else { keys.len().next_power_of_two() }];
        let mut chains = Self { heads, next: vec![END; keys.len()], secret };
        let mask = chains.heads.len().wrapping_sub(1);
        let mut word = u32::try_from(keys.len()).unwrap_or(END);
        for (key, next) in keys.iter().zip(&mut chains.next).rev() {
            word = word.saturating_sub(1);
            if let Some(head) = chains.heads.get_mut(chain(*key, secret) & mask) {
                *next = std::mem::replace(head, word);
            }
        }
        chains
    }

    /// The words of a key, in order.
    fn words(&self, keys: &[u32], key: u32) -> impl Iterator<Item = u32> {
        let head = self.heads.get(chain(key, self.secret) & self.heads.len().wrapping_sub(1)).copied();
        let valid = |word: u32| (word != END).then_some(word);
        let chain = std::iter::successors(head.and_then(valid), move |word| {
            self.next.get(place(*word)).copied().and_then(valid)
        });
        chain.filter(move |word| keys.get(place(*word)) == Some(&key))
    }
}

/// Which chain a key belongs to.
fn chain(key: u32, secret: u64) -> usize {
    usize::try_from(u64::from(key).wrapping_mul(secret) >> 32).unwrap_or(0)
}

fn place(word: u32) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}

/// Where a term was met.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot<'a> {
    /// In a text, from the first word to the last.
    Text { words: &'a Words, first: usize, last: usize, term: &'a Node },
    /// In a text, where a regular expression matches.
    Match { words: &'a Words, raw: (usize, usize), part: Part, term: &'a Node },
    /// In something that is whole: a feed's name, a host, a language, a media type.
    Fact { field: &'static str, text: &'a str, around: &'a str, term: &'a Node },
}

/// How a query was met.
pub(super) type Met<'a> = Option<Spot<'a>>;

/// What a query is tried on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) plan: Plan<'a>,
    /// The item's own words, and those of its feeds' tags.
    pub(super) layers: [&'a Layer<'a>; 2],
    pub(super) item: &'a Folded,
    pub(super) feeds: &'a [FeedTerms<'a>],
    /// The item's effective date.
    pub(super) date: Timestamp,
    pub(super) now: Option<Timestamp>,
}

impl<'a> Context<'a> {
    /// Whether a clause is met; if so, where its first term is, if it has a positive one.
    pub(super) fn meet(&self, node: &'a Node) -> Option<Met<'a>> {
        match &node.kind {
            NodeKind::Everything => Some(None),
            NodeKind::And(nodes) => {
                let mut first = None;
                for node in nodes {
                    let met = self.meet(node)?;
                    first = first.or(met);
                }
                Some(first)
            }
            NodeKind::Or(nodes) => {
                let mut bare = None;
                for node in nodes {
                    match self.meet(node) {
                        Some(Some(spot)) => return Some(Some(spot)),
                        Some(None) => bare = Some(None),
                        None => {}
                    }
                }
                bare
            }
            NodeKind::Not(node) => {
                if self.meet(node).is_some() {
                    None
                } else {
                    Some(None)
                }
            }
            NodeKind::Near(near) => self.near(near).map(Some),
            NodeKind::Text(atom) => self.first(node, atom).map(Some),
            NodeKind::Pattern(pattern) => self.matches(node, pattern).next().map(Some),
            NodeKind::When(when) => when.has(self.date, self.now).then_some(None),
            NodeKind::Feed(_) | NodeKind::Site(_) | NodeKind::Language(_) | NodeKind::Type(_) => {
                self.fact(node).map(Some)
            }
        }
    }

    /// The first place where an atom of text is met. What is asked most often: so without the iterators of [`Self::spots`].
    fn first(&self, node: &'a Node, atom: &'a TextAtom) -> Option<Spot<'a>> {
        let pivot = self.pivot(atom)?;
        self.layers.into_iter().find_map(|layer| {
            let spot = |word| spot(layer.words, pivot, word, node, atom);
            if pivot.prefix { layer.begun(pivot.find).find_map(spot) } else { layer.of(pivot.find).find_map(spot) }
        })
    }

    /// Every place where an atom of text is met.
    pub(super) fn spots(&self, node: &'a Node, atom: &'a TextAtom) -> impl Iterator<Item = Spot<'a>> + use<'a> {
        let layers = self.layers;
        let pivoted = self.pivot(atom).into_iter().flat_map(move |pivot| layers.map(|layer| (pivot, layer)));
        pivoted.flat_map(move |(pivot, layer)| {
            layer.at(pivot).filter_map(move |word| spot(layer.words, pivot, word, node, atom))
        })
    }

    /// The word that an atom is found by.
    fn pivot(&self, atom: &TextAtom) -> Option<Pivot> {
        usize::try_from(atom.id).ok().and_then(|id| self.plan.pivots.get(id)).copied()
    }

    /// Every place where a regular expression matches.
    pub(super) fn matches(&self, node: &'a Node, pattern: &'a Pattern) -> impl Iterator<Item = Spot<'a>> + use<'a> {
        self.layers.into_iter().flat_map(move |layer| {
            let words = layer.words;
            let texts = words.texts().filter(move |(part, _)| looks_in(pattern.field, *part));
            texts.flat_map(move |(part, at)| {
                let places = pattern.places(words.text().get(at.clone()).unwrap_or_default());
                places.map(move |found| {
                    let raw = (at.start + found.start, at.start + found.end);
                    Spot::Match { words, raw, part, term: node }
                })
            })
        })
    }

    /// Facts are looked up whole; nothing in them is split.
    fn fact(&self, node: &'a Node) -> Option<Spot<'a>> {
        let fact = |field, text, around| Some(Spot::Fact { field, text, around, term: node });
        match &node.kind {
            NodeKind::Feed(pattern) => {
                let name = self.feeds.iter().map(|feed| feed.name).find(|name| glob(pattern, name))?;
                fact("feed", name, name)
            }
            NodeKind::Site(host) => {
                let own = self.item.host()?;
                let below = own.strip_suffix(&**host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                if below { fact("site", own, self.item.url()) } else { None }
            }
            NodeKind::Language(range) => {
                // BCP 47, RFC 4647 3.3.1: basic filtering.
                let tag = self.item.language()?;
                let within = tag.strip_prefix(&**range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
                if within { fact("lang", tag, tag) } else { None }
            }
            NodeKind::Type(wanted) => {
                let fits = |own: &str| own == &**wanted || (wanted.ends_with('/') && own.starts_with(&**wanted));
                let own = self.item.types().find(|own| fits(own))?;
                fact("type", own, own)
            }
            _ => None,
        }
    }

    /// From the last operand back to the first: of each, the occurrences that are near one that was kept.
    fn near(&self, near: &'a Near) -> Option<Spot<'a>> {
        let mut operands: Vec<&Node> = near.operands().collect();
        let mut kept = self.stretches(operands.pop()?);
        for (words, _) in near.rest.iter().rev() {
            let longest = kept.iter().map(|s| s.end - s.start).max()?;
            let mut next = self.stretches(operands.pop()?);
            next.retain(|stretch| {
                let from = stretch.start.saturating_sub(words + 1 + longest);
                let others = kept.get(kept.partition_point(|k| k.start < from)..).unwrap_or_default();
                others
                    .iter()
                    .take_while(|k| k.start <= stretch.end + words + 1)
                    .any(|k| near_enough(stretch, k, *words))
            });
            kept = next;
        }
        kept.first().map(|stretch| stretch.spot)
    }

    /// The occurrences of an operand of NEAR, in order.
    fn stretches(&self, node: &'a Node) -> Vec<Stretch<'a>> {
        match &node.kind {
            NodeKind::Text(atom) => self.spots(node, atom).filter_map(Stretch::of).collect(),
            NodeKind::Or(nodes) => {
                let mut all: Vec<Stretch<'a>> = nodes.iter().flat_map(|node| self.stretches(node)).collect();
                all.sort_by_key(|stretch| stretch.start);
                all
            }
            _ => Vec::new(),
        }
    }
}

/// Positions that an occurrence takes, from the first to the last.
struct Stretch<'a> {
    start: u32,
    end: u32,
    spot: Spot<'a>,
}

impl<'a> Stretch<'a> {
    fn of(spot: Spot<'a>) -> Option<Self> {
        let Spot::Text { words, first, last, .. } = spot else { return None };
        Some(Self { start: words.position(first)?, end: words.position(last)?, spot })
    }
}

/// At most so many words between, in either order, and no word in both. Blocks are further apart than that.
fn near_enough(a: &Stretch<'_>, b: &Stretch<'_>, words: u32) -> bool {
    (b.start > a.end && b.start - a.end <= words + 1) || (a.start > b.end && a.start - b.end <= words + 1)
}

/// An atom, if it stands where its pivot is this word.
fn spot<'a>(words: &'a Words, pivot: Pivot, word: u32, term: &'a Node, atom: &TextAtom) -> Option<Spot<'a>> {
    let first = place(word).checked_sub(usize::from(pivot.word))?;
    let last = first + atom.words.len() - 1;
    stands(words, first, atom).then_some(Spot::Text { words, first, last, term })
}

/// Whether an atom stands at this word: first what is cheap, then what is verified on the raw text.
fn stands(words: &Words, first: usize, atom: &TextAtom) -> bool {
    let last = first + atom.words.len() - 1;
    words.part(first).is_some_and(|part| looks_in(atom.field, part))
        && is_sequence(words, first, atom)
        && (atom.field != Field::Tag || is_whole(words, first, last, atom.prefix))
        && atom.raw.as_deref().is_none_or(|raw| match raw {
            Raw::Exact(exact) => is_exactly(words, first, last, exact, atom.prefix),
            Raw::Symbols(symbols) => symbols.iter().all(|symbols| has_symbols(words, first, symbols)),
        })
}

fn looks_in(field: Field, part: Part) -> bool {
    match field {
        Field::Any => matches!(part, Part::Title | Part::Summary | Part::Content),
        Field::Title => part == Part::Title,
        Field::Body => matches!(part, Part::Summary | Part::Content),
        Field::Author => part == Part::Author,
        Field::Tag => part == Part::Tag,
        Field::Url => part == Part::Url,
        Field::Feed | Field::Site | Field::Language | Field::Type | Field::Before | Field::After | Field::Age => false,
    }
}

fn is_sequence(words: &Words, first: usize, atom: &TextAtom) -> bool {
    if let Some(want) = atom.words.only() {
        return words.word(first).is_some_and(|word| if atom.prefix { word.starts_with(want) } else { word == want });
    }
    let start = words.position(first);
    let count = atom.words.len();
    atom.words.iter().zip(0_u32..).zip(first..).all(|((want, step), at)| {
        let begins = atom.prefix && at + 1 == first + count;
        let place = start.map(|start| start.saturating_add(step));
        words.position(at) == place
            && words.word(at).is_some_and(|word| if begins { word.starts_with(want) } else { word == want })
    })
}

/// Whether the words are a whole category, or with a prefix the beginning of one.
fn is_whole(words: &Words, first: usize, last: usize, prefix: bool) -> bool {
    let follows = |a: usize, b: usize| match (words.position(a), words.position(b)) {
        (Some(a), Some(b)) => b == a.saturating_add(1),
        _ => false,
    };
    !first.checked_sub(1).is_some_and(|before| follows(before, first)) && (prefix || !follows(last, last + 1))
}

fn has_symbols(words: &Words, first: usize, symbols: &Symbols) -> bool {
    let word = first + symbols.word;
    surrounded(words, word, word, &symbols.before, &symbols.after)
}

/// Whether these texts stand directly before the first and after the last word.
fn surrounded(words: &Words, first: usize, last: usize, before: &str, after: &str) -> bool {
    let Some(raw) = words.raw(first, last) else { return false };
    let text = words.text();
    text.get(..raw.start).is_some_and(|head| head.ends_with(before))
        && text.get(raw.end..).is_some_and(|tail| tail.starts_with(after))
}

fn is_exactly(words: &Words, first: usize, last: usize, exact: &Exact, prefix: bool) -> bool {
    let Some(text) = words.raw(first, last).and_then(|raw| words.text().get(raw)) else { return false };
    let mut own = as_written(text);
    let body = exact.body.chars().all(|c| own.next() == Some(c)) && (prefix || own.next().is_none());
    body && surrounded(words, first, last, &exact.before, &exact.after)
}

/// Whether a name is as a pattern says, in which `*` stands for any text.
fn glob(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The leftmost place of each part leaves most to those after it.
    for part in middle.split('*') {
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_name_stands_for_any_text() {
        for (pattern, name, want) in [
            ("bbc", "bbc", true),
            ("bbc", "bbc-world", false),
            ("bbc-*", "bbc-world", true),
            ("bbc-*", "bbc", false),
            ("*-news", "sky-news", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("**x**", "axb", true),
            ("*bc*c", "abc", false),
        ] {
            assert_eq!(glob(pattern, name), want, "{pattern} {name}");
        }
    }
}
