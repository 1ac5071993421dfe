//! The log of changes, for those who listen: what came and what was edited, in order.

use rusqlite::{Connection, params};

use super::super::News;
use super::Result;
use super::commit::{NEW, REVISED};
use crate::domain::item::ItemId;

/// Lines of the log that one look goes through.
const LINES: u32 = 100;

/// What follows a line of the log; `None`: nothing yet, but where it ends.
pub(super) fn after(db: &Connection, seq: Option<i64>) -> Result<News> {
    let newest: Option<i64> = db.prepare_cached("SELECT max(seq) FROM change")?.query_row([], |row| row.get(0))?;
    let newest = newest.unwrap_or(0);
    // Who names a line that is not there yet has it from another database.
    let Some(from) = seq.filter(|seq| *seq < newest) else { return Ok(News { upto: newest, changes: Vec::new() }) };
    let mut news = News { upto: from, changes: Vec::new() };
    let mut read = db.prepare_cached("SELECT seq, item_id, kind FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut rows = read.query(params![from, LINES])?;
    while let Some(row) = rows.next()? {
        let (seq, item, kind): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        news.upto = seq;
        if kind == NEW || kind == REVISED {
            news.changes.push((seq, ItemId(item), kind == REVISED));
        }
    }
    Ok(news)
}
