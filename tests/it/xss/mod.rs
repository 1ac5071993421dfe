//! Scripts of publishers, in every field of an item, through the real daemon: no document and no page has any of it. The
//! payloads stand in `payloads.txt`, one a line; a browser opens them in `tests/peers/browser.py`.

use std::cell::RefCell;
use std::fmt::Write as _;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Installation};
use crate::support::origin::{Origin, Reply};

/// What each payload does if it runs.
const CODE: &str = "document.title=7411";

fn payloads() -> Vec<String> {
    let read = |line: &str| {
        let mut text = String::new();
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            text.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '0' => '\0',
                    '1' => '\u{1}',
                    other => other,
                },
                c => c,
            });
        }
        text
    };
    include_str!("payloads.txt").lines().map(read).collect()
}

fn document() -> String {
    let item = |(n, payload): (usize, String)| {
        json!({
            "id": format!("xss-{n}-{payload}"), "url": if n % 2 == 0 { format!("https://e.example/{n}") } else { payload.clone() },
            "external_url": payload, "title": payload, "summary": payload, "content_html": payload, "image": payload,
            "authors": [{"name": payload, "url": payload, "avatar": payload}], "tags": [payload], "language": payload,
            "attachments": [{"url": payload, "mime_type": payload, "title": payload}, {"url": format!("https://e.example/a?{payload}"), "mime_type": "audio/mpeg"}],
            "date_published": "2026-03-01T10:00:00Z"
        })
    };
    let items: Vec<Value> = payloads().into_iter().enumerate().map(item).collect();
    let text = payloads()[0].clone();
    json!({"version": "https://jsonfeed.org/version/1.1", "title": text, "description": text, "home_page_url": text, "icon": text, "items": items}).to_string()
}

/// Gathers what a browser would act on.
#[derive(Default)]
struct Acts {
    found: RefCell<Vec<String>>,
    ours: bool,
}

/// What stands in our own pages, and in what publishers wrote never does.
const OURS: [&str; 22] = [
    "html", "head", "meta", "title", "link", "body", "form", "input", "select", "option", "button", "label", "svg",
    "rect", "script", "main", "header", "footer", "nav", "aside", "section", "article",
];
/// What no page and nothing that is published may have.
const NEVER: [&str; 21] = [
    "iframe",
    "object",
    "embed",
    "base",
    "math",
    "style",
    "frame",
    "frameset",
    "applet",
    "template",
    "noscript",
    "textarea",
    "xmp",
    "plaintext",
    "image",
    "layer",
    "bgsound",
    "portal",
    "isindex",
    "keygen",
    "noembed",
];

impl Acts {
    fn tag(&self, tag: &Tag) {
        let name = &*tag.name;
        let mut found = self.found.borrow_mut();
        if NEVER.contains(&name) || (!self.ours && OURS[..15].contains(&name)) {
            found.push(format!("<{name}>"));
        }
        for attribute in &tag.attrs {
            let (key, value) = (&*attribute.name.local, attribute.value.trim());
            let acts = key.starts_with("on")
                || ["style", "srcdoc", "srcset", "background", "formaction", "ping", "http-equiv", "xlink:href"]
                    .contains(&key)
                || (!self.ours && ["id", "name", "class", "target", "data", "action"].contains(&key));
            let address = ["href", "src", "action", "cite", "poster", "data"].contains(&key);
            let scheme =
                value.split(['/', '?', '#']).next().unwrap_or_default().split_once(':').map(|(scheme, _)| scheme);
            let leads = address && scheme.is_some_and(|scheme| !["http", "https", "mailto"].contains(&scheme));
            // A relative address of a publisher would be one of ours.
            let relative = address && !self.ours && scheme.is_none();
            // Of scripts, our own file alone.
            let script = name == "script" && (key != "src" || !value.starts_with("/static/")) && key != "defer";
            if acts || leads || relative || script {
                found.push(format!("<{name} {key}={value}>"));
            }
        }
        if name == "script" && !tag.attrs.iter().any(|attribute| &*attribute.name.local == "src") {
            found.push("<script> without an address".to_owned());
        }
    }
}

