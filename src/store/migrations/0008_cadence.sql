-- What a feed's last document said of how often to ask: ttl, skipHours, skipDays, sy:, and the usual gap between its items,
-- as JSON. NULL: nothing.
ALTER TABLE feed_state ADD COLUMN cadence TEXT;
