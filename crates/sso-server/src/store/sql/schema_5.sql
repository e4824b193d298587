-- A login lives in a session: records have another form. Sessions and what leads to them begin anew; users, brokers, settings and used ids stay.
DELETE FROM sso_links;
DELETE FROM sso_cookies;
DELETE FROM sso_sessions;
DELETE FROM sso_families;
ALTER TABLE sso_links DROP COLUMN heals;
-- When a session's login ends if nobody uses it any more; far away where there is none.
ALTER TABLE sso_sessions ADD COLUMN ends BIGINT NOT NULL DEFAULT 9223372036854775807;
CREATE INDEX sso_sessions_ends ON sso_sessions (ends);
