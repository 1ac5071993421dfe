//! The promises of the documents and pages, each read back by a parser that is not ours.

use std::cell::RefCell;
use std::collections::HashMap;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use proptest::prelude::*;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::page::{Site, error, feeds as feeds_page, item, river, status};
use super::samples::*;
use super::{Pages, View, atom, json, opml, rss};
use crate::domain::item::{Category, Clean, Enclosure, Person};

/// The standards' clauses, each with what holds it.
#[path = "../../../tests/it/valid/rules/mod.rs"]
mod rules;

/// An element: its name, attributes, text and children.
#[derive(Debug, Default)]
struct Node {
    name: String,
    attributes: HashMap<String, String>,
    text: String,
    children: Vec<Node>,
}

impl Node {
    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
        let name = name.to_owned();
        self.children.iter().filter(move |child| child.name == name)
    }
    fn get(&self, name: &str) -> &Node {
        self.all(name).next().unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }
    fn text_of(&self, name: &str) -> &str {
        &self.get(name).text
    }
    fn at(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }
    fn links(&self, rel: &str) -> Vec<&str> {
        let named = |node: &&Node| node.name.ends_with("link") && node.at("rel") == Some(rel);
        self.children.iter().filter(named).map(|node| node.at("href").unwrap()).collect()
    }
    fn names(&self) -> Vec<&str> {
        self.children.iter().map(|child| child.name.as_str()).collect()
    }
}

/// Reads a document strictly, and fails at anything that is not well-formed.
fn tree(document: &str) -> Node {
    let mut reader = Reader::from_str(document);
    reader.config_mut().enable_all_checks(true);
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap_or_else(|e| panic!("{e} at {}", reader.error_position())) {
            Event::Start(start) => open.push(node(&start)),
            Event::Empty(start) => {
                let child = node(&start);
                open.last_mut().unwrap().children.push(child);
            }
            Event::End(_) => {
                let child = open.pop().unwrap();
                open.last_mut().unwrap().children.push(child);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let c = reference.resolve_char_ref().unwrap().unwrap_or_else(|| match &*reference.xml10_content() {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    other => panic!("undeclared entity {other}"),
                });
                open.last_mut().unwrap().text.push(c);
            }
            Event::Eof => break,
            Event::Decl(_) => {}
            other => panic!("{other:?} has no business in a feed"),
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed");
    assert_eq!(open[0].children.len(), 1, "one root");
    assert!(document.chars().all(|c| super::text::legal(&c.to_string()).len() == c.len_utf8()));
    open[0].children.pop().unwrap()
}

fn node(start: &quick_xml::events::BytesStart<'_>) -> Node {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap();
        (attribute.key.as_ref().to_owned(), value.into_owned())
    });
    Node { name: start.name().as_ref().to_owned(), attributes: attributes.collect(), ..Node::default() }
}

fn everything() -> Vec<View> {
    let mut views = vec![full()];
    views.extend(hostile());
    views
}

/// The same as they come from `identity` and `sanitize`, which own ids and clean HTML.
fn kept() -> Vec<View> {
    let mut views = everything();
    let broken = views.last_mut().unwrap();
    broken.item.published_id = "https://northwire.example/?id=%3C".to_owned();
    broken.clean = Clean { summary: None, content: Some("<p>]]&gt; &lt;script&gt;</p>".to_owned()) };
    views
}

fn entry_of(view: View) -> Node {
    let mut feed = tree(&atom(&channel(), &[view]));
    feed.children.pop().unwrap()
}

fn item_of(view: View) -> Node {
    let mut feed = tree(&rss(&channel(), &[view]));
    feed.children[0].children.pop().unwrap()
}

#[test]
fn documents_are_as_they_were() {
    insta::assert_snapshot!("atom", atom(&channel(), &everything()));
    insta::assert_snapshot!("rss", rss(&channel(), &everything()));
    let value: serde_json::Value = serde_json::from_str(&json(&channel(), &everything())).unwrap();
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&value).unwrap());
    insta::assert_snapshot!("opml", opml("My news", &feeds(), now()));
}

