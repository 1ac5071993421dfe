-- Nobody asks the database for the next feed that is due, and each poll moved an entry of this index to another page.
DROP INDEX feed_state_due;
