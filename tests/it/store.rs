//! The store's contract: what every implementation behind the boundary must do. `fresh` is the only line
//! that knows which one is tested; a second implementation runs the same promises.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use feedmill::domain::decision::{
    Candidate, Decision, Fingerprint, Judge, Known, LinkChange, Scope, Survey, entry_of_key,
};
use feedmill::domain::element::Element;
use feedmill::domain::feed::{
    Cadence, ErrorKind, FeedId, FeedInfo, FeedState, Health, NextPoll, PollError, Validators,
};
use feedmill::domain::item::{Clean, Enclosure, Entry, ItemId};
use feedmill::domain::stream::{Match, StreamId};
use feedmill::domain::time::Timestamp;
use feedmill::domain::webhook::{
    Attempt, DeliveryLease, DeliveryState, Event, Settlement, Subject, Verdict, WebhookId, WebhookState,
};
use feedmill::publish::views;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    AliasSource, ArchiveRequest, Cleaned, CommitReport, FeedSpec, Fill, HookOrder, Hunt, Keymaker, Learned, Learnt,
    PageRequest, PollCommit, PollResult, Registry, Resolution, Route, Routes, Store, StoreError, StreamSpec,
    Subscriptions, Want,
};
use tempfile::TempDir;
use url::Url;

const HOUR: Duration = Duration::from_secs(3600);

struct Fresh {
    store: Arc<dyn Store>,
    dir: TempDir,
}

fn options(access: Access) -> Options {
    Options { access, check: true, tagging: "example.org,2026-01-01".to_owned() }
}

fn fresh() -> Fresh {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options(Access::Own)).unwrap());
    Fresh { store, dir }
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()
}

fn subscriptions(feeds: &[(&str, &str)]) -> Subscriptions {
    Subscriptions {
        feeds: feeds
            .iter()
            .map(|(name, url)| FeedSpec {
                name: (*name).into(),
                url: Url::parse(url).unwrap().into(),
                title: None,
                enabled: true,
                own_headers: false,
                private: false,
            })
            .collect(),
        streams: vec![StreamSpec { name: "peace".to_owned(), definition: "peace".to_owned() }],
        webhooks: vec!["desk".to_owned()],
    }
}

/// The rules in their plainest form; whoever carries the word "both" in `rematch` is in the stream.
struct Plain {
    both: Option<StreamId>,
}

impl Judge for Plain {
    fn decide(&self, known: &Known, candidate: &Candidate, _: &Survey) -> Decision {
        match (&known.sighting, known.item) {
            (Some(s), _) if s.fingerprint == candidate.fingerprint => Decision::Same,
            (Some(s), _) => Decision::Changed { item: s.item, revise: s.main_feed, link: LinkChange::None },
            (None, Some(known)) => Decision::Sighted(known.item),
            (None, None) => Decision::New,
        }
    }

    fn rematch(&self, _: &Candidate, feeds: &[FeedId], _: Timestamp) -> Vec<Match> {
        assert!(feeds.len() > 1, "asked only for stories of several feeds");
        self.both.map(|stream| Match { stream, term: None }).into_iter().collect()
    }
}

fn candidate(key: &str, guid: &str, title: &str) -> Candidate {
    let print = title.bytes().fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    Candidate {
        entry: Entry {
            guid: Some(guid.to_owned()),
            link: Some(key.to_owned()),
            title: Some(title.to_owned()),
            content: Some(format!("<p>{title}</p>")),
            published: Some(now().minus(HOUR)),
            ..Entry::default()
        },
        link: Some(key.to_owned()),
        key: key.to_owned(),
        scope: Scope::Global,
        entry_id: guid.to_owned(),
        native_id: Some(guid.to_owned()),
        fingerprint: Fingerprint { title: print, text: print },
        matches: Vec::new(),
        aliases: Vec::new(),
        by_guid: false,
        wordy: false,
        own: false,
    }
}

fn event(lease: &DeliveryLease) -> &Event {
    match &lease.subject {
        Subject::Item(event) => event,
        Subject::Feed(_) | Subject::Hook(_) => panic!("no item"),
    }
}

struct Bench {
    fresh: Fresh,
    registry: Registry,
    routes: Arc<Routes>,
}

impl Bench {
    async fn new(feeds: &[(&str, &str)]) -> Self {
        let fresh = fresh();
        let registry = fresh.store.apply_subscriptions(subscriptions(feeds), now()).await.unwrap();
        let route = Route { webhook: registry.webhooks[0], new: true, updated: true, private: false };
        let routes = HashMap::from([(Some(registry.streams[0].0), vec![route])]);
        Self { fresh, registry, routes: Arc::new(routes) }
    }

    fn store(&self) -> &Arc<dyn Store> {
        &self.fresh.store
    }

    fn feed(&self, n: usize) -> FeedId {
        self.registry.feeds[n].0
    }

    fn stream(&self) -> StreamId {
        self.registry.streams[0].0
    }

    fn matching(&self, mut candidate: Candidate) -> Candidate {
        candidate.matches = vec![Match { stream: self.stream(), term: None }];
        candidate
    }

    async fn load(&self, n: usize, candidates: Vec<Candidate>) -> CommitReport {
        self.load_as(n, candidates, false, None).await
    }

    async fn load_as(&self, n: usize, candidates: Vec<Candidate>, quiet: bool, both: Option<StreamId>) -> CommitReport {
        let feed = self.feed(n);
        let lease = self.store().lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().remove(0);
        let validators = Validators { url: lease.state.current_url, etag: Some(b"\"1\"".into()), last_modified: None };
        let poll = PollCommit {
            feed,
            token: lease.token,
            at: now(),
            result: PollResult::Loaded {
                cadence: None,
                info: Box::new(FeedInfo { title: Some(format!("Feed {n}")), ..FeedInfo::default() }),
                candidates,
                quiet,
                habits: None,
                validators: Some(validators),
                body_hash: u64::MAX - 1,
                redirect: None,
            },
            next: NextPoll { due_at: Some(now().plus(HOUR)), reason: "the schedule".to_owned(), ..NextPoll::default() },
            alerts: Arc::default(),
        };
        self.store().commit_poll(poll, Arc::new(Plain { both }), Arc::clone(&self.routes)).await.unwrap()
    }

    async fn all(&self) -> Vec<feedmill::domain::item::Item> {
        self.page(None).await
    }

    async fn page(&self, stream: Option<StreamId>) -> Vec<feedmill::domain::item::Item> {
        self.store().stream_page(PageRequest { stream, limit: 100, before: None }).await.unwrap().items
    }

