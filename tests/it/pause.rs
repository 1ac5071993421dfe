//! Feeds that are paused by hand: they are asked by their name only, whatever happens, until they are resumed.

use serde_json::Value;

use crate::support::daemon::{Answer, Daemon, Installation, rss, story};
use crate::support::origin::{Origin, Reply};

const FAST: &str = "schedule = \"@every 1s\"\nspread = false\nmin_interval = \"1s\"\n";
const TOKEN: [(&str, &str); 1] = [("Authorization", "Bearer s3cret-s3cret-s3cret")];

fn feed(origin: &Origin, name: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")))
}

fn house(origin: &Origin) -> (Installation, String) {
    for name in ["rested", "busy"] {
        let link = format!("https://n.example/{name}");
        origin.route(&format!("/{name}"), Reply::ok(rss(&[story(name, &link, name)])));
    }
    let rest = format!("{FAST}{}{}", feed(origin, "rested"), feed(origin, "busy"));
    let house = Installation::new(&rest);
    house.serve_with("admin_token = \"s3cret-s3cret-s3cret\"", &rest);
    (house, rest)
}

fn order(daemon: &Daemon, name: &str, verb: &str) -> Answer {
    daemon.request("POST", &format!("/api/v1/feeds/{name}/{verb}"), &TOKEN)
}

fn shown(list: &Value) -> &Value {
    list["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == "rested").unwrap()
}

/// The other feed was asked some times more, and this one was not.
fn rests(daemon: &Daemon, origin: &Origin) {
    let (rested, busy) = (origin.requests("/rested").len(), origin.requests("/busy").len());
    daemon.until("the other one goes on", |_| origin.requests("/busy").len() > busy + 2);
    assert_eq!(origin.requests("/rested").len(), rested);
    let list = daemon.json("/api/v1/feeds");
    let feed = shown(&list);
    assert_eq!((&feed["state"], feed.get("next_poll")), (&"paused".into(), None));
    assert!(feed["next_poll_reason"].as_str().unwrap().starts_with("it was paused by hand at 20"), "{feed}");
    assert!(daemon.get("/status").text().contains("it was paused by hand at 20"));
}

#[test]
fn a_paused_feed_is_not_asked_over_restart_and_reload_but_by_its_name_until_it_is_resumed() {
    let origin = Origin::start();
    let (house, rest) = house(&origin);
    let daemon = house.start();
    daemon.until("both are asked", |_| origin.requests("/rested").len() > 1 && origin.requests("/busy").len() > 1);

    let paused = order(&daemon, "rested", "pause");
    assert_eq!((paused.status, paused.text()), (202, "{\"count\":1,\"feed\":\"rested\"}".to_owned()));
    assert_eq!(order(&daemon, "rested", "pause").status, 202, "twice is once");
    rests(&daemon, &origin);

    assert_eq!(daemon.stop(), Some(0));
    let daemon = house.start();
    rests(&daemon, &origin);
    house.serve_with("admin_token = \"s3cret-s3cret-s3cret\"", &format!("{rest}title = \"Busy\"\n"));
    assert!(house.run(&["reload"]).status.success());
    rests(&daemon, &origin);
    let told: Value = serde_json::from_slice(&house.run(&["feeds", "--json"]).stdout).unwrap();
    assert_eq!(shown(&told)["state"], "paused");

    let before = origin.requests("/rested").len();
    let all: Value = serde_json::from_slice(&house.run(&["poll", "--json"]).stdout).unwrap();
    assert_eq!((&all["count"], &all["feeds"][0]["name"]), (&1.into(), &"busy".into()), "who polls all leaves it out");
    assert!(house.run(&["poll", "rested"]).status.success());
    assert_eq!(origin.requests("/rested").len(), before + 1);
    rests(&daemon, &origin);

    let resumed = order(&daemon, "rested", "resume");
    assert_eq!(resumed.status, 202, "{}", resumed.text());
    let before = origin.requests("/rested").len();
    daemon.until("it is asked again", |_| origin.requests("/rested").len() > before + 1);
    assert_eq!(shown(&daemon.json("/api/v1/feeds"))["state"], "ok");
}

#[test]
fn a_pause_needs_the_token_and_a_feed_and_holds_a_poll_that_is_under_way() {
    let origin = Origin::start();
    let (house, _) = house(&origin);
    origin.route("/rested", Reply::ok(rss(&[])).after(std::time::Duration::from_secs(2)));
    let daemon = house.start();
    assert_eq!(daemon.request("POST", "/api/v1/feeds/rested/pause", &[]).status, 401);
    assert_eq!(daemon.get("/api/v1/feeds/rested/pause").status, 405);
    assert_eq!(order(&daemon, "nobody", "pause").status, 404);
    daemon.until("it is under way", |_| origin.requests("/rested").len() == 1);
    assert_eq!(order(&daemon, "rested", "pause").status, 202);
    daemon.until("it ended", |d| shown(&d.json("/api/v1/feeds")).get("last_success").is_some());
    rests(&daemon, &origin);
    assert_eq!(origin.requests("/rested").len(), 1);

    // Resumed while it is asked by hand: it is back on the schedule.
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| order(&daemon, "rested", "poll").status);
        daemon.until("it is under way", |_| origin.requests("/rested").len() == 2);
        assert_eq!(order(&daemon, "rested", "resume").status, 202);
        asked.join().unwrap()
    });
    assert_eq!(asked, 202);
    daemon.until("it is asked again", |_| origin.requests("/rested").len() > 2);
}
