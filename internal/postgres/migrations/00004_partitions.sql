-- A new partition gets what PostgreSQL does not give it by itself: its
-- parent's statement triggers, and the privileges that its parent's owner gave
-- up.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION senim_guard_partition(part regclass, parent regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    definition text;
    privilege  text;
BEGIN
    -- Bit 0 of tgtype is set for row triggers, which PostgreSQL clones itself.
    FOR definition IN
        SELECT replace(pg_get_triggerdef(t.oid), ' ON ' || n.nspname || '.' || c.relname || ' ',
                                                 ' ON ' || pn.nspname || '.' || p.relname || ' ')
          FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE t.tgrelid = parent AND p.oid = part AND NOT t.tgisinternal AND t.tgtype & 1 = 0
           AND NOT EXISTS (SELECT FROM pg_trigger h WHERE h.tgrelid = part AND h.tgname = t.tgname)
         ORDER BY t.tgname
    LOOP
        EXECUTE definition;
    END LOOP;
    FOREACH privilege IN ARRAY ARRAY['UPDATE', 'DELETE', 'TRUNCATE'] LOOP
        IF NOT EXISTS (SELECT FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
                        WHERE c.oid = parent AND a.grantee = c.relowner AND a.privilege_type = privilege) THEN
            EXECUTE format('REVOKE %s ON %s FROM %I', privilege, part,
                           (SELECT relowner::regrole::text FROM pg_class WHERE oid = part));
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION senim_guard_partition(regclass, regclass) IS 'Gives a partition its parent''s statement triggers and takes the privileges from its owner that the parent''s owner has not.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION senim_month_partitions(parent regclass, from_day date, months int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    space     text;
    name      text;
    first_day date;
    part      text;
    made      int := 0;
BEGIN
    IF months NOT BETWEEN 1 AND 120 THEN
        RAISE EXCEPTION 'months is %, not within 1..120', months USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT n.nspname, c.relname
      INTO STRICT space, name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = parent AND c.relkind = 'p';
    IF length(name) > 56 THEN
        RAISE EXCEPTION 'the name % leaves no room for _YYYYMM', name USING ERRCODE = 'name_too_long';
    END IF;

    -- Two processes may do this at once; the second finds everything made.
    PERFORM pg_advisory_xact_lock(hashtextextended('senim_month_partitions', 0));

    FOR i IN 0 .. months - 1 LOOP
        first_day := date_trunc('month', from_day::timestamp) + make_interval(months => i);
        part := format('%I.%I', space, name || to_char(first_day, '_YYYYMM'));
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- LIKE and ATTACH, not PARTITION OF: that would lock the parent
        -- against all reading and writing (ACCESS EXCLUSIVE).
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)',
                       part, parent);
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                       parent, part,
                       to_char(first_day, 'YYYY-MM-DD') || ' 00:00:00+00',
                       to_char(first_day + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
        PERFORM senim_guard_partition(part::regclass, parent);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd
