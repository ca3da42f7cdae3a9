-- What the journal says, in tables that people can ask. Everything here can be made again from the
-- journal, as far back as it is retained. Times are microseconds since 1970 in UTC, money is in
-- 10^-12 of the workspace's currency, durations are in microseconds.

-- How far each node's journal was read: the next sequence, and the first that is still kept.
CREATE TABLE positions (
    node             TEXT    NOT NULL PRIMARY KEY,
    next_sequence    INTEGER NOT NULL,
    minimum_sequence INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- One row for each decision, without its record, so that scans stay small.
CREATE TABLE decisions (
    number        INTEGER NOT NULL PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    node          TEXT    NOT NULL,
    sequence      INTEGER NOT NULL,
    request       TEXT    NOT NULL,
    row           INTEGER NOT NULL,
    tenant        TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    system        TEXT    NOT NULL,
    key           TEXT,
    unit          TEXT,
    session       TEXT,
    release       TEXT    NOT NULL,
    deployment    TEXT    NOT NULL,
    protocol      TEXT    NOT NULL,
    mode          TEXT    NOT NULL,
    stream        INTEGER NOT NULL,
    opened_at     INTEGER NOT NULL,
    closed_at     INTEGER,
    micros        INTEGER,
    outcome       TEXT,
    kind          TEXT,
    code          TEXT,
    path          TEXT,
    model         TEXT,
    attempts      INTEGER NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    confidence    REAL,
    cost_pico     INTEGER NOT NULL,
    cost_basis    TEXT    NOT NULL,
    skipped       INTEGER NOT NULL,
    review        TEXT,
    drill         TEXT
) STRICT;

CREATE INDEX decisions_by_time     ON decisions (opened_at, id);
CREATE INDEX decisions_by_system   ON decisions (system, environment, opened_at, id);
CREATE INDEX decisions_by_kind     ON decisions (system, kind, opened_at, id) WHERE kind IS NOT NULL;
CREATE INDEX decisions_by_sequence ON decisions (node, sequence);

-- The whole record of a decision, as JSON.
CREATE TABLE decision_records (
    number INTEGER NOT NULL PRIMARY KEY REFERENCES decisions (number) ON DELETE CASCADE,
    record TEXT    NOT NULL
) STRICT;

CREATE TABLE releases (
    id         TEXT    NOT NULL PRIMARY KEY,
    node       TEXT    NOT NULL,
    sequence   INTEGER NOT NULL,
    system     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    record     TEXT    NOT NULL
) STRICT;

CREATE INDEX releases_by_system ON releases (system, created_at);

CREATE TABLE deployments (
    id          TEXT    NOT NULL PRIMARY KEY,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    release     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;

CREATE INDEX deployments_by_slot ON deployments (system, environment, node, sequence);

CREATE TABLE drills (
    id          TEXT    NOT NULL PRIMARY KEY,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    passed      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;

CREATE INDEX drills_by_kind ON drills (system, environment, kind, at);

CREATE TABLE runbook_runs (
    id          TEXT    NOT NULL PRIMARY KEY,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    passed      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;

CREATE INDEX runbook_runs_by_slot ON runbook_runs (system, environment, at);

-- What happened to reviews, as the journal has it. The reviews themselves are control state.
CREATE TABLE review_events (
    review   TEXT    NOT NULL,
    event    TEXT    NOT NULL,
    node     TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    record   TEXT    NOT NULL,
    PRIMARY KEY (review, event)
) STRICT;

-- Nodes that started and stopped, and what recovery mended.
CREATE TABLE node_events (
    node     TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    type     TEXT    NOT NULL,
    at       INTEGER,
    record   TEXT    NOT NULL,
    PRIMARY KEY (node, sequence)
) STRICT, WITHOUT ROWID;

-- Requests that were shed or refused without a decision each.
CREATE TABLE uncounted (
    node     TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    system   TEXT,
    code     TEXT    NOT NULL,
    count    INTEGER NOT NULL,
    from_at  INTEGER NOT NULL,
    to_at    INTEGER NOT NULL,
    PRIMARY KEY (node, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX uncounted_by_system ON uncounted (system, to_at);
