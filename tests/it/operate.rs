//! Operating it: a log that nobody reads, reloads of every kind, backups that restore, a database that breaks.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use feedmill::config::{self, Environment};

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn document(stories: usize) -> String {
    let items: Vec<_> = (0..stories)
        .rev()
        .map(|n| story(&format!("Story {n}"), &format!("https://n.example/{n}"), &n.to_string()))
        .collect();
    rss(&items)
}

fn lost_lines(daemon: &Daemon) -> u64 {
    let metrics = daemon.get("/metrics").text();
    let line = metrics.lines().find(|line| line.starts_with("feedmill_log_lines_lost_total"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("the number is there")
}

#[test]
fn a_log_that_nobody_reads_holds_nobody() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(2)));
    let house = Installation::new(&format!(
        "schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[log]\nlevel = \"debug\"\n",
        origin.url("/f")
    ));
    // A pipe with no room left: the first line that is written blocks its writer.
    let (_reader, mut pipe) = std::io::pipe().unwrap();
    pipe.write_all(&[b'x'; 1 << 16]).unwrap();
    let daemon = house.start_to(Stdio::from(pipe));
    daemon.until("polled", |d| d.json("/api/v1/items")["items"].as_array().unwrap().len() == 2);
    assert_eq!(daemon.get("/readyz").status, 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_log_that_cannot_be_written_is_counted() {
    let house = Installation::new("");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let daemon = house.start_to(Stdio::from(full));
    // The count is taken over at the next round of the watch; a start brings one.
    daemon.signal("HUP");
    daemon.until("lost lines are counted", |d| {
        d.signal("HUP");
        lost_lines(d) > 0
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_reload_changes_the_level_of_the_log_and_refuses_one_that_is_none() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(1)));
    let feed = format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f"));
    let house = Installation::new(&feed);
    let daemon = house.start();
    assert!(!daemon.log().contains("DEBUG"), "{}", daemon.log());
    house.configure(&format!("{feed}[log]\nlevel = \"info,feedmill::poll=debug\"\n"));
    let reloaded = house.run(&["reload"]);
    assert!(reloaded.status.success(), "{}", text(&reloaded.stderr));
    daemon.until("it is logged in detail", |d| {
        house.run(&["poll"]);
        d.log().contains("DEBUG feedmill::poll")
    });
    house.configure(&format!("{feed}[log]\nlevel = \"feedmill=loud\"\n"));
    let refused = house.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("`feedmill=loud`"), "{}", text(&refused.stderr));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_needs_a_restart_is_refused_with_that_sentence_and_nothing_else_changes() {
    let house = Installation::new("");
    let daemon = house.start();
    let good = std::fs::read_to_string(house.config()).unwrap();
    let mut other = house.address;
    other.set_port(other.port().wrapping_add(1));
    let listen = format!("listen = \"{}\"", house.address);
    let stream = "\n[[stream]]\nname = \"extra\"\nmatch = 'peace'\n";
    for (key, changed) in [
        ("[server] listen", good.replace(&listen, &format!("listen = \"{other}\"")) + stream),
        ("[server] private_listen", good.replace(&listen, &format!("{listen}\nprivate_listen = \"{other}\"")) + stream),
        ("[server] max_connections", good.replace(&listen, &format!("{listen}\nmax_connections = 77")) + stream),
        ("[storage] database", format!("{good}{stream}[storage]\ndatabase = \"other.db\"\n")),
        ("[log] format", format!("{good}{stream}[log]\nformat = \"json\"\n")),
    ] {
        std::fs::write(house.config(), changed).unwrap();
        // The control socket is beside the database, which one of these moves: by signal, which works always.
        let before = daemon.log().len();
        daemon.signal("HUP");
        daemon.until(key, |d| d.log()[before..].contains("reload refused"));
        let said = daemon.log()[before..].to_owned();
        assert!(said.contains(&format!("{key} changed, which needs a restart")), "{key}: {said}");
        assert_eq!(daemon.get("/extra.json").status, 404, "{key}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

/// One slip of a hand or a program in a configuration.
fn mutate(good: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = good.chars().collect();
    let mut lines: Vec<&str> = good.lines().collect();
    let (at, line) = (dice.below(chars.len()), dice.below(lines.len()));
    match dice.below(7) {
        0 => drop(chars.remove(at)),
        1 => chars.insert(at, ['"', '[', ']', '=', '\u{0}', '\u{feff}', 'x', '('][dice.below(8)]),
        2 => chars.truncate(at),
        3 => {
            return {
                lines.insert(line, lines[line]);
                lines.join("\n")
            };
        }
        4 => {
            return {
                lines.remove(line);
                lines.join("\n")
            };
        }
        5 => {
            return {
                let other = dice.below(lines.len());
                lines.swap(line, other);
                lines.join("\n")
            };
        }
        _ => {
            let value = ["= 99999999999999999999", "= -1", "= \"\"", "= [[]]", "= \"@never\"", "= true"][dice.below(6)];
            let changed = lines[line].split_once('=').map(|(key, _)| format!("{key}{value}"));
            let changed = changed.unwrap_or_else(|| "unknown = 1".to_owned());
            lines[line] = &changed;
            return lines.join("\n");
        }
    }
    chars.into_iter().collect()
}

#[test]
fn two_hundred_mutations_of_the_configuration_change_nothing_and_are_located() {
    let seed = std::env::var("FEEDMILL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5eed_0009);
    println!("seed {seed} (FEEDMILL_SEED repeats it)");
    let mut dice = Dice(seed);
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(3)));
    let house = Installation::new(&format!(
        "schedule = \"@hourly\"\ntimeout = \"20s\"\n\n[[feed]]\nname = \"f\"\nurl = \"{}\"\ntags = [\"press\", \"de\"]\n\n\
         [[stream]]\nname = \"two\"\nmatch = 'story AND (2 OR \"no such\")'\nlimit = 20\n\n[[stream]]\nname = \"all\"\n\n\
         [[webhook]]\nname = \"desk\"\nurl = \"https://hook.example/x\"\nsecret = \"whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=\"\n\
         retry = [\"1s\", \"1m\"]\n",
        origin.url("/f")
    ));
    let good = std::fs::read_to_string(house.config()).unwrap();
    let daemon = house.start();
    let shown = |d: &Daemon| {
        let of = |path| d.json(path);
        let feeds = of("/api/v1/feeds");
        (d.get("/two.atom").text(), d.get("/all.rss").text(), feeds, of("/api/v1/streams"), of("/api/v1/webhooks"))
    };
    daemon.until("polled", |d| d.json("/all.json")["items"].as_array().is_some_and(|items| items.len() == 3));
    let before = shown(&daemon);
    let mut refused = 0;
    while refused < 200 {
        let wrong = mutate(&good, &mut dice);
        std::fs::write(house.config(), &wrong).unwrap();
        if config::load(&house.config(), &Environment::default()).is_ok() {
            continue; // a change that means something: not what is looked at here
        }
        refused += 1;
        let answer = house.run(&["reload"]);
        let said = text(&answer.stderr);
        assert_eq!(answer.status.code(), Some(1), "{wrong}\n---\n{said}");
        let located =
            said.lines().any(|line| line.contains("feedmill.toml:") && line.contains(|c: char| c.is_ascii_digit()));
        assert!(located, "{wrong}\n---\n{said}");
        if refused % 20 == 0 {
            assert_eq!(shown(&daemon), before, "{wrong}");
            assert!(daemon.get("/metrics").text().contains("feedmill_last_reload_ok 0"));
        }
    }
    assert_eq!(origin.requests("/f").len(), 1, "nothing was polled again");
    std::fs::write(house.config(), &good).unwrap();
    assert!(house.run(&["reload"]).status.success());
    assert_eq!(shown(&daemon), before);
    assert!(daemon.get("/metrics").text().contains("feedmill_last_reload_ok 1"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_thousand_hangups_become_a_few_reloads_and_leave_nothing_open() {
    let house = Installation::new("");
    let daemon = house.start();
    let reloads = |d: &Daemon| d.log().matches("configuration reloaded").count();
    daemon.signal("HUP");
    daemon.until("reloaded", |d| reloads(d) == 1);
    let before = daemon.open_files();
    let storm = format!("n=0; while [ $n -lt 1000 ]; do kill -HUP {}; n=$((n + 1)); done", daemon.pid());
    assert!(std::process::Command::new("sh").args(["-c", &storm]).status().unwrap().success());
    daemon.until("the last one was heard", |d| reloads(d) >= 2);
    assert!(house.run(&["reload"]).status.success(), "who asks afterwards gets an answer");
    assert!(reloads(&daemon) < 500, "{} reloads", reloads(&daemon));
    daemon.until("nothing stays open", |d| d.open_files() <= before + 2);
    assert_eq!(daemon.stop(), Some(0));
}

/// Sets a flag when it goes, a panic included.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn fifty_backups_under_ingest_restore_to_what_was_there() {
    let (origin, stories) = (Origin::start(), Arc::new(AtomicUsize::new(1)));
    let growing = Arc::clone(&stories);
    origin.answer("/f", move |_| Reply::ok(document(growing.fetch_add(1, Ordering::SeqCst))));
    let feed = format!(
        "schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n[[stream]]\nname = \"all\"\nlimit = 1000\n",
        origin.url("/f")
    );
    let house = Installation::new(&feed);
    let direct = house.run(&["backup", "none.db"]);
    assert_eq!(direct.status.code(), Some(1), "{}", text(&direct.stderr));
    let daemon = house.start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                house.run(&["poll"]);
            }
        });
        let end = Sets(&done);
        let restored = Installation::new(&feed);
        for round in 0..50 {
            let known = daemon.json("/api/v1/items?limit=1")["items"].as_array().unwrap().len();
            let file = house.dir().join(format!("copy-{round}.db"));
            let copied = house.run(&["backup", file.to_str().unwrap(), "--json"]);
            assert!(copied.status.success(), "{}", text(&copied.stderr));
            let put = restored.run(&["restore", file.to_str().unwrap()]);
            assert!(put.status.success(), "{}", text(&put.stderr));
            let listed = restored.run(&["items", "--json", "--limit", "1000"]);
            assert!(listed.status.success(), "{}", text(&listed.stderr));
            let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
            let titles: Vec<&str> = listed["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["title"].as_str().unwrap_or_else(|| panic!("{item}")))
                .collect();
            assert!(titles.len() >= known);
            for n in 0..titles.len() {
                assert!(titles.contains(&format!("Story {n}").as_str()), "{n} of {}", titles.len());
            }
        }
        drop(end);
        // The last of them runs a daemon.
        let second = restored.start();
        second.until("what was missed is fetched", |d| {
            d.json("/all.json")["items"].as_array().is_some_and(|items| items.len() >= 3)
        });
        assert_eq!(second.stop(), Some(0));
    });
    assert_eq!(daemon.stop(), Some(0));
    let after = house.run(&["backup", house.dir().join("after.db").to_str().unwrap()]);
    assert!(after.status.success() && text(&after.stdout).contains("sound copy"), "{}", text(&after.stderr));
    let twice = house.run(&["backup", house.dir().join("after.db").to_str().unwrap()]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("another name"), "{}", text(&twice.stderr));
}

#[test]
fn a_database_that_is_damaged_while_it_runs_is_left_alone_and_ends_the_daemon() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(200)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    assert!(house.run(&["poll"]).status.success());
    let mut daemon = house.start();
    let size = std::fs::metadata(house.database()).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(house.database()).unwrap();
    let page = 4096;
    for at in 2..size / page {
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], at * page).unwrap();
    }
    origin.route("/f", Reply::ok(document(300)));
    house.run(&["poll"]);
    assert_eq!(daemon.wait(), Some(65), "{}", daemon.log());
    assert!(daemon.log().contains("is damaged"), "{}", daemon.log());
    let again = house.run(&["run"]);
    assert_eq!(again.status.code(), Some(65), "{}", text(&again.stderr));
}

