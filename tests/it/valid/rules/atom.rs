//! RFC 4287, RFC 5005, and what the validator asks of Atom besides.
//!
//! Every MUST that binds who writes a document, and what holds it here. *Row*: a rule below, which a row of the test at the end
//! breaks under the same number. *Closed*: the rules are stricter, so that the case cannot arise.
//!
//! | RFC 4287 | who writes must | held by |
//! |---|---|---|
//! | 1.2, 2 | write `feed` (or `entry`) of the Atom namespace, well-formed; language tags; no white space in dates and IRIs | rows `XML`, `2` |
//! | 3.1.1 | give texts one of three types | row `3.1.1`; closed: never `xhtml` (3.1.1.3) |
//! | 3.1.1.1, 3.1.1.2 | put no elements into `text` and `html`, but escape them | row `3.1.1.1` |
//! | 3.2.1–3.2.3 | give people one name, at most one uri, an IRI reference, and one email, an address | rows `3.2…` |
//! | 3.3 | write dates of RFC 3339 with `T` and `Z` in capitals | row `3.3` |
//! | 4.1.1 | name an author in the feed or in each entry; write id, title, updated once, others at most once; no two alternates alike | rows `4.1.1…`, `4.1` |
//! | 4.1.2 | the same of entries, and a link where there is no content; a summary where content is elsewhere or in base 64 | rows `4.1.2…`, `4.1`; closed: content stands in the entry |
//! | 4.1.3.1–4.1.3.3 | give content a type of text or a media type that is not composite, and what fits it | row `4.1.3.1`; closed: `text` and `html` |
//! | 4.1.3.2 | leave content with a `src` empty, the `src` an IRI reference | row `4.1.3.2`; closed: no `src` |
//! | 4.2.2.1, 4.2.2.2 | give categories a term; schemes are IRIs | rows `4.2.2…` |
//! | 4.2.4 | make the generator's uri an IRI reference | row `4.2.4` |
//! | 4.2.5, 4.2.8 | make icon and logo IRI references | rows `4.2.5`, `4.2.8` |
//! | 4.2.6 | make ids absolute IRIs, unique for good, and never change them, wherever a feed moves to | row `4.2.6`; `ids_are_published_byte_for_byte_in_all_formats`, the tests in `sequences` and `moves` |
//! | 4.2.7.1–4.2.7.4 | give links an IRI reference; relations, media types, language tags that are such | rows `4.2.7…` |
//! | 5.1, 5.2 | sign and encrypt by the W3C's rules | closed: no element of others' but those of `media`, never signed |
//! | 6.2, 6.4 | keep the Atom namespace for what the RFC names; extensions have their own | rows `6`, `4.1` |
//! | 7 | serve it as `application/atom+xml` | `super::super::problems` |
//!
//! | RFC 5005 | who writes must | held by |
//! |---|---|---|
//! | 2 | have all entries in a document that says it is complete | row `5005 2`; closed: none says so |
//! | 3 | link a page to another one, in the feed's head | closed: no relation of pages is written |
//! | 4 | link every document to the archive before it, if there is one | row `5005 4`; `a_client_that_walks_the_archives_…`, `archives_say_where_they_stand` |

use std::collections::HashSet;

use chrono::DateTime;
use roxmltree::Node;

use super::{Problems, all, harmful, is_iri, is_language, is_media_type, is_uri, read_xml, text};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const HISTORY: &str = "http://purl.org/syndication/history/1.0";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Elements that a feed, an entry and a source may have (4.1.1, 4.1.2, 4.2.11); `true`: at most one of them.
const FEED: &[(&str, bool)] = &[
    ("author", false),
    ("category", false),
    ("contributor", false),
    ("generator", true),
    ("icon", true),
    ("id", true),
    ("link", false),
    ("logo", true),
    ("rights", true),
    ("subtitle", true),
    ("title", true),
    ("updated", true),
    ("entry", false),
];
const ENTRY: &[(&str, bool)] = &[
    ("author", false),
    ("category", false),
    ("content", true),
    ("contributor", false),
    ("id", true),
    ("link", false),
    ("published", true),
    ("rights", true),
    ("source", true),
    ("summary", true),
    ("title", true),
    ("updated", true),
];

