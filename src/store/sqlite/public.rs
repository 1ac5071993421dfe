//! What anybody may see: connections on which private feeds do not exist.
//!
//! Temporary views stand in the place of the tables: a name without a schema means them first
//! (<https://sqlite.org/lang_naming.html>). So every read is the same read, and one that is added later hides what it must by itself.
//!
//! A story is private if the feed that its text is from is; of any other only the sightings in private feeds are hidden.

use rusqlite::Connection;

use super::Result;
use crate::domain::feed::FeedId;
use crate::domain::item::Item;

/// Private feeds are few, and mostly none: a subquery without references outside is run once a statement.
/// A call says what was so when it was made: of a story that a private feed carries, too, none is shown.
const VIEWS: &str = "
CREATE TEMP VIEW feed AS SELECT * FROM main.feed WHERE NOT private;
CREATE TEMP VIEW feed_state AS SELECT * FROM main.feed_state
  WHERE feed_id NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW feed_document AS SELECT * FROM main.feed_document
  WHERE feed_id NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW item AS SELECT * FROM main.item
  WHERE main_feed NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW sighting AS SELECT * FROM main.sighting
  WHERE feed_id NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW ignored AS SELECT * FROM main.ignored
  WHERE feed_id NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW stream_item AS SELECT * FROM main.stream_item
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR (SELECT main_feed FROM main.item WHERE id = item_id) NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW stream_state AS SELECT stream_id, last_seq, version, public_at AS changed_at FROM main.stream_state;
-- The index of ages finds them by feed; it has no purged rows.
CREATE TEMP VIEW tally AS SELECT name, n - iif(name = 'items', (SELECT count(*) FROM main.item
  WHERE state = 0 AND state <> 2 AND main_feed IN (SELECT id FROM main.feed WHERE private)), 0) AS n FROM main.tally;
CREATE TEMP VIEW change AS SELECT * FROM main.change
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR coalesce((SELECT main_feed FROM main.item WHERE id = item_id), 0) NOT IN (SELECT id FROM main.feed WHERE private);
CREATE TEMP VIEW delivery AS SELECT * FROM main.delivery
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR NOT EXISTS (
       SELECT 1 FROM main.delivery_event d JOIN main.event e ON e.id = d.event_id JOIN main.item i ON i.id = e.item_id
       WHERE d.delivery_id = main.delivery.id
         AND (i.main_feed IN (SELECT id FROM main.feed WHERE private)
           OR EXISTS (SELECT 1 FROM main.sighting s WHERE s.item_id = i.id
                      AND s.feed_id IN (SELECT id FROM main.feed WHERE private))))
    AND NOT EXISTS (
       SELECT 1 FROM main.alert a
       WHERE a.id = main.delivery.alert_id AND a.feed_id IN (SELECT id FROM main.feed WHERE private));
CREATE TEMP VIEW merge AS SELECT * FROM main.merge
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR NOT EXISTS (
       SELECT 1 FROM main.item i WHERE i.id IN (main.merge.kept, main.merge.absorbed)
       AND (i.main_feed IN (SELECT id FROM main.feed WHERE private)
         OR EXISTS (SELECT 1 FROM main.sighting s WHERE s.item_id = i.id
                    AND s.feed_id IN (SELECT id FROM main.feed WHERE private))));
CREATE TEMP VIEW trace AS SELECT * FROM main.trace
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR NOT EXISTS (SELECT 1 FROM main.sighting s WHERE s.item_id = main.trace.item_id
                    AND s.feed_id IN (SELECT id FROM main.feed WHERE private));
CREATE TEMP VIEW past_item AS SELECT * FROM main.past_item
  WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private)
     OR NOT EXISTS (SELECT 1 FROM main.past_sighting p WHERE p.item_id = main.past_item.item_id
                    AND p.feed_id IN (SELECT id FROM main.feed WHERE private));
-- Nobody wrote down which feed an alias is from.
CREATE TEMP VIEW alias AS SELECT * FROM main.alias WHERE NOT EXISTS (SELECT 1 FROM main.feed WHERE private);
";

/// Puts the views in place.
pub(super) fn cover(connection: &Connection) -> Result<()> {
    connection.execute_batch(VIEWS)
}

/// Whether a feed is private, and whether any is.
pub(super) fn privacy(db: &Connection, feed: FeedId) -> Result<(bool, bool)> {
    db.prepare_cached("SELECT private, EXISTS (SELECT 1 FROM feed WHERE private) FROM feed WHERE id = ?1")?
        .query_row([feed.0], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Takes the sightings in private feeds out of an item.
pub(super) fn conceal(db: &Connection, item: &mut Item) -> Result<()> {
    let mut read = db.prepare_cached("SELECT name FROM feed WHERE private")?;
    let names: Vec<String> = read.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    item.sightings.retain(|sighting| !names.contains(&sighting.feed));
    Ok(())
}
