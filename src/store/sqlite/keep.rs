//! Retention, a step at a time: a reader looks for what may go, and the writer, which alone can tell, takes a few
//! rows of it in one short transaction. Between two steps others write.
//!
//! A step ends after [`KEEP_ROWS`] rows or [`BUDGET`], whichever comes first. What is found again is done again: a
//! run that was interrupted is begun anew and loses nothing.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::keep::{KEEP_ROWS, KeepCursor, KeepRules, KeepStep, Measure, Stage};
use super::hash::Hasher;
use super::writer::Tx;
use super::{Result, fts, measure, past};
use crate::domain::feed::FeedId;
use crate::domain::item::ItemId;

/// How long a transaction works. Its commit comes on top and takes as long again: each item lies in pages of its own
/// in five indexes.
const BUDGET: Duration = Duration::from_millis(8);
/// Retention's clock moves by so much in one run at the most.
const LEAP_MS: i64 = DAY_MS;
/// Deliveries that are settled, and lines of the log of changes, are remembered for so long.
const LOG_MS: i64 = 30 * DAY_MS;
pub(super) const DAY_MS: i64 = 86_400_000;
/// Pages that go back to the system in one step.
const PAGES: i64 = 32;
/// One page in so many stays free: what the next hours bring needs it.
const SLACK: i64 = 16;
/// Feeds that a look goes through, at the most.
const FEEDS: usize = 1000;
/// Snapshots that a look goes through, at the most.
const SOURCES: i64 = 5000;

/// What a look found.
pub(super) struct Found {
    work: Work,
    /// Where the run goes on when all of the work is done.
    next: Option<Stage>,
}

/// What is to be done in the transaction.
enum Work {
    Nothing,
    SetClock,
    Deliveries(Vec<i64>),
    Changes(i64),
    /// Stories by age: feed, age and row.
    Old(i64, Vec<(i64, i64, i64)>),
    /// The oldest bodies, and how large the file may be.
    Oldest(u64, Vec<i64>),
    Sources(Vec<i64>),
    Pages,
    Sizes(Vec<measure::Row>, i64),
    ForgetSizes,
}

/// Looks for work. Reads only; what it reads of bodies is warm when the writer comes.
pub(super) fn look(db: &Connection, rules: &KeepRules, stage: Stage) -> Result<Found> {
    let found = |work, next| Ok(Found { work, next: Some(next) });
    match stage {
        Stage::Begin => found(Work::SetClock, Stage::Log { clock: 0 }),
        Stage::Log { clock } => {
            let sql = "SELECT id FROM delivery WHERE settled_at IS NOT NULL AND settled_at < ?1
                       AND state IN ('succeeded', 'failed') ORDER BY settled_at LIMIT ?2";
            let ids = numbers(db, sql, [clock - LOG_MS, i64::from(KEEP_ROWS)])?;
            if ids.is_empty() {
                return found(Work::Nothing, Stage::Changes { clock });
            }
            found(Work::Deliveries(ids), stage)
        }
        Stage::Changes { clock } => match old_changes(db, clock - LOG_MS)? {
            Some(last) => found(Work::Changes(last), stage),
            None => found(Work::Nothing, Stage::Age { clock, feed: 0, after: START }),
        },
        Stage::Age { clock, feed, after } => look_for_old(db, rules, clock, feed, after),
        Stage::Sources { after } => {
            let sql = "SELECT id FROM source WHERE id > ?1 ORDER BY id LIMIT ?2";
            let Some(&last) = numbers(db, sql, [after, SOURCES])?.last() else {
                return found(Work::Nothing, Stage::Size);
            };
            let sql = "SELECT id FROM source s WHERE id > ?1 AND id <= ?2
                       AND NOT EXISTS (SELECT 1 FROM item_body WHERE source_id = s.id) ORDER BY id LIMIT ?3";
            let unused = numbers(db, sql, [after, last, i64::from(KEEP_ROWS)])?;
            let full = unused.len() == KEEP_ROWS as usize;
            let after = unused.last().copied().filter(|_| full).unwrap_or(last);
            found(if unused.is_empty() { Work::Nothing } else { Work::Sources(unused) }, Stage::Sources { after })
        }
        Stage::Size => match rules.max_bytes.filter(|most| used(db).is_ok_and(|used| used > *most)) {
            Some(most) => {
                let ids = oldest_bodies(db)?;
                if ids.is_empty() { found(Work::Nothing, Stage::Vacuum) } else { found(Work::Oldest(most, ids), stage) }
            }
            None => found(Work::Nothing, Stage::Vacuum),
        },
        Stage::Vacuum if spare_pages(db)? > 0 => found(Work::Pages, Stage::Vacuum),
        Stage::Vacuum if measure::due(db, rules.now)? => found(Work::Nothing, Stage::Measure(Measure::default())),
        Stage::Vacuum => Ok(Found { work: Work::Nothing, next: None }),
        Stage::Measure(so_far) => found(Work::Nothing, measure::go_on(db, so_far)?),
        Stage::Sizes { sizes, after: i64::MIN } => found(Work::ForgetSizes, Stage::Sizes { sizes, after: 0 }),
        Stage::Sizes { sizes, after } => {
            let rows: Vec<measure::Row> =
                sizes.range(after + 1..).take(KEEP_ROWS as usize).map(|(feed, size)| (*feed, *size)).collect();
            let Some((last, _)) = rows.last() else { return Ok(Found { work: Work::Nothing, next: None }) };
            let next = Stage::Sizes { after: *last, sizes };
            found(Work::Sizes(rows, rules.now.as_ms()), next)
        }
    }
}

