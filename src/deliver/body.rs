//! What a call says, taken once from the snapshot that was committed with the item. Pure.

use url::Url;

use crate::domain::item::{Clean, Item};
use crate::domain::shape::{
    AlertData, AlertShape, CallData, CallFeed, CallShape, HookAlertData, HookAlertShape, HookShape, ItemShape,
    MatchShape, TestData, TestShape,
};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Alert, DeliveryLease, Event, Subject};
use crate::message::Call;
use crate::sanitize;

/// What a delivery says. `html`: with the content as clean HTML, else as text.
#[must_use]
pub fn call(lease: &DeliveryLease, html: bool) -> Call {
    match &lease.subject {
        Subject::Item(event) => Call::Item(Box::new(item_call(lease, event, html))),
        Subject::Feed(alert) => Call::Feed(Box::new(feed_call(alert))),
        Subject::Hook(alert) => Call::Hook(Box::new(HookAlertShape {
            kind: alert.kind.as_str().to_owned(),
            timestamp: alert.occurred_at,
            data: HookAlertData {
                webhook: HookShape { name: alert.webhook.clone() },
                since: alert.since,
                reason: alert.reason.clone(),
                due: alert.due,
            },
        })),
    }
}

fn feed_call(alert: &Alert) -> AlertShape {
    AlertShape {
        kind: alert.kind.as_str().to_owned(),
        timestamp: alert.occurred_at,
        data: AlertData {
            feed: alert.feed.clone(),
            since: alert.since,
            errors_in_row: alert.errors_in_row,
            error: alert.error.clone(),
        },
    }
}

fn item_call(lease: &DeliveryLease, event: &Event, html: bool) -> CallShape {
    let streams = lease.matches.iter().zip(&lease.streams);
    let newly = streams.clone().filter(|(found, _)| event.entered.contains(&found.stream));
    CallShape {
        kind: event.kind.as_str().to_owned(),
        timestamp: event.occurred_at,
        data: CallData {
            streams: lease.streams.clone(),
            matches: streams.clone().map(|(found, stream)| MatchShape::new(stream, found.term.as_ref())).collect(),
            item: item_shape(&event.item, html),
            feed: feed_shape(&event.item),
            changed: event.changed.clone(),
            newly_matches: newly.map(|(_, stream)| stream.clone()).collect(),
        },
    }
}

fn feed_shape(item: &Item) -> CallFeed {
    CallFeed {
        name: item.source.name.clone(),
        title: item.source.info.title.clone(),
        url: item.source.feed_url.clone(),
        home_page_url: item.source.info.home_url.clone(),
    }
}

/// One form of the content goes into a call, the one that the webhook asks for. HTML that a snapshot holds as
/// clean may be older than the sanitiser, so it is cleaned again.
fn item_shape(item: &Item, html: bool) -> ItemShape {
    let summary = item.summary.as_deref().and_then(text);
    let base = item.link.as_deref().and_then(|link| Url::parse(link).ok());
    let base = base.or_else(|| Url::parse(&item.source.feed_url).ok());
    if !html {
        let content = item.content.as_deref().and_then(text);
        let mut shape = ItemShape::new(item, &Clean::default(), summary, content);
        sanitize::media(&mut shape.feedmill.extras.media, base.as_ref());
        return shape;
    }
    let clean = |source: &Option<String>| {
        let clean = sanitize::clean(source.as_deref()?, base.as_ref());
        (!clean.trim().is_empty()).then_some(clean)
    };
    let clean = Clean { summary: clean(&item.summary), content: clean(&item.content) };
    let mut shape = ItemShape::new(item, &clean, summary, None);
    sanitize::media(&mut shape.feedmill.extras.media, base.as_ref());
    if shape.content_html.is_some() {
        shape.content_text = None;
    }
    shape
}

