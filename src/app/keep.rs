//! Retention: a run soon after the start and then every hour, a small step at a time, behind everything else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Configured, House};
use crate::domain::time::Timestamp;
use crate::store::{KeepCounts, KeepCursor, KeepRules, Store, StoreError};

/// After the start: who comes first are those who read.
const FIRST: Duration = Duration::from_secs(10);
/// Between two runs.
const EVERY: Duration = Duration::from_secs(3600);
/// The least pause between two steps. A longer step is followed by a pause of its own length, so that retention has
/// the writer half of the time at the most.
const PAUSE: Duration = Duration::from_millis(5);
/// A clock that is so far ahead of retention's is spoken of.
const AHEAD: Duration = Duration::from_secs(2 * 86_400);

/// Until the stop.
pub(super) async fn run(house: Arc<House>) {
    let mut wait = FIRST;
    while !paused(&house.stop, wait).await {
        let rules = rules(&house.configured(), house.clock.now());
        match one(house.store.as_ref(), rules, &house.stop).await {
            Ok(done) => tell(&done),
            Err(e) => tracing::error!(error = %e, "retention broke off; the next run goes on"),
        }
        wait = EVERY;
    }
}

/// Waits, and says whether the daemon stops.
async fn paused(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(time) => false,
    }
}

/// One run.
async fn one(store: &dyn Store, rules: KeepRules, stop: &CancellationToken) -> Result<KeepCounts, StoreError> {
    let rules = Arc::new(rules);
    let (mut at, mut done) = (KeepCursor::default(), KeepCounts::default());
    loop {
        let begun = Instant::now();
        let step = store.keep(Arc::clone(&rules), at).await?;
        done += step.done;
        let Some(next) = step.next else { return Ok(done) };
        at = next;
        if paused(stop, begun.elapsed().max(PAUSE)).await {
            return Ok(done);
        }
    }
}

/// What the configuration says, with the rows of the feeds.
fn rules(configured: &Configured, now: Timestamp) -> KeepRules {
    let storage = &configured.settings.storage;
    let own = configured.feeds().filter(|(feed, _)| feed.terms.keep != storage.keep);
    KeepRules {
        now,
        keep: storage.keep.limit(),
        feeds: own.map(|(feed, row)| (row, feed.terms.keep.limit())).collect(),
        max_bytes: storage.max_bytes,
    }
}

fn tell(done: &KeepCounts) {
    let behind = Duration::from_millis(done.behind_ms);
    if behind > AHEAD {
        let days = behind.as_secs() / 86_400;
        tracing::warn!(
            days,
            "the clock is ahead of what this database has seen; if it is right, retention catches up by a day an hour"
        );
    }
    let KeepCounts { bodies, past, deliveries, changes, sources, pages, behind_ms: _ } = *done;
    if bodies + past + deliveries + changes + sources + pages > 0 {
        tracing::info!(bodies, past, deliveries, changes, sources, pages, "what was kept for long enough went");
    }
}
