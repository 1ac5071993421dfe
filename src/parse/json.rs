//! JSON Feed 1.0 and 1.1, read without a schema: every field may be missing or of another type.
//!
//! feed-rs refuses a whole JSON Feed for one field that is not as it should be, so it is never asked.

use serde_json::{Map, Value};
use url::Url;

use super::limits::{MAX_BODY_BYTES, MAX_ENTRIES, MAX_ID_BYTES, MAX_LIST};
use super::root::not_json_feed;
use super::{Feed, ParseError, Repair, date, json_value, plain};
use crate::domain::feed::FeedInfo;
use crate::domain::item::{Category, Enclosure, Entry, Extras, Person};

type Object = Map<String, Value>;

/// Reads a JSON Feed.
///
/// # Errors
/// A sentence that says what is wrong with the JSON, or that it is something else.
pub(super) fn read(text: &str, base: Option<&Url>, repairs: &mut Vec<Repair>) -> Result<Feed, ParseError> {
    let value = json_value::read(text, repairs)?;
    let Some(root) = value.as_object() else { return Err(not_json_feed("it is no object.")) };
    let Some(items) = root.get("items").and_then(Value::as_array) else {
        return Err(not_json_feed("it has no list of items."));
    };
    let info = FeedInfo {
        title: line(root, "title"),
        description: line(root, "description"),
        home_url: address(root, "home_page_url", base),
        atom_id: None,
        icon: address(root, "icon", base).or_else(|| address(root, "favicon", base)),
        language: line(root, "language"),
        rights: None,
        updated: None,
        authors: authors(root, base),
    };
    // One more than is kept, so that the caller sees that there are more.
    let objects = items.iter().filter_map(Value::as_object);
    let count = objects.clone().count();
    let entries: Vec<Entry> = objects.take(MAX_ENTRIES).map(|item| entry(item, base)).collect();
    if count > entries.len() {
        repairs.push(Repair::new(
            text.len(),
            format!("The document has {count} items; only the first {MAX_ENTRIES} were taken."),
        ));
    }
    Ok(Feed { info, entries, ..Feed::default() })
}

fn entry(item: &Object, base: Option<&Url>) -> Entry {
    let guid = scalar(item, "id").filter(|id| id.len() <= MAX_ID_BYTES);
    let enclosures = attachments(item, base);
    let link = address(item, "url", base)
        .or_else(|| address(item, "external_url", base))
        .or_else(|| plain::guid_url(guid.as_deref()))
        .or_else(|| enclosures.first().map(|enclosure| enclosure.url.clone()));
    let cut = |text: &str| plain::cut(text.trim(), MAX_BODY_BYTES).to_owned();
    let html = text(item, "content_html").map(cut).and_then(plain::filled);
    let plain_text = || text(item, "content_text").map(|text| plain::escape(&cut(text))).and_then(plain::filled);
    Entry {
        proxy_link: None,
        link,
        title: line(item, "title"),
        summary: text(item, "summary").map(|text| plain::escape(&cut(text))).and_then(plain::filled),
        content: html.or_else(plain_text),
        published: text(item, "date_published").and_then(date::parse),
        updated: text(item, "date_modified").and_then(date::parse),
        authors: authors(item, base),
        categories: tags(item),
        image: address(item, "image", base).or_else(|| address(item, "banner_image", base)),
        language: line(item, "language"),
        source: None,
        extras: Extras::default(),
        guid,
        enclosures,
    }
}

fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A string, or a number as a string (JSON Feed 1.1: "if an id is presented as a number, it must be coerced").
fn scalar(object: &Object, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => plain::filled(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Titles are plain text by the standard.
fn line(object: &Object, key: &str) -> Option<String> {
    scalar(object, key).and_then(|text| plain::plain_title(&text))
}

fn address(object: &Object, key: &str, base: Option<&Url>) -> Option<String> {
    text(object, key).and_then(|text| plain::url(text, base))
}

/// `authors` of 1.1, else `author` of 1.0; objects or plain names.
fn authors(object: &Object, base: Option<&Url>) -> Vec<Person> {
    let listed = match object.get("authors") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let people =
        |list: &[Value]| list.iter().take(MAX_LIST).filter_map(|value| person(value, base)).collect::<Vec<_>>();
    let found = people(listed);
    match object.get("author") {
        Some(one) if found.is_empty() => people(std::slice::from_ref(one)),
        _ => found,
    }
}

fn person(value: &Value, base: Option<&Url>) -> Option<Person> {
    let person = match value {
        Value::String(name) => Person { name: plain::plain_title(name), ..Person::default() },
        Value::Object(object) => {
            let url = text(object, "url").map_or("", str::trim);
            let email = url.strip_prefix("mailto:").map(str::to_owned).and_then(plain::filled);
            Person { name: line(object, "name"), email, uri: plain::url(url, base) }
        }
        _ => return None,
    };
    (person != Person::default()).then_some(person)
}

fn tags(item: &Object) -> Vec<Category> {
    let listed = match item.get("tags") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut kept: Vec<Category> = Vec::new();
    for term in listed.iter().take(MAX_LIST).filter_map(Value::as_str).filter_map(plain::plain_title) {
        let category = Category { term, ..Category::default() };
        if !kept.contains(&category) {
            kept.push(category);
        }
    }
    kept
}

fn attachments(item: &Object, base: Option<&Url>) -> Vec<Enclosure> {
    let listed = item.get("attachments").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let read = |value: &Value| {
        let object = value.as_object()?;
        Some(Enclosure {
            url: address(object, "url", base)?,
            mime_type: line(object, "mime_type"),
            length_bytes: scalar(object, "size_in_bytes").and_then(|text| size(&text)),
            duration_s: scalar(object, "duration_in_seconds").and_then(|text| size(&text)),
            title: line(object, "title"),
        })
    };
    listed.iter().take(MAX_LIST).filter_map(read).collect()
}

/// A positive number; a fraction is cut off.
fn size(text: &str) -> Option<u64> {
    text.split('.').next().and_then(|whole| whole.parse().ok()).filter(|size| *size > 0)
}
