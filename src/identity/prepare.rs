//! The entries of one load, made ready for the commit: which link stands for each, how far its key reaches,
//! and what it is known by within its feed.

use std::collections::{HashMap, HashSet};
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;
use url::Url;

use super::canonical::Rules;
use super::habits::{self, Evidence};
use super::own;
use crate::domain::decision::{Candidate, Fingerprint, Scope, entry_of_key};
use crate::domain::feed::{Dedupe, FeedInfo, Habits, IdPolicy};
use crate::domain::item::Entry;
use crate::domain::time::Timestamp;

/// A guid longer than this is known by its hash: a publisher must not fill the index.
const MAX_GUID_BYTES: usize = 1024;
/// How much of the text stands for an entry that has neither guid nor link.
const CONTENT_CHARS: usize = 1000;
/// A text of so many words is one that two stories do not share.
const WORDY: usize = 48;

/// An entry's plain texts: of its summary, of its content.
pub type Texts = (String, String);

/// How the entries of a feed are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    /// The rules that keys are made by.
    pub rules: &'a Rules,
    /// What entries are known by, as configured; `None`: by what the feed's habits allow.
    pub id: Option<IdPolicy>,
    /// How far its stories may be one with others.
    pub dedupe: Dedupe,
    /// What earlier loads have shown.
    pub habits: &'a Habits,
}

/// A load, made ready.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// All but their matches, in document order, each with the texts that belong to it.
    pub candidates: Vec<(Candidate, Texts)>,
    /// What the feed's habits are from now on.
    pub habits: Habits,
}

/// Makes the entries of one load ready for the commit. `texts` are those of the entries. What stands twice in one
/// load is kept once, and what says nothing at all is left out.
#[must_use]
pub fn prepare(ways: Ways<'_>, info: &FeedInfo, entries: Vec<Entry>, texts: Vec<Texts>, now: Timestamp) -> Prepared {
    let key = &|url: &Option<String>| url.as_deref().and_then(|url| ways.rules.key(url));
    let keys: Vec<Option<String>> = entries.iter().map(|entry| key(&entry.link)).collect();
    let guids: Vec<Option<String>> = entries.iter().map(|entry| entry.guid.as_deref().map(known_by)).collect();
    // An entry without texts is an entry all the same.
    let texts: Vec<Texts> =
        texts.into_iter().chain(std::iter::repeat_with(Texts::default)).take(entries.len()).collect();
    let prints: Vec<Fingerprint> =
        entries.iter().zip(&texts).map(|(entry, texts)| fingerprint(ways.rules, entry, texts)).collect();
    let home = key(&info.home_url);
    let evidence = Evidence { guids: &guids, keys: &keys, prints: &prints, home: home.as_deref() };
    let mut habits = habits::learn(ways.habits, &evidence, now);
    if ways.id.is_some() {
        // The operator has decided: what was held against the feed is forgotten.
        habits = Habits { hubs: habits.hubs, ..Habits::default() };
    }
    let id = ways.id.unwrap_or(habits.id);
    let by_guid = ways.id == Some(IdPolicy::Guid);
    let repeated: HashSet<String> = habits::repeated_guids(&evidence).into_iter().map(str::to_owned).collect();
    let proxies = proxies(&entries, &keys, key, |proxy| habits::is_hub(&habits, home.as_deref(), proxy));
    let mut seen = HashSet::new();
    let mut candidates = Vec::with_capacity(entries.len());
    let parts = entries.into_iter().zip(keys).zip(guids).zip(texts).zip(prints).zip(proxies);
    for (((((entry, key), guid), texts), fingerprint), proxy) in parts {
        let link_key = key.filter(|key| id != IdPolicy::Content && !habits::is_hub(&habits, home.as_deref(), key));
        let guid = guid.filter(|guid| id == IdPolicy::Guid && (by_guid || !repeated.contains(guid.as_str())));
        let content = || format!("content:{:016x}", content_hash(&entry, &texts));
        let (key, scope) = match (&link_key, &guid) {
            (Some(key), _) if ways.dedupe != Dedupe::Off => {
                (key.clone(), if ways.dedupe == Dedupe::Global { Scope::Global } else { Scope::Feed })
            }
            (_, Some(guid)) => (format!("guid:{guid}"), Scope::Feed),
            (Some(key), None) => (key.clone(), Scope::Feed),
            (None, None) => (content(), Scope::Feed),
        };
        let native_id = entry.guid.as_deref().filter(|text| guid.is_some() && is_iri(text)).map(str::to_owned);
        let by_guid = by_guid && guid.is_some();
        let entry_id = guid.unwrap_or_else(|| entry_of_key(link_key.as_ref().unwrap_or(&key)));
        if says_nothing(&entry) || !seen.insert(entry_id.clone()) {
            continue;
        }
        let aliases = proxy.filter(|proxy| scope == Scope::Global && *proxy != key).into_iter().collect();
        let candidate = Candidate {
            link: entry.link.as_deref().map(|link| ways.rules.shown(link)),
            native_id,
            by_guid,
            fingerprint,
            wordy: is_wordy(&texts),
            own: entry.link.as_deref().is_some_and(|link| own::is_own(info, link)),
            aliases,
            key,
            scope,
            entry_id,
            entry,
            matches: Vec::new(),
        };
        candidates.push((candidate, texts));
    }
    Prepared { candidates, habits }
}

