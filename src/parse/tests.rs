use proptest::prelude::*;

use super::*;

fn at(url: &str) -> Option<Url> {
    Url::parse(url).ok()
}

fn read(document: impl AsRef<[u8]>) -> Feed {
    parse(document.as_ref(), None, None).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(document: impl AsRef<[u8]>) -> String {
    parse(document.as_ref(), None, None).unwrap_err().message
}

fn rss(items: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<rss version=\"2.0\"><channel><title>T</title>{items}</channel></rss>")
}

fn atom(entries: &str) -> String {
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><id>urn:f</id>{entries}</feed>")
}

fn time(text: &str) -> Option<crate::domain::time::Timestamp> {
    crate::domain::time::Timestamp::parse_rfc3339(text)
}

const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet href="x.css"?>
<!-- a <rss> in a comment -->
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel>
  <title>News &amp;amp; more</title><link>https://example.org/</link><atom:link rel="self" href="https://example.org/rss"/>
  <description>All of it</description><language>en-GB</language><copyright>us</copyright>
  <lastBuildDate>Tue, 24 Nov 2026 08:00:00 GMT</lastBuildDate>
  <item>
    <title> A &lt;b&gt;bold&lt;/b&gt;
      move &amp;amp; a half </title>
    <link> https://example.org/1 </link>
    <guid isPermaLink="false"> g1 </guid>
    <pubDate>Mon, 23 Nov 2026 10:00:00 +0100</pubDate>
    <author>joe@example.org (Joe)</author><dc:creator>Ann</dc:creator>
    <category domain="https://example.org/tags">one</category><category>two</category><category>two</category>
    <description><![CDATA[<p>short</p>]]></description>
    <content:encoded><![CDATA[<p>long <a href="x">one</a></p>]]></content:encoded>
    <enclosure url="https://example.org/a.mp3" type="audio/mpeg" length="123"/>
  </item>
</channel></rss>"#;

