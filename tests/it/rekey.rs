//! New rules over an old database: the same as if everything had been imported under them, and nobody is called.

use std::collections::BTreeSet;
use std::fs;

use crate::support::daemon::{Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};
use crate::support::receiver::Receiver;

const SECRET: &[u8] = b"rekey-rekey-rekey-rekey-rekey-32";
const SECRET_TEXT: &str = "whsec_cmVrZXktcmVrZXktcmVrZXktcmVrZXktcmVrZXktMzI=";

fn config(origin: &Origin, receiver: &Receiver, rules: &str) -> String {
    let mut text = format!(
        "first_import = \"notify\"\n{rules}\n[[webhook]]\nname = \"desk\"\nurl = \"{}\"\nsecret = \"{SECRET_TEXT}\"\n\
         allow_networks = [\"127.0.0.0/8\"]\n[[stream]]\nname = \"all\"\nnotify = [\"desk\"]\n",
        receiver.url("/hook")
    );
    for name in ["a", "b", "c"] {
        text.push_str(&format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}"))));
    }
    text
}

/// What each item is, and who carries it.
fn picture(daemon: &Daemon) -> BTreeSet<(String, String, Vec<String>)> {
    let list = daemon.json("/all.json");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    let picture = items.map(|item| {
        let own = &item["_feedmill"];
        let mut feeds: Vec<_> = own["sightings"].as_array().unwrap().iter().map(|s| text(&s["feed"])).collect();
        feeds.sort();
        (text(&own["key"]), text(&item["title"]), feeds)
    });
    picture.collect()
}

fn loaded(daemon: &Daemon) {
    daemon.until("every feed is loaded", |d| {
        let feeds = d.json("/api/v1/feeds");
        feeds["feeds"].as_array().unwrap().iter().all(|feed| feed["last_success"].is_string())
    });
}

#[test]
fn new_rules_make_of_an_old_database_what_a_fresh_import_makes() {
    let (origin, receiver) = (Origin::start(), Receiver::start(&[SECRET]));
    for (name, x) in [("a", "?acme=1"), ("b", "?acme=2"), ("c", "")] {
        let shared = story("Shared", &format!("https://n.example/shared{x}"), &format!("{name}-1"));
        let own = story(&format!("Own {name}"), &format!("https://n.example/{name}{x}"), &format!("{name}-2"));
        let plain = story(&format!("Plain {name}"), &format!("https://n.example/{name}?id=1"), &format!("{name}-3"));
        origin.route(&format!("/{name}"), Reply::ok(rss(&[shared, own, plain])));
    }
    let house = Installation::new(&config(&origin, &receiver, ""));
    let daemon = house.start();
    loaded(&daemon);
    assert_eq!(picture(&daemon).len(), 9, "three addresses of one story are three stories as yet");
    daemon.until("nine calls", |_| receiver.calls().len() == 9);
    assert_eq!(daemon.stop(), Some(0));

    let rules = "[identity]\nrules = \"extra.toml\"";
    fs::write(house.dir().join("extra.toml"), "tracking = [\"acme\"]\n").unwrap();
    house.configure(&config(&origin, &receiver, rules));
    let daemon = house.start();
    let fresh_house = Installation::new(&config(&origin, &Receiver::start(&[SECRET]), rules));
    fs::write(fresh_house.dir().join("extra.toml"), "tracking = [\"acme\"]\n").unwrap();
    let fresh = fresh_house.start();
    loaded(&fresh);
    daemon.until("the keys are made anew", |d| d.log().contains("keys made anew"));
    assert_eq!(picture(&daemon), picture(&fresh));
    assert_eq!(picture(&daemon).len(), 7);
    for name in ["a", "b", "c"] {
        let polled = String::from_utf8(house.run(&["poll", name]).stdout).unwrap();
        assert!(!polled.contains("failed"), "{polled}");
    }
    assert_eq!(picture(&daemon), picture(&fresh), "and stays so at the next load");
    daemon.until("nothing is owed", |d| d.json("/api/v1/webhooks")["webhooks"][0]["due"] == 0);
    assert_eq!(receiver.calls().len(), 9, "nobody was called again");
    let trace = String::from_utf8(house.run(&["explain", "https://n.example/shared?acme=2"]).stdout).unwrap();
    assert!(trace.contains("rules"), "{trace}");
}
