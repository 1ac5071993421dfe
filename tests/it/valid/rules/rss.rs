//! RSS 2.0, the Advisory Board's profile, and what the validator asks of RSS besides.
//!
//! RSS 2.0 has no MUST as RFCs have it: what follows is each thing that its text calls required, or says to be so and not otherwise.
//! *Row*: a rule below, which a row of the test at the end breaks under the same name. *Closed*: the element is not written at all.
//!
//! | RSS 2.0, section | who writes must | held by |
//! |---|---|---|
//! | What is RSS? | write XML 1.0; `rss` with `version`, which is 2.0; one `channel` in it | rows `XML`, `rss of version 2.0`, `one channel` |
//! | Required channel elements | have `title`, `link`, `description` | rows `required channel elements` |
//! | Optional channel elements, `language` | use a known code | closed; of items, row `Dublin Core, language` |
//! | the same, `pubDate`, `lastBuildDate` | write dates of RFC 822 | rows `dates` |
//! | the same, `docs` | give a URL | row `docs: a URL` |
//! | `image`, `cloud`, `textInput`, `skipHours`, `skipDays`, `rating` | give each its own required parts | closed |
//! | `ttl` | give a number of minutes | row `ttl` |
//! | Elements of `item` | have one of `title` and `description` | row `at least one of title and description` |
//! | the same, `author` | give an address | closed: names are no addresses, they go into `dc:creator` |
//! | the same, `comments`, `link` | give a URL | rows `link: a URL`, `comments: a URL` |
//! | `source` | have a `url` | row `source: it has a url` |
//! | `enclosure` | have `url`, which is http, `length` in bytes, `type`, a MIME type | rows `enclosure: …` |
//! | `category` | say a `domain` only as a taxonomy's name | any text is one |
//! | `pubDate` | write dates of RFC 822 | rows `dates` |
//! | `guid` | identify the item by it for good; be a URL unless `isPermaLink` is false | rows `guid: …`; `a_guid_is_a_permalink_only_where_it_is_the_link` |
//! | Comments, URLs | begin each URL with a registered scheme | rows `… a URL` |
//! | Extending RSS | put everything else into a namespace, and RSS's own into none | rows `no other element`, `no namespace` |

use std::collections::HashSet;

use chrono::DateTime;
use roxmltree::Node;

use super::{Problems, harmful, is_iri, is_language, is_media_type, is_uri, read_xml, text};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const DC: &str = "http://purl.org/dc/elements/1.1/";

/// Namespaces that versions of RSS have been given by others.
const SPACES: [&str; 4] = [
    "http://backend.userland.com/rss2",
    "http://blogs.law.harvard.edu/tech/rss",
    "http://purl.org/rss/1.0/",
    "http://my.netscape.com/rdf/simple/0.9/",
];

const CHANNEL: &[&str] = &["title", "link", "description", "lastBuildDate", "generator", "docs", "ttl", "item"];
const ITEM: &[(&str, bool)] = &[
    ("title", true),
    ("link", true),
    ("description", true),
    ("category", false),
    ("comments", true),
    ("enclosure", true),
    ("guid", true),
    ("pubDate", true),
    ("source", true),
];

/// What is wrong with an RSS document, and the guids of its items.
pub(crate) fn rss(document: &str) -> (Problems, Vec<String>) {
    let parsed = match read_xml(document) {
        Ok(parsed) => parsed,
        Err(problems) => return (problems, Vec::new()),
    };
    let (mut problems, root) = (Problems::default(), parsed.root_element());
    problems.must(
        root.has_tag_name("rss") && root.attribute("version") == Some("2.0"),
        "RSS 2.0: rss of version 2.0",
        (root.tag_name(), root.attribute("version")),
    );
    let channels: Vec<_> = plain(root, "channel").collect();
    problems.must(channels.len() == 1, "RSS 2.0: one channel", channels.len());
    let Some(channel) = channels.first().copied() else { return (problems, Vec::new()) };
    head(&mut problems, channel);
    let mut guids = Vec::new();
    for item in plain(channel, "item") {
        self::item(&mut problems, item);
        guids.extend(plain(item, "guid").next().map(text));
    }
    let distinct: HashSet<&String> = guids.iter().collect();
    problems.must(distinct.len() == guids.len(), "RSS 2.0, guid: it identifies one item", guids.len() - distinct.len());
    (problems, guids)
}

/// Elements of RSS itself have no namespace.
fn plain<'a, 'b>(node: Node<'a, 'b>, name: &'static str) -> impl Iterator<Item = Node<'a, 'b>> {
    node.children().filter(move |child| {
        child.is_element() && child.tag_name().namespace().is_none() && child.tag_name().name() == name
    })
}

