//! Items, and the queries that they meet.

use super::atom::language_tag;
use super::compile::Index;
use super::evaluate::{Context, Layer};
use super::filter::{Present, word_key};
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
#[derive(Debug)]
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
        let texts = [document.title, document.summary, document.content, document.url];
        let lists = document.authors.iter().chain(&document.tags);
        let bytes: usize = texts.iter().chain(lists).map(|text| text.len() + 1).sum();
        let mut words = Words::with_capacity(bytes);
        words.add(Part::Title, document.title, true);
        words.add(Part::Summary, document.summary, true);
        for author in &document.authors {
            words.add(Part::Author, author, false);
        }
        for tag in &document.tags {
            words.add(Part::Tag, tag, false);
        }
        // `url:münchen` means what is in the address, however it is coded (RFC 3986 2.1).
        let url = percent_encoding::percent_decode_str(document.url).decode_utf8_lossy();
        words.add(Part::Url, &url, false);
        // Last, so that a text beyond the limit crowds out nothing else.
        words.add(Part::Content, document.content, true);
        let types = document.types.iter().map(|t| t.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        Self {
            words,
            url: document.url.to_owned(),
            host: host(document.url),
            language: document.language.map(language_tag).filter(|tag| !tag.is_empty()),
            types: types.collect(),
            date: document.date,
        }
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

impl Index {
    /// The queries that an item meets when these feeds carry it, in the order of the list.
    #[must_use]
    pub fn scan(&self, item: &Folded, feeds: &[FeedTerms<'_>]) -> Vec<Hit> {
        self.scan_dated(item, feeds, item.date)
    }

    /// The same for an item whose effective date is another than that of the entry that is looked at.
    #[must_use]
    pub fn scan_dated(&self, item: &Folded, feeds: &[FeedTerms<'_>], date: Timestamp) -> Vec<Hit> {
        let tags = self.split_tags(feeds);
        let layers = [self.layer(&item.words), self.layer(&tags)];
        let mut hits = Vec::new();
        for query in self.candidates(item, feeds, &layers) {
            let Some(plan) = self.plan(query) else { continue };
            let context = Context { plan, layers: [&layers[0], &layers[1]], item, feeds, date, now: self.now };
            if let Some(met) = context.meet(&plan.query.root) {
                let term = met.map(|spot| snippet::show(&spot, &plan.query.source));
                hits.push(Hit { query, term });
            }
        }
        hits
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
        let mut found = Vec::new();
        let mut present = Present::new(words.len());
        for (word, at) in words.folded().zip(0_u32..) {
            let key = word_key(word);
            present.add(key);
            self.terms_of(word, key, &mut |term| found.push((term, at)));
        }
        found.sort_unstable();
        Layer { words, found, present }
    }

    /// The queries that may be met: those of which an anchor is there, and those without one. In order.
    fn candidates(&self, item: &Folded, feeds: &[FeedTerms<'_>], layers: &[Layer<'_>; 2]) -> Vec<usize> {
        let mut marks = Marks::new(self.len());
        marks.set(&self.always);
        let is_there = |need: u32| need == 0 || layers.iter().any(|layer| layer.present.has(need));
        for layer in layers {
            for same in layer.found.chunk_by(|a, b| a.0 == b.0) {
                if let Some((term, _)) = same.first() {
                    let hung = self.anchored(*term).iter();
                    hung.filter(|hung| is_there(hung.need)).for_each(|hung| marks.add(hung.query));
                }
            }
            if self.has_patterns {
                odd_words(layer.words.text(), &mut |word| {
                    self.terms_of(word, word_key(word), &mut |term| {
                        self.anchored(term).iter().for_each(|hung| marks.add(hung.query));
                    });
                });
            }
        }
        for feed in feeds {
            marks.set(self.feeds.get(feed.name).map_or(&[], Vec::as_slice));
        }
        if !self.sites.is_empty() {
            let mut host = item.host();
            while let Some(name) = host {
                marks.set(self.sites.get(name).map_or(&[], Vec::as_slice));
                host = name.split_once('.').map(|(_, above)| above);
            }
        }
        if !self.languages.is_empty() {
            let mut tag = item.language();
            while let Some(name) = tag {
                marks.set(self.languages.get(name).map_or(&[], Vec::as_slice));
                tag = name.rsplit_once('-').map(|(above, _)| above);
            }
        }
        marks.list()
    }
}

/// A set of queries.
struct Marks {
    bits: Vec<u64>,
}

impl Marks {
    fn new(queries: usize) -> Self {
        Self { bits: vec![0; queries.div_ceil(64)] }
    }

    fn set(&mut self, queries: &[u32]) {
        queries.iter().for_each(|query| self.add(*query));
    }

    fn add(&mut self, query: u32) {
        let at = usize::try_from(query / 64).ok();
        if let Some(bits) = at.and_then(|at| self.bits.get_mut(at)) {
            *bits |= 1 << (query % 64);
        }
    }

    fn list(&self) -> Vec<usize> {
        let mut queries = Vec::new();
        for (bits, at) in self.bits.iter().zip(0_usize..) {
            let mut rest = *bits;
            while rest != 0 {
                queries.push(at * 64 + usize::try_from(rest.trailing_zeros()).unwrap_or(0));
                rest &= rest - 1;
            }
        }
        queries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
