-- Posting in batches: the ledger checks a statement's entries at once.

-- +goose Up

-- One function call for each posting, at commit, cost more than the posting
-- itself. An entry now comes with all its postings in one statement, and the
-- statement is checked as a whole when it ends.
DROP TRIGGER ledger_entry_balanced ON ledger_entry;
DROP TRIGGER ledger_posting_balanced ON ledger_posting;
DROP FUNCTION ledger_check_entry();

-- +goose StatementBegin
CREATE FUNCTION ledger_check_postings() RETURNS trigger
LANGUAGE plpgsql
-- A session keeps its plan from the first call, when the tables may be empty.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    bad record;
BEGIN
    -- The positions are 0, 1, 2 … to the number that the entry says. So a
    -- second statement cannot add to an entry: its positions are taken, or do
    -- not begin at 0.
    SELECT f.entry_id, e.postings, f.found, f.total INTO bad
      FROM (SELECT entry_id, recorded_at, count(*) AS found, sum(amount) AS total, -- numeric: it does not wrap
                   min(position) AS first, max(position) AS last
              FROM fresh GROUP BY entry_id, recorded_at) f
      LEFT JOIN ledger_entry e ON e.id = f.entry_id AND e.recorded_at = f.recorded_at
     WHERE f.found IS DISTINCT FROM e.postings OR f.total <> 0 OR f.first <> 0 OR f.last <> f.found - 1
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger entry % gets % of % postings at once and the sum %', bad.entry_id, bad.found, bad.postings, bad.total
            USING ERRCODE = 'SN020';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION ledger_check_postings() IS 'An entry gets all its postings by one statement, they add up to zero, and none is added later.';

-- +goose StatementBegin
CREATE FUNCTION ledger_check_entries() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    bad uuid;
BEGIN
    -- One posting is enough: ledger_check_postings lets no fewer than all be.
    SELECT f.id INTO bad
      FROM fresh f
     WHERE NOT EXISTS (SELECT FROM ledger_posting p
                        WHERE p.entry_id = f.id AND p.recorded_at = f.recorded_at AND p.position = 0)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger entry % comes without its postings', bad USING ERRCODE = 'SN020';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION ledger_check_entries() IS 'An entry comes with its postings, by one statement.';

CREATE TRIGGER ledger_posting_balanced AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_postings();
CREATE TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_entries();
SELECT senim_guard_partition(i.inhrelid, i.inhparent)
  FROM pg_inherits i WHERE i.inhparent IN ('ledger_entry'::regclass, 'ledger_posting'::regclass);

-- A fact is posted in the transaction that takes it. What it put on each line
-- stands beside it, so that it can be taken back, and what was taken back too.
--
-- While this runs beside the previous version: that one can take no fact any
-- more. It answers none, so the gateway tells again, and this version takes it.
-- What it has received and not posted is posted by Service.Resume.
ALTER TABLE gateway_fact
    ADD COLUMN kind     text     NOT NULL DEFAULT 'captured',
    ADD COLUMN original text     NOT NULL DEFAULT '', -- what it refers to: another fact, or a refund of ours
    ADD COLUMN applied  bigint[] NOT NULL DEFAULT '{}', -- of a captured one: what of it stands on each line, by position
    ADD COLUMN credited bigint   NOT NULL DEFAULT 0 CHECK (credited >= 0), -- and on the payer's advance
    ADD COLUMN reversed bigint   NOT NULL DEFAULT 0 CHECK (reversed >= 0); -- and what of it was taken back

-- +goose StatementBegin
DO $$
DECLARE
    part regclass;
BEGIN
    ALTER TABLE gateway_fact DROP CONSTRAINT gateway_fact_state_check;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'gateway_fact'::regclass LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS gateway_fact_state_check', part);
    END LOOP;
    -- River's own tables are made after these.
    IF to_regclass('river_job') IS NOT NULL THEN
        UPDATE river_job SET state = 'cancelled', finalized_at = now()
         WHERE kind = 'payment_post' AND state IN ('available', 'pending', 'retryable', 'scheduled');
    END IF;
END
$$;
-- +goose StatementEnd

UPDATE gateway_fact f
   SET applied = (SELECT array_agg(l.amount ORDER BY l.position) FROM payment_line l WHERE l.order_id = f.order_id)
 WHERE f.state = 'posted';

-- posted: it stands in the ledger. noted: it is known and moves no money.
-- exception: a person decides; money, if it is any, stands in suspense.
-- received: not judged yet, by the previous version.
ALTER TABLE gateway_fact
    ADD CONSTRAINT gateway_fact_states CHECK (state IN ('received', 'posted', 'noted', 'exception')),
    ADD CONSTRAINT gateway_fact_kinds CHECK (kind IN ('pending', 'authorised', 'captured', 'failed', 'reversed', 'refunded', 'refund_failed')),
    ADD CONSTRAINT gateway_fact_stands CHECK (0 <= ALL (applied) AND reversed + credited <= amount);

-- A fact told again is compared with the fact itself.
ALTER TABLE gateway_reference DROP COLUMN content;

-- Facts by what they refer to: a reversal may be told before its payment.
CREATE TABLE gateway_original (
    gateway     text        NOT NULL,
    original    text        NOT NULL CHECK (length(original) BETWEEN 1 AND 64),
    reference   text        NOT NULL,
    recorded_at timestamptz NOT NULL, -- the fact's
    PRIMARY KEY (gateway, original, reference)
);
SELECT senim_append_only('gateway_original');