fn head(problems: &mut Problems, channel: Node<'_, '_>) {
    for name in ["title", "link", "description"] {
        let count = plain(channel, name).count();
        problems.must(count == 1, "RSS 2.0, required channel elements", (name, count));
    }
    for child in channel.children().filter(Node::is_element).filter(|child| child.tag_name().namespace().is_none()) {
        let (name, said) = (child.tag_name().name(), text(child));
        problems.must(CHANNEL.contains(&name), "RSS 2.0: no other element in a channel", name);
        match name {
            "title" | "description" => problems.must(!said.trim().is_empty(), "validator: not blank", name),
            "link" | "docs" => problems.must(is_uri(&said), &format!("RSS 2.0, {name}: a URL"), said),
            "lastBuildDate" => date(problems, &said),
            "ttl" => problems.must(said.parse::<u32>().is_ok_and(|n| n > 0), "RSS 2.0, ttl: a number of minutes", said),
            _ => {}
        }
    }
    let own: Vec<_> = channel
        .children()
        .filter(|child| child.has_tag_name((ATOM, "link")) && child.attribute("rel") == Some("self"))
        .collect();
    let good = own.len() == 1
        && own[0].attribute("href").is_some_and(is_uri)
        && own[0].attribute("type") == Some("application/rss+xml");
    problems.must(good, "the profile: atom:link with rel self and type", own.len());
}

fn item(problems: &mut Problems, item: Node<'_, '_>) {
    for child in item.children().filter(Node::is_element) {
        let (tag, said) = (child.tag_name(), text(child));
        match (tag.namespace(), tag.name()) {
            (None, name) => plain_child(problems, child, name, &said),
            (Some(CONTENT), "encoded") => {
                let found = harmful(&said);
                problems.must(
                    found.is_none(),
                    "the profile, content:encoded: harmless HTML with absolute addresses",
                    found,
                );
            }
            (Some(DC), "language") => problems.must(is_language(&said), "Dublin Core, language: RFC 5646", said),
            (Some(DC), "creator") => problems.must(!said.trim().is_empty(), "Dublin Core, creator: not blank", said),
            (Some(ATOM), "link") => {
                problems.must(
                    child.attribute("href").is_some_and(is_uri),
                    "RFC 4287 4.2.7.1: a link has an IRI reference",
                    child.attribute("href"),
                );
            }
            _ => {}
        }
    }
    for (name, _) in ITEM.iter().filter(|(_, once)| *once) {
        let count =
            item.children().filter(|child| child.has_tag_name(*name) && child.tag_name().namespace().is_none()).count();
        problems.must(count <= 1, "RSS 2.0 and the profile: at most one of", (name, count));
    }
    let own = item
        .children()
        .filter(Node::is_element)
        .find(|child| child.tag_name().namespace().is_some_and(|space| SPACES.contains(&space)));
    problems.must(own.is_none(), "RSS 2.0, extending: RSS itself has no namespace", own.map(|own| own.tag_name()));
    let speaks =
        ["title", "description"].iter().any(|name| plain(item, name).any(|node| !text(node).trim().is_empty()));
    problems.must(speaks, "RSS 2.0, item: at least one of title and description", "neither");
    problems.must(
        plain(item, "guid").count() == 1 && plain(item, "pubDate").count() == 1,
        "design 6.14: guid and pubDate",
        "",
    );
    let place = |space: Option<&str>, name: &str| {
        item.children()
            .filter(Node::is_element)
            .position(|node| node.tag_name().namespace() == space && node.tag_name().name() == name)
    };
    if let (Some(description), Some(content)) = (place(None, "description"), place(Some(CONTENT), "encoded")) {
        problems.must(
            description < content,
            "the profile, content:encoded: description comes first",
            (description, content),
        );
    }
}

fn plain_child(problems: &mut Problems, child: Node<'_, '_>, name: &str, said: &str) {
    problems.must(ITEM.iter().any(|(known, _)| *known == name), "RSS 2.0: no other element in an item", name);
    match name {
        "link" | "comments" => problems.must(is_uri(said), &format!("RSS 2.0, {name}: a URL"), said),
        "pubDate" => date(problems, said),
        "description" => {
            let found = harmful(said);
            problems.must(found.is_none(), "the profile, description: harmless HTML with absolute addresses", found);
        }
        "guid" => {
            let permalink = child.attribute("isPermaLink");
            problems.must(!said.is_empty(), "RSS 2.0, guid: not empty", said);
            problems.must(
                permalink == Some("false") || (is_iri(said) && said.starts_with("http")),
                "RSS 2.0, guid: a permalink is a URL",
                (permalink, said),
            );
        }
        "category" => problems.must(!said.trim().is_empty(), "validator: a category is not blank", said),
        "source" => problems.must(
            child.attribute("url").is_some_and(is_uri),
            "RSS 2.0, source: it has a url",
            child.attribute("url"),
        ),
        "enclosure" => {
            let of = |name: &str| child.attribute(name).unwrap_or_default();
            let web = is_uri(of("url")) && of("url").starts_with("http");
            problems.must(web, "RSS 2.0, enclosure: the url is an http url", of("url"));
            problems.must(of("length").parse::<u64>().is_ok(), "RSS 2.0, enclosure: length in bytes", of("length"));
            problems.must(is_media_type(of("type")), "RSS 2.0, enclosure: a MIME type", of("type"));
        }
        _ => {}
    }
}