#[test]
fn pages_are_as_they_were() {
    let (base, streams) = (base(), streams());
    let site = site(&base, &streams);
    let lines = |page: String| page.replace("><", ">\n<");
    insta::assert_snapshot!("river", lines(river(&site, &channel(), &everything(), Some("/mill/?before=abc"))));
    insta::assert_snapshot!("item", lines(item(&site, &full(), &trace())));
    insta::assert_snapshot!("status", lines(status(&site, &report(&feeds(), &webhooks(), &health(), &sizes()), now())));
    insta::assert_snapshot!("feeds", lines(feeds_page(&site, &feeds(), 7, None, now())));
    insta::assert_snapshot!("error", lines(error(&site, 404, "No such stream", "There is no stream named x < y.")));
}

/// RFC 4287, RFC 5005, RSS 2.0, JSON Feed 1.1: every rule of `rules`, on what is ordinary, full, broken and empty.
#[test]
fn documents_break_no_rule_of_the_standards() {
    let mut further = channel();
    further.pages.older = Some("?before=abc".to_owned());
    let mut archive = channel();
    archive.pages = Pages { archive: Some(2), previous: Some(1), next: Some(3), ..Pages::default() };
    for channel in [channel(), further, archive] {
        for views in [kept(), morning(), Vec::new()] {
            let (atom, rss, json) = (atom(&channel, &views), rss(&channel, &views), json(&channel, &views));
            let read = [rules::atom(&atom), rules::rss(&rss), rules::json_feed(&json)];
            for ((problems, ids), document) in read.into_iter().zip([&atom, &rss, &json]) {
                assert_eq!(problems.0, Vec::<String>::new(), "{document}");
                assert!(ids.iter().eq(views.iter().map(|view| &view.item.published_id)), "{ids:?}");
            }
        }
    }
}

/// RFC 5005 section 4: every document leads to the archive before it, if there is one.
#[test]
fn archives_say_where_they_stand() {
    let mut channel = channel();
    channel.pages.previous = Some(2);
    let head = tree(&atom(&channel, &[]));
    assert_eq!(head.links("prev-archive"), ["https://news.example.org/mill/all/archive/2.atom"]);
    assert!(head.all("fh:archive").count() == 0 && head.links("current").is_empty());
    channel.pages = Pages { archive: Some(2), previous: Some(1), next: Some(3), ..Pages::default() };
    let archive = tree(&atom(&channel, &[]));
    assert_eq!(archive.all("fh:archive").count(), 1);
    for (rel, path) in [
        ("self", "all/archive/2.atom"),
        ("prev-archive", "all/archive/1.atom"),
        ("next-archive", "all/archive/3.atom"),
        ("current", "all.atom"),
    ] {
        assert_eq!(archive.links(rel), [format!("https://news.example.org/mill/{path}")]);
    }
    channel.pages.previous = None;
    assert!(tree(&atom(&channel, &[])).links("prev-archive").is_empty(), "nothing stands before the first");
}

/// Design 6, identity and time 5.
#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(atom(&channel(), &everything()), atom(&channel(), &everything()));
    assert_eq!(rss(&channel(), &everything()), rss(&channel(), &everything()));
    assert_eq!(json(&channel(), &everything()), json(&channel(), &everything()));
}

/// RFC 4287 4.1.1 and 4.1.2: what a feed and an entry must have, and at most once.
#[test]
fn an_atom_document_has_all_that_the_rfc_requires() {
    let feed = tree(&atom(&channel(), &everything()));
    assert_eq!(feed.at("xmlns"), Some("http://www.w3.org/2005/Atom"));
    for name in ["id", "title", "updated", "generator"] {
        assert_eq!(feed.all(name).count(), 1, "{name}");
    }
    assert!(feed.all("author").count() > 0);
    assert_eq!(feed.links("self"), ["https://news.example.org/mill/all.atom"]);
    assert_eq!(feed.links("alternate"), ["https://news.example.org/mill/"]);
    assert_eq!(feed.text_of("id"), "tag:example.org,2026-11-24:feedmill:01jd:all");
    assert_eq!(feed.text_of("updated"), "2026-11-24T09:05:00Z");
    assert_eq!(feed.all("entry").count(), 4);
    for entry in feed.all("entry") {
        for name in ["id", "title", "updated", "published", "source"] {
            assert_eq!(entry.all(name).count(), 1, "{name}");
            assert!(name == "source" || !entry.text_of(name).trim().is_empty(), "{name} is empty");
        }
        assert!(
            entry.all("author").count() > 0 && entry.all("author").all(|author| !author.text_of("name").is_empty())
        );
        assert!(entry.links("alternate").len() <= 1);
        assert!(entry.all("content").count() == 1 || !entry.links("alternate").is_empty());
        assert_eq!(entry.names().last(), Some(&"source"));
        let source = entry.get("source");
        assert!(!source.text_of("updated").is_empty() && source.all("title").count() == 1);
    }
}

