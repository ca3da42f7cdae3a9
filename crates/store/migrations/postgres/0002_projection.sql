-- What the journals say, in tables that people can ask. Everything here can be made again from the
-- journals, as far back as they are retained. Times are microseconds since 1970 in UTC, money is in
-- 10^-12 of the workspace's currency, durations are in microseconds. Text sorts by its bytes.

-- How far each node's journal was read: the next sequence, and the first that is still kept.
CREATE TABLE positions (
    node             text   COLLATE "C" PRIMARY KEY,
    next_sequence    bigint NOT NULL,
    minimum_sequence bigint NOT NULL DEFAULT 0
);

-- One row for each decision. An id begins with its time, so that ranges of ids are ranges of time: a
-- partition holds the ids of one day in UTC, and an id is unique over all of them.
CREATE TABLE decisions (
    id            text    COLLATE "C" NOT NULL,
    node          text    COLLATE "C" NOT NULL,
    sequence      bigint  NOT NULL,
    request       text    NOT NULL,
    row           bigint  NOT NULL,
    tenant        text    COLLATE "C" NOT NULL,
    environment   text    COLLATE "C" NOT NULL,
    system        text    COLLATE "C" NOT NULL,
    key           text,
    unit          text    COLLATE "C",
    session       text,
    subject       text    COLLATE "C",
    idempotency   text    COLLATE "C",
    release       text    NOT NULL,
    deployment    text    NOT NULL,
    protocol      text    NOT NULL,
    mode          text    NOT NULL,
    stream        boolean NOT NULL,
    opened_at     bigint  NOT NULL,
    closed_at     bigint,
    micros        bigint,
    outcome       text,
    kind          text,
    code          text,
    path          text,
    model         text,
    attempts      bigint  NOT NULL,
    input_tokens  bigint,
    output_tokens bigint,
    confidence    double precision,
    cost_pico     bigint  NOT NULL,
    cost_basis    text    NOT NULL,
    skipped       bigint  NOT NULL,
    review        text,
    drill         text,
    record        text    NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

-- Each filter of a list has an index that gives the latest first. Most decisions are served: who looks for
-- those finds them by time.
CREATE INDEX decisions_by_time        ON decisions (opened_at);
CREATE INDEX decisions_by_system      ON decisions (system, opened_at);
CREATE INDEX decisions_by_tenant      ON decisions (tenant, opened_at);
CREATE INDEX decisions_by_release     ON decisions (release, opened_at);
CREATE INDEX decisions_by_outcome     ON decisions (outcome, opened_at)
    WHERE outcome IS NULL OR outcome <> 'served';
CREATE INDEX decisions_by_kind        ON decisions (kind, opened_at) WHERE kind IS NOT NULL;
CREATE INDEX decisions_by_unit        ON decisions (unit, opened_at) WHERE unit IS NOT NULL;
CREATE INDEX decisions_by_subject     ON decisions (subject) WHERE subject IS NOT NULL;
CREATE INDEX decisions_by_idempotency ON decisions (idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX decisions_by_sequence    ON decisions (node, sequence);

SELECT secure('positions', false), secure('decisions', true);

-- The least id of a millisecond: ten characters of time in Crockford's base 32, and no more than that.
CREATE FUNCTION least_id(millis bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(
        substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((millis >> (5 * place)) & 31)::int + 1, 1), ''
        ORDER BY place DESC) || repeat('0', 16)
    FROM generate_series(0, 9) AS place
$$;

-- Makes the partition of a day, counted from 1970, if it is not there. It is made aside and then
-- attached, which stops neither readers nor writers.
CREATE FUNCTION make_day(day integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := 'decisions_' || to_char(date '1970-01-01' + day, 'YYYY_MM_DD');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('plimsoll.decisions', 0));
    IF to_regclass('plimsoll.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE plimsoll.%I (LIKE plimsoll.decisions INCLUDING ALL)', name);
    PERFORM plimsoll.secure(format('plimsoll.%I', name), true);
    EXECUTE format(
        'ALTER TABLE plimsoll.decisions ATTACH PARTITION plimsoll.%I FOR VALUES FROM (%L) TO (%L)',
        name, plimsoll.least_id(day * 86400000::bigint), plimsoll.least_id((day + 1) * 86400000::bigint));
END
$$;

-- Drops the partition of a day if no journal retains any of its decisions; says how many went, or null
-- if the day stays.
CREATE FUNCTION drop_day(partition name) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    retained boolean;
    gone bigint;
BEGIN
    -- Who sees no rows would take every day for an empty one.
    IF current_setting('plimsoll.tenant', true) IS DISTINCT FROM '*' THEN
        RAISE EXCEPTION 'days are dropped by nodes only';
    END IF;
    PERFORM FROM pg_inherits
        WHERE inhparent = 'plimsoll.decisions'::regclass
          AND inhrelid = to_regclass(format('plimsoll.%I', partition));
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('plimsoll.decisions', 0));
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM plimsoll.positions AS place WHERE EXISTS (
             SELECT FROM plimsoll.%I AS kept
             WHERE kept.node = place.node AND kept.sequence >= place.minimum_sequence))', partition)
        INTO retained;
    IF retained THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT count(*) FROM plimsoll.%I', partition) INTO gone;
    EXECUTE format('DROP TABLE plimsoll.%I', partition);
    RETURN gone;
