//! The entries of one load, made ready for the commit: which link stands for each, how far its key reaches,
//! and what it is known by within its feed.

use std::collections::{HashMap, HashSet};
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use url::Url;

use super::canonical::Rules;
use crate::domain::decision::{Candidate, Fingerprint, Scope};
use crate::domain::feed::FeedInfo;
use crate::domain::item::Entry;

/// A guid longer than this is known by its hash: a publisher must not fill the index.
const MAX_GUID_BYTES: usize = 1024;
/// How much of the text stands for an entry that has neither guid nor link.
const CONTENT_CHARS: usize = 1000;

/// An entry's plain texts: of its summary, of its content.
pub type Texts = (String, String);

/// Makes the entries of one load ready for the commit, all but their matches, in document order. `texts` are
/// those of the entries, and come back with the candidates that they belong to: what stands twice in one load
/// is kept once.
#[must_use]
pub fn prepare(rules: &Rules, info: &FeedInfo, entries: Vec<Entry>, texts: Vec<Texts>) -> Vec<(Candidate, Texts)> {
    let keys: Vec<Option<String>> =
        entries.iter().map(|entry| entry.link.as_deref().and_then(|link| rules.key(link))).collect();
    let hubs = hub_keys(rules, info, &entries, &keys);
    let guids: Vec<Option<String>> =
        entries.iter().map(|entry| entry.guid.as_deref().map(|guid| known_by(rules, guid))).collect();
    let repeated = repeated_guids(&guids, &keys);
    let mut seen = HashSet::new();
    let mut out = Vec::with_capacity(entries.len());
    // An entry without texts is an entry all the same.
    let texts = texts.into_iter().chain(std::iter::repeat_with(Texts::default));
    for (((entry, key), guid), texts) in entries.into_iter().zip(keys).zip(guids).zip(texts) {
        let key = key.filter(|key| !hubs.contains(key.as_str()));
        let guid = guid.filter(|guid| !repeated.contains(guid));
        // What is not unique here must not be the id of several published items (RFC 4287 4.2.6).
        let native_id = entry.guid.as_deref().filter(|text| guid.is_some() && is_iri(text)).map(str::to_owned);
        let (key, scope) = match (key, &guid) {
            (Some(key), _) => (key, Scope::Global),
            (None, Some(guid)) => (format!("guid:{guid}"), Scope::Feed),
            (None, None) => (format!("content:{:016x}", content_hash(&entry, &texts)), Scope::Feed),
        };
        let entry_id = guid.unwrap_or_else(|| key.clone());
        if !seen.insert(entry_id.clone()) {
            continue;
        }
        let candidate = Candidate {
            link: entry.link.as_deref().map(|link| rules.shown(link)),
            native_id,
            fingerprint: fingerprint(&entry, &texts),
            key,
            scope,
            entry_id,
            entry,
            matches: Vec::new(),
        };
        out.push((candidate, texts));
    }
    out
}

/// Keys that many entries of one load share, though they are different stories: a link blog or a comment
/// feed that links to one page. Such a key never merges. So does the site's own page.
fn hub_keys(rules: &Rules, info: &FeedInfo, entries: &[Entry], keys: &[Option<String>]) -> HashSet<String> {
    // Guid and title tell stories apart.
    type Story<'a> = (Option<&'a str>, Option<&'a str>);
    let mut stories: HashMap<&str, HashSet<Story<'_>>> = HashMap::new();
    for (entry, key) in entries.iter().zip(keys) {
        if let Some(key) = key {
            stories.entry(key).or_default().insert((entry.guid.as_deref(), entry.title.as_deref()));
        }
    }
    let most = (entries.len() / 10).max(2);
    let home = info.home_url.as_deref().and_then(|url| rules.key(url));
    let is_hub = |key: &str, stories: usize| stories > most || home.as_deref() == Some(key) || is_front_page(key);
    stories.into_iter().filter(|(key, stories)| is_hub(key, stories.len())).map(|(key, _)| key.to_owned()).collect()
}

