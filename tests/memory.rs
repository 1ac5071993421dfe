//! What a parse takes of memory, by the peak of all that is allocated: at most eight times the document and 16 MB, for documents
//! that were made to take more and for each of the corpus.
//!
//! A program of its own, for it counts every allocation. Times are printed (`--nocapture`), never asserted; with
//! `FEEDMILL_TIMES=1`, beside those of documents half as long.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "clippy exempts test functions only, not what they share")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use feedmill::parse::{Feed, ParseError, parse};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One parse at a time: the peak is that of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

const MB: usize = 1_000_000;

struct Taken {
    bytes: usize,
    time: Duration,
    result: Result<Feed, ParseError>,
}

fn take(document: &[u8], content_type: Option<&str>) -> Taken {
    let base = url::Url::parse("https://example.org/a/feed.xml").unwrap();
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let start = Instant::now();
    let result = parse(document, content_type, Some(&base));
    let time = start.elapsed();
    Taken { bytes: ALLOCATED.peak_usage().saturating_sub(before), time, result }
}

fn allowed(document: &[u8]) -> usize {
    8 * document.len() + 16 * MB
}

/// A document that is full of something: a start, a piece in which `{}` is its number, and an end.
struct Kind(&'static str, &'static str, &'static str, &'static str);

impl Kind {
    fn of(&self, bytes: usize, most: usize) -> Vec<u8> {
        let Kind(_, start, piece, end) = self;
        let mut document = start.as_bytes().to_vec();
        for number in 0..most {
            if document.len() + piece.len() + end.len() + 8 > bytes {
                break;
            }
            document.extend(piece.replace("{}", &number.to_string()).bytes());
        }
        document.extend(end.bytes());
        document
    }
}

const RSS: &str = "<rss version=\"2.0\"><channel><title>T</title>";
const ITEM: &str = "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:m=\"http://search.yahoo.com/mrss/\">\
    <channel><title>T</title><item><link>https://example.org/</link>";
const MEDIA: &str = "<rss version=\"2.0\" xmlns:m=\"http://search.yahoo.com/mrss/\"><channel><title>T</title>";
const ATOM: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title>";

/// Documents of 20 MB on one line, whatever else they are.
const LONG: [Kind; 12] = [
    Kind(
        "text",
        "<rss version=\"2.0\"><channel><item><guid>g</guid><description>",
        "word ",
        "</description></item></channel></rss>",
    ),
    Kind(
        "text in CDATA",
        "<rss><channel><item><guid>g</guid><description><![CDATA[",
        "word ",
        "]]></description></item></channel></rss>",
    ),
    Kind("a title", "<rss><channel><item><title>", "word ", "</title></item></channel></rss>"),
    Kind("references", "<rss><channel><item><description>", "&#233;&lt;&", "</description></item></channel></rss>"),
    Kind(
        "tags in a text",
        "<rss><channel><item><description>",
        "<b>x</i>&lt;",
        "</description></item></channel></rss>",
    ),
    Kind("empty items", "<rss><channel>", "<item/>", "</channel></rss>"),
    Kind("small items", "<rss><channel>", "<item><guid>{}</guid></item>", "</channel></rss>"),
    Kind("categories", "<rss><channel><item>", "<category>{}</category>", "</item></channel></rss>"),
    Kind("enclosures", "<rss><channel><item>", "<enclosure url='/{}'/>", "</item></channel></rss>"),
    Kind("links", "<feed xmlns='http://www.w3.org/2005/Atom'><entry>", "<link href='{}'/>", "</entry></feed>"),
    Kind(
        "XHTML",
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><content type='xhtml'><div>",
        "<p>x<br/></p>",
        "</div></content></entry></feed>",
    ),
    Kind(
        "a page",
        "<!DOCTYPE html><html><head>",
        "<link rel=alternate type=application/rss+xml href='/{}'>",
        "</head></html>",
    ),
];

/// A hundred thousand levels.
const DEEP: [Kind; 12] = [
    Kind("elements", RSS, "<a>", ""),
    Kind("elements in an item", "<rss><channel><item><guid>g</guid>", "<a>", ""),
    Kind("names of their own", RSS, "<a{}>", ""),
    Kind("items", RSS, "<item>", ""),
    Kind("titles", "<rss><channel><item>", "<title>", ""),
    Kind("texts", "<rss><channel><item>", "<description><content>", ""),
    Kind("channels", "<rss>", "<channel>", ""),
    Kind("sources", "<feed xmlns='http://www.w3.org/2005/Atom'><entry>", "<source>", ""),
    Kind("media groups", "<rss xmlns:media='http://search.yahoo.com/mrss/'><channel><item>", "<media:group>", ""),
    Kind("bases", "<rss><channel>", "<a xml:base='{}/'>", ""),
    Kind("JSON lists", "{\"items\": ", "[", ""),
    Kind("JSON objects", "{\"items\": [", "{\"a\":", ""),
];

