-- When a link's broker last called with it, written down where it cannot attach anew; 0: never.
ALTER TABLE sso_links ADD COLUMN called BIGINT NOT NULL DEFAULT 0;
