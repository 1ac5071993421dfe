//! Small streams for the tests: ordinary stories, and what the web does to them. All of it is made up.

use url::Url;

use super::page::{Report, Site};
use super::{Channel, Pages, View};
use crate::domain::feed::{ErrorKind, FeedInfo, Health, IdPolicy};
use crate::domain::item::{Category, Clean, Enclosure, Extras, Item, ItemId, Person, Sighting, Source};
use crate::domain::shape::{
    AttemptShape, DeliveryShape, ErrorShape, FeedShape, KnownByShape, MatchShape, StreamShape, WebhookShape,
};
use crate::domain::time::Timestamp;
use crate::domain::trace::{EventShape, KeyShape, RuleShape, TraceShape};
use crate::domain::webhook::{DeliveryState, WebhookState};
use crate::store::{FeedSize, FeedSizes, StoreHealth};

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(super) fn base() -> Url {
    Url::parse("https://news.example.org/mill/").unwrap()
}

pub(super) fn channel() -> Channel {
    Channel {
        name: "all".to_owned(),
        title: "My news".to_owned(),
        id: "tag:example.org,2026-11-24:feedmill:01jd:all".to_owned(),
        base: base(),
        asked: String::new(),
        updated: at("2026-11-24T09:05:00Z"),
        ttl_minutes: 60,
        pages: Pages::default(),
    }
}

pub(super) fn streams() -> Vec<StreamShape> {
    let stream = |name: &str, title: &str, query: &str| StreamShape {
        name: name.to_owned(),
        title: title.to_owned(),
        query: query.to_owned(),
        notify: vec![],
        atom_url: format!("{}{name}.atom", base()),
        rss_url: format!("{}{name}.rss", base()),
        json_url: format!("{}{name}.json", base()),
        page_url: format!("{}{name}", base()),
    };
    vec![
        stream("all", "My news", ""),
        stream("rail", "Night trains", "(train* OR rail*) AND night"),
        stream("harbour", "Harbour & sea", "harbour OR \"container ship*\""),
        stream("rust", "Rust releases", "feed:compilers AND rust"),
    ]
}

pub(super) fn site<'a>(base: &'a Url, streams: &'a [StreamShape]) -> Site<'a> {
    Site { title: "My news", base, streams }
}

fn source(name: &str, title: &str) -> Source {
    Source {
        name: name.to_owned(),
        feed_url: format!("https://{name}.example/feed.xml"),
        info: FeedInfo {
            title: some(title),
            home_url: Some(format!("https://{name}.example/")),
            ..FeedInfo::default()
        },
    }
}

/// A story with a title and a text.
pub(super) fn story(id: i64, from: (&str, &str), time: &str, title: &str, text: &str) -> View {
    let link = format!("https://{}.example/stories/{id}", from.0);
    let item = Item {
        id: ItemId(id),
        key: link.clone(),
        published_id: link.clone(),
        link: Some(link.clone()),
        title: some(title),
        summary: some(text),
        content: None,
        clean: None,
        published: Some(at(time)),
        updated: at(time),
        effective_at: at(time),
        first_seen: at("2026-11-24T12:00:00Z"),
        revision: 1,
        authors: vec![],
        categories: vec![],
        enclosures: vec![],
        image: None,
        language: None,
        source: source(from.0, from.1),
        own_source: None,
        extras: Extras::default(),
        sightings: vec![sighting(from, &link)],
        streams: vec![],
    };
    let clean = Clean { summary: Some(format!("<p>{text}</p>")), content: None };
    View { item, clean, summary_text: some(text), content_text: None }
}

pub(super) fn sighting(from: (&str, &str), url: &str) -> Sighting {
    Sighting {
        feed: from.0.to_owned(),
        title: some(from.1),
        feed_url: format!("https://{}.example/feed.xml", from.0),
        guid: None,
        url: some(url),
        first_seen: at("2026-11-24T12:00:00Z"),
    }
}

