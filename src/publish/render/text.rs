//! Text that others wrote, made fit to be published: legal characters, links that may be followed, a few
//! words in the place of many.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use url::Url;

/// Schemes that a published link may have, and those of attached files besides: feeds of torrents are made of them. Not among
/// them: what a reader's page would run or read from disk.
const LINKS: &[&str] = &["http", "https", "mailto"];
const FILES: &[&str] = &["http", "https", "ftp", "magnet"];

/// The text without the characters that XML 1.0 forbids even as references (XML 1.0 2.2), so that no
/// document breaks on them.
pub(super) fn legal(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_legal) { Cow::Borrowed(text) } else { text.chars().filter(|c| is_legal(*c)).collect() }
}

fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The text, unless nothing of it can be seen.
pub(super) fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| text.chars().any(is_visible))
}

fn is_visible(c: char) -> bool {
    let formatting = matches!(
        c,
        '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    );
    is_legal(c) && !c.is_whitespace() && !c.is_control() && !formatting
}

fn turns(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text on one line, at most `most` characters with the mark of what was left out. Reads
/// no further than it has to. Without embeddings, overrides and isolates: one that is not closed would end the
/// isolate that a page puts around it (UAX 9 BD9), and turn what comes after.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut space = false;
    for c in text.chars().filter(|c| is_legal(*c) && !turns(*c)) {
        if c.is_whitespace() {
            space = !out.is_empty();
            continue;
        }
        let next = length + 1 + usize::from(space);
        if next > most {
            let whole_word = space && length < most;
            return cut(out, whole_word, most);
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(c);
        length = next;
    }
    out
}

/// Ends a text that goes on: as it is where it ends with a whole word; else after a word if that leaves most
/// of it; else between two characters as people count them, so that no accent stays behind without its letter.
fn cut(mut out: String, whole_word: bool, most: usize) -> String {
    let word = || out.rfind(' ').filter(|at| *at > out.len() / 2);
    let character = || out.grapheme_indices(true).next_back().map(|(at, _)| at).filter(|at| *at > 0);
    let at = if whole_word { None } else { word().or_else(character) };
    if let Some(at) = at {
        out.truncate(at);
    }
    let end = out.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '.' | '–' | '-')).len();
    if end > 0 {
        out.truncate(end);
    }
    // One character as people count them may be as long as all that there is room for.
    if let Some((at, _)) = out.char_indices().nth(most.saturating_sub(1)) {
        out.truncate(at);
    }
    out.push('…');
    out
}

/// A link that may be published: absolute, of a scheme that does no harm, every character one that a URI may
/// have, and without a user name or password (design 6.22).
pub(super) fn link(url: &str) -> Option<String> {
    of_scheme(url, LINKS)
}

/// The address of an attached file, if it may be published.
pub(super) fn file_link(url: &str) -> Option<String> {
    of_scheme(url, FILES)
}

