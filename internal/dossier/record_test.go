package dossier

import (
	"testing"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/verifier"
)

func TestDerive(t *testing.T) {
	one := []Document{{}}
	owed := OrderLine{State: "owed", Amount: 5}
	paid := OrderLine{State: "paid", Amount: 7, Paid: 7}
	agreed := OrderLine{State: "reconciled", Amount: 5, Paid: 5, Reconciled: 5}
	orders := func(state string, lines ...OrderLine) []Order { return []Order{{State: state, Lines: lines}} }
	for name, c := range map[string]struct {
		documents []Document
		orders    []Order
		state     State
		totals    Totals
	}{
		"nothing":         {nil, nil, StateOpen, Totals{}},
		"signed":          {one, nil, StateSigned, Totals{}},
		"draft":           {one, orders("draft", owed), StateOrdered, Totals{Owed: 5}},
		"ordered":         {one, orders("presented", owed, owed), StateOrdered, Totals{Owed: 10}},
		"held":            {one, orders("authorised", owed), StateOrdered, Totals{Owed: 5}},
		"partially paid":  {one, orders("partially_paid", paid, owed), StatePartiallyPaid, Totals{Owed: 12, Paid: 7}},
		"paid":            {one, orders("paid", paid, paid), StatePaid, Totals{Owed: 14, Paid: 14}},
		"half reconciled": {one, orders("paid", agreed, paid), StatePaid, Totals{Owed: 12, Paid: 12, Reconciled: 5}},
		"reconciled":      {one, orders("paid", agreed, agreed), StateReconciled, Totals{Owed: 10, Paid: 10, Reconciled: 10}},
		"overpaid":        {one, []Order{{State: "overpaid", Credited: 3, Lines: []OrderLine{paid}}}, StateOverpaid, Totals{Owed: 7, Paid: 7, Credited: 3}},
		"a little let go": {one, []Order{{State: "paid", Tolerated: 1, Lines: []OrderLine{{State: "reconciled", Amount: 5, Paid: 4, Reconciled: 4}}}},
			StateReconciled, Totals{Owed: 5, Paid: 4, Reconciled: 4, Tolerated: 1}},
		"refunding":      {one, orders("refunding", agreed), StateRefunding, Totals{Owed: 5, Paid: 5, Reconciled: 5}},
		"refunded":       {one, []Order{{State: "refunded", Refunded: 7, Lines: []OrderLine{paid}}}, StateRefunded, Totals{Owed: 7, Paid: 7, Refunded: 7}},
		"expired":        {one, orders("expired", owed), StateSigned, Totals{}},
		"cancelled":      {one, orders("cancelled", owed), StateSigned, Totals{}},
		"drawn up again": {one, append(orders("cancelled", owed), orders("paid", paid)...), StatePaid, Totals{Owed: 7, Paid: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			r := Transaction{State: StateOpen, Documents: c.documents, Orders: c.orders}
			r.derive()
			if r.State != c.state || r.Totals != c.totals {
				t.Errorf("state %s, totals %+v", r.State, r.Totals)
			}
		})
	}
	for _, s := range order.States() {
		if _, counts := stateOf[s]; counts == (s == order.Expired || s == order.Cancelled) {
			t.Errorf("an order that is %s", s)
		}
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
