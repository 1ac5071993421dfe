//! The real identity code and the real store, without HTTP and queries.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use feedmill::domain::decision::{Candidate, Decision, Judge, Known, Survey};
use feedmill::domain::feed::{Dedupe, FeedId, FeedInfo, Habits, NextPoll};
use feedmill::domain::stream::{Match, StreamId};
use feedmill::domain::time::Timestamp;
use feedmill::domain::webhook::{Attempt, Settlement, Verdict, WebhookId};
use feedmill::identity::canonical::Rules;
use feedmill::identity::prepare::{Ways, prepare};
use feedmill::identity::{decide, own};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    AliasSource, CommitReport, FeedSpec, KeepCursor, KeepRules, Learned, Learnt, PollCommit, PollResult, Route, Routes,
    Store, StreamSpec, Subscriptions, Want,
};
use rusqlite::Connection;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tempfile::TempDir;
use url::Url;

use super::world::{Document, FEEDS, PLANET};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The rules, and those of tomorrow: the unknown parameter is known then.
static RULES: LazyLock<[Rules; 2]> =
    LazyLock::new(|| [Rules::default(), Rules::default().for_feed(&[], &["cb".to_owned()])]);

/// A key as the rules of tomorrow make it.
pub(super) fn tomorrow(key: &str) -> String {
    RULES[1].key(key).unwrap_or_else(|| key.to_owned())
}

/// A database with its feeds, the stream of what the planet carries, and two webhooks: on all, and on that stream.
pub(super) struct Bench {
    pub(super) store: Arc<Sqlite>,
    pub(super) db: Connection,
    pub(super) feeds: Vec<FeedId>,
    pub(super) stream: StreamId,
    pub(super) hooks: Vec<WebhookId>,
    pub(super) version: usize,
    routes: Arc<Routes>,
    hash_key: [u8; 16],
    _dir: TempDir,
}

/// What a load did.
pub(super) struct Loaded {
    pub(super) candidates: Vec<Candidate>,
    pub(super) survey: Survey,
    /// From the document, before the survey.
    pub(super) habits: Habits,
    pub(super) before: Habits,
    pub(super) report: CommitReport,
    pub(super) first: bool,
}

struct SimJudge {
    habits: Habits,
    now: Timestamp,
    planet: FeedId,
    stream: StreamId,
    version: usize,
    said: Mutex<Survey>,
}

impl Judge for SimJudge {
    fn survey(&self, known: &[Known], candidates: &[Candidate], newest: Option<Timestamp>) -> Survey {
        let found = decide::survey(&self.habits, known, candidates, newest, self.now);
        *self.said.lock().unwrap() = found.clone();
        found
    }

    fn decide(&self, known: &Known, candidate: &Candidate, survey: &Survey) -> Decision {
        decide::decide(known, candidate, survey)
    }

    fn rule_version(&self) -> i64 {
        i64::try_from(self.version).unwrap() + 1
    }

    fn is_own(&self, info: &FeedInfo, link: &str) -> bool {
        own::is_own(info, link)
    }

    fn rematch(&self, _: &Candidate, feeds: &[FeedId], _: Timestamp) -> Vec<Match> {
        matches(self.stream, feeds.contains(&self.planet))
    }
}

fn matches(stream: StreamId, meets: bool) -> Vec<Match> {
    meets.then_some(Match { stream, term: None }).into_iter().collect()
}

impl Bench {
    pub(super) async fn new(now: Timestamp) -> Self {
        // In memory where it can be: what a crash would leave is not asked here.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let path = dir.path().join("t.db");
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = Arc::new(Sqlite::open(&path, &options).unwrap());
        let feed = |n| FeedSpec {
            name: format!("f{n}").into(),
            url: Url::parse(&format!("https://f{n}.example/rss")).unwrap().into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        };
        let subscriptions = Subscriptions {
            feeds: (0..FEEDS).map(feed).collect(),
            streams: vec![StreamSpec { name: "planet".to_owned(), definition: "planet".to_owned() }],
            webhooks: vec!["all".to_owned(), "planet".to_owned()],
        };
        let registry = store.apply_subscriptions(subscriptions, now).await.unwrap();
        let (stream, hooks) = (registry.streams[0].0, registry.webhooks);
        let route = |webhook| vec![Route { webhook, new: true, updated: true, private: false }];
        let routes = HashMap::from([(None, route(hooks[0])), (Some(stream), route(hooks[1]))]);
        let db = Connection::open(&path).unwrap();
        let hash_key = db.query_row("SELECT value FROM meta WHERE key = 'hash_key'", [], |row| row.get(0)).unwrap();
        Self {
            store,
            db,
            feeds: registry.feeds.iter().map(|(id, _)| *id).collect(),
            stream,
            hooks,
            version: 0,
            routes: Arc::new(routes),
            hash_key,
            _dir: dir,
        }
    }

