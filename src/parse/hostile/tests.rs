//! What was made, or happened, to break a reader: nothing panics, time and memory are linear, complete entries stay.
//!
//! Fuzzing in small: `cargo test` runs some thousand cases; the bodies are those that a fuzzer would be given.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// A document of each kind, written for these tests.
pub(super) fn fixtures() -> Vec<String> {
    let items = |n: usize| -> String {
        (0..n)
            .map(|n| {
                format!(
                    "<item><title>Title {n} &amp; more</title><link>https://example.org/{n}</link><guid>g{n}</guid>\
                     <description><![CDATA[<p>Text {n}</p>]]></description><dc:creator>Ann</dc:creator>\
                     <pubDate>Tue, 24 Nov 2026 08:00:00 GMT</pubDate></item>\n"
                )
            })
            .collect()
    };
    let entries: String = (0..4)
        .map(|n| {
            format!(
                "<entry><id>g{n}</id><title type=\"html\">&lt;b&gt;Title&lt;/b&gt; {n}</title>\
                 <link href=\"https://example.org/{n}\"/><updated>2026-11-24T08:00:00Z</updated>\
                 <content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Text<br/></p></div></content></entry>\n"
            )
        })
        .collect();
    let spaces = "xmlns:dc=\"http://purl.org/dc/elements/1.1/\"";
    vec![
        format!("<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY x \"y\">]><rss version=\"2.0\" {spaces}><channel><title>T</title>{}</channel></rss>", items(4)),
        format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title>{entries}</feed>"),
        format!(
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" {spaces}>\
             <channel><title>T</title></channel>{}</rdf:RDF>",
            items(3)
        ),
        "<CHANNEL HREF=\"https://example.org/\"><TITLE>T</TITLE><ITEM HREF=\"/1\"><TITLE>One</TITLE><ABSTRACT>x</ABSTRACT></ITEM></CHANNEL>".to_owned(),
        "{\"version\": \"https://jsonfeed.org/version/1.1\", \"items\": [{\"id\": 1, \"content_text\": \"x\"}, {\"id\": \"2\"}]}".to_owned(),
    ]
}

/// Documents of the corpus, where it is there, so many that a test ends soon.
fn corpus() -> Vec<Vec<u8>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("parse");
    let list = |folder: PathBuf| {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
    };
    let files = list(root).into_iter().flat_map(list);
    let feeds = files.filter(|path| path.extension().is_some_and(|end| end == "feed"));
    feeds.step_by(40).filter_map(|path| std::fs::read(path).ok()).filter(|bytes| bytes.len() < 20_000).collect()
}

/// A change to a document.
#[derive(Clone, Debug)]
enum Change {
    Flip(f64, u8),
    Cut(f64, f64),
    Truncate(f64),
    Repeat(f64, f64),
    Insert(f64, &'static str),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = || 0.0..1.0_f64;
    let piece = proptest::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "'",
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "</item>",
        "<item>",
        "</entry>",
        "<entry>",
        "</title>",
        "<title>",
        "<description>",
        "</description>",
        "<link>",
        "</channel>",
        "</x>",
        "<br>",
        "&#0;",
        "&x;",
        "\0",
        "xmlns=\"\"",
        "<?",
        "<content type=\"xhtml\">",
        "<media:group>",
        "\u{FEFF}",
        "=",
        "/>",
    ]);
    let change = prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (place(), 0.0..0.2_f64).prop_map(|(at, length)| Change::Cut(at, length)),
        place().prop_map(Change::Truncate),
        (place(), 0.0..0.2_f64).prop_map(|(at, length)| Change::Repeat(at, length)),
        (place(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ];
    proptest::collection::vec(change, 1..8)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a place in it")]
fn apply(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |share: f64| ((bytes.len() as f64) * share) as usize;
        match *change {
            Change::Flip(at, value) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            Change::Cut(at, length) => {
                let (from, to) = (place(at), (place(at) + place(length)).min(bytes.len()));
                bytes.drain(from..to);
            }
            Change::Truncate(at) => bytes.truncate(place(at)),
            Change::Repeat(at, length) => {
                let (from, to) = (place(at), (place(at) + place(length)).min(bytes.len()));
                let copy = bytes[from..to].to_vec();
                bytes.splice(to..to, copy);
            }
            Change::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.bytes());
            }
        }
    }
    bytes
}

