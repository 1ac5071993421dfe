//! Who holds what. Feeds that are being polled are held in memory, for the daemon holds the lock. Deliveries are held in
//! their rows; what is known here is when that was done last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::{Leased, StoreError, Want};
use super::Sqlite;
use super::outbox::{self, Look};
use crate::domain::feed::{ByFeed, FeedId};
use crate::domain::time::Timestamp;

pub(super) struct Leases {
    /// Token and end of each lease.
    feeds: Mutex<ByFeed<(u64, Timestamp)>>,
    tokens: AtomicU64,
    /// When deliveries were leased last, to see a clock that was put back. `None`: not since the start.
    calls: Mutex<Option<Look>>,
}

impl Default for Leases {
    fn default() -> Self {
        Self { feeds: Mutex::default(), tokens: AtomicU64::new(1), calls: Mutex::default() }
    }
}

impl Leases {
    fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    fn feeds(&self) -> MutexGuard<'_, ByFeed<(u64, Timestamp)>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of the feeds that nobody holds, which are ours from now on, each with its token.
    pub(super) fn hold(&self, feeds: Vec<FeedId>, now: Timestamp, until: Timestamp) -> Vec<(FeedId, u64)> {
        let (mut leases, mut ours) = (self.feeds(), Vec::with_capacity(feeds.len()));
        for feed in feeds {
            if leases.get(&feed).is_some_and(|(_, end)| *end > now) {
                continue;
            }
            let token = self.token();
            leases.insert(feed, (token, until));
            ours.push((feed, token));
        }
        ours
    }

    pub(super) fn holds(&self, feed: FeedId, token: u64) -> bool {
        self.feeds().get(&feed).is_some_and(|(held, _)| *held == token)
    }

    fn calls(&self) -> MutexGuard<'_, Option<Look>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn end(&self, feed: FeedId, token: u64) {
        let mut leases = self.feeds();
        if leases.get(&feed).is_some_and(|(held, _)| *held == token) {
            leases.remove(&feed);
        }
    }
}

impl Sqlite {
    /// Leases deliveries, and sees whether the clock was put back since the last time.
    pub(super) async fn lease_calls(
        &self,
        wants: Vec<Want>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Leased, StoreError> {
        let leases = &self.shared.leases;
        let (token, before) = (leases.token(), *leases.calls());
        let leased = self.write(move |tx| {
            let look = outbox::look(tx.db, before, now, until)?;
            Ok((outbox::lease(tx.db, &wants, now, until, token)?, look))
        });
        let (leased, look) = leased.await?;
        *leases.calls() = Some(look);
        Ok(leased)
    }
}
