//! HTTP: feeds, pages, the API, and what probes ask.
//!
//! Routers are made of a [`State`] and handed, with a [`door`], to [`listen::serve`]. [`routes::whole`] is
//! everything on one listener; with a private one, [`routes::public`] has the feeds and pages and
//! [`routes::private`] the rest; [`routes::control`] is the control socket, where no token is asked for.
//!
//! Never changes state for a GET, never puts what a publisher wrote into a header, never trusts a header for an
//! address. What the operator asks for goes through [`control::Control`].
//!
//! Invariant: every answer leaves through `guard`, which puts the security headers on it, errors too.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::published::Live;
use crate::domain::time::Clock;
use crate::domain::time::Timestamp;
use crate::ops::health::Progress;
use crate::ops::metrics::Metrics;
use crate::store::Store;

mod api;
mod archive;
mod cache;
mod coding;
mod conditional;
pub mod control;
pub mod door;
mod events;
mod feeds;
mod freshness;
mod guard;
pub mod listen;
mod pages;
mod patient;
mod probes;
pub mod problem;
pub mod readers;
pub mod routes;
mod search;
mod sight;
#[cfg(test)]
mod tests;
mod visitor;
mod waiting;
mod writes;

use cache::{Cache, Document};
use control::Control;
use readers::Readers;
use visitor::Wrong;

/// What the routes work with.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is published; the app swaps it at a reload.
    pub live: Live,
    /// Who does what the operator asks for.
    pub control: Arc<dyn Control>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Where answers are marked as progress, and what readiness looks at.
    pub progress: Arc<Progress>,
    /// Cancelled when the daemon stops: those who listen are let go.
    pub stop: CancellationToken,
    /// Who follows what.
    pub readers: Arc<Readers>,
    /// The program's version, for the status page.
    pub version: &'static str,
}

/// Shared by all routers of a process: they show the same documents, rendered once.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// The store as anybody may see it.
    public: Arc<dyn Store>,
    cache: Cache,
    style: Document,
    script: Document,
    listeners: Arc<Semaphore>,
    /// Older pages, searches and lists of all feeds are made for whoever asks: so many at a time, the rest queues.
    costly: Semaphore,
    /// Who showed wrong tokens.
    wrong: Wrong,
}

/// Such pages and searches at a time.
const COSTLY: usize = 2;

impl State {
    /// Of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let costly = Semaphore::new(COSTLY);
        let cache = Cache::default();
        let ((style, script), wrong) = (pages::static_documents(), Wrong::default());
        let listeners = Arc::new(Semaphore::new(events::LISTENERS));
        let public = parts.store.public();
        Self(Arc::new(Inner { parts, public, cache, style, script, listeners, costly, wrong }))
    }

    /// As anybody may see it.
    fn store(&self) -> &dyn Store {
        &*self.0.public
    }

    /// With private feeds and their stories.
    fn whole(&self) -> &dyn Store {
        &*self.0.parts.store
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// How long what is served at `now` stays fresh, in seconds.
    fn max_age(&self, now: Timestamp) -> u32 {
        freshness::max_age(self.parts().progress.next_due(), now)
    }
}
