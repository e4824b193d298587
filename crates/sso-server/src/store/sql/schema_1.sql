-- Names are keyed hashes, records are sealed (store/keys.rs); plain is only what is searched or counted.
CREATE TABLE sso_sessions (
    name       TEXT   NOT NULL PRIMARY KEY,
    username   TEXT,
    version    BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    keep_until BIGINT NOT NULL,
    record     BYTEA  NOT NULL
);
CREATE INDEX sso_sessions_username ON sso_sessions (username);
CREATE INDEX sso_sessions_keep_until ON sso_sessions (keep_until);

-- The current cookie of each session, and the one before it.
CREATE TABLE sso_cookies (
    name    TEXT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sso_sessions (name) ON DELETE CASCADE
);
CREATE INDEX sso_cookies_session ON sso_cookies (session);

CREATE TABLE sso_links (
    name    TEXT   NOT NULL PRIMARY KEY,
    session TEXT   NOT NULL REFERENCES sso_sessions (name) ON DELETE CASCADE,
    broker  TEXT   NOT NULL,
    heals   BIGINT NOT NULL,
    record  BYTEA  NOT NULL
);
CREATE INDEX sso_links_session ON sso_links (session);
CREATE INDEX sso_links_broker ON sso_links (broker);

CREATE TABLE sso_families (
    name       TEXT   NOT NULL PRIMARY KEY,
    username   TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    keep_until BIGINT NOT NULL,
    record     BYTEA  NOT NULL
);
CREATE INDEX sso_families_username ON sso_families (username);
CREATE INDEX sso_families_keep_until ON sso_families (keep_until);

CREATE TABLE sso_used (
    name       TEXT   NOT NULL PRIMARY KEY,
    keep_until BIGINT NOT NULL
);
CREATE INDEX sso_used_keep_until ON sso_used (keep_until);

CREATE TABLE sso_settings (
    name   TEXT  NOT NULL PRIMARY KEY,
    record BYTEA NOT NULL
);
