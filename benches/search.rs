//! What search costs, and streams: how long the index takes to follow, how long a batch holds the writer, what it takes on the disk,
//! and how long searches take.
//!
//! `cargo bench --bench search`; `SEARCH_ITEMS` is how many items there are (1,000,000). With `SEARCH_ONLY=pages` nothing is
//! searched.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feedmill::config::{self, Environment};
use feedmill::domain::decision::{Candidate, Decision, Fingerprint, Judge, Known, Scope, Survey};
use feedmill::domain::feed::{FeedId, FeedInfo, NextPoll};
use feedmill::domain::item::Entry;
use feedmill::domain::stream::{Match, StreamId};
use feedmill::domain::time::Timestamp;
use feedmill::publish::items::{self, Params, Sorting};
use feedmill::publish::meet::words;
use feedmill::publish::published::Edition;
use feedmill::store::sqlite::{Access, Options, Sqlite};
use feedmill::store::{
    FeedSpec, PageRequest, PollCommit, PollResult, Registry, Store, StreamSpec, Subscriptions, Worded,
};
use url::Url;

const FEEDS: usize = 100;
const LOAD: usize = 50;
/// Where pages are measured for the first time.
const FEW: usize = 10_000;
/// Words of a story, and of the language. The word of rank k stands in about 5.5/k of the stories.
const WORDS: usize = 60;
const VOCABULARY: f64 = 50_000.0;
/// From this rank on a word stands in at most 1 % of the stories.
const RARE: usize = 560;
const ASKED: usize = 200;
const DAY: Duration = Duration::from_secs(86_400);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct AllNew;

impl Judge for AllNew {
    fn decide(&self, _known: &Known, _candidate: &Candidate, _survey: &Survey) -> Decision {
        Decision::New
    }

    fn rematch(&self, _: &Candidate, _feeds: &[FeedId], _date: Timestamp) -> Vec<Match> {
        Vec::new()
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % most
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is small"
    )]
    fn rank(&mut self) -> usize {
        let share = self.below(1 << 40) as f64 / (1_u64 << 40) as f64;
        VOCABULARY.powf(share) as usize
    }
}

/// The word of a rank: syllables, so that words share beginnings as those of a language do.
fn word(rank: usize) -> String {
    const FIRST: [&str; 20] = [
        "ka", "re", "mo", "ti", "sel", "dan", "por", "un", "vi", "ge", "lor", "ma", "ne", "sta", "bri", "co", "fa",
        "hu", "jo", "pe",
    ];
    const LAST: [&str; 5] = ["n", "r", "s", "", "l"];
    let mut word = String::new();
    let mut rest = rank.wrapping_mul(2_654_435_761) % 50_021;
    for _ in 0..3 {
        word.push_str(FIRST.get(rest % 20).copied().unwrap_or_default());
        rest /= 20;
    }
    word.push_str(LAST.get(rest % 5).copied().unwrap_or_default());
    word.push_str(LAST.get(rank % 5).copied().unwrap_or_default());
    word
}

fn text(dice: &mut Dice, words: usize) -> String {
    (0..words).map(|_| word(dice.rank())).collect::<Vec<_>>().join(" ")
}

