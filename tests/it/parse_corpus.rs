//! The parser against the corpus of real and broken feeds: it never panics, and it does not read worse than it did.
//!
//! The corpus is beside the project (`FEEDMILL_CORPUS`, else `../shared/corpus`); its README has the rules of comparison.

#![allow(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of a test: the exemption for tests covers test functions only"
)]

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use feedmill::domain::time::Timestamp;
use feedmill::parse::{Shape, parse, shape};
use feedmill::sanitize;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use url::Url;

/// Least share of cases, in per cent, that must pass; a class that is not named has that of "each".
///
/// What remains, and why: links that are no addresses for people (`tag:`, `urn:`, `mailto:`, `javascript:`; 5), ids resolved
/// against a base where ours are kept as written (4), the last of several channel links (3), `self` as the feed's page (2),
/// values of one reader that are no better (mojibake kept, items not found, a comma in a name, a zone of one's own, made-up elements,
/// `media:description` beside a description; 6), an Atom category document (1).
const FLOORS: [(&str, usize); 4] = [("real-popular", 100), ("real-world", 99), ("all", 99), ("each", 90)];

/// Its three cases want an item's title as the feed's, from a reader that lost its way; text and encoding are read.
const WRONG: &str = "illformed-chardet";

#[test]
fn the_corpus_is_read_without_a_panic_and_no_worse_than_before() {
    let Some(root) = corpus() else { return };
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut panics = Vec::new();
    let show = std::env::var("FEEDMILL_CORPUS_SHOW").unwrap_or_default();
    for class in sorted(&root).into_iter().filter(|path| path.is_dir()) {
        let name = class.file_name().unwrap().to_string_lossy().into_owned();
        for file in sorted(&class).into_iter().filter(|path| path.extension().is_some_and(|end| end == "feed")) {
            let (passed, total) = classes.entry(name.clone()).or_default();
            *total += 1;
            match catch_unwind(|| judge(&file)) {
                Ok(Ok(())) => *passed += 1,
                Ok(Err(why)) if show == name || show == "all" => println!("{}: {why}", file.display()),
                Ok(Err(_)) => {}
                Err(_) => panics.push(file.display().to_string()),
            }
        }
    }
    let sum = classes.values().fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
    classes.insert("all".to_owned(), sum);
    for (class, (passed, total)) in &classes {
        println!("{class:<28} {passed:>5} of {total:>5}  {:>5.1} %", 100.0 * *passed as f64 / *total as f64);
    }
    assert!(panics.is_empty(), "panicked on {panics:?}");
    for (class, (passed, total)) in &classes {
        let floor = FLOORS.iter().find(|(name, _)| name == class).unwrap_or(&FLOORS[3]).1;
        assert!(
            class == WRONG || passed * 100 >= floor * total,
            "{class}: {passed} of {total} pass, less than {floor} %"
        );
    }
}

pub(crate) fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("parse");
    if !root.is_dir() {
        println!("skipped: no corpus at {}", root.display());
        return None;
    }
    Some(root)
}

pub(crate) fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Compares one case; says what differs first.
fn judge(file: &Path) -> Result<(), String> {
    let read = |end: &str| fs::read(file.with_extension(end)).ok();
    let json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    let expected = json(read("expected.json").unwrap());
    let headers = read("headers.json").map(json).unwrap_or_default();
    let base = headers["base"].as_str().and_then(|base| Url::parse(base).ok());
    let got = shape(&parse(&read("feed").unwrap(), headers["content-type"].as_str(), base.as_ref()));
    if Some(got.ok) != expected["ok"].as_bool() {
        return Err(format!("ok is {}, {}", got.ok, got.error.unwrap_or_default()));
    }
    if !got.ok {
        return Ok(());
    }
    compare(&got, &expected)
}

fn compare(got: &Shape, expected: &Value) -> Result<(), String> {
    let feed = &expected["feed"];
    text("feed.title", &feed["title"], &[&got.feed.title])?;
    link("feed.link", &feed["link"], got.feed.link.as_deref())?;
    id("feed.id", &feed["id"], got.feed.id.as_deref())?;
    time("feed.updated", &feed["updated"], &[got.feed.updated.map(Timestamp::rfc3339)])?;
    let language = |text: &str| text.to_lowercase();
    same("feed.language", feed["language"].as_str().map(language), got.feed.language.as_deref().map(language))?;
    if let Some(count) = expected["n_entries"].as_u64() {
        same("n_entries", Some(count.to_string()), Some(got.n_entries.to_string()))?;
    }
    for (at, entry) in expected["entries"].as_array().unwrap().iter().enumerate() {
        let got = got.entries.get(at).ok_or(format!("entry {at} is missing"))?;
        compare_entry(got, entry).map_err(|why| format!("entry {at}: {why}"))?;
    }
    Ok(())
}

