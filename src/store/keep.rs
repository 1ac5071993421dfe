//! What retention is asked with and what it answers: the types of [`Store::keep`](super::Store::keep).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::feed::{ByFeed, FeedId};
use crate::domain::time::Timestamp;

/// How long things are kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeepRules {
    /// By the wall clock. Retention has a clock of its own, which follows this one by a day a run at the most: a
    /// wall clock that steps a year ahead takes nothing with it.
    pub now: Timestamp,
    /// How long bodies are kept; `None`: for ever.
    pub keep: Option<Duration>,
    /// Feeds that have it otherwise. A story is kept as long as the most patient of the feeds that carry it.
    pub feeds: ByFeed<Option<Duration>>,
    /// The largest size of what is used of the file; above it the oldest bodies go, whatever else is said.
    pub max_bytes: Option<u64>,
}

impl KeepRules {
    /// How long a feed keeps its stories.
    #[must_use]
    pub fn of(&self, feed: FeedId) -> Option<Duration> {
        self.feeds.get(&feed).copied().unwrap_or(self.keep)
    }
}

/// Where a run stands. A run begins at the default one and goes on with what each step gives.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KeepCursor(pub(super) Stage);

/// The stages of a run, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Stage {
    /// Sets retention's clock.
    #[default]
    Begin,
    /// Deliveries that were settled long ago.
    Log { clock: i64 },
    /// The log of changes.
    Changes { clock: i64 },
    /// Bodies by age: the stories of this feed after this age and row.
    Age { clock: i64, feed: i64, after: (i64, i64) },
    /// Snapshots that no body names.
    Sources { after: i64 },
    /// Bodies by size.
    Size,
    /// Free pages go back to the system.
    Vacuum,
    /// How large is what, if that was not asked for long.
    Measure(Measure),
    /// The measured sizes are written, those of feeds after this one.
    Sizes { sizes: BTreeMap<i64, Size>, after: i64 },
}

/// Sizes that are being summed up, and the place up to where.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Measure {
    pub(super) part: Part,
    pub(super) sizes: BTreeMap<i64, Size>,
}

/// The table that is being summed up.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Part {
    Bodies(i64),
    Sightings(i64, Vec<u8>),
    Past(i64, Vec<u8>),
}

impl Default for Measure {
    fn default() -> Self {
        Self { part: Part::Bodies(0), sizes: BTreeMap::new() }
    }
}

/// What one feed takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Size {
    pub(super) stories: u64,
    pub(super) body_bytes: u64,
    pub(super) entries: u64,
    pub(super) identity_bytes: u64,
}

/// What a step did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KeepStep {
    /// How the run goes on; `None`: it is done.
    pub next: Option<KeepCursor>,
    /// What was done.
    pub done: KeepCounts,
    /// Rows that the transaction was given: never more than [`KEEP_ROWS`].
    pub rows: u32,
}

/// Rows that a step works on in one transaction, at the most; it ends earlier when its time is over.
pub const KEEP_ROWS: u32 = 50;

/// What retention did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeepCounts {
    /// Bodies that went.
    pub bodies: u64,
    /// Items of which only hashes are left.
    pub past: u64,
    /// Deliveries that are no longer remembered.
    pub deliveries: u64,
    /// Lines of the log of changes.
    pub changes: u64,
    /// Snapshots of feeds.
    pub sources: u64,
    /// Pages that went back to the system.
    pub pages: u64,
    /// By how much retention's clock is behind the wall clock, in milliseconds.
    pub behind_ms: u64,
}

impl std::ops::AddAssign for KeepCounts {
    fn add_assign(&mut self, other: Self) {
        self.bodies += other.bodies;
        self.past += other.past;
        self.deliveries += other.deliveries;
        self.changes += other.changes;
        self.sources += other.sources;
        self.pages += other.pages;
        self.behind_ms = self.behind_ms.max(other.behind_ms);
    }
}

/// What one feed takes of the database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedSize {
    /// Its name; of a feed that is no longer followed, its address.
    pub name: String,
    /// Whether it is still followed.
    pub followed: bool,
    /// Stories with a body that are published from it.
    pub stories: u64,
    /// Their bodies.
    pub body_bytes: u64,
    /// Entries that it ever carried.
    pub entries: u64,
    /// What is kept of them to know them by, about.
    pub identity_bytes: u64,
}

/// What the feeds take, measured some time ago.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FeedSizes {
    /// When; absent: not yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub measured_at: Option<Timestamp>,
    /// The largest first.
    pub feeds: Vec<FeedSize>,
    /// Feeds that were left out.
    pub more: u64,
}

/// The database in numbers, measured now: every page is looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Anatomy {
    /// The version of its schema.
    pub version: i64,
    /// The version that this program writes.
    pub newest_version: i64,
    /// The file without its log.
    pub size_bytes: u64,
    /// What of it is free.
    pub free_bytes: u64,
    /// Stories that are shown.
    pub stories: u64,
    /// Items that are known, past ones included.
    pub items: u64,
    /// Of these, those of which only hashes are left.
    pub past: u64,
    /// What it takes to know items again, with indexes and without bodies.
    pub identity_bytes: u64,
    /// What it takes to know past items again.
    pub past_bytes: u64,
    /// The newest time that the database has seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest: Option<Timestamp>,
    /// Retention's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keep_clock: Option<Timestamp>,
    /// Tables and indexes with their bytes, the largest first.
    pub tables: Vec<TableSize>,
    /// The feeds.
    pub feeds: FeedSizes,
}

/// What a table or an index takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Its pages.
    pub size_bytes: u64,
}