fn candidate(n: usize, dice: &mut Dice) -> Candidate {
    let key = format!("https://news.example.org/world/2026/03/{n}");
    Candidate {
        entry: Entry {
            guid: Some(key.clone()),
            link: Some(key.clone()),
            title: Some(text(dice, 8)),
            content: Some(format!("<p>{}</p>", text(dice, WORDS - 8))),
            published: Some(Timestamp::from_ms(1_700_000_000_000 + i64::try_from(n).unwrap_or(0) * 30_000)),
            ..Entry::default()
        },
        link: Some(key.clone()),
        key: key.clone(),
        scope: Scope::Global,
        entry_id: key.clone(),
        native_id: Some(key),
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
    let streams = vec![StreamSpec { name: "tenth".to_owned(), definition: "every tenth story".to_owned() }];
    let subscriptions =
        Subscriptions { feeds: (0..FEEDS).map(feed).collect::<Outcome<_>>()?, streams, ..Subscriptions::default() };
    let registry = store.apply_subscriptions(subscriptions, at).await?;
    let stream = registry.streams.first().map(|(stream, _)| *stream);
    let mut dice = Dice(0x5eed_2026);
    for (load, first) in (0..items).step_by(LOAD).enumerate() {
        if first == FEW {
            pages(&*store.public(), stream, first).await?;
        }
        let Some((feed, _)) = registry.feeds.get(load % FEEDS) else { continue };
        let lease = store.lease_due_feeds(vec![*feed], at, at.plus(DAY)).await?;
        let Some(lease) = lease.first() else { continue };
        let result = PollResult::Loaded {
            cadence: None,
            info: Box::new(FeedInfo { title: Some("A feed".to_owned()), ..FeedInfo::default() }),
            candidates: (first..items.min(first + LOAD))
                .map(|n| {
                    let matches = stream.filter(|_| n % 10 == 0).map(|stream| Match { stream, term: None });
                    Candidate { matches: matches.into_iter().collect(), ..candidate(n, &mut dice) }
                })
                .collect(),
            quiet: true,
            habits: None,
            validators: None,
            body_hash: 1,
            redirect: None,
        };
        let next = NextPoll::default();
        let poll = PollCommit { feed: *feed, token: lease.token, at, result, next, alerts: Arc::default() };
        store.commit_poll(poll, Arc::new(AllNew), Arc::new(HashMap::new())).await?;
    }
    pages(&*store.public(), stream, items).await
}

/// How long the newest page of a stream takes, and of everything, with so many items stored, as anybody may see it.
async fn pages(store: &dyn Store, stream: Option<StreamId>, items: usize) -> Outcome<()> {
    for (name, stream) in [("a stream", stream), ("all", None)] {
        for (kind, per_feed) in [("", None), (", 3 of each feed", Some(3))] {
            let mut times = Vec::new();
            for _ in 0..ASKED {
                let request = PageRequest { stream, limit: 100, before: None };
                let begun = Instant::now();
                match per_feed {
                    None => store.stream_page(request).await?,
                    Some(most) => store.shared_page(request, most).await?,
                };
                times.push(begun.elapsed());
            }
            println!("{items} items: the page of {name}{kind}: {}", spread(&mut times));
        }
    }
    Ok(())
}

/// Has the index follow, as the daemon does when it is idle, but without its pauses.
async fn follow(store: &dyn Store) -> Outcome<()> {
    let (begun, mut holds) = (Instant::now(), Vec::new());
    loop {
        let backlog = store.unindexed(256).await?;
        if backlog.is_done() {
            break;
        }
        let worded = backlog.items.iter().map(|(item, raw)| Worded { item: *item, texts: raw.as_ref().map(words) });
        let worded = worded.collect();
        let step = Instant::now();
        store.index(worded, backlog.from, backlog.to).await?;
        holds.push(step.elapsed());
    }
    println!("the index followed in {:?}; a batch held the writer: {}", begun.elapsed(), spread(&mut holds));
    Ok(())
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let at = |share: usize| at(share).map(|time| format!("{time:.1?}")).unwrap_or_default();
    format!("{} (half), {} (95 %), {} (99 %), {} (at most)", at(50), at(95), at(99), at(100))
}

async fn ask(store: &dyn Store, edition: &Edition, kind: &str, queries: &[String]) -> Outcome<()> {
    for (name, sorting) in [("best", Sorting::Best), ("newest", Sorting::Newest)] {
        let (mut times, mut found, mut partial) = (Vec::new(), 0, 0);
        for query in queries {
            let params = Params { query: Some(query.clone()), sorting, limit: 20, ..Params::default() };
            let begun = Instant::now();
            let list = items::list(store, edition, &params, Timestamp::default()).await?;
            times.push(begun.elapsed());
            found += list.items.len();
            partial += usize::from(list.partial);
        }
        let each = found / queries.len().max(1);
        println!("{kind:<28} {name:<7} {} · {each} found each, {partial} not whole", spread(&mut times));
    }
    Ok(())
}

async fn questions(store: &dyn Store, edition: &Edition) -> Outcome<()> {
    let mut dice = Dice(7);
    let rare = |dice: &mut Dice| word(RARE + dice.below(1000));
    let two: Vec<String> = (0..ASKED).map(|_| format!("{} {}", rare(&mut dice), rare(&mut dice))).collect();
    ask(store, edition, "two words, ≤ 1 % each", &two).await?;
    let begin: Vec<String> =
        (0..ASKED).map(|_| format!("{}*", rare(&mut dice).chars().take(5).collect::<String>())).collect();
    ask(store, edition, "a beginning of five letters", &begin).await?;
    let begin: Vec<String> =
        begin.iter().map(|text| format!("{}*", text.chars().take(3).collect::<String>())).collect();
    ask(store, edition, "a beginning of three letters", &begin).await?;
    // Neighbours in stories; none of the fifty most frequent words, which stand in every tenth story or more.
    let page = store.stream_page(PageRequest { stream: None, limit: 1000, before: None }).await?;
    let common: Vec<String> = (1..=56).map(word).collect();
    let mut phrases = Vec::new();
    for item in page.items {
        let title = item.title.unwrap_or_default();
        let words: Vec<&str> = title.split(' ').collect();
        let pair = words.windows(2).find(|pair| !pair.iter().any(|word| common.iter().any(|c| c == word)));
        phrases.extend(pair.map(|pair| format!("\"{}\"", pair.join(" "))));
    }
    phrases.truncate(ASKED);
    ask(store, edition, "a phrase", &phrases).await?;
    let frequent: Vec<String> = (0..20).map(|n| format!("{} {}", word(1 + n), word(5 + n))).collect();
    ask(store, edition, "two of the commonest words", &frequent).await
}

async fn all() -> Outcome<()> {
    let count = std::env::var("SEARCH_ITEMS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::TempDir::new()?;
    let file = dir.path().join("bench.db");
    let options = Options { access: Access::Own, check: false, tagging: "example.org,2026-01-01".to_owned() };
    let store = Arc::new(Sqlite::open(&file, &options)?);
    let start = Timestamp::parse_rfc3339("2026-03-01T12:00:00Z").ok_or("no time")?;
    let begun = Instant::now();
    fill(store.as_ref(), count, start).await?;
    println!("stored {count} items in {:?}", begun.elapsed());
    if std::env::var("SEARCH_ONLY").is_ok_and(|only| only == "pages") {
        return Ok(());
    }
    let before = store.anatomy(1, start).await?.size_bytes;
    follow(store.as_ref()).await?;
    let anatomy = store.anatomy(1, start).await?;
    let index: u64 =
        anatomy.tables.iter().filter(|table| table.name.starts_with("item_fts")).map(|table| table.size_bytes).sum();
    println!("database {before} bytes without the index, {} with it; the index {index}", anatomy.size_bytes);
    let config = dir.path().join("feedmill.toml");
    std::fs::write(&config, "[server]\npublic_url = \"http://localhost/\"\n")?;
    let settings = config::load(&config, &Environment::default()).map_err(|e| e.to_string())?;
    let published = feedmill::app::published(&settings, &Registry::default(), start);
    questions(store.as_ref(), &Edition { number: 1, published: Arc::new(published) }).await?;
    store.close().await?;
    // With it goes the lock.
    drop(store);
    let begun = Instant::now();
    drop(Sqlite::open(&file, &Options { check: true, ..options })?);
    println!("the check at the start took {:?}", begun.elapsed());
    Ok(())
}

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(all())
}
