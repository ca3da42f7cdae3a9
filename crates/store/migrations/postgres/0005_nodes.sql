-- The nodes that share this database, as they last told of themselves.
CREATE TABLE nodes (
    node         text   COLLATE "C" PRIMARY KEY,
    version      text   NOT NULL,
    address      text,
    last_seen_at bigint NOT NULL
);

-- What releases are made of, by SHA-256 in hexadecimal digits: a node fetches here what another brought.
CREATE TABLE blobs (
    digest text  COLLATE "C" PRIMARY KEY,
    bytes  bytea NOT NULL
);

-- Compressed artifacts would only be compressed in vain.
ALTER TABLE blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;

SELECT secure('nodes', false), secure('blobs', false);
