-- A login lives in a session: records have another form. Sessions and what leads to them begin anew; users, brokers, settings and used ids stay.
DELETE FROM sso_links;
DELETE FROM sso_cookies;
DELETE FROM sso_sessions;
DELETE FROM sso_families;
ALTER TABLE sso_links DROP COLUMN heals;
