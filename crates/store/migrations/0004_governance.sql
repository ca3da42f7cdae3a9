-- Deployments have slots, what people do to records is a record, and figures are kept by the minute.

-- Whom a decision is about, by pseudonym: erasure finds decisions by it.
ALTER TABLE decisions ADD COLUMN subject TEXT;

UPDATE decisions SET subject = (
    SELECT record ->> '$.subject' FROM decision_records WHERE number = decisions.number
);

CREATE INDEX decisions_by_subject ON decisions (subject, id) WHERE subject IS NOT NULL;

-- Each filter of a list has an index that gives the latest first.
DROP INDEX decisions_by_system;
DROP INDEX decisions_by_kind;
CREATE INDEX decisions_by_system  ON decisions (system, opened_at, id);
CREATE INDEX decisions_by_outcome ON decisions (outcome, opened_at, id, system);
CREATE INDEX decisions_by_kind    ON decisions (kind, opened_at, id, system) WHERE kind IS NOT NULL;
CREATE INDEX decisions_by_tenant  ON decisions (tenant, opened_at, id);
CREATE INDEX decisions_by_release ON decisions (release, opened_at, id);
CREATE INDEX decisions_by_unit    ON decisions (unit, opened_at, id) WHERE unit IS NOT NULL;

-- Deployment events of all nodes. `number` is the order in which they came to be known here, and is
-- never used twice. `order_at` is the order in which they hold: the latest `at` of the node's events of
-- this system and environment up to and with this one, so that a clock that was set back changes nothing.
CREATE TABLE deployments_with_slots (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    slot        TEXT    NOT NULL CHECK (slot IN ('stable', 'canary', 'halt')),
    weight      INTEGER CHECK ((slot = 'canary') = (weight IS NOT NULL)),
    release     TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    break_glass INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    order_at    INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;

INSERT INTO deployments_with_slots (id, node, sequence, system, environment, slot, weight, release,
    cause, actor, break_glass, at, order_at, record)
SELECT id, node, sequence, system, environment,
       CASE WHEN record ->> '$.slot.canary' IS NOT NULL THEN 'canary'
            WHEN record ->> '$.slot.halt' IS NOT NULL THEN 'halt'
            ELSE 'stable' END,
       record ->> '$.slot.canary.weight', release, record ->> '$.cause',
       record ->> '$.actor', COALESCE(record ->> '$.break_glass', 0), at,
       MAX(at) OVER (PARTITION BY system, environment, node ORDER BY sequence) AS order_at, record
FROM deployments ORDER BY order_at, node, sequence;

DROP TABLE deployments;
ALTER TABLE deployments_with_slots RENAME TO deployments;

CREATE INDEX deployments_in_order   ON deployments (system, environment, order_at, node, sequence);
CREATE INDEX deployments_but_starts ON deployments (system, environment, order_at, node, sequence)
    WHERE cause <> 'start';
CREATE INDEX deployments_by_release ON deployments (system, environment, release, order_at);
CREATE INDEX deployments_by_node    ON deployments (node, system, environment, sequence);
CREATE INDEX deployments_unreviewed ON deployments (system, environment) WHERE break_glass;

-- What people do to records: read, erase, hold, let go, approve, review, verify. `about` is what the
-- event is about: of an access the decision, of an erasure the request, of a hold the hold, of a policy
-- its name, of an approval the release, of a deployment's review the deployment, of a retirement and of a
-- verification the node.
CREATE TABLE governance_events (
    id          TEXT    NOT NULL PRIMARY KEY,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    about       TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT,
    tenant      TEXT,
    system      TEXT,
    environment TEXT,
    record      TEXT    NOT NULL
) STRICT;

CREATE INDEX governance_by_time   ON governance_events (kind, at, id);
CREATE INDEX governance_by_about  ON governance_events (kind, about, at, id);
CREATE INDEX governance_by_actor  ON governance_events (kind, actor, at, id);
CREATE INDEX governance_by_tenant ON governance_events (kind, tenant, at, id) WHERE tenant IS NOT NULL;
CREATE INDEX governance_by_node   ON governance_events (node, sequence);

-- Which decisions an erasure names.
CREATE TABLE erased (
    decision TEXT NOT NULL,
    erasure  TEXT NOT NULL,
    PRIMARY KEY (decision, erasure)
) STRICT, WITHOUT ROWID;

CREATE INDEX erased_by_erasure ON erased (erasure);

-- Which erasures a node has carried out on its own files. Control state: a rebuild leaves it alone.
CREATE TABLE erasures_applied (
    erasure    TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (erasure, node)
) STRICT, WITHOUT ROWID;

-- The erasure that removed a review's contents.
ALTER TABLE reviews ADD COLUMN erasure TEXT;

-- What decisions count for, per minute and per hour (`width` in seconds), for each release and node.
-- `latency` and `cost` are sketches; see `src/rollup`. Decisions before a node's `minimum_sequence` are
-- counted here for good, though their rows are gone.
CREATE TABLE rollups (
    width       INTEGER NOT NULL,
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    start       INTEGER NOT NULL,
    release     TEXT    NOT NULL,
    node        TEXT    NOT NULL,
    decisions   INTEGER NOT NULL,
    counts      TEXT    NOT NULL,
    latency     BLOB    NOT NULL,
    cost        BLOB    NOT NULL,
    PRIMARY KEY (system, environment, width, start, release, node)
) STRICT;

CREATE INDEX rollups_by_width ON rollups (width, start);

-- What each named unit of work comes to: a decimal amount, and the minute and release of its last
-- decision, where it stands in the rollups.
CREATE TABLE units (
    system      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    decisions   INTEGER NOT NULL,
    cost        TEXT    NOT NULL,
    minute      INTEGER NOT NULL,
    release     TEXT    NOT NULL,
    PRIMARY KEY (system, environment, tenant, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX units_by_minute ON units (minute);

-- Requests without a decision each, by the hour, once the journal no longer has their records.
CREATE TABLE uncounted_hours (
    node   TEXT    NOT NULL,
    system TEXT    NOT NULL,
    code   TEXT    NOT NULL,
    start  INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    to_at  INTEGER NOT NULL,
    PRIMARY KEY (system, start, code, node)
) STRICT, WITHOUT ROWID;