/// What is wrong with an Atom document, and the ids of its entries.
pub(crate) fn atom(document: &str) -> (Problems, Vec<String>) {
    let parsed = match read_xml(document) {
        Ok(parsed) => parsed,
        Err(problems) => return (problems, Vec::new()),
    };
    let (mut problems, feed) = (Problems::default(), parsed.root_element());
    problems.must(feed.has_tag_name((ATOM, "feed")), "RFC 4287 2: the document element is atom:feed", feed.tag_name());
    container(&mut problems, feed, FEED);
    required(&mut problems, feed, &["id", "title", "updated"]);
    head(&mut problems, feed);
    let mut ids = Vec::new();
    for entry in all(feed, ATOM, "entry") {
        self::entry(&mut problems, entry);
        ids.extend(all(entry, ATOM, "id").next().map(text));
    }
    let distinct: HashSet<&String> = ids.iter().collect();
    problems.must(
        distinct.len() == ids.len(),
        "RFC 4287 4.1.1: no two entries of one id with one date",
        ids.len() - distinct.len(),
    );
    let authored =
        !direct(feed, "author").is_empty() || all(feed, ATOM, "entry").all(|entry| !direct(entry, "author").is_empty());
    problems.must(authored, "RFC 4287 4.1.1: the feed has an author unless all entries have", "none");
    (problems, ids)
}

fn direct<'a, 'b>(node: Node<'a, 'b>, name: &'static str) -> Vec<Node<'a, 'b>> {
    all(node, ATOM, name).collect()
}

fn required(problems: &mut Problems, node: Node<'_, '_>, names: &[&'static str]) {
    for name in names {
        let clause = if node.tag_name().name() == "entry" { "4.1.2" } else { "4.1.1" };
        let rule = format!("RFC 4287 {clause}: exactly one {name}");
        problems.must(direct(node, name).len() == 1, &rule, direct(node, name).len());
    }
}

/// The feed itself.
fn head(problems: &mut Problems, feed: Node<'_, '_>) {
    let rel =
        |wanted: &str| direct(feed, "link").into_iter().filter(|link| link.attribute("rel") == Some(wanted)).count();
    problems.must(
        rel("self") == 1,
        "RFC 4287 4.1.1: a feed should have a link self (validator: MissingSelf)",
        rel("self"),
    );
    problems.must(rel("alternate") >= 1, "design 6.9: a feed leads to its page", rel("alternate"));
    let complete = all(feed, HISTORY, "complete").count();
    problems.must(complete == 0, "RFC 5005 2: no document says that it is all there is", complete);
    let archive = all(feed, HISTORY, "archive").count();
    problems.must(archive <= 1, "RFC 5005 4: one fh:archive", archive);
    problems.must(
        archive == 0 || rel("current") == 1,
        "RFC 5005 4: an archive leads to the current document",
        rel("current"),
    );
    problems.must(rel("prev-archive") <= 1, "RFC 5005 4: at most one prev-archive", rel("prev-archive"));
}

/// What holds of a feed, an entry and a source alike.
fn container(problems: &mut Problems, node: Node<'_, '_>, known: &[(&str, bool)]) {
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name();
        if name.namespace() != Some(ATOM) {
            problems.must(
                name.namespace().is_some_and(|space| !space.is_empty()),
                "RFC 4287 6: foreign markup has a namespace",
                name,
            );
            continue;
        }
        problems.must(
            known.iter().any(|(known, _)| *known == name.name()),
            "RFC 4287 4.1: no other element",
            name.name(),
        );
        match name.name() {
            "id" => {
                problems.must(is_iri(&text(child)), "RFC 4287 4.2.6: an id is an absolute IRI", text(child));
                tight(problems, child);
            }
            "updated" | "published" => date(problems, child),
            "title" | "subtitle" | "rights" | "summary" => construct(problems, child, "3.1.1"),
            "content" => {
                // 4.1.2: one that is elsewhere, or in base 64, would need a summary.
                problems.must(
                    child.attribute("src").is_none(),
                    "RFC 4287 4.1.3.2: content is in the entry",
                    child.attribute("src"),
                );
                construct(problems, child, "4.1.3.1");
            }
            "generator" => {
                let uri = child.attribute("uri");
                problems.must(uri.is_none_or(is_uri), "RFC 4287 4.2.4: the generator's uri is an IRI reference", uri);
            }
            "author" | "contributor" => person(problems, child),
            "link" => link(problems, child),
            "icon" => problems.must(is_uri(&text(child)), "RFC 4287 4.2.5: an IRI reference", text(child)),
            "logo" => problems.must(is_uri(&text(child)), "RFC 4287 4.2.8: an IRI reference", text(child)),
            "category" => category(problems, child),
            _ => {}
        }
    }
    for (name, once) in known.iter().filter(|(_, once)| *once) {
        let count = node.children().filter(|child| child.has_tag_name((ATOM, *name))).count();
        problems.must(!once || count <= 1, &format!("RFC 4287 4.1: at most one {name}"), count);
    }
    let language = node.attribute((XML, "lang"));
    problems.must(language.is_none_or(is_language), "RFC 4287 2: xml:lang is a language tag", language);
    alternates(problems, node);
}

