//! Items that meet a query: candidates from the store's full-text index, each one tried by the query itself. Without
//! HTTP and without shapes.
//!
//! One call costs bounded work: it ends when there are enough, when all was looked at, or when its time is over, and
//! then says where to go on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::meet::{meets, words};
use super::published::Published;
use crate::domain::item::{Item, ItemId};
use crate::domain::search::{Narrow, Statistics};
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::query::compile::Index;
use crate::query::syntax::Query;
use crate::store::{Cursor, Found, Order, PageRequest, Raw, Search, Spot, Store, StoreError};

/// Stored items that one call looks at page by page before it gives what it has.
const MAX_SCANNED: usize = 20_000;
/// Items read at a time while a query is tried on a stream's pages.
const CHUNK: u32 = 200;
/// Candidates that are tried at a time: as many as are wanted, within these.
const BITE: std::ops::RangeInclusive<usize> = 8..=64;
/// Candidates that the store gives at a time.
const CANDIDATES: u32 = 1000;

/// One search.
pub(super) struct Hunt<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) published: &'a Arc<Published>,
    pub(super) query: &'a Query,
    /// Only of this stream: its row and its name.
    pub(super) stream: Option<(StreamId, &'a str)>,
    pub(super) since: Option<Timestamp>,
    pub(super) limit: usize,
    /// What ages are reckoned to.
    pub(super) now: Timestamp,
    pub(super) until: Instant,
}

/// What was found, in order; with its score where that is the order.
#[derive(Default)]
pub(super) struct Caught {
    pub(super) items: Vec<(Item, Option<f64>)>,
    pub(super) next: Option<Place>,
    /// The time was over.
    pub(super) partial: bool,
    /// Items that were looked at.
    pub(super) looked: usize,
}

/// A place to go on from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Place {
    Date(Cursor),
    Score(Spot),
}

