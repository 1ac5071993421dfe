//! Character references and entities, in whatever state: what means something is decoded, the rest is text.

use std::borrow::Cow;
use std::collections::HashMap;

use html5ever::data::NAMED_ENTITIES;
use memchr::{memchr, memmem};

use super::log::Log;
use crate::parse::limits::{MAX_ENTITIES, MAX_ENTITY_BYTES, MAX_EXPANSION_BYTES};

/// Longest reference that is looked at, in bytes: the longest HTML name has 31 letters.
const MAX_REFERENCE_BYTES: usize = 64;

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In an element that people read.
    Text,
    /// In an address or attribute: `&copy=1` is no sign there.
    Address,
}

/// What a document declares, and how much of it may still be put in.
#[derive(Debug)]
pub(super) struct Entities {
    list: HashMap<String, String>,
    left: usize,
}

impl Entities {
    /// The internal entities of a prolog (XML 1.0 section 4.2.1), as flat text. External and parameter entities are never
    /// followed; an entity that names others gets what they are, within its size.
    pub(super) fn declared(prolog: &str, log: &mut Log) -> Self {
        let mut entities = Self { list: HashMap::new(), left: MAX_EXPANSION_BYTES };
        for at in memmem::find_iter(prolog.as_bytes(), "<!ENTITY").take(MAX_ENTITIES) {
            let Some((name, value)) = prolog.get(at + 8..).and_then(declaration) else { continue };
            let value = entities.decode(value, at, Place::Text, log);
            if value.len() <= MAX_ENTITY_BYTES && !entities.list.contains_key(name) {
                let value = value.into_owned();
                entities.list.insert(name.to_owned(), value);
            }
        }
        entities
    }

    /// `raw` with its references decoded once. `at` is where it stands in the document.
    pub(super) fn decode<'a>(&mut self, raw: &'a str, at: usize, place: Place, log: &mut Log) -> Cow<'a, str> {
        let Some(first) = memchr(b'&', raw.as_bytes()) else { return Cow::Borrowed(raw) };
        let mut made = String::with_capacity(raw.len());
        made.push_str(raw.get(..first).unwrap_or_default());
        let mut rest = raw.get(first..).unwrap_or_default();
        while !rest.is_empty() {
            let taken = self.reference(rest, at + (raw.len() - rest.len()), place, &mut made, log);
            rest = rest.get(taken..).unwrap_or_default();
            let next = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            made.push_str(rest.get(..next).unwrap_or_default());
            rest = rest.get(next..).unwrap_or_default();
        }
        Cow::Owned(made)
    }

    /// Puts what the reference at the start of `here` means into `made`; says how long it is.
    fn reference(&mut self, here: &str, at: usize, place: Place, made: &mut String, log: &mut Log) -> usize {
        let bytes = here.as_bytes().get(1..).unwrap_or_default();
        let name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b'.' | b'-') || *byte >= 0x80;
        let length = bytes.iter().take(MAX_REFERENCE_BYTES).take_while(|byte| name(byte)).count();
        let ended = bytes.get(length) == Some(&b';');
        let word = here.get(1..=length).unwrap_or_default();
        let taken = 1 + length + usize::from(ended);
        if let Some(number) = word.strip_prefix('#').filter(|number| !number.is_empty())
            && let Some((length, c)) = numeric(number, at, log)
        {
            made.extend(c);
            let whole = ended && length == number.len();
            return 2 + length + usize::from(whole);
        }
        if ended && let Some(known) = self.named(word, at, log) {
            made.push_str(&known);
            return taken;
        }
        // HTML section 13.2.5.73: some names were used without a semicolon.
        if !ended && place == Place::Text {
            let letters = word.bytes().take_while(u8::is_ascii_alphanumeric).count();
            let follows = bytes.get(letters);
            let word = word.get(..letters).unwrap_or_default();
            if follows != Some(&b'=')
                && letters > 1
                && let Some((first, _)) = NAMED_ENTITIES.get(word).filter(|(first, _)| *first != 0)
                && let Some(c) = char::from_u32(*first)
            {
                log.note(at, "A reference without its semicolon was read.");
                made.push(c);
                return 1 + letters;
            }
        }
        if !ended || word.is_empty() {
            log.note(at, "A bare \u{201c}&\u{201d} was read as text.");
        }
        made.push('&');
        1
    }

    fn named(&mut self, word: &str, at: usize, log: &mut Log) -> Option<Cow<'static, str>> {
        let basic = match word {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            "quot" => "\"",
            "apos" => "'",
            _ => "",
        };
        if !basic.is_empty() {
            return Some(Cow::Borrowed(basic));
        }
        if let Some(value) = self.list.get(word) {
            let Some(left) = self.left.checked_sub(value.len()) else {
                log.note(at, "The document's entities expand to more than is put in; this one was left as it is.");
                return None;
            };
            self.left = left;
            return Some(Cow::Owned(value.clone()));
        }
        html(word).map(Cow::Owned)
    }
}

