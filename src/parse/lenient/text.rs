//! Texts by their types: Atom's, in every spelling, and RSS', which has none.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::field::{Form, Raw, Reader};
use super::refs::Place;
use super::scan::Tag;
use crate::parse::limits::MAX_BODY_BYTES;
use crate::parse::plain;

/// A text and whether it is HTML source; plain text otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Text {
    pub(super) source: String,
    pub(super) html: bool,
}

impl Text {
    /// As plain text on one line.
    pub(super) fn title(&self) -> Option<String> {
        if self.html { plain::title(&self.source) } else { plain::plain_title(&self.source) }
    }

    /// As HTML source.
    pub(super) fn body(&self) -> Option<String> {
        let text = plain::modern(plain::cut(self.source.trim(), MAX_BODY_BYTES));
        plain::filled(if self.html { text.into_owned() } else { plain::escape(&text) })
    }
}

/// The text of an RSS element: HTML, by the way it is used.
pub(super) fn rss(raw: &Raw<'_>, reader: &mut Reader<'_>) -> Text {
    Text { source: reader.text(raw, Form::Either, Place::Text).into_owned(), html: true }
}

/// What a type attribute asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Html,
    Xml,
    Unknown,
}

fn kind(name: &str) -> Kind {
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "text" | "plain" | "text/plain" => Kind::Plain,
        name if name.contains("xhtml") || name.ends_with("xml") => Kind::Xml,
        name if name.contains("html") => Kind::Html,
        _ => Kind::Unknown,
    }
}

/// The text of an Atom element (RFC 4287 3.1 and 4.1.3; Atom 0.3 has a mode besides).
pub(super) fn atom(tag: &Tag<'_>, raw: &Raw<'_>, reader: &mut Reader<'_>) -> Text {
    // Somewhere in the tag, which ends where the inside begins.
    let named = reader.attribute(tag, "type", raw.at.saturating_sub(tag.inside.len())).unwrap_or_default();
    let mode = tag.raw("mode").unwrap_or_default().trim().to_ascii_lowercase();
    let kind = kind(&named);
    if kind == Kind::Unknown && !named.trim().eq_ignore_ascii_case("text") {
        reader.log.note(raw.at, "The type of a text is none of those that Atom knows; it was read by its looks.");
    }
    let inline = raw.tags && mode != "escaped";
    if inline && (kind == Kind::Xml || (kind == Kind::Html && mode == "xml")) {
        let source = reader.text(raw, Form::Markup, Place::Text);
        return Text { source: without_div(source.trim()).to_owned(), html: true };
    }
    let source = reader.text(raw, Form::Either, Place::Text).into_owned();
    let coded = mode == "base64" || (kind == Kind::Unknown && !raw.tags && !named.trim_start().starts_with("text/"));
    if coded && let Some(decoded) = base64(&source) {
        let html = kind == Kind::Html || kind == Kind::Xml || looks_like_html(&decoded);
        return Text { source: decoded, html };
    }
    let html = match kind {
        Kind::Html => true,
        Kind::Plain => raw.tags,
        Kind::Xml | Kind::Unknown => raw.tags || looks_like_html(&source),
    };
    Text { source, html }
}

/// Base64 that is text.
fn base64(text: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if packed.len() < 4 {
        return None;
    }
    let decoded = String::from_utf8(engine.decode(packed).ok()?).ok()?;
    (!decoded.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(decoded)
}

/// Whether a text has a tag in it.
fn looks_like_html(text: &str) -> bool {
    let Some(last) = memchr::memrchr(b'>', text.as_bytes()) else { return false };
    let before = text.get(..last).unwrap_or_default();
    memchr::memchr_iter(b'<', before.as_bytes()).any(|at| {
        let here = before.get(at + 1..).unwrap_or_default();
        here.strip_prefix('/').unwrap_or(here).starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// The inside of the `div` that Atom wants around XHTML (RFC 4287 3.1.1.3), where there is one around all of it.
fn without_div(source: &str) -> &str {
    let unwrapped = || {
        let rest = source.strip_prefix("<div")?;
        rest.starts_with(|c: char| c == '>' || c.is_whitespace()).then_some(())?;
        let inside = rest.get(memchr::memchr(b'>', rest.as_bytes())? + 1..)?.strip_suffix("</div>")?;
        let mut depth = 0_usize;
        for at in memchr::memmem::find_iter(inside.as_bytes(), b"div") {
            let before = inside.get(..at).unwrap_or_default();
            if before.ends_with("</") {
                depth = depth.checked_sub(1)?;
            } else if before.ends_with('<') {
                depth += 1;
            }
        }
        Some(inside)
    };
    unwrapped().unwrap_or(source)
}
