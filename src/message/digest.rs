//! What a call says in a few words: the same for every chat.

use serde::Serialize;

use super::Call;
use crate::domain::shape::{AlertShape, CallFeed, CallShape, HookAlertShape, ItemShape, TestShape};
use crate::domain::time::Timestamp;
use crate::sanitize::{plain, shorten, units};

/// Of an address that a chat shows or opens; a longer one is left out. In characters.
const MAX_URL: usize = 2000;
/// A title that is no headline any more, and what is made of a text without a title. In UTF-16 units.
const MAX_HEADLINE: usize = 240;
/// What a chat shows of a text, in UTF-16 units; who wants more follows the link.
const MAX_TEXT: usize = 1000;

/// A call in words. Every text is plain: no markup, nothing that steers what stands around it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Digest {
    /// What it is about, in a line of at most 240 UTF-16 units; never empty.
    pub headline: String,
    /// More of it, of at most 1,000 units; empty if there is no more.
    pub text: String,
    /// Where it leads: http or https, of at most 2,000 characters. Empty if it leads nowhere.
    pub url: String,
    /// A picture: https. Empty if there is none.
    pub image: String,
    /// Who says it: the feed's title, or Feedmill.
    pub source: String,
    /// The streams that the item is in.
    pub streams: Vec<String>,
    /// When it happened.
    pub timestamp: Timestamp,
}

impl Digest {
    /// Of a call.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        match call {
            Call::Item(call) => of_item(call),
            Call::Feed(alert) => of_feed(alert),
            Call::Hook(alert) => of_hook(alert),
            Call::Test(test) => of_test(test),
        }
    }
}

fn line(text: &str) -> String {
    let words = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    shorten(&words, MAX_HEADLINE, units)
}

fn text(text: &str) -> String {
    // No more than what can be left of it is looked at: a text may have megabytes.
    let begun: String = text.chars().take(MAX_TEXT * 4).collect();
    shorten(plain(&begun).trim(), MAX_TEXT, units)
}

fn address(url: Option<&str>, schemes: &[&str]) -> String {
    let parsed = url.filter(|url| url.len() <= MAX_URL).and_then(|url| url::Url::parse(url).ok());
    let good = parsed.filter(|url| schemes.contains(&url.scheme()) && url.as_str().len() <= MAX_URL);
    good.map(String::from).unwrap_or_default()
}

fn name(feed: &CallFeed) -> String {
    let title = feed.title.as_deref().map(line).filter(|title| !title.is_empty());
    title.unwrap_or_else(|| line(&feed.name))
}

fn headline(item: &ItemShape) -> String {
    let candidates =
        [item.title.as_deref(), item.summary.as_deref(), item.content_text.as_deref(), item.url.as_deref()];
    let found = candidates.into_iter().flatten().map(|text| text.chars().take(MAX_HEADLINE * 4).collect::<String>());
    found.map(|text| line(&text)).find(|line| !line.is_empty()).unwrap_or_else(|| "A story without a title".to_owned())
}

fn body(item: &ItemShape, headline: &str) -> String {
    let found = [item.summary.as_deref(), item.content_text.as_deref()].into_iter().flatten().map(text);
    found.into_iter().find(|text| !text.is_empty() && text != headline).unwrap_or_default()
}

fn of_item(call: &CallShape) -> Digest {
    let (item, data) = (&call.data.item, &call.data);
    let headline = headline(item);
    let text = body(item, &headline);
    let edited = if call.kind == "item.updated" { "Edited: " } else { "" };
    Digest {
        headline: line(&format!("{edited}{headline}")),
        text,
        url: address(item.url.as_deref(), &["http", "https"]),
        image: address(item.image.as_deref(), &["https"]),
        source: name(&data.feed),
        streams: data.streams.clone(),
        timestamp: call.timestamp,
    }
}

fn told(headline: &str, text: String, url: Option<&str>, timestamp: Timestamp) -> Digest {
    Digest {
        headline: line(headline),
        text,
        url: address(url, &["http", "https"]),
        image: String::new(),
        source: "Feedmill".to_owned(),
        streams: Vec::new(),
        timestamp,
    }
}

fn of_feed(alert: &AlertShape) -> Digest {
    let (feed, data) = (name(&alert.data.feed), &alert.data);
    let what = if alert.kind == "feed.recovered" { "works again" } else { "is broken" };
    let failures = format!("{} failures in a row since {}.", data.errors_in_row, data.since);
    let said = data.error.as_ref().map_or(failures.clone(), |error| format!("{failures} {}", error.message));
    let url = data.feed.home_page_url.as_deref().or(Some(&data.feed.url));
    told(&format!("The feed {feed} {what}"), text(&said), url, alert.timestamp)
}

fn of_hook(alert: &HookAlertShape) -> Digest {
    let (hook, data) = (&alert.data.webhook.name, &alert.data);
    let headline = match alert.kind.as_str() {
        "webhook.paused" => format!("The webhook {hook} is paused"),
        "webhook.disabled" => format!("The webhook {hook} is disabled"),
        _ => format!("The template of the webhook {hook} failed"),
    };
    told(
        &headline,
        text(&format!("{}. Deliveries owed: {}.", data.reason.trim_end_matches('.'), data.due)),
        None,
        alert.timestamp,
    )
}

fn of_test(test: &TestShape) -> Digest {
    let told = told("A test call from Feedmill", text(&test.data.message), None, test.timestamp);
    let Some(item) = &test.data.item else { return told };
    let headline = headline(item);
    let url = address(item.url.as_deref(), &["http", "https"]);
    Digest { text: body(item, &headline), headline: line(&format!("Test: {headline}")), url, ..told }
}
