//! Following short links: a task that runs where the configuration lists hosts, and is swapped at a reload.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::House;
use crate::poll::resolve::{Pace, Resolver};

/// What outlives a reload.
#[derive(Default)]
pub(super) struct Seat {
    /// Poked when items were stored.
    pub(super) news: Arc<Notify>,
    pace: Arc<Pace>,
    /// Ends the task that runs now.
    running: Mutex<Option<CancellationToken>>,
}

impl Seat {
    /// Ends the task that runs: it makes keys by rules that may be yesterday's.
    pub(super) fn end(&self) {
        if let Some(stop) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            stop.cancel();
        }
    }
}

/// Starts the task where hosts are listed; none runs.
pub(super) fn begin(house: &House) {
    let (seat, settings) = (&house.resolving, house.settings());
    let hosts = settings.resolve.clone();
    if hosts.is_empty() {
        return;
    }
    let stop = house.stop.child_token();
    *seat.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone());
    let resolver = Resolver {
        store: Arc::clone(&house.store),
        clock: Arc::clone(&house.clock),
        fetcher: house.poller.stages().fetcher(),
        rules: Arc::new(settings.rules.clone()),
        rule_version: settings.rules.version(),
        hosts,
        pace: Arc::clone(&seat.pace),
        news: Arc::clone(&seat.news),
    };
    house.tasks.spawn(resolver.run(stop));
}
