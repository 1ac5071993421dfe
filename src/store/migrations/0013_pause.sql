-- Feeds that were paused by hand: they are asked by hand only, until they are resumed.
ALTER TABLE feed_state ADD COLUMN paused_at INTEGER;
CREATE INDEX feed_paused ON feed_state (feed_id) WHERE paused_at IS NOT NULL;
