//! A second evaluator, as plain as can be: no index, no positions, no anchors, one query and one item at a time.
//! Whatever is asked, the real one must answer the same.

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

use super::atom::as_written;
use super::compile::Index;
use super::explain::Verdict;
use super::moment::When;
use super::scan::{Document, FeedTerms, Folded};
use super::syntax::{Field, Near, Node, NodeKind, Query, Raw, TextAtom};
use super::text;
use crate::domain::time::Timestamp;

/// One block of text.
struct Block {
    part: &'static str,
    text: String,
    words: Vec<(String, Range<usize>)>,
}

impl Block {
    fn new(part: &'static str, text: &str) -> Self {
        let mut words = Vec::new();
        text::split(text, &mut |word| {
            let mut folded = String::new();
            text::push_folded(&mut folded, text, &word);
            words.push((folded, word.raw));
        });
        Self { part, text: text.to_owned(), words }
    }
}

struct Plain<'a> {
    blocks: Vec<Block>,
    /// The whole texts, for regular expressions.
    texts: Vec<(&'static str, String)>,
    document: &'a Document<'a>,
    feeds: &'a [FeedTerms<'a>],
}

impl<'a> Plain<'a> {
    fn new(document: &'a Document<'a>, feeds: &'a [FeedTerms<'a>]) -> Self {
        let mut texts: Vec<(&str, String)> =
            [("title", document.title), ("summary", document.summary), ("content", document.content)]
                .map(|(part, text)| (part, text.to_owned()))
                .into();
        let mut blocks = Vec::new();
        for (part, text) in &texts {
            blocks.extend(text.split('\n').map(|line| Block::new(part, line)));
        }
        let mut whole = |part: &'static str, text: &str| {
            blocks.push(Block::new(part, text));
            texts.push((part, text.to_owned()));
        };
        document.authors.iter().for_each(|name| whole("author", name));
        document.tags.iter().for_each(|tag| whole("tag", tag));
        feeds.iter().flat_map(|feed| feed.tags).for_each(|tag| whole("tag", tag));
        whole("url", document.url);
        Self { blocks, texts, document, feeds }
    }

    fn meets(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::Everything => true,
            NodeKind::And(nodes) => nodes.iter().all(|node| self.meets(node)),
            NodeKind::Or(nodes) => nodes.iter().any(|node| self.meets(node)),
            NodeKind::Not(node) => !self.meets(node),
            NodeKind::Near(near) => self.blocks.iter().any(|block| is_near(block, near, 0, None)),
            NodeKind::Text(atom) => self.blocks.iter().any(|block| !occurrences(block, atom).is_empty()),
            NodeKind::Feed(pattern) => {
                let fits = |name: &str| match pattern.split_once('*') {
                    Some((head, tail)) => {
                        name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
                    }
                    None => name == &**pattern,
                };
                self.feeds.iter().any(|feed| fits(feed.name))
            }
            NodeKind::Site(host) => {
                let own = url::Url::parse(self.document.url).ok().and_then(|url| url.host_str().map(str::to_owned));
                own.is_some_and(|own| own == **host || own.ends_with(&format!(".{host}")))
            }
            NodeKind::Language(range) => {
                let own = self.document.language.unwrap_or_default().to_lowercase();
                own == **range || own.starts_with(&format!("{range}-"))
            }
            NodeKind::Type(wanted) => self
                .document
                .types
                .iter()
                .any(|own| own == &&**wanted || wanted.ends_with('/') && own.starts_with(&**wanted)),
            NodeKind::When(When::Before(at)) => self.document.date < *at,
            NodeKind::When(When::From(at)) => self.document.date >= *at,
            NodeKind::When(When::Younger(ms)) => NOW.as_ms() - self.document.date.as_ms() < *ms,
            NodeKind::When(When::Older(ms)) => NOW.as_ms() - self.document.date.as_ms() > *ms,
            NodeKind::Pattern(pattern) => {
                let texts = self.texts.iter().filter(|(part, _)| looks_in(pattern.field, part));
                texts.into_iter().any(|(_, text)| pattern.places(text).next().is_some())
            }
        }
    }
}

fn looks_in(field: Field, part: &str) -> bool {
    match field {
        Field::Any => ["title", "summary", "content"].contains(&part),
        Field::Title => part == "title",
        Field::Body => ["summary", "content"].contains(&part),
        Field::Author => part == "author",
        Field::Tag => part == "tag",
        Field::Url => part == "url",
        _ => false,
    }
}

/// From which word to which an atom occurs in a block.
fn occurrences(block: &Block, atom: &TextAtom) -> Vec<Range<usize>> {
    let length = atom.words.len();
    let starts =
        if looks_in(atom.field, block.part) { 0..(block.words.len() + 1).saturating_sub(length) } else { 0..0 };
    starts.filter(|start| is_at(block, atom, *start)).map(|start| start..start + length).collect()
}

