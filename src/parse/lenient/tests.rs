//! Kinds of broken documents, by the rule that mends them. Written for these tests.

use url::Url;

use crate::domain::item::Entry;
use crate::parse::{Feed, parse};

fn read(document: &str) -> Feed {
    let base = Url::parse("https://example.org/dir/feed.xml").ok();
    parse(document.as_bytes(), None, base.as_ref()).unwrap_or_else(|error| panic!("{error}: {document}"))
}

fn shown(entry: &Entry) -> [&str; 4] {
    [&entry.guid, &entry.link, &entry.title, &entry.summary].map(|text| text.as_deref().unwrap_or("-"))
}

fn rss(inside: &str) -> String {
    format!("<rss><channel><title>T</title>{inside}</channel></rss>")
}

#[test]
fn markup_that_does_not_balance_costs_only_itself() {
    let next = "<item><guid>n</guid><title>next</title></item>";
    let cases: [(&str, [&str; 4]); 16] = [
        (
            "<item><guid>1</guid><title>A <b>bold</b> move</title><description>x<br>y<p>z</description></item>",
            ["1", "-", "A bold move", "x<br>y<p>z"],
        ),
        ("<item><guid>1</guid><title>open<description>d</description></item>", ["1", "-", "open", "d"]),
        ("<item><guid>1</guid><title>t</titel><description>d</description></item>", ["1", "-", "t", "d"]),
        ("<item><guid>1</guid><title>t</Title><description>d</DESCRIPTION></item>", ["1", "-", "t", "d"]),
        ("<item><guid>1</guid><title>t</title><description>d <i>x</item>", ["1", "-", "t", "d <i>x"]),
        (
            "<item><guid>1</guid><title>t</title><description>d <i>x<pubDate>x</pubDate></item>",
            ["1", "-", "t", "d <i>x"],
        ),
        ("<item><guid>1</guid><title>t</title><description>d</description>", ["1", "-", "t", "d"]),
        ("<item><guid>1</guid><br><foo><title>t</title></b><description>d</description></item>", ["1", "-", "t", "d"]),
        ("<item><guid>1</guid><foo><title>not</title></foo><title>t</title></item>", ["1", "-", "t", "-"]),
        ("<item><guid>1</guid><title><![CDATA[t</title><description>d</description></item>", ["1", "-", "t", "d"]),
        ("<item><guid>1</guid><title>t ]]&gt; ]]></title></item>", ["1", "-", "t ]]> ]]>", "-"]),
        ("<item><guid>1</guid><title>a < b && c > d</title></item>", ["1", "-", "a < b && c > d", "-"]),
        (
            "<item><guid>1</guid><title>t</title><link>/a?b=1&copy=2&lt=3</link></item>",
            ["1", "https://example.org/a?b=1&copy=2&lt=3", "t", "-"],
        ),
        ("<item><guid>1</guid><link href=../x><title>t</title></item>", ["1", "https://example.org/x", "t", "-"]),
        (
            "<item><guid isPermaLink=false>https://example.org/1</guid><title>t</title></item>",
            ["https://example.org/1", "-", "t", "-"],
        ),
        (
            "<item><guid>1</guid><title>t</title><description>&lt;p&gt;a<br>b&lt;/p&gt;</description></item>",
            ["1", "-", "t", "<p>a<br>b</p>"],
        ),
    ];
    for (item, expected) in cases {
        let feed = read(&rss(&format!("{item}{next}")));
        assert_eq!(feed.entries.len(), 2, "{item}");
        assert_eq!(shown(&feed.entries[0]), expected, "{item}");
        assert_eq!(shown(&feed.entries[1]), ["n", "-", "next", "-"], "behind {item}");
    }
}

#[test]
fn items_are_found_wherever_they_stand() {
    let item = "<item><guid>1</guid><title>t</title></item>";
    for document in [
        format!("<rss><channel><title>T</title></channel>{item}</rss>"),
        format!("<rss><channel><items>{item}</items><title>T</title></channel></rss>"),
        format!("<rss>{item}<channel><title>T</title></channel></rss>"),
        format!("<rss><channel><title>T</title></channel></rss>{item}"),
        format!("<rss><channel><data><list>{item}</list></data><title>T</title></channel></rss>"),
        format!("<channel><title>T</title>{item}</channel>"),
        format!("<wrapper><channel><title>T</title>{item}</channel></wrapper>"),
        format!(
            "<RSS xmlns='urn:mine'><Channel><Title>T</Title>{}</Channel></RSS>",
            item.to_uppercase().replace('T', "t").replace("ItEM", "ITEM").replace("tItLE", "TITLE")
        ),
        format!(
            "<rdf:RDF xmlns='http://my.netscape.com/rdf/simple/0.9/'><channel><title>T</title>{item}</channel></rdf:RDF>"
        ),
    ] {
        let feed = read(&document);
        assert_eq!(feed.entries.len(), 1, "{document}");
        assert_eq!(
            (feed.entries[0].title.as_deref(), feed.info.title.as_deref()),
            (Some("t"), Some("T")),
            "{document}"
        );
    }
}

