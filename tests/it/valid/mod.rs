//! What is published is valid, whatever came in: each rule is that of a standard, or one that the W3C's feed validator holds
//! documents to, restated here with its clause. Documents are read by parsers that are not ours.

#![allow(clippy::print_stdout, reason = "says what was looked at, and that it was not")]

mod rules;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::parse_corpus::{corpus, sorted};
use crate::support::daemon::{Answer, Daemon, Installation, PATIENCE};
use crate::support::origin::{Origin, Reply};

pub(crate) use self::rules::atom;
use self::rules::{json_feed, rss};

/// As a reader asks that is told to try again in a moment: a page of the corpus is work, and others may be at theirs.
fn answer(daemon: &Daemon, path: &str) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = daemon.get(path);
        if answer.status != 503 || begun.elapsed() > 4 * PATIENCE {
            return answer;
        }
    }
}

/// What is wrong with the three documents of one page of a stream.
pub(crate) fn problems(daemon: &Daemon, stream: &str, query: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut ids: Vec<Vec<String>> = Vec::new();
    for (ending, kind) in
        [("atom", "application/atom+xml"), ("rss", "application/rss+xml"), ("json", "application/feed+json")]
    {
        let path = format!("/{stream}.{ending}{query}");
        let answer = self::answer(daemon, &path);
        let mut say = |what: String| out.push(format!("{path}: {what}"));
        if answer.status != 200 || !answer.header("content-type").is_some_and(|value| value.starts_with(kind)) {
            say(format!("{} as {:?}", answer.status, answer.header("content-type")));
            continue;
        }
        let Ok(text) = std::str::from_utf8(&answer.body) else {
            say("it is no UTF-8".to_owned());
            continue;
        };
        let (found, of) = match ending {
            "atom" => atom(text),
            "rss" => rss(text),
            _ => json_feed(text),
        };
        found.0.into_iter().for_each(say);
        ids.push(of);
    }
    // The same stories in the same order; the Atom feed has what is in no archive yet besides.
    if let [atom, rss, json] = &*ids {
        let missing = rss.iter().filter(|id| !atom.contains(id)).count();
        if rss != json || missing > 0 {
            out.push(format!("/{stream}{query}: the documents have different stories ({missing} are missing)"));
        }
    }
    out
}

/// Every document of the corpus, and its class.
fn documents(root: &Path) -> Vec<(String, PathBuf)> {
    let classes = sorted(root).into_iter().filter(|path| path.is_dir());
    let feeds = classes.flat_map(|class| {
        let name = class.file_name().unwrap().to_string_lossy().into_owned();
        let files = sorted(&class).into_iter().filter(|path| path.extension().is_some_and(|end| end == "feed"));
        files.map(move |file| (name.clone(), file)).collect::<Vec<_>>()
    });
    feeds.collect()
}

const COMMON: &str = "schedule = \"@yearly\"\nspread = false\nconcurrency = 64\nper_host = 64\n[identity]\nresolve = []\n\
                      [[stream]]\nname = \"all\"\nlimit = 50\n";

/// Walks through all of a stream and gathers what is wrong.
fn walk(daemon: &Daemon, stream: &str) -> (usize, Vec<String>) {
    let (mut query, mut found, mut stories) = (String::new(), Vec::new(), 0);
    let mut seen = HashSet::new();
    loop {
        found.extend(problems(daemon, stream, &query));
        let page = answer(daemon, &format!("/{stream}.json{query}"));
        let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap_or_else(|e| panic!("{query}: {e}"));
        stories += page["items"].as_array().unwrap_or_else(|| panic!("/{stream}.json{query}: {page}")).len();
        let Some(next) = page["next_url"].as_str() else { return (stories, found) };
        // JSON Feed 1.1, top-level: a client that follows next_url comes to an end.
        assert!(seen.insert(next.to_owned()), "{next} comes twice");
        query = format!("?{}", next.split_once('?').unwrap().1);
    }
}

/// Looks at the archives of `all`, from the latest on, and counts them (RFC 5005 section 4).
fn archives(daemon: &Daemon, found: &mut Vec<String>) -> usize {
    let (mut path, mut count) = ("/all.atom".to_owned(), 0);
    loop {
        let page = answer(daemon, &path).text();
        let (problems, _) = atom(&page);
        found.extend(problems.0.into_iter().map(|problem| format!("{path}: {problem}")));
        let Some(link) = page.split("<link rel=\"prev-archive\"").nth(1) else { return count };
        let href = link.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        path = format!("/all/archive/{}", href.rsplit('/').next().unwrap());
        count += 1;
    }
}

