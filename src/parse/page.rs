//! The answer for a web page: that it is none, and the feeds that it names.

use url::Url;

use super::ParseError;
use super::plain;

/// How far a page is looked through, in bytes.
const MAX_PAGE_BYTES: usize = 262_144;
/// How many feeds are named.
const MAX_FEEDS: usize = 5;

/// The error for a web page, with its autodiscovery links (`link rel=alternate` with the type of a feed).
pub(super) fn error(text: &str, base: Option<&Url>) -> ParseError {
    let feeds = feeds(text, base);
    ParseError::new(if feeds.is_empty() {
        "This is a web page, not a feed, and it names no feed.".to_owned()
    } else {
        format!("This is a web page, not a feed. It names: {}.", feeds.join(", "))
    })
}

fn feeds(text: &str, base: Option<&Url>) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = plain::cut(text, MAX_PAGE_BYTES);
    while let Some(at) = rest.find('<') {
        let here = rest.get(at..).unwrap_or_default();
        let name = here.get(1..6).unwrap_or_default();
        if !name.trim_end().eq_ignore_ascii_case("link") || name.len() == name.trim_end().len() {
            rest = here.get(1..).unwrap_or_default();
            continue;
        }
        let (tag, after) = here.split_at_checked(start_tag(here)).unwrap_or((here, ""));
        found.extend(feed(tag, base).filter(|url| !found.contains(url)));
        if found.len() == MAX_FEEDS {
            break;
        }
        rest = after;
    }
    found
}

/// The address in a link tag that announces a feed.
fn feed(tag: &str, base: Option<&Url>) -> Option<String> {
    let rel = attribute(tag, "rel")?.to_ascii_lowercase();
    let kind = attribute(tag, "type")?.to_ascii_lowercase();
    let is_feed = matches!(
        kind.split(';').next().unwrap_or_default().trim(),
        "application/rss+xml" | "application/atom+xml" | "application/rdf+xml" | "application/feed+json"
    );
    if !is_feed || !rel.split_ascii_whitespace().any(|word| word == "alternate") {
        return None;
    }
    let href = plain::line(attribute(tag, "href")?);
    plain::url(&href, base)
}

/// The value of an attribute in a tag, as written.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let key = before.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<')).next_back()?;
        let after = after.trim_start();
        let quote = after.chars().next()?;
        let (value, next) = if matches!(quote, '"' | '\'') {
            after.get(1..)?.split_once(quote)?
        } else {
            let end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
            after.split_at(end)
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

/// Length of a start tag. A `>` inside of quotes does not end it.
fn start_tag(tag: &str) -> usize {
    let bytes = tag.as_bytes();
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    bytes.len()
}
