//! The values of terms: what stands after a field becomes folded words, a host, a language …

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

use super::grammar::error;
use super::moment;
use super::script::{Kind, Script, is_ignorable, kind};
use super::syntax::{Exact, Field, MAX_PHRASE, NodeKind, Phrase, Raw, Symbols, SyntaxError, TextAtom};
use super::text::{push_folded, split};

/// A value as it was typed, without quotes.
pub(super) struct Typed<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the query.
    pub(super) at: usize,
    /// Whether a `=` stands before it.
    pub(super) exact: bool,
}

impl Typed<'_> {
    fn place(&self) -> Range<usize> {
        self.at..self.at + self.text.len().max(1)
    }

    pub(super) fn wrong(&self, message: impl Into<String>, hint: impl Into<String>) -> SyntaxError {
        error(message, self.place(), hint)
    }
}

/// Reads a value as its field has it.
pub(super) fn value(field: Field, typed: &Typed<'_>, atoms: &mut u32) -> Result<NodeKind, SyntaxError> {
    if !field.is_text() && typed.exact {
        return Err(typed.wrong("`=` means nothing in this field.", "Leave the `=` out: its values are whole already."));
    }
    match field {
        Field::Feed => feed(typed),
        Field::Site => site(typed),
        Field::Language => language(typed),
        Field::Type => media_type(typed),
        Field::Before | Field::After | Field::Age => moment::value(field, typed),
        _ => text(field, typed, atoms),
    }
}

fn feed(typed: &Typed<'_>) -> Result<NodeKind, SyntaxError> {
    let name = typed.text.to_ascii_lowercase();
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'*');
    if name.is_empty() || !name.bytes().all(good) {
        let hint = "Names of feeds are of a–z, 0–9 and hyphens; `*` stands for any part of one.";
        return Err(typed.wrong(format!("`{}` is no name of a feed.", typed.text), hint));
    }
    Ok(NodeKind::Feed(name.into()))
}

fn site(typed: &Typed<'_>) -> Result<NodeKind, SyntaxError> {
    let hint = "Write a host alone, as in `site:bbc.co.uk`; what is below it is meant as well.";
    let wrong = || typed.wrong(format!("`{}` is no host.", typed.text), hint);
    let named = typed.text.trim_end_matches('.');
    if named.is_empty() || named.contains('*') {
        return Err(wrong());
    }
    let Ok(host) = url::Host::parse(named) else { return Err(wrong()) };
    let host = host.to_string();
    // Canonical URLs have no `www.` (design of identity), so a query for it would never be met.
    let bare = host.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(&host);
    Ok(NodeKind::Site(bare.into()))
}

fn language(typed: &Typed<'_>) -> Result<NodeKind, SyntaxError> {
    let tag = language_tag(typed.text);
    // BCP 47 2.1: subtags of letters and digits, the first of two to eight letters.
    let first = tag.split('-').next().unwrap_or_default();
    let good = (2..=8).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && tag.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !good {
        let hint = "Write it as in `lang:de`; `lang:de` finds de-AT as well.";
        return Err(typed.wrong(format!("`{}` is no language tag.", typed.text), hint));
    }
    Ok(NodeKind::Language(tag.into()))
}

/// A language tag in the form that is compared.
pub(super) fn language_tag(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace('_', "-")
}

fn media_type(typed: &Typed<'_>) -> Result<NodeKind, SyntaxError> {
    let name = typed.text.to_ascii_lowercase();
    // RFC 9110 5.6.2, tokens; `*` only for the whole subtype.
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b))
    };
    match name.split_once('/') {
        Some((main, "*")) if token(main) => Ok(NodeKind::Type(format!("{main}/").into())),
        Some((main, sub)) if token(main) && token(sub) => Ok(NodeKind::Type(name.into())),
        _ => {
            let hint = "Write it as in `type:audio/mpeg` or `type:audio/*`.";
            Err(typed.wrong(format!("`{}` is no media type.", typed.text), hint))
        }
    }
}

/// Words, a phrase, a prefix.
fn text(field: Field, typed: &Typed<'_>, atoms: &mut u32) -> Result<NodeKind, SyntaxError> {
    let whole = typed.text.trim_end();
    let core = whole.strip_suffix('*').unwrap_or(whole);
    let prefix = core.len() < whole.len();
    if let Some(star) = core.find('*') {
        let at = typed.at + star;
        return Err(error("A `*` stands only at the end of a word.", at..at + 1, "Write as in `zelensk*`."));
    }
    let mut joined = String::new();
    let mut places: Vec<Range<usize>> = Vec::new();
    split(core, &mut |word| {
        if !joined.is_empty() {
            joined.push(' ');
        }
        push_folded(&mut joined, core, &word);
        places.push(word.raw);
    });
    if places.is_empty() {
        let message = format!("`{}` has no letter and no digit to look for.", typed.text);
        return Err(typed.wrong(message, "Leave it out, or add the word that it belongs to."));
    }
    if places.len() > MAX_PHRASE {
        let message = format!("This phrase has {} words; at most {MAX_PHRASE} are read.", places.len());
        return Err(typed.wrong(message, "A part of it will find the same."));
    }
    if prefix {
        check_prefix(typed, core, &joined, &places)?;
    }
    let id = *atoms;
    *atoms += 1;
    Ok(NodeKind::Text(TextAtom { id, field, words: Phrase::new(&joined), prefix, raw: raw(typed, core, &places) }))
}

