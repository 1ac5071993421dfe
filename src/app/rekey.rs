//! Keys of stored items, made anew after the rules changed: of the last two weeks before the first poll, so that no story
//! of these days comes twice; of the rest behind everything else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::translate;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::store::{Keymaker, Registry, Rekeyed, Store, StoreError};

/// Items at a time: some ten milliseconds of the writer.
const STEP: u32 = 200;
/// What was stored since is done before anything is polled.
const RECENT: Duration = Duration::from_secs(14 * 86_400);
/// Polls do not wait for longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A run under one set of rules.
pub(super) struct Rekey {
    maker: Arc<Keymaker>,
    version: i64,
    total: Rekeyed,
}

impl Rekey {
    pub(super) fn new(settings: &Settings, registry: &Registry) -> Self {
        let maker = translate::keymaker(settings, registry);
        Self { maker, version: settings.rules.version(), total: Rekeyed::default() }
    }

    /// Makes recent keys anew.
    pub(super) async fn recent(&mut self, store: &dyn Store, clock: &dyn Clock) -> Result<(), StoreError> {
        let (begun, since) = (Instant::now(), clock.now().minus(RECENT));
        loop {
            let step = self.step(store, clock).await?;
            if step.done || step.seen_down_to.is_none_or(|seen| seen < since) || begun.elapsed() > PATIENCE {
                return Ok(());
            }
        }
    }

    /// Makes the others anew, until `stop`.
    pub(super) async fn rest(mut self, store: &dyn Store, clock: &dyn Clock, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.step(store, clock).await {
                Ok(Rekeyed { done: true, .. }) => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(e) => return tracing::error!(error = %e, "keys could not be made anew; the next start goes on"),
            }
        }
        let Rekeyed { looked, moved, merged, apart, .. } = self.total;
        if looked > 0 {
            tracing::info!(items = looked, moved, merged, apart, "keys made anew, for the rules have changed");
        }
    }

    async fn step(&mut self, store: &dyn Store, clock: &dyn Clock) -> Result<Rekeyed, StoreError> {
        let step = store.rekey(Arc::clone(&self.maker), self.version, STEP, clock.now()).await?;
        self.total.looked += step.looked;
        self.total.moved += step.moved;
        self.total.merged += step.merged;
        self.total.apart += step.apart;
        Ok(step)
    }
}
