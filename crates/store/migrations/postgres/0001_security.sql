-- Who may see what. The tables belong to the role that migrates; the node's role owns nothing, is granted
-- what it needs by `admit`, and sees only what the setting `plimsoll.tenant` lets it see:
--
--   unset       no row of any table
--   a tenant    the rows of this tenant, in the tables that have a tenant
--   *           all rows: the node's own work, which is for all tenants (no tenant can be called `*`)
--
-- FORCE holds the owner to the same. The setting is made for one transaction at a time.

CREATE FUNCTION secure(target regclass, has_tenant boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY of_installation ON %s
         USING ((SELECT current_setting(''plimsoll.tenant'', true)) = ''*'')', target);
    IF has_tenant THEN
        EXECUTE format(
            'CREATE POLICY of_tenant ON %s
             USING (tenant = (SELECT current_setting(''plimsoll.tenant'', true)))', target);
    END IF;
END
$$;

-- Grants `node` what a node needs. Partitions are reached through their parent only.
CREATE FUNCTION admit(node name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    target regclass;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA plimsoll TO %I', node);
    FOR target IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'plimsoll'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', target, node);
    END LOOP;
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON plimsoll.migrations FROM %I', node);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA plimsoll TO %I', node);
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA plimsoll TO %I', node);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION plimsoll.secure, plimsoll.admit FROM %I', node);
END
$$;

ALTER DEFAULT PRIVILEGES IN SCHEMA plimsoll REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA plimsoll FROM PUBLIC;

SELECT secure('migrations', false);
