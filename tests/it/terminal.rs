//! The command line on a terminal and in a pipe: colours, progress, JSON, exit statuses.

use std::process::Command;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command on a terminal of its own (`script` of util-linux makes one): what the terminal gets.
fn on_a_terminal(house: &Installation, args: &[&str], variables: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_feedmill");
    let line = format!("stty cols 120; {program} --config {} {}", house.config().display(), args.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    let out = script.envs(variables.iter().copied()).current_dir(house.dir()).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", text(&out.stdout));
    text(&out.stdout)
}

fn house(origin: &Origin) -> Installation {
    let stories: Vec<_> =
        (0..20).map(|n| story(&format!("Story {n}"), &format!("https://n.example/{n}"), &n.to_string())).collect();
    let mut feeds = String::new();
    for n in 0..5 {
        origin.route(&format!("/{n}"), Reply::ok(rss(&stories)).after(std::time::Duration::from_millis(150)));
        feeds.push_str(&format!("[[feed]]\nname = \"f{n}\"\nurl = \"{}\"\n", origin.url(&format!("/{n}"))));
    }
    Installation::new(&format!("schedule = \"@hourly\"\n{feeds}"))
}

#[test]
fn colours_are_for_terminals_whose_owner_wants_them() {
    let origin = Origin::start();
    let house = house(&origin);
    assert!(house.run(&["poll"]).status.success());
    let coloured = |text: &str| regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().is_match(text);
    for args in [&["feeds"][..], &["items"], &["--help"]] {
        assert!(coloured(&on_a_terminal(&house, args, &[])), "{args:?}");
        assert!(!coloured(&on_a_terminal(&house, args, &[("NO_COLOR", "1")])), "{args:?}: NO_COLOR");
        let piped = house.run(args);
        assert!(!coloured(&(text(&piped.stdout) + &text(&piped.stderr))), "{args:?}: a pipe");
    }
    // <https://no-color.org>: an empty one means nothing.
    assert!(coloured(&on_a_terminal(&house, &["feeds"], &[("NO_COLOR", "")])));
}

#[test]
fn long_work_shows_its_progress_on_a_terminal_and_never_in_a_pipe() {
    let origin = Origin::start();
    let list: String = (0..3000).map(|n| format!("<outline xmlUrl=\"https://n{n}.example/f\"/>")).collect();
    for (command, shown) in [
        (&["import", "list.opml"][..], "reading the list"),
        (&["poll", "f0", "f1", "f2", "f3", "f4"], "/5"),
        (&["backup", "copy.db"], "pages"),
        (&["restore", "other.db"], "bytes"),
    ] {
        let house = house(&origin);
        std::fs::write(house.dir().join("list.opml"), format!("<opml><body>{list}</body></opml>")).unwrap();
        if matches!(command[0], "backup" | "restore") {
            assert!(house.run(&["poll"]).status.success());
            assert!(house.run(&["backup", "other.db"]).status.success());
        }
        let terminal = on_a_terminal(&house, command, &[]);
        assert!(terminal.contains(shown) && terminal.contains('\u{1b}'), "{command:?}: {terminal:?}");
        let again = self::house(&origin);
        std::fs::write(again.dir().join("list.opml"), format!("<opml><body>{list}</body></opml>")).unwrap();
        if matches!(command[0], "backup" | "restore") {
            assert!(again.run(&["poll"]).status.success());
            assert!(again.run(&["backup", "other.db"]).status.success());
        }
        let piped = again.run(command);
        assert!(piped.status.success(), "{command:?}: {}", text(&piped.stderr));
        assert!(
            !text(&piped.stdout).contains('\u{1b}') && piped.stderr.is_empty(),
            "{command:?}: {}",
            text(&piped.stderr)
        );
    }
}

/// What prints a document of its own.
const WITHOUT_JSON: [&str; 6] = ["run", "demo", "init", "export", "completions", "man"];

#[test]
fn every_command_that_lists_reports_or_changes_has_json() {
    let house = Installation::new("");
    let mut left: Vec<Vec<String>> = vec![vec![]];
    let mut without = Vec::new();
    while let Some(path) = left.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let page = text(&house.run(&args).stdout);
        let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names: Vec<_> = listed
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
            .map(ToOwned::to_owned)
            .collect();
        if names.is_empty() && !page.contains("--json") {
            without.push(path.join(" "));
        }
        left.extend(names.into_iter().map(|name| path.iter().cloned().chain([name]).collect()));
    }
    without.sort();
    let mut known = WITHOUT_JSON.map(str::to_owned).to_vec();
    known.sort();
    assert_eq!(without, known);
}

