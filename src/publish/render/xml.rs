//! XML out: the one place that writes text and attributes of a document.
//!
//! Never takes markup: what it is given as text comes back as that text from any XML reader, but for the
//! characters that XML forbids. Elements are closed by the call that opened them, so a document is always whole.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::text::legal;
use crate::domain::element::Element;

/// An attribute; without a value it is left out.
pub(super) type Attribute<'a> = (&'static str, Option<&'a str>);

/// A document being written.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document with its declaration.
    pub(super) fn new() -> Self {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.put(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        xml
    }

    /// An element with other elements in it.
    pub(super) fn within(&mut self, name: &'static str, attributes: &[Attribute<'_>], inner: impl FnOnce(&mut Self)) {
        self.put(Event::Start(start(name, attributes)));
        inner(self);
        self.put(Event::End(BytesEnd::new(name)));
    }

    /// An element with attributes only.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.put(Event::Empty(start(name, attributes)));
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.leaf(name, attributes, BytesText::new(&legal(text)));
    }

    /// An element with text, if there is one.
    pub(super) fn text_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, &[], text);
        }
    }

    /// An element with plain text whose special characters are hexadecimal references: what RSS readers that
    /// take a title for HTML, and those that do not, both show right (RSS Advisory Board profile, character data).
    pub(super) fn hex_text(&mut self, name: &'static str, text: &str) {
        self.leaf(name, &[], BytesText::from_escaped(hex(&legal(text))));
    }

    /// An element that came with an item, and all in it.
    pub(super) fn element(&mut self, element: &Element) {
        let mut start = BytesStart::new(&*element.name);
        for (key, value) in &element.attributes {
            start.push_attribute((key.as_str(), legal(value)));
        }
        if element.children.is_empty() && element.text.is_empty() {
            return self.put(Event::Empty(start));
        }
        self.put(Event::Start(start));
        // No deeper than the parser keeps them.
        element.children.iter().for_each(|child| self.element(child));
        if element.children.is_empty() {
            self.put(Event::Text(BytesText::new(&legal(&element.text))));
        }
        self.put(Event::End(BytesEnd::new(&*element.name)));
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        let mut bytes = self.0.into_inner();
        bytes.push(b'\n');
        // It is UTF-8 already: it was all written from `str`.
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: BytesText<'_>) {
        self.put(Event::Start(start(name, attributes)));
        self.put(Event::Text(text));
        self.put(Event::End(BytesEnd::new(name)));
    }

    fn put(&mut self, event: Event<'_>) {
        let written: io::Result<()> = self.0.write_event(event);
        debug_assert!(written.is_ok(), "memory takes whatever is written to it");
    }
}

fn start<'a>(name: &'static str, attributes: &[Attribute<'a>]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        if let Some(value) = value {
            start.push_attribute((*key, legal(value)));
        }
    }
    start
}

fn hex(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&#x26;"),
            '<' => out.push_str("&#x3C;"),
            '>' => out.push_str("&#x3E;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::XmlVersion;
    use quick_xml::reader::Reader;

    use super::*;

    /// Reads a document with one text and one attribute back.
    fn read(document: &str) -> (String, String) {
        let mut reader = Reader::from_str(document);
        let (mut text, mut attribute) = (String::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    for found in start.attributes() {
                        attribute = found.unwrap().normalized_value(XmlVersion::Explicit1_0).unwrap().into_owned();
                    }
                }
                Event::Text(found) => text.push_str(&found.xml10_content()),
                Event::GeneralRef(found) => match found.resolve_char_ref().unwrap() {
                    Some(c) => text.push(c),
                    None => text.push(match found.xml10_content().as_ref() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        other => panic!("{other}"),
                    }),
                },
                Event::Eof => return (text.trim_matches('\n').to_owned(), attribute),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_but_for_the_characters_that_xml_forbids(text in any::<String>()) {
            let mut xml = Xml::new();
            xml.text("a", &[("b", Some(&text))], &text);
            let (read_text, attribute) = read(&xml.finish());
            let legal = legal(&text);
            prop_assert_eq!(&attribute, &*legal);
            prop_assert_eq!(&*read_text, legal.trim_matches('\n'));
            let mut xml = Xml::new();
            xml.hex_text("a", &text);
            prop_assert_eq!(&*read(&xml.finish()).0, legal.trim_matches('\n'));
        }
    }

    #[test]
    fn special_characters_of_a_hex_text_are_hexadecimal_references() {
        let mut xml = Xml::new();
        xml.hex_text("title", "AT&T <b> ]]> \u{0}");
        assert!(xml.finish().ends_with("<title>AT&#x26;T &#x3C;b&#x3E; ]]&#x3E; </title>\n"));
    }
}
