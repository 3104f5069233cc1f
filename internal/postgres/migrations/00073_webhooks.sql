-- Events to subscribers: Standard Webhooks.

-- +goose Up

-- Every event gets a number besides the one within its transaction, so that
-- whoever hands events on can go through all of them once. It is taken before
-- the commit: numbers become visible out of order, and webhook's sequencer
-- waits for those that are still on their way. The cache stays 1, or last_value
-- would say nothing about the numbers given out. Events from before have none;
-- nobody had subscribed to them.
create sequence event_position;
alter table events add column position bigint;
alter table events alter column position set default nextval('event_position');
create index on events (position) where position is not null;

-- What the last number given out was at some times, by the database's clock: so
-- that events of a time are found by their numbers, and an event pays for one
-- index only.
create table event_marks (
    at       timestamptz primary key,
    position bigint      not null
);

-- Up to which number all events have been queued for their subscribers.
create table webhook_cursor (
    one      boolean primary key default true check (one),
    position bigint  not null
);
insert into webhook_cursor (position) values (0);

-- A row stays after its deletion until its deliveries are pruned.
create table webhook_subscription (
    id              uuid        primary key,
    owner           text        not null,
    party           text,       -- whose transactions it is told of; null: everybody's
    url             text        not null check (length(url) between 1 and 2048),
    description     text        not null check (length(description) <= 256),
    types           text[]      not null, -- empty: every type
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    disabled_at     timestamptz,
    disabled_reason text        not null default '',
    deleted_at      timestamptz
);
create index on webhook_subscription (owner) where deleted_at is null;

-- What messages are signed with. They have to be at hand in the clear for that:
-- they are in a table of their own, which only the service's role may read.
create table webhook_key (
    id              uuid        primary key,
    subscription_id uuid        not null references webhook_subscription (id),
    scheme          text        not null check (scheme in ('v1', 'v1a')),
    secret          bytea       not null,
    created_at      timestamptz not null,
    expires_at      timestamptz -- null: until it is replaced
);
create index on webhook_key (subscription_id);
revoke all on webhook_key from public;

-- Who sends to a subscriber at the moment, and since when it does not answer.
create table webhook_pump (
    subscription_id uuid        primary key references webhook_subscription (id),
    lease           uuid,
    lease_until     timestamptz,
    wake_job        bigint,     -- the job that will look again
    wake_at         timestamptz,
    hold_until      timestamptz, -- nothing is sent before
    streak          int         not null default 0, -- failed rounds since it last took a message
    streak_of       uuid        -- a transaction that the last of them was about
);

-- One event for one subscriber. It is sent by the events of its transaction in
-- their order, so what is pending behind another one waits for it.
create table webhook_delivery (
    subscription_id uuid        not null references webhook_subscription (id),
    transaction_id  uuid        not null,
    sequence        int         not null,
    recorded_at     timestamptz not null, -- the event's, to find it in its partition
    type            text        not null,
    state           text        not null check (state in ('pending', 'delivered', 'dead')),
    reason          text        not null default '', -- why it is dead
    tries           int         not null default 0,  -- since it was queued
    queued_at       timestamptz not null,
    due_at          timestamptz not null,
    settled_at      timestamptz,
    attempts        jsonb       not null default '[]',
    primary key (subscription_id, transaction_id, sequence),
    check ((state = 'pending') = (settled_at is null))
);
create index webhook_delivery_due on webhook_delivery (subscription_id, due_at) where state = 'pending';
create index webhook_delivery_queued on webhook_delivery (queued_at) where state = 'pending';
create index webhook_delivery_settled on webhook_delivery (settled_at);
create index webhook_delivery_list on webhook_delivery (subscription_id, queued_at, transaction_id, sequence);
