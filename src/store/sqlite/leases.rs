//! Which feeds are being polled. In memory, for the daemon holds the lock of the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::feed::{ByFeed, FeedId};
use crate::domain::time::Timestamp;

/// The token and the end of each lease.
#[derive(Default)]
pub(super) struct Leases {
    feeds: Mutex<ByFeed<(u64, Timestamp)>>,
    tokens: AtomicU64,
}

impl Leases {
    /// One that nobody has had.
    pub(super) fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Leases those of `feeds` that are nobody's at `now`; with their tokens.
    pub(super) fn take(&self, feeds: Vec<FeedId>, now: Timestamp, until: Timestamp) -> Vec<(FeedId, u64)> {
        let mut leases = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ours = Vec::with_capacity(feeds.len());
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

    /// Whether the lease is still that of the token.
    pub(super) fn holds(&self, feed: FeedId, token: u64) -> bool {
        let leases = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(&feed).is_some_and(|(held, _)| *held == token)
    }

    /// Ends it, if it is.
    pub(super) fn end(&self, feed: FeedId, token: u64) {
        let mut leases = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(&feed).is_some_and(|(held, _)| *held == token) {
            leases.remove(&feed);
        }
    }
}
