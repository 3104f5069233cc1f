-- A payment that comes back says so, and why.

-- +goose Up

ALTER TABLE statement_line ADD COLUMN returned boolean NOT NULL DEFAULT false;
ALTER TABLE statement_line ADD COLUMN return_reason text NOT NULL DEFAULT ''; -- ISO 20022 ExternalReturnReason1Code, or the bank's own
