//! `ignore` of a feed, through the real program: what is not kept, how it is remembered, and how it is taken back.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

const TAG: &str = "\"one\"";

/// A feed that answers 304 to who has its document.
fn serve(origin: &Origin, path: &str, items: &[(&str, &str)]) {
    let items: Vec<_> = items.iter().map(|(title, link)| story(title, link, link)).collect();
    let document = rss(&items);
    origin.answer(path, move |request| match request.text("if-none-match").as_deref() {
        Some(TAG) => Reply::status(304).header("etag", TAG),
        _ => Reply::ok(document.clone()).header("etag", TAG),
    });
}

struct Case {
    origin: Origin,
    house: Installation,
}

impl Case {
    fn new(ignore: &str) -> Self {
        let origin = Origin::start();
        serve(
            &origin,
            "/a",
            &[
                ("Peace talks", "https://n.example/peace"),
                ("Sponsored: buy", "https://n.example/buy"),
                ("Sponsored tea", "https://n.example/tea"),
            ],
        );
        serve(&origin, "/b", &[("Sponsored tea", "https://n.example/tea")]);
        let case = Self { house: Installation::new(""), origin };
        case.configure(ignore);
        case.poll();
        case
    }

    fn configure(&self, ignore: &str) {
        self.house.configure(&format!(
            "first_import = \"notify\"\nschedule = \"@hourly\"\n[[feed]]\nname = \"a\"\nurl = \"{}\"\n{ignore}\n[[feed]]\nname = \
             \"b\"\nurl = \"{}\"\n[[stream]]\nname = \"all\"\nnotify = [\"desk\"]\n[[webhook]]\nname = \"desk\"\nurl = \
             \"https://hooks.example/\"\nsecret = \"whsec_ZXhwbGFpbi1leHBsYWluLWV4cGxhaW4tZXhwbGFpbiE=\"\n",
            self.origin.url("/a"),
            self.origin.url("/b")
        ));
    }

    fn poll(&self) {
        let out = self.house.run(&["poll"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// Titles with the feeds that carry each.
    fn items(&self) -> Vec<(String, Vec<String>)> {
        let out = self.house.run(&["items", "--json"]);
        let list: Value = serde_json::from_slice(&out.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let feeds = |item: &Value| {
            let sightings = item["_feedmill"]["sightings"].as_array().unwrap();
            sightings.iter().map(|sighting| text(&sighting["feed"])).collect()
        };
        let items = list["items"].as_array().unwrap();
        let mut items: Vec<_> = items.iter().map(|item| (text(&item["title"]), feeds(item))).collect();
        items.sort();
        items
    }

    fn count(&self, sql: &str) -> i64 {
        Connection::open(self.house.database()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn explain(&self, url: &str) -> String {
        let out = self.house.run(&["explain", url]);
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    }
}

fn item(title: &str, feeds: &[&str]) -> (String, Vec<String>) {
    (title.to_owned(), feeds.iter().map(|feed| (*feed).to_owned()).collect())
}

#[test]
fn what_a_feed_ignores_is_no_item_of_it_and_explained_and_another_feed_may_carry_it() {
    let case = Case::new("ignore = 'title:sponsored'");
    assert_eq!(case.items(), [item("Peace talks", &["a"]), item("Sponsored tea", &["b"])]);
    assert_eq!(case.count("SELECT count(*) FROM ignored"), 2);
    let told = case.explain("https://n.example/buy?utm_source=x");
    assert!(told.contains("The feed `a` has carried it") && told.contains("`title:sponsored`"), "{told}");
    let told = case.explain("https://n.example/tea");
    assert!(
        told.contains("First seen in `b`") && told.contains("Ignored in `a`, by its query `title:sponsored`."),
        "{told}"
    );
    // The same document again writes nothing.
    serve(&case.origin, "/a", &[("Sponsored: buy", "https://n.example/buy"), ("New", "https://n.example/new")]);
    let changes = case.count("SELECT count(*) FROM change");
    case.house.run(&["poll"]);
    assert_eq!(case.count("SELECT count(*) FROM change"), changes, "304: nothing was read");
}

#[test]
fn another_query_takes_back_what_the_old_one_ignored_without_a_call_and_keeps_what_is_kept() {
    let case = Case::new("ignore = 'title:sponsored'");
    let called = case.count("SELECT count(*) FROM delivery");
    assert_eq!(called, 2, "peace from one feed, tea from the other");
    case.poll();
    let conditional = |n: usize| case.origin.requests("/a")[n].text("if-none-match").is_some();
    assert!(conditional(1), "under the same query nothing is read again");
    case.configure("ignore = 'title:(buy OR peace)'");
    case.poll();
    assert!(!conditional(2), "under another one the document is read again");
    assert_eq!(case.items(), [item("Peace talks", &["a"]), item("Sponsored tea", &["b", "a"])]);
    assert!(case.explain("https://n.example/buy").contains("`title:(buy OR peace)`"));
    case.configure("");
    case.poll();
    let all = [item("Peace talks", &["a"]), item("Sponsored tea", &["b", "a"]), item("Sponsored: buy", &["a"])];
    assert_eq!(case.items(), all);
    assert_eq!(case.count("SELECT count(*) FROM ignored"), 0);
    assert_eq!(case.count("SELECT count(*) FROM delivery"), called, "a change of the configuration calls nobody");
    case.poll();
    assert!(conditional(4));
}

#[test]
fn what_left_the_feed_long_ago_is_forgotten_and_what_is_still_there_is_not() {
    let case = Case::new("ignore = 'title:sponsored'");
    let db = Connection::open(case.house.database()).unwrap();
    db.execute("UPDATE ignored SET at = 1000000000000", []).unwrap();
    let items = ["buy", "more"]
        .map(|name| story("Sponsored", &format!("https://n.example/{name}"), &format!("https://n.example/{name}")));
    case.origin.route("/a", Reply::ok(rss(&items)));
    case.poll();
    assert_eq!(case.count("SELECT count(*) FROM ignored"), 2);
    assert_eq!(case.count("SELECT count(*) FROM ignored WHERE at = 1000000000000"), 1, "buy, since then");
}

#[test]
fn an_entry_that_is_edited_out_of_what_is_ignored_comes_as_a_new_one() {
    let case = Case::new("ignore = 'title:sponsored'");
    let called = case.count("SELECT count(*) FROM delivery");
    let items = [story("An honest headline", "https://n.example/buy", "https://n.example/buy")];
    case.origin.route("/a", Reply::ok(rss(&items)));
    case.poll();
    assert_eq!(case.items()[0], item("An honest headline", &["a"]));
    assert_eq!(case.count("SELECT count(*) FROM delivery"), called + 1);
}

#[test]
fn a_wrong_ignore_is_refused_with_its_place() {
    let case = Case::new("");
    for (ignore, says) in [
        ("ignore = 'title:'", "`ignore` cannot be read"),
        ("ignore = '*'", "would keep nothing"),
        ("ignore = 'x age:<7d'", "cannot look at ages"),
    ] {
        case.configure(ignore);
        let out = case.house.run(&["check"]);
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(78), "{told}");
        assert!(told.contains(says) && told.contains("ignore = '"), "{told}");
    }
}
