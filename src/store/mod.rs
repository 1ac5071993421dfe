//! The store's boundary: what the rest of the house may ask of the place where everything is kept, by use
//! case and not by table. Behind it stands SQLite; SQL and its types stay inside.
//!
//! Never decides what an entry is: `commit_poll` takes the decision as a function and asks it inside the
//! transaction, so that two polls in flight with one story cannot both find it new. Never calls a network.
//!
//! Invariant: what a method has answered `Ok` to is durable; what it has not answered changed nothing, or
//! all of it. Times are UTC; every method may be called again with the same arguments without harm.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::address::Address;
use crate::domain::decision::{Candidate, Judge};
use crate::domain::feed::{
    Cadence, FeedId, FeedInfo, FeedState, Habits, Health, Merged, Move, NextPoll, PollError, Validators,
};
use crate::domain::item::{Clean, Item, ItemId};
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TraceBy, Traced};
use crate::domain::webhook::{
    DeliveryId, DeliveryLease, DeliveryState, DeliveryStatus, HookAlert, Settled, Settlement, WebhookId, WebhookStatus,
};

mod keep;
mod learn;
mod resolve;
mod search;
pub mod sqlite;

pub use self::keep::{Anatomy, FeedSize, FeedSizes, KEEP_ROWS, KeepCounts, KeepCursor, KeepRules, KeepStep, TableSize};
pub use self::learn::{AliasSource, Keymaker, Learned, Learnt, MergeStatus, Rekeyed};
pub use self::resolve::{Hunt, Hunted, Resolution, ShortLink, Unresolved};
pub use self::search::{Backlog, Candidate as SearchCandidate, Found, Mark, Order, Raw, Search, Spot, Worded};

/// What every method gives: a result some time later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store cannot do it. Expected outcomes (a lost lease, a known item) are values, not errors.
#[derive(thiserror::Error, Debug)]
pub enum StoreError {
    /// The file is no database, or not one of Feedmill's.
    #[error(
        "{path} is not a Feedmill database: {cause}. It was left as it is. Name another file in [storage] database, or move this one away."
    )]
    Foreign {
        /// The file.
        path: String,
        /// How one can tell.
        cause: String,
    },
    /// The file is damaged.
    #[error(
        "the database {path} is damaged: {cause}. It was left as it is. Restore a backup (`feedmill restore FILE`), or move the file away to start anew."
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What the check said.
        cause: String,
    },
    /// A newer program wrote it.
    #[error(
        "the database {path} has version {found}, and this program knows versions up to {known}. It was left as it is. Install the newer program again."
    )]
    Newer {
        /// The file.
        path: String,
        /// The version of the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Another daemon holds it.
    #[error(
        "the database {path} is held by another feedmill daemon{holder}. Stop that one first, or use commands that talk to it."
    )]
    Held {
        /// The file.
        path: String,
        /// ` (process 123)`, where it is known.
        holder: String,
    },
    /// It does not exist, and this command creates none.
    #[error("there is no database at {path}. `feedmill run` or `feedmill poll` creates one.")]
    Missing {
        /// The file.
        path: String,
    },
    /// It cannot be opened or written.
    #[error("the database {path} cannot be used: {cause}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// It broke while it was in use, and is left alone from now on.
    #[error(
        "the database {path} is left alone from now on: {cause}. Start again, which checks it; see that its disk is sound."
    )]
    Broken {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A statement failed; the transaction was rolled back.
    #[error("the database failed: {0}")]
    Failed(String),
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

/// A feed as the configuration has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its address.
    pub url: Address,
    /// The title that the configuration gives it.
    pub title: Option<Arc<str>>,
    /// Whether it is polled.
    pub enabled: bool,
    /// Whether it is asked with credentials or headers of its own, or private: then it is made one with no other feed.
    pub own_headers: bool,
    /// Whether nothing of it is shown to just anybody.
    pub private: bool,
}

/// A stream as the configuration has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// The text of everything that its membership depends on: a change means that it is filled anew.
    pub definition: String,
}

