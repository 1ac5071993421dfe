//! Filling streams that are new or have changed from what is stored, behind everything else and without calling
//! anybody. All of them in one pass: reading what is stored is most of it.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::translate;
use crate::config::Settings;
use crate::domain::item::{Item, ItemId};
use crate::domain::stream::StreamId;
use crate::poll::Plan;
use crate::publish::meet::met;
use crate::publish::published::Published;
use crate::query::compile::Index;
use crate::query::syntax::Query;
use crate::store::{PageRequest, Registry, Store, StoreError};

/// Items that are read and written at a time: small, so that polls and readers hardly notice.
const BATCH: u32 = 200;
/// How often it is said how far it has come.
const TELL: Duration = Duration::from_secs(5);

/// Those who enter each stream, in the order of the streams.
type Members = Vec<(StreamId, Vec<ItemId>)>;

/// The fill that goes on, and its end.
#[derive(Default)]
pub(super) struct Filling {
    on: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    far: Arc<Mutex<Option<Far>>>,
    /// Plans under which something may still be committed.
    plans: Mutex<Vec<Weak<Plan>>>,
}

/// How far a fill has come.
#[derive(Clone, Copy)]
struct Far {
    streams: usize,
    looked: u64,
    of: u64,
}

impl Filling {
    /// Fills what a new configuration wants. `before` is the plan of the one before.
    pub(super) fn begin(
        &self,
        wanted: Option<Fill>,
        before: Weak<Plan>,
        store: Arc<dyn Store>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        let plans = {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            plans.push(before);
            plans.retain(|plan| plan.strong_count() > 0);
            plans.clone()
        };
        let Some(fill) = wanted else { return };
        let stop = stop.child_token();
        let (own, far) = (stop.clone(), Arc::clone(&self.far));
        let task = tasks.spawn(async move {
            // What is committed under a plan before enters streams by its queries, and none that it does not know.
            while plans.iter().any(|plan| plan.strong_count() > 0) && !own.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            fill.run(store.as_ref(), &own, &far).await;
            *far.lock().unwrap_or_else(PoisonError::into_inner) = None;
        });
        *self.on.lock().unwrap_or_else(PoisonError::into_inner) = Some((stop, task));
    }

    /// Ends the one that goes on, before the store hears of other queries: it knows those of now, and what it left undone is
    /// wanted again.
    pub(super) async fn end(&self) {
        let on = self.on.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, task)) = on {
            stop.cancel();
            let _ = task.await;
        }
    }

    /// How far it has come, while it goes on: some words.
    pub(super) fn words(&self) -> Option<String> {
        let Far { streams, looked, of } = (*self.far.lock().unwrap_or_else(PoisonError::into_inner))?;
        let percent = looked.min(of) * 100 / of.max(1);
        Some(format!("filling {streams} {} ({percent} %)", if streams == 1 { "stream" } else { "streams" }))
    }
}

/// Streams that are to be filled.
pub(super) struct Fill {
    streams: Vec<(StreamId, String)>,
    /// Of each stream.
    queries: Vec<Query>,
    /// Whose tags `tag:` looks at.
    published: Arc<Published>,
}

/// The streams that are to be filled, if there are any.
pub(super) fn wanted(settings: &Settings, registry: &Registry, published: &Arc<Published>) -> Option<Fill> {
    let streams = translate::streams(settings, registry).filter(|(_, _, fill)| *fill);
    let (streams, queries): (Vec<_>, Vec<_>) =
        streams.map(|(stream, id, _)| ((id, stream.name.to_string()), stream.query.clone())).unzip();
    (!streams.is_empty()).then(|| Fill { streams, queries, published: Arc::clone(published) })
}

impl Fill {
    /// The streams' names.
    pub(super) fn names(&self) -> Vec<String> {
        self.streams.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Fills them. What is interrupted is begun anew at the next start or reload; what is in them stays meanwhile.
    async fn run(self, store: &dyn Store, stop: &CancellationToken, far: &Mutex<Option<Far>>) {
        match self.fill(store, stop, far).await {
            Ok(Some(counts)) => {
                for ((_, name), items) in self.streams.iter().zip(counts) {
                    tracing::info!(stream.name = %name, items, "stream filled from what is stored");
                }
            }
            Ok(None) => {}
            Err(e) => tracing::error!(error = %e, "streams could not be filled; a reload or a restart tries again"),
        }
    }

    /// How many entered each; `None`: it was interrupted.
    async fn fill(
        &self,
        store: &dyn Store,
        stop: &CancellationToken,
        far: &Mutex<Option<Far>>,
    ) -> Result<Option<Vec<usize>>, StoreError> {
        let queries = self.queries.clone();
        let index = Arc::new(aside(move || Index::new(&queries)).await?);
        let mut counts = vec![0; self.streams.len()];
        // A stream of millions, taken out at once, would hold up whoever else writes.
        while !stop.is_cancelled() && store.empty_streams(self.streams.iter().map(|(id, _)| *id).collect()).await? {}
        let mut before = None;
        let (mut looked, mut told) = (0, Instant::now());
        let of = store.count_since(None).await?;
        while !stop.is_cancelled() {
            let page = store.stream_page(PageRequest { stream: None, limit: BATCH, before }).await?;
            looked += u64::try_from(page.items.len()).unwrap_or(0);
            *far.lock().unwrap_or_else(PoisonError::into_inner) = Some(Far { streams: counts.len(), looked, of });
            let (index, published) = (Arc::clone(&index), Arc::clone(&self.published));
            let mut members: Members = self.streams.iter().map(|(id, _)| (*id, Vec::new())).collect();
            let members = aside(move || {
                enter(&page.items, &index, &published, &mut members);
                members
            })
            .await?;
            for (count, (_, items)) in counts.iter_mut().zip(&members) {
                *count += items.len();
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                tracing::info!(
                    streams = counts.len(),
                    looked,
                    of,
                    items = counts.iter().sum::<usize>(),
                    "streams are being filled"
                );
            }
            before = page.next;
            let done = before.is_none();
            let mut members = members;
            members.retain(|(_, items)| done || !items.is_empty());
            if !members.is_empty() {
                store.fill_streams(members, done).await?;
            }
            if done {
                return Ok(Some(counts));
            }
        }
        Ok(None)
    }
}

fn enter(items: &[Item], index: &Index, published: &Published, members: &mut Members) {
    for item in items {
        for query in met(item, index, published) {
            let members = members.get_mut(query);
            members.into_iter().for_each(|(_, ids)| ids.push(item.id));
        }
    }
}

/// Work that would hold up others, on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Failed(e.to_string()))
}
