// Package postgres is the way to the one store: the pool of connections, the
// schema and its migrations, transactions with bounded retries, monthly
// partitions, backups, and the private cluster that `senim up` and the tests
// run on.
//
// It knows nothing of what the tables mean. Each room writes its own SQL
// beside the function that needs it and its own files in migrations, in its
// range of numbers:
//
//	00001-00009  store (this package, evidence, outbox)
//	00010-00019  registry
//	00020-00029  payments
//	00030-00039  access
//	00040-00049  dossier
//	00050-00059  statements of the treasury (payments)
//	00060-00069  time-stamps (signer/tsa)
//	00070-00071  time-stamps, further
//	00072-00099  payments and webhooks, further
//
// Migrations go forward only and run while the previous version still serves,
// so they add and never rename or drop what that version reads.
//
// A growing table is PARTITION BY RANGE (recorded_at), one partition a month;
// what must be unique for ever lives in small unpartitioned tables, or begins with
// its month and is what the table is partitioned by (serial).
// EnsurePartitions keeps every such table some months ahead. A table that is
// append-only calls senim_append_only in its migration; the database itself
// then refuses UPDATE, DELETE and TRUNCATE.
//
// The private cluster listens on a unix socket only, in a folder of mode 0700,
// and trusts whoever can open it: there is no port to be taken and no password
// to be kept. As root it runs as the user postgres, else nobody. The program
// itself works as a role without superuser's rights, as in production.
// Production uses a configured address and never starts a cluster.
//
// Every package above floor 2 may import postgres.
package postgres
