//! What a document is: the kind by its root.

use super::limits::MAX_JUNK_BYTES;
use super::{ParseError, Repair};

/// What a document is, with the offset where it begins.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// RSS, RDF or Atom: the offset of the root tag.
    Xml(usize),
    /// JSON: the offset of its first brace.
    Json(usize),
    /// A web page.
    Page,
    /// Something else, as a sentence.
    Other(String),
}

/// Finds out what `text` is. The prolog is left behind with all that it declares: the text is decoded already, and feed-rs
/// expands no entity.
pub(super) fn kind(text: &str, repairs: &mut Vec<Repair>) -> Kind {
    let mut at = text.len() - text.trim_start_matches(is_space).len();
    let mut page = false;
    loop {
        let here = text.get(at..).unwrap_or_default();
        let skip = match here.as_bytes() {
            [] => return Kind::Other(ended(at)),
            [b'{', ..] => return Kind::Json(at),
            [b'<', b'?', ..] => here.find('>').map(|end| end + 1),
            [b'<', b'!', b'-', b'-', ..] => here.find("-->").map(|end| end + 3),
            [b'<', b'!', ..] => {
                page |= is_html_doctype(here);
                match doctype(here) {
                    None => return by_element(text, at, repairs),
                    length => length,
                }
            }
            // Some feeds begin with the DOCTYPE of a page, and pages with anything: the root decides.
            _ => match by_element(text, at, repairs) {
                Kind::Other(_) if page => return Kind::Page,
                kind => return kind,
            },
        };
        let Some(skip) = skip else { return Kind::Other("The document ends inside of its prolog.".to_owned()) };
        let rest = here.get(skip..).unwrap_or_default();
        at = text.len() - rest.trim_start_matches(is_space).len();
    }
}

/// Roots that are looked for behind junk.
const ROOTS: [&str; 4] = ["rss", "feed", "rdf", "channel"];

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}'
}

fn ended(at: usize) -> String {
    if at == 0 { "The document is empty." } else { "The document has no root element." }.to_owned()
}

fn is_html_doctype(here: &str) -> bool {
    let mut words = here.split(|c: char| c.is_whitespace() || c == '>');
    let doctype = words.next().is_some_and(|word| word.eq_ignore_ascii_case("<!doctype"));
    doctype && words.find(|word| !word.is_empty()).is_some_and(|word| word.eq_ignore_ascii_case("html"))
}

/// Length of a DOCTYPE, with its internal subset; none if it does not end.
fn doctype(here: &str) -> Option<usize> {
    let (mut inner, mut quote) = (0_usize, None);
    for (at, byte) in here.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => inner += 1,
            (None, b']') => inner = inner.saturating_sub(1),
            (None, b'>') if inner == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn by_element(text: &str, at: usize, repairs: &mut Vec<Repair>) -> Kind {
    let here = text.get(at..).unwrap_or_default();
    let name = local_name(here);
    match name.to_ascii_lowercase().as_str() {
        "rss" | "feed" | "rdf" | "entry" | "channel" => return Kind::Xml(at),
        "html" | "head" | "body" => {
            return wrapped(here).map_or(Kind::Page, |found| {
                repairs.push(Repair::new(at, "The feed stands inside of a web page; the page was skipped."));
                Kind::Xml(at + found)
            });
        }
        "opml" => return Kind::Other("This is an OPML list of feeds, not a feed.".to_owned()),
        "urlset" | "sitemapindex" => return Kind::Other("This is a sitemap, not a feed.".to_owned()),
        "svg" => return Kind::Other("This is an SVG picture, not a feed.".to_owned()),
        "envelope" => return Kind::Other("This is a SOAP message, not a feed.".to_owned()),
        _ => {}
    }
    if let Some(found) = find_root(here) {
        repairs.push(Repair::new(at, format!("{found} bytes before the feed's root were skipped.")));
        return Kind::Xml(at + found);
    }
    Kind::Other(match name {
        "" => "The document is neither XML nor JSON.".to_owned(),
        name => format!("The root element is <{}>; that is no feed.", name.chars().take(40).collect::<String>()),
    })
}

/// The local name of the tag at the start of `here`, or nothing if there is none.
fn local_name(here: &str) -> &str {
    let Some(rest) = here.strip_prefix('<') else { return "" };
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<' | '='));
    let name = end.and_then(|end| rest.get(..end)).unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') { name } else { "" }
}

/// Offset of a feed's root inside of a page: one with a version or Atom's namespace, for a page may speak of `<rss>`.
fn wrapped(page: &str) -> Option<usize> {
    let found = find_root(page)?;
    let tag = page.get(found..)?;
    let tag = tag.get(..tag.find('>')?)?;
    (tag.contains("version=") || tag.contains("/Atom") || tag.contains("/rss/1.0/")).then_some(found)
}

/// Offset of a feed's root behind junk, such as a warning of the publisher's program.
fn find_root(text: &str) -> Option<usize> {
    let mut at = 0;
    while at < MAX_JUNK_BYTES {
        let found = at + text.get(at..)?.find('<')?;
        let here = text.get(found..)?;
        if here.starts_with("<!--") {
            at = found + here.find("-->")? + 3;
            continue;
        }
        if ROOTS.iter().any(|root| local_name(here).eq_ignore_ascii_case(root)) {
            return Some(found);
        }
        at = found + 1;
    }
    None
}

/// What a document is that looks like JSON and is no JSON Feed.
pub(super) fn not_json_feed(why: &str) -> ParseError {
    ParseError::new(format!("The document is JSON, but no JSON Feed: {why}"))
}