fn is_at(block: &Block, atom: &TextAtom, start: usize) -> bool {
    let length = atom.words.len();
    let words = &block.words[start..start + length];
    let same =
        words.iter().zip(atom.words.iter()).enumerate().all(|(i, ((own, _), want))| {
            if atom.prefix && i + 1 == length { own.starts_with(want) } else { own == want }
        });
    let before = |raw: &Range<usize>, want: &str| block.text[..raw.start].ends_with(want);
    let after = |raw: &Range<usize>, want: &str| block.text[raw.end..].starts_with(want);
    let written = match atom.raw.as_deref() {
        None => true,
        Some(Raw::Symbols(symbols)) => {
            symbols.iter().all(|s| before(&words[s.word].1, &s.before) && after(&words[s.word].1, &s.after))
        }
        Some(Raw::Exact(exact)) => {
            let raw = words[0].1.start..words[length - 1].1.end;
            let own: String = as_written(&block.text[raw.clone()]).collect();
            let body = if atom.prefix { own.starts_with(&*exact.body) } else { own == *exact.body };
            body && before(&raw, &exact.before) && after(&raw, &exact.after)
        }
    };
    let whole = atom.field != Field::Tag || (start == 0 && (atom.prefix || length == block.words.len()));
    same && written && whole
}

fn is_near(block: &Block, near: &Near, at: usize, last: Option<&Range<usize>>) -> bool {
    let Some(operand) = near.operands().nth(at) else { return true };
    operand_occurrences(block, operand).iter().any(|here| {
        let close = last.is_none_or(|last| {
            let words = near.rest[at - 1].0 as usize;
            let between = if here.start >= last.end {
                here.start.checked_sub(last.end)
            } else {
                last.start.checked_sub(here.end)
            };
            between.is_some_and(|between| between <= words)
        });
        close && is_near(block, near, at + 1, Some(here))
    })
}

fn operand_occurrences(block: &Block, node: &Node) -> Vec<Range<usize>> {
    match &node.kind {
        NodeKind::Text(atom) => occurrences(block, atom),
        NodeKind::Or(nodes) => nodes.iter().flat_map(|node| operand_occurrences(block, node)).collect(),
        _ => Vec::new(),
    }
}

const WORDS: &[&str] = &[
    "peace",
    "Peace",
    "talks",
    "TALKS",
    "talk",
    "tal",
    "Straße",
    "strasse",
    "й",
    "и",
    "上海",
    "海",
    "上",
    "C++",
    "C",
    "C#",
    "#c",
    "l'Ukraine",
    "ukraine",
    "it",
    "IT",
    "é",
    "e\u{301}",
    "ab",
    "abc",
    "abcd",
    "用ab写",
    "क्या",
    // What is a word by `\b` and only part of one here, and the other way round.
    "ab\u{AD}abc",
    "peace™",
    "\u{200B}talk",
    "²ab",
    "\u{212A}",
    "ſ",
    "straße\u{AD}ab",
    "\u{AD}上",
];

/// How a word begins: shorter than four bytes, of four, and longer; one word, or several.
const BEGINNINGS: &[&str] = &["pe", "Peac", "peace", "ta", "talk", "stras", "ab", "abc", "uk", "l'Uk", "上海", "क्या"];

/// A text of few words, so that queries have a chance.
fn any_text() -> impl Strategy<Value = String> {
    let separator = proptest::sample::select(vec![" ", " ", " ", "\n", ", ", "-", "  ", " + "]);
    let pair = (proptest::sample::select(WORDS), separator);
    proptest::collection::vec(pair, 0..10).prop_map(|pairs| pairs.iter().map(|(w, s)| [*w, *s].concat()).collect())
}

fn one_line() -> impl Strategy<Value = String> {
    any_text().prop_map(|text| text.replace('\n', " "))
}

/// What a document is made of.
#[derive(Clone, Debug)]
struct Owned {
    texts: [String; 3],
    authors: Vec<String>,
    tags: Vec<String>,
    feed_tags: Vec<String>,
    host: usize,
    language: Option<&'static str>,
    types: Vec<&'static str>,
    feeds: usize,
    age_hours: u64,
}

/// 9999-12-31T23:59:59Z
const NOW: Timestamp = Timestamp::MAX;

