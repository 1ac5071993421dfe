//! Bytes to text: the encoding that a document really has, whatever it declares.
//!
//! Order: byte order mark, UTF-16 and UTF-32 by their zero bytes, UTF-8 if it is valid and not plain ASCII, the header's
//! charset, the XML declaration, a guess, windows-1252. Valid ASCII and UTF-8 are not copied.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Repair;

/// How many bytes the guess looks at.
const GUESS_BYTES: usize = 262_144;
/// How far into the document an XML declaration is looked for, in bytes.
const DECLARATION_BYTES: usize = 1_024;

/// The text of `bytes`, without the characters that XML 1.0 forbids (section 2.2).
pub(super) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>, repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    let text = unicode(bytes).unwrap_or_else(|| {
        let bytes = without_utf8_marks(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => shift_coded(bytes, content_type).unwrap_or(Cow::Borrowed(text)),
            Err(_) => legacy(bytes, content_type, repairs),
        }
    });
    drop_forbidden(text, repairs)
}

/// UTF-16 and UTF-32, with a byte order mark or without one.
fn unicode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0xFF, 0xFE, 0, 0, rest @ ..] => Some(utf32(rest, u32::from_le_bytes)),
        [0, 0, 0xFE, 0xFF, rest @ ..] => Some(utf32(rest, u32::from_be_bytes)),
        [b'<' | b'{', 0, 0, 0, ..] => Some(utf32(bytes, u32::from_le_bytes)),
        [0, 0, 0, b'<' | b'{', ..] => Some(utf32(bytes, u32::from_be_bytes)),
        [0xFF, 0xFE, rest @ ..] => Some(UTF_16LE.decode_without_bom_handling(rest).0),
        [0xFE, 0xFF, rest @ ..] => Some(UTF_16BE.decode_without_bom_handling(rest).0),
        [b'<' | b'{', 0, second, 0, ..] if *second != 0 => Some(UTF_16LE.decode_without_bom_handling(bytes).0),
        [0, b'<' | b'{', 0, second, ..] if *second != 0 => Some(UTF_16BE.decode_without_bom_handling(bytes).0),
        _ => None,
    }
}

/// `encoding_rs` has no UTF-32.
fn utf32(bytes: &[u8], word: fn([u8; 4]) -> u32) -> Cow<'_, str> {
    let (words, _) = bytes.as_chunks::<4>();
    let text: String =
        words.iter().map(|four| char::from_u32(word(*four)).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Cow::Owned(text)
}

fn without_utf8_marks(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        bytes = rest;
    }
    bytes
}

/// ISO-2022-JP looks like ASCII and is told by its escapes only.
fn shift_coded<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Option<Cow<'a, str>> {
    if !bytes.contains(&0x1B) {
        return None;
    }
    let declared = declared(bytes, content_type).into_iter().flatten().any(|encoding| encoding == ISO_2022_JP);
    declared.then(|| ISO_2022_JP.decode_without_bom_handling(bytes).0)
}

/// What is no UTF-8: by declaration, else by a guess.
fn legacy<'a>(bytes: &'a [u8], content_type: Option<&str>, repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    let declared = declared(bytes, content_type);
    let named = declared.into_iter().flatten().find(|encoding| *encoding != UTF_8);
    let says_utf8 = declared.into_iter().flatten().any(|encoding| encoding == UTF_8);
    if mostly_utf8(bytes) || (says_utf8 && named.is_none()) {
        return patched_utf8(bytes, repairs);
    }
    let encoding = named.unwrap_or_else(|| guess(bytes));
    encoding.decode_without_bom_handling(bytes).0
}

/// The encodings that the header and the XML declaration name. UTF-16 is left out: bytes that come here are none.
fn declared(bytes: &[u8], content_type: Option<&str>) -> [Option<&'static Encoding>; 2] {
    let usable = |label: &[u8]| {
        let label = if label.eq_ignore_ascii_case(b"utf8mb4") { b"utf-8" } else { label };
        Encoding::for_label(label).filter(|encoding| ![UTF_16LE, UTF_16BE, REPLACEMENT].contains(encoding))
    };
    let header = content_type.and_then(|header| parameter(header.as_bytes(), b"charset"));
    let head = bytes.get(..DECLARATION_BYTES).unwrap_or(bytes);
    let end = head.iter().position(|byte| *byte == b'>').unwrap_or(head.len());
    let head = head.get(..end).unwrap_or_default();
    let declaration = head.windows(2).any(|two| two == b"<?").then(|| parameter(head, b"encoding")).flatten();
    [header.and_then(usable), declaration.and_then(usable)]
}

/// The value of `name=value` in `text`, quoted or not.
fn parameter<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
    let rest = text.get(at + name.len()..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let rest = match rest {
        [b'"' | b'\'', rest @ ..] => rest.trim_ascii_start(),
        _ => rest,
    };
    let ends = |byte: &u8| matches!(byte, b'"' | b'\'' | b';' | b',' | b'?' | b'>') || byte.is_ascii_whitespace();
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    rest.get(..end).filter(|value| !value.is_empty())
}

/// Whether invalid bytes are exceptions among many valid sequences: UTF-8 with a slip in it, or cut off.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut invalid) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    valid > 0 && valid >= invalid.saturating_mul(4)
}

/// UTF-8 in which each invalid byte stands for its windows-1252 character; a sequence cut by the end is dropped.
fn patched_utf8<'a>(bytes: &'a [u8], repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    let mut text = String::with_capacity(bytes.len() + 16);
    let mut first = None;
    let mut count = 0_usize;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        count += 1;
        first.get_or_insert(text.len());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    if let Some(at) = first {
        repairs.push(Repair::new(
            at,
            format!("{count} byte sequences are no UTF-8; they were read as windows-1252, this being the first."),
        ));
    }
    Cow::Owned(text)
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes.get(..GUESS_BYTES).unwrap_or(bytes), true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether XML 1.0 forbids a character (section 2.2); surrogates are no `char`.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn drop_forbidden<'a>(text: Cow<'a, str>, repairs: &mut Vec<Repair>) -> Cow<'a, str> {
    if !has_forbidden(text.as_bytes()) {
        return text;
    }
    let Some(at) = text.find(forbidden) else { return text };
    for repair in repairs.iter_mut() {
        let before = text.get(..repair.at).unwrap_or(&text);
        repair.at -= before.matches(forbidden).map(str::len).sum::<usize>();
    }
    let kept: String = text.chars().filter(|c| !forbidden(*c)).collect();
    let count = text.chars().filter(|c| forbidden(*c)).count();
    repairs.push(Repair::new(
        at,
        format!("{count} control characters that XML forbids were dropped, this being the first."),
    ));
    Cow::Owned(kept)
}

/// A quick look over all bytes, in blocks so that it can be vectorised. May say yes for U+FFFD's neighbours only.
fn has_forbidden(bytes: &[u8]) -> bool {
    bytes.chunks(4096).any(|block| {
        block.iter().fold(false, |found, byte| {
            found | ((*byte < 0x20) & (*byte != b'\t') & (*byte != b'\n') & (*byte != b'\r')) | (*byte == 0xEF)
        })
    })
}
