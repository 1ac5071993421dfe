//! The entries of a feed's last load, in one row: what stands there just as it was costs the same however much is stored.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::hash::Hasher;
use super::known::Place;
use super::{Result, items};
use crate::domain::decision::Candidate;
use crate::domain::feed::FeedId;
use crate::domain::item::Entry;

/// Of longer documents, the rest is looked up.
pub(super) const LONGEST: usize = 2_000;

/// One entry as it was seen: what it is known by, its key, its words, its files.
pub(super) type Digest = [u8; 16];

/// The last load, or this one.
#[derive(Default)]
pub(super) struct Listing(HashSet<Digest>);

impl Listing {
    pub(super) fn read(db: &Connection, feed: FeedId) -> Result<Self> {
        let entries: Option<Vec<u8>> = db
            .prepare_cached("SELECT entries FROM listing WHERE feed_id = ?1")?
            .query_row([feed.0], |row| row.get(0))
            .optional()?;
        Ok(Self(entries.unwrap_or_default().chunks_exact(16).filter_map(|digest| digest.try_into().ok()).collect()))
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.0.contains(digest)
    }

    /// Keeps the digests of this load in place of these, if they differ.
    pub(super) fn replace(&self, db: &Connection, feed: FeedId, digests: &[Digest]) -> Result<()> {
        let mut now: Vec<Digest> = digests.iter().take(LONGEST).copied().collect();
        now.sort_unstable();
        now.dedup();
        if now.len() == self.0.len() && now.iter().all(|digest| self.has(digest)) {
            return Ok(());
        }
        db.prepare_cached(
            "INSERT INTO listing VALUES (?1, ?2) ON CONFLICT (feed_id) DO UPDATE SET entries = excluded.entries",
        )?
        .execute(params![feed.0, now.concat()])?;
        Ok(())
    }
}

/// Whatever a decision hangs on is in it, and the files, so that an entry with the digest of the last load is the same. `ignored`: the query
/// because of which it is not kept.
pub(super) fn digest(hasher: Hasher, place: &Place, candidate: &Candidate, ignored: Option<&str>) -> Digest {
    let mut all = [0_u8; 32];
    let (entry, rest) = all.split_at_mut(16);
    let (key, print) = rest.split_at_mut(8);
    entry.copy_from_slice(&place.entry_hash);
    key.copy_from_slice(&place.key_hash.to_be_bytes());
    print.copy_from_slice(&candidate.fingerprint.pack().to_be_bytes());
    let Entry { enclosures, image, extras, .. } = &candidate.entry;
    match (items::files(enclosures, image.as_deref(), &extras.media), ignored) {
        (None, None) => hasher.long_of(&all),
        (files, query) => {
            hasher.long_of(&[&all, files.unwrap_or_default().as_slice(), query.unwrap_or_default().as_bytes()].concat())
        }
    }
}
