//! Dates and ages in the queries of streams, through the real program.

use rusqlite::Connection;

use crate::support::daemon::{Installation, rss, story};
use crate::support::origin::{Origin, Reply};

const LINK: &str = "https://n.example/peace";

fn members(house: &Installation) -> Vec<String> {
    let db = Connection::open(house.database()).unwrap();
    let mut read =
        db.prepare("SELECT s.name FROM stream_item m JOIN stream s ON s.id = m.stream_id ORDER BY s.name").unwrap();
    read.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_story_has_one_date_whatever_the_feed_says_that_carries_it_next() {
    let origin = Origin::start();
    // Of 2 March 2006 by its publisher's word; the other feed gives no date, so that it would be of today.
    let own = rss(&[story("Peace", LINK, "1")]).replace("Mon, 02 Mar 2026", "Thu, 02 Mar 2006");
    origin.route("/own", Reply::ok(own));
    let undated = rss(&[story("Peace", LINK, "2")]);
    let (head, rest) = undated.split_once("<pubDate>").unwrap();
    let (_, tail) = rest.split_once("</pubDate>").unwrap();
    origin.route("/other", Reply::ok(format!("{head}{tail}")));
    let feed = |name: &str| format!("[[feed]]\nname = \"{name}\"\nurl = \"{}\"\n", origin.url(&format!("/{name}")));
    let streams = "[[stream]]\nname = \"old\"\nmatch = 'feed:other before:2006-03-03'\n[[stream]]\nname = \"young\"\nmatch = \
                   'feed:other after:2006-03-02'\n[[stream]]\nname = \"week\"\nmatch = 'peace age:<7d'\n";
    let house = Installation::new(&format!("{}{streams}", feed("own")));
    assert!(house.run(&["poll"]).status.success());
    assert_eq!(members(&house), ["week"], "an age is no part of membership");
    house.configure(&format!("{}{}{streams}", feed("own"), feed("other")));
    assert!(house.run(&["poll"]).status.success());
    assert_eq!(members(&house), ["old", "week"]);

    let daemon = house.start();
    let titles = |path: &str| daemon.json(path)["items"].as_array().unwrap().len();
    // A start fills both anew.
    daemon.until("the streams are filled", |_| titles("/old.json") == 1 && members(&house) == ["old", "week"]);
    assert_eq!(titles("/week.json"), 0, "it is in the stream, and too old to be shown");
    let counted = |query: &str| titles(&format!("/api/v1/items?q={query}"));
    assert_eq!(counted("peace%20before:2006-03-03"), 1);
    assert_eq!(counted("peace%20age:%3E30d"), 1);
    assert_eq!(counted("peace%20age:%3C30d"), 0);
    assert_eq!(counted("title:/^pea%5Cw%2B$/i"), 1);
    assert_eq!(daemon.stop(), Some(0));
}
