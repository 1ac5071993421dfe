//! The command line: exit statuses, sentences, and the same answers with and without a daemon.

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn one_feed(origin: &Origin) -> String {
    origin.route(
        "/f",
        Reply::ok(rss(&[story("One", "https://n.example/1", "1"), story("Two", "https://n.example/2", "2")])),
    );
    format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\ntags = [\"press\"]\n", origin.url("/f"))
}

#[test]
fn ten_mistakes_in_one_file_give_ten_located_errors_and_exit_78() {
    let house = Installation::new("");
    let wrong = r#"
[server]
listen = "127.0.0.1"
titel = "x"

[poll]
schedule = "61 * * * *"
timezone = "Europe/Berlinn"
timeout = "30 parsecs"
concurrency = 0

[[feed]]
url = "ftp://example.com/feed"

[[feed]]
name = "Bad Name"
url = "https://example.com/rss"
ignore = "title:"

[[stream]]
name = "s"
match = "(a OR"
notify = ["nobody"]
"#;
    std::fs::write(house.config(), wrong).unwrap();
    let out = house.run(&["check"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(78), "{said}");
    for (line, word) in [
        (3, "listen"),
        (4, "title"),
        (7, "schedule"),
        (8, "Europe/Berlin"),
        (9, "timeout"),
        (10, "concurrency"),
        (13, "http"),
        (16, "name"),
        (18, "ignore"),
        (22, "match"),
        (23, "nobody"),
    ] {
        assert!(said.contains(&format!("feedmill.toml:{line}:")), "line {line} ({word}):\n{said}");
        assert!(said.contains(word), "{word}:\n{said}");
    }
    assert!(said.matches('^').count() >= 11, "{said}");
    assert_eq!(house.run(&["run"]).status.code(), Some(78));
    assert!(!house.database().exists(), "nothing is opened before the configuration is good");
}

#[test]
fn check_shows_how_mixed_operators_are_read_and_what_is_tried_on_every_item() {
    let house = Installation::new(
        "[[feed]]\nname = \"x\"\nurl = \"https://example.com/rss\"\nignore = 'ad OR promo title:x and'\n[[stream]]\nname = \
         \"s\"\nmatch = 'gulf war OR peace'\n[[stream]]\nname = \"t\"\nmatch = '/wa+r/ age:<7d'\n",
    );
    let out = house.run(&["check"]);
    let said = text(&out.stdout);
    assert!(out.status.success(), "{said}{}", text(&out.stderr));
    for part in [
        "stream s: read as (gulf AND war) OR peace",
        "ignore of feed x: read as ad OR (promo AND title:x AND and)",
        "warning: ignore of feed x: `and` is a plain word",
        "it is tried on every item",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    house.configure("[[stream]]\nname = \"t\"\nmatch = 'a OR age:<7d'\n");
    let said = text(&house.run(&["check"]).stderr);
    assert!(said.contains("stands alone") && said.contains("         ^^^\n"), "{said}");
}

#[test]
fn commands_give_the_same_answers_with_and_without_a_daemon() {
    let origin = Origin::start();
    let house = Installation::new(&one_feed(&origin));
    let missing = house.run(&["feeds"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("no database"), "{}", text(&missing.stderr));
    assert!(!house.database().exists(), "a command that looks makes no database");

    let polled = house.run(&["poll"]);
    assert!(polled.status.success(), "{}", text(&polled.stderr));
    assert!(text(&polled.stdout).contains("2 new items"), "{}", text(&polled.stdout));
    let listings: [&[&str]; 4] =
        [&["feeds", "--json"], &["items", "--json"], &["items", "two", "--json"], &["webhooks", "--json"]];
    let directly: Vec<_> = listings.iter().map(|args| house.run(args)).collect();
    let daemon = house.start();
    for (args, before) in listings.iter().zip(directly) {
        let after = house.run(args);
        assert!(before.status.success() && after.status.success(), "{args:?} {}", text(&before.stderr));
        assert_eq!(text(&before.stdout), text(&after.stdout), "{args:?}");
    }
    let items: serde_json::Value = serde_json::from_slice(&house.run(&["items", "two", "--json"]).stdout).unwrap();
    assert_eq!(items["items"].as_array().unwrap().len(), 1);
    assert_eq!(items["items"][0]["title"], "Two");
    assert_eq!(daemon.json("/api/v1/items?limit=100&q=two"), items);

    let second = house.run(&["run"]);
    assert_eq!(second.status.code(), Some(75), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("held by another"), "{}", text(&second.stderr));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_database_that_is_not_ours_is_refused_with_its_status() {
    let origin = Origin::start();
    let house = Installation::new(&one_feed(&origin));
    std::fs::write(house.database(), "GIF89a and so on").unwrap();
    for command in ["run", "poll", "feeds"] {
        let out = house.run(&[command]);
        assert_eq!(out.status.code(), Some(65), "{command}: {}", text(&out.stderr));
    }
    assert_eq!(std::fs::read(house.database()).unwrap(), b"GIF89a and so on");
    std::fs::remove_file(house.database()).unwrap();
    assert!(house.run(&["poll"]).status.success());
    let mut bytes = std::fs::read(house.database()).unwrap();
    bytes[63] = 200;
    std::fs::write(house.database(), &bytes).unwrap();
    let out = house.run(&["run"]);
    assert_eq!(out.status.code(), Some(79), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(house.database()).unwrap(), bytes);
}

#[test]
fn a_reload_takes_a_good_configuration_and_refuses_a_bad_one_whole() {
    let origin = Origin::start();
    let good = one_feed(&origin);
    let house = Installation::new(&good);
    let none = house.run(&["reload"]);
    assert_eq!(none.status.code(), Some(1), "{}", text(&none.stderr));
    let daemon = house.start();
    daemon.until("polled", |d| d.json("/api/v1/items")["items"].as_array().unwrap().len() == 2);

    house.configure(&format!("{good}[[stream]]\nname = \"two\"\nmatch = \"two AND tag:press\"\n"));
    let reloaded = house.run(&["reload"]);
    assert!(reloaded.status.success(), "{}", text(&reloaded.stderr));
    daemon.until("the new stream is filled", |d| {
        d.get("/two.json").status == 200 && d.json("/two.json")["items"].as_array().unwrap().len() == 1
    });
    assert_eq!(origin.requests("/f").len(), 1, "an unchanged feed keeps its schedule");

    house.configure(&format!("{good}[[stream]]\nname = \"two\"\nmatch = 'two and one OR tag:press'\n"));
    let doubted = house.run(&["reload"]);
    let doubt = "`and` is a plain word";
    let said = text(&doubted.stdout);
    assert!(
        doubted.status.success() && said.starts_with("warning: ") && said.contains(doubt),
        "{said}{}",
        text(&doubted.stderr)
    );
    assert!(said.lines().last().unwrap().starts_with("1 feeds, 2 streams"), "{said}");
    assert!(daemon.log().contains(doubt), "{}", daemon.log());
    let report: serde_json::Value = serde_json::from_slice(&house.run(&["reload", "--json"]).stdout).unwrap();
    assert!(report["warnings"][0].as_str().unwrap().contains(doubt), "{report}");

    house.configure("schedul = \"@hourly\"\n");
    let refused = house.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("schedule"), "{}", text(&refused.stderr));
    assert_eq!(daemon.get("/two.json").status, 200);
    daemon.signal("HUP");
    daemon.until("the refusal is in the log", |d| d.log().matches("reload refused").count() >= 2);

    house.configure(&good);
    daemon.signal("HUP");
    daemon.until("the stream is gone", |d| d.get("/two.json").status == 404);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn init_writes_a_configuration_that_check_accepts_and_never_over_one_that_is_there() {
    let house = Installation::new("");
    let path = house.dir().join("starter.toml");
    let file = path.to_str().unwrap();
    assert!(house.run(&["init", file]).status.success());
    let again = house.run(&["init", file]);
    assert_eq!(again.status.code(), Some(1));
    std::fs::copy(&path, house.config()).unwrap();
    let check = house.run(&["check"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    assert!(text(&check.stdout).contains("is good"), "{}", text(&check.stdout));
}

#[test]
fn canon_prints_a_key_a_line_and_parse_the_shape_of_a_document() {
    let house = Installation::new("");
    let out = house.run(&["canon", "http://www.news.example/a/?utm_source=x&b=1", "https://news.example/a?b=1"]);
    assert_eq!(text(&out.stdout), "https://news.example/a?b=1\n".repeat(2));
    let explained = house.run(&["canon", "--explain", "http://www.news.example/a/?utm_source=x"]);
    assert!(text(&explained.stdout).lines().count() > 2, "{}", text(&explained.stdout));
    let wrong = house.run(&["canon", "mailto:x@y.example"]);
    assert_eq!((wrong.status.code(), text(&wrong.stdout)), (Some(1), "-\n".to_owned()));

    let file = house.dir().join("f.xml");
    std::fs::write(&file, rss(&[story("One", "https://n.example/1", "1")])).unwrap();
    let out = house.run(&["parse", file.to_str().unwrap()]);
    let shape: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&shape["ok"], &shape["entries"][0]["id"]), (&true.into(), &"1".into()));
    std::fs::write(&file, "no feed").unwrap();
    let out = house.run(&["parse", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(house.run(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn the_demo_shows_the_whole_product_and_leaves_nothing_behind() {
    let house = Installation::new("");
    let temp = house.dir().join("tmp");
    std::fs::create_dir(&temp).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_feedmill"));
    let out = command.args(["demo", "--seconds", "22"]).env("TMPDIR", &temp).current_dir(house.dir()).output().unwrap();
    let said = text(&out.stdout);
    assert!(out.status.success(), "{said}\n{}", text(&out.stderr));
    for word in [
        "each once",
        "refused on purpose",
        "received at the second try",
        "edited",
        "known already",
        "0 with a bad signature",
    ] {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }
    assert!(!said.contains("NOT each once"), "{said}");
    assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0);
}
