//! The feed behind an address: the address itself, or what a web page there names (`link rel=alternate`, RSS
//! autodiscovery). Whatever is found has answered as a feed.
//!
//! Asks with the fetcher that it is given and stores nothing.

use std::collections::HashSet;

use url::Url;

use crate::domain::time::Timestamp;
use crate::fetch::client::{Ask, Fetcher};
use crate::fetch::outcome::Outcome;
use crate::parse::{self, Feed, PageFeed};

/// How many of a page's feeds are asked.
const MAX_ASKED: usize = 10;
/// Entries that are compared of two feeds.
const MAX_COMPARED: usize = 200;
/// Of ten stories of the shorter feed so many are in the other one, if both are one feed in two forms.
const SAME_OF_TEN: usize = 8;
/// What a feed of comments is called, in some languages; the words are looked for in titles and paths.
const COMMENTS: &[&str] = &[
    "comments",
    "comment feed",
    "commentaires",
    "kommentar",
    "comentarios",
    "comentários",
    "commenti",
    "reacties",
    "komentar",
    "комментари",
    "评论",
    "コメント",
];

/// A feed that answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where it is to be asked: what was asked for, or where permanent redirects led.
    pub url: Url,
    /// Its own title.
    pub title: Option<String>,
    /// How many entries it has now.
    pub entries: usize,
}

/// What is at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Discovery {
    /// A feed.
    Feed(Found),
    /// A web page that names feeds: those that are about comments last, else in the page's order; never none.
    Page(Vec<Candidate>),
}

/// A feed that a page names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its address, by the page's word.
    pub url: String,
    /// What the page calls it.
    pub title: Option<String>,
    /// Its form, by the page's word: `RSS`, `Atom` …
    pub form: &'static str,
    /// Whether it is about comments and not about stories.
    pub comments: bool,
    /// What came of asking it.
    pub verdict: Verdict,
}

/// What came of asking a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It can be followed.
    Feed(Found),
    /// It has the same stories as the candidate with this index, which comes before it.
    Same(usize),
    /// It is no feed or does not answer: a sentence.
    No(String),
}

impl Candidate {
    /// The feed, if it can be followed and is not another one in another form.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        match &self.verdict {
            Verdict::Feed(found) => Some(found),
            _ => None,
        }
    }
}

/// The indices of those that can be chosen, best first.
pub fn choices(candidates: &[Candidate]) -> impl Iterator<Item = usize> + '_ {
    candidates.iter().enumerate().filter(|(_, candidate)| candidate.found().is_some()).map(|(index, _)| index)
}

/// The one that is clearly meant: the only one, or the only one that is not about comments.
#[must_use]
pub fn clear(candidates: &[Candidate]) -> Option<usize> {
    let stories = |index: &usize| candidates.get(*index).is_some_and(|candidate| !candidate.comments);
    let mut of_stories = choices(candidates).filter(stories);
    match (of_stories.next(), of_stories.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let mut all = choices(candidates);
            all.next().filter(|_| all.next().is_none())
        }
    }
}

/// Asks what is at the address of `ask`.
///
/// # Errors
/// A sentence: it does not answer, is no feed, or is a page that names none that answers.
pub async fn discover(fetcher: &Fetcher, ask: &Ask, now: Timestamp) -> Result<Discovery, String> {
    let named = match load(fetcher, ask, now).await? {
        Loaded::Feed(found, _) => return Ok(Discovery::Feed(found)),
        Loaded::Page { message, named } if named.is_empty() => return Err(message),
        Loaded::Page { named, .. } => ranked(named),
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut stories: Vec<HashSet<String>> = Vec::new();
    for (named, comments) in named.into_iter().take(MAX_ASKED) {
        let loaded = match Url::parse(&named.url) {
            Ok(url) => load(fetcher, &Ask { url: url.into(), ..ask.clone() }, now).await,
            Err(e) => Err(e.to_string()),
        };
        let (verdict, own) = match loaded {
            Ok(Loaded::Feed(found, own)) => (verdict(found, &own, &candidates, &stories), own),
            Ok(Loaded::Page { .. }) => (Verdict::No("it is a web page, not a feed".to_owned()), HashSet::new()),
            Err(why) => (Verdict::No(why), HashSet::new()),
        };
        let form = form(named.media_type.as_deref());
        candidates.push(Candidate { url: named.url, title: named.title, form, comments, verdict });
        stories.push(own);
    }
    if choices(&candidates).next().is_some() {
        return Ok(Discovery::Page(candidates));
    }
    let why = candidates.iter().filter_map(|candidate| match &candidate.verdict {
        Verdict::No(why) => Some(format!("{}: {}", candidate.url, why.trim_end_matches('.'))),
        _ => None,
    });
    let why: Vec<String> = why.collect();
    Err(format!("It is a web page, and what it names is no feed either ({}).", why.join("; ")))
}

enum Loaded {
    Feed(Found, HashSet<String>),
    Page { message: String, named: Vec<PageFeed> },
}

async fn load(fetcher: &Fetcher, ask: &Ask, now: Timestamp) -> Result<Loaded, String> {
    let answer = match fetcher.fetch(ask, now).await {
        Outcome::Body(answer) => answer,
        Outcome::Gone(error) | Outcome::Failed { error, .. } => return Err(error.message),
        Outcome::NotModified { .. } => return Err("the server answered 304 to an unconditional request".to_owned()),
    };
    match parse::parse(&answer.body, answer.content_type.as_deref(), Some(&answer.base)) {
        Ok(feed) => {
            let own = fingerprint(&feed);
            let mut url = answer.moved.map_or_else(|| ask.url.url().clone(), |(_, url)| url);
            url.set_fragment(None);
            Ok(Loaded::Feed(Found { url, title: feed.info.title, entries: feed.entries.len() }, own))
        }
        Err(error) if error.feeds.is_empty() => Err(error.message),
        Err(error) => Ok(Loaded::Page { message: error.message, named: error.feeds }),
    }
}

/// What a page names, with whether it is about comments; those last. Only http and https are asked.
fn ranked(named: Vec<PageFeed>) -> Vec<(PageFeed, bool)> {
    let mut ranked: Vec<(PageFeed, bool)> = named
        .into_iter()
        .filter(|feed| feed.url.starts_with("http://") || feed.url.starts_with("https://"))
        .map(|feed| {
            let comments = is_about_comments(&feed);
            (feed, comments)
        })
        .collect();
    ranked.sort_by_key(|(_, comments)| *comments);
    ranked
}

fn is_about_comments(feed: &PageFeed) -> bool {
    let path = Url::parse(&feed.url).map(|url| format!("{} {}", url.path(), url.query().unwrap_or_default()));
    let text = format!("{} {}", feed.title.as_deref().unwrap_or_default(), path.unwrap_or_default()).to_lowercase();
    COMMENTS.iter().any(|word| text.contains(word))
}

fn form(media_type: Option<&str>) -> &'static str {
    match media_type {
        Some("application/atom+xml") => "Atom",
        Some("application/rss+xml") => "RSS",
        Some("application/rdf+xml") => "RDF",
        Some("application/feed+json") => "JSON Feed",
        _ => "feed",
    }
}

