//! Feeds put into the text of a configuration, and taken out of it: text in, text out.
//!
//! What is not touched stays as it is, byte for byte: `toml_edit` says where everything stands, and only these
//! places are written. What came out is read again and compared, so an edit changes the feeds that were meant, or fails.

use std::ops::Range;

use toml_edit::{Array, Document, InlineTable, Item, Table, Value};
use url::Url;

use super::feed::{split_auth, web_address};
use crate::domain::name::Name;

/// The list of feeds.
const FEED: &str = "feed";
const MARK: char = '\u{feff}';

/// A feed as it is to be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewFeed {
    /// Its address, without credentials.
    pub url: String,
    /// Its name, if it is not to be derived.
    pub name: Option<Name>,
    /// The title that is to override its own.
    pub title: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// User and password, if it asks for them.
    pub credentials: Option<(String, String)>,
}

impl NewFeed {
    /// Keys and values, in the order of the shipped configuration.
    fn pairs(&self) -> Vec<(&'static str, Value)> {
        let mut pairs = vec![("url", Value::from(self.url.as_str()))];
        pairs.extend(self.name.iter().map(|name| ("name", Value::from(name.as_str()))));
        pairs.extend(self.title.iter().map(|title| ("title", Value::from(title.as_str()))));
        if !self.tags.is_empty() {
            pairs.push(("tags", Value::from(self.tags.iter().collect::<Array>())));
        }
        if let Some((user, password)) = &self.credentials {
            pairs.push(("username", Value::from(user.as_str())));
            pairs.push(("password", Value::from(password.as_str())));
        }
        pairs
    }

    fn lines(&self, out: &mut String, end: &str) {
        out.push_str("[[feed]]");
        out.push_str(end);
        for (key, value) in self.pairs() {
            out.push_str(key);
            out.push_str(" = ");
            out.push_str(value.to_string().trim());
            out.push_str(end);
        }
    }

    fn inline(&self) -> String {
        Value::from(self.pairs().into_iter().collect::<InlineTable>()).to_string().trim().to_owned()
    }
}

/// Why a text was not edited.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum EditError {
    /// It cannot be read as TOML: why.
    #[error("it is no TOML: {0}")]
    NoToml(String),
    /// The feed is not in it.
    #[error("there is no [[feed]] with the address {0} in it")]
    NotThere(String),
    /// It is written in a way that cannot be edited without harm to the rest.
    #[error("its feeds are written in a way that can only be edited by hand")]
    Odd,
}

/// Puts feeds behind those that are there, or at the end.
///
/// # Errors
/// See [`EditError`]; nothing of the text was changed.
pub fn add(text: &str, feeds: &[NewFeed]) -> Result<String, EditError> {
    let body = text.strip_prefix(MARK).unwrap_or(text);
    let document = parse(body)?;
    let edited = match document.get(FEED) {
        Some(Item::ArrayOfTables(tables)) => {
            let blocks = tables.iter().last().map(|table| blocks(table, body)).unwrap_or_default();
            let at = blocks.iter().map(|block| block.end).max().unwrap_or(body.len());
            put_tables(body, with_attached(body, at), feeds)
        }
        Some(Item::Value(Value::Array(array))) => put_inline(body, array, feeds).ok_or(EditError::Odd)?,
        Some(_) => return Err(EditError::Odd),
        None => put_tables(body, body.len(), feeds),
    };
    let mut expected = value(body)?;
    let list = expected.entry(FEED).or_insert_with(|| toml::Value::Array(Vec::new()));
    let list = list.as_array_mut().ok_or(EditError::Odd)?;
    let mut added = String::new();
    feeds.iter().for_each(|feed| feed.lines(&mut added, "\n"));
    if let Some(toml::Value::Array(added)) = value(&added)?.remove(FEED) {
        list.extend(added);
    }
    confirmed(text, edited, &expected)
}