END
$$;

CREATE TABLE releases (
    id         text   COLLATE "C" PRIMARY KEY,
    node       text   COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    system     text   COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    record     text   NOT NULL
);

CREATE INDEX releases_by_system ON releases (system, created_at);

-- Deployment events of all nodes. `number` is the order in which they came to be known here, and is
-- never used twice. `order_at` is the order in which they hold: the latest `at` of the node's events of
-- this system and environment up to and with this one, so that a clock that was set back changes nothing.
CREATE TABLE deployments (
    number      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text    COLLATE "C" NOT NULL UNIQUE,
    node        text    COLLATE "C" NOT NULL,
    sequence    bigint  NOT NULL,
    system      text    COLLATE "C" NOT NULL,
    environment text    COLLATE "C" NOT NULL,
    slot        text    NOT NULL CHECK (slot IN ('stable', 'canary', 'halt')),
    weight      bigint  CHECK ((slot = 'canary') = (weight IS NOT NULL)),
    release     text    NOT NULL,
    cause       text    NOT NULL,
    actor       text    NOT NULL,
    break_glass boolean NOT NULL,
    at          bigint  NOT NULL,
    order_at    bigint  NOT NULL,
    record      text    NOT NULL
);

CREATE INDEX deployments_in_order   ON deployments (system, environment, order_at, node, sequence);
CREATE INDEX deployments_but_starts ON deployments (system, environment, order_at, node, sequence)
    WHERE cause <> 'start';
CREATE INDEX deployments_by_release ON deployments (system, environment, release, order_at);
CREATE INDEX deployments_by_node    ON deployments (node, system, environment, sequence);
CREATE INDEX deployments_unreviewed ON deployments (system, environment) WHERE break_glass;

CREATE TABLE drills (
    id          text    COLLATE "C" PRIMARY KEY,
    node        text    COLLATE "C" NOT NULL,
    sequence    bigint  NOT NULL,
    system      text    COLLATE "C" NOT NULL,
    environment text    COLLATE "C" NOT NULL,
    kind        text    NOT NULL,
    passed      boolean NOT NULL,
    at          bigint  NOT NULL,
    record      text    NOT NULL
);

CREATE INDEX drills_by_kind ON drills (system, environment, kind, at);

CREATE TABLE runbook_runs (
    id          text    COLLATE "C" PRIMARY KEY,
    node        text    COLLATE "C" NOT NULL,
    sequence    bigint  NOT NULL,
    system      text    COLLATE "C" NOT NULL,
    environment text    COLLATE "C" NOT NULL,
    passed      boolean NOT NULL,
    at          bigint  NOT NULL,
    record      text    NOT NULL
);

CREATE INDEX runbook_runs_by_slot ON runbook_runs (system, environment, at);

-- What happened to reviews, as the journals have it. The reviews themselves are control state.
CREATE TABLE review_events (
    review   text   COLLATE "C" NOT NULL,
    event    text   NOT NULL,
    tenant   text   COLLATE "C" NOT NULL,
    node     text   COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    at       bigint NOT NULL,
    record   text   NOT NULL,
    PRIMARY KEY (review, event)
);

-- Nodes that started and stopped, and what recovery mended.
CREATE TABLE node_events (
    node     text   COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    type     text   NOT NULL,
    at       bigint,
    record   text   NOT NULL,
    PRIMARY KEY (node, sequence)
);

-- Requests that were shed or refused without a decision each.
CREATE TABLE uncounted (
    node     text   COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    system   text   COLLATE "C",
    code     text   NOT NULL,
    count    bigint NOT NULL,
    from_at  bigint NOT NULL,
    to_at    bigint NOT NULL,
    PRIMARY KEY (node, sequence)
);

CREATE INDEX uncounted_by_system ON uncounted (system, to_at);

-- These speak of systems and nodes, which all tenants of the installation share.
SELECT secure('releases', false), secure('deployments', false), secure('drills', false),
    secure('runbook_runs', false), secure('node_events', false), secure('uncounted', false),
    secure('review_events', true);
