-- The body that a bank credited, where the format names it by its BIN and not
-- by the code of a revenue office.

-- +goose Up

ALTER TABLE statement_line ADD COLUMN office_bin text NOT NULL DEFAULT '';
