//! One bounded repair: references and bare markup characters that XML refuses are made text, and what feed-rs refuses in
//! text elements (types that it does not know, no text at all) is made what it knows. Linear, once.

use encoding_rs::WINDOWS_1252;

use super::depth::start_tag;
use super::limits::MAX_LISTED_REPAIRS;
use super::{Repair, plain};

/// Longest reference that is looked at, in bytes: the longest HTML name has 31 letters.
const MAX_REFERENCE_BYTES: usize = 34;

/// `xml` with its bad `&` and `<` mended, or nothing if it has none. `offset` is where `xml` begins in the document.
pub(super) fn mend(xml: &str, offset: usize, repairs: &mut Vec<Repair>) -> Option<String> {
    let mut made = String::with_capacity(xml.len() + xml.len() / 16);
    let mut rest = xml;
    let mut count = 0_usize;
    while let Some(found) = rest.find(['&', '<']) {
        let (before, here) = rest.split_at(found);
        made.push_str(before);
        let at = offset + (xml.len() - here.len());
        let piece = if here.starts_with('&') { reference(here) } else { markup(here) };
        made.push_str(&piece.text);
        if let Some(what) = piece.what {
            count += 1;
            if count <= MAX_LISTED_REPAIRS {
                repairs.push(Repair::new(at, what));
            }
        }
        rest = here.get(piece.length..).unwrap_or_default();
    }
    made.push_str(rest);
    if count > MAX_LISTED_REPAIRS {
        repairs.push(Repair::new(offset, format!("{count} bad references and markup characters in all were mended.")));
    }
    (count > 0).then_some(made)
}

/// A piece of the document, what it became, and why.
struct Piece<'a> {
    length: usize,
    text: std::borrow::Cow<'a, str>,
    what: Option<&'static str>,
}

impl<'a> Piece<'a> {
    fn kept(here: &'a str, length: usize) -> Self {
        Self { length, text: here.get(..length).unwrap_or(here).into(), what: None }
    }

    fn made(length: usize, text: impl Into<std::borrow::Cow<'a, str>>, what: &'static str) -> Self {
        Self { length, text: text.into(), what: Some(what) }
    }
}

fn markup(here: &str) -> Piece<'_> {
    let until = |end: &str| here.find(end).map_or(here.len(), |at| at + end.len());
    if here.starts_with("<![CDATA[") {
        return Piece::kept(here, until("]]>"));
    }
    if here.starts_with("<!--") {
        return Piece::kept(here, until("-->"));
    }
    match here.get(1..).and_then(|rest| rest.chars().next()) {
        Some('/' | '!' | '?' | '_' | ':') => Piece::kept(here, 1),
        Some(c) if c.is_alphabetic() => element(here).unwrap_or_else(|| Piece::kept(here, 1)),
        _ => Piece::made(1, "&lt;", "A bare \u{201c}<\u{201d} was read as text."),
    }
}

/// Longest start tag of a text element that is looked at, in bytes: the mending must stay linear.
const MAX_TAG_BYTES: usize = 512;

/// Elements that hold text, by their local names.
const TEXTS: [&str; 8] = ["title", "summary", "subtitle", "rights", "content", "description", "text", "tagline"];

/// A text element's start tag, with a type that feed-rs knows and, where it is empty, with a blank for its text: it refuses
/// a whole feed for either.
fn element(here: &str) -> Option<Piece<'_>> {
    let name = here.get(1..)?.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next()?;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    if !TEXTS.contains(&local) || (local == "content" && !matches!(prefix, "" | "atom")) {
        return None;
    }
    let (length, closed) = start_tag(plain::cut(here, MAX_TAG_BYTES));
    let tag = here.get(..length)?;
    if !tag.ends_with('>') || tag.contains(" src=") {
        return None;
    }
    let retyped = retype(tag, prefix, local);
    let mut made = retyped.clone().unwrap_or_else(|| tag.to_owned());
    let empty = closed || here.get(length..)?.starts_with("</");
    if closed {
        made.truncate(made.len() - 2);
        made.extend(["> </", name, ">"]);
    } else if empty {
        made.push(' ');
    } else {
        retyped.as_ref()?;
    }
    let what =
        if retyped.is_some() { "The type of a text is none of those that Atom knows." } else { "A text was empty." };
    Some(Piece::made(length, made, what))
}

/// The tag with the nearest type that feed-rs knows, if it has another.
fn retype(tag: &str, prefix: &str, local: &str) -> Option<String> {
    let at = tag.find(" type=")? + " type=".len();
    let quote = tag.get(at..)?.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, rest) = tag.get(at + 1..)?.split_once(quote)?;
    let kind = value.trim().to_ascii_lowercase();
    let media = prefix == "media";
    let known = if media { &["plain", "html"][..] } else { &["text", "html", "xhtml", "text/html"][..] };
    let nearest = match kind.as_str() {
        _ if known.contains(&value) => return None,
        kind if !media && (kind.contains("xhtml") || kind.ends_with("xml")) => "xhtml",
        kind if kind.contains("html") => "html",
        // Content may be of any type, and is left alone where that is none of a text.
        kind if local == "content" && !media && !kind.starts_with("text") && kind != "plain" => return None,
        _ if media => "plain",
        _ => "text",
    };
    Some(format!("{}{quote}{nearest}{quote}{rest}", tag.get(..at)?))
}

/// XML 1.0 section 4.1: `&name;`, `&#123;` or `&#x7B;`; an `&` that begins none of them is text.
fn reference(here: &str) -> Piece<'_> {
    let window = here.as_bytes().get(1..MAX_REFERENCE_BYTES.min(here.len())).unwrap_or_default();
    let end = window.iter().position(|byte| *byte == b';');
    let name = end.and_then(|end| here.get(1..=end)).unwrap_or_default();
    let length = name.len() + 2;
    if let Some(number) = name.strip_prefix('#') {
        return numeric(here, number, length);
    }
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if named {
        return Piece::kept(here, length);
    }
    Piece::made(1, "&amp;", "A bare \u{201c}&\u{201d} was read as text.")
}

fn numeric<'a>(here: &'a str, number: &str, length: usize) -> Piece<'a> {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Piece::made(1, "&amp;", "A bare \u{201c}&\u{201d} was read as text.");
    }
    let code = u32::from_str_radix(digits, radix).ok();
    // HTML section 13.2.5.80: 128 to 159 stand for windows-1252.
    if let Some(byte) = code.and_then(|code| u8::try_from(code).ok()).filter(|byte| (128..160).contains(byte)) {
        let text = WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned();
        return Piece::made(length, text, "A reference to a control character was read as windows-1252.");
    }
    let allowed =
        |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    if number.starts_with('X') {
        return Piece::made(length, format!("&#x{digits};"), "A reference with a capital X was read.");
    }
    match code.and_then(char::from_u32).filter(allowed) {
        Some(_) => Piece::kept(here, length),
        None => Piece::made(length, "\u{FFFD}", "A reference to a character that does not exist was read as U+FFFD."),
    }
}
