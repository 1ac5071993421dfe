-- Where feeds went, which of them are one by now, and what the operator is told of their health.

-- It is asked with credentials or headers of its own: another one at the same address may get another document.
ALTER TABLE feed ADD COLUMN own_headers INTEGER NOT NULL DEFAULT 0;

ALTER TABLE feed_state ADD COLUMN moved_at INTEGER;   -- when it last moved, unless it went back
ALTER TABLE feed_state ADD COLUMN moved_from TEXT;    -- the address before that
ALTER TABLE feed_state ADD COLUMN dead INTEGER NOT NULL DEFAULT 0; -- failures in a row that say: there is no feed here
ALTER TABLE feed_state ADD COLUMN broken_at INTEGER;  -- since when it counts as broken: told once, and only then that it recovered
ALTER TABLE feed_state ADD COLUMN merged_into INTEGER REFERENCES feed (id); -- the feed that is asked in its place
ALTER TABLE feed_state ADD COLUMN merged_at INTEGER;
CREATE INDEX feed_state_merged ON feed_state (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX feed_state_url ON feed_state (current_url);
-- In the history of redirects, status 0 is a way back.
UPDATE feed_state SET (moved_at, moved_from) = (
  SELECT at, from_url FROM feed_redirect r WHERE r.feed_id = feed_state.feed_id AND r.to_url = feed_state.current_url
  ORDER BY at DESC LIMIT 1);

-- What the operator is told of feeds. A delivery is about an event of an item or about one of these.
CREATE TABLE alert (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, feed_id INTEGER NOT NULL REFERENCES feed (id),
  broken_at INTEGER NOT NULL,             -- of the break that it is about
  data TEXT NOT NULL,
  UNIQUE (kind, feed_id, broken_at)
);
ALTER TABLE delivery ADD COLUMN alert_id INTEGER REFERENCES alert (id);
CREATE INDEX delivery_alert ON delivery (alert_id) WHERE alert_id IS NOT NULL;
