-- When a stream last changed for those who see nothing of private feeds.
ALTER TABLE stream ADD COLUMN public_at INTEGER;
UPDATE stream SET public_at = changed_at;
