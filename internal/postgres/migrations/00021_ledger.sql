-- The ledger's book: no privilege to change it, periods that close, holds.

-- +goose Up

-- The role that owns the tables, as whom the service works, gives up what
-- would change the book; new partitions follow (senim_guard_partition). The
-- triggers of migration 00020 refuse whoever has the privilege nevertheless.
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_entry, ledger_posting, ledger_key FROM CURRENT_USER;
SELECT senim_guard_partition(i.inhrelid, i.inhparent)
  FROM pg_inherits i WHERE i.inhparent IN ('ledger_entry'::regclass, 'ledger_posting'::regclass);

-- Up to which business day the book is closed; who asked for it and who
-- agreed are two. A period never opens again.
CREATE TABLE ledger_period (
    last_day    date        PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    proposed_by text        NOT NULL CHECK (proposed_by <> ''),
    closed_by   text        NOT NULL CHECK (closed_by <> '' AND closed_by <> proposed_by)
);
SELECT senim_append_only('ledger_period');

-- Balance of every account at the end of a closed period: what a balance of a
-- later day is counted from.
CREATE TABLE ledger_period_balance (
    last_day date   NOT NULL REFERENCES ledger_period,
    account  text   NOT NULL,
    debits   bigint NOT NULL CHECK (debits >= 0),
    credits  bigint NOT NULL CHECK (credits <= 0),
    PRIMARY KEY (account, last_day)
);
SELECT senim_append_only('ledger_period_balance');

-- +goose StatementBegin
CREATE FUNCTION ledger_check_period() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    closed date;
    early  text;
BEGIN
    -- Shared among all who post; who closes takes it alone, so that an entry
    -- is either in the balances of the period or refused.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('ledger_period', 0));
    SELECT max(last_day) INTO closed FROM ledger_period;
    IF closed IS NOT NULL THEN
        SELECT natural_key INTO early FROM fresh WHERE day <= closed LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'the book is closed to the end of %: entry %', closed, early USING ERRCODE = 'SN021';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION ledger_check_period() IS 'No entry of a day whose period is closed.';

CREATE TRIGGER ledger_entry_period AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_period();
SELECT senim_guard_partition(i.inhrelid, i.inhparent) FROM pg_inherits i WHERE i.inhparent = 'ledger_entry'::regclass;

-- Money of an account that is spoken for: it is not available to others until
-- the hold ends or its time is over.
CREATE TABLE ledger_hold (
    natural_key text        PRIMARY KEY CHECK (length(natural_key) BETWEEN 1 AND 200),
    recorded_at timestamptz NOT NULL,
    account     text        NOT NULL CHECK (account <> ''),
    amount      bigint      NOT NULL CHECK (amount > 0),
    until       timestamptz NOT NULL CHECK (until > recorded_at)
);
CREATE INDEX ledger_hold_account ON ledger_hold (account, until);
SELECT senim_append_only('ledger_hold');

CREATE TABLE ledger_hold_end (
    natural_key text        PRIMARY KEY REFERENCES ledger_hold,
    recorded_at timestamptz NOT NULL,
    outcome     text        NOT NULL CHECK (outcome IN ('used', 'released'))
);
SELECT senim_append_only('ledger_hold_end');