/// 2: values have no white space around them.
fn tight(problems: &mut Problems, node: Node<'_, '_>) {
    let text = text(node);
    problems.must(!text.contains(char::is_whitespace), "RFC 4287 2: no white space in a date or an IRI", text);
}

/// 4.1.1 and 4.1.2: no two alternates of one type and language.
fn alternates(problems: &mut Problems, node: Node<'_, '_>) {
    let links = direct(node, "link");
    let alternate = links.iter().filter(|link| matches!(link.attribute("rel"), None | Some("alternate")));
    let kinds: Vec<_> = alternate.map(|link| (link.attribute("type"), link.attribute("hreflang"))).collect();
    let distinct: HashSet<_> = kinds.iter().collect();
    problems.must(distinct.len() == kinds.len(), "RFC 4287 4.1: no two alternates of one type", kinds);
}

fn entry(problems: &mut Problems, entry: Node<'_, '_>) {
    container(problems, entry, ENTRY);
    required(problems, entry, &["id", "title", "updated"]);
    let title = direct(entry, "title").first().map(|title| text(*title)).unwrap_or_default();
    problems.must(!title.trim().is_empty(), "validator: a title should not be blank", title);
    let has_alternate = direct(entry, "link").iter().any(|link| link.attribute("rel") == Some("alternate"));
    let content = direct(entry, "content");
    problems.must(
        has_alternate || !content.is_empty(),
        "RFC 4287 4.1.2: an entry without content has an alternate link",
        "neither",
    );
    let sources = direct(entry, "source");
    problems.must(sources.len() == 1, "design 6.10: every entry has a source", sources.len());
    for source in sources {
        container(problems, source, &FEED[..FEED.len() - 1]);
        problems.must(
            direct(source, "title").len() == 1 && direct(source, "updated").len() == 1,
            "RFC 4287 4.2.11: what is required of a feed should be in its source",
            "",
        );
        let last = entry.children().rfind(Node::is_element);
        problems.must(last == Some(source), "design 6.10: the source stands last", last.map(|node| node.tag_name()));
    }
}

/// RFC 4287 3.3: RFC 3339, with `T` and `Z` in capitals; validator: not before 1970.
fn date(problems: &mut Problems, node: Node<'_, '_>) {
    tight(problems, node);
    let text = text(node);
    let good = DateTime::parse_from_rfc3339(&text).is_ok_and(|at| at.timestamp() >= 0)
        && text.contains('T')
        && text.ends_with('Z');
    problems.must(good, "RFC 4287 3.3: a date", text);
}