#[test]
fn rss_2_is_read_whole() {
    let feed = read(RSS);
    let entry = &feed.entries[0];
    assert_eq!(feed.repairs, []);
    assert_eq!(feed.info.title.as_deref(), Some("News & more"));
    assert_eq!(feed.info.home_url.as_deref(), Some("https://example.org/"));
    assert_eq!((feed.info.atom_id, feed.info.updated), (None, time("2026-11-24T08:00:00Z")));
    assert_eq!(entry.title.as_deref(), Some("A bold move & a half"));
    assert_eq!(entry.link.as_deref(), Some("https://example.org/1"));
    assert_eq!(entry.guid.as_deref(), Some("g1"));
    assert_eq!((entry.published, entry.updated), (time("2026-11-23T09:00:00Z"), None));
    assert_eq!(entry.summary.as_deref(), Some("<p>short</p>"));
    assert_eq!(entry.content.as_deref(), Some("<p>long <a href=\"x\">one</a></p>"));
    assert_eq!(entry.authors[0].name.as_deref(), Some("Joe"));
    assert_eq!(entry.authors[0].email.as_deref(), Some("joe@example.org"));
    assert_eq!(entry.authors[1].name.as_deref(), Some("Ann"));
    let terms: Vec<_> = entry.categories.iter().map(|tag| (tag.term.as_str(), tag.scheme.as_deref())).collect();
    assert_eq!(terms, [("one", Some("https://example.org/tags")), ("two", None)]);
    assert_eq!(entry.enclosures[0].url, "https://example.org/a.mp3");
    assert_eq!(entry.enclosures[0].mime_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(entry.enclosures[0].length_bytes, Some(123));
}

#[test]
fn rdf_is_read() {
    let feed = read(
        r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="c"><title>T</title><link>http://example.org/</link>
        <dc:date>2026-11-24</dc:date></channel><item rdf:about="http://example.org/1"><title>One</title>
        <link>http://example.org/1</link><description>&lt;i&gt;d&lt;/i&gt;</description><dc:date>2026-11-23T01:00Z</dc:date>
        </item></rdf:RDF>"#,
    );
    let entry = &feed.entries[0];
    assert_eq!(feed.info.updated, time("2026-11-24T00:00:00Z"));
    assert_eq!((entry.link.as_deref(), entry.summary.as_deref()), (Some("http://example.org/1"), Some("<i>d</i>")));
    let about = Some("http://example.org/1");
    assert_eq!((entry.guid.as_deref(), entry.published), (about, time("2026-11-23T01:00:00Z")));
}

#[test]
fn atom_texts_are_what_their_types_say() {
    let feed = read(atom(
        r#"<entry><id>urn:1</id><title type="text">1 &lt; 2 &amp; <![CDATA[<b>]]></title>
        <content type="text">a &lt;p&gt; b
c</content><summary type="html">&lt;p&gt;s&lt;/p&gt;</summary><updated>2026-11-24T08:00:00Z</updated></entry>
        <entry><id>urn:2</id><title type="html">&lt;i&gt;T&lt;/i&gt; &amp;amp; U&amp;nbsp;V</title>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>x <b>y</b></p></div></content></entry>"#,
    ));
    let [first, second] = &feed.entries[..] else { panic!("two entries") };
    assert_eq!(first.title.as_deref(), Some("1 < 2 & <b>"));
    assert_eq!(first.content.as_deref(), Some("a &lt;p&gt; b<br>\nc"));
    assert_eq!(first.summary.as_deref(), Some("<p>s</p>"));
    assert_eq!((first.published, first.updated), (None, time("2026-11-24T08:00:00Z")));
    assert_eq!(second.title.as_deref(), Some("T & U V"));
    assert_eq!(second.content.as_deref(), Some("<p>x <b>y</b></p>"));
    assert_eq!(feed.info.atom_id.as_deref(), Some("urn:f"));
}

#[test]
fn the_link_is_the_page_and_never_an_address_of_another_kind() {
    let link = |links: &str| {
        let document = atom(&format!("<entry><id>urn:1</id><title>t</title>{links}</entry>"));
        parse(document.as_bytes(), None, at("https://example.org/dir/feed").as_ref()).unwrap().entries[0].link.clone()
    };
    let others = "<link rel='self' href='/self'/><link rel='edit' href='/edit'/><link rel='replies' href='/r'/>";
    let cases = [
        ("<link href=' /page '/>", Some("https://example.org/page")),
        ("<link href='p?a=1&amp;copy=2'/>", Some("https://example.org/dir/p?a=1&copy=2")),
        (
            "<link rel='alternate' type='application/json' href='/j'/><link rel='alternate' type='text/html' href='/h'/>",
            Some("https://example.org/h"),
        ),
        ("<link rel='alternate' type='application/json' href='/j'/>", Some("https://example.org/j")),
        ("<link rel='enclosure' href='/a.mp3'/>", Some("https://example.org/a.mp3")),
        ("<link href='javascript:alert(1)'/>", None),
        ("", None),
    ];
    for (links, expected) in cases {
        assert_eq!(link(&format!("{others}{links}")).as_deref(), expected, "{links}");
    }
}

#[test]
fn a_guid_that_is_an_address_is_the_link_where_there_is_none() {
    let feed = read(rss("<item><guid>https://example.org/1</guid></item><item><guid>example.org/2</guid></item>"));
    let links: Vec<_> = feed.entries.iter().map(|entry| entry.link.as_deref()).collect();
    assert_eq!(links, [Some("https://example.org/1"), None]);
}

#[test]
fn a_missing_guid_is_none_and_not_made_up() {
    let feed = read(rss("<item><title>a</title></item><item><title>b</title><guid>  </guid></item>"));
    assert_eq!(feed.entries.iter().filter_map(|entry| entry.guid.as_deref()).count(), 0);
    let document = atom("<entry><title>a</title><id> </id></entry>").replace("<id>urn:f</id>", "");
    assert_eq!((read(&document).info.atom_id, read(&document).entries[0].guid.clone()), (None, None));
}

#[test]
fn media_and_podcast_elements_give_pictures_files_and_authors() {
    let document = rss(
        "<item><media:thumbnail url='/t.png'/><media:content url='https://e.example/v.mp4' type='video/mp4' fileSize='9'/></item>
         <item><itunes:author>Ann</itunes:author><itunes:summary>About</itunes:summary></item>",
    )
    .replace(
        "<rss ",
        "<rss xmlns:media='http://search.yahoo.com/mrss/' xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd' ",
    );
    let feed = parse(document.as_bytes(), None, at("https://example.org/").as_ref()).unwrap();
    assert_eq!(feed.entries[0].image.as_deref(), Some("https://example.org/t.png"));
    assert_eq!(feed.entries[0].enclosures[0].length_bytes, Some(9));
    assert_eq!(feed.entries[1].authors[0].name.as_deref(), Some("Ann"));
    assert_eq!(feed.entries[1].summary.as_deref(), Some("About"));
}

#[test]
fn json_feed_is_read_though_nothing_in_it_is_as_it_should_be() {
    let feed = parse(
        r#"{"title": "T", "home_page_url": "/", "author": "Joe", "items": [
            {"id": 7, "url": "a", "title": "One &amp; 1", "content_text": "x < y", "tags": ["t", 3, "t"],
             "date_published": "2026-11-24T08:00:00+01:00", "authors": [{"name": "Ann", "url": "mailto:ann@example.org"}],
             "attachments": [{"url": "a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12.5}, 7]},
            "no item", {"content_html": "<p>two</p>", "date_published": "soon", "image": "i.png"},
        ]} trailing"#
            .as_bytes(),
        Some("text/plain"),
        at("https://example.org/feed.json").as_ref(),
    )
    .unwrap();
    let [first, second] = &feed.entries[..] else { panic!("two entries") };
    assert_eq!(feed.info.home_url.as_deref(), Some("https://example.org/"));
    assert_eq!(feed.info.authors[0].name.as_deref(), Some("Joe"));
    assert_eq!(first.guid.as_deref(), Some("7"));
    assert_eq!(first.link.as_deref(), Some("https://example.org/a"));
    assert_eq!(first.title.as_deref(), Some("One & 1"));
    assert_eq!(first.content.as_deref(), Some("x &lt; y"));
    assert_eq!(first.published, time("2026-11-24T07:00:00Z"));
    assert_eq!(first.authors[0].email.as_deref(), Some("ann@example.org"));
    assert_eq!((first.categories.len(), first.enclosures[0].length_bytes), (1, Some(12)));
    assert_eq!((second.guid.as_deref(), second.link.as_deref(), second.published), (None, None, None));
    assert_eq!(second.image.as_deref(), Some("https://example.org/i.png"));
    assert_eq!(feed.repairs.len(), 1, "{:?}", feed.repairs);
    assert!(refused("{\"error\": \"no\"}").contains("no list of items"));
    assert!(refused("{\"items\": [").contains("cannot be read"));
    assert!(refused("[".repeat(100_000)).contains("neither XML nor JSON"));
    assert!(refused("{\"items\":".repeat(100_000)).contains("cannot be read"));
}

#[test]
fn raw_line_ends_in_json_strings_are_read() {
    let feed = read("{\"items\": [{\"id\": \"1\", \"title\": \"a, ]\\\\\", \"content_html\": \"x\n\ty \\\" z\",}]}");
    assert_eq!(feed.entries[0].title.as_deref(), Some("a, ]\\"));
    assert_eq!(feed.entries[0].content.as_deref(), Some("x\n\ty \" z"));
    assert_eq!(feed.repairs.len(), 2);
}

#[test]
fn escapes_that_json_does_not_have_are_read_as_what_they_stand_for() {
    for (written, meant, mended) in [
        (r"it\'s", "it's", true),
        (r"C:\data\x41", "C:\\data\\x41", true),
        (r"\u00e9 \ud83d\ude00 \n\\", "\u{E9} \u{1F600} \\", false),
        (r"half \ud83d, \ude00 \u12", "half \u{FFFD}, \u{FFFD} \\u12", true),
        (r"\'\ud83d\ude00\\\q", "'\u{1F600}\\\\q", true),
    ] {
        let feed = read(format!("{{\"items\": [{{\"id\": \"1\", \"title\": \"{written}\"}}]}}"));
        assert_eq!(feed.entries[0].title.as_deref(), Some(meant), "{written}");
        assert_eq!(!feed.repairs.is_empty(), mended, "{written}: {:?}", feed.repairs);
    }
}

#[test]
fn the_encoding_is_the_real_one() {
    let document = |declared: &str| {
        format!(
            "<?xml version='1.0'{declared}?><rss version='2.0'><channel><title>caf\u{E9} \u{2019}n</title></channel></rss>"
        )
    };
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let utf32 = |text: &str| -> Vec<u8> { text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect() };
    let legacy = |text: &str, label: &str| {
        encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text).0.into_owned()
    };
    let plain = document("");
    let latin1 = document(" encoding='iso-8859-1'");
    let utf16_declared = document(" encoding=\"utf-16\"");
    let marked = [b"\xFE\xFF".to_vec(), utf16(&utf16_declared, true)].concat();
    let twice = [b"\xEF\xBB\xBF\xEF\xBB\xBF".as_slice(), plain.as_bytes()].concat();
    let slip = plain.replace("</title>", "\u{E9}\u{E9}\u{E9}\u{E9}\u{E9}\u{E9}</title>");
    let slip = [slip.split("</title>").next().unwrap().as_bytes(), b"\x92</title></channel></rss>"].concat();
    let cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("plain UTF-8", plain.clone().into_bytes(), None),
        ("UTF-8 that says it is Latin-1", latin1.clone().into_bytes(), Some("text/xml; charset=iso-8859-1")),
        ("Latin-1 by its declaration", legacy(&latin1, "windows-1252"), None),
        ("Latin-1 by the header", legacy(&plain, "windows-1252"), Some("text/xml; Charset = \"ISO-8859-1\"; x=y")),
        ("Latin-1 by nothing", legacy(&plain, "windows-1252"), None),
        ("Latin-1 that says it is UTF-8", legacy(&document(" encoding='utf-8'"), "windows-1252"), None),
        ("a bogus label", legacy(&plain, "windows-1252"), Some("text/xml; charset=nonsense")),
        ("UTF-16BE with mark and declaration", marked, None),
        ("UTF-16BE with declaration", utf16(&utf16_declared, true), None),
        ("UTF-16LE with declaration", utf16(&utf16_declared, false), None),
        ("UTF-32BE", utf32(&utf16_declared), None),
        ("UTF-8 with two marks", twice, None),
    ];
    for (what, bytes, header) in cases {
        let feed = parse(&bytes, header, None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(feed.info.title.as_deref(), Some("caf\u{E9} \u{2019}n"), "{what}");
    }
    let feed = read(slip);
    assert!(feed.info.title.unwrap().ends_with("\u{E9}\u{2019}"));
    assert!(feed.repairs[0].what.contains("windows-1252"));
    let russian =
        legacy(&plain.replace("caf\u{E9} \u{2019}n", "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442}"), "windows-1251");
    let feed = parse(&russian, Some("text/xml; charset=windows-1251"), None).unwrap();
    assert_eq!(feed.info.title.as_deref(), Some("\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442}"));
}

#[test]
fn what_xml_forbids_is_dropped_and_c1_is_what_was_meant() {
    let feed = read(rss("<item><title>a\u{8}b &#146;c\u{FFFE}\u{92}</title></item>"));
    assert_eq!(feed.entries[0].title.as_deref(), Some("ab \u{2019}c\u{2019}"));
    assert!(feed.repairs[0].what.starts_with("2 control characters"), "{:?}", feed.repairs);
}

#[test]
fn bad_references_are_mended_once_and_told() {
    let document = rss(
        "<item><title>D&D & <3 &#0; &#xD800; &eacute; &amp; ok</title><link>https://example.org/?a=1&copy=2&b</link>
         <description><![CDATA[<p>a & b</p>]]></description></item>",
    );
    let feed = read(&document);
    assert_eq!(feed.entries[0].title.as_deref(), Some("D&D & <3 \u{FFFD} \u{FFFD} \u{E9} & ok"));
    assert_eq!(feed.entries[0].link.as_deref(), Some("https://example.org/?a=1&copy=2&b"));
    assert_eq!(feed.entries[0].summary.as_deref(), Some("<p>a & b</p>"));
    assert_eq!(feed.repairs.len(), 7);
    assert_eq!(feed.repairs[0].at, document.find("&D").unwrap());
}

#[test]
fn text_elements_that_feed_rs_refuses_are_mended() {
    let feed = read(atom(
        "<entry><id>urn:1</id><title type='text/plain'>a</title><summary type='HTML '>&lt;p&gt;b&lt;/p&gt;</summary></entry>
         <entry><id>urn:2</id><title type='application/xhtml+xml'><div><b>c</b></div></title><content type='x/y'></content></entry>",
    ));
    assert_eq!(feed.entries[0].title.as_deref(), Some("a"));
    assert_eq!(feed.entries[0].summary.as_deref(), Some("<p>b</p>"));
    assert_eq!((feed.entries[1].title.as_deref(), feed.entries[1].content.as_deref()), (Some("c"), None));
    assert!(!feed.repairs.is_empty());
}

#[test]
fn roots_that_feed_rs_does_not_know_are_read() {
    let item = "<channel><title>T</title><item><title>a</title></item></channel></rss>";
    let roots = [
        "<rss>",
        "<rss version='2'>",
        "<rss version=' 2.0 '>",
        "<rss version=\"0.94\" xml:base='http://[bad'>",
        "<rss version='2.0' xmlns='http://backend.userland.com/rss2'>",
        "<br />\n<b>Warning</b>: something in /x/y.php\n<rss version=\"2.0\">",
        "junk before <rss version=\"2.0\">",
        "<!DOCTYPE rss [<!ENTITY x \"<rss>\">]><rss version=\"2.0\">",
        "\n\n  <?xml version=\"1.0\"?><rss version=\"2.0\">",
    ];
    for root in roots {
        assert_eq!(read(format!("{root}{item}")).entries.len(), 1, "{root}");
    }
    let old =
        "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>T</title><entry><title>a</title></entry></feed>";
    assert_eq!(read(old).entries.len(), 1);
    assert_eq!(read(format!("{}<!-- & junk <", rss("<item/>"))).entries.len(), 1, "junk behind the root");
    let behind = rss("") + "<CHANNEL><ITEM><TITLE>a</TITLE></ITEM></CHANNEL>";
    assert_eq!(read(behind).entries.len(), 1, "an item behind the root, and in upper case");
}

#[test]
fn what_is_no_feed_is_named() {
    let page = "<!DOCTYPE html>\n<html><head><link rel=stylesheet href=x.css>
        <link rel=\"alternate\" type=\"application/rss+xml\" href=\"/feed?a=1&amp;b=2\" title=\"x > y\">
        <LINK REL='alternate' TYPE='application/atom+xml' HREF='atom.xml'></head><body><rss> is a word</body></html>";
    let error =
        parse(page.as_bytes(), Some("text/html"), at("https://example.org/blog/").as_ref()).unwrap_err().message;
    assert_eq!(
        error,
        "This is a web page, not a feed. It names: https://example.org/feed?a=1&b=2, https://example.org/blog/atom.xml."
    );
    let cases: [(&[u8], &str); 11] = [
        (b"", "The document is empty."),
        (b"  \n", "no root element"),
        (b"<?xml version='1.0'?>", "no root element"),
        (b"<html><body>no", "names no feed"),
        (b"hello", "neither XML nor JSON"),
        (b"<opml version='2.0'/>", "OPML"),
        (b"<urlset/>", "sitemap"),
        (b"<svg xmlns='x'/>", "SVG"),
        (b"<soap:Envelope xmlns:soap='x'/>", "SOAP"),
        (b"<catalog><x/></catalog>", "<catalog>"),
        (b"<rss version='2.0'><channel><item><title>cut", "ends before an entry"),
    ];
    for (document, expected) in cases {
        let message = refused(document);
        assert!(message.contains(expected), "{:?}: {message}", String::from_utf8_lossy(document));
    }
}

#[test]
fn a_link_that_may_lead_nowhere_is_for_the_lenient_reader_which_does_not_take_a_guid_for_it() {
    for (link, strict) in [
        ("https://a.example/1", true),
        ("<![CDATA[ http://a-b.example?x=1 ]]>", true),
        ("https://a.example", true),
        ("/1", false),
        ("https://a.\u{8f}/1", false),
        ("https:///1", false),
        ("https://1.2.3.400/", false),
        ("https://a.example:99999/", false),
        ("https://xn--a.example/", false),
        ("https://a b.example/", false),
    ] {
        let guid = "<guid isPermaLink=\"false\">https://g.example/1</guid>";
        let document = rss(&format!("<item><title>t</title><link>{link}</link>{guid}</item>"));
        let at = document.find("<rss").unwrap();
        assert_eq!(route::strict(&document[at..]).is_some(), strict, "{link}");
        assert_ne!(read(document).entries[0].link.as_deref(), Some("https://g.example/1"), "{link}");
    }
}

#[test]
fn an_attribute_is_known_in_any_case() {
    let entry = "<entry><title>t</title><id>1</id><link href='?a=1'/><updated>2026-11-24T08:00:00Z</updated></entry>";
    for name in ["xml:base", "xMl:base", "XML:BASE"] {
        let document = atom(entry).replacen("<feed ", &format!("<feed {name}='https://b.example/x' "), 1);
        assert_eq!(read(document).entries[0].link.as_deref(), Some("https://b.example/x?a=1"), "{name}");
    }
    let whole = entry.replace("href='?a=1'", "hRef='https://b.example/1'");
    assert_eq!(read(atom(&whole)).entries[0].link.as_deref(), Some("https://b.example/1"));
}

#[test]
fn an_author_on_whom_feed_rs_panics_is_left_to_the_lenient_reader() {
    for (author, strict) in [
        ("\u{2014}\u{2014}a@example.org", false),
        ("&#8212;&#x2014;a@example.org", false),
        ("\u{2014}\u{2014}a&#64;example.org", false),
        ("a@example.org (Ann)", true),
        ("\u{c9}mile", true),
    ] {
        let document = rss(&format!("<item><link>https://example.org/1</link><author>{author}</author></item>"));
        let at = document.find("<rss").unwrap();
        assert_eq!(route::strict(&document[at..]).is_some(), strict, "{author}");
        // Should it come to that, the panic is caught.
        assert_eq!(first_reader(&document[at..], None).is_some(), strict, "{author}");
        assert_eq!(read(document).entries[0].link.as_deref(), Some("https://example.org/1"));
    }
}

#[test]
fn limits_hold() {
    assert!(refused(vec![b' '; MAX_DOCUMENT_BYTES + 1]).contains("more than 20000000"));
    for document in [rss(&"<item/>".repeat(MAX_ENTRIES + 5)), rss(&"<item>D&D</item>".repeat(MAX_ENTRIES + 5))] {
        let many = read(&document);
        assert_eq!(many.entries.len(), MAX_ENTRIES);
        let told = many.repairs.iter().find(|repair| repair.what.contains("more than 10000 entries")).unwrap();
        assert_eq!(document[..told.at].matches("<item").count(), MAX_ENTRIES);
    }
    assert_eq!(read(rss(&"<item/>".repeat(MAX_ENTRIES))).repairs, []);
    let json = format!("{{\"items\": [{}{{}}]}}", "{},".repeat(MAX_ENTRIES));
    assert_eq!((read(&json).entries.len(), read(&json).repairs.len()), (MAX_ENTRIES, 1));
    let long = read(rss(&format!(
        "<item><title>{}</title><guid>{}</guid></item>",
        "\u{E9}x".repeat(50_000),
        "g".repeat(9_000)
    )));
    assert!(long.entries[0].title.as_ref().unwrap().len() <= limits::MAX_LINE_BYTES);
    assert_eq!(long.entries[0].guid, None);
    let attributes = |count: usize| {
        let list: String = (0..count).map(|n| format!(" a{n}='x=y'")).collect();
        rss(&format!("<item><title{list}>a</title></item>"))
    };
    assert_eq!(read(attributes(2_000)).entries.len(), 1);
    assert_eq!(read(attributes(20_000)).entries[0].title.as_deref(), Some("a"));
    let tags = read(rss(&format!(
        "<item>{}</item>",
        (0..500).map(|n| format!("<category>{n}</category>")).collect::<String>()
    )));
    assert_eq!(tags.entries[0].categories.len(), limits::MAX_LIST);
}

#[test]
fn deep_documents_are_read_without_a_stack() {
    for name in ["media:group", "media:content", "b", "author", "source", "title", "item", "channel"] {
        for depth in [20, 600, if name == "item" { 5_000 } else { 60_000 }] {
            let nest = format!("{}{}", format!("<{name}>").repeat(depth), format!("</{name}>").repeat(depth));
            let feed = read(rss(&format!("<item><title>a</title>{nest}</item><item><title>b</title></item>")));
            let titles: Vec<_> = feed.entries.iter().filter_map(|entry| entry.title.as_deref()).collect();
            assert!(titles.contains(&"a") && titles.contains(&"b"), "{name} {depth}: {titles:?}");
        }
    }
    let hidden = format!("{}<!DOCTYPE x [{}]>", "<group>".repeat(9), "</group>".repeat(9)).repeat(2000);
    assert_eq!(read(rss(&format!("<item><title>a</title></item>{hidden}"))).entries.len(), 1);
    let wide = "<item><title>a</title><x y='>'/><![CDATA[<b><b>]]><!-- <b> --></item>".repeat(400);
    assert_eq!(read(rss(&wide)).entries.len(), 400, "breadth is not depth");
}

#[test]
fn documents_made_to_be_slow_come_to_an_end() {
    let channel = "<rss version='2.0'><channel>";
    let cases = [
        ("", "<!x"),
        ("", "<!DOCTYPE '"),
        ("", "<?x"),
        ("", "<!--"),
        ("<html>", "<link rel=alternate "),
        ("<html>", "<link rel='"),
        ("<rss version='2.0'", " a='b'"),
        (channel, "<title '"),
        (channel, "<![CDATA["),
        ("<rss version='2.0'><channel><item><title><![CDATA[", "<script"),
        ("<rss version='2.0'><channel><item><title><![CDATA[", "<!--"),
        ("{\"items\":[", ", "),
        ("{", "\"\\"),
    ];
    for (start, piece) in cases {
        let document = format!("{start}{}", piece.repeat(1_000_000 / piece.len()));
        let _ = parse(document.as_bytes(), None, at("https://example.org/").as_ref());
        let closed = format!("{document}]]></title></item></channel></rss>");
        let _ = parse(closed.as_bytes(), None, None);
    }
}

#[test]
fn the_shape_is_that_of_the_corpus() {
    let shape = serde_json::to_value(shape(&parse(RSS.as_bytes(), None, None))).unwrap();
    assert_eq!(shape["ok"], true);
    assert_eq!(shape["n_entries"], 1);
    assert_eq!(shape["feed"]["link"], "https://example.org/");
    assert_eq!(shape["feed"]["updated"], "2026-11-24T08:00:00Z");
    let entry = &shape["entries"][0];
    assert_eq!(entry["authors"], serde_json::json!(["Joe", "Ann"]));
    assert_eq!(entry["categories"], serde_json::json!(["one", "two"]));
    assert_eq!(
        entry["enclosures"],
        serde_json::json!([{"url": "https://example.org/a.mp3", "type": "audio/mpeg", "length": 123}])
    );
    assert!(entry.get("updated").is_none(), "what is not known is absent");
    let none = serde_json::to_value(super::shape(&parse(b"", None, None))).unwrap();
    assert_eq!((none["ok"].as_bool(), none["n_entries"].as_u64()), (Some(false), Some(0)));
    assert_eq!(none["error"], "The document is empty.");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "<rss version='2.0'>",
        "<rss",
        "<channel>",
        "<item>",
        "</item>",
        "<title>",
        "</title>",
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        "<entry>",
        "</entry>",
        "<link href='",
        "<id>",
        "</id>",
        "<content type='",
        "'>",
        "<author>",
        "\u{2014}a@b.example",
        "</author>",
        "<name>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<!DOCTYPE",
        "[",
        "<?xml",
        "?>",
        "&",
        "&#",
        ";",
        "&amp;",
        "{\"items\":[",
        "{",
        "}",
        "\"",
        "]",
        ",",
        "<media:group xmlns:media='http://search.yahoo.com/mrss/'>",
        "xml:base='",
        "xmlns:",
        "=",
        "/>",
        "\u{E9}",
        " ",
        "\u{0}",
        "<html",
        "<link ",
        "<updated>",
        "2026-11-24",
        "T08:00",
        "<description/>",
        "<itunes:category text='",
    ]);
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), header in "\\PC{0,20}") {
        let _ = parse(&bytes, Some(&header), None);
    }

    #[test]
    fn no_document_makes_it_panic(document in pieces()) {
        let base = at("https://example.org/");
        let _ = shape(&parse(document.as_bytes(), None, base.as_ref()));
        let _ = parse(rss(&document).as_bytes(), None, base.as_ref());
    }

    #[test]
    fn what_is_read_is_clean(title in "\\PC{0,40}") {
        let feed = read(rss(&format!("<item><title><![CDATA[{}]]></title></item>", title.replace("]]>", ""))));
        if let Some(title) = &feed.entries[0].title {
            prop_assert!(!title.is_empty() && title.trim() == title && !title.contains(char::is_control));
        }
    }
}