/// A feed that answered, held against those before it.
fn verdict(found: Found, own: &HashSet<String>, before: &[Candidate], stories: &[HashSet<String>]) -> Verdict {
    let same = before.iter().zip(stories).position(|(candidate, theirs)| {
        candidate.found().is_some_and(|other| other.url == found.url || is_same(own, theirs))
    });
    same.map_or(Verdict::Feed(found), Verdict::Same)
}

/// Links say it best: guids differ between RSS and Atom of one site, titles between none.
fn fingerprint(feed: &Feed) -> HashSet<String> {
    let entries = feed.entries.iter().take(MAX_COMPARED);
    entries.filter_map(|entry| entry.link.as_ref().or(entry.guid.as_ref()).or(entry.title.as_ref()).cloned()).collect()
}

fn is_same(one: &HashSet<String>, other: &HashSet<String>) -> bool {
    let shorter = one.len().min(other.len());
    shorter > 0 && one.intersection(other).count() * 10 >= shorter * SAME_OF_TEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(comments: bool, verdict: Verdict) -> Candidate {
        Candidate { url: String::new(), title: None, form: "RSS", comments, verdict }
    }

    fn found(path: &str) -> Found {
        Found { url: Url::parse(&format!("https://a.example/{path}")).unwrap(), title: None, entries: 1 }
    }

    #[test]
    fn comments_come_last_and_are_known_by_title_or_path() {
        let named = |url: &str, title: &str| PageFeed {
            url: url.to_owned(),
            title: Some(title.to_owned()).filter(|title| !title.is_empty()),
            media_type: None,
        };
        let page = vec![
            named("https://a.example/comments/feed/", ""),
            named("https://a.example/x", "A » Kommentar-Feed"),
            named("https://a.example/?feed=comments-rss2", ""),
            named("ftp://a.example/feed", ""),
            named("https://a.example/feed/", "A » Feed"),
        ];
        let ranked: Vec<bool> = ranked(page).into_iter().map(|(_, comments)| comments).collect();
        assert_eq!(ranked, [false, true, true, true]);
    }

    #[test]
    fn one_is_clear_if_there_is_no_other_one_of_stories() {
        let (feed, same, no) = (|| Verdict::Feed(found("f")), || Verdict::Same(0), || Verdict::No("x".to_owned()));
        for (rows, expected) in [
            (vec![(false, feed())], Some(0)),
            (vec![(false, feed()), (false, same()), (true, feed())], Some(0)),
            (vec![(false, no()), (false, feed())], Some(1)),
            (vec![(false, feed()), (false, feed())], None),
            (vec![(false, no()), (true, feed())], Some(1)),
            (vec![(true, feed()), (true, feed())], None),
            (vec![(false, no())], None),
        ] {
            let candidates: Vec<Candidate> = rows.iter().map(|(c, v)| candidate(*c, v.clone())).collect();
            assert_eq!(clear(&candidates), expected, "{rows:?}");
        }
    }

    #[test]
    fn feeds_with_the_same_links_are_one_in_two_forms() {
        let set = |range: std::ops::Range<u32>| range.map(|n| n.to_string()).collect::<HashSet<_>>();
        assert!(is_same(&set(0..10), &set(0..20)) && is_same(&set(0..10), &set(2..12)));
        assert!(!is_same(&set(0..10), &set(3..13)) && !is_same(&set(0..0), &set(0..0)));
        let first = [candidate(false, Verdict::Feed(found("f")))];
        let verdicts = [("f", Verdict::Same(0)), ("g", Verdict::Feed(found("g")))];
        for (path, expected) in verdicts {
            assert_eq!(verdict(found(path), &set(5..9), &first, &[set(0..4)]), expected);
        }
    }
}