impl Hunt<'_> {
    /// Newest first, after `from`.
    pub(super) async fn newest(&self, mut from: Option<Cursor>) -> Result<Caught, StoreError> {
        let index = self.index();
        let mut caught = Caught::default();
        loop {
            let found = self.ask(Order::Newest(from)).await?;
            if found.too_many {
                return self.pages(&index, from, caught).await;
            }
            for bite in found.candidates.chunks(self.bite()) {
                if self.is_over() {
                    caught.partial = true;
                    caught.next = from.map(Place::Date);
                    return Ok(caught);
                }
                let ids = bite.iter().map(|candidate| candidate.item).collect();
                let met = self.try_all(&index, ids).await?;
                caught.looked += bite.len();
                caught.items.extend(met.into_iter().map(|item| (item, None)));
                if caught.is_full(self.limit, |item, _| Place::Date(place(item))) {
                    return Ok(caught);
                }
                from = bite.last().map(|last| Cursor { effective_at: last.effective_at, item: last.item });
            }
            if !found.more {
                return Ok(caught);
            }
        }
    }

    /// Best first, after `from`.
    pub(super) async fn best(&self, mut from: Option<Spot>) -> Result<Caught, StoreError> {
        let index = self.index();
        let mut caught = Caught::default();
        let mut tail: Option<Vec<Spot>> = None;
        loop {
            let found = self.ask(Order::Best(from)).await?;
            caught.partial |= found.partial;
            if tail.is_none() {
                tail = Some(self.tail(&index, &found, &mut caught).await?);
            }
            let known: HashSet<ItemId> = tail.iter().flatten().map(|spot| spot.item).collect();
            let mut spots: Vec<Spot> =
                found.candidates.iter().map(|one| Spot { score: one.score, item: one.item }).collect();
            let last = spots.last().copied().filter(|_| found.more);
            let within = |spot: &&Spot| {
                from.is_none_or(|from| behind(spot, &from)) && last.is_none_or(|last| behind(&last, spot))
            };
            spots.extend(tail.iter().flatten().filter(within));
            spots.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(b.item.cmp(&a.item)));
            for bite in spots.chunks(self.bite()) {
                if self.is_over() {
                    caught.partial = true;
                    caught.next = from.map(Place::Score);
                    return Ok(caught);
                }
                let met = self.try_all(&index, bite.iter().map(|spot| spot.item).collect()).await?;
                caught.looked += bite.iter().filter(|spot| !known.contains(&spot.item)).count();
                let score = |item: &Item| bite.iter().find(|spot| spot.item == item.id).map(|spot| spot.score);
                caught
                    .items
                    .extend(met.into_iter().map(|item| (score(&item), item)).map(|(score, item)| (item, score)));
                if caught.is_full(self.limit, |item, score| Place::Score(Spot { score, item: item.id })) {
                    return Ok(caught);
                }
                from = bite.last().copied();
            }
            if !found.more {
                return Ok(caught);
            }
        }
    }

    /// What of the items outside of the index meets the query, with the score that it would have.
    async fn tail(&self, index: &Arc<Index>, found: &Found, caught: &mut Caught) -> Result<Vec<Spot>, StoreError> {
        let phrases: Arc<(Narrow, Statistics)> = Arc::new((self.query.narrow(), found.statistics.clone()));
        let mut spots = Vec::new();
        // Newest first: if the time is over, it is the oldest that are missing.
        for bite in found.tail.rchunks(*BITE.end()) {
            if self.is_over() {
                caught.partial = true;
                break;
            }
            let met = self.try_all(index, bite.to_vec()).await?;
            caught.looked += bite.len();
            let phrases = Arc::clone(&phrases);
            let score = move || {
                let (narrow, statistics) = &*phrases;
                let phrases = narrow.phrases();
                let score = |item: Item| {
                    let raw = Raw { title: item.title, summary: item.summary, content: item.content };
                    Spot { score: statistics.score(&phrases, &words(&raw)), item: item.id }
                };
                met.into_iter().map(score).collect::<Vec<_>>()
            };
            spots.extend(aside(score).await?);
        }
        Ok(spots)
    }

    /// Tries a stream's pages from the newest: for queries that the index can say nothing of, or too much.
    async fn pages(
        &self,
        index: &Arc<Index>,
        mut from: Option<Cursor>,
        mut caught: Caught,
    ) -> Result<Caught, StoreError> {
        let stream = self.stream.map(|(row, _)| row);
        let mut scanned = 0;
        loop {
            if scanned >= MAX_SCANNED || self.is_over() {
                caught.partial = true;
                caught.next = from.map(Place::Date);
                return Ok(caught);
            }
            let page = self.store.stream_page(PageRequest { stream, limit: CHUNK, before: from }).await?;
            let (items, ended) = young(self.since, page.items);
            scanned += items.len();
            caught.looked += items.len();
            caught.items.extend(self.sift(index, items).await?.into_iter().map(|item| (item, None)));
            from = page.next.filter(|_| !ended);
            if caught.is_full(self.limit, |item, _| Place::Date(place(item))) || from.is_none() {
                return Ok(caught);
            }
        }
    }

    fn index(&self) -> Arc<Index> {
        Arc::new(Index::new(std::slice::from_ref(self.query)).as_of(self.now))
    }

    fn bite(&self) -> usize {
        (self.limit + 1).clamp(*BITE.start(), *BITE.end())
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn ask(&self, order: Order) -> Result<Found, StoreError> {
        let narrow = self.query.narrow();
        self.store.search(Search { narrow, order, since: self.since, limit: CANDIDATES, until: self.until }).await
    }

    async fn try_all(&self, index: &Arc<Index>, ids: Vec<ItemId>) -> Result<Vec<Item>, StoreError> {
        let mut items = self.store.items(ids).await?;
        items.retain(|item| {
            self.since.is_none_or(|since| item.effective_at >= since)
                && self.stream.is_none_or(|(_, name)| item.streams.iter().any(|own| own == name))
        });
        self.sift(index, items).await
    }

    /// Those that meet the query. Texts of HTML and words of texts: some milliseconds, so not on a thread that serves.
    async fn sift(&self, index: &Arc<Index>, items: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let (index, published) = (Arc::clone(index), Arc::clone(self.published));
        aside(move || items.into_iter().filter(|item| meets(item, &index, &published)).collect()).await
    }
}

impl Caught {
    /// Whether there are more than wanted; then what is beyond goes, and the last one that stays is where to go on.
    fn is_full(&mut self, limit: usize, place: impl Fn(&Item, f64) -> Place) -> bool {
        if self.items.len() <= limit {
            return false;
        }
        self.items.truncate(limit);
        self.next = self.items.last().map(|(item, score)| place(item, score.unwrap_or(0.0)));
        true
    }
}

/// Whether a spot comes after another one.
fn behind(spot: &Spot, other: &Spot) -> bool {
    spot.score.total_cmp(&other.score).then(spot.item.cmp(&other.item)).is_lt()
}

fn place(item: &Item) -> Cursor {
    Cursor { effective_at: item.effective_at, item: item.id }
}

/// The items that are young enough, and whether that was the last of them: dates only fall from here on.
pub(super) fn young(since: Option<Timestamp>, mut items: Vec<Item>) -> (Vec<Item>, bool) {
    let Some(since) = since else { return (items, false) };
    let before = items.len();
    items.retain(|item| item.effective_at >= since);
    let ended = items.len() < before;
    (items, ended)
}

/// Work that takes some milliseconds.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| StoreError::Failed(format!("the search was cut short: {e}")))
}

#[cfg(test)]
mod tests;