#[test]
fn the_whole_corpus_comes_out_valid() {
    let Some(root) = corpus() else { return };
    let documents = documents(&root);
    let origin = Origin::start();
    let mut config = COMMON.to_owned();
    let mut classes = BTreeMap::new();
    for (n, (class, file)) in documents.iter().enumerate() {
        let headers: Value = std::fs::read(file.with_extension("headers.json"))
            .map(|bytes| serde_json::from_slice(&bytes).unwrap())
            .unwrap_or_default();
        let mut reply = Reply::ok(std::fs::read(file).unwrap());
        for (name, header) in [("content-type", "Content-Type"), ("content-location", "Content-Location")] {
            if let Some(value) = headers[name].as_str().filter(|value| !value.contains(['\r', '\n'])) {
                reply = reply.header(header, value);
            }
        }
        origin.route(&format!("/{n}"), reply);
        let url = origin.url(&format!("/{n}"));
        let _ = write!(config, "[[feed]]\nname = \"f{n}\"\nurl = \"{url}\"\ntags = [\"{class}\"]\n");
        classes.entry(class.clone()).or_insert(0_usize);
    }
    for class in classes.keys() {
        let _ = write!(config, "[[stream]]\nname = \"{class}\"\nmatch = 'tag:\"{class}\"'\n");
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    let begun = Instant::now();
    let asked = |daemon: &Daemon| {
        let mut after = String::new();
        let mut count = 0;
        loop {
            let page = daemon.json(&format!("/api/v1/feeds?limit=1000{after}"));
            let feeds = page["feeds"].as_array().unwrap();
            count += feeds.iter().filter(|feed| feed.get("last_attempt").is_some()).count();
            let Some(next) = page["next"].as_str() else { return count };
            after = format!("&after={next}");
        }
    };
    while asked(&daemon) < documents.len() {
        assert!(begun.elapsed() < Duration::from_secs(600), "{} of {}", asked(&daemon), documents.len());
        std::thread::sleep(Duration::from_secs(1));
    }
    let (stories, mut found) = walk(&daemon, "all");
    for class in classes.keys() {
        found.extend(problems(&daemon, class, ""));
    }
    let archives = archives(&daemon, &mut found);
    assert!(archives > 100, "{archives} archives");
    println!("{} documents, {stories} stories, {} streams", documents.len(), classes.len() + 1);
    assert!(stories > 5_000, "{stories}");
    if let Ok(folder) = std::env::var("FEEDMILL_KEEP") {
        keep(&daemon, Path::new(&folder), classes.keys());
    }
    assert!(
        found.is_empty(),
        "{} problems:\n{}",
        found.len(),
        found.iter().take(60).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// For other people's validators (`.ci/peers`): every document of every stream, and all pages of `all`.
fn keep<'a>(daemon: &Daemon, folder: &Path, classes: impl Iterator<Item = &'a String>) {
    std::fs::create_dir_all(folder).unwrap();
    let write = |name: &str, query: &str, to: &str| {
        for ending in ["atom", "rss", "json"] {
            let body = daemon.get(&format!("/{name}.{ending}{query}")).body;
            std::fs::write(folder.join(format!("{to}.{ending}")), body).unwrap();
        }
    };
    classes.for_each(|class| write(class, "", class));
    let (mut query, mut n) = (String::new(), 0);
    loop {
        write("all", &query, &format!("all-{n}"));
        let page = daemon.json(&format!("/all.json{query}"));
        let Some(next) = page["next_url"].as_str() else { return };
        (query, n) = (format!("?{}", next.split_once('?').unwrap().1), n + 1);
    }
}

/// Text that breaks documents, in every place that takes one.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "]]>",
        "<![CDATA[x]]>",
        "&bogus; &#0; &#x1F; &amp;lt;",
        "a\u{0}b\u{1}c\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{85}",
        "\u{fffe}\u{ffff}",
        "\u{202e}evil\u{2066}",
        "\u{feff}bom",
        "-->",
        "<!--",
        "<?xml version='1.0'?>",
        "\" ' < > &",
        "\u{200b}",
        " \n\t ",
        "\u{d7ff}\u{e000}\u{10ffff}",
        "e\u{301}\u{1f468}\u{200d}\u{1f469}",
        "\\ud800 \\udfff",
        "</title></item></entry></rss>",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(1 << 20));
    texts.push("<b>".repeat(20_000));
    texts
}

#[test]
fn hostile_text_in_every_place_never_breaks_a_document() {
    let items: Vec<Value> = hostile()
        .iter()
        .enumerate()
        .map(|(n, text)| {
            serde_json::json!({
                "id": format!("{n} {}", text.chars().take(2000).collect::<String>()), "url": format!("https://e.example/{n}"), "external_url": text,
                "title": text, "summary": text, "content_html": text, "authors": [{"name": text, "url": text, "avatar": text}],
                "tags": [text], "image": text, "language": text.chars().take(20).collect::<String>(),
                "attachments": [{"url": text, "mime_type": text, "title": text}, {"url": format!("https://e.example/{n}.mp3"), "mime_type": text}]
            })
        })
        .collect();
    // Lone surrogates can be written in JSON only as escapes, which serde would not.
    let text = serde_json::json!({"version": "https://jsonfeed.org/version/1.1", "title": "]]>\u{1}&", "items": items})
        .to_string();
    let text = text.replace("\\\\ud800", "\\ud800").replace("\\\\udfff", "\\udfff");
    let origin = Origin::start();
    origin.route("/json", Reply::ok(text).header("Content-Type", "application/feed+json"));
    let rows: String = hostile()
        .iter()
        .enumerate()
        .map(|(n, text)| format!("<item><guid>r{n}</guid><title>{text}</title><description>{text}</description><category domain=\"{text}\">{text}</category></item>\n"))
        .collect();
    let rss = format!("<rss version=\"2.0\"><channel><title>]]>&#1;</title>{rows}</channel></rss>");
    origin.route("/rss", Reply::ok(rss).header("Content-Type", "application/rss+xml"));
    let feeds = format!(
        "[[feed]]\nname = \"j\"\nurl = \"{}\"\nmax_body = \"100MB\"\n[[feed]]\nname = \"r\"\nurl = \"{}\"\nmax_body = \"100MB\"\n",
        origin.url("/json"),
        origin.url("/rss")
    );
    let house = Installation::new(&format!("{COMMON}{feeds}"));
    let daemon = house.start();
    daemon.until("both were read", |d| {
        let list = d.json("/api/v1/feeds");
        list["feeds"].as_array().unwrap().iter().all(|feed| feed["state"] == "ok" && feed.get("last_success").is_some())
    });
    let (stories, found) = walk(&daemon, "all");
    assert!(stories >= hostile().len(), "{stories} stories of {}", hostile().len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