/// Some of the stored items, held against the query of a stream that is to be filled.
#[derive(Clone, Debug)]
pub struct Fill {
    /// The stream.
    pub stream: StreamId,
    /// Those that belong there.
    pub enter: Vec<ItemId>,
    /// Those that were there and do not belong there.
    pub leave: Vec<ItemId>,
    /// The stream's last number when the fill began: what has a higher one entered by the query of now, and stays.
    pub upto: i64,
}

/// Everything that the configuration says is followed, published and called.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscriptions {
    /// The feeds.
    pub feeds: Vec<FeedSpec>,
    /// The streams, without `all`.
    pub streams: Vec<StreamSpec>,
    /// The names of the webhooks.
    pub webhooks: Vec<String>,
}

/// The rows that stand for what the configuration says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Registry {
    /// In the order of the subscriptions: the feed's row, and when it is due (`None`: gone).
    pub feeds: Vec<(FeedId, Option<Timestamp>)>,
    /// In the order of the subscriptions: the stream's row, and whether it has to be filled from what is stored.
    pub streams: Vec<(StreamId, bool)>,
    /// In the order of the subscriptions.
    pub webhooks: Vec<WebhookId>,
    /// Which feeds became one by this, and which did so no longer.
    pub unions: Unions,
}

/// Feeds that became one because they led to one address, and feeds that are on their own again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unions {
    /// The feed that is asked no more, and the one that is asked in its place.
    pub joined: Vec<(FeedId, FeedId)>,
    /// They are due.
    pub parted: Vec<FeedId>,
}

/// A feed that is ours to poll until the lease ends.
#[derive(Clone, PartialEq, Debug)]
pub struct FeedLease {
    /// The feed.
    pub feed: FeedId,
    /// Proves that the lease is still ours.
    pub token: u64,
    /// What is remembered of it.
    pub state: Box<FeedState>,
    /// Feeds in whose place it is asked: what it brings, they bring.
    pub also: Vec<FeedId>,
}

/// A permanent redirect that was followed to a feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// 301 or 308; `None`: the way back, for there is no feed any more where it had moved.
    pub status: Option<u16>,
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
}

/// Whom a stream calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The webhook.
    pub webhook: WebhookId,
    /// For items that enter.
    pub new: bool,
    /// For items that are edited.
    pub updated: bool,
    /// The stream has a token: it calls about stories of private feeds, too.
    pub private: bool,
}

/// Whom each stream calls; those that call nobody are left out. `None` stands for `all`.
pub type Routes = HashMap<Option<StreamId>, Vec<Route>>;

/// How a poll ended.
#[allow(clippy::large_enum_variant, reason = "one is made a poll, and taken apart at once")]
#[derive(Clone, PartialEq, Debug)]
pub enum PollResult {
    /// A document was read.
    Loaded {
        /// What it says of itself.
        info: Box<FeedInfo>,
        /// Its entries, in document order.
        candidates: Vec<Candidate>,
        /// Store them without calling webhooks: a new feed's back catalogue.
        quiet: bool,
        /// What the feed's guids and links are worth, if the document has shown something new.
        habits: Option<Habits>,
        /// How often it wants to be asked for, if that is not what it said before.
        cadence: Option<Box<Cadence>>,
        /// The validators that stand for it from now on.
        validators: Option<Validators>,
        /// Hash of its bytes.
        body_hash: u64,
        /// A permanent redirect on the way to it.
        redirect: Option<Redirect>,
    },
    /// 304, or the same bytes again.
    NotModified {
        /// The validators that stand for it from now on, or none; `None`: those that are there stay.
        validators: Option<Option<Validators>>,
        /// A permanent redirect on the way to it.
        redirect: Option<Redirect>,
    },
    /// It failed.
    Failed(PollError),
    /// 410.
    Gone(PollError),
}

/// A finished poll, to be committed whole.
#[derive(Clone, PartialEq, Debug)]
pub struct PollCommit {
    /// The feed.
    pub feed: FeedId,
    /// The lease's token: with a lost lease nothing is changed.
    pub token: u64,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub result: PollResult,
    /// When to ask next.
    pub next: NextPoll,
    /// Who is told if the feed breaks or recovers by this.
    pub alerts: Arc<[WebhookId]>,
}

