package dossier

import (
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/verifier"
)

func TestDerive(t *testing.T) {
	line := func(state string, amount money.Tiyn) OrderLine { return OrderLine{Amount: amount, State: state} }
	one := []Document{{}}
	for name, c := range map[string]struct {
		documents []Document
		orders    []Order
		state     State
		totals    Totals
	}{
		"nothing":         {nil, nil, StateOpen, Totals{}},
		"signed":          {one, nil, StateSigned, Totals{}},
		"ordered":         {one, []Order{{State: "presented", Lines: []OrderLine{line("owed", 5), line("owed", 7)}}}, StateOrdered, Totals{Owed: 12}},
		"paid":            {one, []Order{{State: "paid", Lines: []OrderLine{line("paid", 5), line("paid", 7)}}}, StatePaid, Totals{Owed: 12, Paid: 12}},
		"half reconciled": {one, []Order{{State: "paid", Lines: []OrderLine{line("reconciled", 5), line("paid", 7)}}}, StatePaid, Totals{Owed: 12, Paid: 12, Reconciled: 5}},
		"reconciled": {one, []Order{{State: "reconciled", Lines: []OrderLine{line("reconciled", 5), line("reconciled", 7)}}},
			StateReconciled, Totals{Owed: 12, Paid: 12, Reconciled: 12}},
		"expired":   {one, []Order{{State: "expired", Lines: []OrderLine{line("owed", 5)}}}, StateSigned, Totals{}},
		"cancelled": {one, []Order{{State: "cancelled", Lines: []OrderLine{line("owed", 5)}}}, StateSigned, Totals{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := Transaction{State: StateOpen, Documents: c.documents, Orders: c.orders}
			r.derive()
			if r.State != c.state || r.Totals != c.totals {
				t.Errorf("state %s, totals %+v", r.State, r.Totals)
			}
		})
	}
}

func TestRefusalOf(t *testing.T) {
	report := func(i verifier.Indication, sub verifier.SubIndication, codes ...fault.Code) *verifier.Report {
		r := &verifier.Report{Indication: i, SubIndication: sub, Signatures: []verifier.SignatureReport{{Indication: i}}}
		for _, c := range codes {
			r.Signatures[0].Errors = append(r.Signatures[0].Errors, verifier.Message{Code: c})
		}
		return r
	}
	for name, c := range map[string]struct {
		report *verifier.Report
		want   fault.Code
	}{
		"passed":                     {report(verifier.TotalPassed, ""), ""},
		"failed with a reason":       {report(verifier.TotalFailed, verifier.HashFailure, "digest_mismatch"), "digest_mismatch"},
		"failed without one":         {report(verifier.TotalFailed, verifier.HashFailure), fault.SignatureNotAccepted},
		"undetermined":               {report(verifier.Indeterminate, verifier.NoCertificateChain), fault.SignatureUndetermined},
		"revocation to be had later": {report(verifier.Indeterminate, verifier.TryLater, "revocation_unknown"), fault.RevocationUndetermined},
		"no signature":               {&verifier.Report{Indication: verifier.Indeterminate}, fault.SignatureUndetermined},
	} {
		if got := fault.CodeOf(RefusalOf(c.report)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
