//! A configuration over several files: a reload takes all of them or none, and commands know which one to write into.

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An installation that includes a folder, and an origin with three feeds.
fn house() -> (Installation, Origin) {
    let origin = Origin::start();
    for path in ["/a", "/b", "/c"] {
        let link = format!("https://n.example{path}");
        origin.route(path, Reply::ok(rss(&[story(&format!("Story {path}"), &link, path)])));
    }
    let house = Installation::new("schedule = \"@hourly\"\nspread = false\n");
    let main = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), format!("include = [\"feeds.d/*.toml\"]\n{main}")).unwrap();
    (house, origin)
}

fn names(house: &Installation) -> Vec<String> {
    let listed: serde_json::Value = serde_json::from_slice(&house.run(&["feeds", "--json"]).stdout).unwrap();
    listed["feeds"].as_array().unwrap().iter().map(|feed| feed["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reload_follows_included_files_and_refuses_all_if_one_is_wrong() {
    let (house, origin) = house();
    let daemon = house.start();
    let folder = house.dir().join("feeds.d");
    std::fs::create_dir(&folder).unwrap();
    let feed = |name: &str| format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")));
    std::fs::write(folder.join("1.toml"), feed("a")).unwrap();
    assert!(house.run(&["reload"]).status.success());
    daemon.until("a is polled", |_| origin.requests("/a").len() == 1);
    std::fs::write(folder.join("2.toml"), feed("b") + "\n[[stream]]\nname = \"s\"\nmatch = \"(story\"\n").unwrap();
    let refused = house.run(&["reload"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("feeds.d/2.toml:7:10") && said.contains("7 | match = \"(story\"\n") && said.contains('^'),
        "{said}"
    );
    assert_eq!(names(&house), ["a"]);
    std::fs::write(folder.join("2.toml"), feed("b") + "\n[[stream]]\nname = \"s\"\nmatch = \"story\"\n").unwrap();
    assert!(house.run(&["reload"]).status.success());
    daemon.until("b is polled", |_| origin.requests("/b").len() == 1);
    assert_eq!(daemon.get("/s.atom").status, 200);
    assert_eq!(origin.requests("/a").len(), 1, "what did not change keeps its schedule");
    std::fs::remove_file(folder.join("1.toml")).unwrap();
    assert!(house.run(&["reload"]).status.success());
    assert_eq!(names(&house), ["b"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn commands_write_into_the_file_that_they_are_to_write_into() {
    let (house, origin) = house();
    let main = std::fs::read_to_string(house.config()).unwrap();
    let file = |name: &str| std::fs::read_to_string(house.dir().join("feeds.d").join(name)).unwrap_or_default();
    let run = |args: &[&str]| {
        let out = house.run(args);
        assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        text(&out.stdout)
    };
    let tried = run(&["add", &origin.url("/a"), "--dry-run"]);
    assert!(tried.contains("feeds.d/added.toml") && !house.dir().join("feeds.d").exists(), "{tried}");
    let added = run(&["add", &origin.url("/a"), "--name", "a"]);
    assert!(added.contains("feeds.d/added.toml") && file("added.toml").contains(&origin.url("/a")), "{added}");
    let named = house.dir().join("feeds.d/press.toml");
    run(&["add", &origin.url("/b"), "--name", "b", "--to", named.to_str().unwrap()]);
    assert!(file("press.toml").contains(&origin.url("/b")));
    let list = house.dir().join("list.opml");
    std::fs::write(&list, format!("<opml><body><outline xmlUrl=\"{}\"/></body></opml>", origin.url("/c"))).unwrap();
    let imported = run(&["import", list.to_str().unwrap()]);
    assert!(imported.contains("feeds.d/added.toml") && file("added.toml").contains(&origin.url("/c")), "{imported}");
    let nowhere = house.run(&["add", &origin.url("/c"), "--to", "elsewhere.toml"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stderr).contains("`include`"), "{}", text(&nowhere.stderr));
    let removed = run(&["remove", "b"]);
    assert!(removed.contains("press.toml") && !file("press.toml").contains("url"), "{removed}");
    let checked = run(&["check"]);
    assert!(checked.contains("with 2 included files is good: 2 feeds"), "{checked}");
    assert_eq!(std::fs::read_to_string(house.config()).unwrap(), main, "the main file is as it was");
}
