-- A closed day takes no match that no two persons decided, whoever inserts it.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION payment_match_check_open() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    -- Days close in their order: the last closed one is the bound, and a
    -- million rows are compared with it without a join.
    SELECT max(d.day) INTO closed FROM reconcile_day d WHERE d.state = 'closed';
    -- What was open when the day closed, and what is booked on it later, are
    -- cases: their resolution is the only way in.
    IF EXISTS (SELECT FROM fresh f WHERE f.booking_day <= closed
                  AND NOT (f.accepted AND EXISTS (SELECT FROM reconcile_case c
                                                   WHERE c.id = f.run_id AND c.line_id = f.line_id AND c.state IN ('proposed', 'resolved')))) THEN
        RAISE EXCEPTION 'a match of the closed day %', closed USING ERRCODE = 'SN079';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER payment_match_open AFTER INSERT ON payment_match
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_match_check_open();