    /// The number under which an item is in the stream.
    async fn seq(&self, item: ItemId) -> Option<u64> {
        for number in 1..10 {
            let request =
                ArchiveRequest { stream: Some(self.stream()), size: 1, number: Some(number), but: Vec::new() };
            let page = self.store().archive(request).await.unwrap();
            if page.is_some_and(|page| page.items.iter().any(|found| found.id == item)) {
                return Some(number);
            }
        }
        None
    }

    async fn lease_calls(&self) -> Vec<feedmill::domain::webhook::DeliveryLease> {
        let wants = vec![Want { webhook: self.registry.webhooks[0], most: 10, strict: false }];
        self.store().lease_deliveries(wants, now().plus(HOUR), now().plus(2 * HOUR)).await.unwrap().deliveries
    }
}

const A: (&str, &str) = ("a", "https://a.example/rss");
const B: (&str, &str) = ("b", "https://b.example/rss");

#[tokio::test]
async fn a_story_in_two_feeds_is_one_item_with_two_sightings() {
    let bench = Bench::new(&[A, B]).await;
    let first = bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let second = bench.load(1, vec![candidate("https://x.example/1", "urn:other", "One")]).await;
    assert_eq!((first.new, second.new, second.sighted), (1, 0, 1));
    let items = bench.all().await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].published_id, "urn:1");
    assert_eq!(items[0].sightings.iter().map(|s| s.feed.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn an_unchanged_load_writes_nothing_that_is_published() {
    let bench = Bench::new(&[A]).await;
    let load =
        || vec![candidate("https://x.example/1", "urn:1", "One"), candidate("https://x.example/2", "urn:2", "Two")];
    bench.load(0, load()).await;
    let version = bench.store().version();
    assert_eq!(bench.load(0, load()).await, CommitReport::default());
    assert_eq!(bench.store().version(), version);
}

/// A podcast's file moves, or its picture: no edit, and the next reader gets the file that is there.
#[tokio::test]
async fn files_that_change_while_the_text_stays_are_those_of_the_main_feeds_last_load() {
    let bench = Bench::new(&[A, B]).await;
    let episode = |file: &str, title: &str| {
        let mut episode = bench.matching(candidate("https://x.example/1", "urn:1", title));
        episode.entry.enclosures = vec![Enclosure { url: file.to_owned(), ..Enclosure::default() }];
        let attributes = vec![("url".to_owned(), file.to_owned())];
        episode.entry.extras.media =
            vec![Element { name: "media:content".to_owned(), attributes, ..Element::default() }];
        episode
    };
    bench.load(0, vec![episode("https://old.example/1.mp3", "One")]).await;
    bench.load(1, vec![episode("https://other.example/1.mp3", "One")]).await;
    let (before, version) = (bench.all().await.remove(0), bench.store().version());
    bench.lease_calls().await;
    for (feed, file, kept) in [
        (1, "https://moved.example/1.mp3", "https://old.example/1.mp3"),
        (0, "https://new.example/1.mp3", "https://new.example/1.mp3"),
    ] {
        assert_eq!(bench.load(feed, vec![episode(file, "One")]).await, CommitReport::default());
        let item = bench.all().await.remove(0);
        assert_eq!(item.enclosures[0].url, kept);
        assert_eq!(item.extras.media[0].attribute("url"), Some(kept));
        assert_eq!((item.revision, item.updated, item.content), (1, before.updated, before.content.clone()));
    }
    assert_eq!(bench.store().version(), version + 1, "once, for the one that is shown");
    assert!(bench.lease_calls().await.is_empty(), "nobody is called");
    let mut same = episode("https://new.example/1.mp3", "One");
    bench.load(0, vec![same.clone()]).await;
    // Views are counted by elements, too.
    let counted = |n: &str| Element {
        name: "media:statistics".to_owned(),
        attributes: vec![("views".to_owned(), n.to_owned())],
        ..Element::default()
    };
    same.entry.extras.media.push(counted("7"));
    bench.load(0, vec![same.clone()]).await;
    assert_eq!(bench.store().version(), version + 1);
    same.entry.extras.media[0].attributes[0].1 = "https://new.example/1.jpg".to_owned();
    bench.load(0, vec![same]).await;
    assert_eq!(bench.store().version(), version + 2);
    assert_eq!(bench.all().await[0].extras.media[0].attribute("url"), Some("https://new.example/1.jpg"));
    bench.load(0, vec![episode("https://newest.example/1.mp3", "One, corrected")]).await;
    assert_eq!(bench.all().await[0].enclosures[0].url, "https://newest.example/1.mp3");
}

#[tokio::test]
async fn an_edit_revises_the_item_under_the_same_id() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let report = bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One, corrected")]).await;
    assert_eq!((report.new, report.changed), (0, 1));
    let items = bench.all().await;
    assert_eq!((items.len(), items[0].revision, items[0].published_id.as_str()), (1, 2, "urn:1"));
    assert_eq!(items[0].title.as_deref(), Some("One, corrected"));
}

#[tokio::test]
async fn a_link_that_changes_in_one_feed_stays_what_it_was_in_the_others() {
    let bench = Bench::new(&[A, B]).await;
    let linked = |link: &str, guid: &str, title: &str| Candidate {
        link: Some(link.to_owned()),
        ..candidate("https://x.example/1", guid, title)
    };
    bench.load(0, vec![linked("https://x.example/1?from=a", "urn:1", "One")]).await;
    bench.load(1, vec![linked("https://x.example/1?from=a", "urn:b", "One")]).await;
    bench.load(0, vec![linked("https://x.example/1?from=c", "urn:1", "One, corrected")]).await;
    let item = bench.all().await.remove(0);
    let links: Vec<_> = item.sightings.iter().map(|sighting| sighting.url.as_deref().unwrap()).collect();
    assert_eq!(item.link.as_deref(), Some("https://x.example/1?from=c"));
    assert_eq!(links, ["https://x.example/1?from=c", "https://x.example/1?from=a"]);
}

#[tokio::test]
async fn an_edit_in_a_feed_that_only_carries_the_story_leaves_the_item_alone() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    bench.load(1, vec![candidate("https://x.example/1", "urn:b", "One")]).await;
    let report = bench.load(1, vec![candidate("https://x.example/1", "urn:b", "Aggregated: One")]).await;
    assert_eq!(report.changed, 0);
    assert_eq!(bench.all().await[0].title.as_deref(), Some("One"));
}

#[tokio::test]
async fn two_stories_with_one_publishers_id_are_published_under_two() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:same", "One")]).await;
    bench.load(1, vec![candidate("https://y.example/2", "urn:same", "Two")]).await;
    let mut ids: Vec<_> = bench.all().await.into_iter().map(|item| item.published_id).collect();
    ids.sort();
    assert_eq!(ids.len(), 2);
    assert!(ids[0].starts_with("tag:example.org,2026-01-01:"), "{ids:?}");
    assert_eq!(ids[1], "urn:same");
}

