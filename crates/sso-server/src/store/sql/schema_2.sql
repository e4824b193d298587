-- Users and brokers (src/directory/). In clear, so that other programs may add users and read both; a password is a hash, and what
-- proves a broker is sealed (store/keys.rs). Times are milliseconds since 1970-01-01 UTC.
CREATE TABLE sso_users (
    username   TEXT   NOT NULL PRIMARY KEY,
    password   TEXT   NOT NULL,              -- '$argon2id$…' or '$2y$…'
    attributes TEXT   NOT NULL DEFAULT '{}', -- a JSON object
    member_of  TEXT   NOT NULL DEFAULT '[]', -- a JSON array of group names
    disabled   BIGINT NOT NULL DEFAULT 0,    -- 0 or 1
    created    BIGINT NOT NULL DEFAULT 0,
    changed    BIGINT NOT NULL DEFAULT 0,
    version    BIGINT NOT NULL DEFAULT 0     -- counts changes
);

CREATE TABLE sso_brokers (
    id       TEXT   NOT NULL PRIMARY KEY,
    settings TEXT   NOT NULL,                -- a JSON object with the keys of a [[brokers]] entry
    secrets  BYTEA  NOT NULL,                -- sealed: the secret, and the one before it with its end
    disabled BIGINT NOT NULL DEFAULT 0,
    created  BIGINT NOT NULL DEFAULT 0,
    changed  BIGINT NOT NULL DEFAULT 0,
    version  BIGINT NOT NULL DEFAULT 0
);
