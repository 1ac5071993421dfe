//! JSON Feed 1.1: the specification's own words as rules, which its schema says less of.
//!
//! What it calls required, or says that must be or must not. *Row*: a rule below, which a row of the test at the end breaks.
//! *Closed*: the member is not written at all.
//!
//! | JSON Feed 1.1, section | who writes must | held by |
//! |---|---|---|
//! | Top-level | have `version`, the URL of the version, `title`, a string, and `items`, an array | rows `top-level: …` |
//! | the same, `next_url` | never repeat `feed_url` or an earlier `next_url` | row `next_url`; `walk` of the documents |
//! | the same, `authors` | give each one of name, url, avatar | row `authors` |
//! | the same, `language` | write tags of RFC 5646 | row `RFC 5646` |
//! | the same, `hubs` | give each `type` and `url` | closed |
//! | Items, `id` | have one, a string, unique and never used again | rows `id is …`; `ids_are_published_byte_for_byte_in_all_formats` |
//! | the same, `content_html`, `content_text` | have one of them, and HTML in the former only | row `content_html or content_text`; design 6.16 |
//! | the same, dates | write dates of RFC 3339 | row `RFC 3339` |
//! | the same, `tags` | write strings | row `tags` |
//! | Attachments | have `url` and `mime_type`; sizes and durations are numbers | rows `attachments: …` |
//! | Extensions | begin names with `_` and a letter, and their members' with none; no dot in either | rows `extensions: …` |
//! | Deprecations | write `authors` where `author` was | row `extensions: no other member` |
//! | Suggestions | (should) serve UTF-8 as `application/feed+json` | `super::super::problems` |

use std::collections::HashSet;

use chrono::DateTime;
use serde_json::Value;

use super::{Problems, harmful, is_language, is_media_type, is_uri};

const FEED: &[&str] = &[
    "version",
    "title",
    "home_page_url",
    "feed_url",
    "description",
    "user_comment",
    "next_url",
    "icon",
    "favicon",
    "authors",
    "language",
    "expired",
    "hubs",
    "items",
];
const ITEM: &[&str] = &[
    "id",
    "url",
    "external_url",
    "title",
    "content_html",
    "content_text",
    "summary",
    "image",
    "banner_image",
    "date_published",
    "date_modified",
    "authors",
    "tags",
    "language",
    "attachments",
];

/// What is wrong with a JSON Feed, and the ids of its items.
pub(crate) fn json_feed(document: &str) -> (Problems, Vec<String>) {
    let mut problems = Problems::default();
    let feed: Value = match serde_json::from_str(document) {
        Ok(feed) => feed,
        Err(error) => return (Problems(vec![format!("RFC 8259: {error}")]), Vec::new()),
    };
    problems.must(
        document.starts_with("{\"version\":"),
        "design 6.16: version comes first",
        &document[..20.min(document.len())],
    );
    problems.must(
        feed["version"] == "https://jsonfeed.org/version/1.1",
        "JSON Feed 1.1, top-level: version",
        &feed["version"],
    );
    problems.must(
        feed["title"].as_str().is_some_and(|title| !title.is_empty()),
        "JSON Feed 1.1, top-level: title",
        &feed["title"],
    );
    members(&mut problems, &feed, FEED);
    for name in ["home_page_url", "feed_url", "next_url", "icon", "favicon"] {
        address(&mut problems, &feed, name);
    }
    problems.must(
        feed["next_url"].is_null() || feed["next_url"] != feed["feed_url"],
        "JSON Feed 1.1, top-level: next_url is not feed_url",
        &feed["next_url"],
    );
    let Some(items) = feed["items"].as_array() else {
        problems.must(false, "JSON Feed 1.1, top-level: items is an array", &feed["items"]);
        return (problems, Vec::new());
    };
    items.iter().for_each(|item| self::item(&mut problems, item));
    let ids: Vec<String> = items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect();
    let distinct: HashSet<&String> = ids.iter().collect();
    problems.must(
        distinct.len() == items.len(),
        "JSON Feed 1.1, items: an id is unique for that item",
        items.len() - distinct.len(),
    );
    (problems, ids)
}

/// Members that are known, or extensions: objects whose names begin with `_` and a letter, without a dot.
fn members(problems: &mut Problems, object: &Value, known: &[&str]) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let letter = name.strip_prefix('_').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
        let extension = letter && !name.contains('.') && value.is_object();
        problems.must(known.contains(&&**name) || extension, "JSON Feed 1.1, extensions: no other member", name);
        let odd = value
            .as_object()
            .filter(|_| extension)
            .and_then(|within| within.keys().find(|key| key.starts_with('_') || key.contains('.')));
        problems.must(odd.is_none(), "JSON Feed 1.1, extensions: members of one have plain names", odd);
        problems.must(!value.is_null(), "JSON Feed 1.1: what is not known is absent", name);
    }
}

fn address(problems: &mut Problems, object: &Value, name: &str) {
    let value = &object[name];
    problems.must(value.is_null() || value.as_str().is_some_and(is_uri), "JSON Feed 1.1: a URL", (name, value));
}

