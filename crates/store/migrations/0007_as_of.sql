-- What stood at a time is read per release from its last start: by an index that gives it at once, however
-- often a release was started.
DROP INDEX deployments_by_release;
CREATE INDEX deployments_starts ON deployments (system, environment, release, order_at, node, sequence)
    WHERE cause = 'start';