/// There is nothing to show and nothing to know it by again, as in what is left of a document that was cut off.
fn says_nothing(entry: &Entry) -> bool {
    let texts = [&entry.guid, &entry.link, &entry.title, &entry.summary, &entry.content, &entry.image];
    texts.into_iter().all(Option::is_none) && entry.enclosures.is_empty()
}

/// The address that an original link replaced is another key of the same story; but not one that leads to several.
fn proxies(
    entries: &[Entry],
    keys: &[Option<String>],
    key: &dyn Fn(&Option<String>) -> Option<String>,
    is_hub: impl Fn(&str) -> bool,
) -> Vec<Option<String>> {
    let mut proxies: Vec<Option<String>> = entries.iter().map(|entry| key(&entry.proxy_link)).collect();
    let mut leads_to = HashMap::new();
    let mut shared = HashSet::new();
    for (proxy, key) in proxies.iter().zip(keys) {
        if let Some(proxy) = proxy
            && *leads_to.entry(proxy.clone()).or_insert(key) != key
        {
            shared.insert(proxy.clone());
        }
    }
    for proxy in &mut proxies {
        *proxy = proxy.take().filter(|proxy| !shared.contains(proxy) && !is_hub(proxy));
    }
    proxies
}

fn is_wordy((summary, content): &Texts) -> bool {
    content.split_whitespace().nth(WORDY - 1).is_some() || summary.split_whitespace().nth(WORDY - 1).is_some()
}

/// A guid as it is compared: one that is a URL without regard to its scheme, so that a site which moves to https is not
/// all new. No rule of the tables acts here: what an entry is known by must not change with them.
fn known_by(guid: &str) -> String {
    let known = match guid.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
            format!("https://{}", guid.get(7..).unwrap_or_default())
        }
        _ => guid.to_owned(),
    };
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

/// Hashes of what readers see: white space, tags and tracking are no edit, and a text is the same whether it is called
/// summary or content.
fn fingerprint(rules: &Rules, entry: &Entry, (summary, content): &Texts) -> Fingerprint {
    Fingerprint {
        title: short(rules, &[entry.title.as_deref().unwrap_or_default()]),
        text: short(rules, &[content, summary]),
    }
}

