//! Character references, as HTML section 13.2.5.72 to 13.2.5.80 reads them.

use html5ever::data::{C1_REPLACEMENTS, NAMED_ENTITIES};

/// Longest name of a reference with its semicolon, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// A reference that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reference {
    /// Its length with the `&`, in bytes.
    pub(super) length: usize,
    /// What it stands for.
    pub(super) first: char,
    /// A few stand for two characters.
    pub(super) second: Option<char>,
}

/// The reference that `here`, which begins with `&`, begins with; none if that is just an ampersand. In an attribute a name
/// without its semicolon counts only if no letter, digit or `=` follows.
pub(super) fn read(here: &str, attribute: bool) -> Option<Reference> {
    let body = here.get(1..)?;
    match body.as_bytes().first()? {
        b'#' => numeric(body),
        byte if byte.is_ascii_alphanumeric() => named(body, attribute),
        _ => None,
    }
}

fn numeric(body: &str) -> Option<Reference> {
    let (digits, radix, mark) = match body.as_bytes().get(1)? {
        b'x' | b'X' => (body.get(2..)?, 16, 2),
        _ => (body.get(1..)?, 10, 1),
    };
    let mut code = 0_u32;
    let mut length = 0;
    for byte in digits.bytes() {
        let Some(digit) = char::from(byte).to_digit(radix) else { break };
        code = code.saturating_mul(radix).saturating_add(digit);
        length += 1;
    }
    if length == 0 {
        return None;
    }
    let semicolon = usize::from(digits.as_bytes().get(length) == Some(&b';'));
    Some(Reference { length: 1 + mark + length + semicolon, first: character(code), second: None })
}

/// Section 13.2.5.80: what is no character is U+FFFD, and 128 to 159 are windows-1252.
fn character(code: u32) -> char {
    let c1 = code.checked_sub(0x80).and_then(|at| usize::try_from(at).ok()).and_then(|at| C1_REPLACEMENTS.get(at));
    match c1 {
        Some(Some(known)) => *known,
        _ => char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

fn named(body: &str, attribute: bool) -> Option<Reference> {
    let window = body.as_bytes();
    let window = window.get(..MAX_NAME_BYTES).unwrap_or(window);
    let run = window.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(window.len());
    if let Some(found) = window.get(run).filter(|byte| **byte == b';').and_then(|_| look(body, run + 1)) {
        return Some(found);
    }
    // Without a semicolon: the longest of the old names that fits.
    let found = (2..=run.min(6)).rev().find_map(|length| look(body, length))?;
    let next = body.as_bytes().get(found.length - 1);
    let goes_on = next.is_some_and(|byte| *byte == b'=' || byte.is_ascii_alphanumeric());
    (!attribute || !goes_on).then_some(found)
}

/// The reference whose name is the first `length` bytes of `body`.
fn look(body: &str, length: usize) -> Option<Reference> {
    let (first, second) = *NAMED_ENTITIES.get(body.get(..length)?)?;
    let first = char::from_u32(first).filter(|c| *c != '\0')?;
    Some(Reference { length: length + 1, first, second: char::from_u32(second).filter(|c| *c != '\0') })
}
