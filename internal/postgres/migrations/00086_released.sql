-- Money of a fact that stood in suspense and was given on by two persons: what
-- is taken back of it later is not taken out of suspense a second time.

-- +goose Up

ALTER TABLE gateway_fact
    ADD COLUMN released bigint NOT NULL DEFAULT 0 CHECK (released >= 0 AND reversed + released <= amount);

UPDATE gateway_fact f SET released = c.amount
  FROM reconcile_case c
 WHERE c.subject = 'fact:' || f.gateway || ':' || f.reference AND c.state = 'resolved' AND c.resolution IN ('advance', 'refund')
   AND f.kind = 'captured' AND c.amount BETWEEN 0 AND f.amount - f.reversed;
