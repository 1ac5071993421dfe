//! SQLite behind the store's boundary: one file, one writer, a few readers.
//!
//! Never lets SQL or a type of SQLite out, and never waits for anything while a transaction is open.
//!
//! Invariant: everything is written by the one writer thread, in transactions that are whole before they
//! are answered (`synchronous=FULL`).

mod archive;
pub mod backup;
mod broken;
mod checkpoint;
mod commit;
mod endpoint;
mod feeds;
mod fts;
mod hash;
mod ignore;
mod items;
mod keep;
mod keys;
mod known;
mod learn;
mod leases;
mod listing;
mod measure;
mod member;
mod merge;
mod mint;
mod news;
mod open;
mod outbox;
mod over_time;
mod owe;
mod past;
mod pause;
mod public;
mod reader;
mod rekey;
mod remember;
mod resolve;
pub mod restore;
mod schema;
mod search;
mod settle;
mod streams;
mod trace;
mod unions;
mod writer;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use self::broken::Broken;
use self::checkpoint::Checkpointer;
pub use self::checkpoint::overgrown;
use self::hash::Hasher;
use self::leases::Leases;
use self::reader::Readers;
use self::writer::{Tx, Writer};
use super::{
    Anatomy, Archive, ArchiveRequest, Backlog, Cleaned, CommitReport, FeedLease, FeedOrder, FeedOrdered, FeedSizes,
    FeedStatus, Fill, Found, HookOrder, Hunt, Hunted, Instance, KeepCursor, KeepRules, KeepStep, Keymaker, Learned,
    Learnt, Leased, Mark, MergeStatus, News, Page, PageRequest, Pending, PollCommit, Registry, Rekeyed, Replay,
    Replayed, Resolution, Routes, Search, Store, StoreError, StoreHealth, Subscriptions, Unresolved, Want, Worded,
};
use crate::domain::decision::Judge;
use crate::domain::feed::{FeedId, FeedState, Health, NextPoll};
use crate::domain::item::{Item, ItemId};
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TraceBy, Traced};
use crate::domain::webhook::{
    DeliveryId, DeliveryState, DeliveryStatus, HookAlert, Settled, Settlement, WebhookId, WebhookStatus,
};

pub use self::open::{Access, Options};

/// A result inside a transaction.
type Result<T> = rusqlite::Result<T>;

/// A count or size, which SQLite keeps with a sign.
fn count(row: &rusqlite::Row<'_>, column: impl rusqlite::RowIndex) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// The store in one SQLite file, as one sees it: whole, or as anybody may see it.
pub struct Sqlite {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
}

/// What all who see it share.
struct Shared {
    writer: Writer,
    whole: Arc<Readers>,
    public: Arc<Readers>,
    instance: Instance,
    hasher: Hasher,
    version: Arc<AtomicU64>,
    leases: Leases,
    path: String,
    broken: Arc<Broken>,
    /// Held for as long as the store is open.
    _lock: Option<std::fs::File>,
}

impl Sqlite {
    /// Opens the database, makes it if asked, brings its schema up to date and takes the daemon's lock.
    ///
    /// # Errors
    /// A sentence about a foreign, damaged, newer, held, missing or unusable file, which is left as it is.
    pub fn open(path: &Path, options: &Options) -> std::result::Result<Self, StoreError> {
        let opened = open::open(path, options)?;
        let unusable =
            |e: rusqlite::Error| StoreError::Unusable { path: path.display().to_string(), cause: e.to_string() };
        let (instance, hasher) = schema::identity(&opened.connection).map_err(unusable)?;
        let version = Arc::new(AtomicU64::new(1));
        let broken = Arc::new(Broken::new(path));
        let whole = Arc::new(Readers::open(path, Arc::clone(&broken)).map_err(unusable)?);
        let public = Arc::new(whole.public());
        let checkpointer =
            Checkpointer::new(&opened.connection, path.to_owned(), Arc::clone(&broken)).map_err(unusable)?;
        let writer = Writer::start(opened.connection, checkpointer, Arc::clone(&version), Arc::clone(&broken))
            .map_err(|e| StoreError::Unusable { path: path.display().to_string(), cause: e.to_string() })?;
        let readers = Arc::clone(&whole);
        let shared = Shared {
            writer,
            whole,
            public,
            instance,
            hasher,
            version,
            leases: Leases::default(),
            path: path.display().to_string(),
            broken,
            _lock: opened.lock,
        };
        Ok(Self { shared: Arc::new(shared), readers })
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Pending<'_, T> {
        Box::pin(self.readers.run(work))
    }

    fn write<T: Send + 'static>(&self, work: impl Fn(&Tx<'_>) -> Result<T> + Send + 'static) -> Pending<'_, T> {
        Box::pin(self.shared.writer.run(work))
    }
}

