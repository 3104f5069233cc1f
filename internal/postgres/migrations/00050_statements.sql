-- Statements of several formats, several of them in one file, and what their
-- free texts give away.

-- +goose Up

ALTER TABLE statement_file ADD COLUMN format text NOT NULL DEFAULT 'camt.053';

ALTER TABLE statement_line ADD COLUMN declaration text NOT NULL DEFAULT '';
ALTER TABLE statement_line ADD COLUMN reversal boolean NOT NULL DEFAULT false;

-- One row per statement within a file; balances where the format has them.
CREATE TABLE statement_part (
    file_id      uuid        NOT NULL,
    position     int         NOT NULL CHECK (position >= 0),
    recorded_at  timestamptz NOT NULL,
    statement_id text        NOT NULL,
    number       text        NOT NULL,
    page         text        NOT NULL,
    last_page    boolean     NOT NULL,
    opening      bigint,
    opening_day  date,
    closing      bigint,
    closing_day  date,
    credits      bigint      NOT NULL, -- booked, as read
    debits       bigint      NOT NULL,
    entries      int         NOT NULL,
    bad          int         NOT NULL,
    PRIMARY KEY (file_id, position)
);
SELECT senim_append_only('statement_part');
