-- Feeds that were paused by hand: they are asked by hand only, until they are resumed.
ALTER TABLE feed_state ADD COLUMN paused_at INTEGER;
CREATE INDEX feed_paused ON feed_state (feed_id) WHERE paused_at IS NOT NULL;

-- Feeds of which nothing is shown to just anybody. It stays with a feed that is followed no more.
ALTER TABLE feed ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
CREATE INDEX feed_private ON feed (id) WHERE private;
