//! What must hold of any input: the bodies of the fuzz targets in `fuzz/`, and of the property tests in `hostile/tests.rs`.
//!
//! Each takes bytes and panics where a promise is broken. They are built for tests and by cargo-fuzz only.

use std::borrow::Cow;

use url::Url;

use super::limits::{MAX_EXPANSION_BYTES, MAX_GROWTH_BYTES};
use super::root::{self, Kind};
use super::{Feed, Repair, charset, date, first_reader as feed_rs, lenient as second, parse, route};
use crate::domain::item::Entry;
use crate::domain::time::Timestamp;

/// Headers that a document may come with. Its length tells which: a document of the corpus stays what it is.
const CONTENT_TYPES: [Option<&str>; 7] = [
    None,
    Some("text/xml; charset=iso-8859-1"),
    Some("text/xml; charset=utf-8"),
    Some("application/rss+xml;charset=\"Shift_JIS\""),
    Some("text/html; charset=iso-2022-jp"),
    Some("text/xml; charset=utf-16"),
    Some("text/xml; charset=gb18030"),
];

/// An address with nothing to grow by.
const BASE: &str = "https://e.org/f";

fn content_type(data: &[u8]) -> Option<&'static str> {
    CONTENT_TYPES.get(data.len() % CONTENT_TYPES.len()).copied().flatten()
}

fn base() -> Option<Url> {
    Url::parse(BASE).ok()
}

fn text(data: &[u8]) -> Cow<'_, str> {
    charset::decode(data, content_type(data), &mut Vec::new())
}

fn is_within(repairs: &[Repair], length: usize) -> bool {
    repairs.iter().all(|repair| repair.at <= length && !repair.what.is_empty())
}

