-- When a link was made: the oldest ones make room.
ALTER TABLE sso_links ADD COLUMN made BIGINT NOT NULL DEFAULT 0;
