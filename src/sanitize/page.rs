//! What a web page says its own address is: `rel=canonical` (RFC 6596), else `og:url`. The head only: what stands in the
//! body is other people's.

use super::refs;
use super::scan::{Scanner, Tag, Token};

/// A longer value is no address.
const MAX_BYTES: usize = 8_192;

/// The address that a page gives as its own, and what it is relative to, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnAddress {
    /// The address.
    pub url: String,
    /// The page's `<base href>`.
    pub base: Option<String>,
}

/// Looks for it. `None`: it gives none, or two that differ.
#[must_use]
pub fn own_address(html: &str) -> Option<OwnAddress> {
    let (mut canonical, mut shared, mut base) = (Named::default(), Named::default(), None);
    for token in Scanner::new(html) {
        match token {
            Token::Open(tag) if tag.name.eq_ignore_ascii_case("body") => break,
            Token::Close(name) if name.eq_ignore_ascii_case("head") => break,
            Token::Open(tag) if tag.name.eq_ignore_ascii_case("link") => {
                let rel = tag.attribute("rel").unwrap_or_default();
                if rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("canonical")) {
                    canonical.add(value(&tag, "href"));
                }
            }
            Token::Open(tag) if tag.name.eq_ignore_ascii_case("meta") => {
                let named = tag.attribute("property").or_else(|| tag.attribute("name")).unwrap_or_default();
                if named.trim().eq_ignore_ascii_case("og:url") {
                    shared.add(value(&tag, "content"));
                }
            }
            Token::Open(tag) if tag.name.eq_ignore_ascii_case("base") && base.is_none() => base = value(&tag, "href"),
            _ => {}
        }
    }
    let named = if canonical.seen { canonical } else { shared };
    named.url.filter(|_| !named.torn).map(|url| OwnAddress { url, base })
}

/// An address that may be given several times over.
#[derive(Default)]
struct Named {
    seen: bool,
    url: Option<String>,
    torn: bool,
}

impl Named {
    fn add(&mut self, url: Option<String>) {
        self.torn |= self.seen && self.url != url;
        self.seen = true;
        self.url = url;
    }
}

/// An attribute's value, references read.
fn value(tag: &Tag<'_>, name: &str) -> Option<String> {
    let written = tag.attribute(name)?.trim();
    if written.is_empty() || written.len() > MAX_BYTES {
        return None;
    }
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find('&') {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        let length = match refs::read(here, true) {
            Some(reference) => {
                text.push(reference.first);
                text.extend(reference.second);
                reference.length
            }
            None => {
                text.push('&');
                1
            }
        };
        rest = here.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_head_says_what_a_page_is() {
        for (html, expected) in [
            ("<link rel=canonical href=https://n.test/1>", Some("https://n.test/1")),
            ("<LINK HREF=' /1?a=1&amp;b=2 ' REL='x Canonical'>", Some("/1?a=1&b=2")),
            ("<meta property='og:url' content='https://n.test/2'>", Some("https://n.test/2")),
            ("<meta property=og:url content=/2><link rel=canonical href=/1>", Some("/1")),
            ("<link rel=canonical href=/1><link rel=canonical href=/1>", Some("/1")),
            ("<link rel=canonical href=/1><link rel=canonical href=/2>", None),
            ("<link rel=canonical href=''><meta property=og:url content=/2>", None),
            ("<link rel=alternate href=/1>", None),
            ("<head></head><link rel=canonical href=/1>", None),
            ("<body><link rel=canonical href=/1>", None),
            ("<script><link rel=canonical href=/1></script>", None),
            ("<!-- <link rel=canonical href=/1> -->", None),
            ("<title><link rel=canonical href=/1></title>", None),
            ("", None),
        ] {
            assert_eq!(own_address(html).map(|own| own.url).as_deref(), expected, "{html}");
        }
        let own = own_address("<base href=https://b.test/><link rel=canonical href=1>").unwrap();
        assert_eq!(own.base.as_deref(), Some("https://b.test/"));
        let long = format!("<link rel=canonical href=/{}>", "x".repeat(MAX_BYTES));
        assert_eq!(own_address(&long), None);
    }

    proptest! {
        #[test]
        fn junk_is_read_without_a_panic(html in "[<>a-z='\"/&;# é]{0,80}") {
            let _ = own_address(&format!("<link rel=canonical href=/1{html}"));
        }
    }
}