/// What a commit did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommitReport {
    /// Items stored.
    pub new: u32,
    /// Items revised.
    pub changed: u32,
    /// Sightings of known items added.
    pub sighted: u32,
    /// Deliveries enqueued.
    pub deliveries: u32,
    /// The lease was lost: nothing was changed.
    pub lost: bool,
    /// Which feeds became one by this, and which did so no longer.
    pub unions: Unions,
}

/// How many deliveries of a webhook may be leased now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// The webhook.
    pub webhook: WebhookId,
    /// At most so many.
    pub most: u32,
    /// The oldest that is owed, before any other: one at a time.
    pub strict: bool,
}

/// Which deliveries are sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    /// Of this webhook.
    pub webhook: String,
    /// Enqueued at this time or later.
    pub since: Timestamp,
    /// Enqueued before this time.
    pub until: Timestamp,
    /// Those that succeeded, too.
    pub all: bool,
}

/// What is to be done with a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookOrder {
    /// Nothing is sent until it is resumed; what it is owed is held.
    Pause,
    /// It is called again, and the schedule of what is held begins anew.
    Resume,
    /// What it is owed is given up.
    Drop,
}

/// What is to be done with a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeedOrder {
    /// It is asked by hand only, until it is resumed.
    Pause,
    /// It is asked by its schedule again, and now.
    Resume,
}

/// What an order to a feed did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedOrdered {
    /// The feed.
    pub feed: FeedId,
    /// When it is due now; `None`: not on its own.
    pub due: Option<Timestamp>,
    /// Which feeds became one by this, and which did so no longer.
    pub unions: Unions,
}

/// A step of sending deliveries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// How many are due by it.
    pub count: u64,
    /// Where the next step begins.
    pub next: Option<DeliveryId>,
}

/// Deliveries that were leased.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Leased {
    /// They are ours now.
    pub deliveries: Vec<DeliveryLease>,
    /// When the next one of the wanted webhooks that was not leased is due.
    pub next_at: Option<Timestamp>,
}

/// Where a page of items begins: after this item in the order of streams (newest first, then by row).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Its effective date.
    pub effective_at: Timestamp,
    /// Its row.
    pub item: ItemId,
}

/// What a page of a stream is asked by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// The stream; `None`: `all`.
    pub stream: Option<StreamId>,
    /// At most so many items.
    pub limit: u32,
    /// Older than this one.
    pub before: Option<Cursor>,
}

/// A page of a stream, newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins, if there is more.
    pub next: Option<Cursor>,
    /// When the stream last changed as readers see it; `None`: never.
    pub changed_at: Option<Timestamp>,
}

/// Which page of a stream by the order in which items entered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveRequest {
    /// The stream; `None`: `all`.
    pub stream: Option<StreamId>,
    /// Which of the full ones, from 1; `None`: the one that is being filled.
    pub number: Option<u64>,
    /// Places of a page. It must never change.
    pub size: u32,
    /// Items that who asks has already.
    pub but: Vec<ItemId>,
}

/// A page of a stream by the order in which items entered it. What entered a full one is what it has for good, but for
/// items that were absorbed by others, left the stream or went with retention.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Archive {
    /// The items, newest first.
    pub items: Vec<Item>,
    /// The last page before it that has any.
    pub earlier: Option<u64>,
    /// The next full page that has any.
    pub later: Option<u64>,
}

/// What the log of changes says, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// The last line that was looked at.
    pub upto: i64,
    /// Lines, items, and whether the item was edited rather than new.
    pub changes: Vec<(i64, ItemId, bool)>,
}

/// The clean HTML of an item, made at its first publication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleaned {
    /// Which item.
    pub item: ItemId,
    /// Which revision of it.
    pub revision: u32,
    /// The HTML.
    pub clean: Clean,
}

/// A feed as it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct FeedStatus {
    /// The row.
    pub feed: FeedId,
    /// Its name.
    pub name: String,
    /// Its configured address.
    pub url: String,
    /// What its document says of itself, the configured title put in place.
    pub info: FeedInfo,
    /// What is remembered of it.
    pub state: FeedState,
    /// Items that it carried.
    pub items: u64,
    /// Where it moved, newest first, at most [`FeedStatus::MOVES`].
    pub moves: Vec<Move>,
    /// The feed that is asked in its place.
    pub merged: Option<Merged>,
}