    /// One load, as the poller does it.
    pub(super) async fn load(&self, feed: usize, home: String, document: &Document, now: Timestamp) -> Loaded {
        let id = self.feeds[feed];
        let lease = self.store.lease_due_feeds(vec![id], now, now.plus(HOUR)).await.unwrap().remove(0);
        let before = lease.state.habits;
        let info = FeedInfo { home_url: Some(home), ..FeedInfo::default() };
        let ways = Ways { rules: &RULES[self.version], id: None, dedupe: Dedupe::Global, habits: &before };
        let entries = document.iter().map(|(entry, _, _)| entry.clone()).collect();
        let texts = document.iter().map(|(_, texts, _)| texts.clone()).collect();
        let prepared = prepare(ways, &info, entries, texts, now);
        let mut candidates: Vec<Candidate> = prepared.candidates.into_iter().map(|(candidate, _)| candidate).collect();
        for candidate in &mut candidates {
            candidate.matches = matches(self.stream, feed == PLANET);
        }
        let judge = Arc::new(SimJudge {
            habits: prepared.habits.clone(),
            now,
            planet: self.feeds[PLANET],
            stream: self.stream,
            version: self.version,
            said: Mutex::default(),
        });
        let first = !lease.state.loaded_once;
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(info),
            candidates: candidates.clone(),
            quiet: first,
            habits: Some(prepared.habits.clone()).filter(|habits| *habits != before),
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let next = NextPoll { due_at: Some(now), ..NextPoll::default() };
        let poll = PollCommit { feed: id, token: lease.token, at: now, result, next, alerts: Arc::default() };
        let asked = Arc::clone(&judge) as Arc<dyn Judge>;
        let report = self.store.commit_poll(poll, asked, Arc::clone(&self.routes)).await.unwrap();
        let survey = judge.said.lock().unwrap().clone();
        Loaded { candidates, survey, habits: prepared.habits, before, report, first }
    }

    /// The item that an entry of a feed stands for.
    pub(super) fn item(&self, feed: usize, entry_id: &str) -> Option<i64> {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        hasher.write(entry_id.as_bytes());
        let hash = hasher.finish128().as_bytes();
        let sql = "SELECT item_id FROM sighting WHERE feed_id = ?1 AND entry_hash = ?2
                   UNION ALL SELECT item_id FROM past_sighting WHERE feed_id = ?1 AND entry_hash = ?2";
        let mut read = self.db.prepare_cached(sql).unwrap();
        read.query_row((self.feeds[feed].0, hash), |row| row.get(0)).ok()
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.db.prepare_cached(sql).unwrap().query_row([], |row| row.get(0)).unwrap()
    }

    pub(super) fn rows(&self, sql: &str) -> Vec<(i64, i64, i64)> {
        let mut read = self.db.prepare_cached(sql).unwrap();
        let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Calls are made, and days of retention go by.
    pub(super) async fn keep(&self, from: Timestamp, days: u32) {
        for hook in &self.hooks {
            let wants = vec![Want { webhook: *hook, most: 10_000, strict: false }];
            for call in self.store.lease_deliveries(wants, from, from.plus(HOUR)).await.unwrap().deliveries {
                let attempt = Attempt { at: from, ..Attempt::default() };
                let verdict = Verdict::Succeeded;
                let done = Settlement::new(call.id, call.token, attempt, verdict);
                assert!(self.store.settle_delivery(done).await.unwrap().is_some());
            }
        }
        for day in 0..=days {
            let rules = KeepRules { now: from.plus(DAY * day), keep: Some(DAY * 3), ..KeepRules::default() };
            let (rules, mut at) = (Arc::new(rules), KeepCursor::default());
            while let Some(next) = self.store.keep(Arc::clone(&rules), at).await.unwrap().next {
                at = next;
            }
        }
    }

    /// Keys are made anew by the rules of tomorrow.
    pub(super) async fn rekey(&mut self, now: Timestamp) {
        self.version = 1;
        loop {
            let maker = Arc::new(|_: FeedId, key: &str| RULES[1].key(key));
            if self.store.rekey(maker, 2, 20, now).await.unwrap().done {
                return;
            }
        }
    }

    pub(super) fn key(&self, url: &str) -> Option<String> {
        RULES[self.version].key(url)
    }

    pub(super) async fn learn(&self, from: String, to: String, now: Timestamp) -> Learned {
        let learnt = vec![Learnt { from, to, source: AliasSource::Redirect }];
        let version = i64::try_from(self.version).unwrap() + 1;
        self.store.learn_aliases(learnt, version, now).await.unwrap().remove(0)
    }
}

impl Bench {
    /// The item that an item was merged into, or itself.
    pub(super) fn resolve(&self, item: i64) -> i64 {
        let mut read = self.db.prepare_cached("SELECT coalesce(merged_into, id) FROM item WHERE id = ?1").unwrap();
        read.query_row([item], |row| row.get(0)).unwrap_or(item)
    }

    /// Whether more than hashes are left of it.
    pub(super) fn is_item(&self, item: i64) -> bool {
        self.db.prepare_cached("SELECT 1 FROM item WHERE id = ?1").unwrap().exists([item]).unwrap()
    }

    pub(super) fn is_shown(&self, item: i64) -> bool {
        self.db.prepare_cached("SELECT 1 FROM item WHERE id = ?1 AND state = 0").unwrap().exists([item]).unwrap()
    }

    /// How often a webhook was, or is to be, called about an item as a new one.
    pub(super) fn calls(&self, item: i64, hook: usize) -> i64 {
        let sql = "SELECT count(*) FROM delivery d JOIN delivery_event x ON x.delivery_id = d.id
                   JOIN event e ON e.id = x.event_id WHERE e.kind = 'item.new' AND e.item_id = ?1 AND d.webhook_id = ?2";
        let mut read = self.db.prepare_cached(sql).unwrap();
        read.query_row([item, self.hooks[hook].0], |row| row.get(0)).unwrap()
    }
}