fn is_front_page(key: &str) -> bool {
    Url::parse(key).is_ok_and(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

/// Guids, as they are compared, that stand for several links in one load: they are not unique here.
fn repeated_guids(guids: &[Option<String>], keys: &[Option<String>]) -> HashSet<String> {
    let mut first: HashMap<&str, &Option<String>> = HashMap::new();
    let mut repeated = HashSet::new();
    for (guid, key) in guids.iter().zip(keys) {
        if let Some(guid) = guid.as_deref()
            && first.insert(guid, key).is_some_and(|before| before != key)
        {
            repeated.insert(guid.to_owned());
        }
    }
    repeated
}

/// A guid as it is compared: one that is a URL by its key, so that a site which moves to https is not all new.
fn known_by(rules: &Rules, guid: &str) -> String {
    let is_url = guid.starts_with("http://") || guid.starts_with("https://");
    let known = is_url.then(|| rules.key(guid)).flatten().unwrap_or_else(|| guid.to_owned());
    if known.len() <= MAX_GUID_BYTES {
        return known;
    }
    let mut hasher = SipHasher13::new();
    hasher.write(known.as_bytes());
    let head: String = known.chars().take(64).collect();
    format!("{head}…{:016x}", hasher.finish())
}

/// Whether a guid may be published as an `atom:id`: an absolute IRI (RFC 4287 4.2.6, RFC 3986 3.1).
fn is_iri(guid: &str) -> bool {
    let Some((scheme, rest)) = guid.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let printable = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"{}|\\^`".contains(c);
    let fits = scheme_fits && scheme.len() > 1 && !rest.is_empty() && guid.len() <= MAX_GUID_BYTES;
    let web = matches!(scheme, "http" | "https");
    fits && rest.chars().all(printable)
        && (!web || Url::parse(guid).is_ok_and(|url| url.has_host() && url.username().is_empty()))
}

/// Hashes of what readers see: white space, tags and tracking are no edit.
fn fingerprint(entry: &Entry, (summary, content): &Texts) -> Fingerprint {
    Fingerprint { title: short(&[entry.title.as_deref().unwrap_or_default()]), text: short(&[summary, content]) }
}

fn short(parts: &[&str]) -> u32 {
    let mut hasher = SipHasher13::new();
    // Gathered first: hashing a few long runs is much faster than many words.
    let mut run = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        run.extend(part.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        run.push(0xff);
    }
    hasher.write(&run);
    let [.., a, b, c, d] = hasher.finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// What stands for an entry without guid and link.
fn content_hash(entry: &Entry, (summary, content): &Texts) -> u64 {
    let mut hasher = SipHasher13::new();
    let title = entry.title.as_deref().unwrap_or_default();
    let text: String =
        content.chars().chain(summary.chars()).filter(|c| !c.is_whitespace()).take(CONTENT_CHARS).collect();
    for part in [title.trim().to_lowercase().as_str(), &text] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.write_i64(entry.published.map_or(i64::MIN, crate::domain::time::Timestamp::as_ms));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(guid: &str, link: &str, title: &str) -> Entry {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Entry { guid: some(guid), link: some(link), title: some(title), ..Entry::default() }
    }

    fn prepared(home: &str, entries: Vec<Entry>) -> Vec<Candidate> {
        let info = FeedInfo { home_url: Some(home.to_owned()), ..FeedInfo::default() };
        let texts = entries.iter().map(|_| Texts::default()).collect();
        prepare(&Rules::default(), &info, entries, texts).into_iter().map(|(candidate, _)| candidate).collect()
    }

    #[test]
    fn a_link_gives_a_global_key_and_the_guid_is_what_the_feed_knows_it_by() {
        let all = prepared("https://h.example/", vec![entry("1", "http://www.n.example/a/?utm_source=x", "A")]);
        assert_eq!(
            (all[0].key.as_str(), all[0].scope, all[0].entry_id.as_str()),
            ("https://n.example/a", Scope::Global, "1")
        );
        assert_eq!(all[0].link.as_deref(), Some("http://www.n.example/a/"));
        assert_eq!(all[0].native_id, None);
    }

    #[test]
    fn without_a_link_the_guid_is_the_key_and_without_both_the_content_is() {
        let all = prepared("https://h.example/", vec![entry("g", "", "A"), entry("", "", "B"), entry("", "", "C")]);
        assert_eq!((all[0].key.as_str(), all[0].scope), ("guid:g", Scope::Feed));
        assert!(all[1].key.starts_with("content:") && all[1].scope == Scope::Feed);
        assert_ne!(all[1].key, all[2].key);
    }

    #[test]
    fn a_link_that_many_entries_share_never_merges_them() {
        let all = prepared(
            "https://h.example/",
            (0..5).map(|n| entry(&format!("g{n}"), "https://n.example/page", &format!("T{n}"))).collect(),
        );
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|c| c.scope == Scope::Feed && c.key.starts_with("guid:")));
    }

    #[test]
    fn the_front_page_is_nobodys_story() {
        let all = prepared(
            "https://h.example/blog/",
            vec![
                entry("1", "https://h.example/blog", "A"),
                entry("2", "https://other.example/", "B"),
                entry("3", "https://h.example/blog/x", "C"),
            ],
        );
        assert_eq!(all.iter().map(|c| c.scope).collect::<Vec<_>>(), [Scope::Feed, Scope::Feed, Scope::Global]);
    }

    #[test]
    fn a_guid_that_stands_for_several_links_is_not_trusted() {
        let all = prepared(
            "https://h.example/",
            vec![entry("same", "https://n.example/1", "A"), entry("same", "https://n.example/2", "B")],
        );
        assert_eq!(
            all.iter().map(|c| c.entry_id.as_str()).collect::<Vec<_>>(),
            ["https://n.example/1", "https://n.example/2"]
        );
    }

    #[test]
    fn a_guid_that_is_not_unique_is_no_published_id() {
        let all = prepared(
            "https://h.example/",
            vec![
                entry("urn:x:1", "https://n.example/1", "A"),
                entry("urn:x:1", "https://n.example/2", "B"),
                entry("urn:x:2", "https://n.example/3", "C"),
            ],
        );
        let ids: Vec<_> = all.iter().map(|c| c.native_id.as_deref()).collect();
        assert_eq!(ids, [None, None, Some("urn:x:2")]);
    }

    #[test]
    fn guids_that_differ_in_the_scheme_alone_lose_no_story() {
        let all = prepared(
            "https://h.example/",
            vec![
                entry("http://n.example/?p=1", "https://n.example/1", "A"),
                entry("https://n.example/?p=1", "https://n.example/2", "B"),
            ],
        );
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn an_entry_without_texts_is_kept() {
        let all = prepare(
            &Rules::default(),
            &FeedInfo::default(),
            vec![entry("1", "", "A"), entry("2", "", "B")],
            Vec::new(),
        );
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_stands_twice_in_one_load_is_kept_once() {
        let all = prepared(
            "https://h.example/",
            vec![
                entry("1", "https://n.example/1", "A"),
                entry("1", "https://n.example/1", "A"),
                entry("", "", "B"),
                entry("", "", "B"),
            ],
        );
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_guid_that_is_a_url_may_move_to_https() {
        let id = |guid: &str| prepared("https://h.example/", vec![entry(guid, "", "A")])[0].entry_id.clone();
        assert_eq!(id("http://n.example/?p=1"), id("https://n.example/?p=1"));
        assert_ne!(id("http://n.example/?p=1"), id("http://n.example/?p=2"));
        assert!(id(&"x".repeat(1_000_000)).len() < 400);
    }

    #[test]
    fn only_an_absolute_iri_is_published_as_it_is() {
        for good in ["urn:uuid:1", "tag:a.example,2026:1", "https://n.example/?p=1", "http://ü.example/é"] {
            assert!(is_iri(good), "{good}");
        }
        for bad in [
            "1",
            "a b:c",
            "yt video:1",
            "post-1",
            "c:\\x",
            "https://",
            "https:x y",
            "https://u:p@n.example/",
            "urn:a\u{7}b",
            "é:x",
        ] {
            assert!(!is_iri(bad), "{bad}");
        }
    }

    #[test]
    fn white_space_is_no_edit_and_words_are() {
        let print = |title: &str, text: &str| fingerprint(&entry("", "", title), &(String::new(), text.to_owned()));
        assert_eq!(print("A  title", "some\n text"), print("A title", "some text "));
        assert_ne!(print("A title", "x").title, print("B title", "x").title);
        assert_ne!(print("A", "x").text, print("A", "y").text);
    }
}
