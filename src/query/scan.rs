//! Items, and the queries that they meet.

use std::hint::black_box;

use super::atom::language_tag;
use super::compile::{Beside, Index};
use super::evaluate::{Context, Layer, Spot};
use super::filter::{first_bytes, word_key};
use super::pattern::odd_words;
use super::snippet;
use super::words::{Part, Words};
use crate::domain::stream::TermHit;
use crate::domain::time::Timestamp;

/// What queries look at. Texts are plain; a line feed ends a block.
#[derive(Clone, Debug, Default)]
pub struct Document<'a> {
    /// Title.
    pub title: &'a str,
    /// Text of the summary.
    pub summary: &'a str,
    /// Text of the content.
    pub content: &'a str,
    /// Names of its authors.
    pub authors: Vec<&'a str>,
    /// Categories of the entry.
    pub tags: Vec<&'a str>,
    /// Its canonical URL.
    pub url: &'a str,
    /// Language tag.
    pub language: Option<&'a str>,
    /// Media types of its enclosures.
    pub types: Vec<&'a str>,
    /// Its effective date.
    pub date: Timestamp,
}

/// A feed that carries the item, as `feed:` and `tag:` see it.
#[derive(Clone, Copy, Debug)]
pub struct FeedTerms<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its tags in the configuration.
    pub tags: &'a [String],
}

/// A document that was folded and split once.
#[derive(Debug, Default)]
pub struct Folded {
    words: Words,
    url: String,
    host: Option<String>,
    language: Option<String>,
    types: Vec<String>,
    date: Timestamp,
}

impl Folded {
    /// Folds and splits.
    #[must_use]
    pub fn new(document: &Document<'_>) -> Self {
        let mut folded = Self::default();
        folded.refill(document);
        folded
    }

    /// Folds and splits another document into the room of this one.
    pub fn refill(&mut self, document: &Document<'_>) {
        let texts = [document.title, document.summary, document.content, document.url];
        let lists = document.authors.iter().chain(&document.tags);
        let bytes: usize = texts.iter().chain(lists).map(|text| text.len() + 1).sum();
        let words = &mut self.words;
        words.clear(bytes);
        words.add(Part::Title, document.title, true);
        words.add(Part::Summary, document.summary, true);
        for author in &document.authors {
            words.add(Part::Author, author, false);
        }
        for tag in &document.tags {
            words.add(Part::Tag, tag, false);
        }
        // `url:münchen` means what is in the address, however it is coded (RFC 3986 2.1).
        if document.url.contains('%') {
            let url = percent_encoding::percent_decode_str(document.url).decode_utf8_lossy();
            words.add(Part::Url, &url, false);
        } else {
            words.add(Part::Url, document.url, false);
        }
        // Last, so that a text beyond the limit crowds out nothing else.
        words.add(Part::Content, document.content, true);
        let types = document.types.iter().map(|t| t.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        self.types = types.collect();
        self.url.clear();
        self.url.push_str(document.url);
        self.host = host(document.url);
        self.language = document.language.map(language_tag).filter(|tag| !tag.is_empty());
        self.date = document.date;
    }

    pub(super) fn date(&self) -> Timestamp {
        self.date
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub(super) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(String::as_str)
    }
}

/// The host of a canonical URL, in lower case; `None` for a key that is no URL.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let port = host.rfind(':').filter(|at| host.bytes().skip(at + 1).all(|b| b.is_ascii_digit()));
    let host = host.get(..port.unwrap_or(host.len()))?.trim_end_matches('.');
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// A query that an item meets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    /// Its place in the list that the index was made from.
    pub query: usize,
    /// The first term that was met; `None` for a query without a positive part.
    pub term: Option<TermHit>,
}

/// How an item meets a query. What is shown of it is made when it is asked for: few of many hits are ever shown.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    spot: Option<Spot<'a>>,
    source: &'a str,
}

impl Seen<'_> {
    /// The first term that was met, with a snippet; `None` for a query without a positive part.
    #[must_use]
    pub fn shown(&self) -> Option<TermHit> {
        self.spot.map(|spot| snippet::show(&spot, self.source))
    }

    /// The same without the snippet.
    #[must_use]
    pub fn brief(&self) -> Option<TermHit> {
        self.spot.map(|spot| snippet::brief(&spot, self.source))
    }
}

