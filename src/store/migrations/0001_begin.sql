-- Times are UTC milliseconds. Hashes are SipHash with the key in meta, so that nobody outside can make two
-- of them collide.

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('hash_key', randomblob(16)), ('instance', randomblob(16));

CREATE TABLE feed (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  config_url TEXT NOT NULL UNIQUE,
  title      TEXT,                        -- the configuration's, which overrides the document's
  active     INTEGER NOT NULL,            -- named in the configuration
  enabled    INTEGER NOT NULL,
  added_at   INTEGER NOT NULL,
  removed_at INTEGER,
  info       TEXT NOT NULL DEFAULT '{}'   -- what the last document said of itself, as JSON
);

-- What every poll writes, apart from what it seldom does: a round of 304s touches these short rows alone.
CREATE TABLE feed_state (
  feed_id       INTEGER PRIMARY KEY REFERENCES feed (id),
  current_url   TEXT NOT NULL,
  validator_url TEXT,
  etag          BLOB,
  last_modified BLOB,
  body_hash     INTEGER,
  loaded_once   INTEGER NOT NULL DEFAULT 0,
  last_try      INTEGER,
  last_ok       INTEGER,
  due_at        INTEGER,
  due_reason    TEXT NOT NULL DEFAULT '',
  fresh_until   INTEGER,
  retry_until   INTEGER,
  errors        INTEGER NOT NULL DEFAULT 0,
  failing_since INTEGER,
  error_kind    TEXT,
  error_status  INTEGER,
  error_text    TEXT,
  gone          INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX feed_state_due ON feed_state (due_at);

CREATE TABLE feed_redirect (
  feed_id INTEGER NOT NULL REFERENCES feed (id), at INTEGER NOT NULL, status INTEGER NOT NULL,
  from_url TEXT NOT NULL, to_url TEXT NOT NULL
);
CREATE INDEX feed_redirect_feed ON feed_redirect (feed_id, at);

-- Identity: a row stays for good, also when the body goes.
CREATE TABLE item (
  id             INTEGER PRIMARY KEY,
  ident_hash     INTEGER NOT NULL UNIQUE, -- of scope and key; on a hit both are compared
  scope_feed     INTEGER NOT NULL,        -- 0: the key is a canonical URL and holds across feeds
  key            TEXT NOT NULL,
  link           TEXT,
  published_id   TEXT NOT NULL,
  published_hash INTEGER NOT NULL UNIQUE,
  main_feed      INTEGER NOT NULL REFERENCES feed (id),
  first_seen     INTEGER NOT NULL,
  published      INTEGER,
  updated        INTEGER NOT NULL,
  effective_at   INTEGER NOT NULL,
  revision       INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX item_order ON item (effective_at, id);

CREATE TABLE source (
  id      INTEGER PRIMARY KEY,
  feed_id INTEGER NOT NULL REFERENCES feed (id),
  info    TEXT NOT NULL                   -- the feed as it was when items were stored: atom:source must not move
);
CREATE INDEX source_feed ON source (feed_id, id);

CREATE TABLE item_body (
  item_id       INTEGER PRIMARY KEY REFERENCES item (id),
  source_id     INTEGER NOT NULL REFERENCES source (id),
  title         TEXT,
  summary       TEXT,
  content       TEXT,
  extra         TEXT,                     -- authors, categories, enclosures …, as JSON; NULL: none
  clean_version INTEGER,
  clean_summary TEXT,
  clean_content TEXT
);

CREATE TABLE sighting (
  feed_id     INTEGER NOT NULL REFERENCES feed (id),
  entry_hash  BLOB NOT NULL,              -- 128 bits: within one feed no text is compared behind it
  item_id     INTEGER NOT NULL REFERENCES item (id),
  key_hash    INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL,
  first_seen  INTEGER NOT NULL,
  guid        TEXT,
  link        TEXT,                       -- NULL: the item's
  PRIMARY KEY (feed_id, entry_hash)
) WITHOUT ROWID;
CREATE INDEX sighting_item ON sighting (item_id);

-- What changed as readers see it, in order.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, item_id INTEGER NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL
);

CREATE TABLE stream (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, filled INTEGER NOT NULL,
  last_seq INTEGER NOT NULL DEFAULT 0, changed_at INTEGER
);
CREATE TABLE stream_item (
  stream_id    INTEGER NOT NULL REFERENCES stream (id),
  effective_at INTEGER NOT NULL,
  item_id      INTEGER NOT NULL REFERENCES item (id),
  seq          INTEGER NOT NULL,
  term         TEXT,                      -- why, as JSON
  PRIMARY KEY (stream_id, effective_at, item_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX stream_item_seq ON stream_item (stream_id, seq);
CREATE UNIQUE INDEX stream_item_item ON stream_item (item_id, stream_id);

CREATE TABLE webhook (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'active', reason TEXT
);
CREATE TABLE event (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, item_id INTEGER NOT NULL REFERENCES item (id),
  revision INTEGER NOT NULL, occurred_at INTEGER NOT NULL, data TEXT NOT NULL,
  UNIQUE (kind, item_id, revision)
);
CREATE TABLE delivery (
  id          INTEGER PRIMARY KEY,
  webhook_id  INTEGER NOT NULL REFERENCES webhook (id),
  message_id  TEXT NOT NULL UNIQUE,       -- enqueued exactly once, whatever crashes
  state       TEXT NOT NULL DEFAULT 'pending',
  matches     TEXT NOT NULL,
  body        BLOB,
  attempts    INTEGER NOT NULL DEFAULT 0,
  next_at     INTEGER NOT NULL,
  lease_token INTEGER,
  lease_until INTEGER,
  created_at  INTEGER NOT NULL,
  settled_at  INTEGER
);
CREATE INDEX delivery_due ON delivery (webhook_id, next_at, id) WHERE state = 'pending';
CREATE INDEX delivery_leased ON delivery (webhook_id, lease_until) WHERE lease_token IS NOT NULL;
CREATE INDEX delivery_failed ON delivery (webhook_id) WHERE state = 'failed';
-- A delivery carries one event today and may carry several.
CREATE TABLE delivery_event (
  delivery_id INTEGER NOT NULL REFERENCES delivery (id), event_id INTEGER NOT NULL REFERENCES event (id),
  PRIMARY KEY (delivery_id, event_id)
) WITHOUT ROWID;
CREATE TABLE attempt (
  delivery_id INTEGER NOT NULL REFERENCES delivery (id), n INTEGER NOT NULL, at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL, http_status INTEGER, error TEXT, request TEXT NOT NULL, response TEXT NOT NULL,
  PRIMARY KEY (delivery_id, n)
) WITHOUT ROWID;
CREATE INDEX attempt_at ON attempt (at);