#[test]
fn completions_and_pages_of_the_manual_know_every_command() {
    let house = Installation::new("");
    for shell in ["bash", "zsh", "fish"] {
        let script = house.run(&["completions", shell]);
        assert!(script.status.success() && text(&script.stdout).contains("backup"), "{shell}");
    }
    let page = text(&house.run(&["man"]).stdout);
    assert!(page.contains(".TH feedmill 1") && page.contains("backup"), "{page}");
    let folder = house.dir().join("man");
    assert!(house.run(&["man", "--dir", folder.to_str().unwrap()]).status.success());
    assert!(std::fs::read_to_string(folder.join("feedmill-backup.1")).unwrap().contains("FILE"));
}

#[test]
fn every_number_of_the_dashboard_and_of_the_alerts_is_there_and_has_its_help() {
    let house = Installation::new("");
    let daemon = house.start();
    let metrics = daemon.get("/metrics").text();
    let named: std::collections::BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .inspect(|name| assert!(metrics.contains(&format!("# HELP {name} ")), "{name} has no help"))
        .collect();
    assert!(named.len() >= 16, "{named:?}");
    for name in &named {
        let unit = ["_seconds", "_bytes"].into_iter().find(|unit| name.ends_with(unit));
        let said = metrics.contains(&format!("# UNIT {name} "));
        assert_eq!(unit.is_some(), said, "{name}: its unit is in its name and beside it");
    }
    let files = ["config/grafana-dashboard.json", "config/alert-rules.yml"];
    let word = regex::Regex::new(r"feedmill_[a-z0-9_]+").unwrap();
    for file in files {
        let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let mut found = 0;
        for asked in word.find_iter(&text) {
            let asked = asked.as_str();
            let family = ["_total", "_bucket", "_info"].into_iter().find_map(|end| asked.strip_suffix(end));
            assert!(named.contains(family.unwrap_or(asked)), "{file}: {asked} is not served");
            found += 1;
        }
        assert!(found >= 8, "{file}");
    }
    let board = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(files[0])).unwrap();
    let board: serde_json::Value = serde_json::from_slice(&board).unwrap();
    assert!(board["panels"].as_array().unwrap().len() > 10);
}

