//! What of the configuration is shown: plain data, swapped whole at a reload.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use url::Url;

use super::gate::Gate;
use crate::domain::name::ALL;
use crate::domain::shape::StreamShape;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::domain::trace::Keyed;

/// What is published, and under which names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// Title of the merged feed and of the pages.
    pub title: String,
    /// What subscribers see in links; ends in `/`. A path in it affects links only.
    pub public_url: Url,
    /// The streams in the order of the configuration, `all` among them.
    pub streams: Vec<PublishedStream>,
    /// The feeds, by name.
    pub feeds: HashMap<Arc<str>, PublishedFeed>,
    /// The webhooks, by name.
    pub webhooks: HashMap<String, PublishedWebhook>,
    /// By the name of a feed that is asked in the place of others: their names. What it brings, they bring.
    pub merged: HashMap<String, Vec<String>>,
    /// The schedule's interval in minutes, for RSS `ttl`.
    pub ttl_minutes: u32,
    /// What the write side of the API asks for over TCP; `None`: it is off there.
    pub admin: Option<TokenHash>,
    /// Who may ask at all.
    pub gate: Gate,
    /// Since when the list of feeds is as it is: `dateModified` of the OPML.
    pub applied_at: Timestamp,
    /// How keys are made.
    pub keys: Keys,
}

fn by_kept(merged: Vec<(String, String)>) -> HashMap<String, Vec<String>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for (feed, kept) in merged {
        all.entry(kept).or_default().push(feed);
    }
    all
}

/// A stream as it is published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedStream {
    /// Its row; `None` for `all`.
    pub row: Option<StreamId>,
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The source of its query; empty for `all`.
    pub query: String,
    /// Newest items in the published feed.
    pub limit: u32,
    /// How old an item may be that it shows; `None`: as old as it likes.
    pub max_age: Option<Duration>,
    /// Names of the webhooks that it calls.
    pub notify: Vec<String>,
    /// The titles of its items in feeds, with `{title}` and `{feed}`.
    pub item_title: Option<String>,
    /// At most so many items of one feed in a document.
    pub max_per_feed: Option<u32>,
    /// Every id is one of ours.
    pub own_ids: bool,
    /// What its address has to bring along; `None`: it is public.
    pub token: Option<TokenHash>,
}

impl PublishedStream {
    /// Whether who brings this along may see it.
    #[must_use]
    pub fn admits(&self, offered: Option<&str>) -> bool {
        self.token.is_none_or(|token| offered.is_some_and(|offered| token.admits(offered)))
    }
}

impl PublishedStream {
    /// The effective date that the oldest item may have that it shows at `now`; `None`: any.
    #[must_use]
    pub fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        self.max_age.map(|age| now.minus(age).plus(Duration::from_millis(1)))
    }
}

/// What the configuration says of a feed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PublishedFeed {
    /// Its tags.
    pub tags: Arc<[String]>,
    /// Whether it is polled.
    pub enabled: bool,
}

/// What the configuration says of a webhook.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PublishedWebhook {
    /// The format of its calls.
    pub format: String,
    /// What it is called about: `new`, `updated`, `alerts`.
    pub events: Vec<String>,
}

impl Published {
    /// Takes over which feeds are one by now: the names of a feed and of the one that is asked in its place.
    pub fn unite(&mut self, merged: Vec<(String, String)>) {
        self.merged = by_kept(merged);
    }

    /// The feeds that an item of this feed counts as an item of: itself, and those in whose place it is asked.
    pub fn counts_as<'a>(&'a self, feed: &'a str) -> impl Iterator<Item = &'a str> {
        let also = self.merged.get(feed).map_or(&[][..], Vec::as_slice);
        std::iter::once(feed).chain(also.iter().map(String::as_str))
    }

    /// The stream of that name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&PublishedStream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Takes the names of streams that are not public out of a list.
    pub fn keep_public(&self, streams: &mut Vec<String>) {
        streams.retain(|name| self.is_public(name));
    }

    /// Whether a stream may be named to anybody: it has no token.
    #[must_use]
    pub fn is_public(&self, name: &str) -> bool {
        self.stream(name).is_none_or(|stream| stream.token.is_none())
    }