/// Decoding: three bytes of text for each byte at most, nothing that XML forbids, the same text in each of Unicode's encodings.
///
/// # Panics
/// Where that does not hold.
pub fn decode(data: &[u8]) {
    let mut repairs = Vec::new();
    let text = charset::decode(data, content_type(data), &mut repairs);
    assert!(text.len() <= data.len() * 3 + 3, "{} bytes became {}", data.len(), text.len());
    assert!(!text.contains(|c: char| c < '\t' || matches!(c, '\u{1B}' | '\u{FFFE}' | '\u{FFFF}')));
    assert!(is_within(&repairs, text.len()), "{repairs:?} of {} bytes", text.len());
    // What was decoded once is text: no encoding is seen in it again.
    let marks = |text: &str| text.trim_start_matches('\u{FEFF}').to_owned();
    assert_eq!(charset::decode(text.as_bytes(), None, &mut Vec::new()), marks(&text));
    let Some(plain) = std::str::from_utf8(data).ok().filter(|text| !text.contains(['\0', '\u{1B}', '\u{FEFF}'])) else {
        return;
    };
    let small = |units: &mut dyn Iterator<Item = u16>| units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let encoded: [Vec<u8>; 5] = [
        data.to_vec(),
        small(&mut std::iter::once(0xFEFF).chain(plain.encode_utf16())),
        std::iter::once(0xFEFF).chain(plain.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
        std::iter::once('\u{FEFF}').chain(plain.chars()).flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        std::iter::once('\u{FEFF}').chain(plain.chars()).flat_map(|c| u32::from(c).to_be_bytes()).collect(),
    ];
    let texts = encoded.each_ref().map(|bytes| charset::decode(bytes, Some("text/xml; charset=big5"), &mut Vec::new()));
    for other in &texts {
        assert!(other == &texts[0], "the encoding makes a difference");
    }
}

/// All that is kept of an entry, in bytes.
fn kept(entry: &Entry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts =
        [&entry.guid, &entry.link, &entry.proxy_link, &entry.title, &entry.summary, &entry.content, &entry.image];
    texts.map(text).iter().sum::<usize>()
        + text(&entry.language)
        + entry.categories.iter().map(|one| one.term.len() + text(&one.scheme) + text(&one.label)).sum::<usize>()
        + entry.authors.iter().map(|one| text(&one.name) + text(&one.email) + text(&one.uri)).sum::<usize>()
        + entry.enclosures.iter().map(|one| one.url.len() + text(&one.mime_type)).sum::<usize>()
}

/// A feed is at most eight times its text, and what entities and addresses may grow by. Its entries are clean.
fn check(feed: &Feed, length: usize) {
    let kept: usize = feed.entries.iter().map(kept).sum();
    assert!(kept <= 8 * length + MAX_EXPANSION_BYTES + MAX_GROWTH_BYTES, "{kept} bytes are kept of {length}");
    assert!(feed.entries.len() <= super::MAX_ENTRIES);
    assert!(is_within(&feed.repairs, length), "{:?} of {length} bytes", feed.repairs);
    for entry in &feed.entries {
        let texts = [&entry.guid, &entry.link, &entry.title, &entry.summary, &entry.content];
        for text in texts.into_iter().flatten() {
            assert!(!text.trim().is_empty(), "an empty text was kept: {entry:?}");
        }
        assert!(entry.link.as_ref().is_none_or(|link| Url::parse(link).is_ok_and(|url| url.as_str() == link)));
        assert!(entry.title.as_ref().is_none_or(|title| !title.contains(['\n', '\r', '\t'])), "{:?}", entry.title);
    }
}

/// What an entry is known by, and when it was.
fn identity(entry: &Entry) -> impl PartialEq + std::fmt::Debug + use<> {
    let Entry { guid, link, proxy_link, title, published, updated, .. } = entry.clone();
    (guid, link, proxy_link, title, published, updated)
}

/// The strict look and feed-rs: the look is sure of itself, and where it lets feed-rs read, the lenient reader gives the same
/// entries, by all that they are known by. The whole parser, asked twice, answers the same.
///
/// # Panics
/// Where that does not hold.
pub fn first_reader(data: &[u8]) {
    let once = parse(data, content_type(data), base().as_ref());
    assert!(once == parse(data, content_type(data), base().as_ref()), "two answers to one document");
    let text = text(data);
    if let Ok(feed) = &once {
        check(feed, text.len());
    }
    let Kind::Xml(at) = root::kind(&text, &mut Vec::new()) else { return };
    let document = text.get(at..).unwrap_or_default();
    let Some(length) = route::strict(document) else { return };
    let whole = document.get(..length).unwrap_or_default();
    assert!(whole.ends_with('>'), "the root does not end at {length}");
    assert_eq!(route::strict(whole), Some(length), "what is behind the root makes a difference");
    let base = base();
    let Some(first) = feed_rs(whole, base.as_ref()) else { return };
    let lenient = second::read(&text, at, base.as_ref(), &mut Vec::new());
    let lenient = lenient.map(|feed| feed.entries).unwrap_or_default();
    assert_eq!(first.entries.len(), lenient.len(), "the readers give other numbers of entries of {whole:?}");
    for (one, two) in first.entries.iter().zip(&lenient) {
        let (one, two) = (identity(one), identity(two));
        assert!(one == two, "the readers differ:\n {one:?}\n {two:?}\n in {whole:?}");
    }
}

/// Documents with two whole entries, for what follows them.
const WHOLE: [&str; 3] = [
    "<rss version=\"2.0\"><channel><title>T</title><item><title>One &amp; more</title><link>https://example.org/1</link>\
     <guid>g1</guid><description><![CDATA[<p>Text]]></description><pubDate>Tue, 24 Nov 2026 08:00:00 GMT</pubDate></item>\
     <item><title>Two</title><link>https://example.org/2</link><description>&lt;p>x</description></item>",
    "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><entry><id>g1</id><title type=\"html\">&lt;b&gt;One</title>\
     <link href=\"https://example.org/1\"/><updated>2026-11-24T08:00:00Z</updated></entry><entry><id>g2</id>\
     <content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">Text<br/></div></content></entry>",
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\"><channel>\
     <title>T</title></channel><item rdf:about=\"https://example.org/1\"><title>One</title></item><item>\
     <link>https://example.org/2</link></item>",
];

/// The lenient reader: the same answer each time, within its bounds, to whatever has a root; and whatever follows two whole
/// entries leaves them as they are.
///
/// # Panics
/// Where that does not hold.
pub fn lenient(data: &[u8]) {
    let (text, base) = (text(data), base());
    let mut repairs = Vec::new();
    if let Kind::Xml(at) = root::kind(&text, &mut Vec::new()) {
        let once = second::read(&text, at, base.as_ref(), &mut repairs);
        assert!(once == second::read(&text, at, base.as_ref(), &mut Vec::new()), "two answers to one document");
        assert!(is_within(&repairs, text.len()), "{repairs:?}");
        if let Ok(feed) = once {
            check(&feed, text.len());
        }
    }
    for head in WHOLE {
        let read = |text: &str| second::read(text, 0, base.as_ref(), &mut Vec::new()).map(|feed| feed.entries);
        let before = read(head).unwrap_or_default();
        let after = read(&[head, &*text].concat()).unwrap_or_default();
        assert_eq!(before.len(), 2);
        assert!(after.starts_with(&before), "whole entries were changed:\n{before:?}\n{after:?}");
    }
}

/// JSON Feed: the same answer each time, within its bounds; of what is sound JSON, each item that is an object is an entry.
///
/// # Panics
/// Where that does not hold.
pub fn json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = charset::decode(text.as_bytes(), None, &mut Vec::new());
    let text = if text.trim_start().starts_with('{') { text } else { format!("{{\"items\": [{text}").into() };
    let read = |repairs: &mut Vec<Repair>| super::json::read(&text, base().as_ref(), repairs);
    let mut repairs = Vec::new();
    let once = read(&mut repairs);
    assert!(once == read(&mut Vec::new()), "two answers to one document");
    assert!(is_within(&repairs, text.len()), "{repairs:?} of {} bytes", text.len());
    if let Ok(feed) = &once {
        check(feed, text.len());
    }
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { return };
    if let Some(items) = value.get("items").and_then(serde_json::Value::as_array)
        && text.len() < 20_000
    {
        let objects = items.iter().filter(|item| item.is_object()).count();
        assert_eq!(once.map(|feed| feed.entries.len()), Ok(objects), "of {text}");
    }
}