/// A million attributes, or namespaces.
const WIDE: [Kind; 8] = [
    Kind(
        "attributes of the root",
        "<rss version=\"2.0\"",
        " a{}='{}'",
        "><channel><item><guid>g</guid></item></channel></rss>",
    ),
    Kind(
        "attributes of an item",
        "<rss version=\"2.0\"><channel><item",
        " a{}='{}'",
        "><guid>g</guid></item></channel></rss>",
    ),
    Kind(
        "attributes of a link",
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>g</id><link",
        " a{}='{}'",
        " href='/x'/></entry></feed>",
    ),
    Kind("one attribute again and again", "<rss><channel><item", " a=''", "><guid>g</guid></item></channel></rss>"),
    Kind(
        "namespaces of the root",
        "<rss version=\"2.0\"",
        " xmlns:n{}='u:{}'",
        "><channel><item><guid>g</guid></item></channel></rss>",
    ),
    Kind(
        "namespaces of an item",
        "<rss version=\"2.0\"><channel><item",
        " xmlns:n{}='u:{}'",
        "><guid>g</guid></item></channel></rss>",
    ),
    Kind(
        "a namespace for each element",
        "<rss version=\"2.0\"><channel>",
        "<n:a xmlns:n='u:{}'/>",
        "<item><guid>g</guid></item></channel></rss>",
    ),
    Kind("a namespace for each level", "<rss version=\"2.0\"><channel>", "<n{}:a xmlns:n{}='u'>", ""),
];

/// What feed-rs reads is at most 1 MB.
const FIRST: [Kind; 12] = [
    Kind("small items", RSS, "<item><link>http</link><a/></item>", "</channel></rss>"),
    Kind("small entries", ATOM, "<entry/>", "</feed>"),
    Kind(
        "links",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>",
        "<link href=\"http://a.b\"/>",
        "</entry></feed>",
    ),
    Kind("terms", "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>", "<category term=\"a\"/>", "</entry></feed>"),
    Kind("persons", "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>", "<author/>", "</entry></feed>"),
    Kind(
        "names",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>",
        "<author><name>a</name></author>",
        "</entry></feed>",
    ),
    Kind("categories", ITEM, "<category>a</category>", "</item></channel></rss>"),
    Kind("creators", ITEM, "<dc:creator>a</dc:creator>", "</item></channel></rss>"),
    Kind("enclosures", ITEM, "<enclosure url=\"http://e/\"/>", "</item></channel></rss>"),
    Kind("media groups", ITEM, "<m:group/>", "</item></channel></rss>"),
    Kind("media", ITEM, "<m:content url=\"http://e/\"/>", "</item></channel></rss>"),
    Kind("pictures", ITEM, "<m:thumbnail url=\"a\"/>", "</item></channel></rss>"),
];

const JSON: [Kind; 4] = [
    Kind("small items", "{\"items\": [", "{\"id\":1},", "{}]}"),
    Kind("objects", "{\"items\": [{\"a\": [", "{\"a\":0},", "0]}]}"),
    Kind("raw line ends", "{\"items\": [{\"id\": 1, \"content_text\": \"", "\n", "\"}]}"),
    Kind("cut off", "{\"items\": [", "{\"id\":\"{}\"},", "{\"id"),
];

/// Entities that multiply, and files that are named.
fn laughs(items: usize) -> Vec<u8> {
    let mut declared = "<!ENTITY a0 \"ha\"><!ENTITY file SYSTEM \"file:///etc/passwd\">\
        <!ENTITY % p SYSTEM \"http://x.example/\">%p;"
        .to_owned();
    for n in 1..30 {
        declared.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)));
    }
    let item = |n: usize| {
        format!("<item><guid>{n}</guid><title>&file; &a29; &a4;</title><description>&a4;</description></item>")
    };
    let items: String = (0..items).map(item).collect();
    format!("<!DOCTYPE rss [{declared}]><rss version='2.0'><channel>{items}</channel></rss>").into_bytes()
}

/// A generator of the same bytes each time.
fn random(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 56).to_le_bytes()[0]
    };
    (0..length).map(|_| step(&mut state)).collect()
}

