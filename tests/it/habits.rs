//! What a feed's guids are worth: learnt, kept, logged and shown.

use crate::support::daemon::Installation;
use crate::support::origin::{Origin, Reply};

fn entry(n: u32, guid: &str) -> String {
    format!(
        "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://n.example/{n}</link><title>Story {n}</title>\
         <description>Text {n}</description></item>"
    )
}

#[test]
fn guids_that_lie_are_not_believed_and_that_is_kept_logged_and_shown() {
    let origin = Origin::start();
    let document = |numbers: std::ops::Range<u32>| {
        let items: String = numbers.map(|n| entry(n, "same")).collect();
        Reply::ok(format!("<rss version=\"2.0\"><channel><title>Liar</title>{items}</channel></rss>"))
    };
    origin.route("/liar", document(0..6));
    let house = Installation::new(&format!("[[feed]]\nname = \"liar\"\nurl = \"{}\"\n", origin.url("/liar")));
    let daemon = house.start();
    daemon.until("six stories", |d| d.json("/all.json")["items"].as_array().unwrap().len() == 6);
    let why = "6 of 6 entries share their guid with another story";
    let shown = daemon.json("/api/v1/feeds")["feeds"][0]["known_by"].clone();
    assert_eq!((shown["id"].as_str(), shown["reason"].as_str()), (Some("link"), Some(why)));
    assert!(shown["since"].as_str().is_some_and(|since| since.ends_with('Z')));
    assert!(daemon.get("/status").text().contains(&format!("known by their link: {why}")));
    let log = daemon.log();
    assert_eq!(daemon.stop(), Some(0));
    assert!(log.contains("not believed") && log.contains(why), "{log}");
    let daemon = house.start();
    let shown = daemon.json("/api/v1/feeds")["feeds"][0]["known_by"]["id"].clone();
    assert_eq!(shown, "link", "it outlives a restart");
    let table = String::from_utf8(house.run(&["feeds"]).stdout).unwrap();
    assert!(table.contains("entries are known by their link, since") && table.contains(why), "{table}");
}
