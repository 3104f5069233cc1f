-- Charges told by state bodies, and the ground of every charge.

-- +goose Up

CREATE TABLE charge_told (
    id             uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    teller         text        NOT NULL,
    transaction_id uuid        NOT NULL,
    reference      text        NOT NULL,
    body           text        NOT NULL,
    kind           text        NOT NULL,
    budget_code    text        NOT NULL CHECK (budget_code ~ '^[0-9]{6}$'),
    purpose_code   text        NOT NULL CHECK (purpose_code ~ '^[0-9]{3}$'),
    amount         bigint      NOT NULL CHECK (amount > 0),
    act            text        NOT NULL CHECK (act <> ''),
    note           text        NOT NULL,
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX charge_told_transaction ON charge_told (transaction_id);
SELECT senim_append_only('charge_told');

-- References used, for ever, with the digest of the charge under each.
CREATE TABLE charge_told_once (
    teller      text        NOT NULL CHECK (teller <> ''),
    reference   text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
    id          uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    content     bytea       NOT NULL CHECK (length(content) = 32),
    PRIMARY KEY (teller, reference)
);
SELECT senim_append_only('charge_told_once');

-- Measure, act, validity, exchange rates and the computation in words; null
-- for a charge that only its document states.
ALTER TABLE payment_charge ADD COLUMN ground jsonb;
