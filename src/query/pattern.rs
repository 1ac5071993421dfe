//! Regular expressions: `/…/ims x`, in the syntax of the `regex` crate, which takes linear time.
//!
//! A query with one is tried only on items that have its required words: words of its literals that stand whole
//! wherever it matches, because what is beside them in the expression cannot belong to a word.

use std::ops::Range;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::grammar::error;
use super::script::{Kind, kind};
use super::syntax::{Field, SyntaxError};
use super::text::{folded, odd_runs};

/// Bytes that a compiled expression may take, and its cache as much again.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// Words of which one must occur, at most; of more there is always one.
const MAX_REQUIRED: usize = 32;

/// A regular expression of a query.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) field: Field,
    regex: Regex,
    flags: Box<str>,
    /// Sets of folded words: of each, one occurs wherever the expression matches.
    pub(super) required: Box<[Required]>,
}

/// Folded words of which at least one must occur.
pub(super) type Required = Box<[Box<str>]>;

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        let parts = |pattern: &Self| (pattern.field, pattern.regex.as_str().to_owned(), pattern.flags.clone());
        parts(self) == parts(other)
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Where it matches, one after the other. Never an empty place.
    pub(super) fn places<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + use<'t> {
        self.regex.find_iter(text).map(|found| found.range())
    }
}

/// Where the expression ends whose inside begins here: before the next `/` without a `\`.
pub(super) fn length(inner: &str) -> Option<usize> {
    let mut escaped = false;
    inner.bytes().position(|byte| {
        let ends = byte == b'/' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Reads an expression that stands at `at` in the query.
pub(super) fn read(field: Field, (text, at): (&str, usize), flags: &str) -> Result<Pattern, SyntaxError> {
    let place = at - 1..at + text.len() + 1;
    if !field.is_text() {
        let hint = "Regular expressions look at title, summary, content, and at `author:`, `tag:` and `url:`.";
        return Err(error("A regular expression means nothing in this field.", place, hint));
    }
    if let Some((wrong, c)) = flags.char_indices().find(|(_, c)| !matches!(c, 'i' | 'm' | 's' | 'x')) {
        let at = place.end + wrong..place.end + wrong + c.len_utf8();
        let hint = "The flags are i, m, s and x. If the text itself is meant, put it in quotes.";
        return Err(error(format!("`{c}` is no flag of a regular expression."), at, hint));
    }
    let has = |flag: char| flags.contains(flag);
    let parsed = ParserBuilder::new()
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .build()
        .parse(text);
    let hir = parsed.map_err(|wrong| located(&wrong, at))?;
    if hir.properties().minimum_len() == Some(0) {
        let hint = "Let it ask for at least one character, as in `/x+/` for `/x*/`.";
        return Err(error("This regular expression matches where there is nothing, so everywhere.", place, hint));
    }
    let regex = RegexBuilder::new(text)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|_| error("This regular expression is too large.", place, "Repeat less, or use smaller classes."))?;
    Ok(Pattern { field, regex, flags: flags.into(), required: required(&hir).into() })
}

fn located(wrong: &regex_syntax::Error, at: usize) -> SyntaxError {
    let (message, span) = match wrong {
        regex_syntax::Error::Parse(wrong) => (wrong.kind().to_string(), Some(wrong.span())),
        regex_syntax::Error::Translate(wrong) => (wrong.kind().to_string(), Some(wrong.span())),
        _ => (wrong.to_string(), None),
    };
    let place = span.map_or(at..at + 1, |span| at + span.start.offset..at + span.end.offset.max(span.start.offset + 1));
    let hint = "The syntax is that of Rust's `regex`. A `/` in it is written `\\/`; plain text stands in quotes.";
    error(format!("This regular expression cannot be read: {message}."), place, hint)
}

/// Words that stand whole wherever the expression matches. Letters of either case are one for folding, so `i` makes
/// no difference.
fn required(hir: &Hir) -> Vec<Required> {
    let mut found = Vec::new();
    Edges::new().of(hir, false, false, &mut found);
    found
}

/// Tells what can stand beside a word.
struct Edges {
    /// All characters that belong to words, as `\w` and `\b` have it.
    word: Option<Class>,
}

impl Edges {
    fn new() -> Self {
        let word = regex_syntax::parse(r"\w").ok().and_then(|hir| match hir.into_kind() {
            HirKind::Class(class) => Some(class),
            _ => None,
        });
        Self { word }
    }

    /// `left`, `right`: what stands there before and after cannot belong to a word.
    fn of(&self, hir: &Hir, left: bool, right: bool, found: &mut Vec<Required>) {
        match hir.kind() {
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).unwrap_or_default();
                found.extend(whole_words(text, left, right).map(|word| Box::from([word])));
            }
            HirKind::Capture(capture) => self.of(&capture.sub, left, right, found),
            HirKind::Repetition(again) if again.min > 0 => {
                let once = again.max == Some(1);
                self.of(&again.sub, left && once, right && once, found);
            }
            HirKind::Concat(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    let before = at.checked_sub(1).and_then(|at| parts.get(at));
                    let left = before.map_or(left, |part| self.ends_words(part, |text| text.chars().next_back()));
                    let after = parts.get(at + 1);
                    let right = after.map_or(right, |part| self.ends_words(part, |text| text.chars().next()));
                    self.of(part, left, right, found);
                }
            }
            HirKind::Alternation(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    let mut own = Vec::new();
                    self.of(part, left, right, &mut own);
                    // The one that is likely to be the rarest.
                    let shortest = |words: &Required| words.iter().map(|word| word.len()).min();
                    let Some(best) = own.into_iter().max_by_key(shortest) else { return };
                    all.extend(best);
                }
                if all.len() <= MAX_REQUIRED {
                    found.push(all.into());
                }
            }
            _ => {}
        }
    }

    /// Whether this matches at least a character, and none that belongs to a word; or holds only between a word and
    /// what is none, or where a text or a line ends. `edge`: the character of a literal on the side of the word.
    fn ends_words(&self, hir: &Hir, edge: fn(&str) -> Option<char>) -> bool {
        match hir.kind() {
            HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().and_then(edge).is_some_and(separates),
            HirKind::Look(look) => matches!(
                look,
                Look::Start
                    | Look::End
                    | Look::StartLF
                    | Look::EndLF
                    | Look::WordUnicode
                    | Look::WordStartUnicode
                    | Look::WordEndUnicode
            ),
            HirKind::Class(Class::Unicode(class)) => {
                let Some(Class::Unicode(word)) = &self.word else { return false };
                let mut both = class.clone();
                both.intersect(word);
                both.ranges().is_empty()
            }
            HirKind::Repetition(again) => again.min > 0 && self.ends_words(&again.sub, edge),
            HirKind::Capture(capture) => self.ends_words(&capture.sub, edge),
            _ => false,
        }
    }
}