/// Takes the feed with this address out, with the comment lines directly above it.
///
/// # Errors
/// See [`EditError`]; nothing of the text was changed.
pub fn remove(text: &str, url: &Url) -> Result<String, EditError> {
    let body = text.strip_prefix(MARK).unwrap_or(text);
    let document = parse(body)?;
    let not_there = || EditError::NotThere(url.to_string());
    let (index, edited) = match document.get(FEED) {
        Some(Item::ArrayOfTables(tables)) => {
            let found = tables.iter().enumerate().find(|(_, table)| is(table.get("url").and_then(Item::as_str), url));
            let (index, table) = found.ok_or_else(not_there)?;
            (index, cut_blocks(body, blocks(table, body)))
        }
        Some(Item::Value(Value::Array(array))) => {
            let address =
                |value: &Value| value.as_inline_table().and_then(|table| table.get("url")?.as_str().map(str::to_owned));
            let found = array.iter().enumerate().find(|(_, value)| is(address(value).as_deref(), url));
            let (index, value) = found.ok_or_else(not_there)?;
            (index, cut_inline(body, value.span().ok_or(EditError::Odd)?))
        }
        _ => return Err(not_there()),
    };
    let mut expected = value(body)?;
    let list = expected.get_mut(FEED).and_then(toml::Value::as_array_mut).ok_or(EditError::Odd)?;
    if index < list.len() {
        list.remove(index);
    }
    if list.is_empty() && matches!(document.get(FEED), Some(Item::ArrayOfTables(_))) {
        expected.remove(FEED);
    }
    confirmed(text, edited, &expected)
}

/// Whether this address, as written, is that of a feed.
fn is(written: Option<&str>, url: &Url) -> bool {
    written.and_then(|written| web_address(written).ok()).is_some_and(|written| split_auth(written).0 == *url)
}

fn parse(text: &str) -> Result<Document<&str>, EditError> {
    Document::parse(text).map_err(|e| EditError::NoToml(e.message().to_owned()))
}

fn value(text: &str) -> Result<toml::Table, EditError> {
    text.parse().map_err(|e: toml::de::Error| EditError::NoToml(e.message().to_owned()))
}

/// The edited text, if it means what was meant.
fn confirmed(before: &str, edited: String, expected: &toml::Table) -> Result<String, EditError> {
    if value(&edited).ok().as_ref() != Some(expected) {
        return Err(EditError::Odd);
    }
    Ok(if before.starts_with(MARK) { format!("{MARK}{edited}") } else { edited })
}

/// How lines end in a text.
fn line_end(text: &str) -> &'static str {
    let first = text.find('\n').and_then(|at| text.get(..at));
    if first.is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" }
}

/// Tables at a place where a line begins.
fn put_tables(text: &str, at: usize, feeds: &[NewFeed]) -> String {
    let end = line_end(text);
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let mut out = before.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(end);
    }
    for feed in feeds {
        if !out.is_empty() && !ends_in_blank(&out) {
            out.push_str(end);
        }
        feed.lines(&mut out, end);
    }
    if !after.is_empty() && !after.starts_with(['\n', '\r']) {
        out.push_str(end);
    }
    out + after
}

fn ends_in_blank(text: &str) -> bool {
    let last = text.strip_suffix('\n').unwrap_or(text).rsplit('\n').next().unwrap_or_default();
    last.trim().is_empty()
}

/// Elements of an array that is written out.
fn put_inline(text: &str, array: &Array, feeds: &[NewFeed]) -> Option<String> {
    let place = array.span()?;
    let close = place.end.checked_sub(1)?;
    let items: Vec<String> = feeds.iter().map(NewFeed::inline).collect();
    let last = array.iter().last().and_then(Value::span);
    let head = text.get(..last.as_ref().map_or(place.start + 1, |last| last.end))?;
    let rest = text.get(head.len()..close)?;
    let tail = text.get(close..)?;
    let line = line_start(text, close);
    let own_line = line > place.start && text.get(line..close)?.trim().is_empty();
    if !own_line {
        let comma = if last.is_some() { ", " } else { "" };
        // A comment would swallow what stands behind it.
        return (!rest.contains('#')).then(|| format!("{head}{comma}{}{rest}{tail}", items.join(", ")));
    }
    let end = line_end(text);
    let comma = if last.is_some() && !array.trailing_comma() { "," } else { "" };
    let indent = last.as_ref().map(|last| text.get(line_start(text, last.start)..last.start).unwrap_or_default());
    let indent = indent.filter(|indent| indent.trim().is_empty()).unwrap_or("    ");
    let lines: String = items.iter().map(|item| format!("{indent}{item},{end}")).collect();
    let rest = text.get(head.len()..line)?;
    Some(format!("{head}{comma}{rest}{lines}{}", text.get(line..)?))
}