/// RFC 4287 3.1 and 4.1.3: text of a type; HTML does no harm.
fn construct(problems: &mut Problems, node: Node<'_, '_>, clause: &str) {
    let kind = node.attribute("type").unwrap_or("text");
    problems.must(matches!(kind, "text" | "html"), &format!("RFC 4287 {clause}: the type of a text"), kind);
    problems.must(
        !node.children().any(|child| child.is_element()),
        "RFC 4287 3.1.1.1: no child elements in text and html",
        kind,
    );
    if kind == "html" {
        let found = harmful(&text(node));
        problems.must(found.is_none(), "RFC 4287 8.1: harmless HTML with absolute addresses", found);
    }
}

fn person(problems: &mut Problems, node: Node<'_, '_>) {
    let names = direct(node, "name");
    problems.must(
        names.len() == 1 && !text(names[0]).trim().is_empty(),
        "RFC 4287 3.2.1: a person has one name",
        names.len(),
    );
    let (uris, emails) = (direct(node, "uri"), direct(node, "email"));
    problems.must(
        uris.len() <= 1 && emails.len() <= 1,
        "RFC 4287 3.2: at most one uri and one email",
        (uris.len(), emails.len()),
    );
    for uri in uris {
        problems.must(is_uri(&text(uri)), "RFC 4287 3.2.2: an IRI reference", text(uri));
    }
    for email in emails {
        let text = text(email);
        let good = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
            && !text.contains(char::is_whitespace);
        problems.must(
            good && text.matches('@').count() == 1 && !text.contains(['<', '>', '(', ')', ',', ';', ':']),
            "RFC 4287 3.2.3: an address",
            text,
        );
    }
}

fn link(problems: &mut Problems, link: Node<'_, '_>) {
    let href = link.attribute("href");
    problems.must(href.is_some_and(is_uri), "RFC 4287 4.2.7.1: a link has an IRI reference", href);
    let rel = link.attribute("rel");
    problems.must(
        rel.is_none_or(|rel| !rel.is_empty() && !rel.contains(char::is_whitespace)),
        "RFC 4287 4.2.7.2: a relation",
        rel,
    );
    let followed = rel != Some("enclosure") && href.is_some();
    let harmless =
        href.is_some_and(|href| ["http:", "https:", "mailto:"].iter().any(|scheme| href.starts_with(scheme)));
    problems.must(!followed || harmless, "links are http(s) and mailto only", href);
    let kind = link.attribute("type");
    problems.must(kind.is_none_or(is_media_type), "RFC 4287 4.2.7.3: a media type", kind);
    let language = link.attribute("hreflang");
    problems.must(language.is_none_or(is_language), "RFC 4287 4.2.7.4: a language tag", language);
    let length = link.attribute("length");
    problems.must(
        length.is_none_or(|length| length.parse::<u64>().is_ok()),
        "RFC 4287 4.2.7.6: a length in octets",
        length,
    );
}

fn category(problems: &mut Problems, node: Node<'_, '_>) {
    let term = node.attribute("term");
    problems.must(term.is_some_and(|term| !term.trim().is_empty()), "RFC 4287 4.2.2.1: a category has a term", term);
    let scheme = node.attribute("scheme");
    problems.must(scheme.is_none_or(is_iri), "RFC 4287 4.2.2.2: a scheme is an IRI", scheme);
}