#[tokio::test]
async fn keys_of_one_feed_say_nothing_in_another() {
    let bench = Bench::new(&[A, B]).await;
    let scoped = |title: &str| Candidate { scope: Scope::Feed, ..candidate("guid:1", "1", title) };
    bench.load(0, vec![scoped("One")]).await;
    let report = bench.load(1, vec![scoped("Two")]).await;
    assert_eq!(report.new, 1);
}

#[tokio::test]
async fn a_match_owes_one_call_and_only_once() {
    let bench = Bench::new(&[A, B]).await;
    let story = || bench.matching(candidate("https://x.example/1", "urn:1", "Peace"));
    assert_eq!(bench.load(0, vec![story()]).await.deliveries, 1);
    assert_eq!(bench.load(1, vec![story()]).await.deliveries, 0);
    let calls = bench.lease_calls().await;
    assert_eq!(calls.len(), 1);
    assert!(calls[0].message_id.starts_with("msg_") && !calls[0].message_id.contains('.'));
    assert_eq!(calls[0].streams, ["peace"]);
    assert_eq!(event(&calls[0]).item.title.as_deref(), Some("Peace"));
    assert_eq!(bench.page(Some(bench.stream())).await.len(), 1);
}

#[tokio::test]
async fn a_story_that_enters_a_stream_by_a_later_sighting_calls_as_a_new_one() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let same = vec![candidate("https://x.example/1", "urn:b", "One")];
    let report = bench.load_as(1, same, false, Some(bench.stream())).await;
    assert_eq!((report.sighted, report.deliveries), (1, 1));
    assert_eq!(event(&bench.lease_calls().await[0]).kind.as_str(), "item.new");
}

#[tokio::test]
async fn an_edit_of_a_story_in_a_stream_owes_an_update() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace"))]).await;
    let report = bench.load(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace talks"))]).await;
    assert_eq!(report.deliveries, 1);
    let update = bench.lease_calls().await.into_iter().find(|c| event(c).kind.as_str() == "item.updated").unwrap();
    assert_eq!(event(&update).changed, ["title", "content"]);
    assert!(event(&update).entered.is_empty(), "it was in the stream before");
}

#[tokio::test]
async fn an_edit_by_which_a_story_enters_a_stream_says_so() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "War")]).await;
    bench.load(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace"))]).await;
    let update = bench.lease_calls().await.remove(0);
    assert_eq!((event(&update).kind.as_str(), &event(&update).entered), ("item.updated", &vec![bench.stream()]));
}

#[tokio::test]
async fn a_quiet_back_catalogue_is_stored_and_calls_nobody() {
    let bench = Bench::new(&[A]).await;
    let report =
        bench.load_as(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace"))], true, None).await;
    assert_eq!((report.new, report.deliveries), (1, 0));
    assert_eq!(bench.page(Some(bench.stream())).await.len(), 1);
}

fn leads(from: &str, to: &str) -> Vec<Learnt> {
    vec![Learnt { from: from.to_owned(), to: to.to_owned(), source: AliasSource::Redirect }]
}

#[tokio::test]
async fn an_alias_leads_to_its_story_through_chains_and_never_in_a_circle() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let learn = async |from, to| bench.store().learn_aliases(leads(from, to), 1, now()).await.unwrap().remove(0);
    assert_eq!(learn("https://s.example/a", "https://s.example/b").await, Learned::Kept);
    assert_eq!(learn("https://s.example/b", "https://x.example/1").await, Learned::Kept);
    assert_eq!(learn("https://s.example/b", "https://x.example/1").await, Learned::Known);
    assert_eq!(learn("https://x.example/1", "https://s.example/a").await, Learned::Known, "a circle");
    let report = bench.load(1, vec![candidate("https://s.example/a", "urn:b", "One")]).await;
    assert_eq!((report.new, report.sighted), (0, 1));
    assert_eq!(bench.all().await[0].key, "https://x.example/1");
}

#[tokio::test]
async fn an_alias_of_a_stored_story_gives_it_the_address_that_it_leads_to() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://s.example/a", "urn:1", "One")]).await;
    let learnt = bench.store().learn_aliases(leads("https://s.example/a", "https://x.example/1"), 1, now()).await;
    assert_eq!(learnt.unwrap(), [Learned::Kept]);
    for (n, (key, guid)) in [("https://x.example/1", "urn:b"), ("https://s.example/a", "urn:c")].iter().enumerate() {
        let report = bench.load(1, vec![candidate(key, guid, "One")]).await;
        assert_eq!((report.new, report.sighted), (0, 1), "{n}");
    }
}

#[tokio::test]
async fn two_stored_stories_become_one_calling_nobody_and_can_be_parted_for_good() {
    let bench = Bench::new(&[A, B]).await;
    let story = |key: &str, guid: &str| bench.matching(candidate(key, guid, "Peace"));
    bench.load(0, vec![story("https://x.example/1", "urn:1")]).await;
    bench.load(1, vec![story("https://s.example/a", "urn:2")]).await;
    let (stream, calls) = (Some(bench.stream()), bench.lease_calls().await.len());
    let before: Vec<_> = bench.all().await.into_iter().map(|item| (item.id, item.published_id)).collect();
    let (kept, absorbed) =
        (before.iter().map(|(id, _)| *id).min().unwrap(), before.iter().map(|(id, _)| *id).max().unwrap());
    let learn = async || {
        let learnt = leads("https://s.example/a", "https://x.example/1");
        bench.store().learn_aliases(learnt, 1, now()).await.unwrap().remove(0)
    };
    assert_eq!(learn().await, Learned::Merged(kept));
    let all = bench.all().await;
    assert_eq!((all.len(), all[0].id, all[0].published_id.as_str(), all[0].sightings.len()), (1, kept, "urn:1", 2));
    assert_eq!(bench.page(stream).await.len(), 1);
    assert_eq!(bench.load(1, vec![story("https://s.example/a", "urn:2")]).await, CommitReport::default());
    let report = bench.load(1, vec![story("https://s.example/a", "urn:3")]).await;
    assert_eq!((report.new, report.sighted, report.deliveries), (0, 1, 0));
    let merges = bench.store().merges(Some(kept), 10).await.unwrap();
    assert_eq!((merges.len(), merges[0].absorbed, merges[0].reason.as_str()), (1, absorbed, "redirect"));

    assert_eq!(bench.store().unmerge(absorbed, now()).await.unwrap(), Some(kept));
    assert_eq!(bench.store().unmerge(absorbed, now()).await.unwrap(), None);
    let after: Vec<_> = bench.all().await.into_iter().map(|item| (item.id, item.published_id)).collect();
    assert_eq!(after, before);
    assert_eq!(bench.page(stream).await.len(), 2);
    assert!(matches!(learn().await, Learned::Refused(_)), "who was parted stays apart");
    assert_eq!(bench.lease_calls().await.len(), 0);
    assert_eq!(calls, 2);
}

