-- The whole life of an order: part payments, overpayments, authorisation,
-- refunds, presenting again, and a payer who is the declarant's broker.
--
-- While this runs beside the previous version: that one cannot draw up an
-- order any more (its ON CONFLICT names the key that goes), and what it would
-- move to 'reconciled' or pay without saying which lines is refused. Its
-- requests and jobs fail, change nothing, and succeed when this version serves
-- them.

-- +goose Up

-- Whether a line is agreed with the treasury follows from payment_match; it is
-- no state of an order any more. A partition has the check as its own too, and
-- dropping the table's would leave that one standing.
-- +goose StatementBegin
DO $$
DECLARE
    part regclass;
BEGIN
    ALTER TABLE payment_order DROP CONSTRAINT payment_order_state_check;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'payment_order'::regclass LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS payment_order_state_check', part);
    END LOOP;
END
$$;
-- +goose StatementEnd

ALTER TABLE payment_order
    ADD COLUMN declarant_bin   text CHECK (declarant_bin ~ '^[0-9]{12}$'), -- whose debt it is; NULL: the payer's
    ADD COLUMN gateway         text     NOT NULL DEFAULT '', -- where it is presented
    ADD COLUMN registration    text     NOT NULL DEFAULT '', -- the gateway's own reference of the bill
    ADD COLUMN presentations   int      NOT NULL DEFAULT 0,  -- how often it was presented
    ADD COLUMN received        bigint   NOT NULL DEFAULT 0,  -- money in: on the lines and credited
    ADD COLUMN paid            bigint[] NOT NULL DEFAULT '{}', -- of it on each line, by position
    ADD COLUMN credited        bigint   NOT NULL DEFAULT 0,  -- of it beyond the debt, put to the payer's advance
    ADD COLUMN tolerated       bigint   NOT NULL DEFAULT 0,  -- owed and let go
    ADD COLUMN refunded        bigint[] NOT NULL DEFAULT '{}', -- paid back of each line, by position
    ADD COLUMN refunded_credit bigint   NOT NULL DEFAULT 0,  -- paid back of what was credited
    ADD COLUMN returned        bigint   NOT NULL DEFAULT 0,  -- paid back in total
    ADD COLUMN refunding       bigint   NOT NULL DEFAULT 0;  -- ordered to be paid back, not executed

UPDATE payment_order p
   SET state = 'paid', received = p.total,
       paid = (SELECT array_agg(l.amount ORDER BY l.position) FROM payment_line l WHERE l.order_id = p.id AND l.recorded_at = p.recorded_at)
 WHERE p.state IN ('paid', 'reconciled');
UPDATE payment_order SET presentations = 1 WHERE payment_url <> '';

-- The states, and what the money of an order in each of them is.
ALTER TABLE payment_order
    ADD CONSTRAINT payment_order_states CHECK (state IN ('draft', 'presented', 'pending', 'authorised', 'captured',
        'partially_paid', 'paid', 'overpaid', 'expired', 'cancelled', 'refunding', 'refunded')),
    ADD CONSTRAINT payment_order_amounts CHECK (0 <= ALL (paid) AND 0 <= ALL (refunded) AND received >= 0
        AND credited BETWEEN 0 AND received AND tolerated BETWEEN 0 AND total AND refunded_credit BETWEEN 0 AND credited
        AND received - credited + tolerated <= total),
    ADD CONSTRAINT payment_order_returned CHECK (refunding >= 0 AND returned >= refunded_credit AND returned + refunding <= received),
    ADD CONSTRAINT payment_order_refunding CHECK ((refunding > 0) = (state = 'refunding')),
    ADD CONSTRAINT payment_order_money CHECK ((received > 0) = (state IN ('partially_paid', 'paid', 'overpaid', 'refunding', 'refunded'))),
    ADD CONSTRAINT payment_order_settled CHECK (state NOT IN ('paid', 'overpaid') OR received - credited + tolerated = total),
    ADD CONSTRAINT payment_order_overpaid CHECK (state <> 'overpaid' OR credited > refunded_credit);

-- What is looked for: the overdue, a payer's orders.
CREATE INDEX payment_order_open ON payment_order (expires_at) WHERE state IN ('draft', 'presented', 'pending');
CREATE INDEX payment_order_payer ON payment_order (payer_bin, id);

-- A transaction has one order that is neither cancelled nor refunded; the
-- number counts those it has had.
ALTER TABLE payment_order_once DROP CONSTRAINT payment_order_once_pkey;
ALTER TABLE payment_order_once ADD COLUMN number int NOT NULL DEFAULT 1 CHECK (number > 0);
ALTER TABLE payment_order_once ADD PRIMARY KEY (transaction_id, number);