/// All that is kept of a document, in bytes.
fn kept(feed: &Feed) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let entry = |entry: &crate::domain::item::Entry| {
        [&entry.guid, &entry.link, &entry.title, &entry.summary, &entry.content].map(text).iter().sum::<usize>()
            + entry.categories.iter().map(|category| category.term.len()).sum::<usize>()
    };
    feed.entries.iter().map(entry).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_mutation_of_a_document_makes_it_panic(which in 0..5_usize, changes in changes()) {
        let document = apply(fixtures().swap_remove(which).into_bytes(), &changes);
        let base = Url::parse("https://example.org/feed").ok();
        if let Ok(feed) = parse(&document, None, base.as_ref()) {
            prop_assert!(kept(&feed) <= 8 * document.len() + 4_096);
        }
    }

    #[test]
    fn no_splice_of_two_documents_makes_it_panic(one in 0..5_usize, two in 0..5_usize, at in 0.0..1.0_f64, from in 0.0..1.0_f64) {
        let (mut one, two) = (fixtures().swap_remove(one).into_bytes(), fixtures().swap_remove(two).into_bytes());
        one = apply(one, &[Change::Truncate(at)]);
        let rest = apply(two, &[Change::Cut(0.0, from)]);
        let _ = parse(&[one, rest].concat(), Some("text/xml"), None);
    }

    #[test]
    fn every_entry_before_a_cut_is_kept(which in 0..3_usize, at in 0.0..1.0_f64) {
        let whole = fixtures().swap_remove(which);
        let cut = apply(whole.clone().into_bytes(), &[Change::Truncate(at)]);
        let cut = String::from_utf8(cut).unwrap();
        let complete = cut.matches("</item>").count() + cut.matches("</entry>").count();
        let all = parse(whole.as_bytes(), None, None).unwrap().entries;
        let left = parse(cut.as_bytes(), None, None).map(|feed| feed.entries).unwrap_or_default();
        prop_assert!(left.len() >= complete, "{complete} were complete, {} are left of {cut}", left.len());
        prop_assert_eq!(&left[..complete], &all[..complete]);
    }

    #[test]
    fn damage_in_one_entry_leaves_the_others_as_they_are(changes in changes(), which in 0..3_usize) {
        let document = fixtures().swap_remove(which);
        let end = if which == 1 { "</entry>\n" } else { "</item>\n" };
        let (before, rest) = document.split_once(end).unwrap();
        let (damaged, after) = rest.split_once(end).unwrap();
        let broken = apply(damaged.as_bytes().to_vec(), &changes);
        let broken = [before.as_bytes(), end.as_bytes(), &broken, end.as_bytes(), after.as_bytes()].concat();
        let whole = parse(document.as_bytes(), None, None).unwrap().entries;
        let feed = parse(&broken, None, None).unwrap();
        prop_assert_eq!(&feed.entries[0], &whole[0], "the first was whole: {}", String::from_utf8_lossy(&broken));
    }

    #[test]
    fn no_mutation_of_the_corpus_makes_it_panic(which in any::<prop::sample::Index>(), changes in changes()) {
        static DOCUMENTS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let documents = DOCUMENTS.get_or_init(corpus);
        if !documents.is_empty() {
            let _ = parse(&apply(documents[which.index(documents.len())].clone(), &changes), None, None);
        }
    }

    #[test]
    fn utf_16_of_any_oddity_is_text(units in proptest::collection::vec(any::<u16>(), 0..80), big in any::<bool>(), odd in any::<bool>()) {
        let order = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let head = "<rss version='2.0'><channel><title>".encode_utf16().flat_map(order);
        let mut bytes: Vec<u8> = order(0xFEFF).into_iter().chain(head).chain(units.into_iter().flat_map(order)).collect();
        if odd {
            bytes.push(0xD8);
        }
        let _ = parse(&bytes, Some("text/xml; charset=utf-16"), None);
    }
}

/// Documents that grow: each is a start, a piece that is repeated, and an end.
const GROWING: [(&str, &str, &str); 30] = [
    ("<rss><channel><item><title>t</title>", "<a>", ""),
    ("<rss><channel>", "<a><b><c>", ""),
    ("<rss><channel><item>", "<title>", ""),
    ("<rss><channel><item>", "<description>", ""),
    ("<rss><channel><item>", "<description><summary><content>", ""),
    ("<rss><channel><item><description>", "</a>", ""),
    ("<rss><channel>", "</a>", ""),
    ("<rss><channel>", "<item>", ""),
    ("<rss><channel><item>", "<a b=\"", ""),
    ("<rss><channel><item>", "<a b='<a b=\"", ""),
    ("<rss><channel><item>", "<a b=\">", ""),
    ("<rss><channel><item>", "<a ", ""),
    ("<rss><channel><item><a ", "b='c' ", "></item>"),
    ("<rss ", "xmlns:a='b' ", "><channel><item></item>"),
    ("<rss><channel><item>", "<a:b xmlns:a='http://purl.org/dc/elements/1.1/'>", ""),
    ("<rss><channel><item><description>", "<![CDATA[", ""),
    ("<rss><channel><item><description><![CDATA[", "</description><![CDATA[", ""),
    ("<rss><channel><item>", "<!--", ""),
    ("<rss><channel><item>", "<?", ""),
    ("<rss><channel><item>", "<!", ""),
    ("<rss><channel><item><title>", "&", "</title></item>"),
    ("<rss><channel><item><title>", "&#x41;&eacute;&", "</title></item>"),
    ("<rss><channel><item><title>", "<", "</title></item>"),
    ("<rss><channel><item><description>", "<b>&lt;</i>", "</description></item>"),
    ("<rss><channel><item>", "<author><name>", ""),
    ("<rss><channel>", "<image><url>", ""),
    ("<rss><channel><item>", "<media:group>", ""),
    ("<feed xmlns='http://www.w3.org/2005/Atom'><entry>", "<source>", ""),
    ("<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='xhtml'>", "<div>", ""),
    ("<rss><channel><item><pubDate>", "2026-", "</pubDate></item>"),
];