/// Encodings, and bytes that are none. Each with its header.
fn encoded(length: usize) -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let text = |units: usize| format!("{RSS}<item><guid>g</guid><description>{}", "w\u{F6}rd\u{1F600} ".repeat(units));
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let wide = text(length / 14);
    let head = |byte: u8| [RSS.as_bytes(), b"<item><guid>g</guid><description>", &vec![byte; length]].concat();
    let alone = |high: bool| {
        let unit: [u8; 2] = if high { [0xD8, 0x00] } else { [0x00, 0xDC] };
        let mut bytes = if high { big("\u{FEFF}") } else { little("\u{FEFF}") };
        bytes.extend(if high { big(RSS) } else { little(RSS) });
        bytes.extend(unit.repeat(length / 2));
        bytes
    };
    vec![
        ("UTF-16LE with a mark", little(&format!("\u{FEFF}{wide}")), None),
        ("UTF-16BE without one, and half a unit", [big(&wide), vec![0xD8]].concat(), Some("text/xml; charset=utf-8")),
        ("UTF-16BE with the mark of the other", [vec![0xFF, 0xFE], big(&wide)].concat(), None),
        ("high surrogates", alone(true), None),
        ("low surrogates", alone(false), Some("text/xml; charset=utf-16")),
        ("UTF-16 that is declared and is none", text(length / 12).into_bytes(), Some("text/xml; charset=utf-16")),
        ("UTF-16 zeros", [little(RSS), vec![0; length]].concat(), None),
        ("UTF-32 out of Unicode", [vec![0, 0, 0xFE, 0xFF], vec![0xFF; length]].concat(), None),
        ("one character that XML forbids in each", [RSS.as_bytes(), &b"w\x01".repeat(length / 2)].concat(), None),
        ("bytes that are no UTF-8", head(0x93), Some("text/xml; charset=utf-8")),
        ("windows-1252", head(0x93), Some("text/xml; charset=windows-1252")),
        ("halves of characters", head(0xE2), None),
        ("Shift_JIS", head(0xB1), Some("text/xml; charset=shift_jis")),
        (
            "ISO-2022-JP",
            [RSS.as_bytes(), &b"\x1B$B$\"\x1B(B".repeat(length / 8)].concat(),
            Some("text/xml; charset=iso-2022-jp"),
        ),
        (
            "C1 controls",
            [RSS.as_bytes(), b"<item><description>", &"\u{93}".repeat(length / 2).into_bytes()].concat(),
            None,
        ),
        ("random bytes", random(length), None),
        ("random bytes behind a root", [RSS.as_bytes(), &random(length)].concat(), None),
        ("random bytes in a text", [RSS.as_bytes(), b"<item><description><![CDATA[", &random(length)].concat(), None),
        ("nothing but brackets", vec![b'<'; length], None),
        ("nothing but white space", vec![b' '; length], None),
        ("nothing", Vec::new(), None),
    ]
}

/// Measures a document; what it took more than it may, as a line.
fn look(name: &str, document: &[u8], content_type: Option<&str>, over: &mut Vec<String>) -> Taken {
    let taken = take(document, content_type);
    let line = format!(
        "{name}: {} kB, {} kB taken ({:.1} times), {:.0?}",
        document.len() / 1_000,
        taken.bytes / 1_000,
        taken.bytes as f64 / document.len().max(1) as f64,
        taken.time,
    );
    println!("{line}");
    if taken.bytes > allowed(document) {
        over.push(format!("{line}; {} kB are allowed", allowed(document) / 1_000));
    }
    taken
}

