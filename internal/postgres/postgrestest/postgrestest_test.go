package postgrestest_test

import (
	"testing"

	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

func TestDatabasesAreApart(t *testing.T) {
	one, two := postgrestest.Pool(t), postgrestest.Pool(t)
	if _, err := one.Exec(t.Context(), "CREATE TABLE only_in_one (x int)"); err != nil {
		t.Fatal(err)
	}
	var there bool
	if err := two.QueryRow(t.Context(), "SELECT to_regclass('only_in_one') IS NOT NULL").Scan(&there); err != nil {
		t.Fatal(err)
	}
	if there {
		t.Error("a table made in one test's database shows in another's")
	}
}

func TestDatabaseIsMigrated(t *testing.T) {
	var there bool
	err := postgrestest.Pool(t).QueryRow(t.Context(), "SELECT to_regclass('river_job') IS NOT NULL").Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	if !there {
		t.Error("the template lacks River's tables")
	}
}