fn of_scheme(url: &str, schemes: &[&str]) -> Option<String> {
    let mut url = Url::parse(url).ok().filter(|url| schemes.contains(&url.scheme()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Neither fails for a URL that has them: it has a host then.
        url.set_password(None).and_then(|()| url.set_username("")).ok()?;
    }
    Some(legal_uri(url.into()))
}

/// The WHATWG leaves characters as they are that no URI may have (RFC 3986 2 and appendix A): brackets are for addresses alone.
fn legal_uri(url: String) -> String {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let host = url.get(authority..).unwrap_or_default();
    let (head, tail) = url.split_at(host.find(['/', '?', '#']).map_or(url.len(), |at| authority + at));
    let wrong = |c: char| matches!(c, '^' | '|' | '\\' | '`' | '{' | '}' | '[' | ']' | '"' | '<' | '>');
    if !tail.contains(wrong) {
        return url;
    }
    let mut legal = head.to_owned();
    for c in tail.chars() {
        if wrong(c) {
            // All of them are ASCII.
            let _ = write!(legal, "%{:02X}", u32::from(c));
        } else {
            legal.push(c);
        }
    }
    legal
}

/// A link that a page may have: as [`link`], http or https only.
pub(super) fn web_link(url: &str) -> Option<String> {
    link(url).filter(|url| url.starts_with("http:") || url.starts_with("https:"))
}

/// A media type (RFC 9110 8.3.1), its parameters left out: there are readers that refuse a whole feed because
/// of one that they cannot read.
pub(super) fn media_type(text: &str) -> Option<&str> {
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let essence = text.split(';').next().unwrap_or_default().trim();
    let (kind, sub) = essence.split_once('/')?;
    (token(kind) && token(sub)).then_some(essence)
}

/// A language tag, if it has the form of one (RFC 5646 2.1).
pub(super) fn language(text: Option<&str>) -> Option<&str> {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let primary = |text: &str| text.split('-').next().is_some_and(|p| p.bytes().all(|b| b.is_ascii_alphabetic()));
    text.map(str::trim).filter(|text| text.len() <= 64 && text.split('-').all(part) && primary(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_xml_forbids_are_dropped_and_no_others() {
        assert_eq!(legal("a\0b\u{1}\u{1B}c\u{FFFE}\u{FFFF}d"), "abcd");
        let kept = "tab\tline\nreturn\rdel\u{7F}\u{85}\u{2028}\u{202E}\u{FFFD}\u{10FFFF}😀";
        assert!(matches!(legal(kept), Cow::Borrowed(text) if text == kept));
    }

    #[test]
    fn text_that_cannot_be_seen_counts_as_absent() {
        for blank in ["", " \n\t", "\0\u{FFFE}", "\u{200B}", "\u{FEFF}\u{A0}", "\u{202E}\u{2066}"] {
            assert_eq!(present(Some(blank)), None, "{blank:?}");
        }
        assert_eq!(present(Some(" . ")), Some(" . "));
        assert_eq!(present(None), None);
    }

    #[test]
    fn an_excerpt_is_one_line_and_ends_after_a_word() {
        assert_eq!(excerpt("  one\n\n two\tthree ", 80), "one two three");
        assert_eq!(excerpt("one two three four", 14), "one two three…");
        assert_eq!(excerpt("one two, three", 9), "one two…");
        assert_eq!(excerpt("abcdefghij", 5), "abcd…");
        assert_eq!(excerpt(&"e\u{301}".repeat(9), 5), "e\u{301}e\u{301}…");
        assert_eq!(excerpt("\u{202E}live\u{2066} \u{200F}x", 80), "live \u{200F}x");
        assert_eq!(excerpt("", 5), "");
        assert_eq!(excerpt("12345", 5), "12345");
    }

    #[test]
    fn a_link_that_could_do_harm_is_none() {
        for bad in
            ["javascript:alert(1)", " JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "/a", "a b", ""]
        {
            assert_eq!(link(bad), None, "{bad}");
        }
        assert_eq!(link("https://u:p@example.com/a b?<c>").as_deref(), Some("https://example.com/a%20b?%3Cc%3E"));
        assert_eq!(
            link("http://[::1]:80/a^b|[c]?d[]={e}#`").as_deref(),
            Some("http://[::1]/a%5Eb%7C%5Bc%5D?d%5B%5D=%7Be%7D#%60")
        );
        let magnet = "magnet:?xt=urn:btih:c";
        assert_eq!((file_link(magnet).as_deref(), link(magnet), web_link(magnet)), (Some(magnet), None, None));
        assert_eq!(file_link("javascript:alert(1)"), None);
        assert_eq!(web_link("HTTPS://Example.com").as_deref(), Some("https://example.com/"));
    }

    #[test]
    fn a_media_type_that_is_none_is_left_out() {
        assert_eq!(media_type("audio/mpeg"), Some("audio/mpeg"));
        assert_eq!(media_type(" video/mp4; codecs=\"avc1\""), Some("video/mp4"));
        for bad in ["", "mp3", "audio/", "/mpeg", "a b/c", "audio/mpeg/3", "ä/b"] {
            assert_eq!(media_type(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_language_tag_that_is_none_is_left_out() {
        assert_eq!(language(Some("de-CH-1901")), Some("de-CH-1901"));
        assert_eq!(language(Some(" en ")), Some("en"));
        for bad in ["", "en_US", "en-", "English language", "1a", "x\""] {
            assert_eq!(language(Some(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_excerpt_never_exceeds_its_length(text in "\\PC*", most in 2usize..50) {
            prop_assert!(excerpt(&text, most).chars().count() <= most);
        }
    }
}