const DOCUMENT: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:fh=\"http://purl.org/syndication/history/1.0\"><id>tag:a,2026:1</id>\
    <title>T</title><updated>2026-01-02T03:04:05Z</updated><generator>G</generator>\
    <author><name>N</name></author><link rel=\"self\" href=\"https://a.example/f\"/><link rel=\"alternate\" type=\"text/html\" href=\"https://a.example/\"/>\
    <link rel=\"current\" href=\"https://a.example/f\"/><link rel=\"prev-archive\" href=\"https://a.example/f/1\"/><fh:archive/>\
    <entry><id>urn:1</id><title>One</title><updated>2026-01-02T03:04:06Z</updated><link rel=\"alternate\" href=\"https://a.example/1\"/>\
    <link rel=\"enclosure\" href=\"https://a.example/1.mp3\" type=\"audio/mpeg\" length=\"5\"/><category term=\"t\" scheme=\"urn:s\"/>\
    <author><name>A</name><uri>https://a.example/a</uri><email>a@a.example</email></author><content type=\"html\">&lt;p&gt;x&lt;/p&gt;</content>\
    <source xml:lang=\"en\"><id>urn:s</id><title>S</title><updated>2026-01-02T03:04:07Z</updated><icon>https://a.example/i</icon>\
    <logo>https://a.example/l</logo></source></entry></feed>";

