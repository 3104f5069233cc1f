-- What every room's tables stand on: append-only tables and monthly partitions.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION senim_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'SN001';
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION senim_refuse_change() IS 'Trigger of append-only tables: what is learned later is a new row.';

-- +goose StatementBegin
CREATE FUNCTION senim_append_only(target regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- A row trigger of a partitioned table is cloned to its partitions, a
    -- statement trigger is not: senim_month_partitions adds that one.
    EXECUTE format('CREATE TRIGGER senim_append_only_row BEFORE UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION senim_refuse_change()', target);
    EXECUTE format('CREATE TRIGGER senim_append_only_truncate BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change()', target);
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION senim_append_only(regclass) IS 'Makes a table refuse UPDATE, DELETE and TRUNCATE. Call it before the first partition is made.';

-- +goose StatementBegin
CREATE FUNCTION senim_month_partitions(parent regclass, from_day date, months int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    space       text;
    name        text;
    append_only boolean;
    first_day   date;
    part        text;
    made        int := 0;
BEGIN
    IF months NOT BETWEEN 1 AND 120 THEN
        RAISE EXCEPTION 'months is %, not within 1..120', months USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT n.nspname, c.relname,
           EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'senim_append_only_truncate')
      INTO STRICT space, name, append_only
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
        IF append_only THEN
            EXECUTE format('CREATE TRIGGER senim_append_only_truncate BEFORE TRUNCATE ON %s
                            FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change()', part);
        END IF;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION senim_month_partitions(regclass, date, int) IS 'Makes the partitions <parent>_YYYYMM (months in UTC) that are missing, and says how many.';
