-- Reconciliation in levels: matches in parts, cases that two persons resolve,
-- days that close, control totals.
--
-- While this runs beside the previous version: that one cannot match lines any
-- more (its columns are gone). Its reconciliation fails, changes nothing, and
-- succeeds when this version does it.

-- +goose Up

-- What a free text may name instead of our identifier.
ALTER TABLE payment_order ADD COLUMN declaration text NOT NULL DEFAULT '';
CREATE INDEX payment_order_declaration ON payment_order (declaration) WHERE declaration <> '';
CREATE INDEX payment_order_credited ON payment_order (recorded_at) WHERE credited > 0;

-- The office that the bank credited, where the format says so.
ALTER TABLE statement_line ADD COLUMN revenue_office text NOT NULL DEFAULT '';

CREATE TABLE reconcile_run (
    id          uuid        PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    first_day   date        NOT NULL, -- the first open day
    made        int         NOT NULL, -- matches
    withdrawn   int         NOT NULL,
    settled     bigint      NOT NULL  -- what the run moved from clearing to the treasury
);
SELECT senim_append_only('reconcile_run');

-- Up to which day everything is closed, and what each closed day came to. A
-- day is proposed by one person and closed by another, and stays closed.
CREATE TABLE reconcile_day (
    day         date        PRIMARY KEY,
    state       text        NOT NULL CHECK (state IN ('proposed', 'closed')),
    proposed_by text        NOT NULL CHECK (proposed_by <> ''),
    proposed_at timestamptz NOT NULL,
    closed_by   text        NOT NULL DEFAULT '' CHECK (closed_by <> proposed_by),
    closed_at   timestamptz,
    result      json, -- as it was closed
    CHECK ((state = 'closed') = (closed_by <> '') AND (state = 'closed') = (closed_at IS NOT NULL) AND (state = 'closed') = (result IS NOT NULL))
);

-- +goose StatementBegin
CREATE FUNCTION reconcile_keep_day() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'closed' THEN
        RAISE EXCEPTION 'the day % is closed', OLD.day USING ERRCODE = 'SN079';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER reconcile_day_kept BEFORE UPDATE OR DELETE ON reconcile_day
    FOR EACH ROW EXECUTE FUNCTION reconcile_keep_day();
CREATE TRIGGER reconcile_day_truncate BEFORE TRUNCATE ON reconcile_day
    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change();

-- A match says: so much of this statement line is that line of an order.
--
-- Either side may be matched in parts, numbered from 0. Part 0 is there once
-- (primary key, unique); the others are checked, when they come, not to exceed
-- the side together. So the sum of the parts never exceeds either side, and the
-- common match, which is whole, costs no look at others.
ALTER TABLE payment_match RENAME TO payment_match_before;
ALTER TABLE payment_match_before RENAME CONSTRAINT payment_match_pkey TO payment_match_before_pkey;
CREATE TABLE payment_match (
    order_id    uuid     NOT NULL,
    position    smallint NOT NULL CHECK (position >= -1), -- of the order's line; -1 is what was credited to the payer's advance
    due_part    smallint NOT NULL CHECK (due_part >= 0),
    line_part   smallint NOT NULL CHECK (line_part >= 0),
    booking_day date     NOT NULL, -- the statement line's
    line_id     uuid     NOT NULL,
    amount      bigint   NOT NULL CHECK (amount > 0),
    due_amount  bigint   NOT NULL, -- all that was paid on the order's line
    line_amount bigint   NOT NULL, -- all of the statement line
    run_id      uuid     NOT NULL, -- that made and settled it; of an accepted one, its case
    accepted    boolean  NOT NULL DEFAULT false, -- by two persons
    rule        text     NOT NULL,
    gateway     text     NOT NULL, -- whose clearing account it was settled from
    CONSTRAINT payment_match_due_whole PRIMARY KEY (order_id, position, due_part),
    CONSTRAINT payment_match_line_whole UNIQUE (line_id, line_part),
    CONSTRAINT payment_match_within CHECK (amount <= due_amount AND amount <= line_amount)
);
INSERT INTO payment_match (order_id, position, due_part, line_part, booking_day, line_id, amount, due_amount, line_amount, run_id, rule, gateway)
SELECT m.order_id, l.position, 0, 0, m.booking_day, m.line_id, m.amount, l.amount, m.amount, '00000000-0000-0000-0000-000000000000', 'identifier',
       p.gateway
  FROM payment_match_before m
  JOIN payment_identifier i ON i.identifier = m.identifier
  JOIN payment_line l ON l.identifier = i.identifier AND l.recorded_at = i.recorded_at
  JOIN payment_order p ON p.id = l.order_id AND p.recorded_at = l.recorded_at;