const COURIER: (&str, &str) = ("courier", "The Quay Courier");
const WIRE: (&str, &str) = ("northwire", "Northwire");
const NOTES: (&str, &str) = ("compilers", "Notes on compilers");
const LOOP: (&str, &str) = ("loopline", "Loopline, the railway podcast");

/// Everything that an item can say, at once.
pub(super) fn full() -> View {
    let mut view = story(1, COURIER, "2026-11-24T08:30:00Z", "Harbour & sea: tide < 2 m", "The gates close at noon.");
    let item = &mut view.item;
    item.updated = at("2026-11-24T09:05:00Z");
    item.revision = 2;
    item.language = some("en-GB");
    item.image = some("https://courier.example/i/gate.jpg");
    item.authors = vec![
        Person { name: some("Ada Quay"), email: some("ada@courier.example"), uri: some("https://courier.example/ada") },
        Person { name: some("Bo Mole"), email: some("not an address"), uri: some("javascript:alert(1)") },
    ];
    item.categories = vec![
        Category { term: "harbour".to_owned(), scheme: some("https://courier.example/tags"), label: some("Harbour") },
        Category { term: "tides".to_owned(), scheme: some("Syndic8"), label: None },
    ];
    item.enclosures = vec![
        Enclosure { url: "magnet:?xt=urn:btih:c0ffee".to_owned(), mime_type: None, ..Enclosure::default() },
        Enclosure {
            url: "https://courier.example/a/tide.mp3?a=1&b=2".to_owned(),
            mime_type: some("audio/mpeg"),
            length_bytes: Some(12_345_678),
            ..Enclosure::default()
        },
        Enclosure {
            url: "https://courier.example/a/tide.mp4".to_owned(),
            mime_type: some("video/mp4; codecs=\"avc1\""),
            length_bytes: None,
            ..Enclosure::default()
        },
    ];
    item.source.info = FeedInfo {
        title: some("The Quay Courier"),
        description: some("News of the quay"),
        home_url: some("https://courier.example/"),
        atom_id: some("urn:uuid:6e7f0d2c-3f0b-4b7e-9a54-0c1d7a1d0001"),
        icon: some("https://courier.example/icon.png"),
        language: some("en"),
        rights: some("© 2026 The Quay Courier"),
        updated: Some(at("2026-11-24T08:31:00Z")),
        authors: vec![Person { name: some("The desk"), ..Person::default() }],
    };
    item.sightings.push(sighting(COURIER, "https://courier.example/stories/1?again"));
    item.sightings.push(sighting(WIRE, "https://northwire.example/9?from=a&to=b"));
    item.sightings.push(Sighting { title: None, url: None, ..sighting(NOTES, "") });
    item.streams = vec!["harbour".to_owned()];
    let content = "<p>The gates close at <b>noon</b> &amp; open at six.</p><p>]]&gt; stays as it is.</p>";
    view.clean = Clean { summary: some("<p>The gates close at noon.</p>"), content: some(content) };
    view.content_text = some("The gates close at noon & open at six.\n]]> stays as it is.");
    view
}

