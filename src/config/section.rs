//! One table of a file, read value by value: each getter says what is wrong and goes on, so that all mistakes
//! are found at once.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::error::Mistake;
use super::keys::{Status, Table, hint_for};
use super::source::{Source, quoted};
use super::units;
use crate::domain::name::Name;

/// Where mistakes are gathered while everything is read.
#[derive(Default)]
pub(super) struct Gathered(RefCell<Vec<Mistake>>);

impl Gathered {
    pub(super) fn add(&self, mistake: Mistake) {
        self.0.borrow_mut().push(mistake);
    }

    pub(super) fn into_inner(self) -> Vec<Mistake> {
        self.0.into_inner()
    }
}

/// One table of a file.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) source: &'a Source,
    pub(super) environment: &'a Environment,
    pub(super) gathered: &'a Gathered,
    pub(super) table: Table,
    map: &'a DeTable<'a>,
    from: usize,
    to: usize,
}

/// One value, with its place.
#[derive(Clone)]
pub(super) struct Value<'a> {
    section: Section<'a>,
    pub(super) key: &'a str,
    pub(super) at: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Section<'a> {
    /// Takes a table and refuses the keys that it cannot have.
    pub(super) fn new(
        source: &'a Source,
        environment: &'a Environment,
        gathered: &'a Gathered,
        table: Table,
        map: &'a DeTable<'a>,
        at: &Range<usize>,
    ) -> Self {
        let section = Self { source, environment, gathered, table, map, from: at.start, to: at.end };
        for key in map.keys() {
            section.check_key(key);
        }
        section
    }

    fn check_key(&self, key: &Spanned<std::borrow::Cow<'a, str>>) {
        let (name, written) = (key.get_ref().as_ref(), self.table.written());
        let problem = match self.table.key(name).map(|known| known.status) {
            Some(Status::Now) => return,
            Some(Status::Later) => {
                (format!("`{name}` of {written} is meant for a later version."), Some("remove it".to_owned()))
            }
            None => (format!("{written} has no key `{}`.", quoted(name)), Some(hint_for(self.table, name))),
        };
        self.mistake(key.span(), problem.0, problem.1);
    }

    pub(super) fn at(&self) -> Range<usize> {
        // The header of the table, not all that follows it.
        self.from..self.to.min(self.from + self.header_len())
    }

    fn header_len(&self) -> usize {
        let rest = self.source.text.get(self.from..).unwrap_or_default();
        rest.find('\n').unwrap_or(rest.len()).max(1)
    }

    pub(super) fn mistake(&self, at: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.gathered.add(self.source.mistake(at, message.into(), hint, &[]));
    }

    /// The value of a key, unless the key was refused already.
    pub(super) fn value(&self, key: &'a str) -> Option<Value<'a>> {
        let usable = || self.table.key(key).is_some_and(|known| known.status == Status::Now);
        let value = self.map.get(key).filter(|_| usable())?;
        Some(Value { section: *self, key, at: value.span(), value: value.get_ref() })
    }

    /// Whether it has no other keys than these.
    pub(super) fn has_only(&self, keys: &[&str]) -> bool {
        self.map.keys().all(|key| keys.contains(&key.get_ref().as_ref()))
    }

    pub(super) fn text(&self, key: &'a str) -> Option<&'a str> {
        self.value(key)?.text()
    }

    pub(super) fn flag(&self, key: &'a str) -> Option<bool> {
        let value = self.value(key)?;
        match value.value {
            DeValue::Boolean(flag) => Some(*flag),
            other => value.wrong_kind("true or false", other),
        }
    }

    pub(super) fn count(&self, key: &'a str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.value else { return value.wrong_kind("a number", value.value) };
        let read = u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
        read.filter(|n| range.contains(n))
            .or_else(|| value.refuse(format!("`{key}` has to be from {} to {}.", range.start(), range.end()), None))
    }

    pub(super) fn duration(&self, key: &'a str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.value(key)?.duration(&range)
    }

    pub(super) fn size(&self, key: &'a str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        match units::size(value.text()?) {
            Ok(size) if range.contains(&size) => Some(size),
            Ok(_) => value.refuse(
                format!(
                    "`{key}` has to be from {} to {}.",
                    units::shown_size(*range.start()),
                    units::shown_size(*range.end())
                ),
                None,
            ),
            Err(why) => value.refuse(format!("`{key}` is no size: {why}."), Some("for example \"10MB\"".to_owned())),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'a str, words: &[(&str, T)]) -> Option<T> {
        self.value(key)?.choice(words)
    }

    /// A text that something reads.
    pub(super) fn parsed<T, E: Display>(&self, key: &'a str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.value(key)?;
        match read(value.text()?) {
            Ok(parsed) => Some(parsed),
            Err(why) => value.refuse(format!("`{key}` cannot be read: {why}."), None),
        }
    }

    /// A list of texts; one alone counts as a list of one where `single` says so.
    pub(super) fn list(&self, key: &'a str, single: bool) -> Option<Vec<Value<'a>>> {
        let value = self.value(key)?;
        match value.value {
            DeValue::Array(items) => Some(
                items
                    .iter()
                    .map(|item| Value { section: *self, key, at: item.span(), value: item.get_ref() })
                    .collect(),
            ),
            _ if single => Some(vec![value]),
            other => value.wrong_kind("a list", other),
        }
    }

    /// A table within this one.
    pub(super) fn inner(&self, key: &'a str, table: Table) -> Option<Self> {
        let value = self.value(key)?;
        match value.value {
            DeValue::Table(map) => Some(Self::new(self.source, self.environment, self.gathered, table, map, &value.at)),
            other => value.wrong_kind("a table", other),
        }
    }

    /// Names, each checked.
    pub(super) fn names(&self, key: &'a str) -> Option<Vec<(Name, Range<usize>)>> {
        let values = self.list(key, false)?;
        Some(values.into_iter().filter_map(|value| Some((value.name()?, value.at.clone()))).collect())
    }

    /// Keys and values of an inline table.
    pub(super) fn pairs(&self, key: &'a str) -> Option<Vec<(&'a str, Range<usize>, Value<'a>)>> {
        let value = self.value(key)?;
        let DeValue::Table(map) = value.value else { return value.wrong_kind("a table", value.value) };
        let pair = |(name, item): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            let value = Value { section: *self, key, at: item.span(), value: item.get_ref() };
            (name.get_ref().as_ref(), name.span(), value)
        };
        Some(map.iter().map(pair).collect())
    }
}

impl<'a> Value<'a> {
    /// Says what is wrong with it.
    pub(super) fn refuse<T>(&self, message: impl Into<String>, hint: Option<String>) -> Option<T> {
        self.section.mistake(self.at.clone(), message, hint);
        None
    }

    /// Says what is wrong within its text; `inner` are bytes of the text.
    pub(super) fn refuse_inner<T>(
        &self,
        inner: &Range<usize>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Option<T> {
        self.section.mistake(self.inner(inner), message, hint);
        None
    }

    /// Where a part of the text stands in the file; the whole value where escapes are in between.
    fn inner(&self, inner: &Range<usize>) -> Range<usize> {
        let DeValue::String(text) = self.value else { return self.at.clone() };
        let written = self.section.source.text.get(self.at.clone()).unwrap_or_default();
        let Some(start) = written.find(text.as_ref()).filter(|_| !text.is_empty()) else { return self.at.clone() };
        let from = self.at.start + start;
        let end = inner.end.max(inner.start + 1).min(text.len().max(1));
        from + inner.start.min(text.len().saturating_sub(1))..from + end
    }

    pub(super) fn wrong_kind<T>(&self, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.refuse(format!("`{}` has to be {wanted}, not {}.", self.key, kind(found)), None)
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            other => self.wrong_kind("a text in quotes", other),
        }
    }

    pub(super) fn name(&self) -> Option<Name> {
        let text = self.text()?;
        Name::parse(text).or_else(|| {
            self.refuse(
                format!(
                    "`{}` is no name: names are lower-case letters, digits and hyphens, 63 at the most.",
                    quoted(text)
                ),
                Some(format!("for example \"{}\"", Name::slug(text))),
            )
        })
    }

    pub(super) fn duration(&self, range: &RangeInclusive<Duration>) -> Option<Duration> {
        match units::duration(self.text()?) {
            Ok(span) if range.contains(&span) => Some(span),
            Ok(_) => self.refuse(
                format!(
                    "`{}` has to be from {} to {}.",
                    self.key,
                    units::shown(*range.start()),
                    units::shown(*range.end())
                ),
                None,
            ),
            Err(why) => self.refuse(
                format!("`{}` is no duration: {why}.", self.key),
                Some("for example \"15m\", \"12h\"".to_owned()),
            ),
        }
    }

    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).or_else(|| {
            let near = super::keys::nearest(text, words.iter().map(|(word, _)| *word));
            let hint =
                near.map_or_else(|| format!("one of {}", known.join(", ")), |word| format!("did you mean \"{word}\"?"));
            self.refuse(format!("`{}` cannot be \"{}\".", self.key, quoted(text)), Some(hint))
        })
    }

    pub(super) fn section(&self) -> &Section<'a> {
        &self.section
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
