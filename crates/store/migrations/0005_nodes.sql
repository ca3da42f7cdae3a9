-- Whose a review's event is.
ALTER TABLE review_events ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE review_outbox ADD COLUMN tenant TEXT NOT NULL DEFAULT '';

UPDATE review_events SET tenant = record ->> '$.tenant';
UPDATE review_outbox SET tenant = record ->> '$.tenant';

-- The nodes that use this database, as they last told of themselves.
CREATE TABLE nodes (
    node         TEXT    NOT NULL PRIMARY KEY,
    version      TEXT    NOT NULL,
    address      TEXT,
    last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What releases are made of, by SHA-256 in hexadecimal digits.
CREATE TABLE blobs (
    digest TEXT NOT NULL PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;