#[tokio::test]
async fn a_webhook_that_heard_of_an_absorbed_story_does_not_hear_of_the_kept_one() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "Peace")]).await;
    bench.load(1, vec![bench.matching(candidate("https://s.example/a", "urn:2", "Peace"))]).await;
    bench.store().learn_aliases(leads("https://s.example/a", "https://x.example/1"), 1, now()).await.unwrap();
    let again = bench.load(1, vec![bench.matching(candidate("https://x.example/1", "urn:3", "Peace"))]).await;
    assert_eq!((again.sighted, again.deliveries), (1, 0));
}

#[tokio::test]
async fn stories_that_a_feed_carries_as_two_or_that_say_different_things_stay_apart() {
    let bench = Bench::new(&[A, B]).await;
    bench
        .load(
            0,
            vec![candidate("https://x.example/1", "urn:1", "One"), candidate("https://x.example/2", "urn:2", "One")],
        )
        .await;
    bench.load(1, vec![candidate("https://s.example/a", "urn:3", "Other")]).await;
    for (from, to) in [("https://x.example/2", "https://x.example/1"), ("https://s.example/a", "https://x.example/1")] {
        let learnt = bench.store().learn_aliases(leads(from, to), 1, now()).await.unwrap().remove(0);
        assert!(matches!(learnt, Learned::Refused(_)), "{from}: {learnt:?}");
    }
    assert_eq!(bench.all().await.len(), 3);
}

#[tokio::test]
async fn a_site_that_names_one_page_for_everything_is_believed_twenty_times_a_day() {
    let bench = Bench::new(&[A]).await;
    let mut kept = 0;
    for n in 0..30 {
        let learnt = leads(&format!("https://x.example/{n}"), "https://x.example/home");
        kept += usize::from(bench.store().learn_aliases(learnt, 1, now()).await.unwrap() == [Learned::Kept]);
    }
    assert_eq!(kept, 20);
}

/// Rules that know `?x=…` for tracking.
fn without_x(_: FeedId, key: &str) -> Option<String> {
    Some(key.split_once("?x=").map_or(key, |(page, _)| page).to_owned())
}

