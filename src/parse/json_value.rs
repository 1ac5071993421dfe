//! The values of a JSON document that may be broken, in bounded memory.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::limits::MAX_VALUES_BYTES;
use super::{ParseError, Repair};

/// The first JSON value of `text`, and nothing of what follows; once more with slips mended if that fails.
pub(super) fn read(text: &str, repairs: &mut Vec<Repair>) -> Result<Value, ParseError> {
    let first = |text: &str| {
        let left = Cell::new(text.len() * 4 + MAX_VALUES_BYTES);
        Bounded(&left).deserialize(&mut serde_json::Deserializer::from_str(text))
    };
    let error = match first(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut mended = Vec::new();
    let whole = mend(text, &mut mended);
    let error = match first(&whole) {
        Ok(value) => {
            repairs.append(&mut mended);
            return Ok(value);
        }
        Err(again) => {
            // Cut off, or broken in the middle: all items before that are kept.
            let sound = whole.get(..offset(&whole, &again)).unwrap_or(&whole);
            if let Some(length) = complete(sound)
                && let Ok(value) = first(&[whole.get(..length).unwrap_or_default(), "]}"].concat())
            {
                repairs.append(&mut mended);
                let what = format!("The JSON is broken; what is complete before was kept ({error}).");
                repairs.push(Repair::new(unmended(text, whole.get(..length).unwrap_or_default()), what));
                return Ok(value);
            }
            error
        }
    };
    Err(ParseError::new(format!("The document begins like JSON, but cannot be read as it: {error}.")))
}

/// `text` without commas before a closing bracket, with the line ends and tabs in its strings escaped, and with escapes in them
/// that JSON does not have (RFC 8259 section 7) as what they stand for. Linear.
fn mend(text: &str, repairs: &mut Vec<Repair>) -> String {
    let mut made = String::with_capacity(text.len() + 64);
    let (mut string, mut comma, mut to) = (false, None, 0);
    let (mut commas, mut controls, mut escapes) = (None, None, None);
    for (at, c) in text.char_indices() {
        if at < to {
            continue;
        }
        if string {
            match c {
                '\n' | '\r' | '\t' => {
                    controls.get_or_insert(at);
                    made.push_str(match c {
                        '\n' => "\\n",
                        '\r' => "\\r",
                        _ => "\\t",
                    });
                }
                '\\' => {
                    let here = text.get(at..).unwrap_or_default();
                    let (meant, length) = escape(here);
                    to = at + length;
                    if !here.starts_with(meant) {
                        escapes.get_or_insert(at);
                    }
                    made.push_str(meant);
                }
                c => made.push(c),
            }
            string = c != '"';
            continue;
        }
        if let (Some(held), ']' | '}') = (comma, c) {
            commas.get_or_insert(held);
            made.truncate(held_at(&made));
        }
        if !c.is_whitespace() {
            comma = (c == ',').then_some(at);
        }
        string = c == '"';
        made.push(c);
    }
    repairs.extend(commas.map(|at| Repair::new(at, "A comma before a closing bracket was left out.")));
    repairs
        .extend(escapes.map(|at| Repair::new(at, "An escape that JSON does not have was read as what it stands for.")));
    repairs.extend(controls.map(|at| Repair::new(at, "Raw line ends or tabs in a string were read.")));
    made
}

/// What the escape at the start of `here` is to be written as, and its length. Half of a surrogate pair is no character.
fn escape(here: &str) -> (&str, usize) {
    let unit = |at: usize| {
        let digits = here.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let as_it_is = |length: usize| (here.get(..length).unwrap_or(here), length);
    match here.as_bytes().get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => as_it_is(2),
        Some(b'\'') => ("'", 2),
        Some(b'u') => match (unit(0), unit(6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => as_it_is(12),
            (Some(0xD800..=0xDFFF), _) => ("\u{FFFD}", 6),
            (Some(_), _) => as_it_is(6),
            (None, _) => ("\\\\", 1),
        },
        Some(_) => ("\\\\", 1),
        None => as_it_is(1),
    }
}

/// How much of `text` became `made`, which ends with a brace: mending makes and drops none.
fn unmended(text: &str, made: &str) -> usize {
    let braces = made.matches('}').count();
    text.match_indices('}').nth(braces.saturating_sub(1)).map_or(text.len(), |(at, _)| at + 1)
}

/// Where the last comma of `made` is: only white space follows it.
fn held_at(made: &str) -> usize {
    made.rfind(',').unwrap_or(made.len())
}

/// Where an error is, in bytes: its line and column count from one.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let before = error.line().saturating_sub(1);
    let lines = text.split_inclusive('\n').take(before).map(str::len).sum::<usize>();
    (lines + error.column()).min(text.len())
}

/// How much of `text` is complete: up to the last object that is whole in a list of the root object. Linear.
fn complete(text: &str) -> Option<usize> {
    let (mut string, mut escaped) = (false, false);
    let (mut depth, mut list, mut found) = (0_usize, false, None);
    for (at, byte) in text.bytes().enumerate() {
        if string {
            string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => string = true,
            b'{' | b'[' => {
                depth += 1;
                list = if depth == 2 { byte == b'[' } else { list };
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
                if depth == 2 && list && byte == b'}' {
                    found = Some(at + 1);
                }
            }
            _ => {}
        }
    }
    found
}

/// Reads a value while there is room for it; what is beyond is null. An object of one number takes eighty times its text.
struct Bounded<'a>(&'a Cell<usize>);

/// What an object takes at least: the node of a tree.
const OBJECT_BYTES: usize = 700;

impl Bounded<'_> {
    fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.take(size_of::<Value>()) {
            deserializer.deserialize_any(self)
        } else {
            IgnoredAny::deserialize(deserializer).map(|_| Value::Null)
        }
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(if self.take(value.len()) { Value::from(value) } else { Value::Null })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Bounded(self.0))? {
            // What there was no room for takes none.
            if self.0.get() > 0 {
                values.push(value);
            }
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let room = self.take(if values.is_empty() { OBJECT_BYTES } else { 64 } + key.len());
            let value = map.next_value_seed(Bounded(self.0))?;
            if room {
                values.insert(key, value);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_items_before_a_break_are_kept() {
        let cases = [
            ("{\"items\": [{\"id\": \"1\"}, {\"id\": \"2", 1),
            ("{\"title\": \"t\", \"items\": [{\"id\": \"1\", \"tags\": [{}]}, {\"id\": \"2\"}, {\"id\": oops}]}", 2),
            ("{\"items\": [{\"id\": \"}]\"}, {\"id\": \"2\"} {\"id\": \"3\"}]}", 2),
        ];
        for (text, count) in cases {
            let mut repairs = Vec::new();
            let value = read(text, &mut repairs).unwrap();
            assert_eq!(value["items"].as_array().unwrap().len(), count, "{text}");
            assert_eq!(repairs.len(), 1, "{text}");
        }
        assert!(read("{\"items\": [{\"id\": ", &mut Vec::new()).is_err());
    }

    #[test]
    fn values_without_end_are_null() {
        let text = format!("{{\"items\": [{}0]}}", "{\"a\":0},".repeat(200_000));
        let value = read(&text, &mut Vec::new()).unwrap();
        let kept = value["items"].as_array().unwrap().len();
        assert!((5_000..40_000).contains(&kept), "{kept}");
    }
}