/// RFC 4287 4.2.6: the id of an entry is never touched.
#[test]
fn ids_are_published_byte_for_byte_in_all_formats() {
    let mut view = full();
    let id = "HTTPS://Courier.example:443/%7ea/../b?x=<&\"> ü";
    view.item.published_id = id.to_owned();
    assert_eq!(entry_of(view.clone()).text_of("id"), id);
    assert_eq!(item_of(view.clone()).text_of("guid"), id);
    let value: serde_json::Value = serde_json::from_str(&json(&channel(), &[view])).unwrap();
    assert_eq!(value["items"][0]["id"], id);
}

/// Design 6.9.
#[test]
fn a_title_is_never_empty() {
    let mut view = hostile().remove(1);
    let text = "A note without a title, which goes on for rather longer than the eighty…";
    assert_eq!(entry_of(view.clone()).text_of("title"), text);
    assert_eq!(item_of(view.clone()).text_of("title"), text);
    view.content_text = None;
    assert_eq!(entry_of(view.clone()).text_of("title"), "https://northwire.example/stories/11");
    view.item.link = None;
    assert_eq!(entry_of(view.clone()).text_of("title"), view.item.published_id);
}

/// RFC 4287 4.2.11, design 6.10 to 6.12.
#[test]
fn an_atom_entry_says_all_that_is_known() {
    let entry = entry_of(full());
    assert_eq!(entry.at("xml:lang"), Some("en-GB"));
    assert_eq!(entry.text_of("published"), "2026-11-24T08:30:00Z");
    assert_eq!(entry.text_of("updated"), "2026-11-24T09:05:00Z");
    assert_eq!(entry.links("via"), ["https://northwire.example/9?from=a&to=b", "https://compilers.example/feed.xml"]);
    let titles: Vec<_> =
        entry.all("link").filter(|link| link.at("rel") == Some("via")).map(|link| link.at("title")).collect();
    assert_eq!(titles, [Some("Northwire"), Some("compilers")]);
    let files: Vec<_> = entry.all("link").filter(|link| link.at("rel") == Some("enclosure")).collect();
    assert_eq!(files.len(), 3);
    assert_eq!((files[1].at("type"), files[1].at("length")), (Some("audio/mpeg"), Some("12345678")));
    assert_eq!((files[2].at("type"), files[2].at("length")), (Some("video/mp4"), None));
    let category = entry.get("category");
    assert_eq!(
        (category.at("term"), category.at("scheme"), category.at("label")),
        (Some("harbour"), Some("https://courier.example/tags"), Some("Harbour"))
    );
    assert_eq!(entry.get("content").at("type"), Some("html"));
    assert_eq!(Some(entry.text_of("content")), full().clean.content.as_deref());
    assert_eq!(Some(entry.text_of("summary")), full().clean.summary.as_deref());
    let authors: Vec<_> = entry.all("author").collect();
    assert_eq!(authors.len(), 2);
    assert_eq!(
        (authors[0].text_of("email"), authors[0].text_of("uri")),
        ("ada@courier.example", "https://courier.example/ada")
    );
    assert_eq!(authors[1].names(), ["name"], "an address or page that is none is left out");
    let source = entry.get("source");
    assert_eq!(source.text_of("id"), "urn:uuid:6e7f0d2c-3f0b-4b7e-9a54-0c1d7a1d0001");
    assert_eq!(source.text_of("updated"), "2026-11-24T08:31:00Z");
    assert_eq!(source.links("self"), ["https://courier.example/feed.xml"]);
    assert_eq!(source.links("alternate"), ["https://courier.example/"]);
    for name in ["title", "subtitle", "icon", "author", "rights"] {
        assert_eq!(source.all(name).count(), 1, "{name}");
    }
}