/// What an HTML name stands for.
fn html(word: &str) -> Option<String> {
    // The key has the semicolon.
    let mut key = [0_u8; MAX_REFERENCE_BYTES];
    key.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    *key.get_mut(word.len())? = b';';
    let key = std::str::from_utf8(key.get(..=word.len())?).ok()?;
    let (first, second) = NAMED_ENTITIES.get(key).filter(|(first, _)| *first != 0)?;
    Some([*first, *second].into_iter().filter(|code| *code != 0).filter_map(char::from_u32).collect())
}

/// A number's length and its character. Out of Unicode: U+FFFD. What XML forbids (section 2.2) is dropped, as it is where it
/// stands for itself. HTML section 13.2.5.80: 128 to 159
/// stand for windows-1252.
fn numeric(number: &str, at: usize, log: &mut Log) -> Option<(usize, Option<char>)> {
    let (digits, radix, mark) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16, 1),
        None => (number, 10, 0),
    };
    let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    let digits = digits.get(..length).filter(|digits| !digits.is_empty())?;
    let code = u32::from_str_radix(digits, radix).ok();
    if let Some(byte) = code.and_then(|code| u8::try_from(code).ok()).filter(|byte| (128..160).contains(byte)) {
        log.note(at, "A reference to a control character was read as the character that was meant.");
        // What it stands for is seen with its neighbours: `plain::modern`.
        return Some((mark + length, Some(char::from(byte))));
    }
    let c = code.and_then(char::from_u32).filter(|c| *c != '\0');
    match c {
        Some('\u{1}'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}') => {
            log.note(at, "A reference to a character that XML forbids was dropped.");
            Some((mark + length, None))
        }
        Some(c) => Some((mark + length, Some(c))),
        None => {
            log.note(at, "A reference to a character that does not exist was read as U+FFFD.");
            Some((mark + length, Some(char::REPLACEMENT_CHARACTER)))
        }
    }
}

/// Name and value of an internal general entity, behind its `<!ENTITY`.
fn declaration(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.trim_ascii_start();
    let length = rest.bytes().position(|byte| byte.is_ascii_whitespace())?;
    let (name, rest) = rest.split_at_checked(length).filter(|(name, _)| !name.is_empty() && *name != "%")?;
    let rest = rest.trim_ascii_start();
    let quote = rest.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let value = rest.get(1..)?;
    Some((name, value.get(..memchr(quote, value.as_bytes())?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str, place: Place) -> String {
        let mut log = Log::default();
        let prolog = "<!DOCTYPE x [<!ENTITY org 'Our &amp; <!ENTITY a \"&b;\"> Org'><!ENTITY % p 'no'><!ENTITY e SYSTEM 'file:///x'>
            <!ENTITY twice \"&org;&org;\">]>";
        Entities::declared(prolog, &mut log).decode(raw, 0, place, &mut log).into_owned()
    }

    #[test]
    fn references_are_decoded_once_and_the_rest_is_text() {
        let cases = [
            ("a &amp;lt; b &lt;", "a &lt; b <"),
            ("D&D AT&T &", "D&D AT&T &"),
            ("&#;&;&#x;", "&#;&;&#x;"),
            ("&#146;&#x92;&#0;&#xD800;&#99999999999;", "\u{92}\u{92}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("&#65 &#65b &#X41;", "A Ab A"),
            ("&eacute;&nbsp;&nosuch; &NotEqualTilde;", "\u{E9}\u{A0}&nosuch; \u{2242}\u{338}"),
            ("&copy 2026 &copyx &eacute", "\u{A9} 2026 &copyx \u{E9}"),
            ("&org;", "Our & <!ENTITY a \"&b;\"> Org"),
            ("&e;&p;", "&e;&p;"),
        ];
        for (raw, expected) in cases {
            assert_eq!(decoded(raw, Place::Text), expected, "{raw}");
        }
        assert_eq!(decoded("?a=1&copy=2&copy&amp;x", Place::Address), "?a=1&copy=2&copy&x");
    }

    #[test]
    fn entities_that_multiply_come_to_an_end() {
        let mut prolog = "<!ENTITY a0 \"ha\">".to_owned();
        for n in 1..60 {
            prolog.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)));
        }
        let mut log = Log::default();
        let mut entities = Entities::declared(&prolog, &mut log);
        let text = entities.decode(&"&a59;&a3;".repeat(1_000), 0, Place::Text, &mut log).into_owned();
        assert!(text.len() <= MAX_EXPANSION_BYTES + 10_000, "{}", text.len());
    }
}
