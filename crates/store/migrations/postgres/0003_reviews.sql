-- Reviews are control state: this table is their truth, and a rebuild leaves it alone.
CREATE TABLE reviews (
    id          text   COLLATE "C" PRIMARY KEY,
    tenant      text   COLLATE "C" NOT NULL,
    environment text   COLLATE "C" NOT NULL,
    system      text   COLLATE "C" NOT NULL,
    queue       text   NOT NULL,
    decision    text   COLLATE "C" NOT NULL,
    drill       text,
    state       text   NOT NULL CHECK (state IN ('open', 'answered', 'expired')),
    opened_at   bigint NOT NULL,
    due_at      bigint NOT NULL,
    closed_at   bigint,
    review      text   NOT NULL,
    erasure     text,
    CHECK ((state = 'open') = (closed_at IS NULL))
);

CREATE INDEX reviews_open        ON reviews (due_at, id) WHERE state = 'open';
CREATE INDEX reviews_by_decision ON reviews (decision);
CREATE INDEX reviews_closed      ON reviews (closed_at) WHERE state <> 'open';

-- What happened to a review, written in the transaction that changed it. A row goes when the
-- projection sees the same event in a journal, so what stands here still has to be written there.
CREATE TABLE review_outbox (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review     text   COLLATE "C" NOT NULL,
    event      text   NOT NULL,
    tenant     text   COLLATE "C" NOT NULL,
    written_at bigint NOT NULL,
    record     text   NOT NULL,
    UNIQUE (review, event)
);

SELECT secure('reviews', true), secure('review_outbox', true);
