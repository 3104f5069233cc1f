package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

func TestClassify(t *testing.T) {
	plain := errors.New("plain")
	for name, row := range map[string]struct {
		err  error
		want fault.Code
	}{
		"nothing":         {nil, ""},
		"unknown":         {plain, fault.Internal},
		"classified":      {fault.Wrap(plain, fault.IINInvalid, "", ""), fault.IINInvalid},
		"serialisation":   {&pgconn.PgError{Code: "40001"}, fault.DatabaseBusy},
		"deadlock":        {fmt.Errorf("post: %w", &pgconn.PgError{Code: "40P01"}), fault.DatabaseBusy},
		"statement limit": {&pgconn.PgError{Code: "57014"}, fault.DatabaseBusy},
		"shutting down":   {&pgconn.PgError{Code: "57P01"}, fault.DatabaseDown},
		"a standby":       {&pgconn.PgError{Code: "25006"}, fault.DatabaseDown},
		"disk full":       {&pgconn.PgError{Code: "53100"}, fault.DatabaseDown},
		"too many":        {&pgconn.PgError{Code: "53300"}, fault.DatabaseBusy},
		"disk broken":     {&pgconn.PgError{Code: "58030"}, fault.DatabaseDown},
		"wrong password":  {&pgconn.PgError{Code: "28P01"}, fault.DatabaseDenied},
		"append-only":     {&pgconn.PgError{Code: "SN001"}, fault.RecordImmutable},
		"unique":          {&pgconn.PgError{Code: "23505"}, fault.Internal},
		"cancelled":       {fmt.Errorf("read: %w", context.Canceled), fault.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			got := postgres.Classify(row.err)
			if fault.CodeOf(got) != row.want {
				t.Errorf("Classify = %v, want %s", got, row.want)
			}
			if row.err != nil && !errors.Is(got, row.err) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestViolations(t *testing.T) {
	err := fmt.Errorf("insert: %w", &pgconn.PgError{Code: "23505", ConstraintName: "orders_key"})
	if !postgres.UniqueViolation(err, "") || !postgres.UniqueViolation(err, "orders_key") {
		t.Error("a unique violation is not seen")
	}
	if postgres.UniqueViolation(err, "other_key") || postgres.ForeignKeyViolation(err, "") || postgres.CheckViolation(err, "") || postgres.UniqueViolation(nil, "") {
		t.Error("another violation is seen")
	}
}