/// What publishers do: nothing said, everything broken, too much of it.
pub(super) fn hostile() -> Vec<View> {
    let mut bare = story(10, WIRE, "2026-11-24T07:00:00Z", "", "");
    bare.item.title = None;
    bare.item.link = None;
    bare.item.published_id = "tag:example.org,2026-11-24:feedmill:01jd:northwire:10".to_owned();
    bare.item.source =
        Source { name: "northwire".to_owned(), feed_url: "not a url".to_owned(), info: FeedInfo::default() };
    bare.item.sightings = vec![];
    bare.clean = Clean::default();
    bare.summary_text = None;

    let mut untitled = story(11, WIRE, "2026-11-24T06:00:00Z", "\u{200B}\u{0}", "");
    let text = "A note without a title, which goes on for\nrather longer than the eighty characters that a title gets.";
    untitled.item.authors =
        vec![Person { email: some("ed@northwire.example"), ..Person::default() }, Person::default()];
    untitled.item.own_source = Some(FeedInfo {
        title: some("An elsewhere"),
        atom_id: some("tag:elsewhere.example,2020:feed"),
        home_url: some("https://elsewhere.example/"),
        ..FeedInfo::default()
    });
    untitled.summary_text = None;
    untitled.clean = Clean { summary: None, content: Some(format!("<p>{text}</p>")) };
    untitled.content_text = some(text);

    let evil = "]]> </title><script>alert(1)</script> <!-- \u{0}\u{8}\u{1B}\u{FFFE}\u{FFFF} &#0; &amp; &undefined; \u{202E}evil\u{2066}\u{85}\u{2028} \"'";
    let mut broken = story(12, WIRE, "2026-11-24T05:00:00Z", evil, evil);
    broken.item.published_id = "https://northwire.example/?id=<&\"'>".to_owned();
    broken.item.link = some("javascript:alert(document.domain)");
    broken.item.image = some("data:image/svg+xml,<svg onload=alert(1)>");
    broken.item.language = some("\"><x>");
    broken.item.published = Some(at("2099-01-01T00:00:00Z"));
    broken.item.authors = vec![Person { name: some(evil), email: some("a@b c"), uri: some(evil) }];
    broken.item.categories = vec![
        Category { term: evil.to_owned(), scheme: some(evil), label: some(evil) },
        Category { term: "\u{FEFF}".to_owned(), ..Category::default() },
    ];
    broken.item.enclosures = vec![
        Enclosure { url: "javascript:1".to_owned(), mime_type: None, ..Enclosure::default() },
        Enclosure {
            url: "https://u:p@northwire.example/\"<>".to_owned(),
            mime_type: some(evil),
            length_bytes: None,
            ..Enclosure::default()
        },
        Enclosure {
            url: "https://northwire.example/2".to_owned(),
            mime_type: some("mp3"),
            length_bytes: Some(u64::MAX),
            ..Enclosure::default()
        },
    ];
    broken.item.source.info = FeedInfo {
        title: some(evil),
        description: some(evil),
        home_url: some(evil),
        atom_id: some(evil),
        icon: some(evil),
        language: some(evil),
        rights: some(evil),
        updated: None,
        authors: vec![Person { name: some(evil), ..Person::default() }],
    };
    broken.item.sightings.push(Sighting { title: some(evil), ..sighting(("evil", evil), evil) });
    broken.clean = Clean { summary: some(evil), content: Some(format!("<p>{evil}</p>")) };
    broken.content_text = some(evil);
    vec![bare, untitled, broken]
}

/// A morning's river, as the README shows it.
pub(super) fn morning() -> Vec<View> {
    let mut views = vec![
        story(
            1,
            COURIER,
            "2026-11-24T08:42:00Z",
            "Storm surge gates hold as the highest tide in nine years passes the harbour",
            "Water stood four centimetres below the old mark at half past six. The harbour office expects to reopen the inner basin before noon; two ferries wait in the roads.",
        ),
        story(
            2,
            NOTES,
            "2026-11-24T08:15:00Z",
            "What a borrow checker sees that you do not",
            "A small function, three lifetimes, and an error that is right. We follow one reference through the compiler, from the syntax tree to the place where it is refused.",
        ),
        story(
            3,
            LOOP,
            "2026-11-24T07:30:00Z",
            "Episode 88: the sleeping car that would not sleep",
            "Forty years of night trains between the coast and the mountains, told by the people who made the beds.",
        ),
        story(
            4,
            WIRE,
            "2026-11-24T06:05:00Z",
            "Parliament agrees on the railway bill after a long night",
            "The second reading passed by eleven votes. Lines north of the river get their money two years earlier than planned.",
        ),
        story(
            5,
            ("hafenblatt", "Hafenblatt"),
            "2026-11-23T21:50:00Z",
            "Containerschiff nach Ruderschaden in den Hafen geschleppt",
            "Drei Schlepper brachten die „Marit“ am Abend an den Kai. Verletzt wurde niemand.",
        ),
        story(
            6,
            ("almanac", "The Slow Almanac"),
            "2026-11-23T17:20:00Z",
            "Seven ways to read a barometer, and one to trust it",
            "Pressure falls before the rain comes, except when it does not. A patient guide to the brass instrument in the hall.",
        ),
        story(7, NOTES, "2026-11-23T09:00:00Z", "Notes on a parser that never gives up", ""),
    ];
    views[0].item.sightings.push(sighting(WIRE, "https://northwire.example/tide"));
    views[0].item.sightings.push(sighting(("hafenblatt", "Hafenblatt"), "https://hafenblatt.example/flut"));
    views[3].item.sightings.push(sighting(COURIER, "https://courier.example/rail"));
    views[2].item.enclosures = vec![Enclosure {
        url: "https://loopline.example/88.mp3".to_owned(),
        mime_type: some("audio/mpeg"),
        length_bytes: Some(48_200_000),
        ..Enclosure::default()
    }];
    views[4].item.language = some("de");
    views[6].summary_text = None;
    views[6].clean = Clean::default();
    views
}