fn compare_entry(got: &feedmill::parse::EntryShape, expected: &Value) -> Result<(), String> {
    id("id", &expected["id"], got.id.as_deref())?;
    // The corpus has the link's own element, and an original link apart from it.
    let written = got.proxy_link.as_deref().or(got.link.as_deref());
    link("link", &expected["link"], got.link.as_deref()).or_else(|_| link("link", &expected["link"], written))?;
    text("title", &expected["title"], &[&got.title])?;
    text("summary", &expected["summary"], &[&got.summary, &got.content])?;
    text("content", &expected["content"], &[&got.content, &got.summary])?;
    let [published, updated] = [got.published, got.updated].map(|at| at.map(Timestamp::rfc3339));
    if expected["published"].is_string() && expected["updated"].is_string() {
        time("published", &expected["published"], &[published])?;
        time("updated", &expected["updated"], &[updated])?;
    } else {
        let either = [published, updated];
        time("published", &expected["published"], &either)?;
        time("updated", &expected["updated"], &either)?;
    }
    let names = reduce(&got.authors.join(" "));
    for author in list(&expected["authors"]) {
        if !names.contains(&reduce(author.as_str().unwrap())) {
            return Err(format!("author {author} is not in {:?}", got.authors));
        }
    }
    let terms: Vec<String> = got.categories.iter().map(|term| reduce(term)).collect();
    for term in list(&expected["categories"]) {
        if !terms.contains(&reduce(term.as_str().unwrap())) {
            return Err(format!("category {term} is not in {:?}", got.categories));
        }
    }
    for wanted in list(&expected["enclosures"]) {
        let fits = got.enclosures.iter().any(|row| {
            let kind = wanted["type"].as_str().filter(|kind| !kind.is_empty());
            let length =
                wanted["length"].as_u64().or_else(|| wanted["length"].as_str()?.parse().ok()).filter(|n| *n > 0);
            address(wanted["url"].as_str().unwrap()) == address(&row.url)
                && kind.is_none_or(|kind| row.mime_type.as_deref().is_some_and(|got| got.eq_ignore_ascii_case(kind)))
                && length.is_none_or(|length| row.length == Some(length))
        });
        if !fits {
            return Err(format!("enclosure {wanted} is not in {:?}", got.enclosures));
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn same(what: &str, expected: Option<String>, got: Option<String>) -> Result<(), String> {
    match expected {
        Some(expected) if Some(&expected) != got.as_ref() => Err(format!("{what} is {got:?}, not {expected:?}")),
        _ => Ok(()),
    }
}

fn time(what: &str, expected: &Value, got: &[Option<String>]) -> Result<(), String> {
    let Some(expected) = expected.as_str() else { return Ok(()) };
    let fits = got.iter().flatten().any(|got| got == expected);
    if fits { Ok(()) } else { Err(format!("{what} is {got:?}, not {expected:?}")) }
}

fn link(what: &str, expected: &Value, got: Option<&str>) -> Result<(), String> {
    same(what, expected.as_str().map(address), got.map(address))
}

fn id(what: &str, expected: &Value, got: Option<&str>) -> Result<(), String> {
    let Some(expected) = expected.as_str() else { return Ok(()) };
    if got.is_some_and(|got| got.trim() == expected.trim()) {
        return Ok(());
    }
    same(what, Some(address(expected)), got.map(address))
}

fn address(text: &str) -> String {
    Url::parse(text.trim()).map_or_else(|_| text.trim().to_owned(), String::from)
}

fn text(what: &str, expected: &Value, got: &[&Option<String>]) -> Result<(), String> {
    let found = || got.iter().map(|text| reduce(text.as_deref().unwrap_or_default()));
    let fits = match expected {
        Value::String(expected) => {
            let expected = reduce(expected);
            found().any(|got| got == expected)
        }
        Value::Object(long) => {
            let prefix = reduce(long["prefix"].as_str().unwrap());
            let chars = usize::try_from(long["chars"].as_u64().unwrap()).unwrap();
            let slack = (chars / 20).max(20);
            found().any(|got| got.starts_with(&prefix) && got.chars().count().abs_diff(chars) <= slack)
        }
        _ => return Ok(()),
    };
    if fits {
        return Ok(());
    }
    let shown = |text: &str| text.chars().take(90).collect::<String>();
    let got: Vec<String> = got.iter().map(|text| shown(text.as_deref().unwrap_or("(none)"))).collect();
    Err(format!("{what} is {got:?}, not {:?}", shown(&expected.to_string())))
}

/// The text that a reader sees, without white space: the README's rule 1, with the sanitiser's own reading of references.
fn reduce(text: &str) -> String {
    let mut text = text.replace("<![CDATA[", "").replace("]]>", "");
    for _ in 0..4 {
        let next = references(&without_tags(&text));
        if next == text {
            break;
        }
        text = next;
    }
    let unseen = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '\u{A0}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
    };
    text.nfc().filter(|c| !unseen(*c)).collect()
}

fn without_tags(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, here) = rest.split_at(at);
        kept.push_str(before);
        let lower = here.get(..8).unwrap_or(here).to_ascii_lowercase();
        let until = |end: &str| here.to_ascii_lowercase().find(end).map(|at| at + end.len());
        let block = if lower.starts_with("<script") {
            until("</script>")
        } else if lower.starts_with("<style") {
            until("</style>")
        } else if lower.starts_with("<!--") {
            until("-->")
        } else {
            None
        };
        let tag = || {
            let name = here[1..].strip_prefix('/').unwrap_or(&here[1..]);
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic()) || here[1..].starts_with(['!', '?']);
            let end = here[1..].find(['<', '>'])? + 1;
            (starts && here[end..].starts_with('>')).then_some(end + 1)
        };
        let length = block.or_else(tag);
        if length.is_none() {
            kept.push('<');
        }
        rest = &here[length.unwrap_or(1)..];
    }
    kept.push_str(rest);
    kept
}

fn references(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    sanitize::text(&text.replace('<', "&#60;"))
}
