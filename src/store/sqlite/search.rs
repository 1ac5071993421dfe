//! Candidates for a query: by the full-text index, and all that is not in it yet.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::fmt::Write as _;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Cursor, Found, Mark, Order, Search, SearchCandidate, Spot};
use super::commit::SIGHTED;
use super::{Result, fts};
use crate::domain::item::ItemId;
use crate::domain::search::{Narrow, Phrase, Statistics, WEIGHTS, Within};
use crate::domain::time::Timestamp;

/// Candidates whose dates are looked up; where there are more, the stream's pages soon have enough.
const MOST_DATED: usize = 20_000;
/// Candidates that are scored, the latest ones: FTS5 looks up the length of each.
const MOST_SCORED: usize = 50_000;
/// Items outside of the index that are tried one by one.
const MOST_TAIL: usize = 20_000;
/// Rows between two looks at the clock.
const ROUND: usize = 256;
/// How many items with a phrase are counted, for its rarity.
const MOST_COUNTED: u32 = 1_000_000;

/// A search at work.
pub(super) struct Searching<'a> {
    db: &'a Connection,
    search: &'a Search,
    /// The query in FTS5's language.
    text: String,
    mark: Mark,
}

impl<'a> Searching<'a> {
    pub(super) fn new(db: &'a Connection, search: &'a Search) -> Result<Self> {
        let mut text = String::new();
        write_query(&search.narrow, &mut text);
        Ok(Self { db, search, text, mark: fts::mark(db)? })
    }

    pub(super) fn run(&self) -> Result<Found> {
        if self.search.narrow == Narrow::Any {
            return Ok(Found { too_many: true, ..Found::default() });
        }
        match self.search.order {
            Order::Newest(after) => self.newest(after),
            Order::Best(after) => self.best(after),
        }
    }

    fn newest(&self, after: Option<Cursor>) -> Result<Found> {
        let too_many = || Ok(Found { too_many: true, ..Found::default() });
        let Tail { items: mut ids, whole: true } = self.tail()? else { return too_many() };
        let mut read =
            self.db.prepare_cached("SELECT rowid FROM item_fts WHERE item_fts MATCH ?1 ORDER BY rowid DESC")?;
        let mut rows = read.query([&self.text])?;
        while let Some(row) = rows.next()? {
            ids.insert(row.get(0)?);
            if ids.len() > MOST_DATED {
                return too_many();
            }
        }
        let mut found = Found::default();
        let since = self.search.since.map_or(i64::MIN, Timestamp::as_ms);
        let mut read = self.db.prepare_cached("SELECT effective_at FROM item WHERE id = ?1 AND state = 0")?;
        for id in ids {
            let at: Option<i64> = read.query_row([id], |row| row.get(0)).optional()?;
            let Some(at) = at.filter(|at| *at >= since) else { continue };
            let is_behind = |c: Cursor| (at, id) < (c.effective_at.as_ms(), c.item.0);
            if after.is_none_or(is_behind) {
                let effective_at = Timestamp::from_ms(at);
                found.candidates.push(SearchCandidate { effective_at, score: 0.0, item: ItemId(id) });
            }
        }
        found.candidates.sort_unstable_by_key(|one| std::cmp::Reverse((one.effective_at, one.item)));
        found.more = self.cut(&mut found.candidates);
        Ok(found)
    }

