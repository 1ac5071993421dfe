-- Retention: what it finds its work by, what is left of old calls, and counts that nobody has to count.

-- The stories of a feed by the time since which nothing happened to them.
CREATE INDEX item_age ON item (main_feed, max(first_seen, updated)) WHERE state <> 2;
-- Rows that go are looked for in all that may point to them: without these, in every row there is.
CREATE INDEX item_absorbed ON item (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX item_body_source ON item_body (source_id);
CREATE INDEX event_item ON event (item_id);
CREATE INDEX delivery_event_event ON delivery_event (event_id);
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;

-- Whom an item was announced to, where the delivery itself is no longer remembered: never again.
CREATE TABLE called (
  item_id INTEGER NOT NULL, webhook_id INTEGER NOT NULL, PRIMARY KEY (item_id, webhook_id)
) WITHOUT ROWID;

-- What each feed takes, measured now and then (meta: sizes_at).
CREATE TABLE feed_size (
  feed_id        INTEGER PRIMARY KEY,
  stories        INTEGER NOT NULL,        -- with a body, published from this feed
  body_bytes     INTEGER NOT NULL,
  entries        INTEGER NOT NULL,        -- sightings, past ones included
  identity_bytes INTEGER NOT NULL
);

-- Counts that are kept as rows come and go: with ten million items, counting takes a second.
CREATE TABLE tally (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally SELECT 'items', count(*) FROM item WHERE state = 0;
CREATE TRIGGER item_added AFTER INSERT ON item WHEN NEW.state = 0 BEGIN
  UPDATE tally SET n = n + 1 WHERE name = 'items';
END;
CREATE TRIGGER item_removed AFTER DELETE ON item WHEN OLD.state = 0 BEGIN
  UPDATE tally SET n = n - 1 WHERE name = 'items';
END;
CREATE TRIGGER item_changed_state AFTER UPDATE OF state ON item WHEN (OLD.state = 0) <> (NEW.state = 0) BEGIN
  UPDATE tally SET n = n + (NEW.state = 0) - (OLD.state = 0) WHERE name = 'items';
END;

-- The entries that a feed has ever carried.
CREATE TABLE feed_tally (feed_id INTEGER PRIMARY KEY, entries INTEGER NOT NULL);
INSERT INTO feed_tally SELECT feed_id, count(*) FROM sighting GROUP BY feed_id;
CREATE TRIGGER sighting_added AFTER INSERT ON sighting BEGIN
  INSERT INTO feed_tally VALUES (NEW.feed_id, 1) ON CONFLICT (feed_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER sighting_removed AFTER DELETE ON sighting BEGIN
  UPDATE feed_tally SET entries = entries - 1 WHERE feed_id = OLD.feed_id;
END;
CREATE TRIGGER past_sighting_added AFTER INSERT ON past_sighting BEGIN
  INSERT INTO feed_tally VALUES (NEW.feed_id, 1) ON CONFLICT (feed_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER past_sighting_removed AFTER DELETE ON past_sighting BEGIN
  UPDATE feed_tally SET entries = entries - 1 WHERE feed_id = OLD.feed_id;
END;

-- Retention's own clock begins at the newest time that this database has seen; the wall clock may be wrong.
INSERT INTO meta SELECT 'keep_clock', max(at) FROM change HAVING max(at) IS NOT NULL;
