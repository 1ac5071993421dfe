-- What feeds do not keep: an entry that the feed's `ignore` query met is remembered, and why.

ALTER TABLE feed_state ADD COLUMN ignore TEXT;  -- the query that the last document was judged by; NULL: none

CREATE TABLE ignoring (id INTEGER PRIMARY KEY, query TEXT NOT NULL UNIQUE);

CREATE TABLE ignored (
  feed_id INTEGER NOT NULL REFERENCES feed (id),
  entry_hash BLOB NOT NULL,               -- as in sighting
  key_hash INTEGER NOT NULL,              -- of the story's key, or of its link if it is known by something else
  query_id INTEGER NOT NULL REFERENCES ignoring (id),
  at INTEGER NOT NULL,                    -- when it was ignored first
  PRIMARY KEY (feed_id, entry_hash)
) WITHOUT ROWID;
CREATE INDEX ignored_key ON ignored (key_hash);