fn item(problems: &mut Problems, item: &Value) {
    members(problems, item, ITEM);
    let string = |name: &str| item[name].as_str();
    problems.must(
        string("id").is_some_and(|id| !id.is_empty()),
        "JSON Feed 1.1, items: id is required, a string",
        &item["id"],
    );
    for name in ["url", "external_url", "image", "banner_image"] {
        address(problems, item, name);
    }
    for name in ["title", "content_html", "content_text", "summary", "language"] {
        problems.must(
            item[name].is_null() || item[name].is_string(),
            "JSON Feed 1.1, items: a string",
            (name, &item[name]),
        );
    }
    problems.must(
        string("content_html").or(string("content_text")).is_some(),
        "JSON Feed 1.1, items: content_html or content_text",
        &item["id"],
    );
    let found = string("content_html").and_then(harmful);
    problems.must(found.is_none(), "JSON Feed 1.1, security: harmless HTML with absolute addresses", found);
    for name in ["date_published", "date_modified"] {
        let value = &item[name];
        let good = value.is_null() || value.as_str().is_some_and(|date| DateTime::parse_from_rfc3339(date).is_ok());
        problems.must(good, "JSON Feed 1.1, items: dates by RFC 3339", (name, value));
    }
    problems.must(
        string("language").is_none_or(is_language),
        "JSON Feed 1.1, items: language by RFC 5646",
        &item["language"],
    );
    let tags = &item["tags"];
    problems.must(
        tags.is_null() || tags.as_array().is_some_and(|tags| tags.iter().all(Value::is_string)),
        "JSON Feed 1.1, items: tags are strings",
        tags,
    );
    for author in item["authors"].as_array().into_iter().flatten() {
        members(problems, author, &["name", "url", "avatar"]);
        let object = author.as_object();
        problems.must(
            object.is_some_and(|author| !author.is_empty()),
            "JSON Feed 1.1, authors: at least one member",
            author,
        );
        address(problems, author, "url");
        address(problems, author, "avatar");
    }
    for file in item["attachments"].as_array().into_iter().flatten() {
        members(problems, file, &["url", "mime_type", "title", "size_in_bytes", "duration_in_seconds"]);
        problems.must(file["url"].as_str().is_some_and(is_uri), "JSON Feed 1.1, attachments: url is required", file);
        problems.must(
            file["mime_type"].as_str().is_some_and(is_media_type),
            "JSON Feed 1.1, attachments: mime_type is required",
            file,
        );
        for name in ["size_in_bytes", "duration_in_seconds"] {
            problems.must(
                file[name].is_null() || file[name].is_u64(),
                "JSON Feed 1.1, attachments: a number",
                (name, file),
            );
        }
    }
}

#[test]
fn each_rule_of_json_feed_finds_what_breaks_it() {
    let document = r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","home_page_url":"https://a.example/","feed_url":"https://a.example/f","next_url":"https://a.example/f?2","items":[{"id":"1","url":"https://a.example/1","content_html":"<p>x","date_published":"2026-01-02T03:04:05Z","language":"en","tags":["t"],"authors":[{"name":"A"}],"attachments":[{"url":"https://a.example/1.mp3","mime_type":"audio/mpeg","size_in_bytes":5,"duration_in_seconds":6}],"_x":{}}]}"#;
    super::finds(
        json_feed,
        document,
        &[
            ("version/1.1", "version/1", "top-level: version"),
            ("\"version\":\"https://jsonfeed.org/version/1.1\",", "", "top-level: version"),
            ("\"title\":\"T\",", "", "top-level: title"),
            ("\"title\":\"T\",", "\"title\":1,", "top-level: title"),
            ("\"items\":[", "\"entries\":[", "top-level: items is an array"),
            ("https://a.example/f?2", "https://a.example/f", "next_url is not feed_url"),
            ("https://a.example/\"", "a.example\"", "a URL"),
            ("\"id\":\"1\"", "\"id\":1", "id is required"),
            ("\"id\":\"1\",", "", "id is required"),
            ("\"items\":[", "\"items\":[{\"id\":\"1\",\"content_text\":\"y\"},", "id is unique"),
            ("\"content_html\":\"<p>x\"", "\"summary\":\"x\"", "content_html or"),
            ("<p>x", "<script>", "security"),
            ("2026-01-02T03:04:05Z", "2026-01-02", "RFC 3339"),
            ("\"en\"", "\"en_US\"", "RFC 5646"),
            ("[\"t\"]", "[1]", "tags"),
            ("{\"name\":\"A\"}", "{}", "authors"),
            ("\"authors\":[{\"name\":\"A\"}]", "\"author\":{\"name\":\"A\"}", "extensions: no other member"),
            ("\"url\":\"https://a.example/1.mp3\",", "", "attachments: url"),
            ("\"mime_type\":\"audio/mpeg\",", "", "attachments: mime_type"),
            ("\"size_in_bytes\":5", "\"size_in_bytes\":\"5\"", "attachments: a number"),
            ("\"duration_in_seconds\":6", "\"duration_in_seconds\":\"6\"", "attachments: a number"),
            ("\"_x\":{}", "\"_x\":1", "extensions: no other member"),
            ("\"_x\":{}", "\"x\":{}", "extensions: no other member"),
            ("\"_x\":{}", "\"_1\":{}", "extensions: no other member"),
            ("\"_x\":{}", "\"_x.y\":{}", "extensions: no other member"),
            ("\"_x\":{}", "\"_x\":{\"a.b\":1}", "extensions: members of one"),
            ("\"_x\":{}", "\"_x\":{\"_a\":1}", "extensions: members of one"),
            ("\"_x\":{}", "\"image\":null", "absent"),
        ],
    );
}