#[tokio::test]
async fn new_rules_leave_the_store_as_a_fresh_import_would() {
    let loads = || {
        [
            (0, "https://x.example/1?x=a", "urn:1", "One"),
            (1, "https://x.example/1?x=b", "urn:2", "One"),
            (2, "https://x.example/1", "urn:3", "One"),
            (0, "https://x.example/2?x=a", "urn:4", "Two"),
            (1, "https://x.example/3", "urn:5", "Three"),
            (2, "https://x.example/4?x=1", "", "Four"),
        ]
    };
    let entry = |key: &str, guid: &str, title: &str| {
        let entry = candidate(key, guid, title);
        if guid.is_empty() { Candidate { entry_id: entry_of_key(key), native_id: None, ..entry } } else { entry }
    };
    let feeds = [A, B, ("c", "https://c.example/rss")];
    let (old, fresh) = (Bench::new(&feeds).await, Bench::new(&feeds).await);
    for (feed, key, guid, title) in loads() {
        old.load(feed, vec![entry(key, guid, title)]).await;
        fresh.load(feed, vec![entry(&without_x(FeedId(0), key).unwrap(), guid, title)]).await;
    }
    assert_eq!(old.all().await.len(), 6);
    let maker: Arc<Keymaker> = Arc::new(without_x);
    let mut steps = 0;
    while !old.store().rekey(Arc::clone(&maker), 7, 2, now()).await.unwrap().done {
        steps += 1;
        assert!(steps < 10);
    }
    let picture = |items: Vec<feedmill::domain::item::Item>| {
        let mut all: Vec<_> = items
            .into_iter()
            .map(|item| {
                let mut feeds: Vec<_> = item.sightings.into_iter().map(|sighting| sighting.feed).collect();
                feeds.sort();
                (item.key, item.title, feeds)
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(picture(old.all().await), picture(fresh.all().await));
    assert!(steps >= 2, "in small steps");
    for (feed, key, guid, title) in loads() {
        let by_new_rules = entry(&without_x(FeedId(0), key).unwrap(), guid, title);
        assert_eq!(old.load(feed, vec![by_new_rules]).await, CommitReport::default(), "{key} is known");
    }
    assert!(old.store().rekey(maker, 7, 2, now()).await.unwrap().done, "and that is remembered");
}

#[tokio::test]
async fn a_lost_lease_changes_nothing() {
    let bench = Bench::new(&[A]).await;
    let feed = bench.feed(0);
    let old = bench.store().lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().remove(0);
    assert!(bench.store().lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().is_empty());
    let later = now().plus(2 * HOUR);
    assert_eq!(bench.store().lease_due_feeds(vec![feed], later, later.plus(HOUR)).await.unwrap().len(), 1);
    let poll = PollCommit {
        feed,
        token: old.token,
        at: now(),
        result: PollResult::NotModified { validators: None, redirect: None },
        next: NextPoll::default(),
        alerts: Arc::default(),
    };
    let judge = Arc::new(Plain { both: None });
    let report = bench.store().commit_poll(poll, judge, Arc::default()).await.unwrap();
    assert!(report.lost);
    assert_eq!(bench.store().feed_status().await.unwrap()[0].state.last_ok, None);
}

#[tokio::test]
async fn feeds_that_are_leased_together_have_each_its_own_state_in_the_order_that_was_asked() {
    let bench = Bench::new(&[A, B]).await;
    bench.load(0, vec![]).await;
    let (a, b, later) = (bench.feed(0), bench.feed(1), now().plus(2 * HOUR));
    let leases = bench.store().lease_due_feeds(vec![b, FeedId(77), a], later, later.plus(HOUR)).await.unwrap();
    let [second, first] = leases.as_slice() else { panic!("nobody knows feed 77") };
    assert_eq!((second.feed, first.feed), (b, a));
    assert_eq!((second.state.current_url.as_str(), first.state.current_url.as_str()), (B.1, A.1));
    assert_eq!((second.state.loaded_once, first.state.loaded_once), (false, true));
    for lease in [first, second] {
        let poll = PollCommit {
            feed: lease.feed,
            token: lease.token,
            at: later,
            result: PollResult::NotModified { validators: None, redirect: None },
            next: NextPoll::default(),
            alerts: Arc::default(),
        };
        let report = bench.store().commit_poll(poll, Arc::new(Plain { both: None }), Arc::default()).await.unwrap();
        assert!(!report.lost);
    }
}

#[tokio::test]
async fn due_times_that_were_reckoned_anew_are_kept_and_leave_no_time_ahead() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![]).await;
    let feed = bench.feed(0);
    let next = |due: Timestamp| NextPoll {
        due_at: Some(due),
        reason: "anew".to_owned(),
        fresh_until: Some(due),
        ..NextPoll::default()
    };
    let state = async || bench.store().feed_status().await.unwrap().remove(0).state;
    bench.store().keep_due(vec![(feed, next(now().plus(HOUR)))], now().plus(HOUR)).await.unwrap();
    let kept = state().await;
    assert_eq!((kept.due_at, kept.due_reason.as_str(), kept.last_try), (Some(now().plus(HOUR)), "anew", Some(now())));
    // The clock was put back: the last poll cannot lie ahead.
    let before = now().minus(HOUR);
    bench.store().keep_due(vec![(feed, next(now()))], before).await.unwrap();
    let kept = state().await;
    assert_eq!((kept.due_at, kept.last_try, kept.last_ok), (Some(now()), Some(before), Some(before)));
    assert_eq!((kept.fresh_until, kept.errors), (Some(now()), 0));
}

#[tokio::test]
async fn what_a_feed_says_of_how_often_to_ask_is_kept_until_it_says_something_else() {
    let bench = Bench::new(&[A]).await;
    let feed = bench.feed(0);
    let said =
        Cadence { ttl_minutes: Some(90), skip_hours: 3, skip_days: 64, usual_gap_s: Some(7), ..Cadence::default() };
    let said = Cadence { update_period_s: Some(3600), newest: Some(now()), ..said };
    for (cadence, wanted) in [
        (None, Cadence::default()),
        (Some(said.clone()), said.clone()),
        (None, said),
        (Some(Cadence::default()), Cadence::default()),
    ] {
        let lease = bench.store().lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().remove(0);
        let result = PollResult::Loaded {
            info: Box::default(),
            candidates: Vec::new(),
            quiet: false,
            habits: None,
            cadence: cadence.map(Box::new),
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let poll = PollCommit {
            feed,
            token: lease.token,
            at: now(),
            result,
            next: NextPoll::default(),
            alerts: Arc::default(),
        };
        bench.store().commit_poll(poll, Arc::new(Plain { both: None }), Arc::default()).await.unwrap();
        assert_eq!(bench.store().feed_status().await.unwrap()[0].state.cadence, wanted);
    }
}

#[tokio::test]
async fn a_failure_keeps_the_validators_and_a_success_ends_it() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![]).await;
    let feed = bench.feed(0);
    for n in 1..=2 {
        let lease = bench.store().lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().remove(0);
        let error = PollError { kind: ErrorKind::Timeout, http_status: None, message: "slow".to_owned() };
        let next = NextPoll { due_at: Some(now().plus(HOUR)), ..NextPoll::default() };
        let poll = PollCommit {
            feed,
            token: lease.token,
            at: now(),
            result: PollResult::Failed(error),
            next,
            alerts: Arc::default(),
        };
        bench.store().commit_poll(poll, Arc::new(Plain { both: None }), Arc::default()).await.unwrap();
        let state = bench.store().feed_status().await.unwrap().remove(0).state;
        assert_eq!((state.errors, state.error.unwrap().message.as_str()), (n, "slow"));
        assert_eq!(state.validators.unwrap().etag.unwrap(), b"\"1\"");
        assert_eq!(state.failing_since, Some(now()));
    }
    bench.load(0, vec![]).await;
    let state = bench.store().feed_status().await.unwrap().remove(0).state;
    assert_eq!((state.errors, state.error, state.failing_since), (0, None, None));
    assert_eq!(state.body_hash, Some(u64::MAX - 1));
}

#[tokio::test]
async fn a_retry_waits_and_a_success_is_not_sent_again() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace"))]).await;
    let call = bench.lease_calls().await.remove(0);
    bench.store().keep_bodies(vec![(call.id, b"first".to_vec())]).await.unwrap();
    bench.store().keep_bodies(vec![(call.id, b"second".to_vec())]).await.unwrap();
    assert!(bench.lease_calls().await.is_empty(), "it is leased");
    let settle = |token, verdict| {
        let attempt = Attempt { at: now(), error: Some("503".to_owned()), ..Attempt::default() };
        Settlement::new(call.id, token, attempt, verdict)
    };
    assert!(bench.store().settle_delivery(settle(call.token + 99, Verdict::Succeeded)).await.unwrap().is_none());
    assert!(
        bench
            .store()
            .settle_delivery(settle(call.token, Verdict::Retry(now().plus(HOUR / 2))))
            .await
            .unwrap()
            .is_some()
    );
    let again = bench.lease_calls().await.remove(0);
    assert_eq!((again.message_id.as_str(), again.attempts), (call.message_id.as_str(), 1));
    assert_eq!(again.body.as_deref(), Some(&b"first"[..]), "a body is never rendered again");
    assert!(bench.store().settle_delivery(settle(again.token, Verdict::Succeeded)).await.unwrap().is_some());
    assert!(bench.lease_calls().await.is_empty());
    let shown = bench.store().delivery(call.message_id).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.attempts, shown.log.len()), (DeliveryState::Succeeded, 2, 2));
}

#[tokio::test]
async fn a_lease_that_a_crash_left_is_taken_over_when_it_ends() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![bench.matching(candidate("https://x.example/1", "urn:1", "Peace"))]).await;
    bench.lease_calls().await;
    let wants = vec![Want { webhook: WebhookId(bench.registry.webhooks[0].0), most: 1, strict: false }];
    let later = now().plus(3 * HOUR);
    let leased = bench.store().lease_deliveries(wants, later, later.plus(HOUR)).await.unwrap();
    assert_eq!(leased.deliveries.len(), 1);
}