    /// The public streams with their addresses, in the order of the configuration.
    #[must_use]
    pub fn stream_shapes(&self) -> Vec<StreamShape> {
        self.streams.iter().filter(|stream| stream.token.is_none()).map(|stream| self.stream_shape(stream)).collect()
    }

    /// A stream with its addresses.
    #[must_use]
    pub fn stream_shape(&self, stream: &PublishedStream) -> StreamShape {
        let base = self.public_url.as_str();
        let name = stream.name.as_str();
        StreamShape {
            name: name.to_owned(),
            title: stream.title.clone(),
            query: stream.query.clone(),
            notify: stream.notify.clone(),
            atom_url: format!("{base}{name}.atom"),
            rss_url: format!("{base}{name}.rss"),
            json_url: format!("{base}{name}.json"),
            page_url: if name == ALL { base.to_owned() } else { format!("{base}{name}") },
        }
    }
}

/// What makes the key of a URL, and tells each step; `None`: it is no http(s) URL.
pub type MakeKey = Arc<dyn Fn(&str) -> Option<Keyed> + Send + Sync>;

/// How keys are made. It is handed in, for this room does not know identity.
#[derive(Clone)]
pub struct Keys {
    /// By the rules that hold for most feeds.
    general: MakeKey,
    /// By the name of each feed that has rules of its own.
    own: HashMap<String, MakeKey>,
}

impl Keys {
    /// Of the general rules and those of single feeds.
    #[must_use]
    pub fn new(general: MakeKey, own: HashMap<String, MakeKey>) -> Self {
        Self { general, own }
    }

    /// The key of a URL that `feed` gave.
    #[must_use]
    pub fn of(&self, feed: &str, url: &str) -> Option<Keyed> {
        self.own.get(feed).unwrap_or(&self.general)(url)
    }

    /// Every key that a URL may have, the general one first.
    #[must_use]
    pub fn all(&self, url: &str) -> Vec<Keyed> {
        let mut keys: Vec<Keyed> = Vec::new();
        let mut own: Vec<_> = self.own.iter().collect();
        own.sort_by_key(|(feed, _)| *feed);
        for make in std::iter::once(&self.general).chain(own.into_iter().map(|(_, make)| make)) {
            let key = make(url);
            keys.extend(key.filter(|key| !keys.iter().any(|known| known.key == key.key)));
        }
        keys
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        let same = |(feed, make): (&String, &MakeKey)| other.own.get(feed).is_some_and(|own| Arc::ptr_eq(make, own));
        Arc::ptr_eq(&self.general, &other.general) && self.own.len() == other.own.len() && self.own.iter().all(same)
    }
}

impl Eq for Keys {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("own", &self.own.keys()).finish_non_exhaustive()
    }
}

