//! What an item came with survives: a podcast, photographs and a news article with pictures go through the daemon and its
//! store, and come out of all three formats as they went in.

use feedmill::domain::element::Element;
use feedmill::domain::item::{Enclosure, Entry};
use feedmill::parse::parse;
use serde_json::Value;
use url::Url;

use crate::support::daemon::Installation;
use crate::support::origin::{Origin, Reply};

/// What a document was, what it became, and the item in JSON Feed.
struct Journey {
    before: Entry,
    atom: Entry,
    rss: Entry,
    json: Value,
    atom_text: String,
    rss_text: String,
}

fn travel(document: &'static str) -> Journey {
    let origin = Origin::start();
    origin.route("/feed.xml", Reply::ok(document));
    let address = origin.url("/feed.xml");
    let house = Installation::new(&format!("schedule = \"@hourly\"\n[[feed]]\nname = \"f\"\nurl = \"{address}\"\n"));
    assert!(house.run(&["poll"]).status.success());
    let daemon = house.start();
    let only = |text: &str, base: Option<&Url>| {
        let feed = parse(text.as_bytes(), None, base).unwrap();
        assert_eq!(feed.entries.len(), 1, "{text}");
        feed.entries.into_iter().next().unwrap()
    };
    let [atom_text, rss_text] = ["atom", "rss"].map(|form| daemon.get(&format!("/all.{form}")).text());
    Journey {
        before: only(document, Url::parse(&address).ok().as_ref()),
        atom: only(&atom_text, None),
        rss: only(&rss_text, None),
        json: daemon.json("/all.json")["items"][0].clone(),
        atom_text,
        rss_text,
    }
}

fn names(people: &[feedmill::domain::item::Person]) -> Vec<&str> {
    people.iter().filter_map(|person| person.name.as_deref()).collect()
}

fn files(entry: &Entry) -> Vec<(&str, Option<&str>, Option<u64>)> {
    let row = |file: &Enclosure| (file.url.clone(), file.mime_type.clone(), file.length_bytes);
    assert!(entry.enclosures.iter().map(row).all(|(url, ..)| url.starts_with("http")));
    entry.enclosures.iter().map(|file| (&*file.url, file.mime_type.as_deref(), file.length_bytes)).collect()
}

/// A JSON object has no order.
fn sorted(mut elements: Vec<Element>) -> Vec<Element> {
    for element in &mut elements {
        element.attributes.sort();
        element.children = sorted(std::mem::take(&mut element.children));
    }
    elements
}

impl Journey {
    /// Ids, dates, people, files and all elements are the same at every station.
    fn survived(&self) {
        for after in [&self.atom, &self.rss] {
            assert_eq!(after.extras.media, self.before.extras.media);
            assert_eq!(after.extras, self.before.extras);
            assert_eq!(after.published, self.before.published);
            assert_eq!(after.link, self.before.link);
            // Where nobody is named it is the feed that speaks.
            assert!(self.before.authors.is_empty() || names(&after.authors) == names(&self.before.authors));
            assert_eq!(after.image, self.before.image);
            assert_eq!(after.guid, self.atom.guid);
        }
        assert_eq!(files(&self.atom), files(&self.before));
        let media: Vec<Element> = serde_json::from_value(self.json["_feedmill"]["media"].clone()).unwrap();
        assert_eq!(sorted(media), sorted(self.before.extras.media.clone()));
        assert_eq!(self.json["id"].as_str(), self.atom.guid.as_deref());
        let published = self.before.published.map(feedmill::domain::time::Timestamp::rfc3339);
        assert_eq!(self.json["date_published"].as_str(), published.as_deref());
        let attachments = self.json["attachments"].as_array().map_or(&[][..], Vec::as_slice);
        let attached: Vec<_> = attachments
            .iter()
            .map(|file| (file["url"].as_str().unwrap(), file["mime_type"].as_str(), file["size_in_bytes"].as_u64()))
            .collect();
        assert_eq!(attached, files(&self.before));
    }
}

