-- The time-stamping authority's records: every token it issued, and the
-- certificates that verify them.

-- +goose Up

CREATE TABLE tsa_certificates (
    fingerprint bytea       PRIMARY KEY CHECK (fingerprint = sha256(der)),
    der         bytea       NOT NULL,
    first_used  timestamptz NOT NULL
);
SELECT senim_append_only('tsa_certificates');

COMMENT ON TABLE tsa_certificates IS 'Certificates of time-stamping keys, retired ones included: tokens may come without theirs.';

-- A serial number begins with the months since 2000-01, in the 12 bits after
-- the first, and recorded_at is the first moment of that month and nothing
-- else. So the key (serial, recorded_at), which is all that a partitioned table
-- can hold, makes the serial number alone unique, for ever.
CREATE TABLE tsa_tokens (
    recorded_at timestamptz NOT NULL,
    serial      bytea       NOT NULL CHECK (octet_length(serial) = 20 AND get_byte(serial, 0) < 128),
    gen_time    timestamptz NOT NULL,
    policy      text        NOT NULL CHECK (policy ~ '^[0-9]+(\.[0-9]+)+$'),
    digest      text        NOT NULL,
    imprint     bytea       NOT NULL CHECK (octet_length(imprint) BETWEEN 16 AND 64),
    certificate bytea       NOT NULL CHECK (octet_length(certificate) = 32),
    token       bytea       NOT NULL CHECK (octet_length(token) = 32),
    PRIMARY KEY (serial, recorded_at),
    CONSTRAINT tsa_tokens_month CHECK (recorded_at = date_trunc('month', gen_time AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'),
    CONSTRAINT tsa_tokens_serial_month CHECK (
        (get_byte(serial, 0) * 256 + get_byte(serial, 1)) / 8
        = (extract(year FROM recorded_at AT TIME ZONE 'UTC')::int - 2000) * 12 + extract(month FROM recorded_at AT TIME ZONE 'UTC')::int - 1)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX tsa_tokens_gen_time ON tsa_tokens USING brin (gen_time);
SELECT senim_append_only('tsa_tokens');

COMMENT ON TABLE tsa_tokens IS 'One row per issued time-stamp token, committed before the token left.';
COMMENT ON COLUMN tsa_tokens.certificate IS 'SHA-256 of the certificate that verifies the token.';
COMMENT ON COLUMN tsa_tokens.token IS 'SHA-256 of the token (the ContentInfo in DER).';