const START: (i64, i64) = (i64::MIN, i64::MIN);

impl Found {
    /// The step, if there is nothing to write.
    pub(super) fn idle(self) -> std::result::Result<KeepStep, Self> {
        match self.work {
            Work::Nothing => Ok(KeepStep { next: self.next.map(KeepCursor), ..KeepStep::default() }),
            _ => Err(self),
        }
    }

    /// Does what was found, as far as its time goes.
    pub(super) fn act(&self, tx: &Tx<'_>, hasher: Hasher, rules: &KeepRules) -> Result<KeepStep> {
        let mut doing = Doing { tx, begun: Instant::now(), step: KeepStep::default() };
        let mut next = self.next.clone();
        let db = tx.db;
        match &self.work {
            Work::Nothing => {}
            Work::SetClock => {
                let clock = set_clock(db, rules)?;
                let behind = rules.now.as_ms().saturating_sub(clock);
                doing.step.done.behind_ms = u64::try_from(behind).unwrap_or(0);
                next = Some(Stage::Log { clock });
            }
            Work::Deliveries(ids) => {
                for id in doing.while_time(ids) {
                    let gone = past::forget_delivery(db, hasher, *id)?;
                    doing.step.done += gone;
                }
            }
            Work::Changes(last) => {
                let rows = db.prepare_cached("DELETE FROM change WHERE seq <= ?1")?.execute([last])?;
                doing.step.done.changes = rows as u64;
                doing.step.rows = u32::try_from(rows).unwrap_or(u32::MAX);
            }
            Work::Old(clock, stories) => next = doing.purge_old(hasher, rules, *clock, stories, next)?,
            Work::Oldest(most, ids) => doing.purge_oldest(hasher, *most, ids)?,
            Work::Sources(ids) => {
                for id in doing.while_time(ids) {
                    let rows = db
                        .prepare_cached(
                            "DELETE FROM source WHERE id = ?1
                               AND NOT EXISTS (SELECT 1 FROM item_body WHERE source_id = ?1)",
                        )?
                        .execute([id])?;
                    doing.step.done.sources += rows as u64;
                }
            }
            Work::Pages => doing.step.done.pages = give_back(db)?,
            Work::Sizes(rows, at) => {
                doing.step.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                measure::write(db, rows, *at)?;
            }
            Work::ForgetSizes => measure::clear(db)?,
        }
        doing.step.next = next.map(KeepCursor);
        Ok(doing.step)
    }
}

/// A transaction at work.
struct Doing<'a> {
    tx: &'a Tx<'a>,
    begun: Instant,
    step: KeepStep,
}