#[test]
fn a_podcast_keeps_its_episode_its_transcript_its_people_and_its_value() {
    let journey = travel(include_str!("media/podcast.xml"));
    journey.survived();
    assert_eq!(journey.before.extras.media.len(), 15);
    for text in [&journey.atom_text, &journey.rss_text] {
        for part in [
            r#"xmlns:podcast="https://podcastindex.org/namespace/1.0""#,
            r#"xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd""#,
            "<itunes:episode>88</itunes:episode>",
            "<itunes:duration>1:02:03</itunes:duration>",
            "<podcast:person role=\"guest\" group=\"writing\">Bo Lind &amp; Co</podcast:person>",
            "<podcast:valueRecipient name=\"Bo\"",
            "<podcast:soundbite startTime=\"73.0\" duration=\"60.0\">Who makes the beds?</podcast:soundbite>",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(text.contains("/88.vtt\" type=\"text/vtt\" language=\"en\" rel=\"captions\"/>"), "{text}");
        assert!(!text.contains("url=\"/88.vtt\"") && !text.contains("podcast:guid"), "{text}");
    }
    assert!(
        journey.rss_text.contains(
            "<enclosure url=\"https://cdn.loopline.example/88.mp3\" length=\"48200000\" type=\"audio/mpeg\"/>"
        )
    );
    assert_eq!(journey.json["attachments"][0]["duration_in_seconds"], 3723);
    assert_eq!(journey.json["_feedmill"]["media"][7]["name"], "podcast:transcript");
}

/// The publisher moves to another host: the address that stood in the feed is dead. It is no edit.
#[test]
fn an_episode_whose_file_moves_has_the_new_address_and_the_same_dates() {
    let (origin, podcast) = (Origin::start(), include_str!("media/podcast.xml"));
    origin.route("/feed.xml", Reply::ok(podcast));
    let address = origin.url("/feed.xml");
    let house = Installation::new(&format!(
        "schedule = \"@hourly\"\nmin_interval = \"1s\"\n[[feed]]\nname = \"f\"\nurl = \"{address}\"\n"
    ));
    assert!(house.run(&["poll"]).status.success());
    let daemon = house.start();
    let item = || daemon.json("/all.json")["items"][0].clone();
    let before = item();
    assert_eq!(before["attachments"][0]["url"], "https://cdn.loopline.example/88.mp3");
    origin.route(
        "/feed.xml",
        Reply::ok(podcast.replace("https://cdn.loopline.example/88", "https://new.loopline.example/s88")),
    );
    let polled = house.run(&["poll", "f"]);
    assert!(String::from_utf8_lossy(&polled.stdout).contains("0 new items, 0 changed"), "{polled:?}");
    let after = item();
    assert_eq!(after["attachments"][0]["url"], "https://new.loopline.example/s88.mp3");
    for same in ["id", "date_published", "date_modified", "content_html", "title"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let rss = daemon.get("/all.rss").text();
    assert!(
        rss.contains("<enclosure url=\"https://new.loopline.example/s88.mp3\"")
            && !rss.contains("cdn.loopline.example/88.mp3"),
        "{rss}"
    );
}

#[test]
fn photographs_keep_every_size_their_credit_their_place_and_their_licence() {
    let journey = travel(include_str!("media/photos.xml"));
    journey.survived();
    assert_eq!(journey.before.image.as_deref(), Some("https://live.photos.example/1021_s.jpg"));
    assert_eq!(journey.before.extras.license.as_deref(), Some("https://creativecommons.org/licenses/by-sa/4.0/"));
    for text in [&journey.atom_text, &journey.rss_text] {
        for part in [
            "<media:credit role=\"photographer\">Åsa Holm</media:credit>",
            "<georss:point>53.5459 9.9667</georss:point>",
            "<gml:pos>53.5459 9.9667</gml:pos>",
            "<geo:lat>53.5459</geo:lat>",
            "height=\"4000\" width=\"6000\" fileSize=\"9120334\"/>",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(text.matches("<media:content").count(), 2, "{text}");
        assert_eq!(text.matches("<media:thumbnail").count(), 1, "{text}");
    }
    assert!(journey.rss_text.contains("<comments>https://photos.example/harbour/1021#comments</comments>"));
    assert!(journey.rss_text.contains("<creativeCommons:license>https://creativecommons.org/licenses/by-sa/4.0/"));
    assert!(journey.atom_text.contains("rel=\"license\""));
    assert!(journey.atom_text.contains("rel=\"replies\""));
    assert_eq!(journey.json["_feedmill"]["license"], "https://creativecommons.org/licenses/by-sa/4.0/");
    assert_eq!(journey.json["_feedmill"]["comments_url"], "https://photos.example/harbour/1021#comments");
}

#[test]
fn an_article_keeps_three_authors_its_picture_with_caption_and_credit_its_headings_and_the_embedded_post() {
    let journey = travel(include_str!("media/news.xml"));
    journey.survived();
    assert_eq!(names(&journey.before.authors), ["Ines Okafor", "Per Dahl", "Mei Tan"]);
    assert_eq!(journey.json["authors"].as_array().unwrap().len(), 3);
    assert_eq!(journey.rss_text.matches("<dc:creator>").count(), 3);
    let picture = &journey.before.extras.media[0];
    assert!(picture.attribute("url").unwrap().ends_with("/pictures/bill-1600.jpg"));
    assert_eq!(picture.children[0].text, "The chamber after the vote, at four in the morning.");
    assert_eq!(picture.children[1].text, "Jo Wirth/Northwire");
    assert_eq!(journey.before.extras.rights.as_deref(), Some("© 2026 The Quay Courier"));
    assert_eq!(journey.json["_feedmill"]["rights"], "© 2026 The Quay Courier");
    let schemes =
        |entry: &Entry| entry.categories.iter().map(|c| (c.term.clone(), c.scheme.clone())).collect::<Vec<_>>();
    assert_eq!(schemes(&journey.atom), schemes(&journey.before));
    assert_eq!(schemes(&journey.rss), schemes(&journey.before));
    let html = journey.json["content_html"].as_str().unwrap();
    for body in [html, journey.atom.content.as_deref().unwrap(), journey.rss.content.as_deref().unwrap()] {
        for part in [
            "<h2>What is in it</h2>",
            "<h3>Who voted how</h3>",
            "<img src=\"https://courier.example/pictures/bill-800.jpg\" alt=\"The chamber after the vote\">",
            "<figcaption>The chamber after the vote. <cite>Jo Wirth/Northwire</cite></figcaption>",
            "A long night, and a good one.",
            "<a href=\"https://social.example/@railusers/1\"",
            "<blockquote",
        ] {
            assert!(body.contains(part), "{part} is not in\n{body}");
        }
        assert!(!body.contains("<script") && !body.contains("embed.js"), "{body}");
    }
}
