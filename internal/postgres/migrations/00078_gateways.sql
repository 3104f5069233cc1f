-- Several gateways: ePay's invoices, QR codes, and debits under a mandate.

-- +goose Up

-- The invoices of an order at ePay, one for each bill, for ever. payment_url is
-- set once the page was made.
CREATE TABLE epay_invoice (
    order_id    uuid        NOT NULL,
    number      int         NOT NULL CHECK (number > 0), -- of the bill
    invoice     text        NOT NULL UNIQUE CHECK (invoice ~ '^[0-9]{6,15}$'),
    recorded_at timestamptz NOT NULL,
    payment_url text        NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, number)
);

CREATE SEQUENCE epay_invoice_number AS bigint MINVALUE 1 MAXVALUE 899999999999;

-- Who has the last six digits of invoices: they are given again only when the
-- last use is long ago. At most a million rows.
CREATE TABLE epay_tail (
    tail     int         PRIMARY KEY CHECK (tail BETWEEN 0 AND 999999),
    taken_at timestamptz NOT NULL
);

-- Refunds ordered at ePay, which tells of them only in its answers.
CREATE TABLE epay_refund (
    id          uuid        PRIMARY KEY, -- ours
    order_id    uuid        NOT NULL,
    transaction text        NOT NULL,
    amount      bigint      NOT NULL CHECK (amount > 0),
    recorded_at timestamptz NOT NULL,
    executed_at timestamptz -- when the answer said so
);
CREATE INDEX epay_refund_order ON epay_refund (order_id);

-- QR codes of an order. payload is empty until the gateway has made the code.
CREATE TABLE payment_qr (
    id          uuid        PRIMARY KEY,
    order_id    uuid        NOT NULL,
    gateway     text        NOT NULL CHECK (gateway <> ''),
    recorded_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > recorded_at),
    amount      bigint      NOT NULL CHECK (amount > 0),
    payload     text        NOT NULL DEFAULT ''
);
CREATE INDEX payment_qr_order ON payment_qr (order_id, recorded_at);

-- A payer's leave to take money from its account. Everything but the state
-- stands as the signed document says.
CREATE TABLE payment_mandate (
    id          uuid        PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    payer_bin   text        NOT NULL CHECK (payer_bin ~ '^[0-9]{12}$'),
    account     text        NOT NULL CHECK (account ~ '^KZ[0-9]{5}[A-Z0-9]{13}$'),
    gateway     text        NOT NULL CHECK (gateway <> ''),
    debit_max   bigint      NOT NULL CHECK (debit_max > 0),          -- tiyn, of one debit
    month_max   bigint      NOT NULL CHECK (month_max >= debit_max), -- of the debits of a calendar month
    valid_from  date        NOT NULL,
    valid_to    date        NOT NULL CHECK (valid_to >= valid_from),
    document    bytea       NOT NULL UNIQUE CHECK (length(document) = 32), -- SHA-256 of the signed document, kept as evidence
    state       text        NOT NULL CHECK (state IN ('active', 'suspended', 'revoked')),
    created_by  text        NOT NULL CHECK (created_by <> ''),
    moved_by    text        NOT NULL CHECK (moved_by <> ''), -- who gave it its state
    moved_at    timestamptz NOT NULL
);
CREATE INDEX payment_mandate_payer ON payment_mandate (payer_bin, id);

-- +goose StatementBegin
CREATE FUNCTION payment_mandate_keep() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state = 'revoked'
       OR (NEW.id, NEW.recorded_at, NEW.payer_bin, NEW.account, NEW.gateway, NEW.debit_max, NEW.month_max, NEW.valid_from, NEW.valid_to,
           NEW.document, NEW.created_by)
          IS DISTINCT FROM
          (OLD.id, OLD.recorded_at, OLD.payer_bin, OLD.account, OLD.gateway, OLD.debit_max, OLD.month_max, OLD.valid_from, OLD.valid_to,
           OLD.document, OLD.created_by) THEN
        RAISE EXCEPTION 'a mandate stands as it was signed, and a revoked one for ever' USING ERRCODE = 'SN001';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER payment_mandate_keep BEFORE UPDATE OR DELETE ON payment_mandate
    FOR EACH ROW EXECUTE FUNCTION payment_mandate_keep();
CREATE TRIGGER payment_mandate_truncate BEFORE TRUNCATE ON payment_mandate
    FOR EACH STATEMENT EXECUTE FUNCTION senim_refuse_change();

-- Debits under a mandate. One that is reserved or executed counts against the
-- limit of its month; one that failed does not.
CREATE TABLE payment_debit (
    id             uuid        PRIMARY KEY,
    recorded_at    timestamptz NOT NULL,
    mandate_id     uuid        NOT NULL REFERENCES payment_mandate,
    order_id       uuid        NOT NULL,
    transaction_id uuid        NOT NULL,
    amount         bigint      NOT NULL CHECK (amount > 0),
    month          date        NOT NULL CHECK (extract(day FROM month) = 1), -- in Asia/Almaty
    state          text        NOT NULL CHECK (state IN ('reserved', 'executed', 'failed')),
    ordered_by     text        NOT NULL CHECK (ordered_by <> ''),
    ended_at       timestamptz,
    reason         text        NOT NULL DEFAULT '', -- of a failure
    CONSTRAINT payment_debit_ended CHECK ((state = 'reserved') = (ended_at IS NULL)),
    CONSTRAINT payment_debit_failed CHECK ((state = 'failed') = (reason <> ''))
);
CREATE INDEX payment_debit_month ON payment_debit (mandate_id, month) WHERE state <> 'failed';
-- One at a time for an order: what the first comes to decides what is owed.
CREATE UNIQUE INDEX payment_debit_one ON payment_debit (order_id) WHERE state = 'reserved';