/// Design 6.10: the one that it came with is kept.
#[test]
fn an_entry_that_came_with_a_source_keeps_it() {
    let entry = entry_of(hostile().remove(1));
    let source = entry.get("source");
    assert_eq!(source.text_of("id"), "tag:elsewhere.example,2020:feed");
    assert_eq!(source.text_of("title"), "An elsewhere");
    assert!(source.links("self").is_empty(), "the feed's address is not the source's");
}

/// RFC 4287 4.2.1.
#[test]
fn an_entry_without_authors_has_those_of_its_source_else_the_source() {
    let mut view = full();
    view.item.authors.clear();
    assert_eq!(entry_of(view.clone()).get("author").text_of("name"), "The desk");
    assert_eq!(item_of(view.clone()).text_of("dc:creator"), "The desk");
    view.item.source.info.authors.clear();
    assert_eq!(entry_of(view.clone()).get("author").text_of("name"), "The Quay Courier");
    assert_eq!(item_of(view).all("dc:creator").count(), 0);
}

/// Design 6, identity and time 4.
#[test]
fn a_date_in_the_future_never_shows() {
    let view = hostile().remove(2);
    assert_eq!(entry_of(view.clone()).text_of("published"), "2026-11-24T05:00:00Z");
    assert_eq!(item_of(view.clone()).text_of("pubDate"), "Tue, 24 Nov 2026 05:00:00 GMT");
    assert!(!json(&channel(), &[view]).contains("2099"));
}

/// RSS 2.0 and the Advisory Board's profile; design 6.14.
#[test]
fn an_rss_document_keeps_to_the_profile() {
    let document = rss(&channel(), &everything());
    let rss = tree(&document);
    let channel = rss.get("channel");
    assert_eq!(rss.at("version"), Some("2.0"));
    for (name, text) in [
        ("title", "My news"),
        ("link", "https://news.example.org/mill/"),
        ("lastBuildDate", "Tue, 24 Nov 2026 09:05:00 GMT"),
        ("ttl", "60"),
    ] {
        assert_eq!(channel.text_of(name), text);
    }
    assert_eq!(channel.links("self"), ["https://news.example.org/mill/all.rss"]);
    assert!(!channel.text_of("description").is_empty());
    for item in channel.all("item") {
        for name in ["title", "guid", "pubDate"] {
            assert_eq!(item.all(name).count(), 1, "{name}");
        }
        assert!(item.all("enclosure").count() <= 1);
        for enclosure in item.all("enclosure") {
            assert!(
                enclosure.at("url").is_some() && enclosure.at("type").is_some() && enclosure.at("length").is_some()
            );
        }
        let place = |name| item.names().iter().position(|found| *found == name);
        if let (Some(description), Some(content)) = (place("description"), place("content:encoded")) {
            assert!(description < content);
        }
    }
    assert!(document.contains("<title>Harbour &#x26; sea: tide &#x3C; 2 m</title>"));
}

/// Design 6.14, 6.15.
#[test]
fn an_rss_item_says_all_that_is_known() {
    let item = item_of(full());
    let creators: Vec<_> = item.all("dc:creator").map(|creator| creator.text.as_str()).collect();
    assert_eq!(creators, ["Ada Quay", "Bo Mole"]);
    let file = item.get("enclosure");
    assert_eq!(file.at("url"), Some("https://courier.example/a/tide.mp3?a=1&b=2"), "the first that is http(s)");
    assert_eq!(file.at("length"), Some("12345678"));
    let others: Vec<_> = item.all("media:content").filter_map(|file| file.at("url")).collect();
    assert_eq!(others, ["magnet:?xt=urn:btih:c0ffee", "https://courier.example/a/tide.mp4"]);
    assert_eq!(item.get("source").at("url"), Some("https://courier.example/feed.xml"));
    assert_eq!(item.text_of("source"), "The Quay Courier");
    assert_eq!(item.all("category").nth(1).unwrap().at("domain"), Some("Syndic8"));
    assert_eq!(item.text_of("dc:language"), "en-GB");
    assert_eq!(item.links("via").len(), 2);
    let unknown = item_of(hostile().remove(2));
    let file = unknown.get("enclosure");
    assert_eq!((file.at("length"), file.at("type")), (Some("0"), Some("application/octet-stream")));
    assert_eq!(file.at("url"), Some("https://northwire.example/%22%3C%3E"), "without its user and password");
}