/// Every ASCII character but letters and digits separates words, whatever stands around it.
fn separates(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric()
}

/// The words of a literal that nothing beside them can lengthen, folded.
fn whole_words(text: &str, left: bool, right: bool) -> impl Iterator<Item = Box<str>> {
    let count = text.split(separates).count();
    text.split(separates).enumerate().filter_map(move |(at, piece)| {
        let bounded = (at > 0 || left) && (at + 1 < count || right);
        let letters = !piece.is_empty() && piece.chars().all(|c| matches!(kind(c), Kind::Letter(_)));
        let word = (bounded && letters).then(|| folded(piece))?;
        (!word.is_empty() && !word.contains(' ')).then(|| word.into())
    })
}

/// Calls `each` with the words that regular expressions may take for whole beside those that [`super::text::split`]
/// finds: invisible characters and some symbols belong to no word for `\b`, and end none for us.
pub(super) fn odd_words(text: &str, each: &mut impl FnMut(&str)) {
    if text.is_ascii() {
        return;
    }
    for run in odd_runs(text, regex_syntax::is_word_character) {
        folded(run).split(' ').for_each(&mut *each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required_of(text: &str) -> Vec<String> {
        let flags = text.rsplit_once('/').unwrap().1.to_owned();
        let inner = text.strip_prefix('/').unwrap();
        let length = length(inner).unwrap();
        let pattern = read(Field::Any, (&inner[..length], 1), &flags).unwrap();
        pattern.required.iter().map(|set| set.join("|")).collect()
    }

    #[test]
    fn required_words_are_those_that_stand_whole_wherever_it_matches() {
        for (text, want) in [
            (r"/\bpeace\b/", &["peace"][..]),
            (r"/peace/", &[]),
            (r"/\bPeace talks?\b/i", &["peace"]),
            (r"/price of \d+ euro/", &["of"]),
            (r"/price\s+of\W+oil/", &["of"]),
            (r"/^Breaking: (war|peace) in/", &["breaking", "war|peace"]),
            (r"/\b(?:(gulf|cold) war|talks)\b/", &["gulf|cold|talks"]),
            (r"/\b(war|\w+ly)\b/", &[]),
            (r"/(\bwar\b)?peace/", &[]),
            (r"/(\bwar\b,? ?)+/", &["war"]),
            (r"/\bStraße\b/", &["strasse"]),
            (r"/\bпрезидент\b/i", &["президент"]),
            (r"/\bsnake_case\b/", &["snake", "case"]),
            (r"/(?i)\bpeace\b/", &[]),
            (r"/(?-u:\b)peace(?-u:\b)/", &[]),
            (r"/ x86 y /x", &[]),
            (r"/\ x86\ /x", &["x86"]),
        ] {
            assert_eq!(required_of(text), want, "{text}");
        }
    }
}
