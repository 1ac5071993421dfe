-- The entries of a feed's last load, 16 bytes each: most of the next load stands here as it was, and is not looked up.
CREATE TABLE listing (feed_id INTEGER PRIMARY KEY, entries BLOB NOT NULL);