#[test]
fn documents_that_grow_are_read_in_a_time_that_grows_with_them() {
    for (start, piece, end) in GROWING {
        let document = [start, &piece.repeat(100_000 / piece.len()), end].concat();
        let _ = parse(document.as_bytes(), None, None);
    }
}

#[test]
fn twenty_megabytes_on_one_line_are_read() {
    let text = "word ".repeat(900_000);
    let items: String =
        (0..4).map(|n| format!("<item><guid>{n}</guid><description>{text}</description></item>")).collect();
    let feed = parse(format!("<rss><channel>{items}").as_bytes(), None, None).unwrap();
    assert_eq!(feed.entries.len(), 4);
    assert!(feed.entries.iter().all(|entry| entry.summary.as_ref().unwrap().len() <= limits::MAX_BODY_BYTES));
}

#[test]
fn entities_that_multiply_and_files_that_are_named_are_left_alone() {
    let mut declared =
        "<!ENTITY a0 \"ha\"><!ENTITY file SYSTEM \"file:///etc/passwd\"><!ENTITY % p SYSTEM \"http://x.example/\">%p;"
            .to_owned();
    for n in 1..30 {
        declared.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)));
    }
    let items: String =
        (0..500).map(|n| format!("<item><guid>{n}</guid><title>&file; &a29; &a4;</title></item>")).collect();
    let document = format!("<!DOCTYPE rss [{declared}]><rss version='2.0'><channel>{items}</channel></rss>");
    let feed = parse(document.as_bytes(), None, None).unwrap();
    assert_eq!(feed.entries.len(), 500);
    assert!(feed.entries[0].title.as_ref().unwrap().starts_with("&file; "));
    assert!(kept(&feed) <= limits::MAX_EXPANSION_BYTES + 8 * document.len());
}

/// What the fuzzers found, and what must hold of it: their bodies panic where it does not.
#[test]
fn what_fuzzers_found_stays_mended() {
    // A section that was not closed swallowed the next entry: feed-rs read three, and the lenient reader four.
    let section = "<rss version=\"2.0\"><channel><item><title>1</title><link>https://e.org/1</link><description><![CDATA[a]></description></item>\
                   <item><title>2</title><link>https://e.org/2</link><description><![CDATA[b]]></description></item></channel></rss>";
    fuzz::first_reader(section.as_bytes());
    assert_eq!(parse(section.as_bytes(), None, None).unwrap().entries.len(), 2);
    // What was dropped before a repair was counted in its offset, which came to lie behind the end.
    let mended = parse(
        b"<rss>\x01\x01\x01\x01\x01\x01\x01\x01<channel><item><guid>\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\x93",
        None,
        None,
    )
    .unwrap();
    assert_eq!(
        mended.repairs.first().map(|repair| repair.at),
        Some("<rss><channel><item><guid>\u{E9}\u{E9}\u{E9}\u{E9}".len())
    );
    // So was what was put in before the place where JSON breaks.
    let json = "{\"items\": [{\"id\": \"1\n\n\n\n\n\n\n\n\n\n\"},\u{1}";
    let broken = parse(json.replace('\u{1}', "{\"").as_bytes(), None, None).unwrap();
    assert_eq!(broken.repairs.last().map(|repair| repair.at), json.find('}').map(|at| at + 1));
    // What is odd in the type of a text was said to be behind the tag, and behind the end of the document.
    fuzz::lenient("<feed<title type=\u{E9}&>".as_bytes());
    // A day with its ending in upper case was none.
    fuzz::dates(b"Tue,7th 24 Nov 2026 08:00:00 GMT\n24TH November 2026 08:00");
    assert!(date::parse("24TH November 2026 08:00").is_some());
}

#[test]
fn feed_rs_gets_no_document_that_takes_much_more_memory_than_it_has_bytes() {
    let document = |entries: usize, inside: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\">{}</feed>",
            format!("<entry>{inside}</entry>").repeat(entries)
        )
    };
    for (few, many, inside) in [(500, 5_000, ""), (50, 700, &"<link href=\"http://a.b\"/>".repeat(30))] {
        assert!(route::strict(&document(few, inside)).is_some(), "{few} of {inside}");
        assert!(route::strict(&document(many, inside)).is_none(), "{many} of {inside}");
    }
}
