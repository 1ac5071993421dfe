-- The trace of a story is read from what is stored anyway. One way to it was missing: from an item to its edits (kind 2),
-- which few items have.
CREATE INDEX change_edit ON change (item_id) WHERE kind = 2;
