-- Stories over time: merges and aliases, what is past, what is known of a publisher's habits.

-- 0: shown; 1: absorbed by the item in merged_into; 2: its body went by retention, its identity stays.
ALTER TABLE item ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE item ADD COLUMN merged_into INTEGER REFERENCES item (id);
-- The rules that made the key. 0: not known, made anew.
ALTER TABLE item ADD COLUMN rule_version INTEGER NOT NULL DEFAULT 0;
DROP INDEX item_order;
CREATE INDEX item_order ON item (effective_at, id) WHERE state = 0;

-- 0: the publisher has used the guid for two stories; another link means another story.
ALTER TABLE sighting ADD COLUMN trusted INTEGER NOT NULL DEFAULT 1;
-- The same title and text under another guid and link.
CREATE INDEX sighting_print ON sighting (feed_id, fingerprint);

-- What is known of a feed's guids and links, as JSON; NULL: nothing out of the ordinary.
ALTER TABLE feed_state ADD COLUMN habits TEXT;
-- The newest date among the items that the feed brought.
ALTER TABLE feed_state ADD COLUMN newest INTEGER;
UPDATE feed_state SET newest = (SELECT max(effective_at) FROM item WHERE main_feed = feed_id);

-- Another address of a story. Chains are flattened when they are written: no to_key is itself a from_key.
CREATE TABLE alias (
  from_hash    INTEGER PRIMARY KEY,       -- as item.ident_hash with scope 0; on a hit from_key is compared
  from_key     TEXT NOT NULL,
  to_key       TEXT NOT NULL,
  source       TEXT NOT NULL,             -- redirect, origlink, canonical, moved, rules, operator
  rule_version INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL
);
CREATE INDEX alias_to ON alias (to_key, seen_at);

-- Two items that turned out to be one. `undo` holds what it takes to part them again, as JSON.
CREATE TABLE merge (
  id        INTEGER PRIMARY KEY,
  kept      INTEGER NOT NULL REFERENCES item (id),
  absorbed  INTEGER NOT NULL REFERENCES item (id),
  at        INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  undo      TEXT NOT NULL,
  undone_at INTEGER
);
CREATE INDEX merge_kept ON merge (kept);
CREATE INDEX merge_absorbed ON merge (absorbed);

-- What happened to an item that its rows do not say: few items have any.
CREATE TABLE trace (
  id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX trace_item ON trace (item_id);

-- Stories of which nothing but their identity is left: hashes, no text. An entry or a key that stands here is known,
-- and brings nothing back.
CREATE TABLE past_item (
  ident_hash INTEGER PRIMARY KEY,
  proof      INTEGER NOT NULL,            -- a second hash of scope and key: the text is gone
  item_id    INTEGER NOT NULL,
  seen_day   INTEGER NOT NULL             -- days since 1970
);
CREATE TABLE past_sighting (
  feed_id INTEGER NOT NULL, entry_hash BLOB NOT NULL, item_id INTEGER NOT NULL, key_hash INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL, PRIMARY KEY (feed_id, entry_hash)
) WITHOUT ROWID;
