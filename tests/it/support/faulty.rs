//! A store whose next calls fail on demand, in front of a real one: what a full disk looks like from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use feedmill::domain::decision::Judge;
use feedmill::domain::feed::{FeedId, FeedState, Health, NextPoll};
use feedmill::domain::item::{Item, ItemId};
use feedmill::domain::stream::StreamId;
use feedmill::domain::time::Timestamp;
use feedmill::domain::trace::{TraceBy, Traced};
use feedmill::domain::webhook::{
    DeliveryId, DeliveryState, DeliveryStatus, HookAlert, Settled, Settlement, WebhookId, WebhookStatus,
};
use feedmill::store::{
    Anatomy, Archive, ArchiveRequest, Backlog, Cleaned, CommitReport, FeedLease, FeedOrder, FeedOrdered, FeedSizes,
    FeedStatus, Fill, Found, HookOrder, Hunt, Hunted, Instance, KeepCursor, KeepRules, KeepStep, Keymaker, Learned,
    Learnt, Leased, Mark, MergeStatus, News, Page, PageRequest, Pending, PollCommit, Registry, Rekeyed, Replay,
    Replayed, Resolution, Routes, Search, Store, StoreError, StoreHealth, Subscriptions, Unresolved, Want, Worded,
};

/// Each of `leases`, `bodies` and `settlements` is how many of the next calls fail; `panics`, how many commits of a poll panic, and
/// `panics_together`, how many of polls that are committed together.
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) leases: AtomicU32,
    pub(crate) bodies: AtomicU32,
    pub(crate) settlements: AtomicU32,
    pub(crate) panics: AtomicU32,
    pub(crate) panics_together: AtomicU32,
    /// How often bodies were kept.
    pub(crate) kept: AtomicU32,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            leases: 0.into(),
            bodies: 0.into(),
            settlements: 0.into(),
            panics: 0.into(),
            panics_together: 0.into(),
            kept: 0.into(),
        }
    }

    fn panic(&self, left: &AtomicU32) {
        if self.fails(left) {
            // Without the hook: making a backtrace holds a thread of the runtime for longer than other polls may take.
            std::panic::resume_unwind(Box::new("a fault of ours"));
        }
    }

    fn fails(&self, left: &AtomicU32) -> bool {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
    }
}

fn broken<T: Send + 'static>() -> Pending<'static, T> {
    Box::pin(std::future::ready(Err(StoreError::Failed("database or disk is full".to_owned()))))
}

impl Store for Faulty {
    fn instance(&self) -> Instance {
        self.inner.instance()
    }

    fn public(&self) -> Arc<dyn Store> {
        self.inner.public()
    }

