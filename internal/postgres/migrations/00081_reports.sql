-- Reports read the ledger by its business days.

-- +goose Up

-- Days come one after the other, so the range of a block is narrow.
CREATE INDEX ledger_entry_day ON ledger_entry USING brin (day) WITH (pages_per_range = 32);
