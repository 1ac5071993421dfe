//! The rules of the standards, restated in our own words, each with its clause: what a document must be that Feedmill publishes.
//!
//! Read by the black-box tests, which hold what the daemon serves to them, and by the unit tests of `publish::render`, which hold
//! the samples to them. Each file has a test that breaks a good document in one place for each rule.

use std::fmt::Debug;

use roxmltree::{Document, Node, ParsingOptions};
use url::Url;

mod atom;
mod json;
mod rss;

pub(crate) use self::atom::atom;
pub(crate) use self::json::json_feed;
pub(crate) use self::rss::rss;

/// What is wrong with a document, a line each.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<String>);

impl Problems {
    fn must(&mut self, good: bool, rule: &str, found: impl Debug) {
        if !good {
            self.0.push(format!("{rule}: {found:.300?}"));
        }
    }
}

/// A document that is well-formed and has its namespaces (XML 1.0, Namespaces in XML 1.0), without a document type.
fn read_xml(text: &str) -> Result<Document<'_>, Problems> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: u32::MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| {
        let near: String = text
            .lines()
            .nth(e.pos().row as usize - 1)
            .unwrap_or_default()
            .chars()
            .skip((e.pos().col as usize).saturating_sub(60))
            .take(120)
            .collect();
        Problems(vec![format!("XML: {e}, near {near:?}")])
    })
}

fn all<'a, 'b>(node: Node<'a, 'b>, space: &'static str, name: &'static str) -> impl Iterator<Item = Node<'a, 'b>> {
    node.children().filter(move |child| child.has_tag_name((space, name)))
}

fn text<'a>(node: Node<'a, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect()
}

/// RFC 3987, as far as all agree: absolute, no white space, no character that has to be escaped.
fn is_iri(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    scheme && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}

/// RFC 3986: an IRI in ASCII that has a host where its scheme wants one.
fn is_uri(text: &str) -> bool {
    let web = text.starts_with("http:") || text.starts_with("https:");
    is_iri(text) && text.is_ascii() && (!web || Url::parse(text).is_ok_and(|url| url.has_host()))
}

/// RFC 6838 4.2.
fn is_media_type(text: &str) -> bool {
    let name =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.split_once('/').is_some_and(|(kind, sub)| name(kind) && name(sub))
}

/// RFC 5646 2.1, its form.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    (1..=8).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// HTML that readers may show: what the validator calls a security risk, and addresses that lead nowhere outside of a page.
fn harmful(html: &str) -> Option<String> {
    const NEVER: [&str; 16] = [
        "<script",
        "<iframe",
        "<object",
        "<embed",
        "<form",
        "<meta",
        "<base",
        "<link",
        "<style",
        "<applet",
        "<frame",
        "<svg",
        "<math",
        "<template",
        "<input",
        "<noscript",
    ];
    let lower = html.to_ascii_lowercase();
    for tag in tags(&lower) {
        if let Some(never) = NEVER.iter().find(|never| tag.starts_with(*never)) {
            return Some((*never).to_owned());
        }
        for name in ["href=\"", "src=\"", "cite=\"", "poster=\""] {
            for value in tag.split(&format!(" {name}")).skip(1).filter_map(|rest| rest.split('"').next()) {
                let good = ["http:", "https:", "mailto:"].iter().any(|scheme| value.starts_with(scheme));
                if !good {
                    return Some(format!("{name}{value}"));
                }
            }
        }
    }
    None
}

/// The tags of HTML, quoted values included.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let begin = rest.find('<')?;
        let mut quoted = false;
        let end = rest[begin..].find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = end.map_or(rest.len(), |end| begin + end + 1);
        let tag = &rest[begin..end];
        rest = &rest[end..];
        Some(tag)
    })
}

/// Changes a document in one place, and has its rules find that. Each change names the rule, and so the clause.
fn finds(check: impl Fn(&str) -> (Problems, Vec<String>), document: &str, changes: &[(&str, &str, &str)]) {
    assert_eq!(check(document).0.0, Vec::<String>::new(), "{document}");
    for (from, to, rule) in changes {
        assert!(document.contains(from), "{from}");
        let found = check(&document.replacen(from, to, 1)).0.0;
        assert!(found.iter().any(|problem| problem.contains(rule)), "{from} -> {to}: {rule}: {found:?}");
    }
}