fn text(html: &str) -> Option<String> {
    let text = sanitize::text(html);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A test call to a webhook, with an item to look at if there is one.
#[must_use]
pub fn test(webhook: &str, item: Option<&Item>, html: bool, now: Timestamp) -> Call {
    let message = format!("A test call from Feedmill to the webhook `{webhook}`. Nothing happened.");
    let data = TestData { message, item: item.map(|item| item_shape(item, html)), feed: item.map(feed_shape) };
    Call::Test(Box::new(TestShape { kind: "test".to_owned(), timestamp: now, data }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feed::{ErrorKind, FeedInfo};
    use crate::domain::item::{Category, Extras, ItemId, Person, Source};
    use crate::domain::shape::ErrorShape;
    use crate::domain::stream::{Match, StreamId, TermHit};
    use crate::domain::webhook::{DeliveryId, EventKind, WebhookId};
    use serde_json::{Value, json};

    fn lease(summary: Option<&str>, content: Option<&str>) -> DeliveryLease {
        let at = Timestamp::parse_rfc3339("2026-01-02T03:04:05Z").unwrap();
        let info = FeedInfo {
            title: Some("Example".to_owned()),
            home_url: Some("https://example.com/".to_owned()),
            ..FeedInfo::default()
        };
        let item = Item {
            id: ItemId(123),
            key: "https://example.com/news/1".to_owned(),
            published_id: "urn:1".to_owned(),
            link: Some("https://example.com/news/1".to_owned()),
            title: Some("Talks \u{2013} \"today\"".to_owned()),
            summary: summary.map(ToOwned::to_owned),
            content: content.map(ToOwned::to_owned),
            clean: None,
            published: None,
            updated: at,
            effective_at: at,
            first_seen: at,
            revision: 1,
            authors: vec![Person { name: Some("Ann".to_owned()), ..Person::default() }],
            categories: vec![Category { term: "world".to_owned(), ..Category::default() }],
            enclosures: Vec::new(),
            image: None,
            language: None,
            source: Source { name: "example".to_owned(), feed_url: "https://example.com/rss".to_owned(), info },
            own_source: None,
            extras: Extras::default(),
            sightings: Vec::new(),
            streams: vec!["peace".to_owned(), "other".to_owned()],
        };
        let term = TermHit {
            field: "title".into(),
            term: "talk*".to_owned(),
            text: "Talks".to_owned(),
            snippet: "Talks …".to_owned(),
            highlights: vec![(0, 5)],
        };
        DeliveryLease {
            id: DeliveryId(1),
            token: 1,
            webhook: WebhookId(1),
            message_id: "msg_a".to_owned(),
            subject: about(EventKind::ItemNew, at, item, &[]),
            matches: vec![Match { stream: StreamId(1), term: Some(term) }, Match { stream: StreamId(2), term: None }],
            streams: vec!["peace".to_owned(), "all".to_owned()],
            body: None,
            attempts: 0,
            tries: 0,
        }
    }

    fn about(kind: EventKind, at: Timestamp, item: Item, changed: &[&str]) -> Subject {
        let changed = changed.iter().map(|field| (*field).to_owned()).collect();
        Subject::Item(Box::new(Event { kind, occurred_at: at, item, changed, entered: Vec::new() }))
    }

    fn event(lease: &mut DeliveryLease) -> &mut Event {
        match &mut lease.subject {
            Subject::Item(event) => event,
            Subject::Feed(_) | Subject::Hook(_) => panic!("no item"),
        }
    }

    fn read(lease: &DeliveryLease, html: bool) -> Value {
        serde_json::to_value(call(lease, html)).unwrap()
    }

    #[test]
    fn a_call_has_the_shape_of_the_contract() {
        let call = read(&lease(None, None), false);
        assert_eq!(call["type"], "item.new");
        assert_eq!(call["timestamp"], "2026-01-02T03:04:05Z");
        let data = &call["data"];
        assert_eq!(data["streams"], json!(["peace", "all"]));
        let first = json!({
            "stream": "peace", "field": "title", "term": "talk*", "text": "Talks", "snippet": "Talks …",
            "highlights": [[0, 5]]
        });
        assert_eq!(data["matches"], json!([first, {"stream": "all"}]));
        let feed = json!({
            "name": "example", "title": "Example", "url": "https://example.com/rss",
            "home_page_url": "https://example.com/"
        });
        assert_eq!(data["feed"], feed);
        assert!(data.get("changed").is_none() && data.get("newly_matches").is_none());
        let item = &data["item"];
        assert_eq!(item["id"], "urn:1");
        assert_eq!(item["title"], "Talks \u{2013} \"today\"");
        assert_eq!(item["authors"], json!([{"name": "Ann"}]));
        assert_eq!(item["tags"], json!(["world"]));
        assert_eq!(item["_feedmill"]["item"], 123);
        // A story that has nothing but a title still has a text (JSON Feed 1.1 wants one).
        assert_eq!(item["content_text"], item["title"]);
        assert!(item.get("content_html").is_none() && item.get("summary").is_none());
    }

    #[test]
    fn a_call_about_a_feed_has_the_shape_of_the_contract() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let feed = CallFeed {
            name: "example".to_owned(),
            title: None,
            url: "https://example.com/rss".to_owned(),
            home_page_url: None,
        };
        let error = ErrorShape { kind: ErrorKind::Http, http_status: Some(404), message: "404 Not Found".to_owned() };
        let alert = Alert {
            kind: EventKind::FeedBroken,
            occurred_at: at("2026-01-02T12:00:00Z"),
            feed,
            since: at("2026-01-02T03:04:05Z"),
            errors_in_row: 5,
            error: Some(error),
        };
        let lease = DeliveryLease { subject: Subject::Feed(Box::new(alert)), ..lease(None, None) };
        let expected = json!({
            "type": "feed.broken", "timestamp": "2026-01-02T12:00:00Z",
            "data": {
                "feed": {"name": "example", "url": "https://example.com/rss"}, "since": "2026-01-02T03:04:05Z",
                "errors_in_row": 5, "error": {"kind": "http", "http_status": 404, "message": "404 Not Found"}
            }
        });
        assert_eq!(read(&lease, false), expected);
    }

    #[test]
    fn an_update_says_what_changed_and_which_streams_are_new() {
        let mut lease = lease(None, None);
        event(&mut lease).kind = EventKind::ItemUpdated;
        event(&mut lease).changed = vec!["title".to_owned()];
        event(&mut lease).entered = vec![StreamId(1), StreamId(9)];
        let call = read(&lease, false);
        assert_eq!(call["data"]["newly_matches"], json!(["peace"]), "only this webhook's streams are named");
        assert_eq!((&call["type"], &call["data"]["changed"]), (&json!("item.updated"), &json!(["title"])));
    }

    #[test]
    fn a_webhook_gets_the_content_in_the_form_that_it_asks_for() {
        let lease = lease(Some("<p>Short</p>"), Some("<p>Long <b>text</b></p><script>alert(1)</script>"));
        let text = &read(&lease, false)["data"]["item"];
        assert_eq!((&text["content_text"], &text["summary"]), (&json!("Long text"), &json!("Short")));
        assert!(text.get("content_html").is_none());
        let html = &read(&lease, true)["data"]["item"];
        let content = html["content_html"].as_str().unwrap();
        assert!(content.contains("<b>text</b>") && !content.contains("script"), "{content}");
        assert!(html.get("content_text").is_none());
        assert_eq!(html["summary"], "Short");
    }

    #[test]
    fn html_that_was_clean_once_is_cleaned_again() {
        let mut lease = lease(None, Some("<p>new</p>"));
        event(&mut lease).item.clean = Some(Clean { summary: None, content: Some("<script>old</script>".to_owned()) });
        assert!(!read(&lease, true).to_string().contains("old"));
    }

    #[test]
    fn links_in_the_content_are_absolute() {
        let lease = lease(None, Some("<a href=\"/about\">x</a>"));
        let content = read(&lease, true)["data"]["item"]["content_html"].to_string();
        assert!(content.contains("https://example.com/about"), "{content}");
    }

    #[test]
    fn a_test_call_is_json_whatever_the_name() {
        let body = serde_json::to_value(test("a\"b", None, false, Timestamp::default())).unwrap();
        assert_eq!((&body["type"], &body["timestamp"]), (&json!("test"), &json!("1970-01-01T00:00:00Z")));
    }
}
