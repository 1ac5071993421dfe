-- Full-text search over folded words, joined by spaces. It follows the log behind everything else, in large batches.
CREATE VIRTUAL TABLE item_fts USING fts5 (
  title, summary, content, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '3'
);
-- What is not in it yet: items whose change in the log is after done_seq, and those with a row below `below`, which were
-- there before the index was.
CREATE TABLE fts_state (one INTEGER PRIMARY KEY CHECK (one = 1), done_seq INTEGER NOT NULL, below INTEGER NOT NULL);
INSERT INTO fts_state VALUES (
  1, coalesce((SELECT max(seq) FROM change), 0), coalesce((SELECT max(id) + 1 FROM item), 0)
);
