-- What turned out to be true of decisions: every label that was ever said, the latest of a decision and a
-- name stands. `system` to `opened_at` are the decision's, once it is known: until then the label waits.
CREATE TABLE labels (
    id          TEXT    NOT NULL PRIMARY KEY,
    node        TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    decision    TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    system      TEXT,
    environment TEXT,
    release     TEXT,
    opened_at   INTEGER,
    record      TEXT    NOT NULL
) STRICT;

CREATE INDEX labels_by_decision ON labels (decision, name, at);
CREATE INDEX labels_by_system   ON labels (system, at, id) WHERE system IS NOT NULL;
CREATE INDEX labels_by_time     ON labels (at, id);
CREATE INDEX labels_by_node     ON labels (node, sequence);
CREATE INDEX labels_waiting     ON labels (decision) WHERE system IS NULL;