DROP TABLE payment_match_before;
-- Days come one after the other, so the range of a block is narrow.
CREATE INDEX payment_match_day ON payment_match USING brin (booking_day) WITH (pages_per_range = 32);
CREATE INDEX payment_match_accepted ON payment_match (booking_day) WHERE accepted;

-- Facts that became no posting of an order, which are cases.
CREATE INDEX gateway_fact_exception ON gateway_fact (recorded_at) WHERE state = 'exception';

-- Matches of open days that a later run took back, because a statement or a
-- payment that came in between made another match the right one.
CREATE TABLE payment_match_withdrawn (LIKE payment_match, withdrawn_by uuid NOT NULL REFERENCES reconcile_run DEFERRABLE INITIALLY DEFERRED);
SELECT senim_append_only('payment_match_withdrawn');

-- +goose StatementBegin
CREATE FUNCTION payment_match_check_part() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    sum   numeric;
    first smallint;
    whole bigint;
BEGIN
    SELECT sum(m.amount), min(m.due_part), max(m.due_amount) INTO sum, first, whole
      FROM payment_match m WHERE m.order_id = NEW.order_id AND m.position = NEW.position;
    IF sum > whole OR first <> 0 THEN
        RAISE EXCEPTION 'the parts of an order''s line exceed it' USING ERRCODE = 'SN078';
    END IF;
    SELECT sum(m.amount), min(m.line_part), max(m.line_amount) INTO sum, first, whole
      FROM payment_match m WHERE m.line_id = NEW.line_id;
    IF sum > whole OR first <> 0 THEN
        RAISE EXCEPTION 'the parts of a statement line exceed it' USING ERRCODE = 'SN078';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
-- A row that is whole is not even queued: a million of them come at once.
CREATE TRIGGER payment_match_part AFTER INSERT ON payment_match
    FOR EACH ROW WHEN (NEW.due_part > 0 OR NEW.line_part > 0) EXECUTE FUNCTION payment_match_check_part();

-- +goose StatementBegin
CREATE FUNCTION reconcile_run_check() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.first_day <= (SELECT max(day) FROM reconcile_day WHERE state = 'closed') THEN
        RAISE EXCEPTION 'a run over the closed day %', NEW.first_day USING ERRCODE = 'SN079';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER reconcile_run_open BEFORE INSERT ON reconcile_run
    FOR EACH ROW EXECUTE FUNCTION reconcile_run_check();

-- +goose StatementBegin
CREATE FUNCTION payment_match_check_withdrawal() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF EXISTS (SELECT FROM gone g WHERE g.accepted OR g.booking_day <= (SELECT max(day) FROM reconcile_day WHERE state = 'closed')) THEN
        RAISE EXCEPTION 'a match that persons accepted, or of a closed day, is not withdrawn' USING ERRCODE = 'SN079';
    END IF;
    -- Part 0 stands as long as any other does: who adds a part finds it.
    IF EXISTS (SELECT FROM gone g WHERE g.due_part = 0
                  AND EXISTS (SELECT FROM payment_match m WHERE m.order_id = g.order_id AND m.position = g.position)
                  AND NOT EXISTS (SELECT FROM payment_match m WHERE m.order_id = g.order_id AND m.position = g.position AND m.due_part = 0))
       OR EXISTS (SELECT FROM gone g WHERE g.line_part = 0
                  AND EXISTS (SELECT FROM payment_match m WHERE m.line_id = g.line_id)
                  AND NOT EXISTS (SELECT FROM payment_match m WHERE m.line_id = g.line_id AND m.line_part = 0)) THEN
        RAISE EXCEPTION 'the first part is withdrawn before the others' USING ERRCODE = 'SN078';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER payment_match_withdrawal AFTER DELETE ON payment_match
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION payment_match_check_withdrawal();
CREATE TRIGGER payment_match_update BEFORE UPDATE ON payment_match
    FOR EACH ROW EXECUTE FUNCTION senim_refuse_change();
