//! Whether the database is in order, whatever has happened to it.

use std::collections::HashMap;

use super::bench::Bench;

/// What was there before.
#[derive(Default)]
pub(super) struct Order {
    /// What is published under which id, and its revision.
    published: HashMap<i64, (i64, i64)>,
}

impl Order {
    /// What holds whatever happens.
    pub(super) fn check(&mut self, bench: &Bench, may_go: bool) -> Result<(), String> {
        for (what, sql) in NEVER {
            let found = bench.number(sql);
            if found != 0 {
                return Err(format!("{found} {what}"));
            }
        }
        let mut here = HashMap::new();
        for (id, hash, revision) in bench.rows("SELECT id, published_hash, revision FROM item") {
            if let Some((was, before)) = self.published.get(&id)
                && (*was != hash || *before > revision)
            {
                return Err(format!("item {id} has another id, or revision {revision} after {before}"));
            }
            here.insert(id, (hash, revision));
        }
        if let Some(id) = self.published.keys().find(|id| !here.contains_key(*id)).filter(|_| !may_go) {
            return Err(format!("item {id} is gone"));
        }
        self.published = here;
        Ok(())
    }
}

/// What there must be none of.
const NEVER: &[(&str, &str)] = &[
    ("sightings that lead to no item that stands for itself",
     "SELECT count(*) FROM sighting s LEFT JOIN item i ON i.id = s.item_id WHERE i.id IS NULL OR i.state = 1"),
    ("aliases that lead to aliases, or to themselves",
     "SELECT count(*) FROM alias a WHERE a.from_key = a.to_key OR EXISTS (SELECT 1 FROM alias b WHERE b.from_key = a.to_key)"),
    ("items in streams that are not shown",
     "SELECT count(*) FROM stream_item s LEFT JOIN item i ON i.id = s.item_id WHERE i.id IS NULL OR i.state <> 0"),
    ("items that are shown without a body, or hidden with one and not absorbed",
     "SELECT count(*) FROM item i WHERE (state = 0 AND NOT EXISTS (SELECT 1 FROM item_body WHERE item_id = i.id))
        OR (state = 2 AND EXISTS (SELECT 1 FROM item_body WHERE item_id = i.id))"),
    ("absorbed items that lead to absorbed ones, or to nothing",
     "SELECT count(*) FROM item i LEFT JOIN item k ON k.id = i.merged_into
      WHERE (i.state = 1 AND (k.id IS NULL OR k.state = 1)) OR (i.state = 0 AND i.merged_into IS NOT NULL)"),
    ("items of the planet that are not in its stream",
     "SELECT count(*) FROM sighting s JOIN item i ON i.id = s.item_id WHERE s.feed_id = 4 AND i.state = 0
        AND NOT EXISTS (SELECT 1 FROM stream_item t WHERE t.item_id = i.id)"),
    ("calls about one item to one webhook more than once",
     "SELECT count(*) FROM (SELECT 1 FROM delivery d JOIN delivery_event x ON x.delivery_id = d.id
        JOIN event e ON e.id = x.event_id WHERE e.kind = 'item.new' GROUP BY e.item_id, d.webhook_id HAVING count(*) > 1)"),
    ("feeds whose count of entries is wrong",
     "SELECT count(*) FROM feed f LEFT JOIN feed_tally t ON t.feed_id = f.id WHERE coalesce(t.entries, 0) <>
        (SELECT count(*) FROM sighting WHERE feed_id = f.id) + (SELECT count(*) FROM past_sighting WHERE feed_id = f.id)"),
    ("counts of items that are wrong",
     "SELECT count(*) FROM tally WHERE name = 'items' AND n <> (SELECT count(*) FROM item WHERE state = 0)"),
    ("past items that are items, too", "SELECT count(*) FROM past_item p JOIN item i ON i.id = p.item_id"),
];