/// Link and proxy of each entry.
fn links(document: &str) -> Vec<(Option<String>, Option<String>)> {
    read(document).entries.into_iter().map(|entry| (entry.link, entry.proxy_link)).collect()
}

fn pair(link: &str, proxy: &str) -> (Option<String>, Option<String>) {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (some(link), some(proxy))
}

const FEEDBURNER: &str = "http://rssnamespace.org/feedburner/ext/1.0";

#[test]
fn an_original_link_is_the_link_and_what_stood_there_is_another_address() {
    let proxied = "<title>t</title><link>https://feeds.example/~r/s/~3/x/</link>";
    let item = |name: &str, inside: &str| {
        format!("<item>{proxied}<feedburner:{name} xmlns:feedburner='{FEEDBURNER}'>{inside}</feedburner:{name}></item>")
    };
    for (items, expected) in [
        (
            item("origLink", " https://n.example/1?a=1&amp;b=2 "),
            pair("https://n.example/1?a=1&b=2", "https://feeds.example/~r/s/~3/x/"),
        ),
        (
            item("origLink", "<![CDATA[https://n.example/1]]>"),
            pair("https://n.example/1", "https://feeds.example/~r/s/~3/x/"),
        ),
        (item("origLink", "https://feeds.example/~r/s/~3/x/"), pair("https://feeds.example/~r/s/~3/x/", "")),
        (item("origLink", "/1"), pair("https://feeds.example/~r/s/~3/x/", "")),
        (item("origLink", "javascript:alert(1)"), pair("https://feeds.example/~r/s/~3/x/", "")),
        (item("origLink", ""), pair("https://feeds.example/~r/s/~3/x/", "")),
        (item("origEnclosureLink", "https://n.example/1"), pair("https://feeds.example/~r/s/~3/x/", "")),
        // Another prefix for the same space, and a prefix that nobody declared.
        (
            format!("<item>{proxied}<f:origLink xmlns:f='{FEEDBURNER}'>https://n.example/1</f:origLink></item>"),
            pair("https://n.example/1", "https://feeds.example/~r/s/~3/x/"),
        ),
        (
            format!("<item>{proxied}<pheedo:origLink>https://n.example/1</pheedo:origLink></item>"),
            pair("https://n.example/1", "https://feeds.example/~r/s/~3/x/"),
        ),
        (
            format!("<item>{proxied}<x:origLink xmlns:x='https://x.example/'>https://n.example/1</x:origLink></item>"),
            pair("https://feeds.example/~r/s/~3/x/", ""),
        ),
        // Inside of another element it is about something else.
        (
            format!("<item>{proxied}<x><feedburner:origLink>https://n.example/1</feedburner:origLink></x></item>"),
            pair("https://feeds.example/~r/s/~3/x/", ""),
        ),
        (
            "<item><title>t</title><pheedo:origLink>https://n.example/1</pheedo:origLink></item>".to_owned(),
            pair("https://n.example/1", ""),
        ),
        (
            "<item><title>t</title><enclosure url='https://n.example/a.mp3' type='audio/mpeg'/>\
             <pheedo:origLink>https://n.example/1</pheedo:origLink></item>"
                .to_owned(),
            pair("https://n.example/1", ""),
        ),
    ] {
        assert_eq!(links(&rss(&items)), [expected], "{items}");
    }
}

