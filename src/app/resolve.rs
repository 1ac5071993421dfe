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

/// Ends the task that runs, and starts one where hosts are listed.
pub(super) fn put(house: &House) {
    let seat = &house.resolving;
    let hosts = house.settings().resolve.clone();
    let stop = (!hosts.is_empty()).then(|| house.stop.child_token());
    let before = std::mem::replace(&mut *seat.running.lock().unwrap_or_else(PoisonError::into_inner), stop.clone());
    if let Some(before) = before {
        before.cancel();
    }
    let Some(stop) = stop else { return };
    let resolver = Resolver {
        store: Arc::clone(&house.store),
        clock: Arc::clone(&house.clock),
        fetcher: house.poller.stages().fetcher(),
        rules: Arc::default(),
        rule_version: 0,
        hosts,
        pace: Arc::clone(&seat.pace),
        news: Arc::clone(&seat.news),
    };
    house.tasks.spawn(resolver.run(stop));
}