CREATE TRIGGER payment_match_truncate BEFORE TRUNCATE ON payment_match
    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change();

-- Everything that is not agreed, kept over all runs: what it is about (subject)
-- has one case for ever. A run opens a case, changes its reason and amount, and
-- clears it when the reason is gone; persons do the rest.
DROP TABLE payment_exception;
CREATE TABLE reconcile_case (
    id          uuid        PRIMARY KEY,
    subject     text        NOT NULL UNIQUE, -- line:<id>, due:<order>:<position>, fact:<gateway>:<reference>, bad:<file>:<position>
    day         date        NOT NULL, -- under which it is listed
    reason      text        NOT NULL,
    amount      bigint      NOT NULL,
    line_id     uuid,
    order_id    uuid,
    position    smallint,
    gateway     text        NOT NULL DEFAULT '',
    reference   text        NOT NULL DEFAULT '', -- of the gateway's fact
    file_id     uuid,
    file_position int,
    identifier  text        NOT NULL DEFAULT '', -- of the order's line that it is about, if one is known
    expected_amount      bigint NOT NULL DEFAULT 0,
    expected_budget_code text   NOT NULL DEFAULT '',
    state       text        NOT NULL CHECK (state IN ('open', 'proposed', 'resolved', 'cleared')),
    owner       text        NOT NULL DEFAULT '',
    resolution  text        NOT NULL DEFAULT '' CHECK (resolution IN ('', 'match', 'advance', 'refund', 'foreign', 'rebill')),
    target      text        NOT NULL DEFAULT '', -- of the resolution: an identifier, or a payer's BIN
    proposed_by text        NOT NULL DEFAULT '',
    approved_by text        NOT NULL DEFAULT '',
    opened_at   timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    run_id      uuid        NOT NULL, -- that last changed it
    CONSTRAINT reconcile_case_persons CHECK (approved_by = '' OR approved_by <> proposed_by),
    CONSTRAINT reconcile_case_states CHECK ((state IN ('proposed', 'resolved')) = (proposed_by <> '' AND resolution <> '')
        AND (state = 'resolved') = (approved_by <> ''))
);
CREATE INDEX reconcile_case_day ON reconcile_case (day, id);
CREATE INDEX reconcile_case_working ON reconcile_case (id) WHERE state IN ('open', 'proposed');

-- What persons did and said about a case.
CREATE TABLE reconcile_note (
    id          uuid        PRIMARY KEY,
    case_id     uuid        NOT NULL REFERENCES reconcile_case,
    recorded_at timestamptz NOT NULL,
    actor       text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 256),
    act         text        NOT NULL CHECK (act IN ('assign', 'comment', 'propose', 'approve', 'reject')),
    text        text        NOT NULL CHECK (length(text) <= 2000)
);
CREATE INDEX reconcile_note_case ON reconcile_note (case_id, id);
SELECT senim_append_only('reconcile_note');

-- Control totals: what the statements show on a day under a budget code, by the
-- office it was matched to; the office '' is what is not matched. The rows of a
-- day and code add up to the statement to the tiyn.
CREATE TABLE reconcile_total (
    booking_day    date   NOT NULL,
    budget_code    text   NOT NULL,
    revenue_office text   NOT NULL,
    lines          int    NOT NULL, -- or parts of lines
    amount         bigint NOT NULL,
    PRIMARY KEY (booking_day, budget_code, revenue_office)
);

-- What was told of an order: that all that was paid of it is on the statement,
-- or that this is so no longer.
CREATE TABLE reconcile_told (
    order_id uuid    PRIMARY KEY,
    agreed   boolean NOT NULL,
    run_id   uuid    NOT NULL
);