#[test]
fn the_level_of_the_log_follows_a_command_until_the_next_reload() {
    let origin = Origin::start();
    origin.route("/f", Reply::ok(document(1)));
    let house =
        Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{}\"\n", origin.url("/f")));
    assert_eq!(house.run(&["log", "debug"]).status.code(), Some(1), "there is no daemon");
    let daemon = house.start();
    let set = house.run(&["log", "info,feedmill::poll=debug"]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    daemon.until("it is logged in detail", |d| {
        house.run(&["poll"]);
        d.log().contains("DEBUG feedmill::poll")
    });
    let refused = house.run(&["log", "feedmill=loud"]);
    assert!(text(&refused.stderr).contains("`feedmill=loud`"), "{}", text(&refused.stderr));
    assert!(house.run(&["reload"]).status.success());
    let before = daemon.log().matches("DEBUG").count();
    house.run(&["poll"]);
    assert_eq!(daemon.log().matches("DEBUG").count(), before);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn doctor_looks_at_receivers_secrets_and_the_version_of_the_daemon() {
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = crate::support::daemon::free_address();
    let secret = "whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtMzI=";
    let webhook = |name: &str, address| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"http://{address}/\"\nsecret = \"{secret}\"\n\
             allow_networks = [\"127.0.0.0/8\"]\n"
        )
    };
    let there = receiver.local_addr().unwrap();
    let closed = |name, host: &str| {
        webhook(name, there).replace("allow_networks = [\"127.0.0.0/8\"]\n", "").replace("127.0.0.1", host)
    };
    let house = Installation::new(
        &(webhook("there", there)
            + &webhook("nowhere", nobody)
            + &closed("number", "127.0.0.1")
            + &closed("name", "localhost")),
    );
    let daemon = house.start();
    let out = text(&house.run(&["doctor"]).stdout);
    for refused in ["`number` (127.0.0.1", "`name` (localhost"] {
        let said = out.split(refused).nth(1).unwrap_or_else(|| panic!("{refused}: {out}"));
        assert!(said.contains("add its network to allow_networks"), "{out}");
    }
    assert!(out.contains("`nowhere` (") && !out.contains("`there`"), "{out}");
    assert!(out.contains("has `secret` written out"), "{out}");
    assert!(!out.contains(secret), "{out}");
    assert!(out.contains(&format!("The daemon and this program are {}.", env!("CARGO_PKG_VERSION"))), "{out}");
    assert_eq!(daemon.stop(), Some(0));
}
