//! The full-text index follows what is stored: in batches, while the daemon is idle, behind everything else. A search
//! looks at what is not in it yet by itself, so nothing hangs on how far it has come but time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::House;
use crate::publish::meet::words;
use crate::store::{Backlog, Mark, Store, StoreError, Worded};

/// Items of a batch at the most.
const BATCH: u32 = 256;
/// Nothing is stored for so long: it is idle.
const QUIET: Duration = Duration::from_secs(2);
/// Whatever is stored, the index follows after so long.
const LONGEST: Duration = Duration::from_secs(60);
/// Some changes come without a poll: they are looked for so often.
const EVERY: Duration = Duration::from_secs(600);
/// The least pause between two batches. A longer batch is followed by a pause of its own length; while polls store
/// something, by one four times as long.
const PAUSE: Duration = Duration::from_millis(5);
/// A run of so many items is spoken of.
const MANY: usize = 1000;

/// Says that something was stored.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicU64,
    heard: Notify,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        self.heard.notify_one();
    }

    fn count(&self) -> u64 {
        self.rung.load(Ordering::Relaxed)
    }
}

/// Until the stop.
pub(super) async fn run(house: Arc<House>) {
    let (bell, stop) = (&house.bell, &house.stop);
    loop {
        settle(bell, stop).await;
        if stop.is_cancelled() {
            return;
        }
        match follow(house.store.as_ref(), bell, stop).await {
            Ok(items) if items >= MANY => tracing::info!(items, "the search index has caught up"),
            Ok(_) => {}
            Err(e) => tracing::error!(error = %e, "the search index could not follow; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = bell.heard.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Waits until it is idle.
async fn settle(bell: &Bell, stop: &CancellationToken) {
    let begun = Instant::now();
    loop {
        let before = bell.count();
        if paused(stop, QUIET).await || bell.count() == before || begun.elapsed() >= LONGEST {
            return;
        }
    }
}

async fn paused(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(time) => false,
    }
}

/// Takes everything up; gives how many items that were.
async fn follow(store: &dyn Store, bell: &Bell, stop: &CancellationToken) -> Result<usize, StoreError> {
    let mut items = 0;
    loop {
        let (begun, rung) = (Instant::now(), bell.count());
        let taken = step(store).await?;
        let Some(taken) = taken else { return Ok(items) };
        items += taken;
        let busy = if bell.count() == rung { 1 } else { 4 };
        if paused(stop, (begun.elapsed() * busy).max(PAUSE)).await {
            return Ok(items);
        }
    }
}

/// Takes one batch up. `None`: there is nothing more.
pub(super) async fn step(store: &dyn Store) -> Result<Option<usize>, StoreError> {
    let backlog = store.unindexed(BATCH).await?;
    if backlog.is_done() {
        return Ok(None);
    }
    let (words, from, to) = fold(backlog).await?;
    let taken = words.len();
    store.index(words, from, to).await?;
    Ok(Some(taken))
}

async fn fold(backlog: Backlog) -> Result<(Vec<Worded>, Mark, Mark), StoreError> {
    let Backlog { items, from, to } = backlog;
    let work = move || {
        let worded = |(item, raw)| Worded { item, texts: Option::as_ref(&raw).map(words) };
        items.into_iter().map(worded).collect()
    };
    let words = tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok((words, from, to))
}