#[test]
fn each_entry_has_its_own_original_link() {
    let entry = |n: u8, original: &str| {
        format!("<entry><id>urn:{n}</id><title>t</title><link href='https://feeds.example/{n}'/>{original}</entry>")
    };
    let original = |n: u8| format!("<feedburner:origLink>https://n.example/{n}</feedburner:origLink>");
    let document = atom(&[entry(1, &original(1)), entry(2, ""), entry(3, &(original(3) + &original(9)))].concat())
        .replacen("<feed ", &format!("<feed xmlns:feedburner=\"{FEEDBURNER}\" "), 1);
    assert_eq!(
        links(&document),
        [
            pair("https://n.example/1", "https://feeds.example/1"),
            pair("https://feeds.example/2", ""),
            pair("https://n.example/3", "https://feeds.example/3")
        ]
    );
    // The same in a document that has to be mended first.
    let broken = document.replacen("<title>t</title>", "<title>t & u</title>", 1);
    assert_eq!(links(&broken)[0], pair("https://n.example/1", "https://feeds.example/1"));
    // One original for pages that differ is nobody's.
    let same = atom(&[entry(1, &original(7)), entry(2, &original(7)), entry(3, &original(3))].concat());
    assert_eq!(
        links(&same),
        [
            pair("https://feeds.example/1", ""),
            pair("https://feeds.example/2", ""),
            pair("https://n.example/3", "https://feeds.example/3")
        ]
    );
    // An entry of another namespace is none.
    let strange = atom(&format!("<x:entry xmlns:x='urn:x'/>{}", entry(1, &original(1))));
    assert_eq!(links(&strange), [pair("https://n.example/1", "https://feeds.example/1")]);
}

proptest! {
    #[test]
    fn original_links_in_junk_end_in_bounds(junk in "[<>/a-z:&;\\[\\]! ]{0,60}", more in "[<>/a-z:&; ]{0,60}") {
        let document = rss(&format!("<item>{junk}<feedburner:origLink>https://n.example/1{more}</feedburner:origLink></item>"));
        let _ = parse(document.as_bytes(), None, None);
    }
}
