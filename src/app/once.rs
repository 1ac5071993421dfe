//! For commands that run by themselves, without the daemon: the same stages, the same limits.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{StartError, control, fetcher, rekey, translate};
use crate::config::Settings;
use crate::deliver::Target;
use crate::domain::feed::FeedId;
use crate::domain::name::Name;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::webhook::WebhookId;
use crate::poll::{Observer, Plan, PollReport, Poller, Stages};
use crate::publish::published::Published;
use crate::publish::serve::control::PollShape;
use crate::query::common::Common;
use crate::store::{Registry, Store, StoreError};

/// What is published, for commands that read the database themselves.
#[must_use]
pub fn published(settings: &Settings, registry: &Registry, now: Timestamp) -> Published {
    translate::published(settings, registry, now)
}

/// One poll, as the API tells it.
#[must_use]
pub fn poll_shape(report: PollReport) -> PollShape {
    control::shape(report)
}

/// A poller on a store, for a command that polls once: the same stages and limits as the daemon's, and nobody
/// is called. Gives the names of the feeds with their rows, and whether each is asked on its own.
///
/// # Errors
/// The store fails, or the contact cannot be sent.
pub async fn poll_once(
    settings: &Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> Result<(Arc<Poller>, Vec<(Name, FeedId, bool)>), StartError> {
    let registry = store.apply_subscriptions(translate::subscriptions(settings), clock.now()).await?;
    let others = not_on_their_own(store.as_ref()).await?;
    rekey::Rekey::new(settings, &registry).recent(store.as_ref(), clock.as_ref()).await?;
    let fetcher = fetcher(settings).map_err(StartError::System)?;
    let stages = Stages::new(store, clock, fetcher, Arc::new(Notify::new()));
    let poller = Poller::new(stages, observer);
    // All are asked by hand; what the schedule would ask for is the daemon's business.
    let scheduled = translate::scheduled(settings, &registry, |_| None);
    poller.replace(Plan { by_hand: true, ..translate::plan(settings, &registry, &Common::default()) }, scheduled);
    let feeds = settings.feeds.iter().zip(&registry.feeds).filter(|(feed, _)| feed.terms.enabled);
    let feeds = feeds.map(|(feed, (id, _))| (feed.name.clone(), *id, !others.contains(feed.name.as_str()))).collect();
    Ok((poller, feeds))
}

/// Feeds that are asked only by their name: they are one with another feed, or paused.
pub(super) async fn not_on_their_own(store: &dyn Store) -> Result<HashSet<String>, StoreError> {
    let merged = store.merged_feeds().await?.into_iter().map(|(feed, _)| feed);
    Ok(merged.chain(store.paused_feeds().await?).collect())
}

/// A webhook as it can be called without a database.
#[must_use]
pub fn target(settings: &Settings, name: &str) -> Option<Target> {
    let registry =
        Registry { webhooks: (0..).map(WebhookId).take(settings.webhooks.len()).collect(), ..Registry::default() };
    translate::targets(settings, &registry).into_iter().find(|target| target.name == name)
}

/// An observer that hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deaf;

impl Observer for Deaf {
    fn polled(&self, _report: &PollReport) {}
    fn ticked(&self, _now: Timestamp, _next_due: Option<Timestamp>) {}
}
