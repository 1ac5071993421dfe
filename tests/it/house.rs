//! The house: who may use whom, and which crates stay in which room. Read from the sources, so that a wall
//! that was broken is seen the day it breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// An arrow is "may use". Whoever is not named may use nothing of the crate.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("schedule", &["domain"]),
    ("parse", &["domain"]),
    ("sanitize", &["domain"]),
    ("identity", &["domain"]),
    ("query", &["domain"]),
    ("message", &["domain", "sanitize"]),
    ("config", &["domain", "schedule::cron", "query::syntax", "identity::canonical", "message"]),
    ("fetch", &["domain"]),
    ("store", &["domain", "query::text"]),
    ("poll", &["domain", "schedule", "fetch", "parse", "identity", "query", "sanitize", "store"]),
    ("deliver", &["domain", "fetch::guard", "fetch::failure", "message", "sanitize", "store"]),
    ("publish::render", &["domain", "store::StoreHealth", "store::FeedSizes"]),
    ("publish", &["domain", "query", "sanitize", "store", "ops"]),
    ("ops", &["domain"]),
    (
        "app",
        &[
            "domain", "schedule", "query", "identity", "message", "config", "fetch", "store", "poll", "deliver",
            "publish", "ops",
        ],
    ),
];

/// Crates that only one room (or two) may import.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("reqwest", &["fetch", "deliver"]),
    ("rustls", &["fetch", "config"]),
    ("webpki", &["fetch"]),
    ("axum", &["publish/serve"]),
    ("cron", &["schedule"]),
    ("feed_rs", &["parse"]),
    ("ammonia", &["sanitize"]),
    ("minijinja", &["message"]),
    ("clap", &["cli", "main.rs"]),
];

/// Rooms without clock, network, store and async.
const PURE: &[&str] = &["schedule", "parse", "identity", "query", "sanitize", "message", "publish/render"];

fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs")
                && path.file_name().is_none_or(|n| n != "tests.rs" && n != "samples.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(&root).unwrap().to_owned(), text);
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found");
    files
}

/// Code without comments and without what stands behind `#[cfg(test)]`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// `crate::a::b` in code, braces opened: `use crate::{a, b::c}` counts as both.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + 7..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = &group[..group.find("};").unwrap_or(group.len())];
            found.extend(group.split(',').map(|part| part.trim().to_owned()));
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            found.insert(rest[..end].trim_end_matches(':').to_owned());
        }
    }
    found
}

fn room(path: &Path) -> &'static str {
    let path = path.to_str().unwrap().replace('/', "::").replace(".rs", "");
    let mut rooms: Vec<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    rooms.sort_by_key(|room| std::cmp::Reverse(room.len()));
    rooms.into_iter().find(|room| path == **room || path.starts_with(&format!("{room}::"))).unwrap_or("")
}

