-- Refunds: asked by one, approved by another, executed by the gateway.

-- +goose Up

-- One row per refund. What is asked stands as it was asked; the state moves
-- from asked to rejected, or to approved and then to executed or failed.
CREATE TABLE payment_refund (
    id             uuid        PRIMARY KEY,
    recorded_at    timestamptz NOT NULL,
    order_id       uuid        NOT NULL,
    transaction_id uuid        NOT NULL,
    payer_bin      text        NOT NULL CHECK (payer_bin ~ '^[0-9]{12}$'),
    gateway        text        NOT NULL CHECK (gateway <> ''), -- the payment that goes back
    payment        text        NOT NULL CHECK (payment <> ''),
    amount         bigint      NOT NULL CHECK (amount > 0),
    lines          bigint[]    NOT NULL CHECK (0 <= ALL (lines)), -- of it from each line, by position
    credit         bigint      NOT NULL CHECK (credit BETWEEN 0 AND amount), -- of it from the payer's advance
    reason         text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    due            date        NOT NULL, -- by when it is to be decided and paid
    state          text        NOT NULL CHECK (state IN ('asked', 'approved', 'rejected', 'executed', 'failed')),
    asked_by       text        NOT NULL CHECK (asked_by <> ''),
    decided_by     text,
    decided_at     timestamptz,
    note           text        NOT NULL DEFAULT '' CHECK (length(note) <= 500), -- of who decided
    ended_at       timestamptz,
    reference      text        NOT NULL DEFAULT '', -- the gateway's, of the execution
    failure        text        NOT NULL DEFAULT '',
    CONSTRAINT payment_refund_two_persons CHECK (decided_by <> '' AND decided_by <> asked_by),
    CONSTRAINT payment_refund_decided CHECK ((state = 'asked') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)),
    CONSTRAINT payment_refund_ended CHECK ((state IN ('executed', 'failed')) = (ended_at IS NOT NULL)),
    CONSTRAINT payment_refund_executed CHECK ((state = 'executed') = (reference <> '')),
    CONSTRAINT payment_refund_failed CHECK ((state = 'failed') = (failure <> ''))
);
CREATE INDEX payment_refund_order ON payment_refund (order_id);
CREATE INDEX payment_refund_open ON payment_refund (due) WHERE state IN ('asked', 'approved');

COMMENT ON CONSTRAINT payment_refund_two_persons ON payment_refund IS 'Who asked does not decide. NULL (nobody yet) passes.';

-- Who asked is never changed, so that nobody approves their own refund by
-- another name for who asked; nor is what was asked.
-- +goose StatementBegin
CREATE FUNCTION payment_refund_keep() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.recorded_at, NEW.order_id, NEW.transaction_id, NEW.payer_bin, NEW.gateway, NEW.payment, NEW.amount, NEW.lines,
           NEW.credit, NEW.reason, NEW.due, NEW.asked_by)
          IS DISTINCT FROM
          (OLD.id, OLD.recorded_at, OLD.order_id, OLD.transaction_id, OLD.payer_bin, OLD.gateway, OLD.payment, OLD.amount, OLD.lines,
           OLD.credit, OLD.reason, OLD.due, OLD.asked_by)
       OR (OLD.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by)
       OR OLD.state IN ('rejected', 'executed', 'failed') THEN
        RAISE EXCEPTION 'what was asked of and decided on a refund stands' USING ERRCODE = 'SN001';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER payment_refund_keep BEFORE UPDATE OR DELETE ON payment_refund
    FOR EACH ROW EXECUTE FUNCTION payment_refund_keep();
CREATE TRIGGER payment_refund_truncate BEFORE TRUNCATE ON payment_refund
    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change();

-- Uses of a payer's advance for an order, each once for ever.
CREATE TABLE payment_advance_use (
    id             uuid        PRIMARY KEY,
    recorded_at    timestamptz NOT NULL,
    order_id       uuid        NOT NULL,
    transaction_id uuid        NOT NULL,
    payer_bin      text        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    lines          bigint[]    NOT NULL CHECK (0 <= ALL (lines)),
    used_by        text        NOT NULL CHECK (used_by <> '')
);
CREATE INDEX payment_advance_use_order ON payment_advance_use (order_id);
SELECT senim_append_only('payment_advance_use');
