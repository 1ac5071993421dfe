//! The routes against the real store: what a client sees.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, Method, Request};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::control::{
    Control, ControlError, Doing, FeedReport, FillReport, LogReport, PollOutcome, PollReport, PollShape, ReloadReport,
    TestReport,
};
use super::{Parts, State, listen, routes};
use crate::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use crate::domain::feed::{FeedId, FeedInfo, NextPoll};
use crate::domain::item::Entry;
use crate::domain::stream::{Match, StreamId};
use crate::domain::time::{Clock, Timestamp};
use crate::domain::webhook::{Attempt, Settlement, Verdict};
use crate::ops::health::{Part, Progress, Readiness};
use crate::ops::metrics::Metrics;
use crate::publish::hooks::{HookReport, ReplayRequest};
use crate::publish::merges::UnmergeReport;
use crate::publish::published::{Live, Published, PublishedFeed, TokenHash};
use crate::store::sqlite::{Access, Options, Sqlite};
use crate::store::{FeedOrder, HookOrder};
use crate::store::{FeedSpec, PollCommit, PollResult, Registry, Route, Store, StreamSpec, Subscriptions, Want};

mod events;
mod gate;
mod openapi;
mod pages;

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()
}

/// An hour after [`now`], and as many seconds more as it was told.
#[derive(Default)]
struct Noon(AtomicU64);

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        now().plus(HOUR + Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }
}

struct AllNew;

impl Judge for AllNew {
    fn decide(&self, known: &Known, _: &Candidate, _: &Survey) -> Decision {
        if known.sighting.is_some() { Decision::Same } else { Decision::New }
    }

    fn rematch(&self, _: &Candidate, _: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

/// Notes what it is asked, and knows one feed and one webhook.
#[derive(Default)]
struct Operator(Mutex<Vec<String>>);

impl Operator {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Desk(Arc<Operator>);

impl Control for Desk {
    fn poll(&self, names: Option<Vec<String>>) -> Doing<'_, PollReport> {
        self.0.note(format!("poll {names:?}"));
        Box::pin(async move {
            if names.iter().flatten().any(|name| name != "world") {
                return Err(ControlError::UnknownFeed(names.into_iter().flatten().collect()));
            }
            let shape = PollShape {
                name: "world".into(),
                outcome: PollOutcome::NotModified,
                new: 0,
                changed: 0,
                sighted: 0,
                http_status: Some(304),
                duration_ms: 12,
                error: None,
            };
            Ok(PollReport { count: 1, feeds: vec![shape] })
        })
    }

    fn reload(&self) -> Doing<'_, ReloadReport> {
        self.0.note("reload".into());
        Box::pin(async { Err(ControlError::Refused { errors: vec!["f.toml:1: wrong".into()] }) })
    }

    fn fill(&self) -> FillReport {
        FillReport { streams: 1, looked: 200, of: 1000 }
    }

    fn log_level(&self, level: String) -> Doing<'_, LogReport> {
        self.0.note(format!("log {level}"));
        Box::pin(async { Ok(LogReport { level }) })
    }

    fn unmerge(&self, item: i64) -> Doing<'_, UnmergeReport> {
        self.0.note(format!("unmerge {item}"));
        Box::pin(async move { Ok(UnmergeReport { count: 1, item, from: 1 }) })
    }

    fn order_feed(&self, feed: String, order: FeedOrder) -> Doing<'_, FeedReport> {
        self.0.note(format!("{order:?} {feed}"));
        Box::pin(async { Ok(FeedReport { count: 1, feed, next_poll: Some(Timestamp::from_secs(1)) }) })
    }

    fn order_webhook(&self, name: String, order: HookOrder) -> Doing<'_, HookReport> {
        self.0.note(format!("{order:?} {name}"));
        Box::pin(async { Ok(HookReport { count: 3, webhook: name }) })
    }

    fn replay(&self, name: String, asked: ReplayRequest) -> Doing<'_, HookReport> {
        self.0.note(format!("replay {name} {} {:?} {}", asked.since, asked.until, asked.all));
        Box::pin(async { Ok(HookReport { count: 3, webhook: name }) })
    }

    fn test_webhook(&self, name: String) -> Doing<'_, TestReport> {
        self.0.note(format!("test {name}"));
        Box::pin(async { Err(ControlError::UnknownWebhook(name)) })
    }
}

