-- What happened, who did what, in the transaction in which it happened. Jobs
-- are River's own tables.

-- +goose Up

-- A transaction's timeline. Its head gives the next number, so that the events
-- of one transaction are numbered 1, 2, 3 … in the order of their commits, and
-- the span in which to look for them. The head is the one row that changes.
CREATE TABLE event_heads (
    transaction_id uuid        PRIMARY KEY,
    last           int         NOT NULL,
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL
);

-- recorded_at is the database's clock and only chooses the partition; at is
-- the domain's time.
CREATE TABLE events (
    recorded_at    timestamptz NOT NULL,
    transaction_id uuid        NOT NULL,
    sequence       int         NOT NULL CHECK (sequence > 0),
    type           text        NOT NULL CHECK (type ~ '^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)+$' AND length(type) <= 64),
    at             timestamptz NOT NULL,
    data           json        NOT NULL,
    PRIMARY KEY (transaction_id, sequence, recorded_at)
) PARTITION BY RANGE (recorded_at);
SELECT senim_append_only('events');

CREATE TABLE audit_records (
    recorded_at timestamptz NOT NULL DEFAULT now(),
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL CHECK (length(actor)   BETWEEN 1 AND 256),
    action      text        NOT NULL CHECK (length(action)  BETWEEN 1 AND 128),
    object      text        NOT NULL CHECK (length(object)  <= 256),
    purpose     text        NOT NULL CHECK (length(purpose) <= 256),
    outcome     text        NOT NULL CHECK (length(outcome) BETWEEN 1 AND 128),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_records_at ON audit_records (at);
SELECT senim_append_only('audit_records');
