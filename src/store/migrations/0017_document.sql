-- What a document or a move changes stands apart from what every poll writes: a 304 writes the whole row that it changes, and most
-- polls are 304s.
CREATE TABLE feed_document (
  feed_id       INTEGER PRIMARY KEY REFERENCES feed (id),
  current_url   TEXT NOT NULL,            -- where it is asked
  validator_url TEXT,
  etag          BLOB,
  last_modified BLOB,
  body_hash     INTEGER,
  loaded_once   INTEGER NOT NULL DEFAULT 0,
  newest        INTEGER,                  -- the newest date among the items that the feed brought
  habits        TEXT,                     -- what is known of its guids and links, as JSON; NULL: nothing out of the ordinary
  cadence       TEXT,
  ignore        TEXT,                     -- the query that the last document was judged by; NULL: none
  moved_at      INTEGER,                  -- when it last moved, unless it went back
  moved_from    TEXT                      -- the address before that
);
INSERT INTO feed_document
  SELECT feed_id, current_url, validator_url, etag, last_modified, body_hash, loaded_once, newest, habits, cadence, ignore,
    moved_at, moved_from
  FROM feed_state;

CREATE TABLE feed_state_17 (
  feed_id       INTEGER PRIMARY KEY REFERENCES feed (id),
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
  gone          INTEGER NOT NULL DEFAULT 0,
  dead          INTEGER NOT NULL DEFAULT 0, -- failures in a row that say: there is no feed here
  broken_at     INTEGER,                  -- since when it counts as broken: told once, and only then that it recovered
  merged_into   INTEGER REFERENCES feed (id), -- the feed that is asked in its place
  merged_at     INTEGER,
  paused_at     INTEGER
);
INSERT INTO feed_state_17
  SELECT feed_id, last_try, last_ok, due_at, due_reason, fresh_until, retry_until, errors, failing_since, error_kind,
    error_status, error_text, gone, dead, broken_at, merged_into, merged_at, paused_at
  FROM feed_state;
DROP TABLE feed_state;
ALTER TABLE feed_state_17 RENAME TO feed_state;
CREATE INDEX feed_document_url ON feed_document (current_url);
CREATE INDEX feed_state_merged ON feed_state (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX feed_paused ON feed_state (feed_id) WHERE paused_at IS NOT NULL;