    fn best(&self, after: Option<Spot>) -> Result<Found> {
        let mut found = Found::default();
        let Tail { items: tail, whole } = self.tail()?;
        found.partial = !whole;
        let after = match after {
            // The index has it as it was before.
            Some(spot) if !tail.contains(&spot.item.0) => Some(self.spot_now(spot)?),
            other => other,
        };
        let limit = usize::try_from(self.search.limit).unwrap_or(usize::MAX);
        let mut best: BinaryHeap<Ranked> = BinaryHeap::new();
        let mut read = self.db.prepare_cached(&format!(
            "SELECT rowid, -bm25(item_fts, {}, {}, {}) FROM item_fts WHERE item_fts MATCH ?1 ORDER BY rowid DESC",
            WEIGHTS[0], WEIGHTS[1], WEIGHTS[2]
        ))?;
        let mut rows = read.query([&self.text])?;
        let mut seen = 0_usize;
        while let Some(row) = rows.next()? {
            seen += 1;
            if seen > MOST_SCORED || (seen.is_multiple_of(ROUND) && Instant::now() >= self.search.until) {
                found.partial = true;
                break;
            }
            let ranked = Ranked(Spot { item: ItemId(row.get(0)?), score: row.get(1)? });
            if tail.contains(&ranked.0.item.0) || after.is_some_and(|after| ranked <= Ranked(after)) {
                continue;
            }
            best.push(ranked);
            if best.len() > limit {
                best.pop();
                found.more = true;
            }
        }
        let candidate = |Ranked(spot): Ranked| SearchCandidate {
            effective_at: Timestamp::default(),
            score: spot.score,
            item: spot.item,
        };
        found.candidates = best.into_sorted_vec().into_iter().map(candidate).collect();
        if !tail.is_empty() {
            found.statistics = self.statistics()?;
            found.tail = tail.into_iter().map(ItemId).collect();
            found.tail.sort_unstable();
        }
        Ok(found)
    }

    /// Cuts what is beyond the limit, and says whether there was any.
    fn cut(&self, candidates: &mut Vec<SearchCandidate>) -> bool {
        let limit = usize::try_from(self.search.limit).unwrap_or(usize::MAX);
        let more = candidates.len() > limit;
        candidates.truncate(limit);
        more
    }

    /// Items that are not in the index as they are now.
    fn tail(&self) -> Result<Tail> {
        let most = i64::try_from(MOST_TAIL).unwrap_or(i64::MAX) + 1;
        let mut read = self
            .db
            .prepare_cached("SELECT item_id FROM change WHERE seq > ?1 AND kind <> ?2 ORDER BY seq DESC LIMIT ?3")?;
        let rows = read.query_map(params![self.mark.done_seq, SIGHTED, most], |row| row.get(0))?;
        let mut all: Vec<i64> = rows.collect::<Result<_>>()?;
        let mut read =
            self.db.prepare_cached("SELECT id FROM item WHERE id < ?1 AND state = 0 ORDER BY id DESC LIMIT ?2")?;
        let rows = read.query_map(params![self.mark.below, most], |row| row.get(0))?;
        all.extend(rows.collect::<Result<Vec<i64>>>()?);
        let whole = all.len() <= MOST_TAIL;
        all.truncate(MOST_TAIL);
        Ok(Tail { items: all.into_iter().collect(), whole })
    }

    /// The place with the score that its item has now.
    fn spot_now(&self, spot: Spot) -> Result<Spot> {
        let score: Option<f64> = self
            .db
            .prepare_cached(&format!(
                "SELECT -bm25(item_fts, {}, {}, {}) FROM item_fts WHERE item_fts MATCH ?1 AND rowid = ?2",
                WEIGHTS[0], WEIGHTS[1], WEIGHTS[2]
            ))?
            .query_row(params![self.text, spot.item.0], |row| row.get(0))
            .optional()?;
        Ok(Spot { score: score.unwrap_or(spot.score), ..spot })
    }

    fn statistics(&self) -> Result<Statistics> {
        // FTS5 keeps the number of rows and of the words of each column in this record, as variable-length integers.
        let totals: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT block FROM item_fts_data WHERE id = 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let totals = totals.unwrap_or_default();
        let mut numbers = Varints(&totals);
        let items = numbers.next().unwrap_or(0);
        let words = numbers.take(WEIGHTS.len()).sum();
        let mut hits = Vec::new();
        let sql = "SELECT count(*) FROM (SELECT 1 FROM item_fts WHERE item_fts MATCH ?1 LIMIT ?2)";
        let mut read = self.db.prepare_cached(sql)?;
        for phrase in self.search.narrow.phrases() {
            let mut text = String::new();
            write_phrase(phrase, &mut text);
            let most = if Instant::now() < self.search.until { MOST_COUNTED } else { 0 };
            hits.push(read.query_row(params![text, most], |row| super::count(row, 0))?);
        }
        Ok(Statistics { items, words, hits })
    }
}