impl TokenSink for Acts {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind != TagKind::StartTag {
            return TokenSinkResult::Continue;
        }
        self.tag(&tag);
        match &*tag.name {
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "script" | "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

fn acts(html: &str, ours: bool) -> Vec<String> {
    let tokenizer = Tokenizer::new(Acts { ours, ..Acts::default() }, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.found.into_inner()
}

/// The HTML within a document of XML, and the addresses that it has beside it.
fn within_xml(text: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = Reader::from_str(text);
    let (mut html, mut links, mut open) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return (html, links),
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    if ["href", "url", "src", "uri"].contains(&attribute.key.as_ref()) {
                        links.push(attribute.value.into_owned());
                    }
                }
                let name = tag.name();
                open =
                    ["content", "summary", "content:encoded", "description"].contains(&name.as_ref()).then(String::new);
            }
            Event::Text(piece) => open.iter_mut().for_each(|open| open.push_str(&piece.xml10_content())),
            Event::GeneralRef(name) => {
                let c = name.resolve_char_ref().unwrap().unwrap_or_else(|| match &*name.xml10_content() {
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    "amp" => '&',
                    other => panic!("{other}"),
                });
                open.iter_mut().for_each(|open| open.push(c));
            }
            Event::CData(piece) => open.iter_mut().for_each(|open| open.push_str(&piece.xml10_content())),
            Event::End(_) => html.extend(open.take()),
            _ => {}
        }
    }
}

fn harmless_page(daemon: &Daemon, path: &str) {
    let answer = daemon.get_with(path, &[("Accept", "text/html")]);
    assert!(answer.status < 500, "{path}: {}", answer.status);
    let policy = answer.header("content-security-policy").unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(acts(&answer.text(), true), Vec::<String>::new(), "{path}");
}

#[test]
fn no_payload_of_375_survives_in_any_field_document_or_page() {
    let payloads = payloads();
    assert!(payloads.len() >= 300, "{}", payloads.len());
    let seen = payloads.iter().filter(|payload| !acts(payload, false).is_empty()).count();
    assert!(seen > 280, "what is looked for is in the payloads: {seen}");
    let origin = Origin::start();
    origin.answer("/feed", |_| Reply::ok(document()).header("Content-Type", "application/feed+json"));
    let house = Installation::new(&format!(
        "schedule = \"@every 1h\"\nspread = false\n[[feed]]\nname = \"evil\"\nurl = \"{}\"\n[[stream]]\nname = \"all\"\n\
         limit = 1000\n",
        origin.url("/feed")
    ));
    let daemon = house.start();
    let items = |d: &Daemon| d.json("/all.json")["items"].as_array().unwrap().clone();
    daemon.until("the feed was polled", |d| !items(d).is_empty());
    let items = items(&daemon);
    assert!(items.len() > 350, "payloads with one key are one story: {}", items.len());
    for item in &items {
        for key in ["content_html", "summary"] {
            if let Some(html) = item[key].as_str().filter(|_| key == "content_html") {
                assert_eq!(acts(html, false), Vec::<String>::new(), "{html}");
            }
        }
        let addresses = [&item["url"], &item["external_url"], &item["image"]].into_iter();
        let files = item["attachments"].as_array().into_iter().flatten().map(|file| &file["url"]);
        let people = item["authors"].as_array().into_iter().flatten().flat_map(|one| [&one["url"], &one["avatar"]]);
        for url in addresses.chain(files).chain(people).filter_map(Value::as_str) {
            assert!(["http://", "https://", "mailto:"].iter().any(|scheme| url.starts_with(scheme)), "{url}");
        }
    }
    for path in ["/all.atom", "/all.rss"] {
        let (html, links) = within_xml(&daemon.get(path).text());
        assert!(html.len() > 200, "{path}: {}", html.len());
        for html in html {
            assert_eq!(acts(&html, false), Vec::<String>::new(), "{path}: {html}");
        }
        for url in links {
            assert!(["http://", "https://", "mailto:"].iter().any(|scheme| url.starts_with(scheme)), "{path}: {url}");
        }
    }
    for path in ["/", "/status", "/feeds", "/all/subscribe"] {
        harmless_page(&daemon, path);
    }
    for item in &items {
        harmless_page(&daemon, &format!("/item/{}", item["_feedmill"]["item"]));
    }
    for payload in payloads.iter().step_by(3) {
        let mut coded = String::new();
        payload.bytes().for_each(|b| write!(coded, "%{b:02X}").unwrap());
        harmless_page(&daemon, &format!("/search?q={coded}"));
        harmless_page(&daemon, &format!("/{coded}"));
    }
    assert!(payloads.iter().filter(|payload| payload.contains(CODE)).count() > 250);
    assert_eq!(daemon.stop(), Some(0));
}