const PATTERNS: &[&str] = &[
    r"/\bpeace\b/",
    r"/\bPEACE\b/i",
    r"/peace talks/",
    r"/(?i)\btalk\b/",
    r"/tal?k?s?\b/i",
    r"/\bab\b/",
    r"/\bstrasse\b/i",
    r"/\bk\b/i",
    r"/\bS\b/i",
    r"/^(peace|talk)\b/im",
    r"/ (ab|abc) /",
    r"/\bab\W+abc\b/",
    r"/[上海]{2}/",
    r"/\b上\b/",
    r"/C\+\+/",
    r"/\bc\b/i",
    r"/\babc?$/m",
    r"/\bи\b/i",
];
const HOSTS: &[&str] =
    &["https://bbc.co.uk/ab/talks", "https://news.bbc.co.uk/", "https://xbbc.co.uk/peace", "guid of it"];
const FEEDS: &[&[&str]] = &[&[], &["one"], &["two"], &["one", "two"]];

impl Owned {
    fn with<T>(&self, then: impl FnOnce(&Document<'_>, &[FeedTerms<'_>]) -> T) -> T {
        let refs = |list: &'_ [String]| -> Vec<String> { list.to_vec() };
        let (authors, tags) = (refs(&self.authors), refs(&self.tags));
        let document = Document {
            title: &self.texts[0],
            summary: &self.texts[1],
            content: &self.texts[2],
            authors: authors.iter().map(String::as_str).collect(),
            tags: tags.iter().map(String::as_str).collect(),
            url: HOSTS[self.host],
            language: self.language,
            types: self.types.clone(),
            date: NOW.minus(Duration::from_hours(self.age_hours)),
        };
        let feeds: Vec<FeedTerms<'_>> =
            FEEDS[self.feeds].iter().map(|name| FeedTerms { name, tags: &self.feed_tags }).collect();
        then(&document, &feeds)
    }
}

fn any_item() -> impl Strategy<Value = Owned> {
    let lines = || proptest::collection::vec(one_line(), 0..3);
    let language = proptest::option::of(proptest::sample::select(vec!["de", "de-AT", "en", "deu"]));
    let types = proptest::collection::vec(proptest::sample::select(vec!["audio/mpeg", "video/mp4"]), 0..2);
    let facts = (0..HOSTS.len(), language, types, 0..FEEDS.len(), 0..72_u64);
    ((one_line(), any_text(), any_text()), lines(), lines(), lines(), facts).prop_map(
        |((a, b, c), authors, tags, feed_tags, (host, language, types, feeds, age_hours))| Owned {
            age_hours,
            texts: [a, b, c],
            authors,
            tags,
            feed_tags,
            host,
            language,
            types,
            feeds,
        },
    )
}

