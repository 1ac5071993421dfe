-- What changes with each story that enters a stream stands by itself, and so on few pages: of ten thousand streams many get a story in
-- each commit.
CREATE TABLE stream_state (
  stream_id  INTEGER PRIMARY KEY REFERENCES stream (id),
  last_seq   INTEGER NOT NULL DEFAULT 0,
  version    INTEGER NOT NULL DEFAULT 0,  -- grows with whatever its documents show
  changed_at INTEGER,
  public_at  INTEGER                      -- the same for those who see nothing of private feeds
);
INSERT INTO stream_state SELECT id, last_seq, version, changed_at, public_at FROM stream;
DROP TRIGGER stream_item_removed;
DROP TRIGGER item_rekeyed;
ALTER TABLE stream DROP COLUMN last_seq;
ALTER TABLE stream DROP COLUMN version;
ALTER TABLE stream DROP COLUMN changed_at;
ALTER TABLE stream DROP COLUMN public_at;
CREATE TRIGGER stream_added AFTER INSERT ON stream BEGIN
  INSERT INTO stream_state (stream_id) VALUES (NEW.id);
END;

-- Memberships by story, which is where new ones are added at the end; both orders of a stream have nothing but numbers, for they are
-- written all over.
CREATE TABLE stream_item_16 (
  item_id      INTEGER NOT NULL REFERENCES item (id),
  stream_id    INTEGER NOT NULL,          -- has a `stream_state`, which gave the number
  effective_at INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  term         TEXT,                      -- why, as JSON
  PRIMARY KEY (item_id, stream_id)
) WITHOUT ROWID;
-- By the index: there may be more than can be sorted in memory.
INSERT INTO stream_item_16 SELECT item_id, stream_id, effective_at, seq, term
  FROM stream_item INDEXED BY stream_item_item ORDER BY item_id, stream_id;
DROP TABLE stream_item;
ALTER TABLE stream_item_16 RENAME TO stream_item;
CREATE INDEX stream_item_date ON stream_item (stream_id, effective_at, item_id);
CREATE UNIQUE INDEX stream_item_seq ON stream_item (stream_id, seq);

-- A story's documents name all of its streams. Those that it enters are counted where it does.
CREATE TRIGGER stream_item_removed AFTER DELETE ON stream_item BEGIN
  UPDATE stream_state SET version = version + 1
    WHERE stream_id = OLD.stream_id OR stream_id IN (SELECT stream_id FROM stream_item WHERE item_id = OLD.item_id);
END;
CREATE TRIGGER item_rekeyed AFTER UPDATE OF key ON item BEGIN
  UPDATE stream_state SET version = version + 1
    WHERE stream_id IN (SELECT stream_id FROM stream_item WHERE item_id = NEW.id);
END;