#[test]
fn rooms_use_only_those_that_they_may() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if room.is_empty() {
            continue; // cli, main, lib: they may use everything
        }
        let allowed = MAY_USE.iter().find(|(name, _)| *name == room).unwrap().1;
        for used in uses(&code(&text)) {
            let within = |other: &str| used == other || used.starts_with(&format!("{other}::"));
            let own = room.split("::").next().unwrap();
            if !within(own) && !allowed.iter().any(|other| within(other)) {
                broken.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_crate_of_weight_stays_in_its_room() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        for (name, rooms) in ONLY_IN {
            let imports = [format!("use {name}::"), format!("use {name};"), format!(" {name}::"), format!("({name}::")];
            let used = imports.iter().any(|import| code.contains(import.as_str()));
            if used && !rooms.iter().any(|room| path.starts_with(room)) {
                broken.push(format!("{} imports {name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_rooms_have_no_clock_no_network_no_store_and_no_async() {
    const NEVER: &[&str] = &[
        "async fn",
        ".await",
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "std::net::Tcp",
        "tokio::",
        "rusqlite",
        "std::fs::",
    ];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if PURE.iter().any(|room| path.starts_with(room)) {
            let code = code(&text);
            broken.extend(
                NEVER.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_runs_inside_a_transaction_waits_for_nothing() {
    // What the writer runs are plain functions of these files; nothing in them can wait for a network.
    const INSIDE: &[&str] = &[
        "commit", "endpoint", "feeds", "items", "keep", "learn", "measure", "merge", "mint", "outbox", "owe", "past",
        "resolve", "schema", "settle", "streams",
    ];
    let sources = sources();
    for name in INSIDE {
        let code = code(&sources[&PathBuf::from(format!("store/sqlite/{name}.rs"))]);
        for word in [".await", "async ", "reqwest", "std::net::", "tokio::", "sleep("] {
            assert!(!code.contains(word), "store/sqlite/{name}.rs: {word}");
        }
    }
}

#[test]
fn queries_are_read_and_compiled_beside_the_threads_that_serve() {
    // A hundred thousand take a third of a second, and a page of stories some milliseconds to count or to fill from. Whoever serves
    // says so in the same statement; one query by itself is nothing. `once` polls and ends: there is nobody to serve.
    const LONG: &[&str] =
        &["Index::new(", "Index::with_frequencies(", "translate::plan(", "config::load(", "count(&page.items"];
    const ASIDE: &[&str] = &["aside(", "spawn_blocking("];
    let (mut broken, mut seen) = (Vec::new(), BTreeSet::new());
    for (path, text) in sources() {
        // `translate` is plain functions, and no query knows where it is compiled.
        if ["query", "cli", "app/once.rs", "app/translate.rs"].iter().any(|elsewhere| path.starts_with(elsewhere)) {
            continue;
        }
        let code = code(&text);
        for (call, at) in LONG.iter().flat_map(|call| code.match_indices(call).map(move |(at, _)| (*call, at))) {
            let one = code[at..].starts_with("Index::new(std::slice::from_ref(");
            let begun = code[..at].rfind(';').map_or(0, |end| end + 1);
            if !one && !ASIDE.iter().any(|aside| code[begun..at].contains(aside)) {
                broken.push(format!("{}: {call}…)", path.display()));
            }
            seen.insert(call);
        }
    }
    assert!(broken.is_empty(), "on a thread that serves: {}", broken.join("\n"));
    assert_eq!(seen.len() + 1, LONG.len(), "some of these are called something else by now: {seen:?}");
    let translate = code(&sources()[Path::new("app/translate.rs")]);
    assert!(
        translate.contains(LONG[1]) && !translate.contains("async "),
        "translate.rs compiles, and waits for nothing"
    );
}

#[test]
fn only_the_system_clock_reads_the_clock_and_nothing_is_global() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        let clock = code.contains("SystemTime::now(") || code.contains("Utc::now(");
        if clock && path != Path::new("domain/time.rs") {
            broken.push(format!("{} reads the clock", path.display()));
        }
        if code.contains("static mut") || code.contains("thread_local!") {
            broken.push(format!("{} has state of the whole process", path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_room_says_what_it_does_what_it_never_does_and_one_invariant() {
    for (path, text) in sources() {
        if path.file_name().is_some_and(|name| name == "mod.rs") && path.components().count() == 2 {
            let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
            assert!(head.contains("ever"), "{} does not say what it never does", path.display());
            assert!(head.contains("nvariant"), "{} has no invariant", path.display());
        }
    }
}

#[test]
fn files_stay_small_enough_to_be_seen() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines = code(&text).lines().filter(|line| !line.trim().is_empty()).count();
        if lines > 400 {
            long.push(format!("{}: {lines} lines of logic", path.display()));
        }
    }
    // Tables, and the boundary's types and trait: long, but nothing in them has to be seen at once.
    const TABLES: &[&str] = &["store/mod.rs", "domain/shape.rs", "identity/rules.rs"];
    long.retain(|file| !TABLES.iter().any(|table| file.starts_with(table)));
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_map_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let words = map.split(|c: char| c.is_whitespace() || "`(),;:".contains(c));
    let files: BTreeSet<&str> = words.filter(|word| word.contains('/') && word.ends_with(".rs")).collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files.iter().filter(|file| !file.contains(['{', '<'])) {
        assert!(root.join("src").join(file).exists() || root.join(file).exists(), "{file} is not there");
    }
}

#[test]
fn main_is_short() {
    let main = &sources()[Path::new("main.rs")];
    assert!(main.lines().count() <= 60);
}
