-- What turned out to be true of decisions: every label that was ever said, the latest of a decision and a
-- name stands. `system` to `opened_at` are the decision's, once it is known: until then the label waits.
CREATE TABLE labels (
    id          text   COLLATE "C" PRIMARY KEY,
    node        text   COLLATE "C" NOT NULL,
    sequence    bigint NOT NULL,
    decision    text   COLLATE "C" NOT NULL,
    tenant      text   COLLATE "C" NOT NULL,
    name        text   COLLATE "C" NOT NULL,
    at          bigint NOT NULL,
    system      text   COLLATE "C",
    environment text   COLLATE "C",
    release     text,
    opened_at   bigint,
    record      text   NOT NULL
);

CREATE INDEX labels_by_decision ON labels (decision, name, at);
CREATE INDEX labels_by_system   ON labels (system, at, id) WHERE system IS NOT NULL;
CREATE INDEX labels_by_time     ON labels (at, id);
CREATE INDEX labels_by_node     ON labels (node, sequence);
CREATE INDEX labels_waiting     ON labels (decision) WHERE system IS NULL;

SELECT secure('labels', true);