impl Index {
    /// The queries that an item meets when these feeds carry it, in the order of the list.
    #[must_use]
    pub fn scan(&self, item: &Folded, feeds: &[FeedTerms<'_>]) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.visit(item, feeds, item.date, &mut |query, seen| hits.push(Hit { query, term: seen.shown() }));
        hits
    }

    /// Their places in the list alone.
    #[must_use]
    pub fn met(&self, item: &Folded, feeds: &[FeedTerms<'_>]) -> Vec<usize> {
        let mut queries = Vec::new();
        self.visit(item, feeds, item.date, &mut |query, _| queries.push(query));
        queries
    }

    /// Calls `each` with every query that an item meets, in the order of the list, when these feeds carry it and its effective
    /// date is `date`, which need not be that of the entry that is looked at.
    pub fn visit(
        &self,
        item: &Folded,
        feeds: &[FeedTerms<'_>],
        date: Timestamp,
        each: &mut dyn FnMut(usize, Seen<'_>),
    ) {
        let tags = self.split_tags(feeds);
        let layers = [self.layer(&item.words), self.layer(&tags)];
        let candidates = self.candidates(item, feeds, &layers);
        self.fetch(&candidates);
        for query in candidates {
            let query = usize::try_from(query).unwrap_or(usize::MAX);
            let Some(plan) = self.plan(query) else { continue };
            let context = Context { plan, layers: [&layers[0], &layers[1]], item, feeds, date, now: self.now };
            if let Some(spot) = context.meet(&plan.query.root) {
                each(query, Seen { spot, source: &plan.query.source });
            }
        }
    }

    /// Looks at queries that are about to be tried, level by level. Of a hundred thousand each stands somewhere else in the memory:
    /// here the processor waits for many of them at once, while trying one waits for what it has found before.
    fn fetch(&self, queries: &[u32]) {
        let plans = || queries.iter().filter_map(|query| self.plan(usize::try_from(*query).ok()?));
        if queries.len() >= MANY {
            black_box(plans().map(|plan| plan.query.atoms).fold(0, u32::wrapping_add));
            black_box(plans().map(|plan| plan.touch()).fold(0, usize::wrapping_add));
            black_box(plans().map(|plan| plan.query.root.touch()).fold(0, usize::wrapping_add));
        }
    }

    /// The words of the tags of feeds, if any query looks at them.
    pub(super) fn split_tags(&self, feeds: &[FeedTerms<'_>]) -> Words {
        let mut words = Words::default();
        if self.looks_at_tags {
            for tag in feeds.iter().flat_map(|feed| feed.tags) {
                words.add(Part::Tag, tag, false);
            }
        }
        words
    }

    /// Looks every word up once.
    pub(super) fn layer<'a>(&self, words: &'a Words) -> Layer<'a> {
        // With many queries every fourth word is a term of one.
        let mut found = Vec::with_capacity(words.keys().len() / 4);
        self.terms_of(words.keys(), &mut |at, term| found.push((term, at)));
        self.prefixes_of(words, &mut |term, at| found.push((term, at)));
        Layer::new(words, found, self.secret)
    }

    /// The queries that may be met: those of which an anchor is there, and those without one. In order.
    fn candidates(&self, item: &Folded, feeds: &[FeedTerms<'_>], layers: &[Layer<'_>; 2]) -> Vec<u32> {
        let mut queries = self.always.clone();
        for layer in layers {
            let mut terms = Vec::with_capacity(layer.found.len());
            terms.extend(layer.terms().filter_map(|places| Some((places, self.anchored(places.first()?.0)))));
            // As in `fetch`.
            let ends = terms.iter().flat_map(|(_, hung)| [hung.first(), hung.last()]).flatten();
            black_box(ends.fold(0, |all, hung| all ^ hung.query));
            for (places, hung) in terms {
                let there = hung.iter().filter(|hung| is_beside(hung.beside, places, layer, layers));
                queries.extend(there.map(|hung| hung.query));
            }
            if self.has_patterns {
                odd_words(layer.words.text(), &mut |word| {
                    let term = self.term(word_key(word.as_bytes(), word.len()));
                    queries.extend(term.into_iter().flat_map(|term| self.anchored(term)).map(|hung| hung.query));
                });
            }
        }
        for feed in feeds.iter().filter(|_| !self.feeds.is_empty()) {
            queries.extend(self.feeds.get(feed.name).into_iter().flatten());
        }
        if !self.sites.is_empty() {
            let mut host = item.host();
            while let Some(name) = host {
                queries.extend(self.sites.get(name).into_iter().flatten());
                host = name.split_once('.').map(|(_, above)| above);
            }
        }
        if !self.languages.is_empty() {
            let mut tag = item.language();
            while let Some(name) = tag {
                queries.extend(self.languages.get(name).into_iter().flatten());
                tag = name.rsplit_once('-').map(|(above, _)| above);
            }
        }
        queries.sort_unstable();
        queries.dedup();
        queries
    }
}

/// Places of a word that are looked at for what stands beside it: a word can be there a hundred thousand times.
const MOST_PLACES: usize = 64;

/// Queries whose memory is worth a look beforehand.
const MANY: usize = 4;

/// Whether the word that must be there beside a term, which was found at these places, is: it errs on one side.
fn is_beside(beside: Beside, places: &[(u32, u32)], layer: &Layer<'_>, layers: &[Layer<'_>; 2]) -> bool {
    let Beside { key, step, head } = beside;
    if key == 0 {
        return true;
    }
    if step == 0 {
        return layers.iter().any(|layer| layer.has(key));
    }
    let is_there = |(_, place): &(u32, u32)| {
        let Some(at) = place.checked_add_signed(step.into()) else { return false };
        match usize::from(head) {
            0 => layer.words.key(at) == Some(key),
            head => first_bytes(layer.words.head(at), head) == key,
        }
    };
    let more = places.len() > MOST_PLACES && (head != 0 || layer.has(key));
    more || places.iter().take(MOST_PLACES).any(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::syntax::Query;

    #[test]
    fn a_host_is_what_a_url_has_and_nothing_else() {
        for (url, want) in [
            ("https://www.BBC.co.uk/news?x=http://y/", Some("www.bbc.co.uk")),
            ("https://user:pw@a.b:8443/", Some("a.b")),
            ("https://a.b.", Some("a.b")),
            ("https://[::1]:80/x", Some("[::1]")),
            ("https://[::1]/x", Some("[::1]")),
            ("tag:example.com,2020:x", None),
            ("guid with words: see http://x.y", None),
            ("", None),
            ("https:///x", None),
        ] {
            assert_eq!(host(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn a_phrase_is_found_behind_any_number_of_its_first_word() {
        let index = Index::new(&[Query::parse("\"aaaa bb\"").unwrap(), Query::parse("aaaa bb").unwrap()]);
        let met = |content: &str| index.met(&Folded::new(&Document { content, ..Document::default() }), &[]);
        let many = "aaaa ".repeat(MOST_PLACES * 3);
        assert_eq!(met(&format!("{many} bb")), [0, 1]);
        assert_eq!(met(&format!("bb {many}")), [1]);
        assert!(met(&many).is_empty());
        let index = Index::new(&[Query::parse("\"aaaa bb*\"").unwrap()]);
        let met = |content: &str| index.met(&Folded::new(&Document { content, ..Document::default() }), &[]);
        assert_eq!(met(&format!("{many} bbb")), [0]);
        assert!(met(&format!("bbb {many}")).is_empty());
    }

    #[test]
    fn a_phrase_whose_prefix_is_not_there_is_ruled_out_without_a_look_at_the_query() {
        let index = Index::new(&[
            Query::parse("\"constitution re*\"").unwrap(),
            Query::parse("\"constitution straße*\"").unwrap(),
        ]);
        let candidates = |content: &str| {
            let item = Folded::new(&Document { content, ..Document::default() });
            let tags = Words::default();
            index.candidates(&item, &[], &[index.layer(item.words()), index.layer(&tags)])
        };
        assert_eq!(candidates("The constitution remains"), [0]);
        assert_eq!(candidates("The constitution, Straßen"), [1]);
        assert!(candidates("The constitution of re").is_empty());
        assert!(candidates("re constitution").is_empty());
    }
}