struct House {
    state: State,
    store: Arc<dyn Store>,
    registry: Registry,
    operator: Arc<Operator>,
    live: Live,
    progress: Arc<Progress>,
    start: Instant,
    clock: Arc<Noon>,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The titles of a list of items.
    fn titles(&self) -> Vec<String> {
        let list = self.json();
        list["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    }
}

fn candidate(n: i64, stream: Option<StreamId>) -> Candidate {
    let url = format!("https://world.example/{n}");
    Candidate {
        entry: Entry {
            guid: Some(url.clone()),
            link: Some(url.clone()),
            title: Some(format!("Story {n}")),
            published: Some(Timestamp::from_secs(now().as_secs() - 1000 + n)),
            ..Entry::default()
        },
        link: Some(url.clone()),
        key: url.clone(),
        scope: Scope::Global,
        entry_id: url.clone(),
        native_id: Some(url),
        fingerprint: Fingerprint::default(),
        aliases: Vec::new(),
        by_guid: false,
        wordy: false,
        own: false,
        matches: stream.map(|stream| Match { stream, term: None }).into_iter().collect(),
    }
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("t.db"), &options).unwrap());
        let feed = FeedSpec {
            name: "world".into(),
            url: Url::parse("https://world.example/rss").unwrap().into(),
            title: Some("World".into()),
            enabled: true,
            own_headers: false,
            private: false,
        };
        let stream = StreamSpec { name: "peace-talks".into(), definition: "peace".into() };
        let subscriptions = Subscriptions { feeds: vec![feed], streams: vec![stream], webhooks: vec!["desk".into()] };
        let registry = store.apply_subscriptions(subscriptions, now()).await.unwrap();
        let mut published = crate::publish::published::tests::example();
        published.streams[1].row = Some(registry.streams[0].0);
        let shown = PublishedFeed { tags: ["press".into()].into(), enabled: true };
        published.feeds.insert("world".into(), shown);
        published.admin = Some(TokenHash::of("s3cret"));
        let (live, operator, start) =
            (Live::new(published), Arc::new(Operator::default()), Instant::now() - Duration::from_secs(1));
        let progress = Arc::new(Progress::new(start));
        let clock = Arc::new(Noon::default());
        let state = State::new(Parts {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            live: live.clone(),
            control: Arc::new(Desk(Arc::clone(&operator))),
            metrics: Arc::new(Metrics::new("0")),
            progress: Arc::clone(&progress),
            readers: Arc::default(),
            stop: CancellationToken::new(),
            version: "0",
        });
        Self { state, store, registry, operator, live, progress, start, clock, _dir: dir }
    }

    /// Stories `from` to `to`, the later the newer; the even ones are in the stream.
    async fn load(&self, from: i64, to: i64) {
        let stream = self.registry.streams[0].0;
        let candidates = (from..=to).map(|n| candidate(n, (n % 2 == 0).then_some(stream))).collect();
        let feed = self.registry.feeds[0].0;
        let lease = self.store.lease_due_feeds(vec![feed], now(), now().plus(HOUR)).await.unwrap().remove(0);
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { home_url: Some("https://world.example/".into()), ..FeedInfo::default() }),
            candidates,
            quiet: false,
            habits: None,
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let next =
            NextPoll { due_at: Some(now().plus(HOUR * 2)), reason: "its schedule".into(), ..NextPoll::default() };
        let poll = PollCommit { feed, token: lease.token, at: now(), result, next, alerts: Arc::default() };
        let route = Route { webhook: self.registry.webhooks[0], new: true, updated: false, private: false };
        let calls = HashMap::from([(Some(stream), vec![route])]);
        let report = self.store.commit_poll(poll, Arc::new(AllNew), Arc::new(calls)).await.unwrap();
        assert_eq!(i64::from(report.new), to - from + 1);
    }

    async fn ask(&self, router: Router, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        self.send(router, method, path, headers, Body::empty()).await
    }

    async fn send(
        &self,
        router: Router,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "news.example");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let answer = TowerToHyperService::new(router).call(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        self.ask(routes::whole(&self.state), Method::GET, path, headers).await
    }
}