/// Items that are not in the index as they are now: all, or the latest of them.
struct Tail {
    items: HashSet<i64>,
    whole: bool,
}

/// Greater is better; the greatest of a heap is the worst, which goes first.
#[derive(Clone, Copy, PartialEq)]
struct Ranked(Spot);

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.score.total_cmp(&self.0.score).then(other.0.item.cmp(&self.0.item))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// SQLite's variable-length integers: seven bits a byte, the highest first, eight in a ninth.
struct Varints<'a>(&'a [u8]);

impl Iterator for Varints<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for place in 0..9 {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            if place == 8 {
                return Some(number << 8 | u64::from(*first));
            }
            number = number << 7 | u64::from(first & 0x7f);
            if first & 0x80 == 0 {
                break;
            }
        }
        Some(number)
    }
}

/// Writes a condition in FTS5's language. Words hold letters and digits only: nothing has to be escaped in quotes.
fn write_query(narrow: &Narrow, out: &mut String) {
    let (parts, by) = match narrow {
        Narrow::Any => return,
        Narrow::Phrase(phrase) => return write_phrase(phrase, out),
        Narrow::All(parts) => (parts, " AND "),
        Narrow::OneOf(parts) => (parts, " OR "),
    };
    out.push('(');
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            out.push_str(by);
        }
        write_query(part, out);
    }
    out.push(')');
}

fn write_phrase(phrase: &Phrase, out: &mut String) {
    let columns = match phrase.within {
        Within::Anywhere => "",
        Within::Title => "title : ",
        Within::Body => "{summary content} : ",
    };
    let star = if phrase.prefix { " *" } else { "" };
    let _ = write!(out, "{columns}\"{}\"{star}", phrase.words.replace('"', " "));
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn of_more_candidates_than_are_scored_the_latest_are_and_the_answer_is_not_whole() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db, std::path::Path::new("t.db"), "t,2026-01-01").unwrap();
        let most = i64::try_from(MOST_SCORED).unwrap();
        let fill = |from: i64, to: i64| {
            db.execute(
                "WITH RECURSIVE n (id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < ?2)
                 INSERT INTO item_fts (rowid, title, summary, content) SELECT id, 'peace', '', '' FROM n",
                [from, to],
            )
        };
        fill(1, most).unwrap();
        let phrase = Phrase { within: Within::Anywhere, words: "peace".into(), prefix: false };
        let until = Instant::now() + std::time::Duration::from_secs(600);
        let order = Order::Best(None);
        let search = Search { narrow: Narrow::Phrase(phrase), order, since: None, limit: u32::MAX, until };
        let found = || Searching::new(&db, &search).unwrap().run().unwrap();
        assert_eq!((found().candidates.len(), found().partial), (MOST_SCORED, false));
        fill(most + 1, most + 1).unwrap();
        let ids: HashSet<i64> = found().candidates.iter().map(|one| one.item.0).collect();
        assert_eq!((ids.len(), ids.contains(&1), found().partial), (MOST_SCORED, false, true));
    }

    #[test]
    fn variable_length_integers_are_read_as_sqlite_writes_them() {
        let bytes = [0x00, 0x7f, 0x81, 0x00, 0x82, 0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe];
        let numbers: Vec<u64> = Varints(&bytes).collect();
        assert_eq!(numbers, [0, 127, 128, 32_769, u64::MAX - 1]);
        assert_eq!(Varints(&[0x81]).next(), None);
    }

    #[test]
    fn the_best_come_first_and_the_worst_leaves_the_heap() {
        let spot = |score, item| Ranked(Spot { score, item: ItemId(item) });
        let mut heap: BinaryHeap<Ranked> = [spot(1.0, 1), spot(3.0, 2), spot(2.0, 3), spot(2.0, 4)].into();
        assert_eq!(heap.pop().map(|r| r.0.item), Some(ItemId(1)));
        let order: Vec<i64> = heap.into_sorted_vec().into_iter().map(|r| r.0.item.0).collect();
        assert_eq!(order, [2, 4, 3]);
    }
}
