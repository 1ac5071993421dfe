//! What a load of known entries costs as the store grows: deciding and storing 30 of them among few and among many
//! items. The target: at most 1.3 times as long at 10 million as at 100 thousand.
//!
//! `cargo bench --bench known` fills a store to 100 thousand and to 1 million items (200-byte bodies) and prints the
//! median of each kind of load, and the ratio. `FEEDMILL_ITEMS=10000000` goes on to 10 million: some ten minutes and 8 GB
//! under `FEEDMILL_BENCH_DIR` (else the system's folder for temporary files).

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what a bench cannot do ends it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use feedmill::domain::decision::{Candidate, Decision, Judge, Known, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, Habits, NextPoll};
use feedmill::domain::item::Entry;
use feedmill::domain::stream::Match;
use feedmill::domain::time::Timestamp;
use feedmill::identity::canonical::Rules;
use feedmill::identity::decide::{decide, survey};
use feedmill::identity::prepare::{Ways, prepare};
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{FeedSpec, PollCommit, PollResult, Routes, Store, Subscriptions};
use url::Url;

const FEEDS: usize = 1_000;
const LOAD: usize = 30;
const ROUNDS: usize = 400;

/// The real decisions, without queries.
struct Plain;

impl Judge for Plain {
    fn survey(&self, known: &[Known], candidates: &[Candidate], newest: Option<Timestamp>) -> Survey {
        survey(&Habits::default(), known, candidates, newest, now())
    }

    fn decide(&self, known: &Known, candidate: &Candidate, survey: &Survey) -> Decision {
        decide(known, candidate, survey)
    }

    fn rematch(&self, _: &Candidate, _: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

/// Entry `n` of a feed, in edition `edition` of its text.
fn entry(feed: usize, n: usize, edition: usize) -> Entry {
    let words = "the quick brown fox jumps over the lazy dog and goes on its way ";
    Entry {
        guid: Some(format!("https://feed{feed}.example.org/?p={n}")),
        link: Some(format!("https://feed{feed}.example.org/2026/11/some-title-of-a-story-{n}/")),
        title: Some(format!("Some title of a story, number {n} of {feed}")),
        content: Some(format!("{n} {edition} {}", words.repeat(3))),
        published: Some(Timestamp::from_secs(1_700_000_000 + i64::try_from(n).unwrap_or_default())),
        ..Entry::default()
    }
}

struct House {
    store: Sqlite,
    feeds: Vec<FeedId>,
    runtime: tokio::runtime::Runtime,
    /// Items of each feed.
    depth: usize,
}

impl House {
    fn new(folder: &std::path::Path) -> Self {
        let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
        let store = Sqlite::open(&folder.join("known.db"), &options).expect("a store");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let feeds = (0..FEEDS)
            .map(|n| FeedSpec {
                name: format!("feed{n}").into(),
                url: Url::parse(&format!("https://feed{n}.example.org/rss")).expect("an address").into(),
                title: None,
                enabled: true,
                own_headers: false,
                private: false,
            })
            .collect();
        let subscriptions = Subscriptions { feeds, ..Subscriptions::default() };
        let registry = runtime.block_on(store.apply_subscriptions(subscriptions, now())).expect("rows");
        let feeds = registry.feeds.into_iter().map(|(id, _)| id).collect();
        Self { store, feeds, runtime, depth: 0 }
    }

    fn candidates(feed: usize, numbers: std::ops::Range<usize>, edition: usize) -> Vec<Candidate> {
        let entries: Vec<Entry> = numbers.rev().map(|n| entry(feed, n, edition)).collect();
        let texts = entries.iter().map(|entry| (String::new(), entry.content.clone().unwrap_or_default())).collect();
        let (rules, habits) = (Rules::default(), Habits::default());
        let ways = Ways { rules: &rules, id: None, dedupe: Default::default(), habits: &habits };
        prepare(ways, &FeedInfo::default(), entries, texts, now()).candidates.into_iter().map(|(c, _)| c).collect()
    }

    /// Commits one load; how long that took, in seconds.
    fn load(&self, feed: usize, candidates: Vec<Candidate>) -> f64 {
        let id = self.feeds[feed];
        self.runtime.block_on(async {
            let until = now().plus(std::time::Duration::from_secs(60));
            let lease = self.store.lease_due_feeds(vec![id], now(), until).await.expect("a lease").remove(0);
            let poll = PollCommit {
                feed: id,
                token: lease.token,
                at: now(),
                result: PollResult::Loaded {
                    cadence: None,
                    info: Box::default(),
                    candidates,
                    quiet: true,
                    habits: None,
                    validators: None,
                    body_hash: 1,
                    redirect: None,
                },
                next: NextPoll::default(),
                alerts: Arc::default(),
            };
            let begun = Instant::now();
            self.store.commit_poll(poll, Arc::new(Plain), Arc::new(Routes::new())).await.expect("a commit");
            begun.elapsed().as_secs_f64()
        })
    }

    /// Until each feed has `depth` items.
    fn fill(&mut self, depth: usize) {
        const AT_ONCE: usize = 1_000;
        while self.depth < depth {
            let to = (self.depth + AT_ONCE).min(depth);
            for feed in 0..FEEDS {
                self.load(feed, Self::candidates(feed, self.depth..to, 0));
            }
            self.depth = to;
        }
        // A feed shows its newest entries.
        for feed in 0..FEEDS {
            self.load(feed, Self::candidates(feed, depth - LOAD..depth, 0));
        }
    }

    /// The median of loads of the newest entries, in microseconds.
    fn median(&self, edition: usize) -> f64 {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|round| {
                // Far from each other, so that one load does not warm the next one's pages.
                let feed = (round * 379) % FEEDS;
                let to = self.depth;
                self.load(feed, Self::candidates(feed, to - LOAD..to, edition))
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e6
    }
}

fn main() {
    let most: usize = std::env::var("FEEDMILL_ITEMS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let folder = std::env::var_os("FEEDMILL_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::TempDir::new_in(folder).expect("a folder");
    let mut house = House::new(folder.path());
    let (mut first, mut edition) = (None, 0);
    println!("{:>12} {:>14} {:>14} {:>10}", "items", "unchanged µs", "edited µs", "ratio");
    let mut items = 100_000;
    while items <= most {
        house.fill(items / FEEDS);
        let unchanged = house.median(0);
        edition += 1;
        let edited = house.median(edition);
        let (few_unchanged, few_edited) = *first.get_or_insert((unchanged, edited));
        println!(
            "{items:>12} {unchanged:>14.0} {edited:>14.0} {:>10}",
            format!("{:.2} {:.2}", unchanged / few_unchanged, edited / few_edited)
        );
        items *= 10;
    }
}