#[tokio::test]
async fn no_call_waits_for_the_old_time_when_the_clock_was_put_back() {
    let year = 365 * 24 * HOUR;
    for restart in [false, true] {
        let mut bench = Bench::new(&[A]).await;
        let load = ["1", "2", "3"].map(|n| bench.matching(candidate(&format!("https://x.example/{n}"), n, "Peace")));
        bench.load(0, load.into()).await;
        let webhook = bench.registry.webhooks[0];
        let lease = async |bench: &Bench, at: Timestamp, most| {
            let wants = vec![Want { webhook, most, strict: false }];
            bench.store().lease_deliveries(wants, at, at.plus(HOUR)).await.unwrap()
        };
        // A year ahead: one call fails, one is under way, one waits.
        let ahead = now().plus(year);
        let [failed, held] = <[_; 2]>::try_from(lease(&bench, ahead, 2).await.deliveries).unwrap();
        let attempt = Attempt { at: ahead, error: Some("503".to_owned()), ..Attempt::default() };
        let retry = Settlement::new(failed.id, failed.token, attempt, Verdict::Retry(ahead.plus(HOUR / 2)));
        bench.store().settle_delivery(retry).await.unwrap().unwrap();
        let file = bench.fresh.dir.path().join("t.db");
        let slowed = "UPDATE webhook SET slow_until = ?1";
        rusqlite::Connection::open(&file).unwrap().execute(slowed, [ahead.plus(HOUR).as_ms()]).unwrap();
        if restart {
            bench.fresh.store = fresh().store;
            let again = Sqlite::open(&file, &options(Access::Own)).unwrap();
            bench.fresh.store = Arc::new(again);
        }
        let back = now().plus(HOUR);
        let due = lease(&bench, back, 10).await;
        let slow_until = bench.store().webhook_status().await.unwrap()[0].slow_until;
        assert_eq!(slow_until, Some(back.plus(HOUR)), "what it asked for holds");
        // A start takes over what was under way; otherwise its lease lasts as long as any.
        assert_eq!(due.deliveries.len(), 1 + usize::from(restart));
        assert_eq!(due.next_at, Some(back.plus(HOUR / 2)), "half an hour stays half an hour");
        assert!(lease(&bench, back.plus(HOUR / 2).minus(Duration::from_secs(1)), 10).await.deliveries.is_empty());
        let again = lease(&bench, back.plus(HOUR / 2), 10).await.deliveries;
        assert_eq!(again.iter().map(|call| call.id).collect::<Vec<_>>(), [failed.id]);
        let later = lease(&bench, back.plus(2 * HOUR), 10).await.deliveries;
        assert!(later.iter().any(|call| call.id == held.id));
    }
}

#[tokio::test]
async fn what_began_before_the_clock_was_put_back_and_ends_after_that_was_seen_waits_for_nothing() {
    let bench = Bench::new(&[A, B]).await;
    let load = ["1", "2"].map(|n| bench.matching(candidate(&format!("https://x.example/{n}"), n, "Peace")));
    bench.load(0, load.into()).await;
    let webhook = bench.registry.webhooks[0];
    let lease = async |at: Timestamp| {
        let wants = vec![Want { webhook, most: 10, strict: false }];
        bench.store().lease_deliveries(wants, at, at.plus(HOUR)).await.unwrap().deliveries
    };
    let calls = lease(now()).await;
    let back = now().minus(24 * HOUR);
    assert!(lease(back).await.is_empty(), "that was seen");
    // A commit, by the old time.
    bench.load(1, vec![bench.matching(candidate("https://x.example/3", "3", "Peace"))]).await;
    let fresh = <[_; 1]>::try_from(lease(back.plus(HOUR / 60)).await).unwrap();
    let good = Attempt { at: back.plus(HOUR / 60), http_status: Some(204), ..Attempt::default() };
    let good = Settlement::new(fresh[0].id, fresh[0].token, good, Verdict::Succeeded);
    bench.store().settle_delivery(good).await.unwrap().unwrap();
    // Two calls that began by the old time, to a server that is down.
    for call in &calls {
        let attempt = Attempt { at: now(), duration_ms: 1000, ..Attempt::default() };
        let ended = back.plus(HOUR / 30);
        let settled = Settlement {
            ended,
            overload: Some(Duration::from_secs(60)),
            ..Settlement::new(call.id, call.token, attempt, Verdict::Retry(ended.plus(HOUR / 10)))
        };
        bench.store().settle_delivery(settled).await.unwrap().unwrap();
    }
    let status = bench.store().webhook_status().await.unwrap().remove(0);
    assert_eq!((status.state, status.slow_until), (WebhookState::Slowed, Some(back.plus(HOUR / 20))));
    let probe = lease(back.plus(HOUR / 20)).await;
    assert_eq!(probe.len(), 1, "the one that was put back");
    // The clock is put back once more, when five minutes of six are left.
    let again = back.minus(HOUR);
    assert!(lease(again).await.is_empty());
    let waiting = bench.store().delivery(calls[0].message_id.clone()).await.unwrap().unwrap();
    assert_eq!(waiting.next_attempt, Some(again.plus(HOUR / 12)));
    // Somebody resumes it: also what was owed first by the old time is due.
    bench.store().order_webhook(status.name, HookOrder::Resume, again.plus(HOUR / 60)).await.unwrap();
    assert_eq!(lease(again.plus(HOUR / 30)).await.len(), 1, "the other is under way");
}

#[tokio::test]
async fn no_short_link_waits_for_the_old_time_when_the_clock_was_put_back() {
    let bench = Bench::new(&[A]).await;
    let store = bench.store();
    let link = "https://s.example/1";
    bench.load(0, vec![candidate(link, "urn:1", "One")]).await;
    let minute = HOUR / 60;
    for tried in [false, true] {
        let (ahead, back) = (now().plus(365 * 24 * HOUR), now().plus(HOUR));
        let hunt = Hunt { hosts: vec!["s.example".to_owned()], above: None, below: None, since: now().minus(HOUR) };
        assert_eq!(store.hunt_links(hunt, ahead).await.unwrap().found, 1);
        let item = store.unresolved(ahead, 10).await.unwrap().links.remove(0).item;
        if tried {
            let hold = Some(("s.example".to_owned(), ahead.plus(HOUR)));
            let failed = Resolution { item, outcome: "held", next: Some(ahead.plus(HOUR)), hold };
            store.keep_resolution(failed, ahead).await.unwrap();
            let waits = store.unresolved(ahead.plus(minute), 10).await.unwrap();
            assert_eq!((waits.links.len(), waits.tried_today, waits.held.len()), (0, 1, 1));
        }
        let due = store.unresolved(back, 10).await.unwrap();
        assert_eq!((due.links.len(), due.tried_today, due.held.len()), (1, 0, 0), "{tried}");
        if tried {
            let hold = Some(("s.example".to_owned(), back.plus(HOUR)));
            let failed = Resolution { item, outcome: "held", next: Some(back.plus(HOUR)), hold };
            store.keep_resolution(failed, back).await.unwrap();
            let waits = store.unresolved(back.plus(minute), 10).await.unwrap();
            assert_eq!((waits.links.len(), waits.tried_today, waits.held.len()), (0, 1, 1), "as ever");
        }
    }
}