pub(super) fn now() -> Timestamp {
    at("2026-11-24T09:00:00Z")
}

fn known_by() -> KnownByShape {
    KnownByShape {
        id: IdPolicy::Link,
        reason: "12 of 30 entries share their guid with another story".to_owned(),
        since: Some(at("2026-11-20T08:00:00Z")),
    }
}

fn feed(name: &str, title: &str, tags: &[&str], last: &str, next: &str, items: u64) -> FeedShape {
    FeedShape {
        name: name.to_owned(),
        title: some(title),
        url: format!("https://{name}.example/feed.xml"),
        current_url: format!("https://{name}.example/feed.xml"),
        home_page_url: Some(format!("https://{name}.example/")),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        state: Health::Ok,
        last_success: Some(at(last)),
        last_attempt: Some(at(last)),
        next_poll: Some(at(next)),
        next_poll_reason: some("as scheduled"),
        items,
        errors_in_row: 0,
        known_by: None,
        error: None,
        redirects: Vec::new(),
        merged: None,
    }
}

pub(super) fn feeds() -> Vec<FeedShape> {
    let mut feeds = vec![
        feed("almanac", "The Slow Almanac", &[], "2026-11-24T08:12:00Z", "2026-11-24T09:12:00Z", 212),
        feed("compilers", "Notes on compilers", &["code"], "2026-11-24T08:51:00Z", "2026-11-24T14:00:00Z", 64),
        feed(
            "courier",
            "The Quay Courier",
            &["press", "local"],
            "2026-11-24T08:58:00Z",
            "2026-11-24T09:28:00Z",
            18_402,
        ),
        feed("hafenblatt", "Hafenblatt", &["press"], "2026-11-24T07:40:00Z", "2026-11-24T09:05:00Z", 5_120),
        feed(
            "loopline",
            "Loopline, the railway podcast",
            &["audio"],
            "2026-11-22T20:10:00Z",
            "2026-11-24T12:30:00Z",
            88,
        ),
        feed("northwire", "Northwire", &["press"], "2026-11-24T08:47:00Z", "2026-11-24T09:17:00Z", 40_233),
        feed("old-quay", "The Old Quay", &[], "2026-09-30T04:00:00Z", "2026-09-30T04:00:00Z", 1_020),
    ];
    feeds[1].next_poll_reason = some("fresh until then, by Cache-Control");
    feeds[3].state = Health::Failing;
    feeds[2].known_by = Some(known_by());
    feeds[3].errors_in_row = 1;
    feeds[3].next_poll_reason = some("15 min after a failure");
    feeds[3].error = Some(ErrorShape {
        kind: ErrorKind::Timeout,
        http_status: None,
        message: "hafenblatt.example did not answer within 30 s.".to_owned(),
    });
    feeds[4].state = Health::Broken;
    feeds[4].errors_in_row = 9;
    feeds[4].next_poll_reason = some("backing off, 8 h after the last failure");
    feeds[4].error = Some(ErrorShape {
        kind: ErrorKind::Parse,
        http_status: Some(200),
        message: "https://loopline.example/feed.xml is a web page and no feed. Its <head> names no feed either."
            .to_owned(),
    });
    feeds[6].state = Health::Gone;
    feeds[6].next_poll = None;
    feeds[6].next_poll_reason = None;
    feeds[6].errors_in_row = 1;
    feeds[6].error = Some(ErrorShape {
        kind: ErrorKind::Http,
        http_status: Some(410),
        message: "old-quay.example answered 410 Gone: it asks not to be polled again.".to_owned(),
    });
    feeds
}

