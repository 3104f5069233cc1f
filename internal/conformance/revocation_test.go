package main

import (
	"os"
	"testing"
)

// Every row of the decision table comes out as its clause has it.
func TestDecisionTable(t *testing.T) {
	requireAgreement(t, runRevocation, options{}, 100)
}

// NUC RK's data say what was found out about them independently.
func TestNUCRevocation(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no ../shared/data here")
	}
	requireAgreement(t, runNUCRevocation, options{data: shared}, 40)
}

func requireAgreement(t *testing.T, run func(options) ([]outcome, error), o options, least int) {
	t.Helper()
	outcomes, err := run(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range outcomes {
		if row.got != row.want {
			t.Errorf("%s: %s, want %s (%s)", row.id, row.got, row.want, row.detail)
		}
	}
	if len(outcomes) < least {
		t.Errorf("%d rows", len(outcomes))
	}
}

// What the table cannot mean is no row.
func TestDecisionTableRefusals(t *testing.T) {
	w, err := newIssuers()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][2]string{
		{"ocsp good this=soon", ""}, {"ocsp good colour=red", ""}, {"crl revoked@-1h/many this=0", ""},
		{"ocsp good by=nobody this=0", ""}, {"", "moon=full"}, {"", "now=soon"},
	} {
		if _, _, err := w.decide(row[0], row[1]); err == nil {
			t.Errorf("%q passes", row)
		}
	}
}