#[test]
fn texts_of_every_type_are_read_by_their_looks() {
    let cases = [
        ("<title>1 &lt; 2</title>", "1 < 2"),
        ("<title type='HTML '>&lt;b&gt;t&lt;/b&gt;</title>", "t"),
        ("<title type='text/html' mode='escaped'>&lt;b&gt;t&lt;/b&gt;</title>", "t"),
        ("<title type='application/xhtml+xml' mode='xml'><b>t</b></title>", "t"),
        ("<title type='application/octet-stream' mode='base64'>PGI+dDwvYj4=</title>", "t"),
        ("<title type='nonsense'>t &amp; u</title>", "t & u"),
        ("<title type='xhtml'><h:div xmlns:h='http://www.w3.org/1999/xhtml'><h:b>t</h:b></h:div></title>", "t"),
        ("<title type='text'>&lt;b&gt; is bold</title>", "<b> is bold"),
    ];
    for space in ["http://purl.org/atom/ns#", "https://www.w3.org/2005/atom/", "urn:nobody"] {
        for (title, expected) in cases {
            let feed = read(&format!("<feed xmlns='{space}'><entry><id>1</id>{title}</entry></feed>"));
            assert_eq!(feed.entries[0].title.as_deref(), Some(expected), "{title} in {space}");
        }
    }
}

#[test]
fn foreign_elements_stand_in_and_never_go_before() {
    let all = "<media:title>m</media:title><itunes:title>i</itunes:title><dc:title>d</dc:title>";
    for (inside, expected) in [
        (format!("{all}<title>t</title>"), "t"),
        (all.to_owned(), "d"),
        ("<source><title>s</title></source><image><title>i</title></image><title>t</title>".to_owned(), "t"),
        ("<x:title xmlns:x='urn:x'>x</x:title><title>t</title>".to_owned(), "t"),
    ] {
        let feed = read(&rss(&format!("<item><guid>1</guid>{inside}</item>")));
        assert_eq!(feed.entries[0].title.as_deref(), Some(expected), "{inside}");
    }
    let feed = read(
        "<rss><channel><image><title>i</title><link>/i</link><url>/i.png</url></image><title>T</title><link>/</link></channel></rss>",
    );
    assert_eq!(feed.info.title.as_deref(), Some("T"));
    assert_eq!(feed.info.home_url.as_deref(), Some("https://example.org/"));
    assert_eq!(feed.info.icon.as_deref(), Some("https://example.org/i.png"));
}

#[test]
fn atom_in_rss_and_a_source_of_its_own_are_read() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='/blog/'><title>T</title><entry xml:base='2026/'><id>1</id><title>t</title>
         <link href='one.html'/><link rel='http://www.iana.org/assignments/relation/self' href='self'/>
         <source><id>s</id><title>Source</title><link href='https://s.example/'/></source>
         <summary>a</summary></entry></feed>",
    );
    let entry = &feed.entries[0];
    assert_eq!(shown(entry), ["1", "https://example.org/blog/2026/one.html", "t", "a"]);
    let source = entry.source.as_ref().unwrap();
    assert_eq!((source.title.as_deref(), source.home_url.as_deref()), (Some("Source"), Some("https://s.example/")));
    let feed = read(&rss(
        "<item xmlns:a='http://www.w3.org/2005/Atom'><a:id>1</a:id><a:link href='/x'/><a:title type='html'>&lt;i&gt;t</a:title></item>",
    ));
    assert_eq!(shown(&feed.entries[0]), ["1", "https://example.org/x", "t", "-"]);
}

#[test]
fn every_repair_is_told_with_its_place() {
    let document =
        "<rss><channel><item><guid>1</guid><title>a & b<description>c</item></x><item><guid>2</guid><title>d";
    let feed = read(document);
    assert_eq!(feed.entries.len(), 2);
    let told: Vec<_> = feed.repairs.iter().map(|repair| (repair.at, repair.what.as_str())).collect();
    for (at, word) in [
        (0, "version"),
        (document.find('&').unwrap(), "&"),
        (document.find("</x>").unwrap(), "closes nothing"),
        (document.len(), "ends inside"),
    ] {
        assert!(told.iter().any(|(told, what)| *told == at && what.contains(word)), "{word} at {at}: {told:?}");
    }
    assert!(told.is_sorted_by_key(|(at, _)| *at), "{told:?}");
    let many = read(&rss(&"<item><guid>1</guid><title>a & b</title></item>".repeat(1_000)));
    assert!(
        many.repairs.len() < 30 && many.repairs.last().unwrap().what.starts_with("1000 times"),
        "{:?}",
        many.repairs.last()
    );
}

