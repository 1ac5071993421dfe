//! The answer for a web page: that it is none, and the feeds that it names.

use url::Url;

use super::ParseError;
use super::plain;

/// How far a page is looked through, in bytes: some large sites name their feed behind half a megabyte of script.
const MAX_PAGE_BYTES: usize = 2_097_152;
/// How many feeds are found.
const MAX_FEEDS: usize = 20;
/// How many of them the sentence names.
const MAX_NAMED: usize = 5;

/// A feed that a page names in a `link` element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageFeed {
    /// Its address, absolute; of the schemes that links may have.
    pub url: String,
    /// Its title, by the page's word.
    pub title: Option<String>,
    /// Its media type, by the page's word, in lower case; none for `rel=feed` without one.
    pub media_type: Option<String>,
}

/// The error for a web page, with its autodiscovery links (`link rel=alternate` with the type of a feed).
pub(super) fn error(text: &str, base: Option<&Url>) -> ParseError {
    let feeds = feeds(text, base);
    let named: Vec<&str> = feeds.iter().take(MAX_NAMED).map(|feed| feed.url.as_str()).collect();
    let message = if named.is_empty() {
        "This is a web page, not a feed, and it names no feed.".to_owned()
    } else {
        format!("This is a web page, not a feed. It names: {}.", named.join(", "))
    };
    ParseError { message, feeds }
}

fn feeds(text: &str, base: Option<&Url>) -> Vec<PageFeed> {
    let mut found: Vec<PageFeed> = Vec::new();
    let mut own_base: Option<Url> = None;
    let mut rest = plain::cut(text, MAX_PAGE_BYTES);
    while let Some(at) = rest.find('<') {
        let here = rest.get(at..).unwrap_or_default();
        let (tag, after) = here.split_at_checked(length(here)).unwrap_or((here, ""));
        match name(tag).to_ascii_lowercase().as_str() {
            "link" => {
                let feed = feed(tag, own_base.as_ref().or(base));
                found.extend(feed.filter(|feed| found.iter().all(|other| other.url != feed.url)));
            }
            // The first one counts (HTML 4.2.3).
            "base" if own_base.is_none() => own_base = page_base(tag, base),
            _ => {}
        }
        if found.len() == MAX_FEEDS {
            break;
        }
        rest = after;
    }
    found
}

/// The name of a start tag; nothing for anything else.
fn name(tag: &str) -> &str {
    let rest = tag.get(1..).unwrap_or_default();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// Length of what begins at `here`: a start tag, a comment, or a script or style with what is in it. What else begins
/// with `<` is one byte long: what follows is looked at.
fn length(here: &str) -> usize {
    let until = |end: &str| here.find(end).map_or(here.len(), |at| at + end.len());
    match name(here).to_ascii_lowercase().as_str() {
        "" if here.starts_with("<!--") => until("-->"),
        "script" | "style" => {
            let close = if here.as_bytes().get(2).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'c')) {
                b"</script".as_slice()
            } else {
                b"</style".as_slice()
            };
            let at = here.as_bytes().windows(close.len()).position(|end| end.eq_ignore_ascii_case(close));
            at.map_or(here.len(), |at| at + close.len())
        }
        "link" | "base" => start_tag(here),
        _ => 1,
    }
}

/// The page's own base, which may itself be relative.
fn page_base(tag: &str, base: Option<&Url>) -> Option<Url> {
    let href = plain::line(attribute(tag, "href")?);
    Url::parse(&plain::url(&href, base)?).ok()
}

/// What a link tag announces, if that is a feed.
fn feed(tag: &str, base: Option<&Url>) -> Option<PageFeed> {
    let rel = attribute(tag, "rel")?.to_ascii_lowercase();
    let has = |word: &str| rel.split_ascii_whitespace().any(|rel| rel == word);
    let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_feed = matches!(
        kind,
        "application/rss+xml"
            | "application/atom+xml"
            | "application/rdf+xml"
            | "application/feed+json"
            | "application/xml"
            | "text/xml"
    );
    if !((has("alternate") && is_feed) || (has("feed") && (is_feed || kind.is_empty()))) {
        return None;
    }
    let href = plain::line(attribute(tag, "href")?);
    Some(PageFeed {
        url: plain::url(&href, base)?,
        title: attribute(tag, "title").and_then(|title| plain::filled(plain::line(title))),
        media_type: plain::filled(kind.to_owned()),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<(String, String)> {
        let base = Url::parse("https://site.example/blog/post").unwrap();
        let row = |feed: PageFeed| (feed.url, feed.title.unwrap_or_default());
        feeds(page, Some(&base)).into_iter().map(row).collect()
    }

    #[test]
    fn the_links_of_a_page_are_found_with_their_titles_wherever_they_stand() {
        let rss = "rel=alternate type=application/rss+xml";
        for (page, expected) in [
            (format!("<link {rss} href=feed title='A &amp; B'>"), vec![("https://site.example/blog/feed", "A & B")]),
            (format!("<base href=/x/><link {rss} href=feed>"), vec![("https://site.example/x/feed", "")]),
            (
                format!("<base target=_top><base href=https://b.example/><base href=/c/><link {rss} href=f>"),
                vec![("https://b.example/f", "")],
            ),
            (format!("<!-- <link {rss} href=old> --><link {rss} href=/new>"), vec![("https://site.example/new", "")]),
            (
                format!("<script>'<link {rss} href=s>'</SCRIPT><link {rss} href=/t>"),
                vec![("https://site.example/t", "")],
            ),
            ("<link rel='feed' href='/f'>".to_owned(), vec![("https://site.example/f", "")]),
            (
                "<LINK REL=\"home Alternate\" TYPE=\"text/xml; x\" HREF='/f'/>".to_owned(),
                vec![("https://site.example/f", "")],
            ),
            (
                "<link rel=alternate type=text/xml+oembed href=/o><link rel=alternate hreflang=de href=/de>".to_owned(),
                vec![],
            ),
            (format!("<link {rss} href='javascript:x'><linked {rss} href=/f>"), vec![]),
            (format!("<link {rss} href=/f><link {rss} href=/f>"), vec![("https://site.example/f", "")]),
            (format!("{}<link {rss} href=/f>", "<b>".repeat(200_000)), vec![("https://site.example/f", "")]),
        ] {
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(url, title)| (url.to_owned(), title.to_owned())).collect();
            assert_eq!(found(&page), expected, "{}", page.get(..200).unwrap_or(&page));
        }
    }

    #[test]
    fn pages_that_never_end_are_bounded() {
        for page in
            ["<!--", "<script", "<link rel='", "<", "<base href=\"", "<link rel=alternate type=text/xml href=/a "]
        {
            assert!(found(&page.repeat(200_000)).len() <= MAX_FEEDS);
        }
    }
}