#[tokio::test]
async fn a_webhook_that_is_gone_holds_what_it_is_owed() {
    let bench = Bench::new(&[A]).await;
    let load = vec![
        bench.matching(candidate("https://x.example/1", "urn:1", "Peace")),
        bench.matching(candidate("https://x.example/2", "urn:2", "More peace")),
    ];
    bench.load(0, load).await;
    let call = bench.lease_calls().await.remove(0);
    let attempt = Attempt { at: now(), http_status: Some(410), ..Attempt::default() };
    let settlement = Settlement::new(call.id, call.token, attempt, Verdict::Disabled);
    bench.store().settle_delivery(settlement).await.unwrap();
    assert!(bench.lease_calls().await.is_empty());
    let status = bench.store().webhook_status().await.unwrap().remove(0);
    assert_eq!((status.state, status.due), (WebhookState::Disabled, 2));
    let held = bench.store().deliveries(None, Some(DeliveryState::Held), None, 10).await.unwrap();
    assert_eq!(held.len(), 2);
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let bench = Bench::new(&[A]).await;
    let load =
        (0..25).map(|n| candidate(&format!("https://x.example/{n}"), &format!("urn:{n}"), "Same date")).collect();
    bench.load(0, load).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = bench.store().stream_page(PageRequest { stream: None, limit: 10, before }).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (25, &sorted));
}

#[tokio::test]
async fn a_feed_is_the_same_by_its_url_else_by_its_name() {
    let bench = Bench::new(&[A, B]).await;
    let (a, b) = (bench.feed(0), bench.feed(1));
    // Names swapped: the URLs decide.
    let swapped = subscriptions(&[("b", A.1), ("a", B.1)]);
    let registry = bench.store().apply_subscriptions(swapped, now()).await.unwrap();
    assert_eq!([registry.feeds[0].0, registry.feeds[1].0], [a, b]);
    // A new URL under a known name is the same feed; a feed that left comes back as itself.
    let moved = subscriptions(&[("b", "https://new.example/rss")]);
    assert_eq!(bench.store().apply_subscriptions(moved, now()).await.unwrap().feeds[0].0, a);
    assert_eq!(bench.store().feed_status().await.unwrap().len(), 1);
    let back = subscriptions(&[("b", "https://new.example/rss"), ("a", B.1)]);
    assert_eq!(bench.store().apply_subscriptions(back, now()).await.unwrap().feeds[1].0, b);
}

#[tokio::test]
async fn clean_html_of_an_older_revision_is_not_kept() {
    let bench = Bench::new(&[A]).await;
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let item = bench.all().await.remove(0);
    let clean = Clean { summary: None, content: Some("<p>One</p>".to_owned()) };
    let cleaned = |revision| vec![Cleaned { item: item.id, revision, clean: clean.clone() }];
    bench.store().keep_clean(cleaned(7)).await.unwrap();
    assert_eq!(bench.all().await[0].clean, None);
    bench.store().keep_clean(cleaned(1)).await.unwrap();
    assert_eq!(bench.all().await[0].clean, Some(clean));
}