/// Dates: within the years that can be written, the same in any case and between any white space; and a date that is written
/// as RFC 3339 or RFC 822 is read as itself. Each text of `data` between tags, brackets and line ends is one, so that a document is a
/// seed.
///
/// # Panics
/// Where that does not hold.
pub fn dates(data: &[u8]) {
    String::from_utf8_lossy(data).split(['<', '>', '\n']).filter(|text| !text.is_empty()).take(500).for_each(one_date);
}

fn one_date(text: &str) {
    let read = date::parse(text);
    assert_eq!(read, date::parse(text), "two answers to {text:?}");
    assert_eq!(read, date::parse(&text.to_ascii_uppercase()), "{text:?} in upper case");
    assert_eq!(read, date::parse(&text.to_ascii_lowercase()), "{text:?} in lower case");
    assert_eq!(read, date::parse(&format!("\n\t {text}\u{A0}\r\n")), "{text:?} between white space");
    let Some(at) = read else { return };
    // A year's first day east of Greenwich is the last of the year before.
    assert!((999..=9999).contains(&chrono::Datelike::year(&at.to_chrono())), "{text:?} is {at:?}");
    let whole = Timestamp::from_secs(at.as_secs());
    if chrono::Datelike::year(&at.to_chrono()) >= 1000 {
        assert_eq!(date::parse(&at.rfc3339()), Some(whole), "{text:?} as {}", at.rfc3339());
        assert_eq!(date::parse(&at.rfc822()), Some(whole), "{text:?} as {}", at.rfc822());
    }
}
