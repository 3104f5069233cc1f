-- The records of time-stamps lie by their serial numbers from now on, which begin
-- with the month: a partition is a range of serial numbers, its bounds hold each
-- record to its month, and the primary key is the serial number alone. So there is
-- no column for the month, and no constraint that compares the two for every
-- record, which was a third of what writing it cost. That the other columns have
-- their lengths is held by the one statement that writes them. There is no index
-- by time: nothing reads by it.
--
-- It is a table of its own, because a process of the version before goes on writing
-- to tsa_tokens until it is replaced.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION senim_least_serial(first_day date) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- Zero, the months since 2000-01 in 12 bits, and the rest.
    SELECT set_byte(set_byte('\x0000', 0, head >> 8), 1, head & 255)
      FROM (SELECT ((date_part('year', first_day)::int - 2000) * 12 + date_part('month', first_day)::int - 1) << 3 AS head) AS of
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION senim_least_serial(date) IS 'The first two bytes of the serial numbers of time-stamps of a month; those of later months are greater.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION senim_month_partitions(parent regclass, from_day date, months int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    space     text;
    name      text;
    serials   boolean; -- and not times
    first_day date;
    next_day  date;
    part      text;
    made      int := 0;
BEGIN
    IF months NOT BETWEEN 1 AND 120 THEN
        RAISE EXCEPTION 'months is %, not within 1..120', months USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT n.nspname, c.relname, a.atttypid = 'bytea'::regtype
      INTO STRICT space, name, serials
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_partitioned_table p ON p.partrelid = c.oid
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
     WHERE c.oid = parent;
    IF length(name) > 56 THEN
        RAISE EXCEPTION 'the name % leaves no room for _YYYYMM', name USING ERRCODE = 'name_too_long';
    END IF;

    -- Two processes may do this at once; the second finds everything made.
    PERFORM pg_advisory_xact_lock(hashtextextended('senim_month_partitions', 0));

    FOR i IN 0 .. months - 1 LOOP
        first_day := date_trunc('month', from_day::timestamp) + make_interval(months => i);
        next_day := first_day + interval '1 month';
        part := format('%I.%I', space, name || to_char(first_day, '_YYYYMM'));
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- LIKE and ATTACH, not PARTITION OF: that would lock the parent
        -- against all reading and writing (ACCESS EXCLUSIVE).
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)',
                       part, parent);
        IF serials THEN
            EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                           parent, part, senim_least_serial(first_day), senim_least_serial(next_day));
        ELSE
            EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                           parent, part,
                           to_char(first_day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(next_day, 'YYYY-MM-DD') || ' 00:00:00+00');
        END IF;
        PERFORM senim_guard_partition(part::regclass, parent);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd

CREATE TABLE tsa_records (
    serial      bytea       PRIMARY KEY,
    gen_time    timestamptz NOT NULL,
    policy      text        NOT NULL,
    digest      text        NOT NULL,
    imprint     bytea       NOT NULL,
    certificate bytea       NOT NULL,
    token       bytea       NOT NULL
) PARTITION BY RANGE (serial);
SELECT senim_append_only('tsa_records');

COMMENT ON TABLE tsa_records IS 'One row per issued time-stamp token, committed before the token left. A partition has the serial numbers of a month.';
COMMENT ON COLUMN tsa_records.serial IS '20 bytes: a zero bit, the months since 2000-01 in 12 bits, 147 random bits.';
COMMENT ON COLUMN tsa_records.certificate IS 'SHA-256 of the certificate that verifies the token.';
COMMENT ON COLUMN tsa_records.token IS 'SHA-256 of the token (the ContentInfo in DER).';

COMMENT ON TABLE tsa_tokens IS 'The records of time-stamp tokens that were issued before there was tsa_records.';
