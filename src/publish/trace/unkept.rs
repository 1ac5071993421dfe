//! Why something is not kept, as far as that can be told from what is stored.

use url::Url;

use super::super::lists::without_credentials;
use super::super::published::{Keys, Published};
use super::{hide, learnt};
use crate::domain::feed::Health;
use crate::domain::shape::FeedShape;
use crate::domain::trace::{Alias, AskedShape, Habit, Ignored, Keyed, Past, UnkeptShape};

/// Feeds of one site whose health is told.
const FEEDS: usize = 5;

/// What is known.
pub(super) struct Unkept<'a> {
    pub(super) given: &'a str,
    pub(super) keys: &'a [Keyed],
    pub(super) published: &'a Published,
    pub(super) alias: Option<Alias>,
    pub(super) past: Option<Past>,
    pub(super) hubs: Vec<Habit>,
    pub(super) ignored: Vec<Ignored>,
    pub(super) feeds: Vec<FeedShape>,
}

impl Unkept<'_> {
    pub(super) fn tell(self) -> UnkeptShape {
        let first = self.keys.first();
        let mut steps = first.map(|keyed| keyed.steps.clone()).unwrap_or_default();
        hide(&mut steps);
        let key = first.map(|keyed| without_credentials(&keyed.key));
        let asked = AskedShape { url: self.given.to_owned(), key, steps, found: None };
        let reasons = match first {
            None => vec![self.no_url()],
            Some(keyed) => self.reasons(&keyed.key),
        };
        UnkeptShape { asked, reasons }
    }

    fn no_url(&self) -> String {
        let given = self.given;
        if given.bytes().all(|b| b.is_ascii_digit()) {
            return format!("There is no item {given}. `feedmill items` lists those that there are.");
        }
        format!("`{given}` is no http or https URL, and no item is published under it as its id.")
    }

    fn reasons(&self, key: &str) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(alias) = &self.alias {
            let to = without_credentials(&alias.to);
            reasons.push(format!("{} But what it leads to, {to}, is not kept either.", learnt(alias)));
        }
        if let Some(past) = self.past {
            let day = past.seen.rfc3339();
            let day = day.split('T').next().unwrap_or_default();
            reasons.push(format!(
                "It is past: its story was item {}, seen on {day}. What it said went by retention ([storage] keep), and \
                 it is not taken in again.",
                past.item.0
            ));
            return reasons;
        }
        for ignored in &self.ignored {
            reasons.push(format!(
                "The feed `{}` has carried it since {}, and does not keep it: its query of what to ignore is `{}`.",
                ignored.feed,
                ignored.at.rfc3339(),
                ignored.query
            ));
        }
        if !self.ignored.is_empty() {
            return reasons;
        }
        for hub in &self.hubs {
            reasons.push(format!(
                "Many entries of the feed `{}` link to it, so each of them is known by its guid, and none by this address.",
                hub.feed
            ));
        }
        if is_front_page(key) {
            reasons.push(
                "It is the front page of a site. Entries that link to it are known by their guid, for it is no story."
                    .to_owned(),
            );
        }
        let home = |feed: &&FeedShape| {
            let home = feed.home_page_url.as_deref().and_then(|home| self.published.keys.of(&feed.name, home));
            home.is_some_and(|home| home.key == key)
        };
        for feed in self.feeds.iter().filter(home).take(FEEDS) {
            reasons.push(format!("It is the page that the feed `{}` names as its own, and no story of it.", feed.name));
        }
        reasons.push("No feed has carried a story with this key.".to_owned());
        self.site(key, &mut reasons);
        reasons
    }

    /// How the feeds are that could carry it.
    fn site(&self, key: &str, reasons: &mut Vec<String>) {
        let Some(host) = host(key) else { return };
        let ours = |feed: &&FeedShape| {
            let home = feed.home_page_url.as_deref();
            home.and_then(|home| home_host(&self.published.keys, &feed.name, home)).as_deref() == Some(&host)
        };
        let feeds: Vec<&FeedShape> = self.feeds.iter().filter(ours).collect();
        if feeds.is_empty() {
            reasons.push(format!("No feed that is followed names {host} as its site."));
        }
        reasons.extend(feeds.into_iter().take(FEEDS).map(health));
    }
}

fn health(feed: &FeedShape) -> String {
    let name = &feed.name;
    let last = match feed.last_success {
        Some(at) => format!("It last answered well at {}.", at.rfc3339()),
        None => "It has never answered well.".to_owned(),
    };
    let error = feed.error.as_ref().map(|error| format!(": {}", error.message.trim_end_matches('.')));
    let error = error.unwrap_or_default();
    let state = match feed.state {
        Health::Ok if feed.last_attempt.is_none() => return format!("`{name}` is of that site and was not asked yet."),
        Health::Ok => format!("`{name}` is of that site, and is well."),
        Health::Failing => format!("`{name}` is of that site, and fails{error}."),
        Health::Broken => format!("`{name}` is of that site, and is broken{error}."),
        Health::Gone => format!("`{name}` was of that site, and is gone{error}."),
        Health::Paused => format!("`{name}` is of that site, and is switched off."),
    };
    format!("{state} {last}")
}