#[tokio::test]
async fn what_is_too_old_for_a_stream_leaves_it_at_that_moment_and_nothing_else_changes_by_itself() {
    let house = House::new().await;
    house.load(1, 4).await;
    // Story n is dated n - 1000 seconds from `now`; it is an hour later, and the stream shows two hours.
    let mut published = house.live.get().published.as_ref().clone();
    published.streams[0].max_age = Some(HOUR + Duration::from_secs(1000));
    house.live.set(published);
    house.clock.0.store(1, Ordering::Relaxed);
    let first = house.get("/all.json", &[]).await;
    assert_eq!(first.titles(), ["Story 4", "Story 3", "Story 2"], "story 1 is as old as that now");
    assert_eq!(first.header(CACHE_CONTROL), Some("max-age=1"), "story 2 is the next to leave");
    let api = house.get("/api/v1/items?stream=all", &[]).await;
    assert_eq!(api.titles(), first.titles());
    let tag = first.header(ETAG).unwrap().to_owned();
    let dated = first.header(LAST_MODIFIED).map(str::to_owned);
    assert_eq!(house.get("/all.json", &[(IF_NONE_MATCH, &tag)]).await.status, 304);
    house.clock.0.store(2, Ordering::Relaxed);
    let second = house.get("/all.json", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(second.titles(), ["Story 4", "Story 3"]);
    house.clock.0.store(10, Ordering::Relaxed);
    let last = house.get("/all.json", &[]).await;
    assert!(last.titles().is_empty());
    assert_ne!(last.header(LAST_MODIFIED).map(str::to_owned), dated, "what left it changed it");
    assert_eq!(last.header(LAST_MODIFIED), Some(now().plus(HOUR + Duration::from_secs(4)).rfc822().as_str()));
    house.clock.0.store(20, Ordering::Relaxed);
    let same = house.get("/all.json", &[(IF_NONE_MATCH, last.header(ETAG).unwrap())]).await;
    assert_eq!(same.status, 304);
}

const FEEDS: [(&str, &str); 3] = [
    ("/all.atom", "application/atom+xml; charset=utf-8"),
    ("/all.rss", "application/rss+xml; charset=utf-8"),
    ("/peace-talks.json", "application/feed+json; charset=utf-8"),
];

#[tokio::test]
async fn each_form_of_a_stream_has_its_media_type_a_tag_a_date_and_a_lifetime() {
    let house = House::new().await;
    house.load(1, 4).await;
    // The clock shows one hour past the poll, and the next one is two hours past it.
    house.progress.due(Some(now().plus(2 * HOUR)));
    for (path, media) in FEEDS {
        let answer = house.get(path, &[]).await;
        assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (200, Some(media)), "{path}");
        assert_eq!(answer.header(LAST_MODIFIED), Some(now().rfc822().as_str()));
        assert_eq!(answer.header(CACHE_CONTROL), Some("max-age=3600"));
        assert_eq!(answer.header(VARY), Some("Accept-Encoding, Sec-Fetch-Dest"));
        assert_eq!(answer.header(ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        assert!(answer.header(ETAG).unwrap().starts_with('"'));
    }
}

#[tokio::test]
async fn who_has_a_feed_gets_304_until_the_store_changes_and_the_tag_changes_only_with_the_bytes() {
    let house = House::new().await;
    house.load(1, 4).await;
    let first = house.get("/all.atom", &[]).await;
    let tag = first.header(ETAG).unwrap().to_owned();
    let date = first.header(LAST_MODIFIED).unwrap().to_owned();
    for known in [(IF_NONE_MATCH, tag.as_str()), (IF_MODIFIED_SINCE, date.as_str())] {
        let again = house.get("/all.atom", &[known]).await;
        assert_eq!((again.status, again.body.len(), again.header(ETAG)), (304, 0, Some(tag.as_str())));
    }
    house.live.set(Published { admin: None, ..(*house.live.get().published).clone() });
    assert_eq!(house.get("/all.atom", &[(IF_NONE_MATCH, &tag)]).await.status, 304, "a reload that shows the same");
    house.load(5, 5).await;
    let changed = house.get("/all.atom", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header(ETAG), Some(tag.as_str()));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let house = House::new().await;
    house.load(1, 4).await;
    for path in ["/", "/all.atom", "/status", "/api/v1/feeds", "/healthz", "/nothing"] {
        let get = house.get(path, &[]).await;
        let head = house.ask(routes::whole(&house.state), Method::HEAD, path, &[]).await;
        assert_eq!((get.status, get.header(ETAG)), (head.status, head.header(ETAG)), "{path}");
        if path != "/nothing" {
            assert!(head.body.is_empty(), "{path}");
            assert_eq!(head.header(CONTENT_LENGTH), Some(get.body.len().to_string().as_str()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_search_that_finds_all_places_taken_is_asked_to_come_again() {
    let house = House::new().await;
    house.load(1, 4).await;
    assert_eq!(house.get("/search.json?q=story", &[]).await.titles().len(), 4);
    let places = house.state.0.costly.acquire_many(2).await.unwrap();
    tokio::time::pause();
    for path in ["/search?q=story", "/search.atom?q=story"] {
        let answer = house.get(path, &[]).await;
        assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, Some("10")), "{path}");
    }
    tokio::time::resume();
    drop(places);
    assert_eq!(house.get("/search?q=story", &[]).await.status, 200);
    let long = format!("/search.rss?q={}", "a".repeat(1001));
    assert_eq!(house.get(&long, &[]).await.status, 400);
}

#[tokio::test]
async fn a_navigation_to_a_feed_gets_the_page_and_any_other_client_the_feed() {
    let house = House::new().await;
    house.load(1, 2).await;
    let dest = HeaderName::from_static("sec-fetch-dest");
    let page = house.get("/all.atom", &[(dest.clone(), "document")]).await;
    assert_eq!(page.header(CONTENT_TYPE), Some("text/html; charset=utf-8"));
    assert_eq!(page.header(VARY), Some("Accept-Encoding, Sec-Fetch-Dest"));
    let feed = house.get("/all.atom", &[(dest, "empty"), (ACCEPT, "text/html")]).await;
    assert_eq!(feed.header(CONTENT_TYPE), Some(FEEDS[0].1));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_errors_too() {
    let house = House::new().await;
    let html = [(ACCEPT, "text/html")];
    let paths = ["/", "/all.atom", "/feeds", "/feeds.opml", "/status", "/static/style.css", "/robots.txt", "/healthz"];
    let wrong =
        ["/nothing", "/nothing.atom", "/a/b", "/%ff", "/..%2f..%2fetc%2fpasswd", "/all.atom?before=x", "/api/x"];
    for path in paths.into_iter().chain(wrong) {
        for headers in [&html[..], &[]] {
            let answer = house.get(path, headers).await;
            assert_eq!(answer.status < 400, paths.contains(&path), "{path} {}", answer.status);
            let policy = answer.header(CONTENT_SECURITY_POLICY).unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
            assert_eq!(answer.header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"), "{path}");
            assert_eq!(answer.header(REFERRER_POLICY), Some("no-referrer"), "{path}");
            assert!(answer.header(CACHE_CONTROL).is_some(), "{path}");
        }
    }
}

#[tokio::test]
async fn errors_are_pages_for_browsers_and_problem_documents_for_programs_and_the_api() {
    let house = House::new().await;
    let html = [(ACCEPT, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
    let media = |answer: &Answer| answer.header(CONTENT_TYPE).unwrap().to_owned();
    let page = house.get("/nothing", &html).await;
    assert_eq!((page.status, media(&page).as_str()), (404, "text/html; charset=utf-8"));
    for (path, headers) in [("/nothing.rss", &[][..]), ("/api/v1/nothing", &html), ("/api/v1/items/7", &[])] {
        let problem = house.get(path, headers).await;
        assert_eq!((problem.status, media(&problem).as_str()), (404, "application/problem+json"), "{path}");
        let json = problem.json();
        assert_eq!((&json["status"], &json["type"]), (&Value::from(404), &Value::from("about:blank")));
    }
}

#[tokio::test]
async fn another_method_is_refused_with_those_that_are_allowed() {
    let house = House::new().await;
    for (method, path, allowed) in [
        (Method::POST, "/all.atom", "GET,HEAD"),
        (Method::DELETE, "/api/v1/feeds", "GET,HEAD"),
        (Method::GET, "/api/v1/reload", "POST"),
        (Method::GET, "/api/v1/log", "POST"),
    ] {
        let answer = house.ask(routes::whole(&house.state), method, path, &[]).await;
        assert_eq!((answer.status, answer.header(ALLOW)), (405, Some(allowed)), "{path}");
        assert_eq!(answer.header(CONTENT_TYPE), Some("application/problem+json"));
    }
    assert!(house.operator.heard().is_empty(), "nothing is changed by a GET");
}

#[tokio::test]
async fn with_a_private_listener_the_public_one_has_feeds_and_pages_only() {
    let house = House::new().await;
    let outward = ["/", "/all", "/all.atom", "/feeds", "/feeds.opml", "/static/style.css"];
    let inward = ["/status", "/metrics", "/healthz", "/readyz", "/api/v1/feeds", "/api/v1/items"];
    house.load(1, 1).await;
    let (outward, inward) = ([&outward[..], &["/item/1"]].concat(), [&inward[..], &["/api/v1/items/1"]].concat());
    for (router, open, shut) in [
        (routes::public(&house.state), &outward[..], &inward[..]),
        (routes::private(&house.state), &inward, &outward),
        (routes::control(&house.state), &inward, &outward),
    ] {
        for (paths, status) in [(open, 200), (shut, 404)] {
            for path in paths {
                let answer = house.ask(router.clone(), Method::GET, path, &[]).await;
                assert_eq!(answer.status, status, "{path}");
            }
        }
    }
    let token = [(AUTHORIZATION, "Bearer s3cret")];
    let answer = house.ask(routes::public(&house.state), Method::POST, "/api/v1/poll", &token).await;
    assert_eq!(answer.status, 404);
    assert!(house.operator.heard().is_empty());
}

#[tokio::test]
async fn a_storys_page_is_known_by_its_tag_as_long_as_nothing_happens_to_it() {
    let house = House::new().await;
    house.load(1, 2).await;
    // The last one of the document is stored first: item 1 is the one in the stream.
    let first = house.get("/item/1", &[]).await;
    assert_eq!((first.status, first.header(CACHE_CONTROL)), (200, Some("max-age=0")));
    let tag = first.header(ETAG).unwrap().to_owned();
    assert_eq!(house.get("/item/1", &[(IF_NONE_MATCH, &tag)]).await.status, 304);
    // A call is settled: nothing that is published changes, and the page does.
    let version = house.store.version();
    let want = Want { webhook: house.registry.webhooks[0], most: 1, strict: false };
    let call = house.store.lease_deliveries(vec![want], now(), now().plus(HOUR)).await.unwrap().deliveries.remove(0);
    let attempt = Attempt { at: now(), http_status: Some(200), ..Attempt::default() };
    let settlement = Settlement::new(call.id, call.token, attempt, Verdict::Succeeded);
    assert!(house.store.settle_delivery(settlement).await.unwrap().is_some());
    assert_eq!(house.store.version(), version);
    let after = house.get("/item/1", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!(after.status, 200);
    assert!(after.text().contains("answered 200"), "{}", after.text());
    for path in
        ["/item/3", "/item/0", "/item/-1", "/item/+2", "/item/02", "/item/2.0", "/item/x", "/item/%FF", "/item/"]
    {
        assert_eq!(house.get(path, &[]).await.status, 404, "{path}");
    }
    for path in ["/api/v1/explain", "/api/v1/explain?url=x&q=y"] {
        assert_eq!(house.get(path, &[]).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn writes_need_the_token_over_tcp_and_none_over_the_control_socket() {
    let house = House::new().await;
    let (whole, control) = (routes::whole(&house.state), routes::control(&house.state));
    let wrong = house.ask(whole.clone(), Method::POST, "/api/v1/poll", &[(AUTHORIZATION, "Bearer no")]).await;
    assert_eq!((wrong.status, wrong.header(WWW_AUTHENTICATE)), (401, Some("Bearer realm=\"feedmill\"")));
    assert!(house.operator.heard().is_empty());
    let token = [(AUTHORIZATION, "Bearer s3cret")];
    let right = house.ask(whole.clone(), Method::POST, "/api/v1/feeds/world/poll", &token).await;
    assert_eq!(right.status, 202);
    let json = right.json();
    assert_eq!((&json["count"], &json["feeds"][0]["outcome"]), (&Value::from(1), &Value::from("not_modified")));
    house.ask(control.clone(), Method::POST, "/api/v1/poll", &[]).await;
    let names = Body::from(r#"{"feeds":["world"]}"#);
    house.send(control.clone(), Method::POST, "/api/v1/poll", &[], names).await;
    assert_eq!(house.operator.heard(), ["poll Some([\"world\"])", "poll None", "poll Some([\"world\"])"]);
    assert_eq!(house.ask(whole.clone(), Method::POST, "/api/v1/items/7/unmerge", &[]).await.status, 401);
    assert_eq!(house.ask(whole.clone(), Method::POST, "/api/v1/items/seven/unmerge", &token).await.status, 404);
    let parted = house.ask(whole.clone(), Method::POST, "/api/v1/items/7/unmerge", &token).await;
    assert_eq!((parted.status, &parted.json()["item"]), (202, &Value::from(7)));
    assert_eq!(house.operator.heard(), ["unmerge 7"]);
    house.live.set(Published { admin: None, ..(*house.live.get().published).clone() });
    assert_eq!(house.ask(whole, Method::POST, "/api/v1/reload", &token).await.status, 403, "it was taken away");
    let refused = house.ask(control.clone(), Method::POST, "/api/v1/reload", &[]).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]), (422, &Value::from("f.toml:1: wrong")));
    let unknown = house.ask(control, Method::POST, "/api/v1/webhooks/x/test", &[]).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let house = House::new().await;
    let long = || Body::from(format!("{{\"feeds\":[{}]}}", "1,".repeat(40_000)));
    let control = routes::control(&house.state);
    // With a length it is refused before, without one while it is read.
    let told = house.send(control.clone(), Method::POST, "/api/v1/poll", &[(CONTENT_LENGTH, "80000")], long()).await;
    let untold = house.send(control, Method::POST, "/api/v1/poll", &[], long()).await;
    assert_eq!((told.status, untold.status), (413, 413));
    assert!(house.operator.heard().is_empty());
}

#[tokio::test]
async fn items_are_listed_newest_first_and_a_page_goes_on_where_the_last_one_ended() {
    let house = House::new().await;
    house.load(1, 5).await;
    let first = house.get("/api/v1/items?limit=2", &[]).await;
    assert_eq!(first.titles(), ["Story 5", "Story 4"]);
    let item = &first.json()["items"][0];
    assert_eq!(item["_feedmill"]["source"]["name"], "world");
    let next = first.json()["next"].as_str().unwrap().to_owned();
    house.load(6, 6).await;
    let second = house.get(&format!("/api/v1/items?limit=2&after={next}"), &[]).await;
    assert_eq!(second.titles(), ["Story 3", "Story 2"], "what came meanwhile moves nothing");
    let next = second.json()["next"].as_str().unwrap().to_owned();
    let last = house.get(&format!("/api/v1/items?limit=2&after={next}"), &[]).await;
    assert_eq!((last.titles(), last.json().get("next")), (vec!["Story 1".to_owned()], None));
    assert_eq!(house.get("/api/v1/items?stream=peace-talks", &[]).await.titles(), ["Story 6", "Story 4", "Story 2"]);
    let since = Timestamp::from_secs(now().as_secs() - 1000 + 5).rfc3339();
    let young = house.get(&format!("/api/v1/items?since={since}&limit=1"), &[]).await;
    assert_eq!(young.titles(), ["Story 6"]);
    let next = young.json()["next"].as_str().unwrap().to_owned();
    let rest = house.get(&format!("/api/v1/items?since={since}&after={next}"), &[]).await;
    assert_eq!((rest.titles(), rest.json().get("next")), (vec!["Story 5".to_owned()], None));
    let number = item["_feedmill"]["item"].as_i64().unwrap();
    assert_eq!(house.get(&format!("/api/v1/items/{number}"), &[]).await.json()["title"], "Story 5");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_a_sentence() {
    let house = House::new().await;
    for path in [
        "/api/v1/items?limit=0",
        "/api/v1/items?limit=1001",
        "/api/v1/items?limit=x",
        "/api/v1/items?after=x",
        "/api/v1/items?since=yesterday",
        "/api/v1/items?stream=none",
        "/api/v1/items?limt=5",
        "/api/v1/feeds?q=x",
        "/api/v1/deliveries?state=lost",
        "/api/v1/deliveries?after=x",
        "/all.atom?before=x",
        "/?before=1&before=2",
    ] {
        let answer = house.get(path, &[]).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().ends_with('.'), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn feeds_webhooks_streams_and_deliveries_have_the_shapes_of_the_contract() {
    let house = House::new().await;
    house.load(1, 4).await;
    let feed = house.get("/api/v1/feeds", &[]).await.json()["feeds"][0].clone();
    for (key, value) in [
        ("name", Value::from("world")),
        ("title", Value::from("World")),
        ("url", Value::from("https://world.example/rss")),
        ("home_page_url", Value::from("https://world.example/")),
        ("tags", Value::from(vec!["press"])),
        ("state", Value::from("ok")),
        ("items", Value::from(4)),
        ("errors_in_row", Value::from(0)),
        ("next_poll", Value::from(now().plus(HOUR * 2).rfc3339())),
        ("next_poll_reason", Value::from("its schedule")),
    ] {
        assert_eq!(feed[key], value, "{key}");
    }
    assert_eq!(feed.get("error"), None, "what is not known is absent");
    let webhook = house.get("/api/v1/webhooks", &[]).await.json()["webhooks"][0].clone();
    assert_eq!((&webhook["name"], &webhook["due"]), (&Value::from("desk"), &Value::from(2)));
    let stream = house.get("/api/v1/streams", &[]).await.json()["streams"][1].clone();
    assert_eq!(stream["atom_url"], "https://news.example/feeds/peace-talks.atom");
    let list = house.get("/api/v1/deliveries?limit=1&webhook=desk&state=pending", &[]).await.json();
    let delivery = &list["deliveries"][0];
    assert_eq!((&delivery["webhook"], &delivery["type"]), (&Value::from("desk"), &Value::from("item.new")));
    let after = list["next"].as_str().unwrap();
    let rest = house.get(&format!("/api/v1/deliveries?limit=1&after={after}"), &[]).await.json();
    assert_eq!((rest["deliveries"].as_array().unwrap().len(), rest.get("next")), (1, None));
    let id = delivery["id"].as_str().unwrap();
    assert_eq!(house.get(&format!("/api/v1/deliveries/{id}"), &[]).await.json()["id"], id);
    assert_eq!(house.get("/api/v1/deliveries/msg_none", &[]).await.status, 404);
}

#[tokio::test]
async fn probes_tell_when_polling_is_behind_or_the_database_is_closed() {
    let house = House::new().await;
    assert_eq!(house.get("/readyz", &[]).await.text(), "ready\n");
    assert!(house.progress.quiet_for(Part::Http, house.start + HOUR) < HOUR, "answers count as progress");
    let behind = Readiness::judge(Ok(()), Duration::ZERO, &house.progress, house.start + HOUR);
    assert!(!behind.ready());
    house.store.close().await.unwrap();
    let closed = house.get("/readyz", &[]).await;
    assert_eq!((closed.status, closed.text().contains("database")), (503, true));
    assert_eq!(house.get("/healthz", &[]).await.status, 200, "it lives all the same");
    assert_eq!(house.get("/all.atom", &[]).await.status, 503, "never a feed that is not true");
    assert_eq!(house.get("/metrics", &[]).await.status, 200, "the other numbers are needed most now");
}

#[tokio::test]
async fn metrics_show_the_store_and_count_requests_by_kind() {
    let house = House::new().await;
    house.load(1, 4).await;
    house.get("/all.atom", &[]).await;
    house.get("/no/such/path", &[]).await;
    let text = house.get("/metrics", &[]).await.text();
    for line in [
        "feedmill_items_stored 4",
        "feedmill_deliveries_owed 2",
        "feedmill_feeds{state=\"ok\"} 1",
        "feedmill_http_requests_total{route=\"feed\",status=\"2xx\"} 1",
        "feedmill_http_requests_total{route=\"page\",status=\"4xx\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn older_pages_are_reached_by_their_address_and_are_compressed_too() {
    let house = House::new().await;
    house.load(1, 120).await;
    let list = house.get("/api/v1/items?limit=100", &[]).await;
    let next = list.json()["next"].as_str().unwrap().to_owned();
    let path = format!("/all.json?before={next}");
    let older = house.get(&path, &[]).await;
    assert_eq!(older.status, 200);
    assert_ne!(older.body, house.get("/all.json", &[]).await.body);
    let tag = older.header(ETAG).unwrap().to_owned();
    assert_eq!(house.get(&path, &[(IF_NONE_MATCH, &tag)]).await.status, 304);
    let gzip = house.get("/status", &[(ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(gzip.header(CONTENT_ENCODING), None, "what is made for one request is not worth it");
}

#[tokio::test]
async fn a_message_that_could_be_read_as_two_requests_gets_one_refusal_and_the_end() {
    let house = House::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let limits = listen::Limits { grace: Duration::ZERO, ..listen::Limits::default() };
    tracker.spawn(listen::serve(listener, routes::whole(&house.state), limits, tracker.clone(), stop.clone()));
    let (start, second) = ("POST /api/v1/poll HTTP/1.1\r\nhost: x\r\n", "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    for head in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 6\r\n",
        "host: y\r\n",
        "x\0y: z\r\n",
    ] {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(format!("{start}{head}\r\n0\r\n\r\n{second}").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let ended = tokio::time::timeout(HOUR, client.read_to_end(&mut bytes)).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(ended.is_ok(), "{head:?} leaves the connection open");
        let answers = ["HTTP/1.1 2", "HTTP/1.1 4"].map(|status| text.matches(status).count());
        assert_eq!(answers, [0, 1], "{head:?}: {text}");
    }
    assert!(house.operator.heard().is_empty());
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}
