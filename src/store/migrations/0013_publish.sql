-- Feeds that were paused by hand: they are asked by hand only, until they are resumed.
ALTER TABLE feed_state ADD COLUMN paused_at INTEGER;
CREATE INDEX feed_paused ON feed_state (feed_id) WHERE paused_at IS NOT NULL;

-- Feeds of which nothing is shown to just anybody. It stays with a feed that is followed no more.
ALTER TABLE feed ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
CREATE INDEX feed_private ON feed (id) WHERE private;

-- Grows with whatever its documents show: those that show the same are not made again.
ALTER TABLE stream ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
-- A story's documents name all of its streams. Those that it enters are counted where it does.
CREATE TRIGGER stream_item_removed AFTER DELETE ON stream_item BEGIN
  UPDATE stream SET version = version + 1
    WHERE id = OLD.stream_id OR id IN (SELECT stream_id FROM stream_item WHERE item_id = OLD.item_id);
END;
CREATE TRIGGER item_rekeyed AFTER UPDATE OF key ON item BEGIN
  UPDATE stream SET version = version + 1 WHERE id IN (SELECT stream_id FROM stream_item WHERE item_id = NEW.id);
END;
