-- The ledger's checks find an entry's postings by its key, whatever the planner
-- believes of the tables.

-- +goose Up

-- A session keeps its plan from the first call. While nobody has analysed the
-- tables since they were empty, reading the whole month once and keeping it for
-- all rows of a statement looked cheaper than looking each one up.
ALTER FUNCTION ledger_check_postings() SET enable_material = off;
ALTER FUNCTION ledger_check_entries() SET enable_material = off;