    fn apply_subscriptions(&self, subscriptions: Subscriptions, now: Timestamp) -> Pending<'_, Registry> {
        self.inner.apply_subscriptions(subscriptions, now)
    }

    fn lease_due_feeds(&self, feeds: Vec<FeedId>, now: Timestamp, until: Timestamp) -> Pending<'_, Vec<FeedLease>> {
        self.inner.lease_due_feeds(feeds, now, until)
    }

    fn release_feed(&self, feed: FeedId, token: u64) -> Pending<'_, ()> {
        self.inner.release_feed(feed, token)
    }

    fn keep_due(&self, due: Vec<(FeedId, NextPoll)>, now: Timestamp) -> Pending<'_, ()> {
        self.inner.keep_due(due, now)
    }

    fn order_feed(&self, name: String, order: FeedOrder, now: Timestamp) -> Pending<'_, Option<FeedOrdered>> {
        self.inner.order_feed(name, order, now)
    }

    fn paused_feeds(&self) -> Pending<'_, Vec<String>> {
        self.inner.paused_feeds()
    }

    fn commit_poll(&self, poll: PollCommit, judge: Arc<dyn Judge>, routes: Arc<Routes>) -> Pending<'_, CommitReport> {
        self.panic(&self.panics);
        self.inner.commit_poll(poll, judge, routes)
    }

    fn commit_quiet(&self, polls: Vec<PollCommit>) -> Pending<'_, Vec<CommitReport>> {
        self.panic(&self.panics_together);
        self.inner.commit_quiet(polls)
    }

    fn lease_deliveries(&self, wants: Vec<Want>, now: Timestamp, until: Timestamp) -> Pending<'_, Leased> {
        if self.fails(&self.leases) {
            return broken();
        }
        self.inner.lease_deliveries(wants, now, until)
    }

    fn keep_bodies(&self, bodies: Vec<(DeliveryId, Vec<u8>)>) -> Pending<'_, ()> {
        if self.fails(&self.bodies) {
            return broken();
        }
        self.kept.fetch_add(1, Ordering::SeqCst);
        self.inner.keep_bodies(bodies)
    }

    fn settle_delivery(&self, settlement: Settlement) -> Pending<'_, Option<Settled>> {
        if self.fails(&self.settlements) {
            return broken();
        }
        self.inner.settle_delivery(settlement)
    }

    fn tell_of_webhook(&self, webhook: WebhookId, alert: HookAlert, alerts: Arc<[WebhookId]>) -> Pending<'_, u32> {
        self.inner.tell_of_webhook(webhook, alert, alerts)
    }

    fn order_webhook(&self, name: String, order: HookOrder, now: Timestamp) -> Pending<'_, Option<(u64, bool)>> {
        self.inner.order_webhook(name, order, now)
    }

    fn replay(&self, replay: Replay, after: Option<DeliveryId>, now: Timestamp) -> Pending<'_, Option<Replayed>> {
        self.inner.replay(replay, after, now)
    }

    fn release_delivery(&self, delivery: DeliveryId, token: u64) -> Pending<'_, ()> {
        self.inner.release_delivery(delivery, token)
    }

    fn stream_page(&self, request: PageRequest) -> Pending<'_, Page> {
        self.inner.stream_page(request)
    }

    fn stream_version(&self, stream: StreamId) -> Pending<'_, i64> {
        self.inner.stream_version(stream)
    }

    fn archive(&self, request: ArchiveRequest) -> Pending<'_, Option<Archive>> {
        self.inner.archive(request)
    }

    fn shared_page(&self, request: PageRequest, per_feed: u32) -> Pending<'_, Page> {
        self.inner.shared_page(request, per_feed)
    }

    fn item(&self, item: ItemId) -> Pending<'_, Option<Item>> {
        self.inner.item(item)
    }

    fn items(&self, items: Vec<ItemId>) -> Pending<'_, Vec<Item>> {
        self.inner.items(items)
    }

    fn search(&self, search: Search) -> Pending<'_, Found> {
        self.inner.search(search)
    }

    fn count_since(&self, since: Option<Timestamp>) -> Pending<'_, u64> {
        self.inner.count_since(since)
    }

    fn days(&self, now: Timestamp, days: u32) -> Pending<'_, Vec<u64>> {
        self.inner.days(now, days)
    }

    fn news(&self, after: Option<i64>) -> Pending<'_, News> {
        self.inner.news(after)
    }

    fn unindexed(&self, limit: u32) -> Pending<'_, Backlog> {
        self.inner.unindexed(limit)
    }

    fn index(&self, words: Vec<Worded>, from: Mark, to: Mark) -> Pending<'_, bool> {
        self.inner.index(words, from, to)
    }

    fn trace(&self, by: TraceBy) -> Pending<'_, Traced> {
        self.inner.trace(by)
    }

    fn keep_clean(&self, cleaned: Vec<Cleaned>) -> Pending<'_, ()> {
        self.inner.keep_clean(cleaned)
    }

    fn last_seqs(&self, streams: Vec<StreamId>) -> Pending<'_, Vec<i64>> {
        self.inner.last_seqs(streams)
    }

    fn fill_streams(&self, parts: Vec<Fill>, done: bool, at: Timestamp) -> Pending<'_, ()> {
        self.inner.fill_streams(parts, done, at)
    }

    fn feed_status(&self) -> Pending<'_, Vec<FeedStatus>> {
        self.inner.feed_status()
    }

    fn merged_feeds(&self) -> Pending<'_, Vec<(String, String)>> {
        self.inner.merged_feeds()
    }

    fn feed_states(&self, after: Option<FeedId>, limit: u32) -> Pending<'_, Vec<(FeedId, FeedState)>> {
        self.inner.feed_states(after, limit)
    }

    fn feed_health(&self, now: Timestamp) -> Pending<'_, Vec<(Health, u64)>> {
        self.inner.feed_health(now)
    }

    fn webhook_status(&self) -> Pending<'_, Vec<WebhookStatus>> {
        self.inner.webhook_status()
    }

    fn deliveries(
        &self,
        webhook: Option<String>,
        state: Option<DeliveryState>,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Pending<'_, Vec<DeliveryStatus>> {
        self.inner.deliveries(webhook, state, before, limit)
    }

    fn delivery(&self, message_id: String) -> Pending<'_, Option<DeliveryStatus>> {
        self.inner.delivery(message_id)
    }

    fn learn_aliases(&self, learnt: Vec<Learnt>, version: i64, now: Timestamp) -> Pending<'_, Vec<Learned>> {
        self.inner.learn_aliases(learnt, version, now)
    }

    fn unmerge(&self, absorbed: ItemId, now: Timestamp) -> Pending<'_, Option<ItemId>> {
        self.inner.unmerge(absorbed, now)
    }

    fn merges(&self, item: Option<ItemId>, limit: u32) -> Pending<'_, Vec<MergeStatus>> {
        self.inner.merges(item, limit)
    }

    fn rekey(&self, maker: Arc<Keymaker>, version: i64, limit: u32, now: Timestamp) -> Pending<'_, Rekeyed> {
        self.inner.rekey(maker, version, limit, now)
    }

    fn hunt_links(&self, hunt: Hunt, now: Timestamp) -> Pending<'_, Hunted> {
        self.inner.hunt_links(hunt, now)
    }

    fn unresolved(&self, now: Timestamp, limit: u32) -> Pending<'_, Unresolved> {
        self.inner.unresolved(now, limit)
    }

    fn keep_resolution(&self, resolution: Resolution, now: Timestamp) -> Pending<'_, ()> {
        self.inner.keep_resolution(resolution, now)
    }

    fn health(&self) -> Pending<'_, StoreHealth> {
        self.inner.health()
    }

    fn keep(&self, rules: Arc<KeepRules>, at: KeepCursor) -> Pending<'_, KeepStep> {
        self.inner.keep(rules, at)
    }

    fn feed_sizes(&self, limit: u32) -> Pending<'_, FeedSizes> {
        self.inner.feed_sizes(limit)
    }

    fn anatomy(&self, feeds: u32, now: Timestamp) -> Pending<'_, Anatomy> {
        self.inner.anatomy(feeds, now)
    }

    fn version(&self) -> u64 {
        self.inner.version()
    }

    fn broken(&self) -> Pending<'_, ()> {
        self.inner.broken()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.inner.close()
    }
}