fn home_host(keys: &Keys, feed: &str, home: &str) -> Option<String> {
    host(&keys.of(feed, home)?.key)
}

/// Of a key: its host as rules leave it, so that `www.` makes no difference.
fn host(key: &str) -> Option<String> {
    Url::parse(key).ok()?.host_str().map(str::to_owned)
}

/// As identity sees it: a site's own page stands for no story.
fn is_front_page(key: &str) -> bool {
    Url::parse(key).is_ok_and(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::shape::ErrorShape;
    use crate::domain::time::Timestamp;
    use crate::publish::published::tests::example;

    fn feed(name: &str, home: &str, state: Health) -> FeedShape {
        FeedShape {
            name: name.to_owned(),
            title: None,
            url: format!("https://feeds.example/{name}"),
            current_url: String::new(),
            home_page_url: Some(home.to_owned()),
            tags: Vec::new(),
            state,
            last_success: Timestamp::parse_rfc3339("2026-03-01T12:00:00Z"),
            last_attempt: Timestamp::parse_rfc3339("2026-03-01T12:00:00Z"),
            next_poll: None,
            next_poll_reason: None,
            items: 1,
            errors_in_row: 0,
            known_by: None,
            redirects: Vec::new(),
            merged: None,
            error: None,
        }
    }

    fn tell(given: &str, change: impl FnOnce(&mut Unkept<'_>)) -> String {
        let published = example();
        let keys = published.keys.all(given);
        let mut unkept = Unkept {
            given,
            keys: &keys,
            published: &published,
            alias: None,
            past: None,
            hubs: Vec::new(),
            ignored: Vec::new(),
            feeds: vec![feed("courier", "http://a.example/home", Health::Ok)],
        };
        change(&mut unkept);
        unkept.tell().reasons.join(" ")
    }

    #[test]
    fn each_reason_is_told_with_its_evidence() {
        for (given, said) in [
            ("12", "There is no item 12."),
            ("urn:x", "`urn:x` is no http or https URL"),
            ("https://a.example/", "front page"),
            (
                "https://a.example/1",
                "No feed has carried a story with this key. `courier` is of that site, and is well.",
            ),
            ("http://a.example/home", "It is the page that the feed `courier` names as its own"),
            ("https://b.example/1", "No feed that is followed names b.example as its site."),
        ] {
            let told = tell(given, |_| {});
            assert!(told.contains(said), "{given}: {told}");
        }
    }

    #[test]
    fn a_feed_that_fails_says_why_and_since_when() {
        let told = tell("https://a.example/1", |unkept| {
            let feed = &mut unkept.feeds[0];
            feed.state = Health::Broken;
            let message = "the server answered 500.".to_owned();
            feed.error = Some(ErrorShape { kind: crate::domain::feed::ErrorKind::Http, http_status: None, message });
        });
        assert!(
            told.ends_with("is broken: the server answered 500. It last answered well at 2026-03-01T12:00:00Z."),
            "{told}"
        );
    }

    #[test]
    fn what_is_past_an_alias_or_a_hub_says_so() {
        let at = Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap();
        let past = Past { item: crate::domain::item::ItemId(7), seen: at };
        let told = tell("https://a.example/1", |unkept| unkept.past = Some(past));
        let told_ignored = tell("https://a.example/1", |unkept| {
            unkept.ignored = vec![Ignored { feed: "courier".to_owned(), query: "title:sponsored".to_owned(), at }];
        });
        assert!(told_ignored.contains("`courier`") && told_ignored.contains("`title:sponsored`"), "{told_ignored}");
        assert!(!told_ignored.contains("No feed has carried"), "{told_ignored}");
        assert!(told.contains("item 7, seen on 2026-03-01") && !told.contains("No feed has carried"), "{told}");
        let told = tell("https://a.example/1", |unkept| {
            let to = "https://a.example/2".to_owned();
            let from = "https://a.example/1".to_owned();
            unkept.alias = Some(Alias { from, to, source: "redirect".to_owned(), seen_at: at });
            unkept.hubs = vec![Habit { feed: "courier".to_owned(), reason: None }];
        });
        assert!(told.contains("permanent redirect") && told.contains("https://a.example/2, is not kept"), "{told}");
        assert!(told.contains("Many entries of the feed `courier` link to it"), "{told}");
    }
}