/// The `*` must follow a letter, and two letters at least; a script without spaces counts them over its words.
fn check_prefix(typed: &Typed<'_>, core: &str, joined: &str, places: &[Range<usize>]) -> Result<(), SyntaxError> {
    let star = typed.at + core.len();
    let star = star..star + 1;
    if places.last().is_none_or(|place| core.get(place.end..).is_some_and(|rest| !rest.chars().all(is_ignorable))) {
        return Err(error("This `*` does not follow a letter or digit.", star, "Write it directly after them."));
    }
    let last = joined.rsplit(' ').next().unwrap_or_default();
    let unspaced = last.chars().any(|c| kind(c) == Kind::Letter(Script::Unspaced));
    let letters = if unspaced { places.len() } else { last.chars().count() };
    if letters < 2 {
        let hint = "At least two letters stand before a `*`.";
        return Err(error("So short a beginning would find nearly everything.", star, hint));
    }
    Ok(())
}

fn raw(typed: &Typed<'_>, core: &str, places: &[Range<usize>]) -> Option<Box<Raw>> {
    if typed.exact {
        return Some(Box::new(Raw::Exact(exact(core, places))));
    }
    let symbols = edges(core, places);
    (!symbols.is_empty()).then(|| Box::new(Raw::Symbols(symbols.into())))
}

fn exact(core: &str, places: &[Range<usize>]) -> Exact {
    let start = places.first().map_or(0, |place| place.start);
    let end = places.last().map_or(core.len(), |place| place.end);
    Exact {
        before: core.get(..start).unwrap_or_default().trim_start().into(),
        body: as_written(core.get(start..end).unwrap_or_default()).collect(),
        after: core.get(end..).unwrap_or_default().into(),
    }
}

/// Text as `=` compares it: what cannot be seen does not count, nor how accents are coded, nor how much white
/// space there is.
pub(super) fn as_written(text: &str) -> impl Iterator<Item = char> {
    let mut space = false;
    text.chars().filter(|c| !is_ignorable(*c) || *c == '\u{640}').nfc().filter_map(move |c| {
        let again = std::mem::replace(&mut space, c.is_whitespace());
        match (space, again) {
            (true, true) => None,
            (true, false) => Some(' '),
            (false, _) => Some(c),
        }
    })
}

/// The symbols at the edges of what stands between white space: `C++`, `#rust`, `.NET`.
fn edges(core: &str, places: &[Range<usize>]) -> Vec<Symbols> {
    let mut found = Vec::new();
    let mut start = 0;
    for token in core.split(char::is_whitespace) {
        let end = start + token.len();
        let inside = |place: &Range<usize>| place.start >= start && place.end <= end;
        let first = places.iter().position(inside);
        let last = places.iter().rposition(inside);
        if let (Some(first), Some(last)) = (first, last) {
            let before = places.get(first).and_then(|place| core.get(start..place.start)).unwrap_or_default();
            let after = places.get(last).and_then(|place| core.get(place.end..end)).unwrap_or_default();
            push_symbols(&mut found, first, leading(before), "");
            push_symbols(&mut found, last, "", trailing(after));
        }
        let space = core.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        start = end + space;
    }
    found
}

fn push_symbols(found: &mut Vec<Symbols>, word: usize, before: &str, after: &str) {
    if !before.is_empty() || !after.is_empty() {
        found.push(Symbols { word, before: before.into(), after: after.into() });
    }
}

/// The symbols directly before a word. A single full stop counts (`.NET`), an ellipsis does not.
fn leading(text: &str) -> &str {
    let rest = text.trim_end_matches(is_symbol);
    let symbols = text.get(rest.len()..).unwrap_or_default();
    if symbols.is_empty() && rest.ends_with('.') && !rest.ends_with("..") { "." } else { symbols }
}

/// The symbols directly after a word. A full stop there ends a sentence.
fn trailing(text: &str) -> &str {
    let rest = text.trim_start_matches(is_symbol);
    text.get(..text.len() - rest.len()).unwrap_or_default()
}

/// What people type to mean it. The punctuation of sentences (`,`, `!`, quotes, brackets, dashes) is not.
fn is_symbol(c: char) -> bool {
    matches!(c, '#' | '@' | '$' | '%' | '&' | '+' | '<' | '>' | '=' | '^' | '|' | '~' | '_' | '¢'..='¥' | '§' | '©'
        | '®' | '°' | '±' | '\u{20A0}'..='\u{20CF}' | '™' | '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}