pub(super) fn webhooks() -> Vec<WebhookShape> {
    let hook = |name: &str, events: &[&str], attempt: AttemptShape| WebhookShape {
        name: name.to_owned(),
        format: "standard".to_owned(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        state: WebhookState::Active,
        reason: None,
        slowed_until: None,
        due: 0,
        failed: 0,
        oldest_due: None,
        last_attempt: Some(attempt),
    };
    let good = AttemptShape {
        at: at("2026-11-24T08:42:09Z"),
        http_status: Some(204),
        duration_ms: 86,
        error: None,
        request: None,
        response: None,
    };
    let bad = AttemptShape {
        at: at("2026-11-24T08:55:00Z"),
        http_status: Some(503),
        duration_ms: 1_240,
        error: some("hooks.example.net answered 503 Service Unavailable"),
        ..good.clone()
    };
    let mut archive = hook("archive", &["item.new", "item.updated"], bad);
    archive.state = WebhookState::Slowed;
    archive.reason = some("hooks.example.net answered 503 Service Unavailable; one call at a time is tried");
    archive.slowed_until = Some(at("2026-11-24T09:05:00Z"));
    archive.due = 14;
    archive.failed = 2;
    archive.oldest_due = Some(at("2026-11-24T06:05:10Z"));
    vec![archive, hook("desk", &["item.new"], good)]
}

pub(super) fn health() -> StoreHealth {
    StoreHealth {
        items: 65_139,
        owed: 14,
        failed: 2,
        oldest_owed: Some(at("2026-11-24T06:05:10Z")),
        webhooks: [1, 1, 0, 0],
        size_bytes: 184_320_512,
        hindrance: None,
    }
}

pub(super) fn sizes() -> FeedSizes {
    let feed = |name: &str, followed, stories, body_bytes| FeedSize {
        name: name.to_owned(),
        followed,
        stories,
        body_bytes,
        entries: stories * 3,
        identity_bytes: stories * 240,
    };
    let feeds = vec![feed("harbour", true, 41_200, 120_400_000), feed("https://old.example/<rss>", false, 12, 90_000)];
    FeedSizes { measured_at: Some(at("2026-11-24T06:00:00Z")), feeds, more: 3 }
}

/// The way of [`full`]: everything that can happen to a story.
pub(super) fn trace() -> TraceShape {
    let met = |stream: &str, hit: Option<[&str; 4]>| MatchShape {
        stream: stream.to_owned(),
        field: hit.and_then(|hit| some(hit[0])),
        term: hit.and_then(|hit| some(hit[1])),
        text: hit.and_then(|hit| some(hit[2])),
        snippet: hit.and_then(|hit| some(hit[3])),
        highlights: Vec::new(),
    };
    let delivery = |webhook: &str, state: DeliveryState, attempts: u32, next: Option<&str>| DeliveryShape {
        id: format!("msg_{webhook}"),
        webhook: webhook.to_owned(),
        kind: "item.new".to_owned(),
        item: Some(1),
        feed: None,
        state,
        attempts,
        next_attempt: next.map(at),
        body: None,
        log: vec![],
    };
    TraceShape {
        asked: None,
        key: "https://courier.example/stories/1".to_owned(),
        note: None,
        keys: addresses(),
        events: events(),
        streams: vec![
            met("harbour", Some(["title", "harbour", "Harbour", "Harbour & sea: tide < 2 m"])),
            met("removed", None),
        ],
        deliveries: vec![
            delivery("desk", DeliveryState::Pending, 1, Some("2026-11-24T12:05:21Z")),
            delivery("phone", DeliveryState::Succeeded, 1, None),
            delivery("archive", DeliveryState::Held, 0, None),
            delivery("old", DeliveryState::Failed, 9, None),
        ],
    }
}

fn addresses() -> Vec<KeyShape> {
    let address = |feeds: &[&str], url: &str, steps: &[(&str, &str)], note: Option<&str>| KeyShape {
        feeds: feeds.iter().map(|feed| (*feed).to_owned()).collect(),
        url: url.to_owned(),
        key: some(steps.last().map_or(url, |(_, url)| url)),
        steps: steps.iter().map(|(rule, url)| RuleShape { rule: (*rule).to_owned(), url: (*url).to_owned() }).collect(),
        note: note.map(str::to_owned),
    };
    let steps = [
        ("https", "https://www.courier.example/stories/1/"),
        ("www", "https://courier.example/stories/1/"),
        ("trailing-slash", "https://courier.example/stories/1"),
    ];
    let other = Some("This key is another address of the story.");
    vec![
        address(&["courier"], "https://courier.example/stories/1", &[], None),
        address(&["northwire", "loopline"], "http://www.courier.example/stories/1/", &steps, None),
        address(&["compilers"], "https://courier.example/go/1", &[], other),
    ]
}

fn events() -> Vec<EventShape> {
    let event = |time: &str, kind: &str, text: &str| EventShape {
        at: Some(at(time)),
        kind: kind.to_owned(),
        text: text.to_owned(),
        feed: None,
        item: (kind == "unmerged").then_some(9),
        webhook: None,
        error: (kind == "called").then(|| "desk.internal gave no answer within 20 s".to_owned()),
    };
    let seen = "First seen in `courier` as `urn:1`, at https://courier.example/stories/1.";
    let merged = "Item 9 turned out to be the same story and was merged into this one.";
    vec![
        event("2026-11-24T12:00:00Z", "seen", seen),
        event("2026-11-24T12:00:00Z", "owed", "`desk` is to be called: item.new, msg_desk."),
        event("2026-11-24T12:00:21Z", "called", "`desk` gave no answer within 20000 ms."),
        event("2026-11-24T13:00:00Z", "merged", merged),
        event("2026-11-24T14:00:00Z", "unmerged", "The merge of item 9 into item 1 was undone."),
        EventShape { at: None, ..event("2026-11-24T12:00:00Z", "purged", "Its text is gone.") },
    ]
}

/// A way that publishers wrote.
pub(super) fn hostile_trace() -> TraceShape {
    let evil = "`</code><script>alert(1)</script>` \u{0}\u{202E}x\u{2066} `\"'";
    let mut trace = trace();
    trace.key = evil.to_owned();
    trace.note = some(evil);
    for event in &mut trace.events {
        event.text = evil.to_owned();
    }
    for address in &mut trace.keys {
        address.url = "javascript:alert(1)".to_owned();
        address.note = some(evil);
    }
    for found in &mut trace.streams {
        found.text = some(evil);
        found.snippet = some(evil);
    }
    trace
}

pub(super) fn report<'a>(
    feeds: &'a [FeedShape],
    webhooks: &'a [WebhookShape],
    health: &'a StoreHealth,
    sizes: &'a FeedSizes,
) -> Report<'a> {
    let next_due = Some(at("2026-11-24T09:05:00Z"));
    Report {
        feeds,
        webhooks,
        health,
        next_due,
        sizes,
        days: &[0, 3, 12, 1, 7],
        readers: &[17, 2, 0, 1],
        version: "0.1.0",
    }
}