/// 0 stands for nothing, and only for that.
fn short(rules: &Rules, parts: &[&str]) -> u32 {
    // Gathered first: hashing a few long runs is much faster than many words.
    let mut run = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    let mut add = |text: &str| run.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    for part in parts {
        if part.contains("://") {
            part.split_ascii_whitespace().for_each(|word| add(&rules.shown(word)));
        } else {
            add(part);
        }
    }
    if run.is_empty() {
        return 0;
    }
    let mut hasher = SipHasher13::new();
    hasher.write(&run);
    let [.., a, b, c, d] = hasher.finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d]).max(1)
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
        load(Dedupe::Global, &info, entries, texts).candidates.into_iter().map(|(candidate, _)| candidate).collect()
    }

    fn load(dedupe: Dedupe, info: &FeedInfo, entries: Vec<Entry>, texts: Vec<Texts>) -> Prepared {
        let (rules, habits) = (Rules::default(), Habits::default());
        let ways = Ways { rules: &rules, id: None, dedupe, habits: &habits };
        prepare(ways, info, entries, texts, Timestamp::from_ms(1_000))
    }

    #[test]
    fn an_entry_that_says_nothing_is_none_and_one_with_a_word_is_one() {
        let empty = Entry { published: Some(Timestamp::from_ms(5)), ..Entry::default() };
        let spoken = Entry { content: Some("Word".to_owned()), ..Entry::default() };
        let all = prepared("https://h.example/", vec![empty.clone(), spoken, empty]);
        assert_eq!(all.len(), 1);
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
    fn an_original_link_makes_the_one_that_it_replaced_another_key_unless_that_leads_to_several() {
        let proxied = |guid: &str, link: &str, proxy: &str| Entry {
            proxy_link: Some(format!("https://{proxy}")),
            ..entry(guid, &format!("https://h.example/{link}"), guid)
        };
        let aliases = |entries: Vec<Entry>| -> Vec<usize> {
            prepared("https://h.example/home", entries).iter().map(|candidate| candidate.aliases.len()).collect()
        };
        assert_eq!(aliases(vec![proxied("1", "a", "p.example/1"), proxied("2", "b", "p.example/2")]), [1, 1]);
        assert_eq!(aliases(vec![proxied("1", "a", "p.example/x"), proxied("2", "b", "p.example/x")]), [0, 0]);
        assert_eq!(aliases(vec![proxied("1", "a", "h.example/home")]), [0], "the home page");
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
            [" https://n.example/1", " https://n.example/2"]
        );
    }

    #[test]
    fn a_guid_that_is_not_unique_is_no_published_id() {
        let mut entries: Vec<_> = (0..50)
            .map(|n| entry(&format!("urn:x:{n}"), &format!("https://n.example/{n}"), &format!("T{n}")))
            .collect();
        entries[0].guid = Some("urn:x:1".to_owned());
        let ids: Vec<_> = prepared("https://h.example/", entries).into_iter().map(|c| c.native_id).collect();
        assert_eq!((&ids[0], &ids[1], ids[2].as_deref()), (&None, &None, Some("urn:x:2")), "a slip in a long load");
        let ids = prepared(
            "https://h.example/",
            vec![
                entry("urn:x:1", "https://n.example/1", "A"),
                entry("urn:x:1", "https://n.example/2", "B"),
                entry("urn:x:2", "https://n.example/3", "C"),
            ],
        );
        assert!(ids.iter().all(|c| c.native_id.is_none()), "nothing that such a feed calls an id is believed");
    }

    #[test]
    fn a_feed_that_shares_nothing_has_keys_of_its_own() {
        for (dedupe, key, scope) in [
            (Dedupe::Global, "https://n.example/1", Scope::Global),
            (Dedupe::Feed, "https://n.example/1", Scope::Feed),
            (Dedupe::Off, "guid:g", Scope::Feed),
        ] {
            let entries = vec![entry("g", "http://n.example/1", "A")];
            let found = load(dedupe, &FeedInfo::default(), entries, Vec::new()).candidates.remove(0).0;
            assert_eq!((found.key.as_str(), found.scope), (key, scope));
        }
    }

    #[test]
    fn an_original_link_makes_an_alias_of_the_one_it_stands_for() {
        let proxied = Entry {
            proxy_link: Some("http://proxy.example/~r/1".to_owned()),
            ..entry("g", "https://n.example/1", "A")
        };
        let all = prepared("https://h.example/", vec![proxied]);
        assert_eq!(all[0].aliases, ["https://proxy.example/~r/1"]);
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
        let all =
            load(Dedupe::Global, &FeedInfo::default(), vec![entry("1", "", "A"), entry("2", "", "B")], Vec::new());
        assert_eq!(all.candidates.len(), 2);
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
        let rules = Rules::default();
        let print =
            |title: &str, text: &str| fingerprint(&rules, &entry("", "", title), &(String::new(), text.to_owned()));
        assert_eq!(print("A  title", "some\n text"), print("A title", "some text "));
        assert_ne!(print("A title", "x").title, print("B title", "x").title);
        assert_ne!(print("A", "x").text, print("A", "y").text);
        assert_eq!(
            print("A", "at https://n.example/a?utm_source=x !"),
            print("A", "at https://n.example/a?utm_medium=y !")
        );
        assert_eq!(print(" ", ""), Fingerprint::default());
        let as_summary = fingerprint(&rules, &entry("", "", "A"), &("x".to_owned(), String::new()));
        assert_eq!(as_summary, print("A", "x"));
    }
}
