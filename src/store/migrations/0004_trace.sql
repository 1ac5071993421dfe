-- The trace of a story is read from what is stored anyway. Two ways to it were missing: from an event to its
-- deliveries, and from an item to its edits (kind 2), which few items have.
CREATE INDEX delivery_event_event ON delivery_event (event_id);
CREATE INDEX change_edit ON change (item_id) WHERE kind = 2;
