//! Documents whose reading was begun and never ended: a parser that brings the process down, or never comes back, must
//! not do so at every start.
//!
//! A small file beside the database, a row a feed: it is written before a document is read and cleared after. It is not
//! synced: it has to outlive the process, not the power.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::feed::FeedId;
use crate::domain::time::Timestamp;

/// So often a document may have been the last thing that was read before the feed is held.
const MOST: u32 = 3;
/// A feed that is held is tried again after this, and after sixteen times as long each time that it was to blame again, a day at the
/// most: a process that was killed from outside looks the same, and must not cost an innocent feed its stories.
const HELD: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a row: feed, time of the last begin in milliseconds, begun and not ended, spare.
const ROW: usize = 24;
/// More feeds than this are not remembered; so many are never read at a time.
const MOST_ROWS: usize = 4096;

/// What is known of readings. Without a file, for commands, nothing outlives the process.
#[derive(Default)]
pub(super) struct Poison {
    file: Option<File>,
    rows: Mutex<Vec<Row>>,
    /// Held while a document is read that may have ended the process before.
    alone: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Row {
    feed: i64,
    at_ms: i64,
    /// Readings that were begun and have not ended. 0: the row is free.
    begun: u32,
    /// One of them goes on in this process.
    on: bool,
}

/// A document that is being read; dropped when it is not any more, by a panic too.
pub(super) struct Reading(Arc<Poison>, FeedId);

impl Poison {
    /// Reads the file, or makes it.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len().min(u64::try_from(ROW * MOST_ROWS).unwrap_or(u64::MAX));
        let mut rows = vec![0_u8; usize::try_from(bytes).unwrap_or(0) / ROW * ROW];
        file.read_exact_at(&mut rows, 0)?;
        let rows = rows.chunks_exact(ROW).map(Row::read).collect();
        Ok(Self { file: Some(file), rows: Mutex::new(rows), alone: tokio::sync::Mutex::default() })
    }

    /// Waits until no other suspect is read, if the feed is one: more than one document may be read when the process ends,
    /// and those that are innocent are told apart by being read without the others.
    pub(super) async fn turn(&self, feed: FeedId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let suspect = {
            let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.iter().any(|row| row.begun > 0 && !row.on && row.feed == feed.0)
        };
        if suspect { Some(self.alone.lock().await) } else { None }
    }

    /// Remembers that a feed's document is being read.
    ///
    /// # Errors
    /// A sentence: it is held, or the last one is being read still.
    pub(super) fn begin(self: &Arc<Self>, feed: FeedId, now: Timestamp) -> Result<Reading, String> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rows.iter().position(|row| row.begun > 0 && row.feed == feed.0);
        let before = known.and_then(|at| rows.get(at).copied()).unwrap_or_default();
        if before.on {
            return Err("its last document is being read still, after a minute and more; please report this feed. A \
                        restart ends that"
                .to_owned());
        }
        let again = Timestamp::from_ms(before.at_ms).plus(held(before.begun));
        // A time that lies ahead is of a clock that was put back since.
        if now < again && before.at_ms <= now.as_ms() {
            return Err(format!(
                "Feedmill ended {} times while it read this feed's document, which is not read before {again}; please \
                 report this feed",
                before.begun
            ));
        }
        let at = known.or_else(|| rows.iter().position(|row| row.begun == 0)).unwrap_or(rows.len());
        if at < MOST_ROWS {
            if at == rows.len() {
                rows.push(Row::default());
            }
            let row = Row { feed: feed.0, at_ms: now.as_ms(), begun: before.begun.saturating_add(1), on: true };
            self.put(&mut rows, at, row);
        }
        Ok(Reading(Arc::clone(self), feed))
    }

    fn end(&self, feed: FeedId) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = rows.iter().position(|row| row.begun > 0 && row.feed == feed.0) {
            self.put(&mut rows, at, Row::default());
        }
    }

    /// A disk that does not take it is no reason not to read.
    fn put(&self, rows: &mut [Row], at: usize, row: Row) {
        if let Some(place) = rows.get_mut(at) {
            *place = row;
        }
        let offset = u64::try_from(at * ROW).unwrap_or(u64::MAX);
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.write_all_at(&row.bytes(), offset)) {
            tracing::debug!(%error, "what is being read could not be written down");
        }
    }
}