/// The whole lines of a table: its header and values, and each table within it that has a header of its own.
fn blocks(table: &Table, text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    gather(table, &mut blocks);
    blocks.into_iter().map(|block| line_start(text, block.start)..next_line(text, block.end)).collect()
}

fn gather(table: &Table, blocks: &mut Vec<Range<usize>>) {
    if let Some(header) = table.span() {
        let mut end = header.end;
        reach(table, &mut end);
        blocks.push(header.start..end);
    }
    inner(table, blocks);
}

/// Where the values of a table end, those of dotted keys too.
fn reach(table: &Table, end: &mut usize) {
    for (_, item) in table {
        match item {
            Item::Value(value) => *end = value.span().map_or(*end, |span| span.end.max(*end)),
            Item::Table(dotted) if dotted.is_dotted() => reach(dotted, end),
            _ => {}
        }
    }
}

fn inner(table: &Table, blocks: &mut Vec<Range<usize>>) {
    for (_, item) in table {
        match item {
            Item::Table(dotted) if dotted.is_dotted() => inner(dotted, blocks),
            Item::Table(inner) => gather(inner, blocks),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| gather(table, blocks)),
            _ => {}
        }
    }
}

/// The text without these lines, the comments that belong to them, and the blank lines that are then too many.
fn cut_blocks(text: &str, mut blocks: Vec<Range<usize>>) -> String {
    blocks.sort_by_key(|block| block.start);
    let mut out = text.to_owned();
    for block in blocks.into_iter().rev() {
        let start = above(text, block.start);
        let end = with_attached(text, block.end);
        out.replace_range(margins(&out, start..end), "");
    }
    out
}

/// Comment lines directly above a line.
fn above(text: &str, mut at: usize) -> usize {
    while at > 0 {
        let line = line_start(text, at - 1);
        if !text.get(line..at).unwrap_or_default().trim_start().starts_with('#') {
            break;
        }
        at = line;
    }
    at
}

/// Comment lines directly below, unless they stand directly above something else: a key that was switched off.
fn with_attached(text: &str, at: usize) -> usize {
    let mut end = at;
    loop {
        let next = next_line(text, end);
        let line = text.get(end..next).unwrap_or_default().trim();
        match line.chars().next() {
            Some('#') => end = next,
            Some(_) => return at,
            None => return end,
        }
    }
}

/// With the blank lines behind it, where there are some before it too, or nothing is; with those before it, where
/// nothing follows.
fn margins(text: &str, place: Range<usize>) -> Range<usize> {
    let (before, after) = (text.get(..place.start).unwrap_or_default(), text.get(place.end..).unwrap_or_default());
    if after.trim().is_empty() {
        let kept = before.trim_end().len();
        return next_line(text, kept).min(place.start)..text.len();
    }
    if !before.is_empty() && !ends_in_blank(before) {
        return place;
    }
    let mut end = place.end;
    while end < text.len() && text.get(end..next_line(text, end)).unwrap_or_default().trim().is_empty() {
        end = next_line(text, end);
    }
    place.start..end
}

/// The text without an element of an array: with its lines, where it has them to itself, else with one comma.
fn cut_inline(text: &str, place: Range<usize>) -> String {
    let (start, end) = (line_start(text, place.start), next_line(text, place.end));
    let alone = text.get(start..place.start).unwrap_or_default().trim().is_empty();
    let rest = text.get(place.end..end).unwrap_or_default().trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let mut out = text.to_owned();
    if alone && start > 0 && (rest.is_empty() || rest.starts_with('#')) {
        out.replace_range(above(text, start)..end, "");
        return out;
    }
    let after = text.get(place.end..).unwrap_or_default();
    let spaces = after.len() - after.trim_start_matches([' ', '\t']).len();
    let cut = match after.trim_start_matches([' ', '\t']).strip_prefix(',') {
        Some(rest) => place.start..text.len() - rest.trim_start_matches([' ', '\t']).len(),
        None => {
            let before = text.get(..place.start).unwrap_or_default().trim_end();
            before.strip_suffix(',').unwrap_or(before).len()..place.end + if before.ends_with('[') { spaces } else { 0 }
        }
    };
    out.replace_range(cut, "");
    out
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Where the line after this place begins.
fn next_line(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end + 1)
}

#[cfg(test)]
mod tests;
