-- +goose Up

-- Systems that may call. The keys are public; a certificate is known by its
-- digest alone. A client is never deleted: its identifier stays in records.
create table access_client (
    id                 text        primary key check (id ~ '^[a-z][a-z0-9-]{2,63}$'),
    name               text        not null check (length(name) between 1 and 128),
    role               text        not null,
    scopes             text[]      not null,
    bin                text        check (bin ~ '^[0-9]{12}$'),
    iin                text        check (iin ~ '^[0-9]{12}$'),
    jwks               jsonb,
    certificate_sha256 bytea       unique check (length(certificate_sha256) = 32),
    generation         integer     not null default 1, -- tokens of an older one are dead
    created_at         timestamptz not null,
    rotated_at         timestamptz,
    disabled_at        timestamptz,
    check (jwks is not null or certificate_sha256 is not null)
);

-- The identifiers (jti) of assertions until they expire: each is good once.
create table access_assertion (
    client     text        not null references access_client (id),
    jti_sha256 bytea       not null check (length(jti_sha256) = 32),
    expires_at timestamptz not null,
    primary key (client, jti_sha256)
);
create index on access_assertion (expires_at);

-- People who signed in, so that records name them without personal data.
create table access_person (
    id         uuid        primary key,
    iin        text        not null check (iin ~ '^[0-9]{12}$'),
    bin        text        not null check (bin ~ '^([0-9]{12})?$'), -- empty: for themselves
    created_at timestamptz not null,
    unique (iin, bin)
);

-- Challenges given out and not yet answered, by the digest of their text.
create table access_challenge (
    content_sha256 bytea       primary key check (length(content_sha256) = 32),
    expires_at     timestamptz not null
);
create index on access_challenge (expires_at);

-- Sessions by the digest of their token: whoever reads this table cannot use
-- one.
create table access_session (
    token_sha256       bytea       primary key check (length(token_sha256) = 32),
    person             uuid        not null references access_person (id),
    certificate_sha256 bytea       not null check (length(certificate_sha256) = 32),
    created_at         timestamptz not null,
    expires_at         timestamptz not null
);
create index on access_session (expires_at);
