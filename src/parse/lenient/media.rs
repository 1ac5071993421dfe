//! Media RSS, iTunes, Podcasting 2.0 and places: kept as they came, and what they say of the entry itself.

use super::entry::{Draft, size};
use super::field::{Form, Raw, Reach};
use super::refs::Place as At;
use super::scan::{Attributes, Scanner, Tag, Token};
use super::walk::Walk;
use crate::domain::element::Element;
use crate::domain::item::{Category, Enclosure, Person};
use crate::parse::limits::{MAX_BODY_BYTES, MAX_ELEMENTS, MAX_LIST, MAX_NESTED};
use crate::parse::plain;

/// What an element and an attribute take in memory beside their texts, in bytes.
const ELEMENT_BYTES: usize = 160;
const ATTRIBUTE_BYTES: usize = 96;

/// Attributes that are addresses.
const ADDRESSES: [&str; 6] = ["url", "href", "src", "uri", "img", "feedurl"];

/// An element that is open, and where its inside begins.
struct Open<'a> {
    name: &'a str,
    from: usize,
    element: Element,
}

impl<'a> Walk<'a> {
    /// An element of one of the vocabularies, with all in it, put where it belongs in the entry.
    pub(super) fn vocabulary(&mut self, draft: &mut Draft, tag: &Tag<'a>, prefix: &'static str, at: usize) -> bool {
        let raw = self.inside(tag, Reach::Body);
        let Some(element) = self.element_of(tag, prefix, at) else { return true };
        let element = self.tree(Open { name: tag.name, from: 0, element }, raw);
        understand(&element, draft);
        draft.elements += 1;
        if draft.elements <= MAX_ELEMENTS {
            draft.extras.media.push(element);
        }
        true
    }

    /// Reads what is inside of an element: elements of the same vocabularies, or a text.
    fn tree(&mut self, root: Open<'a>, raw: Raw<'a>) -> Element {
        let mut scanner = Scanner::new(raw.text, 0);
        let mut open = vec![root];
        loop {
            let here = scanner.at;
            let Some(token) = scanner.next(None) else { break };
            match token {
                Token::Open(tag) => {
                    let Some(prefix) = self.spaces.of(tag.name).0.vocabulary() else { continue };
                    let Some(element) = self.element_of(&tag, prefix, raw.at + here) else { continue };
                    let inside = Open { name: tag.name, from: scanner.at, element };
                    if tag.closed {
                        put(&mut open, inside.element);
                    } else if open.len() < MAX_NESTED {
                        open.push(inside);
                    }
                }
                Token::Close(name) => {
                    let same = open.iter().rposition(|open| open.name.eq_ignore_ascii_case(name));
                    // A wrong end tag of the same vocabulary ends a text, which would be lost beside what follows it.
                    let text = open.last().is_some_and(|open| open.element.children.is_empty());
                    let wrong = text && self.spaces.of(name).0.vocabulary().is_some();
                    let Some(depth) = same.or_else(|| wrong.then_some(open.len() - 1)) else { continue };
                    while open.len() > depth.max(1) {
                        self.end(&mut open, raw, here);
                    }
                }
                _ => {}
            }
        }
        while open.len() > 1 {
            self.end(&mut open, raw, raw.text.len());
        }
        self.finish(open.pop(), raw, raw.text.len())
    }

    /// Ends the innermost element and puts it into the one around it.
    fn end(&mut self, open: &mut Vec<Open<'a>>, raw: Raw<'a>, to: usize) {
        let last = open.pop();
        let element = self.finish(last, raw, to);
        put(open, element);
    }

    /// Gives an element its text, if it holds no others.
    fn finish(&mut self, open: Option<Open<'a>>, raw: Raw<'a>, to: usize) -> Element {
        let Some(Open { from, mut element, .. }) = open else { return Element::default() };
        element.children.shrink_to_fit();
        if element.children.is_empty() {
            let text = raw.text.get(from..to).unwrap_or_default();
            let raw = Raw { text, at: raw.at + from, tags: text.contains('<'), parts: text.contains("<!") };
            let text = self.reader().text(&raw, Form::Either, At::Text);
            element.text = plain::modern(plain::cut(text.trim(), MAX_BODY_BYTES)).into_owned();
        }
        element
    }