impl Doing<'_> {
    /// Gives one after the other for as long as there is time, the first one always.
    fn while_time<'b, T>(&mut self, all: &'b [T]) -> impl Iterator<Item = &'b T> + use<'b, T> {
        let begun = self.begun;
        // What is left is found again by the next look.
        self.step.rows = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.iter().enumerate().take_while(move |(n, _)| *n == 0 || begun.elapsed() < BUDGET).map(|(_, one)| one)
    }

    fn purge_old(
        &mut self,
        hasher: Hasher,
        rules: &KeepRules,
        clock: i64,
        stories: &[(i64, i64, i64)],
        next: Option<Stage>,
    ) -> Result<Option<Stage>> {
        let mut last = None;
        let mut done = 0;
        for (feed, age, id) in self.while_time(stories) {
            if outlived(self.tx.db, rules, clock, *id)? {
                self.purge(hasher, *id)?;
            }
            last = Some((*feed, (*age, *id)));
            done += 1;
        }
        let all = done == stories.len();
        Ok(match last.filter(|_| !all) {
            Some((feed, after)) => Some(Stage::Age { clock, feed, after }),
            None => next,
        })
    }

    fn purge_oldest(&mut self, hasher: Hasher, most: u64, ids: &[i64]) -> Result<()> {
        for id in self.while_time(ids) {
            if used(self.tx.db)? <= most {
                break;
            }
            self.purge(hasher, *id)?;
        }
        Ok(())
    }

    /// The body goes, and with it the story from all streams; its identity stays.
    fn purge(&mut self, hasher: Hasher, id: i64) -> Result<()> {
        let db = self.tx.db;
        let bodies = db.prepare_cached("DELETE FROM item_body WHERE item_id = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM stream_item WHERE item_id = ?1")?.execute([id])?;
        fts::forget(db, ItemId(id))?;
        db.prepare_cached("UPDATE item SET state = 2 WHERE id = ?1 AND state = 0")?.execute([id])?;
        self.step.done.bodies += bodies as u64;
        self.step.done.past += u64::from(past::compact(db, hasher, ItemId(id))?);
        self.tx.publishes();
        Ok(())
    }
}

/// Retention's clock: the wall clock, but never a day more than at the run before. A wall clock that steps a year
/// ahead, or a machine that starts with the wrong year, leaves a year of runs to be noticed; after a month out of
/// use it has caught up in thirty runs. What steps back is followed at once.
fn set_clock(db: &Connection, rules: &KeepRules) -> Result<i64> {
    let now = rules.now.as_ms();
    let before: Option<i64> =
        db.query_row("SELECT value FROM meta WHERE key = 'keep_clock'", [], |row| row.get(0)).optional()?;
    let clock = before.map_or(now, |before| now.min(before.saturating_add(LEAP_MS)));
    db.execute("INSERT OR REPLACE INTO meta VALUES ('keep_clock', ?1)", [clock])?;
    Ok(clock)
}

/// The last of the lines of the log that may go now. The newest line of all stays: it says when `all` changed; and so do
/// those that the full-text index has not followed yet.
fn old_changes(db: &Connection, before: i64) -> Result<Option<i64>> {
    let newest: Option<i64> = db.prepare_cached("SELECT max(seq) FROM change")?.query_row([], |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(None) };
    let newest = newest.min(fts::mark(db)?.done_seq + 1);
    let mut read = db.prepare_cached("SELECT seq, at FROM change WHERE seq < ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = read.query(params![newest, KEEP_ROWS])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        last = Some(row.get(0)?);
    }
    Ok(last)
}

