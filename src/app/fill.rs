//! Filling streams that are new or have changed from what is stored, behind everything else and without calling
//! anybody. All of them in one pass: reading what is stored is most of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::translate;
use crate::config::Settings;
use crate::domain::item::Item;
use crate::domain::stream::StreamId;
use crate::domain::time::Clock;
use crate::poll::Plan;
use crate::publish::meet::met;
use crate::publish::published::Published;
use crate::publish::serve::control::FillReport;
use crate::query::compile::Index;
use crate::query::syntax::Query;
use crate::store::{Fill, PageRequest, Registry, Store, StoreError};

/// Items that are read and written at a time: small, so that polls and readers hardly notice.
const BATCH: u32 = 200;
/// How often it is said how far it has come.
const TELL: Duration = Duration::from_secs(5);

/// The fill that goes on, and its end.
#[derive(Default)]
pub(super) struct Filling {
    on: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    far: Arc<Mutex<FillReport>>,
    /// Plans under which something may still be committed.
    plans: Mutex<Vec<Weak<Plan>>>,
}

impl Filling {
    /// Fills what a new configuration wants. `before` is the plan of the one before.
    pub(super) fn begin(
        &self,
        wanted: Option<Wanted>,
        before: Weak<Plan>,
        (store, clock): (Arc<dyn Store>, Arc<dyn Clock>),
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
        *far.lock().unwrap_or_else(PoisonError::into_inner) =
            FillReport { streams: fill.streams.len(), ..FillReport::default() };
        let task = tasks.spawn(async move {
            // What is committed under a plan before enters streams by its queries, and none that it does not know.
            while plans.iter().any(|plan| plan.strong_count() > 0) && !own.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            fill.run(store.as_ref(), clock.as_ref(), &own, &far).await;
            *far.lock().unwrap_or_else(PoisonError::into_inner) = FillReport::default();
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

    /// How far it has come.
    pub(super) fn far(&self) -> FillReport {
        *self.far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same in some words, while it goes on.
    pub(super) fn words(&self) -> Option<String> {
        let FillReport { streams, looked, of } = self.far();
        if streams == 0 {
            return None;
        }
        let percent = looked * 100 / of.max(1);
        Some(format!("filling {streams} {} ({percent} %)", if streams == 1 { "stream" } else { "streams" }))
    }
}

/// Streams that are to be filled.
pub(super) struct Wanted {
    streams: Vec<(StreamId, String)>,
    /// Of each stream.
    queries: Vec<Query>,
    /// Of each stream by its name, in this list.
    places: Arc<HashMap<String, usize>>,
    /// Whose tags `tag:` looks at.
    published: Arc<Published>,
}

/// The streams that are to be filled, if there are any.
pub(super) fn wanted(settings: &Settings, registry: &Registry, published: &Arc<Published>) -> Option<Wanted> {
    let streams = translate::streams(settings, registry).filter(|(_, _, fill)| *fill);
    let (streams, queries): (Vec<_>, Vec<_>) =
        streams.map(|(stream, id, _)| ((id, stream.name.to_string()), stream.query.clone())).unzip();
    let places = Arc::new(streams.iter().enumerate().map(|(place, (_, name))| (name.clone(), place)).collect());
    (!streams.is_empty()).then(|| Wanted { streams, queries, places, published: Arc::clone(published) })
}

impl Wanted {
    fn parts(&self, upto: &[i64]) -> Vec<Fill> {
        let part = |((stream, _), upto): (&(StreamId, _), &i64)| Fill {
            stream: *stream,
            enter: Vec::new(),
            leave: Vec::new(),
            upto: *upto,
        };
        self.streams.iter().zip(upto).map(part).collect()
    }

    /// The streams' names.
    pub(super) fn names(&self) -> Vec<String> {
        self.streams.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Fills them: what belongs there enters, what another query found leaves, and what is there already keeps its place.
    /// What is interrupted is begun anew at the next start or reload.
    async fn run(self, store: &dyn Store, clock: &dyn Clock, stop: &CancellationToken, far: &Mutex<FillReport>) {
        match self.fill(store, clock, stop, far).await {
            Ok(Some(counts)) => {
                for ((_, name), items) in self.streams.iter().zip(counts) {
                    tracing::info!(stream.name = %name, items, "stream filled from what is stored");
                }
            }
            Ok(None) => {}
            Err(e) => tracing::error!(error = %e, "streams could not be filled; a reload or a restart tries again"),
        }
    }

    /// How many are in each; `None`: it was interrupted.
    async fn fill(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        stop: &CancellationToken,
        far: &Mutex<FillReport>,
    ) -> Result<Option<Vec<usize>>, StoreError> {
        let queries = self.queries.clone();
        let index = Arc::new(aside(move || Index::new(&queries)).await?);
        let upto = store.last_seqs(self.streams.iter().map(|(id, _)| *id).collect()).await?;
        let mut counts = vec![0; upto.len()];
        let mut before = None;
        let (mut looked, mut told) = (0, Instant::now());
        let of = store.count_since(None).await?;
        while !stop.is_cancelled() {
            let page = store.stream_page(PageRequest { stream: None, limit: BATCH, before }).await?;
            looked += u64::try_from(page.items.len()).unwrap_or(0);
            *far.lock().unwrap_or_else(PoisonError::into_inner) =
                FillReport { streams: counts.len(), looked: looked.min(of), of };
            let (index, published) = (Arc::clone(&index), Arc::clone(&self.published));
            let mut parts = self.parts(&upto);
            let places = Arc::clone(&self.places);
            let held = move || {
                hold(&page.items, (&index, &published, &places), &mut parts, &mut counts);
                (parts, counts)
            };
            (parts, counts) = aside(held).await?;
            before = page.next;
            let done = before.is_none();
            if told.elapsed() >= TELL {
                told = Instant::now();
                let items = counts.iter().sum::<usize>();
                tracing::info!(streams = counts.len(), looked, of, items, "streams are being filled");
            }
            parts.retain(|part| done || !part.enter.is_empty() || !part.leave.is_empty());
            if !parts.is_empty() {
                store.fill_streams(parts, done, clock.now()).await?;
            }
            if done {
                return Ok(Some(counts));
            }
        }
        Ok(None)
    }
}

/// Which of these items enter and leave the streams, and how many belong there.
fn hold(
    items: &[Item],
    (index, published, places): (&Index, &Published, &HashMap<String, usize>),
    parts: &mut [Fill],
    counts: &mut [usize],
) {
    for item in items {
        let was: Vec<usize> = item.streams.iter().filter_map(|name| places.get(name).copied()).collect();
        let met = met(item, index, published);
        for place in &met {
            counts.get_mut(*place).into_iter().for_each(|count| *count += 1);
        }
        for place in met.iter().filter(|place| !was.contains(place)) {
            parts.get_mut(*place).into_iter().for_each(|part| part.enter.push(item.id));
        }
        for place in was.iter().filter(|place| !met.contains(place)) {
            parts.get_mut(*place).into_iter().for_each(|part| part.leave.push(item.id));
        }
    }
}

/// Work that would hold up others, on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Failed(e.to_string()))
}