/// How long a feed is held that has ended the process so often.
fn held(times: u32) -> Duration {
    let Some(beyond) = times.checked_sub(MOST) else { return Duration::ZERO };
    HELD.saturating_mul(16_u32.saturating_pow(beyond)).min(LONGEST)
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

impl Row {
    fn read(bytes: &[u8]) -> Self {
        let part = |from: usize| bytes.get(from..from + 8).and_then(|b| b.try_into().ok()).unwrap_or([0; 8]);
        let begun = u64::from_le_bytes(part(16));
        Self {
            feed: i64::from_le_bytes(part(0)),
            at_ms: i64::from_le_bytes(part(8)),
            begun: u32::try_from(begun).unwrap_or(0),
            on: false,
        }
    }

    fn bytes(self) -> [u8; ROW] {
        let mut bytes = [0; ROW];
        for (place, part) in bytes.chunks_exact_mut(8).zip([
            self.feed.to_le_bytes(),
            self.at_ms.to_le_bytes(),
            u64::from(self.begun).to_le_bytes(),
        ]) {
            place.copy_from_slice(&part);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Arc<Poison> {
        Arc::new(Poison::open(path).unwrap())
    }

    /// As if the process had ended there.
    fn dies(poison: &Arc<Poison>, feed: FeedId, now: Timestamp) {
        std::mem::forget(poison.begin(feed, now).ok().unwrap());
    }

    #[test]
    fn a_clock_that_was_put_back_holds_nobody_until_the_old_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.reading");
        let now = Timestamp::from_secs(1_000_000);
        (0..3).for_each(|_| dies(&open(&path), FeedId(7), now));
        assert!(open(&path).begin(FeedId(7), now).is_err());
        assert!(open(&path).begin(FeedId(7), now.minus(LONGEST)).is_ok());
    }

    #[test]
    fn a_feed_that_ends_the_process_three_times_is_held_longer_each_time_and_others_are_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.reading");
        let mut now = Timestamp::from_secs(1_000_000);
        let (bad, good) = (FeedId(7), FeedId(8));
        for _ in 0..3 {
            let poison = open(&path);
            drop(poison.begin(good, now).ok().unwrap());
            dies(&poison, bad, now);
        }
        for (times, seconds) in [(3, 15), (4, 240), (5, 3_840), (6, 61_440), (7, 86_400), (8, 86_400)] {
            let poison = open(&path);
            let again = now.plus(Duration::from_secs(seconds));
            let said = poison.begin(bad, again.minus(Duration::from_millis(1))).err().unwrap();
            assert!(said.contains(&format!("{times} times")) && said.contains(&again.to_string()), "{said}");
            drop(poison.begin(good, now).ok().unwrap());
            dies(&poison, bad, again);
            now = again;
        }
        let poison = open(&path);
        drop(poison.begin(bad, now.plus(LONGEST)).ok().unwrap());
        let poison = open(&path);
        drop(poison.begin(bad, now).ok().unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 48, "rows are used again");
    }

    #[test]
    fn what_is_read_still_is_not_read_beside_it() {
        let poison = Arc::new(Poison::default());
        let now = Timestamp::from_secs(5);
        let reading = poison.begin(FeedId(1), now).ok().unwrap();
        assert!(poison.begin(FeedId(1), now).is_err() && poison.begin(FeedId(2), now).is_ok());
        drop(reading);
        assert!(poison.begin(FeedId(1), now).is_ok());
    }

    #[tokio::test]
    async fn suspects_are_read_one_at_a_time_and_the_others_do_not_wait() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.reading");
        let now = Timestamp::from_secs(5);
        let poison = open(&path);
        dies(&poison, FeedId(1), now);
        dies(&poison, FeedId(2), now);
        let poison = open(&path);
        let turn = poison.turn(FeedId(1)).await;
        assert!(turn.is_some() && poison.turn(FeedId(3)).await.is_none());
        let waits = tokio::time::timeout(Duration::from_millis(10), poison.turn(FeedId(2))).await;
        assert!(waits.is_err(), "until the other was read");
        drop(turn);
        assert!(poison.turn(FeedId(2)).await.is_some());
    }

    #[test]
    fn a_file_of_anything_is_no_reason_not_to_start() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("t.reading");
        std::fs::write(&path, [0xff; 61]).unwrap();
        assert!(open(&path).begin(FeedId(-1), Timestamp::from_secs(5)).is_ok());
    }
}
