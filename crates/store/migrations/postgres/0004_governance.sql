-- What people do to records: read, erase, hold, let go, approve, review, verify. `about` is what the
-- event is about: of an access the decision, of an erasure the request, of a hold the hold, of a policy
-- its name, of an approval the release, of a deployment's review the deployment, of a retirement and of a
-- verification the node. Few have a tenant; the others are the installation's.
CREATE TABLE governance_events (
    id          text   COLLATE "C" PRIMARY KEY,
    node        text   COLLATE "C" NOT NULL,
    sequence    bigint NOT NULL,
    kind        text   NOT NULL,
    about       text   COLLATE "C" NOT NULL,
    at          bigint NOT NULL,
    actor       text,
    tenant      text   COLLATE "C",
    system      text,
    environment text,
    record      text   NOT NULL
);

CREATE INDEX governance_by_time   ON governance_events (kind, at, id);
CREATE INDEX governance_by_about  ON governance_events (kind, about, at, id);
CREATE INDEX governance_by_actor  ON governance_events (kind, actor, at, id);
CREATE INDEX governance_by_tenant ON governance_events (kind, tenant, at, id) WHERE tenant IS NOT NULL;
CREATE INDEX governance_by_node   ON governance_events (node, sequence);

-- Which decisions an erasure names.
CREATE TABLE erased (
    decision text COLLATE "C" NOT NULL,
    erasure  text COLLATE "C" NOT NULL,
    PRIMARY KEY (decision, erasure)
);

CREATE INDEX erased_by_erasure ON erased (erasure);

-- Which erasures a node has carried out on its own files. Control state: a rebuild leaves it alone.
CREATE TABLE erasures_applied (
    erasure    text   COLLATE "C" NOT NULL,
    node       text   COLLATE "C" NOT NULL,
    applied_at bigint NOT NULL,
    PRIMARY KEY (erasure, node)
);

-- What decisions count for, per minute and per hour (`width` in seconds), for each release and node: a
-- node changes its own rows only. `latency` and `cost` are sketches; see `src/rollup`. Decisions before a
-- node's `minimum_sequence` are counted here for good, though their rows are gone.
CREATE TABLE rollups (
    width       bigint NOT NULL,
    system      text   COLLATE "C" NOT NULL,
    environment text   COLLATE "C" NOT NULL,
    start       bigint NOT NULL,
    release     text   COLLATE "C" NOT NULL,
    node        text   COLLATE "C" NOT NULL,
    decisions   bigint NOT NULL,
    counts      text   NOT NULL,
    latency     bytea  NOT NULL,
    cost        bytea  NOT NULL,
    PRIMARY KEY (system, environment, width, start, release, node)
);

CREATE INDEX rollups_by_width ON rollups (width, start);

-- What each named unit of work comes to: a decimal amount, and the minute and release of its last
-- decision, where it stands in the rollups.
CREATE TABLE units (
    system      text   COLLATE "C" NOT NULL,
    environment text   COLLATE "C" NOT NULL,
    tenant      text   COLLATE "C" NOT NULL,
    name        text   COLLATE "C" NOT NULL,
    decisions   bigint NOT NULL,
    cost        text   NOT NULL,
    minute      bigint NOT NULL,
    release     text   NOT NULL,
    PRIMARY KEY (system, environment, tenant, name)
);

CREATE INDEX units_by_minute ON units (minute);

-- Requests without a decision each, by the hour, once the journal no longer has their records.
CREATE TABLE uncounted_hours (
    node   text   COLLATE "C" NOT NULL,
    system text   COLLATE "C" NOT NULL,
    code   text   COLLATE "C" NOT NULL,
    start  bigint NOT NULL,
    count  bigint NOT NULL,
    to_at  bigint NOT NULL,
    PRIMARY KEY (system, start, code, node)
);

-- Which decisions are erased, which sums a system comes to: these are the installation's.
SELECT secure('governance_events', true), secure('units', true), secure('erased', false),
    secure('erasures_applied', false), secure('rollups', false), secure('uncounted_hours', false);
