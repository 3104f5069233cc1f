-- +goose Up

-- One row per trade transaction. The id is a UUIDv7, so it carries its month:
-- recorded_at is the time inside the id, and uniqueness of the pair is
-- uniqueness of the id.
create table dossier (
    id            uuid        not null,
    recorded_at   timestamptz not null,
    reference     text        not null check (length(reference) between 1 and 64),
    declarant_bin text        not null check (declarant_bin ~ '^[0-9]{12}$'),
    opened_by     text        not null,
    primary key (id, recorded_at)
) partition by range (recorded_at);

-- One row per accepted document; body is the record as it is shown.
create table dossier_document (
    id             uuid        not null,
    recorded_at    timestamptz not null,
    transaction_id uuid        not null,
    body           jsonb       not null,
    declaration    bytea       not null, -- SHA-256 of the signed content, kept as evidence under it
    primary key (id, recorded_at)
) partition by range (recorded_at);
create index on dossier_document (transaction_id);

-- What must stay unique for ever: the same signed file is accepted once per
-- transaction.
create table dossier_document_once (
    transaction_id uuid  not null,
    signed_sha256  bytea not null check (length(signed_sha256) = 32),
    primary key (transaction_id, signed_sha256)
);

-- The answer given to each Idempotency-Key, per caller and operation. A row
-- without an answer is a request in flight until lease_until.
create table idempotency (
    caller      text        not null,
    key         text        not null check (length(key) between 1 and 128),
    operation   text        not null,
    body_sha256 bytea       not null check (length(body_sha256) = 32),
    lease       uuid        not null, -- who is at work
    lease_until timestamptz not null,
    answer      jsonb,
    recorded_at timestamptz not null,
    primary key (caller, key)
);
create index on idempotency (recorded_at);

-- Every key that ever signed receipts, so that old receipts stay verifiable
-- after the key in the HSM was replaced.
create table receipt_key (
    kid         text        primary key,
    jwk         jsonb       not null,
    recorded_at timestamptz not null
);

-- The record is append-only: what is learned later is a new event.
select senim_append_only('dossier');
select senim_append_only('dossier_document');
select senim_append_only('dossier_document_once');
select senim_append_only('receipt_key');