#[test]
fn media_elements_are_kept_however_they_are_written() {
    let element = |item: &str| -> String {
        let feed = read(&rss(&format!("<item><guid>1</guid>{item}<title>t</title></item><item><guid>n</guid></item>")));
        assert_eq!(feed.entries.len(), 2, "{item}");
        assert_eq!(feed.entries[0].title.as_deref(), Some("t"), "{item}");
        serde_json::to_string(&feed.entries[0].extras.media).unwrap()
    };
    for (item, kept) in [
        (
            "<media:content url='../1.jpg' FileSize=12 xmlns:x='y' x:z='1' 1='2' url='2'/>",
            r#"[{"name":"media:content","attributes":{"url":"https://example.org/1.jpg","FileSize":"12"}}]"#,
        ),
        // Without an end tag, and with one of another element.
        ("<media:credit>Ann", r#"[{"name":"media:credit","text":"Ann"}]"#),
        (
            "<media:group><media:credit>Ann</media:title><media:rating>adult</media:rating></media:group>",
            r#"[{"name":"media:group","children":[{"name":"media:credit","text":"Ann"},{"name":"media:rating","text":"adult"}]}]"#,
        ),
        (
            "<media:description type='html'>&lt;b&gt;A&lt;/b&gt; &amp;amp; B</media:description>",
            r#"[{"name":"media:description","attributes":{"type":"html"},"text":"<b>A</b> &amp; B"}]"#,
        ),
        (
            "<podcast:person href='javascript:x()' img='mailto:a'><![CDATA[Bo & Co]]></podcast:person>",
            r#"[{"name":"podcast:person","text":"Bo & Co"}]"#,
        ),
        // A prefix of one's own, a namespace misspelt, a foreign element inside.
        (
            "<m:group xmlns:m='HTTPS://search.yahoo.com/mrss'><x:y>no</x:y><m:content url='https://a.example/1'/></m:group>",
            r#"[{"name":"media:group","children":[{"name":"media:content","attributes":{"url":"https://a.example/1"}}]}]"#,
        ),
        ("<georss:point>45.2 -71.9</georss:point>", r#"[{"name":"georss:point","text":"45.2 -71.9"}]"#),
        ("<slash:comments>9</slash:comments><podcast:>x</podcast:>", "[]"),
    ] {
        assert_eq!(element(item), kept, "{item}");
    }
}

#[test]
fn what_media_say_never_goes_before_what_the_entry_says() {
    let feed = read(&rss(
        "<item><guid>1</guid><media:title>M</media:title><itunes:title>I</itunes:title><title>T</title>\
         <itunes:keywords>one, two,, one</itunes:keywords><media:description>D</media:description></item>\
         <item><guid>2</guid><itunes:title>I</itunes:title><media:title>M</media:title><itunes:author>Ann</itunes:author>\
         <enclosure url='/2.mp3' type='audio/mpeg'/><itunes:duration>2:05</itunes:duration></item>",
    ));
    assert_eq!(shown(&feed.entries[0]), ["1", "-", "T", "D"]);
    let terms: Vec<_> = feed.entries[0].categories.iter().map(|category| category.term.as_str()).collect();
    assert_eq!(terms, ["one", "two"]);
    assert_eq!(feed.entries[1].title.as_deref(), Some("M"));
    assert_eq!(feed.entries[1].authors[0].name.as_deref(), Some("Ann"));
    assert_eq!(feed.entries[1].enclosures[0].duration_s, Some(125));
}

#[test]
fn no_document_makes_more_of_its_media_than_there_is_room_for() {
    let many = format!("<item><guid>1</guid>{}</item>", "<media:a/>".repeat(5_000));
    let feed = read(&rss(&many.repeat(20)));
    let kept: usize = feed.entries.iter().map(|entry| entry.extras.media.len()).sum();
    assert!((1_000..=10_000).contains(&kept), "{kept}");
    let deep = format!("<item><guid>1</guid>{}</item>", "<media:group>".repeat(10_000));
    let mut depth = 0;
    read(&rss(&deep)).entries[0].extras.media[0].each(&mut |_| depth += 1);
    assert!(depth <= 8, "{depth}");
}
