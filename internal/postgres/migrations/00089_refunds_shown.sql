-- Refunds on the statement: which debit is the money of which refund.

-- +goose Up

-- So much of this debit is that part of a refund: of the order's line, or, -1,
-- of what stood on the payer's advance. Parts and rules are as in
-- payment_match; refunds are few, so every insertion is looked at.
CREATE TABLE payment_refund_match (
    refund_id   uuid     NOT NULL,
    position    smallint NOT NULL CHECK (position >= -1),
    due_part    smallint NOT NULL CHECK (due_part >= 0),
    line_part   smallint NOT NULL CHECK (line_part >= 0),
    booking_day date     NOT NULL, -- the statement line's
    line_id     uuid     NOT NULL,
    amount      bigint   NOT NULL CHECK (amount > 0),
    due_amount  bigint   NOT NULL, -- all of that part of the refund
    line_amount bigint   NOT NULL, -- all that the line takes from the account
    run_id      uuid     NOT NULL, -- that made and settled it; of an accepted one, its case
    accepted    boolean  NOT NULL DEFAULT false, -- by two persons
    rule        text     NOT NULL,
    gateway     text     NOT NULL, -- whose clearing account it was settled with
    CONSTRAINT payment_refund_match_due_whole PRIMARY KEY (refund_id, position, due_part),
    CONSTRAINT payment_refund_match_line_whole UNIQUE (line_id, line_part),
    CONSTRAINT payment_refund_match_within CHECK (amount <= due_amount AND amount <= line_amount)
);
CREATE INDEX payment_refund_match_day ON payment_refund_match (booking_day);

CREATE TABLE payment_refund_match_withdrawn (LIKE payment_refund_match, withdrawn_by uuid NOT NULL REFERENCES reconcile_run DEFERRABLE INITIALLY DEFERRED);
SELECT senim_append_only('payment_refund_match_withdrawn');

-- +goose StatementBegin
CREATE FUNCTION payment_refund_match_check() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    IF EXISTS (SELECT FROM payment_refund_match m WHERE (m.refund_id, m.position) IN (SELECT f.refund_id, f.position FROM fresh f)
                GROUP BY m.refund_id, m.position HAVING sum(m.amount) > max(m.due_amount))
       OR EXISTS (SELECT FROM payment_refund_match m WHERE m.line_id IN (SELECT f.line_id FROM fresh f)
                   GROUP BY m.line_id HAVING sum(m.amount) > max(m.line_amount)) THEN
        RAISE EXCEPTION 'the parts of a match exceed the refund or the debit' USING ERRCODE = 'SN078';
    END IF;
    SELECT max(d.day) INTO closed FROM reconcile_day d WHERE d.state = 'closed';
    IF EXISTS (SELECT FROM fresh f WHERE f.booking_day <= closed
                  AND NOT (f.accepted AND EXISTS (SELECT FROM reconcile_case c
                                                   WHERE c.id = f.run_id AND c.line_id = f.line_id AND c.state IN ('proposed', 'resolved')))) THEN
        RAISE EXCEPTION 'a match of the closed day %', closed USING ERRCODE = 'SN079';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER payment_refund_match_fresh AFTER INSERT ON payment_refund_match
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payment_refund_match_check();

-- +goose StatementBegin
CREATE FUNCTION payment_refund_match_check_withdrawal() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone g WHERE g.accepted OR g.booking_day <= (SELECT max(day) FROM reconcile_day WHERE state = 'closed')) THEN
        RAISE EXCEPTION 'a match that persons accepted, or of a closed day, is not withdrawn' USING ERRCODE = 'SN079';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER payment_refund_match_withdrawal AFTER DELETE ON payment_refund_match
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION payment_refund_match_check_withdrawal();
CREATE TRIGGER payment_refund_match_update BEFORE UPDATE ON payment_refund_match
    FOR EACH ROW EXECUTE FUNCTION senim_refuse_change();
CREATE TRIGGER payment_refund_match_truncate BEFORE TRUNCATE ON payment_refund_match
    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change();

-- What the statements' lines were found to be, with the lines' own signs.
CREATE VIEW statement_match AS
SELECT line_id, line_part, booking_day, order_id, position, NULL::uuid AS refund_id, amount, rule, gateway FROM payment_match
UNION ALL
SELECT m.line_id, m.line_part, m.booking_day, r.order_id, m.position, m.refund_id, -m.amount, m.rule, m.gateway
  FROM payment_refund_match m JOIN payment_refund r ON r.id = m.refund_id;

-- The refund that a case is about, if it is about one. Its subject is then
-- refund:<id>:<position>, refund:<id>:failed, or a line that names it.
ALTER TABLE reconcile_case ADD COLUMN refund_id uuid;

-- Refunds under way and those that ended of late, which a run looks for.
CREATE INDEX payment_refund_ended ON payment_refund (ended_at) WHERE state IN ('executed', 'failed');