#[test]
fn every_json_is_json_and_failures_have_their_status() {
    let origin = Origin::start();
    let house = house(&origin);
    let none = house.run(&["feeds", "--json"]);
    assert_eq!((none.status.code(), none.stdout.is_empty()), (Some(1), true), "no database yet");
    for args in [
        &["poll", "--json"][..],
        &["check", "--json"],
        &["doctor", "--json", "--offline"],
        &["backup", "copy.db", "--json"],
        &["feeds", "--json"],
        &["items", "--json"],
        &["items", "merges", "--json"],
        &["search", "story", "--json"],
        &["match", "story", "--json"],
        &["explain", "https://n.example/1", "--json"],
        &["webhooks", "--json"],
        &["webhooks", "deliveries", "--json"],
        &["restore", "copy.db", "--json"],
    ] {
        let out = house.run(args);
        assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}"));
    }
    for (args, status) in [
        (&["webhooks", "show", "msg_none"][..], 1),
        (&["restore", "none.db"], 78),
        (&["no-such-command"], 2),
        (&["feeds", "--limit", "0"], 2),
    ] {
        let out = house.run(args);
        assert_eq!(out.status.code(), Some(status), "{args:?}: {}", text(&out.stderr));
        assert!(!out.stderr.is_empty() && out.stdout.is_empty(), "{args:?}");
    }
    house.configure("schedul = 1\n");
    let wrong = house.run(&["check", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(
        (wrong.status.code(), &report["ok"], report["mistakes"][0]["column"].as_u64()),
        (Some(78), &false.into(), Some(1))
    );
    let elsewhere =
        Command::new(env!("CARGO_BIN_EXE_feedmill")).args(["--config", "/nowhere/x.toml", "check"]).output();
    assert_eq!(elsewhere.unwrap().status.code(), Some(78));
}

/// What a command prints, as JSON, and its exit status.
fn said(house: &Installation, args: &[&str]) -> (serde_json::Value, Option<i32>) {
    let out = house.run(args);
    let value = serde_json::from_slice(&out.stdout);
    (value.unwrap_or_else(|e| panic!("{args:?}: {e}: {}", text(&out.stderr))), out.status.code())
}

#[test]
fn changes_of_the_configuration_are_told_as_json() {
    let origin = Origin::start();
    let house = house(&origin);
    let stories = [story("A", "https://n.example/a", "a")];
    origin.route("/new", Reply::ok(rss(&stories)));
    origin.route("/other", Reply::ok(rss(&[])));
    origin.route(
        "/page",
        Reply::ok(
            "<head><link rel=alternate type=application/rss+xml href=/new>\
             <link rel=alternate type=application/rss+xml href=/other></head>",
        )
        .header("content-type", "text/html"),
    );
    let before = std::fs::read_to_string(house.config()).unwrap();
    // It asks nothing, on a terminal neither.
    let asked = format!("add --json {}; true", origin.url("/page"));
    let shown = on_a_terminal(&house, &[&asked], &[]);
    assert!(shown.contains("--all") && !shown.contains("which?"), "{shown}");
    let (tried, status) = said(&house, &["add", &origin.url("/new"), "--dry-run", "--json"]);
    assert_eq!((status, &tried["count"], &tried["dry_run"]), (Some(0), &1.into(), &true.into()));
    assert_eq!(std::fs::read_to_string(house.config()).unwrap(), before);
    let daemon = house.start();
    // One that cannot be had beside: what was done is on standard output, what was not on standard error.
    let (added, status) = said(&house, &["add", &origin.url("/new"), &origin.url("/none"), "--tag", "x", "--json"]);
    let feed = &added["feeds"][0];
    assert_eq!((status, &added["count"], &feed["entries"]), (Some(1), &1.into(), &1.into()));
    assert_eq!((&feed["url"], &feed["tags"][0]), (&origin.url("/new").into(), &"x".into()));
    assert!(added["daemon"].as_str().unwrap().contains("6 feeds"), "{added}");
    let name = feed["name"].as_str().unwrap();
    assert!(std::fs::read_to_string(feed["file"].as_str().unwrap()).unwrap().contains(&origin.url("/new")));
    let (removed, status) = said(&house, &["remove", name, "--json"]);
    assert_eq!((status, &removed["feeds"][0]["name"]), (Some(0), &name.into()));
    assert_eq!(daemon.stop(), Some(0));
    let list = format!(
        "<opml><body><outline text=\"L\" xmlUrl=\"https://l.example/f\"/><outline xmlUrl=\"{}\"/>\
         <outline xmlUrl=\"https://l.example/f\"/><outline xmlUrl=\"ftp://x\"/></body></opml>",
        origin.url("/0")
    );
    std::fs::write(house.dir().join("list.opml"), list).unwrap();
    let (imported, status) = said(&house, &["import", "list.opml", "--json"]);
    let left_out = &imported["left_out"];
    assert_eq!((status, &imported["count"], &imported["feeds"][0]["title"]), (Some(0), &1.into(), &"L".into()));
    assert_eq!(
        (&left_out["followed"], &left_out["twice"], &left_out["wrong_count"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!((&left_out["wrong"][0]["address"], imported.get("daemon")), (&"ftp://x".into(), None));
}

#[test]
fn what_the_daemon_is_told_to_do_is_told_as_json() {
    let house = Installation::new(
        "[[webhook]]\nname = \"hook\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\"\n",
    );
    let daemon = house.start();
    for (args, key, value) in [
        (&["reload", "--json"][..], "ok", serde_json::json!(true)),
        (&["log", "debug", "--json"], "level", "debug".into()),
        (&["webhooks", "pause", "hook", "--json"], "webhook", "hook".into()),
        (&["webhooks", "resume", "hook", "--json"], "count", 0.into()),
        (&["webhooks", "drop", "hook", "--json"], "count", 0.into()),
        (&["webhooks", "replay", "--since", "3d", "--json"], "count", 0.into()),
        (&["canon", "https://a.example/?utm_source=x", "--json"], "count", 1.into()),
    ] {
        let (shown, status) = said(&house, args);
        assert_eq!((status, &shown[key]), (Some(0), &value), "{args:?}: {shown}");
    }
    let (keys, status) = said(&house, &["canon", "https://a.example/?utm_source=x", "no", "--explain", "--json"]);
    assert_eq!((status, &keys["urls"][0]["key"]), (Some(1), &"https://a.example/".into()), "{keys}");
    assert!(keys["urls"][0]["steps"][0]["rule"].is_string() && keys["urls"][1].get("key").is_none(), "{keys}");
    std::fs::write(house.dir().join("request"), "webhook-id: x\n\nbody").unwrap();
    let (found, status) = said(&house, &["webhooks", "verify", "request", "--json"]);
    assert_eq!((status, &found["ok"]), (Some(1), &false.into()), "{found}");
    assert!(found["notes"][0].as_str().unwrap().contains("webhook-timestamp"), "{found}");
    let unknown = house.run(&["webhooks", "pause", "none", "--json"]);
    assert_eq!((unknown.status.code(), unknown.stdout.is_empty()), (Some(1), true));
    assert_eq!(daemon.stop(), Some(0));
    let refused = house.run(&["reload", "--json"]);
    assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(1), true));
}
