-- How each webhook is: slowed, paused, disabled, and what its last answer was.
ALTER TABLE webhook ADD COLUMN failing_since INTEGER; -- nothing but failures since then
ALTER TABLE webhook ADD COLUMN slow_until INTEGER;
ALTER TABLE webhook ADD COLUMN slow_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN changed_at INTEGER;    -- when its state last became another one
ALTER TABLE webhook ADD COLUMN last_at INTEGER;       -- the last attempt
ALTER TABLE webhook ADD COLUMN last_ms INTEGER;
ALTER TABLE webhook ADD COLUMN last_status INTEGER;
ALTER TABLE webhook ADD COLUMN last_error TEXT;
UPDATE webhook SET (last_at, last_ms, last_status, last_error) = (
  SELECT a.at, a.duration_ms, a.http_status, a.error FROM attempt a JOIN delivery d ON d.id = a.delivery_id
  WHERE d.webhook_id = webhook.id ORDER BY a.at DESC LIMIT 1);

-- Attempts are numbered for the log; these are the ones that count against the schedule.
ALTER TABLE delivery ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
UPDATE delivery SET tries = attempts;
-- The oldest that is owed: for strict ordering, and for whoever asks how long it waits.
CREATE INDEX delivery_owed ON delivery (webhook_id, id) WHERE state = 'pending';

-- An alert is about a feed or about a webhook. Rows of `delivery` refer to this table while it is made anew.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE alert_9 AS SELECT * FROM alert;
DROP TABLE alert;
CREATE TABLE alert (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL,
  feed_id    INTEGER REFERENCES feed (id),
  webhook_id INTEGER REFERENCES webhook (id),
  broken_at  INTEGER NOT NULL,            -- of the break that it is about
  data       TEXT NOT NULL,
  UNIQUE (kind, feed_id, broken_at), UNIQUE (kind, webhook_id, broken_at)
);
INSERT INTO alert (id, kind, feed_id, broken_at, data) SELECT id, kind, feed_id, broken_at, data FROM alert_9;
DROP TABLE alert_9;