impl FeedStatus {
    /// How much of the history of moves is given.
    pub const MOVES: usize = 20;
}

/// How the store itself is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreHealth {
    /// Items stored.
    pub items: u64,
    /// Deliveries that are owed.
    pub owed: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// When the oldest delivery that is owed was enqueued.
    pub oldest_owed: Option<Timestamp>,
    /// Webhooks that are configured, by state: active, slowed, paused, disabled.
    pub webhooks: [u64; 4],
    /// Size of the database on disk, in bytes.
    pub size_bytes: u64,
    /// What is in the way of writes for now, a full disk for example; `None`: nothing.
    pub hindrance: Option<String>,
}

/// Who this installation is: made when the database was, and never again. The ids that it mints and the
/// ids of its feeds hang on it, so that they do not depend on where it is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// 26 letters and digits.
    pub id: String,
    /// The authority and date of its `tag:` URIs (RFC 4151), `example.org,2026-11-24`.
    pub tagging: String,
}

/// The store. Every method is one use case.
pub trait Store: Send + Sync + 'static {
    /// Who this installation is.
    fn instance(&self) -> Instance;

    /// The same store as anybody may see it: private feeds, their stories and their sightings of others' stories do not exist in
    /// what it gives.
    fn public(&self) -> Arc<dyn Store>;

    /// Makes the rows agree with the configuration: a feed is the same one if its URL is, else if its name
    /// is, else it is new. Feeds that are no longer named are no longer polled; their items stay.
    fn apply_subscriptions(&self, subscriptions: Subscriptions, now: Timestamp) -> Pending<'_, Registry>;

    /// Leases feeds until `until`; those that are leased already are left out.
    fn lease_due_feeds(&self, feeds: Vec<FeedId>, now: Timestamp, until: Timestamp) -> Pending<'_, Vec<FeedLease>>;

    /// Gives a leased feed back untouched: it was not asked.
    fn release_feed(&self, feed: FeedId, token: u64) -> Pending<'_, ()>;

    /// Keeps due times that were reckoned anew at `now`, after the configuration or the clock has changed, or while our
    /// own network is down. What was remembered of a later time than `now` is moved to it.
    fn keep_due(&self, due: Vec<(FeedId, NextPoll)>, now: Timestamp) -> Pending<'_, ()>;

    /// Pauses a feed or resumes it. It stays so whatever the configuration becomes, for as long as the feed is the same one.
    /// `None`: no feed of that name is followed.
    fn order_feed(&self, name: String, order: FeedOrder, now: Timestamp) -> Pending<'_, Option<FeedOrdered>>;

    /// The names of feeds that are paused by hand.
    fn paused_feeds(&self) -> Pending<'_, Vec<String>>;

    /// Stores a finished poll in one transaction: items, sightings, stream membership, deliveries owed,
    /// validators, next due time. Ends the lease.
    fn commit_poll(&self, poll: PollCommit, judge: Arc<dyn Judge>, routes: Arc<Routes>) -> Pending<'_, CommitReport>;

    /// Stores finished polls that brought no document (304, a failure, 410), many in one transaction: validators,
    /// errors, next due times, and what the operator is owed if a feed breaks or recovers by that. Ends their leases. The reports are in the order of the polls.
    fn commit_quiet(&self, polls: Vec<PollCommit>) -> Pending<'_, Vec<CommitReport>>;

    /// Leases deliveries that are due, oldest first, until `until`. Leases that ran out are taken over. If `now` is before
    /// what was now at the last call, or lies behind what the database remembers, the clock was put back: spans stay spans.
    fn lease_deliveries(&self, wants: Vec<Want>, now: Timestamp, until: Timestamp) -> Pending<'_, Leased>;

    /// Keeps the body of a delivery before its first attempt. A body that is there already stays.
    fn keep_bodies(&self, bodies: Vec<(DeliveryId, Vec<u8>)>) -> Pending<'_, ()>;

    /// Ends an attempt: the log, and what follows for the delivery and its webhook. `None`: the lease was lost, nothing
    /// was changed.
    fn settle_delivery(&self, settlement: Settlement) -> Pending<'_, Option<Settled>>;

    /// Gives a leased delivery back untouched: no attempt was made.
    fn release_delivery(&self, delivery: DeliveryId, token: u64) -> Pending<'_, ()>;

    /// Tells the operator of a webhook, by a delivery to each of `alerts` but itself; of one kind once a day. Gives how
    /// many were enqueued.
    fn tell_of_webhook(&self, webhook: WebhookId, alert: HookAlert, alerts: Arc<[WebhookId]>) -> Pending<'_, u32>;

    /// Does something with a webhook: how many deliveries it concerns, and, if there are more than it does at a time,
    /// that it is to be asked again. `None`: there is no webhook of that name, configured or owed anything.
    fn order_webhook(&self, name: String, order: HookOrder, now: Timestamp) -> Pending<'_, Option<(u64, bool)>>;

    /// Makes deliveries that were given up (or all) due again, under their old ids and with their old bodies: a step
    /// from behind `after`. Gives how many, and where the next step begins, if there is one. `None`: there is no webhook
    /// of that name.
    fn replay(&self, replay: Replay, after: Option<DeliveryId>, now: Timestamp) -> Pending<'_, Option<Replayed>>;

    /// A page of a stream.
    fn stream_page(&self, request: PageRequest) -> Pending<'_, Page>;

    /// A number that grows with each commit that changes what a stream's documents show; of the configuration it knows nothing.
    fn stream_version(&self, stream: StreamId) -> Pending<'_, i64>;

    /// A page of a stream with at most `per_feed` items of each main feed; the others are passed over.
    fn shared_page(&self, request: PageRequest, per_feed: u32) -> Pending<'_, Page>;

    /// A page of a stream by the order in which items entered it; `None`: there is no such page, or it is not full yet.
    fn archive(&self, request: ArchiveRequest) -> Pending<'_, Option<Archive>>;

    /// One item.
    fn item(&self, item: ItemId) -> Pending<'_, Option<Item>>;

    /// Those of these items that are shown, in this order.
    fn items(&self, items: Vec<ItemId>) -> Pending<'_, Vec<Item>>;

    /// Looks for items that may meet a query, by the full-text index and with all that is not in it yet: none that
    /// does is left out, unless the time was over.
    fn search(&self, search: Search) -> Pending<'_, Found>;

    /// How many items are shown that have an effective date from `since` on.
    fn count_since(&self, since: Option<Timestamp>) -> Pending<'_, u64>;

    /// How many items that are shown have an effective date on each of the last `days` UTC days, that of `now` last.
    fn days(&self, now: Timestamp, days: u32) -> Pending<'_, Vec<u64>>;

    /// What came and was edited after a line of the log of changes, up to some hundred lines at a time; `None`, or a line that is
    /// not there yet: nothing, but where the log ends.
    fn news(&self, after: Option<i64>) -> Pending<'_, News>;

    /// What the full-text index has to take up next: at most `limit` items.
    fn unindexed(&self, limit: u32) -> Pending<'_, Backlog>;

    /// Takes the words of a backlog up into the full-text index, whole or not at all: from where it began to where it
    /// ends. False: the index stands elsewhere by now, nothing was changed.
    fn index(&self, words: Vec<Worded>, from: Mark, to: Mark) -> Pending<'_, bool>;

    /// Everything that is written down about one story, or what is known of one that is not stored.
    fn trace(&self, by: TraceBy) -> Pending<'_, Traced>;

    /// Keeps clean HTML; what is of another revision by now is left out.
    fn keep_clean(&self, cleaned: Vec<Cleaned>) -> Pending<'_, ()>;

    /// The last number that each of the streams gave to an item that entered it.
    fn last_seqs(&self, streams: Vec<StreamId>) -> Pending<'_, Vec<i64>>;

    /// Stored items enter and leave streams that are new or have changed, at `at`, without calling webhooks. `done` marks
    /// the streams as filled.
    fn fill_streams(&self, parts: Vec<Fill>, done: bool, at: Timestamp) -> Pending<'_, ()>;

    /// The feeds that are followed, by name. All of them at once: for who shows them, not for what happens by itself.
    fn feed_status(&self) -> Pending<'_, Vec<FeedStatus>>;

    /// What is remembered of feeds that are followed, in the order of their rows, `limit` of them from behind `after`.
    fn feed_states(&self, after: Option<FeedId>, limit: u32) -> Pending<'_, Vec<(FeedId, FeedState)>>;

    /// The names of feeds that are one with another one, and of that one, which is asked in their place.
    fn merged_feeds(&self) -> Pending<'_, Vec<(String, String)>>;

    /// How many of the feeds that are followed are in each state.
    fn feed_health(&self, now: Timestamp) -> Pending<'_, Vec<(Health, u64)>>;

    /// The webhooks, by name, those included that are no longer configured but have deliveries owed.
    fn webhook_status(&self) -> Pending<'_, Vec<WebhookStatus>>;

    /// Deliveries, newest first, older than `before`, of one webhook or state if asked.
    fn deliveries(
        &self,
        webhook: Option<String>,
        state: Option<DeliveryState>,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Pending<'_, Vec<DeliveryStatus>>;

    /// One delivery by its `webhook-id`, with its log.
    fn delivery(&self, message_id: String) -> Pending<'_, Option<DeliveryStatus>>;

    /// Keeps aliases that were learnt from the web, each if it may be believed; two stored items become one. Calls no
    /// webhook. `version`: of the rules that made the keys.
    fn learn_aliases(&self, learnt: Vec<Learnt>, version: i64, now: Timestamp) -> Pending<'_, Vec<Learned>>;

    /// Parts an item from the one that absorbed it, and gives that one; `None`: it was not absorbed. Calls no webhook;
    /// the two are not merged again by themselves.
    fn unmerge(&self, absorbed: ItemId, now: Timestamp) -> Pending<'_, Option<ItemId>>;

    /// Merges, newest first: those of one item, or all.
    fn merges(&self, item: Option<ItemId>, limit: u32) -> Pending<'_, Vec<MergeStatus>>;

    /// A step of making the keys of stored items anew after the rules changed to `version`: at most `limit` items,
    /// newest first. Where two items get one key they become one. Calls no webhook.
    fn rekey(&self, maker: Arc<Keymaker>, version: i64, limit: u32, now: Timestamp) -> Pending<'_, Rekeyed>;

    /// Looks through a page of recent items, newest first, for links on short hosts, and puts them on the list.
    fn hunt_links(&self, hunt: Hunt, now: Timestamp) -> Pending<'_, Hunted>;

    /// Short links on the list that are due, at most `limit`.
    fn unresolved(&self, now: Timestamp, limit: u32) -> Pending<'_, Unresolved>;

    /// Keeps what became of following a link, as one more try.
    fn keep_resolution(&self, resolution: Resolution, now: Timestamp) -> Pending<'_, ()>;

    /// Counts and size; fails if the database does not answer.
    fn health(&self) -> Pending<'_, StoreHealth>;

    /// One step of retention: bodies that were kept for long enough go, what is needed to know the stories again
    /// stays for good. A run is a chain of steps; each holds the writer for some milliseconds and leaves the rest
    /// to the next.
    fn keep(&self, rules: Arc<KeepRules>, at: KeepCursor) -> Pending<'_, KeepStep>;

    /// What the feeds take, as retention measured it last: `limit` of them, the largest first.
    fn feed_sizes(&self, limit: u32) -> Pending<'_, FeedSizes>;

    /// The whole database in numbers, and the `feeds` largest feeds. Reads every page: for a person who asks, not for a page that is asked often.
    fn anatomy(&self, feeds: u32, now: Timestamp) -> Pending<'_, Anatomy>;

    /// A number that grows with each commit that changes what is published: unchanged number, unchanged pages.
    fn version(&self) -> u64;

    /// Waits, for ever if all goes well, until the store must not be used any more, and fails with the reason: the
    /// process ends then.
    fn broken(&self) -> Pending<'_, ()>;

    /// Finishes what was begun, writes everything to the file and closes it.
    fn close(&self) -> Pending<'_, ()>;
}