#[tokio::test]
async fn what_was_cleaned_for_a_page_that_took_too_long_is_kept() {
    let bench = Bench::new(&[A]).await;
    let long = "<p>Some words of it.</p>".repeat(12 << 10);
    let story = |n: u32| {
        let mut story = candidate(&format!("https://x.example/{n}"), &format!("urn:{n}"), "Long");
        story.entry.content = Some(long.clone());
        story
    };
    bench.load(0, (0..60).map(story).collect()).await;
    let items = bench.all().await;
    let clean = async || bench.all().await.iter().filter(|item| item.clean.is_some()).count();
    {
        let mut page = std::pin::pin!(views::prepare(bench.store().as_ref(), items));
        while clean().await == 0 {
            assert!(futures_util::poll!(page.as_mut()).is_pending());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // Whoever asked has gone.
    assert!(clean().await < 60, "the rest was not begun");
}

#[tokio::test]
async fn a_stream_whose_definition_changed_asks_to_be_filled_and_what_belongs_there_keeps_its_place() {
    let bench = Bench::new(&[A]).await;
    let story = |n: u8| candidate(&format!("https://x.example/{n}"), &format!("urn:{n}"), &format!("Story {n}"));
    bench.load(0, (0..3).map(|n| bench.matching(story(n))).chain([story(3)]).collect()).await;
    let mut changed = subscriptions(&[A]);
    changed.streams[0].definition = "one".to_owned();
    let registry = bench.store().apply_subscriptions(changed.clone(), now()).await.unwrap();
    assert!(registry.streams[0].1);
    let upto = bench.store().last_seqs(vec![bench.stream()]).await.unwrap()[0];
    // Comes while it is being filled.
    bench.load(0, vec![bench.matching(story(4))]).await;
    let all = bench.all().await;
    let ids: Vec<_> = (0..5).map(|n| all.iter().find(|item| item.key.ends_with(&n.to_string())).unwrap().id).collect();
    let before = bench.seq(ids[1]).await;
    assert!(before.is_some());
    assert!(!bench.lease_calls().await.is_empty());
    let part = Fill { stream: bench.stream(), enter: vec![ids[1], ids[3]], leave: vec![ids[0], ids[2], ids[4]], upto };
    bench.store().fill_streams(vec![part], true, now().plus(HOUR)).await.unwrap();
    let page = bench.page(Some(bench.stream())).await;
    let there: Vec<_> = ids.iter().filter(|id| page.iter().any(|item| item.id == **id)).collect();
    assert_eq!(there, [&ids[1], &ids[3], &ids[4]], "what entered meanwhile did by the query of now");
    assert_eq!(bench.seq(ids[1]).await, before);
    assert!(bench.lease_calls().await.is_empty(), "a fill calls nobody");
    assert!(!bench.store().apply_subscriptions(changed, now()).await.unwrap().streams[0].1);
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_and_two_daemons_cannot_share_it() {
    let bench = Bench::new(&[A]).await;
    let instance = bench.store().instance();
    bench.load(0, vec![candidate("https://x.example/1", "urn:1", "One")]).await;
    let path = bench.fresh.dir.path().join("t.db");
    assert!(matches!(Sqlite::open(&path, &options(Access::Own)), Err(StoreError::Held { .. })));
    bench.store().close().await.unwrap();
    let Bench { fresh: Fresh { store, dir }, .. } = bench;
    drop(store);
    let again = Sqlite::open(&path, &options(Access::Own)).unwrap();
    assert_eq!(again.instance(), instance);
    let page = again.stream_page(PageRequest { stream: None, limit: 9, before: None }).await.unwrap();
    assert_eq!(page.items.len(), 1);
    drop(dir);
}

#[test]
fn a_checkpoint_that_was_cut_short_is_no_damage() {
    let dir = TempDir::new().unwrap();
    let live = dir.path().join("live");
    let store = Sqlite::open(&live, &options(Access::Own)).unwrap();
    // As after a crash: the first page is in the file and says how long it will be, the rest is in the log only.
    let mut file = std::fs::read(&live).unwrap();
    let pages = u32::from_be_bytes(file[28..32].try_into().unwrap()) + 100;
    file[28..32].copy_from_slice(&pages.to_be_bytes());
    let counter = file[24..28].to_vec();
    file[92..96].copy_from_slice(&counter);
    let cut = dir.path().join("cut");
    std::fs::write(&cut, &file).unwrap();
    let error = Sqlite::open(&cut, &options(Access::Look)).err().unwrap().to_string();
    assert!(error.contains("is damaged"), "without its log it is: {error}");
    std::fs::copy(dir.path().join("live-wal"), dir.path().join("cut-wal")).unwrap();
    Sqlite::open(&cut, &options(Access::Own)).unwrap();
    drop(store);
}

#[tokio::test]
async fn a_foreign_corrupt_newer_or_missing_file_is_refused_and_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let refuse = |name: &str, want: &str| {
        let path = dir.path().join(name);
        let before = std::fs::read(&path).unwrap();
        let error = Sqlite::open(&path, &options(Access::Own)).err().unwrap().to_string();
        assert!(error.contains(want), "{name}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name} was changed");
    };
    std::fs::write(dir.path().join("empty"), "").unwrap();
    refuse("empty", "is not a Feedmill database");
    std::fs::write(dir.path().join("picture"), [0xff, 0xd8, 0xff, 0xe0].repeat(100)).unwrap();
    refuse("picture", "no SQLite database");
    let other = rusqlite::Connection::open(dir.path().join("other")).unwrap();
    other.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    other.close().unwrap();
    refuse("other", "another program");

    let good = dir.path().join("good");
    Sqlite::open(&good, &options(Access::Own)).unwrap().close().await.unwrap();
    let bytes = std::fs::read(&good).unwrap();
    std::fs::write(dir.path().join("cut"), &bytes[..bytes.len() / 2]).unwrap();
    refuse("cut", "is damaged");
    let mut flipped = bytes.clone();
    let page = bytes.len() / 2 / 4096 * 4096;
    flipped[page..page + 64].fill(0xaa);
    std::fs::write(dir.path().join("flipped"), flipped).unwrap();
    refuse("flipped", "is damaged");
    let mut newer = bytes;
    newer[63] = 99;
    std::fs::write(dir.path().join("newer"), newer).unwrap();
    refuse("newer", "has version 99");
    let missing = Sqlite::open(&dir.path().join("missing"), &options(Access::Look)).err().unwrap();
    assert!(matches!(missing, StoreError::Missing { .. }));
    assert!(!dir.path().join("missing").exists());
}

#[tokio::test]
async fn states_come_a_part_at_a_time_and_health_is_counted_as_it_is_shown() {
    let urls: Vec<(String, String)> = (0..5).map(|n| (format!("f{n}"), format!("https://f{n}.example/rss"))).collect();
    let feeds: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
    let bench = Bench::new(&feeds).await;
    // One that failed for long, one that failed once, one that is gone, one that is switched off, one that is well.
    let gone = PollError { kind: ErrorKind::Http, http_status: Some(410), message: "gone".to_owned() };
    let slow = PollError { kind: ErrorKind::Timeout, http_status: None, message: "slow".to_owned() };
    let failed = || PollResult::Failed(slow.clone());
    let polls =
        [(0, failed(), 0), (0, failed(), 4), (0, failed(), 8), (1, failed(), 8), (2, PollResult::Gone(gone), 8)];
    for (feed, result, hours) in polls {
        let (feed, at) = (bench.feed(feed), now().plus(HOUR * hours));
        let lease = bench.store().lease_due_feeds(vec![feed], at, at.plus(HOUR)).await.unwrap().remove(0);
        let poll =
            PollCommit { feed, token: lease.token, at, result, next: NextPoll::default(), alerts: Arc::default() };
        bench.store().commit_poll(poll, Arc::new(Plain { both: None }), Arc::default()).await.unwrap();
    }
    let later = now().plus(HOUR * 9);
    let mut changed = subscriptions(&feeds);
    changed.feeds[3].enabled = false;
    bench.store().apply_subscriptions(changed, later).await.unwrap();

    let mut counts = bench.store().feed_health(later).await.unwrap();
    counts.sort_by_key(|(health, _)| health.as_str());
    let expected = [Health::Broken, Health::Failing, Health::Gone, Health::Ok, Health::Paused].map(|one| (one, 1));
    assert_eq!(counts, expected);

    let all = bench.store().feed_status().await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let part = bench.store().feed_states(after, 2).await.unwrap();
        assert!(part.len() <= 2);
        let Some((last, _)) = part.last() else { break };
        after = Some(*last);
        seen.extend(part);
    }
    let mut expected: Vec<(FeedId, FeedState)> = all.into_iter().map(|status| (status.feed, status.state)).collect();
    expected.sort_by_key(|(feed, _)| *feed);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_streams_version_grows_with_what_it_shows_and_with_nothing_else() {
    let bench = Bench::new(&[A, B]).await;
    let version = async || bench.store().stream_version(bench.stream()).await.unwrap();
    let mut before = version().await;
    let in_it = || bench.matching(candidate("https://x.example/1", "urn:1", "One"));
    let edited = || bench.matching(candidate("https://x.example/1", "urn:1", "One, corrected"));
    let other = || candidate("https://x.example/2", "urn:2", "Two");
    for (case, feed, candidates, grows) in [
        ("a story that is not in it", 0, vec![other()], false),
        ("a story that is", 0, vec![other(), in_it()], true),
        ("nothing new", 0, vec![other(), in_it()], false),
        ("an edit of the other", 0, vec![candidate("https://x.example/2", "urn:2", "Two, corrected"), in_it()], false),
        ("an edit", 0, vec![edited()], true),
        ("one more place", 1, vec![candidate("https://x.example/1", "urn:b", "One")], true),
        ("one more place of the other", 1, vec![candidate("https://x.example/2", "urn:c", "Two")], false),
    ] {
        bench.load(feed, candidates).await;
        let after = version().await;
        assert_eq!(after > before, grows, "{case}: {before} to {after}");
        before = after;
    }
}
