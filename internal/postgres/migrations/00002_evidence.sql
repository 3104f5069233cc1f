-- The evidence store: raw objects by their SHA-256, and the entries that say
-- what they are evidence of.

-- +goose Up

-- One row for ever per object: what makes Put idempotent, and the way to the
-- partition that holds the bytes.
CREATE TABLE evidence_digests (
    digest      bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    recorded_at timestamptz NOT NULL
);
SELECT senim_append_only('evidence_digests');

-- recorded_at is the database's clock and only chooses the partition; no rule
-- of the domain reads it.
CREATE TABLE evidence_objects (
    recorded_at timestamptz NOT NULL,
    digest      bytea       NOT NULL CHECK (digest = sha256(raw)),
    kind        text        NOT NULL CHECK (kind ~ '^[a-z][a-z0-9]*([._-][a-z0-9]+)*$' AND length(kind) <= 64),
    raw         bytea       NOT NULL,
    PRIMARY KEY (digest, recorded_at)
) PARTITION BY RANGE (recorded_at);
-- Certificates, tokens and signed documents hardly compress, and are read whole.
ALTER TABLE evidence_objects ALTER COLUMN raw SET STORAGE EXTERNAL;
SELECT senim_append_only('evidence_objects');

CREATE TABLE evidence_entries (
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    id             uuid        NOT NULL,
    transaction_id uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind ~ '^[a-z][a-z0-9]*([._-][a-z0-9]+)*$' AND length(kind) <= 64),
    at             timestamptz NOT NULL,
    objects        bytea[]     NOT NULL CHECK (cardinality(objects) BETWEEN 1 AND 256 AND array_ndims(objects) = 1),
    PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX evidence_entries_transaction ON evidence_entries (transaction_id);
SELECT senim_append_only('evidence_entries');
