-- Each filter of a list has an index that gives the latest first, and no more in it than that: what is
-- written for every decision is what a projection takes. Most decisions are served: who looks for those finds
-- them by system or by time. What did not end as it should, or not at all, is rare and found at once, also of one
-- system.
DROP INDEX decisions_by_time;
DROP INDEX decisions_by_system;
DROP INDEX decisions_by_outcome;
DROP INDEX decisions_by_kind;
DROP INDEX decisions_by_tenant;
DROP INDEX decisions_by_release;
DROP INDEX decisions_by_unit;
DROP INDEX decisions_by_subject;

CREATE INDEX decisions_by_time           ON decisions (opened_at);
CREATE INDEX decisions_by_system         ON decisions (system, opened_at);
CREATE INDEX decisions_by_tenant         ON decisions (tenant, opened_at);
CREATE INDEX decisions_by_release        ON decisions (release, opened_at);
CREATE INDEX decisions_by_unit           ON decisions (unit, opened_at) WHERE unit IS NOT NULL;
CREATE INDEX decisions_by_subject        ON decisions (subject) WHERE subject IS NOT NULL;
CREATE INDEX decisions_by_outcome        ON decisions (outcome, opened_at) WHERE outcome <> 'served';
CREATE INDEX decisions_by_system_outcome ON decisions (system, outcome, opened_at) WHERE outcome <> 'served';
CREATE INDEX decisions_by_kind           ON decisions (kind, opened_at) WHERE kind IS NOT NULL;
CREATE INDEX decisions_by_system_kind    ON decisions (system, kind, opened_at) WHERE kind IS NOT NULL;
CREATE INDEX decisions_open              ON decisions (opened_at) WHERE outcome IS NULL;