fn kinds(what: &str, kinds: &[Kind], bytes: usize, most: usize) {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut over = Vec::new();
    for kind in kinds {
        let document = kind.of(bytes, most);
        let name = format!("{what}: {}", kind.0);
        let taken = look(&name, &document, None, &mut over);
        // The same of half the size, for who wants to see that time is linear.
        if std::env::var_os("FEEDMILL_TIMES").is_none() {
            continue;
        }
        let half = kind.of(document.len() / 2, most);
        let half = take(&half, None);
        println!(
            "    half of it: {:.0?}, {:.1} times less",
            half.time,
            taken.time.as_secs_f64() / half.time.as_secs_f64()
        );
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn twenty_megabytes_on_one_line_stay_within_the_bound() {
    kinds("long", &LONG, 20 * MB, usize::MAX);
    kinds("JSON", &JSON, 20 * MB, usize::MAX);
}

#[test]
fn a_hundred_thousand_levels_stay_within_the_bound() {
    kinds("deep", &DEEP, 20 * MB, 100_000);
}

#[test]
fn a_million_attributes_or_namespaces_stay_within_the_bound() {
    kinds("wide", &WIDE, 20 * MB, 1_000_000);
}

/// As many entries as are kept, each full of elements.
const MANY: [Kind; 5] = [
    Kind("entries", ATOM, "<entry/>", "</feed>"),
    Kind(
        "entries with ids",
        ATOM,
        "<entry><id>{}</id><link href=\"http://e/{}\"/><title>{}</title></entry>",
        "</feed>",
    ),
    Kind(
        "entries with lists",
        ATOM,
        "<entry><link href=\"http://e/\"/><author/><category term=\"a\"/></entry>",
        "</feed>",
    ),
    Kind("items", RSS, "<item><link>http</link></item>", "</channel></rss>"),
    Kind("items with media", MEDIA, "<item><link>http</link><m:content url=\"a\"/></item>", "</channel></rss>"),
];

#[test]
fn what_feed_rs_reads_stays_within_the_bound() {
    kinds("first reader", &FIRST, MB, usize::MAX);
    kinds("first reader, shorter", &FIRST, 830_000, usize::MAX);
    kinds("first reader, many", &MANY, MB, 9_990);
    // As many as it is given.
    kinds("first reader, at most", &MANY, MB, 3_100);
    kinds("first reader, elements", &FIRST, MB, 14_000);
}

/// As many entries as are kept, and one list of each sort in them.
const LISTS: [Kind; 6] = [
    Kind("nothing", "<rss><channel>", "<item/>", ""),
    Kind("categories", "<rss><channel>", "<item><category>a</category></item>", ""),
    Kind("persons", "<rss><channel>", "<item><author>a</author></item>", ""),
    Kind("files", "<rss><channel>", "<item><enclosure url='a'/></item>", ""),
    Kind(
        "sources",
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        "<entry type=''><source><title>a</title></source></entry>",
        "",
    ),
    Kind(
        "all",
        "<rss><channel>",
        "<item><author>a</author><category>a</category><enclosure url='a'/><title>a</title></item>",
        "",
    ),
];

/// Entries with one more of an element than lists that double have room for; `#` is different in each.
fn full(element: &str) -> Kind {
    let two = |n: u8| [b'a' + n / 26, b'a' + n % 26].map(char::from).iter().collect::<String>();
    let list: String = (0..129).map(|n| element.replace('#', &two(n))).collect();
    Kind(element.to_owned().leak(), "<rss><channel>", format!("<item>{list}</item>").leak(), "")
}

#[test]
fn as_many_entries_as_are_kept_stay_within_the_bound() {
    kinds("lists", &LISTS, MB, usize::MAX);
    let full = ["<author>#</author>", "<enclosure url=#>"].map(full);
    kinds("full lists", &full, 20 * MB, usize::MAX);
}

#[test]
fn entities_that_multiply_and_files_that_are_named_stay_within_the_bound() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut over = Vec::new();
    for items in [1, 500, 9_000] {
        let taken = look("laughs", &laughs(items), None, &mut over);
        let feed = taken.result.unwrap();
        assert_eq!(feed.entries.len(), items);
        assert!(feed.entries[0].title.as_ref().unwrap().starts_with("&file; "), "a file was read");
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn odd_encodings_and_random_bytes_stay_within_the_bound() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut over = Vec::new();
    for (name, document, content_type) in encoded(19 * MB) {
        look(name, &document, content_type, &mut over);
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

fn feeds(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            feeds(&path, found);
        } else if path.extension().is_some_and(|end| end == "feed") {
            found.push(path);
        }
    }
}

#[test]
fn every_document_of_the_corpus_stays_within_the_bound() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("parse");
    let mut found = Vec::new();
    feeds(&root, &mut found);
    if found.is_empty() {
        println!("skipped: no corpus at {}", root.display());
        return;
    }
    let (mut over, mut most) = (Vec::new(), (0_usize, 0_usize, PathBuf::new()));
    for path in &found {
        let document = std::fs::read(path).unwrap();
        let taken = take(&document, None);
        if taken.bytes > allowed(&document) {
            over.push(format!("{}: {} of {} bytes", path.display(), taken.bytes, document.len()));
        }
        if taken.bytes > most.0 {
            most = (taken.bytes, document.len(), path.clone());
        }
    }
    println!("{} documents; the most is {} bytes, by {} of {} bytes", found.len(), most.0, most.2.display(), most.1);
    assert!(over.is_empty(), "{} of {}:\n{}", over.len(), found.len(), over.join("\n"));
}