/// RFC 822 with a year of four digits, as the specification asks; validator: the day of the week is right.
fn date(problems: &mut Problems, said: &str) {
    let year = said.split(' ').nth(3).is_some_and(|year| year.len() == 4);
    problems.must(year && DateTime::parse_from_rfc2822(said).is_ok(), "RSS 2.0, dates: RFC 822", said);
}

const DOCUMENT: &str = "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>T</title><link>https://a.example/</link><description>D</description>\
    <atom:link rel=\"self\" type=\"application/rss+xml\" href=\"https://a.example/f\"/><lastBuildDate>Fri, 02 Jan 2026 03:04:06 GMT</lastBuildDate>\
    <docs>https://a.example/docs</docs><ttl>60</ttl><item><title>One</title>\
    <link>https://a.example/1</link><guid isPermaLink=\"false\">one</guid><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate>\
    <dc:language>en</dc:language><category>c</category><description>d</description><content:encoded>&lt;p&gt;x</content:encoded>\
    <comments>https://a.example/c</comments><enclosure url=\"https://a.example/1.mp3\" length=\"5\" type=\"audio/mpeg\"/>\
    <source url=\"https://a.example/s\">S</source></item></channel></rss>";

#[test]
fn each_rule_of_rss_finds_what_breaks_it() {
    super::finds(
        rss,
        DOCUMENT,
        &[
            ("<title>T</title>", "<title>T</titel>", "XML"),
            (" version=\"2.0\"", "", "rss of version 2.0"),
            ("version=\"2.0\"", "version=\"0.92\"", "rss of version 2.0"),
            ("</channel>", "</channel><channel/>", "one channel"),
            ("<title>T</title>", "", "required channel elements"),
            ("<link>https://a.example/</link>", "", "required channel elements"),
            ("<description>D</description>", "", "required channel elements"),
            ("<title>T</title>", "<title> </title>", "not blank"),
            ("<link>https://a.example/</link>", "<link>a.example</link>", "link: a URL"),
            ("<docs>https://", "<docs>//", "docs: a URL"),
            ("Fri, 02 Jan 2026 03:04:06 GMT", "2026-01-02", "dates"),
            ("<ttl>60</ttl>", "<ttl>an hour</ttl>", "ttl"),
            ("rel=\"self\"", "rel=\"other\"", "atom:link with rel self"),
            ("<title>T</title>", "<title>T</title><entry/>", "no other element in a channel"),
            ("<title>One</title>", "<title>One</title><title>One</title>", "at most one"),
            ("<title>One</title>", "<title>One</title><author>x</author>", "no other element in an item"),
            ("<title>One</title>", "<title xmlns=\"http://backend.userland.com/rss2\">One</title>", "no namespace"),
            ("<link>https://a.example/1", "<link>/1", "link: a URL"),
            ("<comments>https:", "<comments>", "comments: a URL"),
            ("isPermaLink=\"false\"", "isPermaLink=\"true\"", "guid: a permalink is a URL"),
            ("isPermaLink=\"false\"", "", "guid: a permalink is a URL"),
            (">one</guid>", "></guid>", "guid: not empty"),
            ("Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02", "dates"),
            ("Fri, 02 Jan 2026 03:04:05", "Mon, 02 Jan 2026 03:04:05", "dates"),
            ("<dc:language>en", "<dc:language>en_US", "RFC 5646"),
            ("<category>c", "<category> ", "not blank"),
            ("<description>d", "<description>&lt;iframe&gt;", "description: harmless"),
            ("&lt;p&gt;x", "&lt;img src=\"/x\"&gt;", "content:encoded: harmless"),
            ("url=\"https://a.example/1.mp3\"", "url=\"ftp://a.example/1.mp3\"", "enclosure: the url is an http url"),
            ("url=\"https://a.example/1.mp3\"", "", "enclosure: the url is an http url"),
            ("length=\"5\"", "length=\"\"", "enclosure: length in bytes"),
            ("type=\"audio/mpeg\"", "type=\"audio\"", "enclosure: a MIME type"),
            ("<source url=\"https://a.example/s\">", "<source>", "source: it has a url"),
        ],
    );
    let untitled = DOCUMENT.replacen("<title>One</title>", "", 1);
    let silent = ("<description>d</description>", "", "at least one of title and description");
    super::finds(rss, &untitled, &[silent]);
    let item = &DOCUMENT[DOCUMENT.find("<item>").unwrap()..];
    super::finds(rss, DOCUMENT, &[("</channel></rss>", item, "guid: it identifies one item")]);
}