    /// An element without its inside; none if it cannot be named, or there is no more room.
    fn element_of(&mut self, tag: &Tag<'a>, prefix: &'static str, at: usize) -> Option<Element> {
        let local = tag.local();
        if !is_name(local) {
            return None;
        }
        let mut attributes = Vec::new();
        for (key, raw) in Attributes(tag.inside).take(MAX_LIST) {
            if !(is_name(key) || key == "xml:lang") || key == "xmlns" {
                continue;
            }
            let value = self.entities.decode(raw, at, At::Address, &mut self.log);
            let address = ADDRESSES.iter().any(|name| key.eq_ignore_ascii_case(name));
            let value = if address { self.resolve(&value) } else { Some(plain::line(&value)) };
            let known = attributes.iter().any(|(known, _): &(String, String)| known == key);
            attributes.extend(value.filter(|_| !known).map(|value| (key.to_owned(), value)));
        }
        let cost = ELEMENT_BYTES + attributes.len() * ATTRIBUTE_BYTES;
        let Some(room) = self.room.checked_sub(cost) else {
            self.log.note(at, "The document has more media elements than are kept; this one was left out.");
            return None;
        };
        self.room = room;
        // Most have one or none, and a list takes room for four.
        attributes.shrink_to_fit();
        Some(Element { name: format!("{prefix}:{local}"), attributes, ..Element::default() })
    }
}

fn put(open: &mut [Open<'_>], element: Element) {
    if let Some(outer) = open.last_mut().filter(|outer| outer.element.children.len() < MAX_ELEMENTS) {
        outer.element.children.push(element);
    }
}

/// A name that XML has (section 2.3), without a prefix.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// What an element says of the entry: its files, picture, title, text, credits and categories. It never goes before what the
/// entry says in its own words.
fn understand(element: &Element, draft: &mut Draft) {
    let mut parts = Vec::new();
    element.each(&mut |part| parts.push(part));
    for part in parts {
        let (prefix, local) = part.parts();
        let line = || plain::title(&part.text);
        let body = || plain::filled(part.text.clone());
        match (prefix, &*local.to_ascii_lowercase()) {
            ("media", "content") => draft.file(file(part)),
            ("media", "thumbnail") => draft.image.offer(0, part.attribute("url").map(str::to_owned)),
            ("media", "title") => draft.title.offer(6, line()),
            ("media", "description") => draft.described.offer(1, body()),
            ("media", "category") => {
                let said = |name| part.attribute(name).map(str::to_owned).and_then(plain::filled);
                if let Some(term) = line().or_else(|| said("label")) {
                    draft.category(Category { term, scheme: said("scheme"), label: said("label") });
                }
            }
            ("media" | "itunes", "keywords") => {
                for term in part.text.split(',').filter_map(plain::title) {
                    draft.category(Category { term, ..Category::default() });
                }
            }
            ("itunes", "title") => draft.title.offer(7, line()),
            ("itunes", "summary") => draft.described.offer(0, body()),
            ("itunes", "image") => draft.image.offer(1, part.attribute("href").map(str::to_owned)),
            ("itunes", "author") if draft.credits.len() < MAX_LIST => {
                draft.credits.extend(line().map(|name| Person { name: Some(name), ..Person::default() }));
            }
            ("itunes", "duration") => draft.duration_s = draft.duration_s.or_else(|| seconds(&part.text)),
            _ => {}
        }
    }
}

fn file(part: &Element) -> Option<Enclosure> {
    Some(Enclosure {
        url: part.attribute("url").or_else(|| part.attribute("href"))?.to_owned(),
        mime_type: part.attribute("type").filter(|kind| is_media_type(kind)).map(str::to_owned),
        length_bytes: part.attribute("filesize").and_then(size),
        duration_s: part.attribute("duration").and_then(seconds),
        title: None,
    })
}

/// RFC 6838 4.2: two words and a slash.
pub(super) fn is_media_type(kind: &str) -> bool {
    kind.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
}

/// `3600`, `59:30`, `1:02:03`, and whole seconds of `12.5`; nothing for no time at all.
fn seconds(text: &str) -> Option<u64> {
    let whole = text.trim().split('.').next()?;
    let mut total = 0_u64;
    for (n, part) in whole.split(':').enumerate() {
        let number = part.trim().parse::<u32>().ok().filter(|_| n < 3)?;
        total = total * 60 + u64::from(number);
    }
    Some(total).filter(|total| *total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_in_all_its_forms() {
        for (text, meant) in [
            ("3600", Some(3600)),
            (" 59:30 ", Some(3570)),
            ("1:02:03", Some(3723)),
            ("12.75", Some(12)),
            ("0", None),
            ("00:00", None),
            ("", None),
            ("an hour", None),
            ("1:2:3:4", None),
            ("-5", None),
            ("99999999999", None),
        ] {
            assert_eq!(seconds(text), meant, "{text:?}");
        }
    }
}
