-- Which decision a repeated request was answered by: the pseudonym of its idempotency key, as the
-- record has it.
ALTER TABLE decisions ADD COLUMN idempotency TEXT;

UPDATE decisions SET idempotency = (
    SELECT record ->> '$.idempotency' FROM decision_records WHERE number = decisions.number
);

CREATE INDEX decisions_by_idempotency ON decisions (idempotency, tenant, opened_at)
    WHERE idempotency IS NOT NULL;