fn any_query() -> impl Strategy<Value = String> {
    let words =
        |n| proptest::collection::vec(proptest::sample::select(WORDS), n).prop_map(|words: Vec<&str>| words.join(" "));
    let field = || proptest::sample::select(vec!["", "", "", "title:", "body:", "author:", "tag:", "url:"]);
    let text = || {
        prop_oneof![
            4 => words(1..2),
            2 => words(1..4).prop_map(|words| format!("\"{words}\"")),
            1 => words(1..3).prop_map(|words| format!("=\"{words}\"")),
            1 => (words(1..3), proptest::sample::select(BEGINNINGS)).prop_map(|(words, end)| format!("\"{words} {end}*\"")),
            1 => proptest::sample::select(vec!["pea*", "ta*", "tal*", "ab*", "abc*", "\"peace ta*\"", "=Pe*", "上海*"])
                .prop_map(str::to_owned),
        ]
    };
    let leaf = prop_oneof![
        6 => (field(), text()).prop_map(|(field, text)| format!("{field}{text}")),
        2 => (text(), 1..4, text(), text())
            .prop_map(|(a, n, b, c)| format!("{a} NEAR/{n} ({b} OR {c})")),
        1 => (text(), 1..4, text(), 1..3, text()).prop_map(|(a, n, b, m, c)| format!("{a} NEAR/{n} {b} NEAR/{m} {c}")),
        2 => proptest::sample::select(vec![
            "feed:one", "feed:two", "feed:o*", "feed:*o", "site:bbc.co.uk", "site:news.bbc.co.uk", "lang:de", "lang:de-at", "type:audio/*",
            "type:video/mp4", "*", "before:9999-12-30", "after:9999-12-30", "age:<36h", "age:>1d",
        ]).prop_map(str::to_owned),
        2 => (field(), proptest::sample::select(PATTERNS)).prop_map(|(field, text)| format!("{field}{text}")),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} OR {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b}) AND ({a})")),
            inner.prop_map(|a| format!("-({a})")),
        ]
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    // At least sixty queries and sixty items a time: 201,600 pairs.
    #![proptest_config(config(56))]

    #[test]
    fn the_index_answers_as_the_plain_evaluator_does(
        texts in proptest::collection::vec(any_query(), 60..65),
        items in proptest::collection::vec(any_item(), 60..65),
    ) {
        let queries: Vec<Query> = texts.iter().map(|text| Query::parse(text).expect(text)).collect();
        // What is held to be rare must not matter: once by length, once by nothing at all.
        let by_chance = |word: &str| word.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte)) % 100;
        let indexes = [Index::new(&queries), Index::with_frequencies(&queries, &by_chance)].map(|index| index.as_of(NOW));
        for (at, item) in items.iter().enumerate() {
            item.with(|document, feeds| {
                let plain = Plain::new(document, feeds);
                let want: Vec<usize> =
                    queries.iter().enumerate().filter(|(_, q)| plain.meets(&q.inner.root)).map(|(i, _)| i).collect();
                let folded = Folded::new(document);
                for index in &indexes {
                    let hits: Vec<usize> = index.scan(&folded, feeds).iter().map(|hit| hit.query).collect();
                    for (i, text) in texts.iter().enumerate() {
                        prop_assert_eq!(hits.contains(&i), want.contains(&i), "{} on {:?}", text, item);
                    }
                    prop_assert_eq!(&hits, &want, "each once, and in order");
                }
                if let Some(query) = queries.get(at) {
                    let met = matches!(query.explain(&folded, feeds, Some(NOW)), Verdict::Met(_));
                    prop_assert_eq!(met, plain.meets(&query.inner.root), "{}", texts[at]);
                }
                Ok(())
            })?;
        }
    }
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn a_reading_means_the_same_and_has_no_other_reading(text in any_query(), item in any_item()) {
        let query = Query::parse(&text).expect(&text);
        if let Some(reading) = query.reading() {
            let read = Query::parse(&reading).expect(&reading);
            prop_assert_eq!(read.reading(), None, "{}", reading);
            item.with(|document, feeds| {
                let plain = Plain::new(document, feeds);
                prop_assert_eq!(plain.meets(&read.inner.root), plain.meets(&query.inner.root), "{}", reading);
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_phrase_of_any_words_of_an_item_finds_it(
        text in prop_oneof![any_text(), "\\PC{0,40}", any::<String>()],
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let text = text.replace(['"', '*', '\n'], " ");
        let mut raws = Vec::new();
        text::split(&text, &mut |word| raws.push(word.raw));
        if raws.is_empty() {
            return Ok(());
        }
        let (from, to) = (from.index(raws.len()), to.index(raws.len()));
        let (from, to) = (from.min(to), from.max(to));
        // A character of two words, as the ½ of `5½` (`51⁄2` in NFKC), cannot be cut.
        let shared = |at: usize| at > 0 && at < raws.len() && raws[at - 1].end > raws[at].start;
        if shared(from) || shared(to + 1) {
            return Ok(());
        }
        let slice = &text[raws[from].start..raws[to].end];
        let folded = Folded::new(&Document { content: &text, ..Document::default() });
        for mark in ["", "="] {
            let query = Query::parse(&format!("{mark}\"{slice}\"")).unwrap();
            prop_assert_eq!(Index::new(&[query]).scan(&folded, &[]).len(), 1, "{}{:?} in {:?}", mark, slice, text);
        }
        // Of one letter nothing may begin.
        if let Ok(query) = Query::parse(&format!("\"{slice}*\"")) {
            prop_assert_eq!(Index::new(&[query]).scan(&folded, &[]).len(), 1, "{:?}* in {:?}", slice, text);
        }
    }

    #[test]
    fn how_accents_are_coded_makes_no_difference(text in any_query(), item in any_item()) {
        let query = [Query::parse(&text.nfc().collect::<String>()).expect(&text)];
        let index = Index::new(&query);
        let count = |item: &Owned| item.with(|document, feeds| index.scan(&Folded::new(document), feeds).len());
        let coded = |code: fn(&str) -> String| {
            let list = |list: &[String]| list.iter().map(|text| code(text)).collect::<Vec<_>>();
            Owned {
                texts: item.texts.clone().map(|text| code(&text)),
                authors: list(&item.authors),
                tags: list(&item.tags),
                feed_tags: list(&item.feed_tags),
                ..item.clone()
            }
        };
        prop_assert_eq!(count(&coded(|t| t.nfc().collect())), count(&coded(|t| t.nfd().collect())));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(
        text in prop_oneof![any::<String>(), "[ab\"()*=:/ -]{0,20}", "([a-z:(]|OR |AND |NOT |NEAR/3 |\"|\\)|\\*|é|上){0,12}"],
    ) {
        match Query::parse(&text) {
            Ok(query) => {
                prop_assert_eq!(query.source(), &text);
                let folded = Folded::new(&Document { content: &text, ..Document::default() });
                let _ = Index::new(&[query]).scan(&folded, &[]);
            }
            Err(error) => prop_assert!(text.get(error.at.clone()).is_some(), "{:?}", error),
        }
    }
}
