//! Stories that were found to be one, as the API and the command line show them, and parting them again.

use serde::{Deserialize, Serialize};

use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;
use crate::store::{MergeStatus, Store, StoreError};

/// Merges of one item that are looked at to find the one that is meant.
const LOOKED_AT: u32 = 1_000;

/// `GET /api/v1/merges`: newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MergeList {
    /// The merges.
    pub merges: Vec<MergeShape>,
}

/// Two items that were made one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MergeShape {
    /// The item that was kept.
    pub item: i64,
    /// The item that it absorbed: the number that parts them again.
    pub absorbed: i64,
    /// When.
    pub at: Timestamp,
    /// By what: `redirect`, `canonical`, `origlink`, `rules`.
    pub reason: String,
    /// When they were parted again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undone_at: Option<Timestamp>,
    /// The title of the kept item.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Its link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The link of the absorbed item.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub absorbed_url: Option<String>,
}

/// What was parted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnmergeReport {
    /// How many pairs: one.
    pub count: usize,
    /// The item that stands by itself again.
    pub item: i64,
    /// The item that it is parted from.
    pub from: i64,
}

/// Why nothing was parted.
#[derive(thiserror::Error, Debug)]
pub enum UnmergeError {
    /// There is nothing to part.
    #[error(
        "Item {0} has not been made one with another, or was parted again. `feedmill items merges` lists what was."
    )]
    NotMerged(i64),
    /// The item absorbed several.
    #[error("Item {item} has absorbed several: name the one that is to stand by itself: {}.", listed(absorbed))]
    Several {
        /// The item.
        item: i64,
        /// What it absorbed.
        absorbed: Vec<i64>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(items: &[i64]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Merges, newest first: those of one item, or all.
///
/// # Errors
/// The store does not answer.
pub async fn list(store: &dyn Store, item: Option<i64>, limit: u32) -> Result<MergeList, StoreError> {
    let merges = store.merges(item.map(ItemId), limit).await?;
    Ok(MergeList { merges: merges.into_iter().map(shape).collect() })
}

fn shape(merge: MergeStatus) -> MergeShape {
    MergeShape {
        item: merge.kept.0,
        absorbed: merge.absorbed.0,
        at: merge.at,
        reason: merge.reason,
        undone_at: merge.undone_at,
        title: merge.title,
        url: merge.kept_link,
        absorbed_url: merge.absorbed_link,
    }
}

/// Parts two items that are one. `item`: the absorbed one, or the kept one where it absorbed one only.
///
/// # Errors
/// Why nothing was parted.
pub async fn unmerge(store: &dyn Store, item: i64, now: Timestamp) -> Result<UnmergeReport, UnmergeError> {
    let merges = store.merges(Some(ItemId(item)), LOOKED_AT).await?;
    let standing = || merges.iter().filter(|merge| merge.undone_at.is_none());
    let absorbed = if standing().any(|merge| merge.absorbed.0 == item) {
        ItemId(item)
    } else {
        let all: Vec<ItemId> = standing().map(|merge| merge.absorbed).collect();
        match all.as_slice() {
            [] => return Err(UnmergeError::NotMerged(item)),
            [one] => *one,
            _ => return Err(UnmergeError::Several { item, absorbed: all.iter().map(|item| item.0).collect() }),
        }
    };
    let from = store.unmerge(absorbed, now).await?.ok_or(UnmergeError::NotMerged(item))?;
    Ok(UnmergeReport { count: 1, item: absorbed.0, from: from.0 })
}
