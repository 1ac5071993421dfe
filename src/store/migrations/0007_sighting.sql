-- Sightings in the order in which they came, so that an edit writes where its neighbours are; and what twins share in a
-- column of its own, so that an edited text moves nothing in an index.
CREATE TABLE sighting_7 (
  id          INTEGER PRIMARY KEY,
  feed_id     INTEGER NOT NULL REFERENCES feed (id),
  entry_hash  BLOB NOT NULL,              -- 128 bits: within one feed no text is compared behind it
  item_id     INTEGER NOT NULL REFERENCES item (id),
  key_hash    INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL,
  twin_hash   INTEGER NOT NULL,           -- of the title; without one, of the text
  first_seen  INTEGER NOT NULL,
  guid        TEXT,
  link        TEXT,                       -- NULL: the item's
  trusted     INTEGER NOT NULL DEFAULT 1  -- 0: the guid was used for two stories; another link means another story
);
INSERT INTO sighting_7 (feed_id, entry_hash, item_id, key_hash, fingerprint, twin_hash, first_seen, guid, link, trusted)
  SELECT feed_id, entry_hash, item_id, key_hash, fingerprint, hash - (hash >= 2147483648) * 4294967296, first_seen, guid,
    link, trusted
  FROM (SELECT *, iif(fingerprint >> 32 = 0, fingerprint, fingerprint >> 32) & 4294967295 AS hash FROM sighting)
  ORDER BY first_seen;
DROP TABLE sighting;
ALTER TABLE sighting_7 RENAME TO sighting;
CREATE UNIQUE INDEX sighting_entry ON sighting (feed_id, entry_hash);
CREATE INDEX sighting_item ON sighting (item_id);
CREATE INDEX sighting_twin ON sighting (feed_id, twin_hash);
CREATE TRIGGER sighting_added AFTER INSERT ON sighting BEGIN
  INSERT INTO feed_tally VALUES (NEW.feed_id, 1) ON CONFLICT (feed_id) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER sighting_removed AFTER DELETE ON sighting BEGIN
  UPDATE feed_tally SET entries = entries - 1 WHERE feed_id = OLD.feed_id;
END;