impl Store for Sqlite {
    fn instance(&self) -> Instance {
        self.shared.instance.clone()
    }

    fn public(&self) -> Arc<dyn Store> {
        Arc::new(Self { shared: Arc::clone(&self.shared), readers: Arc::clone(&self.shared.public) })
    }

    fn apply_subscriptions(&self, subscriptions: Subscriptions, now: Timestamp) -> Pending<'_, Registry> {
        self.write(move |tx| feeds::apply(tx, &subscriptions, now))
    }

    fn lease_due_feeds(&self, feeds: Vec<FeedId>, now: Timestamp, until: Timestamp) -> Pending<'_, Vec<FeedLease>> {
        Box::pin(async move {
            let ours = self.shared.leases.hold(feeds, now, until);
            self.read(move |db| feeds::leases(db, &ours)).await
        })
    }

    fn release_feed(&self, feed: FeedId, token: u64) -> Pending<'_, ()> {
        self.shared.leases.end(feed, token);
        Box::pin(std::future::ready(Ok(())))
    }

    fn keep_due(&self, due: Vec<(FeedId, NextPoll)>, now: Timestamp) -> Pending<'_, ()> {
        self.write(move |tx| feeds::keep_due(tx.db, &due, now))
    }

    fn order_feed(&self, name: String, order: FeedOrder, now: Timestamp) -> Pending<'_, Option<FeedOrdered>> {
        self.write(move |tx| pause::order(tx, &name, order, now))
    }

    fn paused_feeds(&self) -> Pending<'_, Vec<String>> {
        self.read(pause::list)
    }

    fn commit_poll(&self, poll: PollCommit, judge: Arc<dyn Judge>, routes: Arc<Routes>) -> Pending<'_, CommitReport> {
        Box::pin(async move {
            let (feed, token) = (poll.feed, poll.token);
            if !self.shared.leases.holds(feed, token) {
                return Ok(CommitReport { lost: true, ..CommitReport::default() });
            }
            let (hasher, instance) = (self.shared.hasher, self.shared.instance.clone());
            let report = self
                .write(move |tx| {
                    let keys = keys::Keys { db: tx.db, hasher };
                    let (judge, routes, door) = (judge.as_ref(), &*routes, RefCell::default());
                    commit::Commit { tx, keys, instance: &instance, judge, routes, door }.run(&poll)
                })
                .await;
            self.shared.leases.end(feed, token);
            report
        })
    }

    fn commit_quiet(&self, polls: Vec<PollCommit>) -> Pending<'_, Vec<CommitReport>> {
        Box::pin(async move {
            let held: Vec<bool> = polls.iter().map(|poll| self.shared.leases.holds(poll.feed, poll.token)).collect();
            let leases: Vec<(FeedId, u64)> = polls.iter().map(|poll| (poll.feed, poll.token)).collect();
            let instance = self.shared.instance.clone();
            let written = self
                .write(move |tx| {
                    let mut unmodified = remember::Unmodified::prepare(tx.db)?;
                    let commit = |(poll, held): (&PollCommit, &bool)| match held {
                        true => remember::remember(tx.db, &instance, poll, &mut unmodified),
                        false => Ok(CommitReport { lost: true, ..CommitReport::default() }),
                    };
                    polls.iter().zip(&held).map(commit).collect()
                })
                .await;
            for (feed, token) in leases {
                self.shared.leases.end(feed, token);
            }
            written
        })
    }

    fn lease_deliveries(&self, wants: Vec<Want>, now: Timestamp, until: Timestamp) -> Pending<'_, Leased> {
        Box::pin(self.lease_calls(wants, now, until))
    }

    fn keep_bodies(&self, bodies: Vec<(DeliveryId, Vec<u8>)>) -> Pending<'_, ()> {
        self.write(move |tx| outbox::keep_bodies(tx.db, &bodies))
    }

    fn settle_delivery(&self, settlement: Settlement) -> Pending<'_, Option<Settled>> {
        let instance = self.shared.instance.clone();
        self.write(move |tx| settle::settle(tx.db, &instance, &settlement))
    }

    fn release_delivery(&self, delivery: DeliveryId, token: u64) -> Pending<'_, ()> {
        self.write(move |tx| settle::release(tx.db, delivery, token))
    }

    fn tell_of_webhook(&self, webhook: WebhookId, alert: HookAlert, alerts: Arc<[WebhookId]>) -> Pending<'_, u32> {
        let instance = self.shared.instance.clone();
        self.write(move |tx| endpoint::tell(tx.db, &instance, webhook, &alert, &alerts))
    }

    fn order_webhook(&self, name: String, order: HookOrder, now: Timestamp) -> Pending<'_, Option<(u64, bool)>> {
        self.write(move |tx| endpoint::order(tx.db, &name, order, now))
    }

    fn replay(&self, replay: Replay, after: Option<DeliveryId>, now: Timestamp) -> Pending<'_, Option<Replayed>> {
        Box::pin(async move {
            let found = self.read(move |db| endpoint::replayable(db, &replay, after)).await?;
            match found {
                None => Ok(None),
                Some(ids) => self.write(move |tx| endpoint::replay(tx.db, &ids, now)).await.map(Some),
            }
        })
    }

    fn stream_page(&self, request: PageRequest) -> Pending<'_, Page> {
        self.read(move |db| streams::page(db, &request))
    }

    fn stream_version(&self, stream: StreamId) -> Pending<'_, i64> {
        self.read(move |db| streams::version(db, stream))
    }

    fn archive(&self, request: ArchiveRequest) -> Pending<'_, Option<Archive>> {
        self.read(move |db| archive::page(db, &request))
    }

    fn shared_page(&self, request: PageRequest, per_feed: u32) -> Pending<'_, Page> {
        self.read(move |db| streams::shared_page(db, &request, per_feed))
    }

    fn item(&self, item: ItemId) -> Pending<'_, Option<Item>> {
        self.read(move |db| items::load(db, item))
    }

    fn items(&self, items: Vec<ItemId>) -> Pending<'_, Vec<Item>> {
        self.read(move |db| items::shown(db, &items))
    }

    fn search(&self, search: Search) -> Pending<'_, Found> {
        self.read(move |db| search::Searching::new(db, &search)?.run())
    }

    fn count_since(&self, since: Option<Timestamp>) -> Pending<'_, u64> {
        self.read(move |db| items::count_since(db, since))
    }

    fn days(&self, now: Timestamp, days: u32) -> Pending<'_, Vec<u64>> {
        self.read(move |db| items::days(db, now, days))
    }

    fn news(&self, after: Option<i64>) -> Pending<'_, News> {
        self.read(move |db| news::after(db, after))
    }

    fn unindexed(&self, limit: u32) -> Pending<'_, Backlog> {
        self.read(move |db| fts::unindexed(db, limit))
    }

    fn index(&self, words: Vec<Worded>, from: Mark, to: Mark) -> Pending<'_, bool> {
        self.write(move |tx| fts::index(tx.db, &words, from, to))
    }

    fn trace(&self, by: TraceBy) -> Pending<'_, Traced> {
        let hasher = self.shared.hasher;
        self.read(move |db| trace::Tracer { db, keys: keys::Keys { db, hasher } }.run(&by))
    }

    fn keep_clean(&self, cleaned: Vec<Cleaned>) -> Pending<'_, ()> {
        self.write(move |tx| items::keep_clean(tx.db, &cleaned))
    }

    fn last_seqs(&self, streams: Vec<StreamId>) -> Pending<'_, Vec<i64>> {
        self.read(move |db| streams.into_iter().map(|stream| streams::last_seq(db, stream)).collect())
    }

    fn fill_streams(&self, parts: Vec<Fill>, done: bool, at: Timestamp) -> Pending<'_, ()> {
        self.write(move |tx| parts.iter().try_for_each(|part| streams::fill(tx, part, done, at)))
    }

    fn feed_status(&self) -> Pending<'_, Vec<FeedStatus>> {
        self.read(feeds::status)
    }

    fn feed_states(&self, after: Option<FeedId>, limit: u32) -> Pending<'_, Vec<(FeedId, FeedState)>> {
        self.read(move |db| feeds::states(db, after, limit))
    }

    fn merged_feeds(&self) -> Pending<'_, Vec<(String, String)>> {
        self.read(unions::list)
    }

    fn feed_health(&self, now: Timestamp) -> Pending<'_, Vec<(Health, u64)>> {
        self.read(move |db| feeds::health(db, now))
    }

    fn webhook_status(&self) -> Pending<'_, Vec<WebhookStatus>> {
        self.read(endpoint::list)
    }

    fn deliveries(
        &self,
        webhook: Option<String>,
        state: Option<DeliveryState>,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Pending<'_, Vec<DeliveryStatus>> {
        self.read(move |db| outbox::list(db, webhook.as_deref(), state, before, limit))
    }

    fn delivery(&self, message_id: String) -> Pending<'_, Option<DeliveryStatus>> {
        self.read(move |db| outbox::show(db, &message_id))
    }

    fn learn_aliases(&self, learnt: Vec<Learnt>, version: i64, now: Timestamp) -> Pending<'_, Vec<Learned>> {
        let hasher = self.shared.hasher;
        self.write(move |tx| {
            let keys = keys::Keys { db: tx.db, hasher };
            learnt.iter().map(|learnt| learn::learn(keys, tx, learnt, version, now)).collect()
        })
    }

    fn unmerge(&self, absorbed: ItemId, now: Timestamp) -> Pending<'_, Option<ItemId>> {
        let hasher = self.shared.hasher;
        self.write(move |tx| merge::unmerge(keys::Keys { db: tx.db, hasher }, tx, absorbed, now))
    }

    fn merges(&self, item: Option<ItemId>, limit: u32) -> Pending<'_, Vec<MergeStatus>> {
        self.read(move |db| merge::list(db, item, limit))
    }

    fn rekey(&self, maker: Arc<Keymaker>, version: i64, limit: u32, now: Timestamp) -> Pending<'_, Rekeyed> {
        let hasher = self.shared.hasher;
        self.write(move |tx| {
            let keys = keys::Keys { db: tx.db, hasher };
            rekey::Step { tx, keys, maker: maker.as_ref(), version, at: now }.run(limit)
        })
    }

    fn hunt_links(&self, hunt: Hunt, now: Timestamp) -> Pending<'_, Hunted> {
        Box::pin(async move {
            let (since, scratch) = (hunt.since, hunt.above.is_none() && hunt.below.is_none());
            let resolve::Found { page, links } = self.read(move |db| resolve::hunt(db, &hunt)).await?;
            if scratch || !links.is_empty() {
                self.write(move |tx| {
                    if scratch {
                        resolve::forget(tx.db, since, now)?;
                    }
                    resolve::enlist(tx.db, &links, now)
                })
                .await?;
            }
            Ok(page)
        })
    }

    fn unresolved(&self, now: Timestamp, limit: u32) -> Pending<'_, Unresolved> {
        self.read(move |db| resolve::unresolved(db, now, limit))
    }

    fn keep_resolution(&self, resolution: Resolution, now: Timestamp) -> Pending<'_, ()> {
        self.write(move |tx| resolve::keep(tx.db, &resolution, now))
    }

    fn health(&self) -> Pending<'_, StoreHealth> {
        let (path, hindrance) = (self.shared.path.clone(), self.shared.broken.hindrance());
        self.read(move |db| Ok(StoreHealth { hindrance: hindrance.clone(), ..outbox::health(db, &path)? }))
    }

    fn keep(&self, rules: Arc<KeepRules>, at: KeepCursor) -> Pending<'_, KeepStep> {
        Box::pin(async move {
            let looking = Arc::clone(&rules);
            let found = self.read(move |db| keep::look(db, &looking, at.0)).await?;
            let hasher = self.shared.hasher;
            match found.idle() {
                Ok(step) => Ok(step),
                Err(found) => self.write(move |tx| found.act(tx, hasher, &rules)).await,
            }
        })
    }

    fn feed_sizes(&self, limit: u32) -> Pending<'_, FeedSizes> {
        self.read(move |db| measure::sizes(db, limit))
    }

    fn anatomy(&self, feeds: u32, now: Timestamp) -> Pending<'_, Anatomy> {
        self.read(move |db| measure::anatomy(db, feeds, now))
    }

    fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    fn broken(&self) -> Pending<'_, ()> {
        Box::pin(async move { Err(self.shared.broken.wait().await) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.shared.whole.close();
            self.shared.public.close();
            self.shared.writer.close().await
        })
    }
}
