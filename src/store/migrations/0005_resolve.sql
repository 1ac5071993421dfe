-- Items whose link is a short one of a host that the configuration lists: what became of following it. Rows are dropped
-- some days after their item came.
CREATE TABLE resolution (
  item_id  INTEGER PRIMARY KEY,
  host     TEXT NOT NULL,                 -- and port: whom to ask
  found_at INTEGER NOT NULL,
  tries    INTEGER NOT NULL DEFAULT 0,
  tried_at INTEGER,
  next_at  INTEGER,                       -- NULL: it is settled
  outcome  TEXT
);
CREATE INDEX resolution_due ON resolution (item_id) WHERE next_at IS NOT NULL;
CREATE INDEX resolution_tried ON resolution (tried_at) WHERE tried_at IS NOT NULL;

-- Hosts that asked to be left alone for a while.
CREATE TABLE resolution_hold (host TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