/// The hash of a token: the token itself is not kept.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether `offered` is the token. Hashes of both are compared, all bytes of them: how long it takes
    /// says nothing of the token.
    #[must_use]
    pub fn admits(&self, offered: &str) -> bool {
        *self == Self::of(offered)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let differ = self.0.iter().zip(other.0.iter()).fold(0_u8, |seen, (a, b)| seen | (a ^ b));
        std::hint::black_box(differ) == 0
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// The present [`Published`], shared between those who show it and the one who reloads it.
#[derive(Clone, Debug)]
pub struct Live(Arc<RwLock<Edition>>);

/// One state of [`Live`].
#[derive(Clone, Debug)]
pub struct Edition {
    /// One more with each reload: documents of an earlier one are stale.
    pub number: u64,
    /// The data.
    pub published: Arc<Published>,
}

impl Live {
    /// Begins with `published`.
    #[must_use]
    pub fn new(published: Published) -> Self {
        Self(Arc::new(RwLock::new(Edition { number: 1, published: Arc::new(published) })))
    }

    /// What holds now.
    #[must_use]
    pub fn get(&self) -> Edition {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over which feeds are one by now, if that is not known.
    pub fn unite(&self, merged: Vec<(String, String)>) {
        let merged = by_kept(merged);
        let published = self.get().published;
        if published.merged != merged {
            self.set(Published { merged, ..published.as_ref().clone() });
        }
    }

    /// Swaps it whole: who asks later sees all of it, who asked before keeps what they have.
    pub fn set(&self, published: Published) {
        let mut edition = self.0.write().unwrap_or_else(PoisonError::into_inner);
        edition.number += 1;
        edition.published = Arc::new(published);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small site for tests of this room.
    pub(crate) fn example() -> Published {
        // The plainest rules: a URL is its own key, but for its scheme; in the feed `own` without its query.
        let web = |url: &str| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
            Some(Keyed { key: format!("https://{rest}"), steps: Vec::new() })
        };
        let own: MakeKey = Arc::new(move |url| web(url.split('?').next().unwrap_or_default()));
        let stream = |row: Option<i64>, name: &str, query: &str| PublishedStream {
            row: row.map(StreamId),
            name: name.to_owned(),
            title: format!("Title of {name}"),
            query: query.to_owned(),
            limit: 100,
            max_age: None,
            notify: Vec::new(),
            item_title: None,
            max_per_feed: None,
            own_ids: false,
            token: None,
        };
        Published {
            title: "My news".to_owned(),
            public_url: Url::parse("https://news.example/feeds/").unwrap(),
            streams: vec![stream(None, "all", ""), stream(Some(1), "peace-talks", "peace")],
            feeds: HashMap::new(),
            webhooks: HashMap::new(),
            merged: HashMap::new(),
            ttl_minutes: 60,
            admin: None,
            gate: Gate { hosts: vec!["news.example".to_owned()], ..Gate::default() },
            applied_at: Timestamp::from_secs(1_764_000_000),
            keys: Keys::new(Arc::new(web), HashMap::from([("own".to_owned(), own)])),
        }
    }

    #[test]
    fn a_stream_has_its_three_addresses_and_a_page_and_all_has_the_front_page() {
        let shapes = example().stream_shapes();
        assert_eq!(shapes[0].page_url, "https://news.example/feeds/");
        assert_eq!(shapes[0].atom_url, "https://news.example/feeds/all.atom");
        assert_eq!(shapes[1].page_url, "https://news.example/feeds/peace-talks");
        assert_eq!(shapes[1].rss_url, "https://news.example/feeds/peace-talks.rss");
        assert_eq!(shapes[1].json_url, "https://news.example/feeds/peace-talks.json");
    }

    #[test]
    fn a_url_has_the_key_that_its_feed_makes_of_it_and_each_possible_key_once() {
        let keys = example().keys;
        let key = |feed: &str, url: &str| keys.of(feed, url).map(|keyed| keyed.key);
        assert_eq!(key("other", "http://a.example/?x=1").as_deref(), Some("https://a.example/?x=1"));
        assert_eq!(key("own", "http://a.example/?x=1").as_deref(), Some("https://a.example/"));
        assert_eq!(key("own", "urn:x"), None);
        let all = |url: &str| keys.all(url).into_iter().map(|keyed| keyed.key).collect::<Vec<_>>();
        assert_eq!(all("http://a.example/?x=1"), ["https://a.example/?x=1", "https://a.example/"]);
        assert_eq!(all("http://a.example/"), ["https://a.example/"]);
    }

    #[test]
    fn only_the_token_itself_is_admitted_and_it_is_never_printed() {
        let hash = TokenHash::of("s3cret");
        assert!(hash.admits("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cret\0", &"s3cret".repeat(100_000)] {
            assert!(!hash.admits(wrong), "{wrong:.20}");
        }
        assert!(!format!("{hash:?}").contains("s3cret"));
    }

    #[test]
    fn a_reload_is_seen_whole_and_by_its_number() {
        let live = Live::new(example());
        let before = live.get();
        live.set(Published { title: "Other".to_owned(), ..example() });
        let after = live.get();
        assert_eq!((before.number, before.published.title.as_str()), (1, "My news"));
        assert_eq!((after.number, after.published.title.as_str()), (2, "Other"));
    }
}
