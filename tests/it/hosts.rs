//! Hosts: none is asked for more than it wants, and none that hangs or complains delays another.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

fn document(n: usize) -> String {
    rss(&[story(&format!("Story {n}"), &format!("https://news{n}.example/1"), "g")])
}

#[test]
fn a_tenth_of_a_thousand_feeds_hangs_and_the_others_are_on_time() {
    let origin = Origin::everywhere();
    // Ten feeds on each of ninety hosts, and a hundred that each hang on a host of their own: more than there are places.
    let mut config = String::from("schedule = \"@hourly\"\ntimeout = \"5m\"\nmin_interval = \"1s\"\n");
    for n in 0..1_000_usize {
        let host = u8::try_from(if n < 900 { n % 90 } else { n - 800 }).unwrap();
        let path = format!("/{n}");
        origin.route(&path, if n < 900 { Reply::ok(document(n)) } else { Reply::hang() });
        writeln!(config, "[[feed]]\nname = \"f{n}\"\nurl = \"{}\"", origin.url_at(host, &path)).unwrap();
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    let loaded = |json: &serde_json::Value| {
        let feeds = json["feeds"].as_array().unwrap();
        feeds.iter().filter(|feed| feed["last_success"].is_string()).count()
    };
    // Those that hang do so for five minutes yet.
    daemon.until("all that answer are read", |d| loaded(&d.json("/api/v1/feeds?limit=1000")) == 900);
    let hanging = (900..1_000).filter(|n| !origin.requests(&format!("/{n}")).is_empty()).count();
    assert_eq!(hanging, 100, "they were asked all the same");
    let feeds = daemon.json("/api/v1/feeds?limit=1000");
    let ended = feeds["feeds"].as_array().unwrap().iter().filter(|feed| feed["last_attempt"].is_string()).count();
    assert_eq!(ended, 900, "none of them has ended");
}

#[test]
fn a_host_is_asked_for_one_feed_at_a_time() {
    let origin = Origin::start();
    let mut config = String::from("schedule = \"@hourly\"\n");
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for n in 0..8_usize {
        let path = format!("/{n}");
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        origin.answer(&path, move |_| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(30));
            running.fetch_sub(1, Ordering::SeqCst);
            Reply::ok(document(n))
        });
        writeln!(config, "[[feed]]\nname = \"f{n}\"\nurl = \"{}\"", origin.url(&path)).unwrap();
    }
    let house = Installation::new(&config);
    assert!(house.run(&["poll"]).status.success());
    assert_eq!((most.load(Ordering::SeqCst), origin.all_requests().len()), (1, 8));
}

#[test]
fn connections_to_a_host_are_kept_as_many_as_it_may_have() {
    let origin = Origin::start();
    let mut config = String::from("schedule = \"@hourly\"\nper_host = 6\n");
    for n in 0..60_usize {
        let path = format!("/{n}");
        origin.route(&path, Reply::ok(document(n)));
        writeln!(config, "[[feed]]\nname = \"f{n}\"\nurl = \"{}\"", origin.url(&path)).unwrap();
    }
    let house = Installation::new(&config);
    assert!(house.run(&["poll"]).status.success());
    // One that comes back a moment too late is opened beside.
    assert_eq!(origin.all_requests().len(), 60);
    assert!(origin.connections() <= 12, "{}", origin.connections());
}

#[test]
fn a_429_on_one_feed_holds_the_others_of_its_host_and_no_other_host() {
    let origin = Origin::everywhere();
    let mut config = String::from("schedule = \"@hourly\"\n");
    origin.route("/0", Reply::status(429).header("Retry-After", "3000"));
    for n in 0..6_usize {
        let path = format!("/{n}");
        if n > 0 {
            origin.route(&path, Reply::ok(document(n)));
        }
        // The first four share a host.
        writeln!(config, "[[feed]]\nname = \"f{n}\"\nurl = \"{}\"", origin.url_at(u8::from(n > 3), &path)).unwrap();
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("the other host's feeds are read", |d| {
        let feeds = d.json("/api/v1/feeds");
        feeds["feeds"].as_array().unwrap().iter().filter(|feed| feed["last_success"].is_string()).count() >= 2
    });
    let asked = || (0..6).filter(|n| !origin.requests(&format!("/{n}")).is_empty()).collect::<Vec<usize>>();
    assert_eq!(asked(), [0, 4, 5]);
    // By hand, nobody waits for it: the answer says why.
    let told = String::from_utf8(house.run(&["poll", "f1", "f2", "--json"]).stdout).unwrap();
    assert_eq!(told.matches("too many requests").count(), 2, "{told}");
    assert_eq!(asked(), [0, 4, 5]);
    assert_eq!(daemon.stop(), Some(0));
}
