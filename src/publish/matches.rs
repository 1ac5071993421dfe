//! A query tried on what is stored before it goes live: which items, which words, how many a day; or one story, and why
//! it is met or not. Without HTTP, so that the command line can print what the API answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::items::{passages, read_query, shape};
use super::lists::ListError;
use super::meet::explain;
use super::published::Published;
use super::search::{Hunt, Place, aside};
use super::{trace, views};
use crate::domain::item::Item;
use crate::domain::shape::ItemShape;
use crate::domain::stream::TermHit;
use crate::domain::time::Timestamp;
use crate::domain::trace::UnkeptShape;
use crate::query::explain::Verdict;
use crate::query::syntax::Query;
use crate::store::Store;

/// Items that are shown where nothing is asked.
pub const SAMPLES: u32 = 20;
/// How long it may take before it gives what it has.
const BUDGET: Duration = Duration::from_secs(20);
/// Items that are looked at in one go.
const STRIDE: usize = 1000;
/// Words that are told.
const WORDS: usize = 20;

/// What is tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Params {
    /// The query.
    pub query: String,
    /// Only on items with an effective date from then on; `None`: on all.
    pub since: Option<Timestamp>,
    /// At most so many items are shown, the newest.
    pub samples: u32,
}

/// What a query would have met.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MatchList {
    /// The query.
    pub query: String,
    /// Since when; absent: in all that is stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// How many items it met.
    pub matched: u64,
    /// Of how many.
    pub scanned: u64,
    /// How many on each day that had any, the oldest first.
    pub per_day: Vec<DayShape>,
    /// Which words met it, the most frequent first.
    pub words: Vec<WordShape>,
    /// The newest of them.
    pub items: Vec<MatchedShape>,
    /// Only the latest was looked at: older items are missing.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub partial: bool,
}

/// A day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DayShape {
    /// In UTC.
    pub day: String,
    /// How many items were met.
    pub matched: u64,
}

/// A word, or words, as they stand in items.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WordShape {
    /// The term of the query that they met.
    pub term: String,
    /// As they stand.
    pub text: String,
    /// In how many items.
    pub items: u64,
}

/// An item, and where it met the query.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MatchedShape {
    /// The item.
    pub item: ItemShape,
    /// The places.
    pub matches: Vec<TermHit>,
}

/// One story, and whether it meets a query.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TriedShape {
    /// The query.
    pub query: String,
    /// Whether it does.
    pub matched: bool,
    /// The item.
    pub item: ItemShape,
    /// If so, where: none for a query without a positive part.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub matches: Vec<TermHit>,
    /// If not, the clause that failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<FailedShape>,
}

/// A clause of a query that failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailedShape {
    /// As it is written.
    pub clause: String,
    /// Where it stands in the query, in bytes, from and to.
    pub at: [usize; 2],
}

/// What there is to say about a story that somebody has in hand.
pub enum Tried {
    /// It is kept.
    Story(Box<TriedShape>),
    /// It is not.
    Unkept(Box<UnkeptShape>),
}

/// Tries a query on what is stored, newest first. `now`: what ages are reckoned to.
///
/// # Errors
/// The query cannot be read, or the store failed.
pub async fn list(
    store: &dyn Store,
    published: &Arc<Published>,
    params: &Params,
    now: Timestamp,
) -> Result<MatchList, ListError> {
    let query = read_query(Some(&params.query))?.unwrap_or_else(Query::everything);
    let until = Instant::now() + BUDGET;
    let hunt = Hunt { store, published, query: &query, stream: None, since: params.since, limit: STRIDE, now, until };
    let samples = usize::try_from(params.samples).unwrap_or(usize::MAX);
    let (mut tally, mut sampled, mut from) = (Tally::default(), Vec::new(), None);
    let partial = loop {
        let caught = hunt.newest(from).await?;
        let items: Vec<Item> = caught.items.into_iter().map(|(item, _)| item).collect();
        let room = samples.saturating_sub(sampled.len());
        sampled.extend(items.iter().take(room).cloned());
        let (query, published, mut before) = (query.clone(), Arc::clone(published), std::mem::take(&mut tally));
        let counting = move || {
            items.iter().for_each(|item| before.add(item, &passages(item, &query, &published, now)));
            before
        };
        tally = aside(counting).await?;
        // A stretch that ended without a place to go on was the last one.
        let Some(Place::Date(next)) = caught.next else {
            break caught.partial;
        };
        if Instant::now() >= until {
            break true;
        }
        from = Some(next);
    };
    let mut views = views::prepare(store, sampled).await?;
    views.iter_mut().for_each(|view| published.keep_public(&mut view.item.streams));
    let found: Vec<Vec<TermHit>> = views.iter().map(|view| passages(&view.item, &query, published, now)).collect();
    let scanned = store.count_since(params.since).await?;
    let items = views.into_iter().zip(found).map(|(view, matches)| MatchedShape { item: shape(view), matches });
    Ok(MatchList {
        query: params.query.clone(),
        since: params.since,
        matched: tally.matched,
        scanned,
        per_day: tally.days.iter().map(|(day, n)| DayShape { day: day.clone(), matched: *n }).collect(),
        words: tally.words(),
        items: items.collect(),
        partial,
    })
}

/// Tries a query on one story, which is named by its address, its published id or its number.
///
/// # Errors
/// The query cannot be read, or the store failed.
pub async fn of_item(
    store: &dyn Store,
    published: &Arc<Published>,
    query: &str,
    item: &str,
    now: Timestamp,
) -> Result<Tried, ListError> {
    let read = read_query(Some(query))?.unwrap_or_else(Query::everything);
    let told = match trace::explain(store, published, item, now).await? {
        trace::Answer::Story(told) => told,
        trace::Answer::Unkept(unkept) => return Ok(Tried::Unkept(unkept)),
    };
    let (matched, matches, failed) = match explain(&told.view.item, &read, published, now) {
        Verdict::Met(_) => (true, passages(&told.view.item, &read, published, now), None),
        Verdict::Failed { clause, at } => (false, Vec::new(), Some(FailedShape { clause, at: [at.start, at.end] })),
    };
    let tried = TriedShape { query: query.to_owned(), matched, item: shape(told.view), matches, failed };
    Ok(Tried::Story(Box::new(tried)))
}

/// What is counted of items that were met.
#[derive(Default)]
struct Tally {
    matched: u64,
    days: BTreeMap<String, u64>,
    words: HashMap<(String, String), u64>,
}

impl Tally {
    fn add(&mut self, item: &Item, passages: &[TermHit]) {
        self.matched += 1;
        let day = item.effective_at.to_chrono().format("%Y-%m-%d").to_string();
        *self.days.entry(day).or_default() += 1;
        let mut texts: Vec<(String, String)> =
            passages.iter().map(|passage| (passage.term.clone(), passage.text.clone())).collect();
        texts.sort_unstable();
        texts.dedup();
        for text in texts {
            *self.words.entry(text).or_default() += 1;
        }
    }

    fn words(&self) -> Vec<WordShape> {
        let word = |((term, text), items): (&(String, String), &u64)| WordShape {
            term: term.clone(),
            text: text.clone(),
            items: *items,
        };
        let mut words: Vec<WordShape> = self.words.iter().map(word).collect();
        words.sort_unstable_by(|a, b| b.items.cmp(&a.items).then_with(|| (&a.term, &a.text).cmp(&(&b.term, &b.text))));
        words.truncate(WORDS);
        words
    }
}
