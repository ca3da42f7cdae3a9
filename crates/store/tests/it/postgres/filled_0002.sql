-- What a version with schema 2 could have written: a decision, and the release that answered it.
SELECT make_day(20526);

INSERT INTO positions VALUES ('node-1', 7, 0);

INSERT INTO decisions (id, node, sequence, request, row, tenant, environment, system, release, deployment,
    protocol, mode, stream, opened_at, closed_at, micros, outcome, attempts, cost_pico, cost_basis, skipped,
    record)
VALUES ('01KKNS9GS000000000000000RS', 'node-1', 5, '01KKNS9GS000000000000000RS', 0, 'default', 'production',
    'loan-default', 'one', '01KKNS9GS000000000000000RS', 'decisions', 'enforce', false, 1773478920000000,
    1773478920000412, 412, 'served', 1, 190000000, 'measured', 0, '{}');

INSERT INTO releases VALUES ('one', 'node-1', 3, 'loan-default', 1773478920000000, '{}');