/// RSS 2.0, guid.
#[test]
fn a_guid_is_a_permalink_only_where_it_is_the_link() {
    let guid = |id: &str, link: Option<&str>| {
        let mut view = full();
        view.item.published_id = id.to_owned();
        view.item.link = link.map(str::to_owned);
        item_of(view).get("guid").at("isPermaLink").unwrap().to_owned()
    };
    let url = "https://a.example/1";
    assert_eq!(guid(url, Some(url)), "true");
    assert_eq!(guid(url, Some("https://a.example/2")), "false");
    assert_eq!(guid(url, None), "false");
    assert_eq!(guid("magnet:?xt=1", Some("magnet:?xt=1")), "false");
    assert_eq!(guid("tag:a.example,2026:1", Some(url)), "false");
}

/// JSON Feed 1.1; design 6.16.
#[test]
fn a_json_feed_keeps_to_the_standard() {
    let document = json(&channel(), &everything());
    assert!(document.starts_with(r#"{"version":"https://jsonfeed.org/version/1.1","title":"My news","#));
    let value: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(value["feed_url"], "https://news.example.org/mill/all.json");
    assert_eq!(value["home_page_url"], "https://news.example.org/mill/");
    assert_eq!(value["_feedmill"]["stream"], "all");
    for item in value["items"].as_array().unwrap() {
        assert!(item["id"].is_string());
        let has = |key: &str| item[key].as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(has("content_html") || has("content_text"));
        for attachment in item["attachments"].as_array().into_iter().flatten() {
            assert!(attachment["url"].is_string() && attachment["mime_type"].is_string());
        }
        assert!(!item["url"].as_str().unwrap_or_default().starts_with("javascript"));
    }
    let first = &value["items"][0];
    assert_eq!(first["_feedmill"]["sightings"].as_array().unwrap().len(), 4);
    assert_eq!(first["attachments"][1]["size_in_bytes"], 12_345_678);
    assert_eq!(first["_feedmill"]["source"]["title"], "The Quay Courier");
}

#[test]
fn feed_rs_reads_every_document_and_finds_the_same_stories() {
    let views = everything();
    for document in [atom(&channel(), &views), rss(&channel(), &views), json(&channel(), &views)] {
        let feed = feed_rs::parser::parse(document.as_bytes()).unwrap();
        assert_eq!(feed.title.unwrap().content, "My news");
        assert_eq!(feed.entries.len(), views.len());
        for (entry, view) in feed.entries.iter().zip(&views) {
            assert_eq!(entry.id, view.item.published_id);
            assert_eq!(entry.published.unwrap().timestamp(), view.item.effective_at.as_secs());
            assert!(!entry.links.iter().any(|link| link.href.starts_with("javascript")));
        }
        let link = feed.entries[0].links.iter().find(|link| link.rel.as_deref().unwrap_or("alternate") == "alternate");
        assert_eq!(link.unwrap().href, "https://courier.example/stories/1");
    }
}

#[test]
fn a_title_of_a_megabyte_breaks_nothing() {
    let mut view = full();
    view.item.title = Some("]]>&<\u{0}a".repeat(1 << 17));
    let views = [view];
    tree(&atom(&channel(), &views));
    tree(&rss(&channel(), &views));
    serde_json::from_str::<serde_json::Value>(&json(&channel(), &views)).unwrap();
    let (base, streams) = (base(), streams());
    assert!(river(&site(&base, &streams), &channel(), &views, None).len() < 20_000, "a page shows the beginning");
}

#[test]
fn a_stream_of_its_own_has_its_own_addresses() {
    let mut channel = channel();
    channel.name = "rail".to_owned();
    channel.base = "https://news.example.org".parse().unwrap();
    let feed = tree(&atom(&channel, &[]));
    assert_eq!(feed.links("self"), ["https://news.example.org/rail.atom"]);
    assert_eq!(feed.links("alternate"), ["https://news.example.org/rail"]);
}

/// OPML 2.0.
#[test]
fn the_list_of_feeds_has_folders_and_categories() {
    let document = opml("My <news>", &feeds(), now());
    let opml = tree(&document);
    assert_eq!(opml.at("version"), Some("2.0"));
    assert_eq!(opml.get("head").text_of("title"), "My <news>");
    let body = opml.get("body");
    let folders: Vec<_> = body.all("outline").filter(|outline| outline.at("type").is_none()).collect();
    assert_eq!(folders.iter().filter_map(|folder| folder.at("text")).collect::<Vec<_>>(), ["audio", "code", "press"]);
    let courier = folders[2].all("outline").next().unwrap();
    assert_eq!(courier.at("category"), Some("press,local"));
    assert_eq!(courier.at("xmlUrl"), Some("https://courier.example/feed.xml"));
    assert_eq!(document.matches("xmlUrl=").count(), feeds().len());
}

/// The Content-Security-Policy allows neither; and what publishers wrote is text.
#[test]
fn a_page_has_no_script_no_style_and_no_markup_of_others() {
    let (base, streams) = (base(), streams());
    let site = site(&base, &streams);
    let mut bad = feeds();
    bad[4].error.as_mut().unwrap().message = "<script>alert(1)</script>\u{0}".to_owned();
    bad[0].url = "javascript:alert(1)".to_owned();
    for page in [
        river(&site, &channel(), &everything(), Some("/mill/?before=\"><script>")),
        item(&site, &full(), &hostile_trace()),
        item(&site, &hostile()[2], &hostile_trace()),
        status(&site, &report(&bad, &webhooks(), &health(), &sizes()), now()),
        feeds_page(&site, &bad, bad.len(), Some("?after=\"><x>"), now()),
        error(&site, 500, "<script>", "\"><script>"),
    ] {
        for never in [
            "<script>",
            "<script src=\"http",
            "style=",
            "<style",
            "javascript:alert(1)\"",
            "href=\"javascript",
            " onload=\"",
            "\u{0}",
        ] {
            assert!(!page.contains(never), "{never} in {page}");
        }
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
        assert!(page.contains("<link rel=\"stylesheet\" href=\"/mill/static/style.css\">"));
    }
}

#[test]
fn every_link_within_the_site_is_below_the_path_of_public_url() {
    let (base, streams) = (base(), streams());
    let site = site(&base, &streams);
    for page in [
        river(&site, &channel(), &morning(), None),
        item(&site, &full(), &trace()),
        status(&site, &report(&feeds(), &webhooks(), &health(), &sizes()), now()),
        feeds_page(&site, &feeds(), 7, None, now()),
    ] {
        for part in page.split("href=\"").skip(1) {
            let href = part.split('"').next().unwrap();
            assert!(
                href.starts_with("/mill/") || href.starts_with("https://") || ["#streams", "#main"].contains(&href),
                "{href}"
            );
        }
    }
}

/// Design 6.23.
#[test]
fn a_streams_page_names_its_three_formats_and_every_stream() {
    let (base, streams) = (base(), streams());
    let page = river(&site(&base, &streams), &channel(), &morning(), None);
    for (kind, extension) in
        [("application/atom+xml", "atom"), ("application/rss+xml", "rss"), ("application/feed+json", "json")]
    {
        let link = format!(
            "<link rel=\"alternate\" type=\"{kind}\" title=\"My news\" href=\"https://news.example.org/mill/all.{extension}\">"
        );
        assert!(page.contains(&link), "{link}");
        assert!(page.contains(&format!("href=\"https://news.example.org/mill/rail.{extension}\"")));
    }
    assert!(page.contains("also in"));
    assert!(page.contains("<time datetime=\"2026-11-24T08:42:00Z\""));
}

#[test]
fn the_status_page_shows_trouble_first_and_in_words() {
    let (base, streams) = (base(), streams());
    let page = status(&site(&base, &streams), &report(&feeds(), &webhooks(), &health(), &sizes()), now());
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(place("Loopline") < place("The Old Quay") && place("The Old Quay") < place("Hafenblatt"));
    assert!(place("Hafenblatt") < place("Northwire"));
    place("9 failures in a row: ");
    place("is a web page and no feed");
    place("backing off, 8 h after the last failure");
    place("answered 503 Service Unavailable");
    place("184 MB");
}

/// Design 6.22: what a receiver is called is for everybody, where it is is not.
#[test]
fn a_storys_page_tells_its_way_and_not_where_receivers_are() {
    let (base, streams) = (base(), streams());
    let page = item(&site(&base, &streams), &full(), &trace());
    for part in [
        "<h1 lang=\"en-GB\" dir=\"auto\"><a href=\"https://courier.example/stories/1\"",
        "The gates close at noon",
        "First seen in <code><bdi>courier</bdi></code>",
        "<span class=\"rule\">trailing-slash</span>",
        "another address of the story",
        "<a href=\"/mill/item/9\">Item 9</a>",
        "<a href=\"/mill/harbour\">harbour</a>",
        "gave no answer within 20000 ms",
        "24 Nov 2026 12:05:21",
        "undated",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("desk.internal") && !page.contains("href=\"/mill/removed\""), "{page}");
    assert!(river(&site(&base, &streams), &channel(), &[full()], None).contains("href=\"/mill/item/1\""));
}

/// What a browser would have to mend: its parser finds nothing.
#[test]
fn the_markup_of_pages_is_whole() {
    let (base, streams) = (base(), streams());
    let site = site(&base, &streams);
    for page in [
        river(&site, &channel(), &everything(), Some("/mill/?before=abc")),
        item(&site, &full(), &trace()),
        item(&site, &hostile()[2], &hostile_trace()),
        status(&site, &report(&feeds(), &webhooks(), &health(), &sizes()), now()),
        feeds_page(&site, &feeds(), 7, None, now()),
    ] {
        let open = Open::default();
        let tokenizer = Tokenizer::new(open, TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() });
        let input = BufferQueue::default();
        input.push_back(StrTendril::from_slice(&page));
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        assert!(tokenizer.sink.names.borrow().is_empty(), "{:?} not closed", tokenizer.sink.names);
        let mut seen = std::collections::HashSet::new();
        assert!(tokenizer.sink.ids.borrow().iter().all(|id| seen.insert(id.clone())), "an id stands twice");
    }
}

/// The elements that are open, and the ids seen.
#[derive(Default)]
struct Open {
    names: RefCell<Vec<String>>,
    ids: RefCell<Vec<String>>,
}

impl TokenSink for Open {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        match token {
            Token::ParseError(error) => panic!("{error} in line {line}"),
            Token::TagToken(tag) => {
                let name = tag.name.to_string();
                self.ids
                    .borrow_mut()
                    .extend(tag.attrs.iter().filter(|a| &*a.name.local == "id").map(|a| a.value.to_string()));
                if tag.kind == TagKind::EndTag {
                    assert_eq!(self.names.borrow_mut().pop(), Some(name));
                } else if !matches!(&*name, "meta" | "link" | "br" | "img") {
                    if matches!(&*name, "p" | "div" | "ul" | "ol" | "table" | "section") {
                        assert!(!self.names.borrow().iter().any(|open| open == "p"), "<{name}> ends a paragraph");
                    }
                    self.names.borrow_mut().push(name);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn any_view() -> impl Strategy<Value = View> {
    let text = || any::<Option<String>>();
    let texts = proptest::collection::vec(text(), 12);
    (texts, any::<i64>(), any::<Option<u64>>()).prop_map(|(texts, ms, length)| {
        let mut view = full();
        let get = |index: usize| texts[index].clone();
        view.item.published_id = get(0).unwrap_or_default();
        view.item.title = get(1);
        view.item.link = get(2);
        view.item.language = get(3);
        view.item.updated = crate::domain::time::Timestamp::from_ms(ms);
        view.item.authors = vec![Person { name: get(4), email: get(5), uri: get(6) }];
        view.item.categories = vec![Category { term: get(7).unwrap_or_default(), scheme: get(8), label: get(9) }];
        view.item.enclosures = vec![Enclosure {
            url: "https://a.example/".to_owned(),
            mime_type: get(10),
            length_bytes: length,
            ..Enclosure::default()
        }];
        view.item.source.info.title = get(11);
        view.item.source.info.rights = get(4);
        view.clean.content = get(5);
        view.clean.summary = get(6);
        view.content_text = get(7);
        view
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn whatever_a_publisher_wrote_the_documents_are_well_formed(view in any_view()) {
        let views = [view];
        tree(&atom(&channel(), &views));
        tree(&rss(&channel(), &views));
        serde_json::from_str::<serde_json::Value>(&json(&channel(), &views)).unwrap();
        let (base, streams) = (base(), streams());
        let page = river(&Site { title: "", base: &base, streams: &streams }, &channel(), &views, None);
        prop_assert!(page.ends_with("</html>"));
    }
}
