-- Reviews are control state: this table is their truth, and a rebuild leaves it alone.
CREATE TABLE reviews (
    id          TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    system      TEXT    NOT NULL,
    queue       TEXT    NOT NULL,
    decision    TEXT    NOT NULL,
    drill       TEXT,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'answered', 'expired')),
    opened_at   INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    closed_at   INTEGER,
    review      TEXT    NOT NULL,
    CHECK ((state = 'open') = (closed_at IS NULL))
) STRICT;

CREATE INDEX reviews_open        ON reviews (due_at, id) WHERE state = 'open';
CREATE INDEX reviews_by_decision ON reviews (decision);
CREATE INDEX reviews_closed      ON reviews (closed_at) WHERE state <> 'open';

-- What happened to a review, written in the transaction that changed it. A row goes when the
-- projection sees the same event in the journal, so what stands here still has to be written there.
CREATE TABLE review_outbox (
    number     INTEGER NOT NULL PRIMARY KEY,
    review     TEXT    NOT NULL,
    event      TEXT    NOT NULL,
    written_at INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    UNIQUE (review, event)
) STRICT;
