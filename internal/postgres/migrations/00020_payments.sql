-- Orders and their lines, the ledger, the gateway's messages, the treasury's
-- statements and what was matched.

-- +goose Up

-- One bill per transaction. state is moved by the machine in payments/order;
-- everything else stands as it was made, but for payment_url, which is set
-- when the order is presented.
CREATE TABLE payment_order (
    id             uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    transaction_id uuid        NOT NULL,
    payer_bin      text        NOT NULL CHECK (payer_bin ~ '^[0-9]{12}$'),
    total          bigint      NOT NULL CHECK (total > 0), -- tiyn, as every amount here
    state          text        NOT NULL CHECK (state IN ('draft', 'presented', 'paid', 'reconciled', 'expired', 'cancelled')),
    expires_at     timestamptz NOT NULL CHECK (expires_at > recorded_at),
    payment_url    text        NOT NULL DEFAULT '',
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- Which order a transaction has, for ever.
CREATE TABLE payment_order_once (
    transaction_id uuid        PRIMARY KEY,
    order_id       uuid        NOT NULL UNIQUE,
    recorded_at    timestamptz NOT NULL
);
SELECT senim_append_only('payment_order_once');

CREATE TABLE payment_line (
    identifier     text        NOT NULL CHECK (identifier ~ '^[0-9]{17}$'),
    recorded_at    timestamptz NOT NULL, -- the order's
    order_id       uuid        NOT NULL,
    position       int         NOT NULL CHECK (position >= 0),
    kind           text        NOT NULL,
    budget_code    text        NOT NULL CHECK (budget_code ~ '^[0-9]{6}$'),
    purpose_code   text        NOT NULL CHECK (purpose_code ~ '^[0-9]{3}$'),
    revenue_office text        NOT NULL,
    beneficiary_bin text       NOT NULL CHECK (beneficiary_bin ~ '^[0-9]{12}$'),
    beneficiary_name text      NOT NULL,
    bic            text        NOT NULL,
    iik            text        NOT NULL,
    kbe            text        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    PRIMARY KEY (identifier, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX payment_line_order ON payment_line (order_id);
SELECT senim_append_only('payment_line');

-- Identifiers given out, for ever.
CREATE TABLE payment_identifier (
    identifier  text        PRIMARY KEY,
    order_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL
);
SELECT senim_append_only('payment_identifier');

-- The day stands before the number in an identifier, so the sequence may
-- start again: a day has fewer than 999 999 999 lines.
CREATE SEQUENCE payment_identifier_number AS bigint MINVALUE 1 MAXVALUE 999999999 CYCLE;

-- What the lines are made of, as the document stated and we computed it.
CREATE TABLE payment_charge (
    order_id       uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL, -- the order's
    position       int         NOT NULL CHECK (position >= 0),
    kind           text        NOT NULL,
    budget_code    text        NOT NULL,
    purpose_code   text        NOT NULL,
    revenue_office text        NOT NULL,
    item           int         NOT NULL,
    commodity_code text        NOT NULL,
    base           bigint      NOT NULL,
    quantity       text        NOT NULL,
    rate           text        NOT NULL,
    rounding       text        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount >= 0),
    path           text        NOT NULL,
    PRIMARY KEY (order_id, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
SELECT senim_append_only('payment_charge');

-- The ledger. A positive amount is a debit, a negative one a credit; the
-- postings of an entry add up to zero, and the database says so at commit.
CREATE TABLE ledger_entry (
    id             uuid        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    natural_key    text        NOT NULL,
    kind           text        NOT NULL,
    day            date        NOT NULL, -- business day in Asia/Almaty
    transaction_id uuid        NOT NULL,
    postings       int         NOT NULL CHECK (postings >= 2),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
SELECT senim_append_only('ledger_entry');

CREATE TABLE ledger_posting (
    entry_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL, -- the entry's
    position    int         NOT NULL CHECK (position >= 0),
    account     text        NOT NULL CHECK (account <> ''),
    amount      bigint      NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX ledger_posting_account ON ledger_posting (account, recorded_at);
SELECT senim_append_only('ledger_posting');

-- What has been posted, for ever: a second posting under the same key finds
-- the first. It also shows an entry that somebody took away: the content's
-- digest and the sum of debits stand here as well.
CREATE TABLE ledger_key (
    natural_key text        PRIMARY KEY CHECK (length(natural_key) BETWEEN 1 AND 200),
    entry_id    uuid        NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL,
    content     bytea       NOT NULL CHECK (length(content) = 32),
    debits      bigint      NOT NULL CHECK (debits > 0)
);
SELECT senim_append_only('ledger_key');

-- +goose StatementBegin
CREATE FUNCTION ledger_check_entry() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    entry    uuid;
    expected int;
    found    int;
    total    numeric; -- a sum of bigints is numeric and does not wrap
BEGIN
    IF TG_ARGV[0] = 'entry' THEN
        entry := NEW.id;
    ELSE
        entry := NEW.entry_id;
    END IF;
    SELECT postings INTO expected FROM ledger_entry WHERE id = entry AND recorded_at = NEW.recorded_at;
    SELECT count(*), coalesce(sum(amount), 0) INTO found, total
      FROM ledger_posting WHERE entry_id = entry AND recorded_at = NEW.recorded_at;
    IF expected IS DISTINCT FROM found OR total <> 0 THEN
        RAISE EXCEPTION 'ledger entry % has % of % postings and the sum %', entry, found, expected, total
            USING ERRCODE = 'SN020';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

COMMENT ON FUNCTION ledger_check_entry() IS 'At commit: an entry has all its postings, they add up to zero, and none is added later.';

CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry('entry');
CREATE CONSTRAINT TRIGGER ledger_posting_balanced AFTER INSERT ON ledger_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry('posting');

-- Facts told by a gateway, one row per reference of that gateway. state goes
-- from received to posted or exception; nothing else of a row changes.
CREATE TABLE gateway_fact (
    gateway     text        NOT NULL,
    reference   text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    order_id    uuid        NOT NULL, -- as told; an unknown one is an exception
    payer_bin   text        NOT NULL,
    amount      bigint      NOT NULL,
    bank_bic    text        NOT NULL,
    paid_at     timestamptz NOT NULL,
    message     bytea       NOT NULL, -- SHA-256 of the raw message, kept as evidence
    state       text        NOT NULL CHECK (state IN ('received', 'posted', 'exception')),
    reason      text        NOT NULL DEFAULT '' CHECK ((reason <> '') = (state = 'exception')),
    PRIMARY KEY (gateway, reference, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX gateway_fact_order ON gateway_fact (order_id);

-- References seen, for ever, with the digest of the fact under each.
CREATE TABLE gateway_reference (
    gateway     text        NOT NULL,
    reference   text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
    recorded_at timestamptz NOT NULL,
    content     bytea       NOT NULL CHECK (length(content) = 32),
    PRIMARY KEY (gateway, reference)
);
SELECT senim_append_only('gateway_reference');

-- One row per statement file; a file is known by its digest.
CREATE TABLE statement_file (
    sha256       bytea       PRIMARY KEY CHECK (length(sha256) = 32),
    id           uuid        NOT NULL UNIQUE,
    recorded_at  timestamptz NOT NULL,
    name         text        NOT NULL,
    message_id   text        NOT NULL,
    statement_id text        NOT NULL,
    account      text        NOT NULL,
    opening      bigint      NOT NULL,
    closing      bigint      NOT NULL,
    lines        int         NOT NULL, -- new ones
    duplicates   int         NOT NULL, -- known from another file
    bad          int         NOT NULL
);
SELECT senim_append_only('statement_file');

CREATE TABLE statement_line (
    id           uuid        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    file_id      uuid        NOT NULL,
    position     int         NOT NULL CHECK (position >= 0),
    place        text        NOT NULL, -- where in the file: entry, detail, byte
    reference    text        NOT NULL, -- the account servicer's
    booked       boolean     NOT NULL,
    booking_day  date        NOT NULL,
    value_day    date,
    amount       bigint      NOT NULL, -- a credit to the account is positive
    identifier   text        NOT NULL,
    budget_code  text        NOT NULL,
    purpose_code text        NOT NULL,
    payer        text        NOT NULL, -- BIN as the bank gives it
    end_to_end   text        NOT NULL,
    purpose      text        NOT NULL,
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX statement_line_day ON statement_line (booking_day);
SELECT senim_append_only('statement_line');

-- Lines that could not be read, with their place and the reason.
CREATE TABLE statement_bad_line (
    file_id     uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    position    int         NOT NULL,
    place       text        NOT NULL,
    booking_day date        NOT NULL, -- the statement's, if the line's own could not be read
    code        text        NOT NULL,
    detail      text        NOT NULL,
    PRIMARY KEY (file_id, position, recorded_at)
) PARTITION BY RANGE (recorded_at);
SELECT senim_append_only('statement_bad_line');

-- Lines seen, for ever: the same line in two files is one line.
CREATE TABLE statement_line_once (
    line_key    bytea       PRIMARY KEY CHECK (length(line_key) = 32),
    line_id     uuid        NOT NULL,
    recorded_at timestamptz NOT NULL
);
SELECT senim_append_only('statement_line_once');

-- Matches stand in a table of their own, so that neither side is rewritten. It
-- is not partitioned: an identifier and a line are matched once for ever.
CREATE TABLE payment_match (
    identifier  text        PRIMARY KEY,
    line_id     uuid        NOT NULL UNIQUE,
    order_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    booking_day date        NOT NULL,
    amount      bigint      NOT NULL,
    rule        text        NOT NULL
);
CREATE INDEX payment_match_order ON payment_match (order_id);
CREATE INDEX payment_match_day ON payment_match (booking_day);
SELECT senim_append_only('payment_match');

-- Lines of a day that match nothing, as the last run of that day found them.
CREATE TABLE payment_exception (
    line_id     uuid        PRIMARY KEY,
    booking_day date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason      text        NOT NULL
);
CREATE INDEX payment_exception_day ON payment_exception (booking_day);
