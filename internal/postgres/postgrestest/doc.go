// Package postgrestest gives each test a fresh, migrated database.
//
// The first test that asks starts a throw-away cluster for the whole test
// binary and migrates a template once; every database is a copy of it. The
// cluster ends, and its folder goes, when the test binary ends, however it
// ends: the cluster's watchdog sees to that. Where PostgreSQL is not installed
// the tests skip and say so. The folder is in memory if that has room.
//
// It is imported by tests only.
package postgrestest
