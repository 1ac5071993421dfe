//! What retention costs: bytes an item before and after, by table, and how long a write waits while a run goes on.
//!
//! `cargo bench --bench keep`; `KEEP_ITEMS` is how many items there are (100,000).
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feedmill::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, NextPoll};
use feedmill::domain::item::Entry;
use feedmill::domain::stream::Match;
use feedmill::domain::time::Timestamp;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    Anatomy, FeedSpec, KeepCounts, KeepCursor, KeepRules, PollCommit, PollResult, Store, Subscriptions,
};
use url::Url;

const FEEDS: usize = 100;
const LOAD: usize = 50;
const DAY: Duration = Duration::from_secs(86_400);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct AllNew;

impl Judge for AllNew {
    fn decide(&self, _known: &Known, _candidate: &Candidate, _survey: &Survey) -> Decision {
        Decision::New
    }

    fn rematch(&self, _: &Candidate, _feeds: &[FeedId], _: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

fn candidate(n: usize) -> Candidate {
    let key = format!("https://news.example.org/world/2026/03/a-story-of-some-length-about-the-harbour-{n}");
    let guid = format!("https://news.example.org/?p={n}");
    Candidate {
        entry: Entry {
            guid: Some(guid.clone()),
            link: Some(key.clone()),
            title: Some(format!("A story of some length about the harbour, number {n}")),
            content: Some("The harbour was closed on Tuesday. ".repeat(6).chars().take(200).collect()),
            ..Entry::default()
        },
        link: Some(key.clone()),
        key,
        scope: Scope::Global,
        entry_id: guid.clone(),
        native_id: Some(guid),
        fingerprint: Fingerprint { title: 1, text: u32::try_from(n).unwrap_or(0) },
        aliases: Vec::new(),
        by_guid: false,
        wordy: false,
        own: false,
        matches: Vec::new(),
    }
}

async fn fill(store: &dyn Store, items: usize, at: Timestamp) -> Outcome<()> {
    let feed = |n| -> Outcome<FeedSpec> {
        Ok(FeedSpec {
            name: format!("f{n}").into(),
            url: Url::parse(&format!("https://f{n}.example/rss"))?.into(),
            title: None,
            enabled: true,
            own_headers: false,
            private: false,
        })
    };
    let subscriptions =
        Subscriptions { feeds: (0..FEEDS).map(feed).collect::<Outcome<_>>()?, ..Subscriptions::default() };
    let registry = store.apply_subscriptions(subscriptions, at).await?;
    for (load, first) in (0..items).step_by(LOAD).enumerate() {
        let Some((feed, _)) = registry.feeds.get(load % FEEDS) else { continue };
        let lease = store.lease_due_feeds(vec![*feed], at, at.plus(DAY)).await?;
        let Some(lease) = lease.first() else { continue };
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { title: Some("A feed".to_owned()), ..FeedInfo::default() }),
            candidates: (first..items.min(first + LOAD)).map(candidate).collect(),
            quiet: true,
            habits: None,
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let poll = PollCommit {
            feed: *feed,
            token: lease.token,
            at,
            result,
            next: NextPoll::default(),
            alerts: Arc::default(),
        };
        store.commit_poll(poll, Arc::new(AllNew), Arc::new(HashMap::new())).await?;
    }
    Ok(())
}

/// A run, and the longest that a step took.
async fn run(store: &dyn Store, now: Timestamp) -> Outcome<(KeepCounts, Duration)> {
    let rules = Arc::new(KeepRules { now, keep: Some(30 * DAY), ..KeepRules::default() });
    let (mut at, mut done, mut longest) = (KeepCursor::default(), KeepCounts::default(), Duration::ZERO);
    loop {
        let begun = Instant::now();
        let step = store.keep(Arc::clone(&rules), at).await?;
        longest = longest.max(begun.elapsed());
        done += step.done;
        match step.next {
            Some(next) => at = next,
            None => return Ok((done, longest)),
        }
        tokio::time::sleep(begun.elapsed()).await;
    }
}

/// The times that an empty write took, shortest first: it goes through queue, transaction and answer.
async fn probe(store: &dyn Store, stop: &AtomicBool) -> Outcome<Vec<Duration>> {
    let mut waits = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        store.keep_bodies(Vec::new()).await?;
        waits.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    waits.sort();
    Ok(waits)
}

fn show(title: &str, anatomy: &Anatomy) {
    let each = |bytes: u64| bytes / anatomy.items.max(1);
    println!("{title}: {} items, {} past", anatomy.items, anatomy.past);
    for table in anatomy.tables.iter().filter(|table| each(table.size_bytes) > 0) {
        println!("  {:<36} {:>12} bytes {:>6} an item", table.name, table.size_bytes, each(table.size_bytes));
    }
    println!(
        "  identity {} bytes an item, past items {} bytes each; file {} bytes, {} free",
        each(anatomy.identity_bytes),
        anatomy.past_bytes.checked_div(anatomy.past).unwrap_or(0),
        anatomy.size_bytes,
        anatomy.free_bytes
    );
}

async fn all() -> Outcome<()> {
    let items = std::env::var("KEEP_ITEMS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::TempDir::new()?;
    let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
    let store = Arc::new(Sqlite::open(&dir.path().join("bench.db"), &options)?);
    let start = Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").ok_or("no time")?;
    let begun = Instant::now();
    fill(store.as_ref(), items, start).await?;
    println!("stored {items} items in {:?}", begun.elapsed());
    for day in 0..31 {
        run(store.as_ref(), start.plus(DAY * day)).await?;
    }
    show("before", &store.anatomy(10, start).await?);
    let stop = Arc::new(AtomicBool::new(false));
    let (probed, stopped) = (Arc::clone(&store), Arc::clone(&stop));
    let handle = tokio::runtime::Handle::current();
    let probing =
        std::thread::spawn(move || handle.block_on(probe(probed.as_ref(), &stopped)).map_err(|e| e.to_string()));
    let begun = Instant::now();
    let (done, longest) = run(store.as_ref(), start.plus(DAY * 31)).await?;
    println!("one run: {done:?} in {:?}; the longest step, its look included, took {longest:?}", begun.elapsed());
    stop.store(true, Ordering::Relaxed);
    let waits = probing.join().map_err(|_| "the probe broke off")??;
    let at = |share: usize| waits.get((waits.len() * share / 1000).min(waits.len().saturating_sub(1)));
    println!(
        "{} writes in between waited {:?} (half), {:?} (99 %), {:?} (at most)",
        waits.len(),
        at(500),
        at(990),
        at(1000)
    );
    show("after", &store.anatomy(10, start).await?);
    println!("{:#?}", store.feed_sizes(1).await?);
    store.close().await?;
    let file = std::fs::metadata(dir.path().join("bench.db"))?.len();
    println!("the file has {file} bytes");
    Ok(())
}

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(all())
}