#[test]
fn each_rule_of_atom_finds_what_breaks_it() {
    super::finds(
        atom,
        DOCUMENT,
        &[
            ("<title>T</title>", "<title>T</titel>", "XML"),
            ("<title>T</title>", "<title>T&#1;</title>", "XML"),
            ("<title>T</title>", "<title>T</title><x:y/>", "XML"),
            ("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#", "4287 2: the document element"),
            ("<id>tag:a,2026:1</id>", "<id> tag:a,2026:1</id>", "4287 2: no white space"),
            (
                "<updated>2026-01-02T03:04:05Z</updated>",
                "<updated>2026-01-02T03:04:05Z\n</updated>",
                "2: no white space",
            ),
            ("xml:lang=\"en\"", "xml:lang=\"en_GB!\"", "2: xml:lang"),
            ("<title>T</title>", "<title type=\"text/html\">T</title>", "3.1.1:"),
            ("<title>T</title>", "<title>T<b/></title>", "3.1.1.1"),
            ("&lt;p&gt;x&lt;/p&gt;", "<p xmlns=\"\"/>", "3.1.1.1"),
            ("<name>A</name>", "<name> </name>", "3.2.1"),
            ("<name>A</name>", "<name>A</name><name>B</name>", "3.2.1"),
            ("<uri>https://a.example/a</uri>", "<uri>a b</uri>", "3.2.2"),
            ("</uri>", "</uri><uri>https://a.example/b</uri>", "3.2: at most one"),
            ("<email>a@a.example</email>", "<email>Ann (a at a)</email>", "3.2.3"),
            ("</email>", "</email><email>b@a.example</email>", "3.2: at most one"),
            ("<updated>2026-01-02T03:04:05Z</updated>", "<updated>yesterday</updated>", "3.3"),
            ("2026-01-02T03:04:05Z", "2026-01-02t03:04:05Z", "3.3"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05z", "3.3"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "3.3"),
            ("<title>T</title>", "<title>T</title><item/>", "4.1: no other element"),
            (
                "<link rel=\"self\"",
                "<link type=\"text/html\" href=\"https://a.example/2\"/><link rel=\"self\"",
                "4.1: no two alternates",
            ),
            (
                "<link rel=\"alternate\" href=\"https://a.example/1\"/>",
                "<link rel=\"alternate\" href=\"https://a.example/1\"/><link rel=\"alternate\" href=\"https://a.example/2\"/>",
                "4.1: no two alternates",
            ),
            ("content type=\"html\"", "content type=\"multipart/mixed\"", "4.1.3.1"),
            ("content type=\"html\"", "content src=\"https://a.example/1\" type=\"html\"", "4.1.3.2"),
            ("term=\"t\"", "", "4.2.2.1"),
            ("scheme=\"urn:s\"", "scheme=\"s s\"", "4.2.2.2"),
            ("<generator>", "<generator uri=\"a b\">", "4.2.4"),
            ("<icon>https://a.example/i", "<icon>i i", "4.2.5"),
            ("<logo>https://a.example/l", "<logo>l l", "4.2.8"),
            ("<id>tag:a,2026:1</id>", "<id>1</id>", "4.2.6"),
            ("href=\"https://a.example/1\"", "href=\"/1\"", "4.2.7.1"),
            ("href=\"https://a.example/1.mp3\"", "", "4.2.7.1"),
            ("rel=\"enclosure\"", "rel=\"\"", "4.2.7.2"),
            ("type=\"audio/mpeg\"", "type=\"mp3\"", "4.2.7.3"),
            ("type=\"audio/mpeg\"", "hreflang=\"en GB\"", "4.2.7.4"),
            ("length=\"5\"", "length=\"-5\"", "4.2.7.6"),
            ("<title>T</title>", "<title>T</title><y xmlns=\"\"/>", "6: foreign markup"),
            ("<fh:archive/>", "<fh:complete/>", "5005 2"),
            ("<fh:archive/>", "<fh:archive/><fh:archive/>", "5005 4: one fh:archive"),
            ("<link rel=\"current\" href=\"https://a.example/f\"/>", "", "5005 4: an archive leads"),
            ("<fh:archive/>", "<link rel=\"prev-archive\" href=\"https://a.example/f/0\"/>", "5005 4: at most one"),
            ("<title>T</title>", "<title type=\"html\">&lt;script&gt;</title>", "8.1"),
            ("&lt;p&gt;x", "&lt;a href=\"/rel\"&gt;x", "8.1"),
            ("<link rel=\"self\" href=\"https://a.example/f\"/>", "", "MissingSelf"),
            ("<title>One</title>", "<title> </title>", "blank"),
        ],
    );
}

/// 4.1.1, 4.1.2 and 4.2.11.
#[test]
fn what_has_to_be_there_once_is_missed_and_what_may_be_there_once_is_not_twice() {
    for name in ["id", "title", "updated"] {
        for (clause, begin) in [("4.1.1", "<feed "), ("4.1.2", "<entry>")] {
            let (before, rest) = DOCUMENT.split_at(DOCUMENT.find(begin).unwrap());
            let element = element(rest, name);
            let found = |document: String| atom(&document).0.0.join("\n");
            let rule = format!("RFC 4287 {clause}: exactly one {name}");
            let without = found(format!("{before}{}", rest.replacen(element, "", 1)));
            let twice = found(format!("{before}{}", rest.replacen(element, &element.repeat(2), 1)));
            assert!(without.contains(&rule) && twice.contains(&rule), "{rule}: {without}\n{twice}");
        }
    }
    for (parent, known) in [("</generator>", FEED), ("</email></author>", ENTRY)] {
        for (name, _) in known.iter().filter(|(_, once)| *once) {
            let twice = format!("{parent}{}", format!("<{name}/>").repeat(2));
            let found = atom(&DOCUMENT.replacen(parent, &twice, 1)).0.0.join("\n");
            assert!(found.contains(&format!("RFC 4287 4.1: at most one {name}")), "{name}: {found}");
        }
    }
}

/// 4.1.1 and 4.1.2: what one of the two, feed and entry, or link and content, has to have.
#[test]
fn somebody_is_the_author_and_an_entry_leads_to_a_text() {
    let anonymous = DOCUMENT.replacen("<author><name>N</name></author>", "", 1);
    let author = element(&anonymous, "author");
    super::finds(atom, &anonymous, &[(author, "", "4.1.1: the feed has an author unless")]);
    let link = "<link rel=\"alternate\" href=\"https://a.example/1\"/>";
    let without_link = DOCUMENT.replacen(link, "", 1);
    super::finds(atom, &without_link, &[(element(&without_link, "content"), "", "4.1.2: an entry without content")]);
    let second = format!("{}</feed>", &DOCUMENT[DOCUMENT.find("<entry>").unwrap()..DOCUMENT.find("</feed>").unwrap()]);
    super::finds(atom, DOCUMENT, &[("</feed>", &second, "4.1.1: no two entries of one id")]);
}

/// The first element of a name, tags included.
fn element<'a>(document: &'a str, name: &str) -> &'a str {
    let begin = document.find(&format!("<{name}")).unwrap();
    let end = format!("</{name}>");
    &document[begin..begin + document[begin..].find(&end).unwrap() + end.len()]
}
