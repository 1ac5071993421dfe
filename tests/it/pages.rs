//! Pages as people get them, with stories and feeds as they are in the world.

use std::fmt::Write as _;

use crate::support::daemon::Installation;
use crate::support::origin::{Origin, Reply};

/// Stories such as newspapers have them: a headline, an address with the day and a slug, a summary, a text, a file.
fn paper(paper: usize) -> Reply {
    let item = |n: usize| {
        // Every third story is in all papers.
        let place = if n.is_multiple_of(3) { "wire.example".to_owned() } else { format!("www.paper-{paper}.example") };
        let title =
            format!("Harbour board weighs a {n}th plan for the tide gates as winter storms draw near the old quay");
        let words = "The board met for three hours on Tuesday and heard from the people who work the gates, \u{201c}which were built for another sea\u{201d}. ".repeat(6);
        format!(
            "<item><title>{title}</title><link>https://{place}/2026/03/02/harbour-board-weighs-a-{n}th-plan-for-the-tide-gates</link>\
             <guid isPermaLink=\"false\">{paper}-{n}</guid><pubDate>Mon, 02 Mar 2026 {:02}:{:02}:00 GMT</pubDate>\
             <description>&lt;p&gt;{words}&lt;/p&gt;</description><category>Harbour</category>\
             <enclosure url=\"https://cdn.paper-{paper}.example/audio/2026/03/02/{n}.mp3\" length=\"12345678\" type=\"audio/mpeg\"/></item>",
            n / 60 % 24,
            n % 60
        )
    };
    let items: String = (0..150).map(item).collect();
    Reply::ok(format!(
        "<rss version=\"2.0\"><channel><title>The Quay Courier No {paper}, for the whole coast</title><link>https://www.paper-{paper}.example/</link>{items}</channel></rss>"
    ))
}

#[test]
fn a_page_is_below_fifty_kilobytes_however_much_is_followed() {
    let origin = Origin::start();
    let mut config = String::from("schedule = \"@yearly\"\nspread = false\nper_host = 8\n");
    for n in 0..4 {
        origin.route(&format!("/{n}"), paper(n));
        let _ = write!(
            config,
            "[[feed]]\nname = \"paper-{n}\"\nurl = \"{}\"\ntags = [\"press\"]\n",
            origin.url(&format!("/{n}"))
        );
    }
    for n in 0..400 {
        let _ = write!(
            config,
            "[[feed]]\nname = \"other-{n:03}-of-the-coast\"\nurl = \"https://www.other-{n}.example/feeds/latest/rss.xml\"\nenabled = false\n"
        );
    }
    for n in 0..20 {
        let _ = write!(
            config,
            "[[stream]]\nname = \"watch-{n}\"\ntitle = \"What we watch, number {n}\"\nmatch = 'harbour AND (gates OR \"tide gate*\") -tag:sports-{n}'\n"
        );
    }
    let house = Installation::new(&config);
    let daemon = house.start();
    daemon.until("all stories are there", |d| {
        d.json("/api/v1/items?limit=1000")["items"].as_array().unwrap().len() == 450
    });
    let item = daemon.json("/api/v1/items?limit=1")["items"][0]["_feedmill"]["item"].clone();
    let older = daemon.get("/").text();
    let older = older.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let pages = [
        "/",
        "/watch-7",
        "/search?q=harbour",
        "/feeds",
        "/feeds?after=other-100-of-the-coast",
        "/status",
        "/all/subscribe",
    ];
    let mut pages: Vec<String> = pages.map(str::to_owned).to_vec();
    pages.extend([format!("/{older}"), format!("/item/{item}")]);
    for path in pages {
        let answer = daemon.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.len() < 50_000, "{path}: {} bytes", answer.body.len());
        println!("{path}: {} bytes", answer.body.len());
    }
    // Whatever is not on a page is on the next one.
    let (mut stories, mut path) = (0, "/".to_owned());
    loop {
        let page = daemon.get(&path).text();
        stories += page.matches("<article").count();
        let Some(next) = page.split("rel=\"next\" href=\"").nth(1) else { break };
        path = format!("/{}", next.split('"').next().unwrap().trim_start_matches('/'));
    }
    assert_eq!(stories, 450);
    let (mut feeds, mut path) = (0, "/feeds".to_owned());
    loop {
        let page = daemon.get(&path).text();
        feeds += page.matches("<th scope=\"row\"").count();
        let Some(next) = page.split("rel=\"next\" href=\"").nth(1) else { break };
        path = format!("/feeds{}", next.split('"').next().unwrap());
    }
    assert_eq!(feeds, 404);
    assert!(daemon.get("/status").text().contains("374 feeds more are on"));
}