/// The next stories that are older than their feed keeps them, a feed after the other.
fn look_for_old(db: &Connection, rules: &KeepRules, clock: i64, feed: i64, after: (i64, i64)) -> Result<Found> {
    let sql = "SELECT id FROM feed WHERE id >= ?1 ORDER BY id LIMIT ?2";
    let feeds = numbers(db, sql, [feed, i64::try_from(FEEDS).unwrap_or(i64::MAX)])?;
    let mut stories = Vec::new();
    let mut reached = None;
    for id in &feeds {
        let from = if *id == feed { after } else { START };
        let left = i64::try_from((KEEP_ROWS as usize).saturating_sub(stories.len())).unwrap_or(0);
        if let Some(keep) = rules.of(FeedId(*id)) {
            let before = clock.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
            let mut read = db.prepare_cached(
                "SELECT max(first_seen, updated), id FROM item
                 WHERE main_feed = ?1 AND state <> 2 AND max(first_seen, updated) < ?2
                   AND max(first_seen, updated) >= ?3 AND (max(first_seen, updated), id) > (?3, ?4)
                 ORDER BY max(first_seen, updated), id LIMIT ?5",
            )?;
            let rows = read.query_map(params![id, before, from.0, from.1, left], |row| {
                Ok((*id, row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            stories.extend(rows.collect::<Result<Vec<_>>>()?);
        }
        reached = Some(*id);
        if stories.len() >= KEEP_ROWS as usize {
            break;
        }
    }
    let next = match (reached, stories.last()) {
        (None, _) => Stage::Sources { after: 0 },
        (Some(_), Some((feed, age, id))) if stories.len() >= KEEP_ROWS as usize => {
            Stage::Age { clock, feed: *feed, after: (*age, *id) }
        }
        (Some(last), _) => Stage::Age { clock, feed: last + 1, after: START },
    };
    stories.retain(|(_, _, id)| outlived(db, rules, clock, *id).unwrap_or(true));
    for (_, _, id) in &stories {
        warm(db, *id)?;
    }
    let work = if stories.is_empty() { Work::Nothing } else { Work::Old(clock, stories) };
    Ok(Found { work, next: Some(next) })
}

/// Whether all of the feeds that carry a story have kept it for long enough.
fn outlived(db: &Connection, rules: &KeepRules, clock: i64, id: i64) -> Result<bool> {
    let row: Option<(i64, i64)> = db
        .prepare_cached("SELECT max(first_seen, updated), main_feed FROM item WHERE id = ?1 AND state <> 2")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((since, main)) = row else { return Ok(false) };
    let gone = |feed| {
        let keep = rules.of(FeedId(feed)).map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        keep.is_some_and(|keep| since < clock.saturating_sub(keep))
    };
    if !gone(main) {
        return Ok(false);
    }
    let mut read = db.prepare_cached("SELECT feed_id FROM sighting WHERE item_id = ?1")?;
    let mut rows = read.query([id])?;
    while let Some(row) = rows.next()? {
        if !gone(row.get(0)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn oldest_bodies(db: &Connection) -> Result<Vec<i64>> {
    let ids = numbers(db, "SELECT item_id FROM item_body ORDER BY item_id LIMIT ?1", [i64::from(KEEP_ROWS)])?;
    for id in &ids {
        warm(db, *id)?;
    }
    Ok(ids)
}

/// Reads a body to its end. To free its pages the writer has to read them, and waits for no disk then.
fn warm(db: &Connection, id: i64) -> Result<()> {
    let sql = "SELECT length(content) + length(clean_content) FROM item_body WHERE item_id = ?1";
    db.prepare_cached(sql)?.query_row([id], |_| Ok(())).optional().map(|_| ())
}

/// What is used of the file, in bytes.
fn used(db: &Connection) -> Result<u64> {
    let pages = pragma(db, "page_count")?.saturating_sub(pragma(db, "freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(pragma(db, "page_size")?)).unwrap_or(0))
}

/// Pages that are free beyond what the next hours need.
fn spare_pages(db: &Connection) -> Result<i64> {
    Ok(pragma(db, "freelist_count")?.saturating_sub(pragma(db, "page_count")? / SLACK))
}

/// Gives free pages back to the system. The file becomes shorter at the next checkpoint.
fn give_back(db: &Connection) -> Result<u64> {
    let before = pragma(db, "freelist_count")?;
    // It works while it is stepped, a page a row.
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(u64::try_from(before.saturating_sub(pragma(db, "freelist_count")?)).unwrap_or(0))
}

pub(super) fn pragma(db: &Connection, name: &str) -> Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

fn numbers<P: rusqlite::Params>(db: &Connection, sql: &str, params: P) -> Result<Vec<i64>> {
    db.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
}
