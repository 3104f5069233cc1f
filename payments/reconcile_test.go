package payments_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/ledger"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
	"github.com/senim-kz/senim/payments/statement"
)

// row is one line of a statement of the tests.
type row struct {
	reference, identifier, code, endToEnd string
	amount                                money.Tiyn
	pending, returned                     bool
}

// treasuryFile writes a statement of a day; its balances are right.
func treasuryFile(id string, day kz.Day, rows ...row) []byte {
	var b bytes.Buffer
	var total money.Tiyn
	var entries strings.Builder
	for _, r := range rows {
		status, indicator, amount := "BOOK", "CRDT", r.amount
		if r.pending {
			status = "PDNG"
		} else {
			total += r.amount
		}
		if amount < 0 {
			indicator, amount = "DBIT", -amount
		}
		back := ""
		if r.returned {
			back = `<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>`
		}
		fmt.Fprintf(&entries, `<Ntry><Amt Ccy="KZT">%s</Amt><CdtDbtInd>%s</CdtDbtInd><Sts><Cd>%s</Cd></Sts><BookgDt><Dt>%s</Dt></BookgDt>`+
			`<AcctSvcrRef>%s</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>%s</EndToEndId></Refs><RmtInf><Strd><RfrdDocInf><Tp><CdOrPrtry><Prtry>KBK</Prtry></CdOrPrtry></Tp><Nb>%s</Nb></RfrdDocInf>`+
			`<CdtrRefInf><Tp><CdOrPrtry><Prtry>UIN</Prtry></CdOrPrtry></Tp><Ref>%s</Ref></CdtrRefInf></Strd></RmtInf>%s</TxDtls></NtryDtls></Ntry>`,
			amount, indicator, status, day, r.reference, r.endToEnd, r.code, r.identifier, back)
	}
	balance := func(kind string, amount money.Tiyn) string {
		return fmt.Sprintf(`<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp><Amt Ccy="KZT">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>%s</Dt></Dt></Bal>`, kind, amount, day)
	}
	const opening = 1_000_000_000 * money.Tenge
	fmt.Fprintf(&b, `<Document xmlns="%s"><BkToCstmrStmt><GrpHdr><MsgId>%s</MsgId></GrpHdr><Stmt><Id>%s</Id><Acct><Id><IBAN>%s</IBAN></Id></Acct>%s%s%s</Stmt></BkToCstmrStmt></Document>`,
		"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08", id, id, order.TreasuryIIK, balance("OPBD", opening), balance("CLBD", opening+total), entries.String())
	return b.Bytes()
}

func (w *world) importFile(file []byte) {
	w.t.Helper()
	if _, err := w.service.ImportStatement(w.ctx(), "day.xml", bytes.NewReader(file), statement.Options{}); err != nil {
		w.t.Fatal(err)
	}
}

// Every line that is not exactly what was ordered has its reason.
func TestReconciliationExceptions(t *testing.T) {
	w := newWorld(t)
	paid, unpaid := w.presented(), w.presented()
	if err := w.pay(paid); err != nil {
		t.Fatal(err)
	}
	day := kz.DayOf(w.clock.Now())
	fee, duty, vat := paid.Lines[0], paid.Lines[1], paid.Lines[2]
	line := func(reference string, l order.Line) row {
		return row{reference: reference, identifier: string(l.Identifier), code: string(l.BudgetCode), amount: l.Amount}
	}
	short, wrongCode, again, pending := line("R2", duty), line("R3", vat), line("R4", fee), line("R8", vat)
	short.amount--
	wrongCode.code = "106104"
	pending.pending = true
	file := treasuryFile("S1", day, line("R1", fee), short, wrongCode, again,
		row{reference: "R5", identifier: "26112000000099999", code: "106201", amount: 100},
		row{reference: "R6", code: "106201", amount: 100},
		row{reference: "R7", identifier: string(fee.Identifier), code: "106201", amount: -100},
		pending, line("R9", unpaid.Lines[0]))
	file = bytes.Replace(file, []byte("</Stmt>"), []byte(`<Ntry><Amt Ccy="USD">5</Amt><CdtDbtInd>CRDT</CdtDbtInd></Ntry></Stmt>`), 1)
	w.importFile(file)
	result, err := w.service.Reconcile(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range result.Exceptions {
		place, _, _ := strings.Cut(e.Place, ",")
		got = append(got, fmt.Sprint(place, " ", e.Reason, " ", e.Amount, " ", e.ExpectedAmount))
	}
	want := []string{
		"/Stmt/0/Ntry/1/TxDtls/0 amount_differs 288409.20 288409.21",
		"/Stmt/0/Ntry/2/TxDtls/0 wrong_budget_code 802067.22 802067.22",
		"/Stmt/0/Ntry/3/TxDtls/0 duplicate_payment 20000.00 20000.00",
		"/Stmt/0/Ntry/4/TxDtls/0 unknown_identifier 1.00 0.00",
		"/Stmt/0/Ntry/5/TxDtls/0 missing_identifier 1.00 0.00",
		"/Stmt/0/Ntry/6/TxDtls/0 debit_entry -1.00 20000.00",
		"/Stmt/0/Ntry/7/TxDtls/0 entry_not_booked 802067.22 802067.22",
		"/Stmt/0/Ntry/8/TxDtls/0 payment_not_posted 20000.00 20000.00",
		"/Stmt/0/Ntry/9 statement_line_invalid 0.00 0.00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if result.Matched != 1 || result.Lines != 10 || result.ExceptionCount != 9 {
		t.Errorf("%+v", result)
	}
	if o := w.get(paid); o.State != order.Paid || o.Lines[0].State != order.LineReconciled || o.Lines[1].State != order.LinePaid {
		t.Errorf("%+v", o)
	}

	// The right lines come the next day: the order is whole.
	next := day.AddDays(1)
	w.importFile(treasuryFile("S2", next, line("N1", duty), line("N2", vat)))
	if result, err := w.service.Reconcile(t.Context(), next); err != nil || result.Matched != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	// And the first day, run again, says what it said.
	repeated, err := w.service.Reconcile(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asJSON(t, result), asJSON(t, repeated)); diff != "" {
		t.Error(diff)
	}
	w.verified()
	if _, err := w.service.Reconcile(t.Context(), kz.Day{}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("no day: %v", err)
	}
}

// The treasury has the money before the gateway tells of it.
func TestMoneyBeforeTheFact(t *testing.T) {
	w := newWorld(t)
	o := w.presented()
	if err := w.bank.SetFault(pshep.Fault{Name: pshep.LateCallback}); err != nil {
		t.Fatal(err)
	}
	if err := w.pay(o); err != nil {
		t.Fatal(err)
	}
	day := kz.DayOf(w.clock.Now())
	file, err := w.bank.Statement(day)
	if err != nil {
		t.Fatal(err)
	}
	w.importFile(file)
	result, err := w.service.Reconcile(t.Context(), day)
	if err != nil || result.Matched != 0 || result.ExceptionCount != 3 || result.Exceptions[0].Reason != fault.NotPosted {
		t.Fatalf("%+v, %v", result, err)
	}
	if err := w.bank.SetFault(pshep.Fault{}); err != nil {
		t.Fatal(err)
	}
	if err := w.bank.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	result, err = w.service.Reconcile(t.Context(), day)
	if err != nil || result.Matched != 3 || result.ExceptionCount != 0 || w.get(o).Lines[2].State != order.LineReconciled {
		t.Errorf("%+v, %v", result, err)
	}
	checkBooks(t, w, o)
}

// plain is a gateway without signatures, to do much in a short time; of the
// port it has what these tests call.
type plain struct{ gateway.Port }

func (plain) Name() string { return "plain" }

func (plain) Register(_ context.Context, b gateway.Bill) (*gateway.Registration, error) {
	return &gateway.Registration{Reference: "B", PaymentURL: "https://bank.example/" + b.Order.String(), Exchange: gateway.Exchange{Sent: []byte("bill"), Received: []byte("ok")}}, nil
}

func (plain) Open(_ context.Context, raw []byte) (*gateway.Callback, error) {
	c := &gateway.Callback{Raw: raw}
	if err := json.Unmarshal(raw, &c.Fact); err != nil {
		return nil, fault.Wrap(err, fault.CallbackUnauthentic, "", "read")
	}
	return c, nil
}

func (plain) Reply(_ *gateway.Callback, r gateway.Receipt) ([]byte, error) { return json.Marshal(r) }

// Any sequence of payments, repeats, mistakes, statements and
// reconciliations: the trial balance is zero, clearing holds what was posted
// and not settled, an order is paid once, and the book is whole.
func TestAnySequenceKeepsTheBooks(t *testing.T) {
	if testing.Short() {
		t.Skip("some thousand transactions: not in a short run")
	}
	w := newWorld(t)
	w.service = w.newService(plain{}, w.jobs)
	sequence := 0
	rapid.Check(t, func(rt *rapid.T) {
		day := kz.DayOf(w.clock.Now())
		orders := []*order.Order{w.presented(), w.presented()}
		var sent []gateway.Fact
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			o := orders[rapid.IntRange(0, 1).Draw(rt, "order")]
			switch rapid.SampledFrom([]string{"pay", "wrong", "repeat", "statement", "reconcile"}).Draw(rt, "step") {
			case "pay", "wrong":
				sequence++
				f := w.fact(o, fmt.Sprintf("P%d", sequence))
				f.Amount += money.Tiyn(rapid.SampledFrom([]int{0, 0, -1}).Draw(rt, "difference"))
				sent = append(sent, f)
				w.tellPlainly(rt, f)
			case "repeat":
				if len(sent) > 0 {
					w.tellPlainly(rt, rapid.SampledFrom(sent).Draw(rt, "fact"))
				}
			case "statement":
				sequence++
				l := o.Lines[rapid.IntRange(0, 2).Draw(rt, "line")]
				r := row{reference: fmt.Sprintf("R%d", sequence), identifier: string(l.Identifier), code: string(l.BudgetCode), amount: l.Amount}
				r.amount -= money.Tiyn(rapid.SampledFrom([]int{0, 0, 1}).Draw(rt, "short"))
				w.importFile(treasuryFile(fmt.Sprintf("S%d", sequence), day, r))
			case "reconcile":
				if _, err := w.service.Reconcile(w.ctx(), day); err != nil {
					rt.Fatal(err)
				}
			}
		}
		w.checkConservation(rt)
	})
	w.verified()
}

func (w *world) tellPlainly(rt *rapid.T, f gateway.Fact) {
	raw, err := json.Marshal(f)
	if err != nil {
		rt.Fatal(err)
	}
	if _, err := w.service.AcceptCallback(w.ctx(), raw); err != nil {
		rt.Fatal(err)
	}
}

// checkConservation compares the ledger with the orders and the matches.
func (w *world) checkConservation(rt *rapid.T) {
	balances, err := ledger.BalancesAt(w.ctx(), w.pool, ledger.Moment{})
	if err != nil {
		rt.Fatal(err)
	}
	of := map[ledger.Account]money.Tiyn{}
	var trial, budget money.Tiyn
	for _, b := range balances {
		trial += b.Balance
		of[b.Account] = b.Balance
		if strings.HasPrefix(string(b.Account), "budget:") {
			budget += b.Balance
		}
	}
	var paid, told, matched money.Tiyn
	if err := w.pool.QueryRow(w.ctx(), `
		SELECT (SELECT coalesce(sum(received - credited), 0)::bigint FROM payment_order),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM gateway_fact),
		       (SELECT coalesce(sum(amount), 0)::bigint FROM payment_match)`).Scan(&paid, &told, &matched); err != nil {
		rt.Fatal(err)
	}
	clearing, treasury := of[ledger.Clearing("plain")], of[ledger.Treasury(order.TreasuryIIK)]
	if trial != 0 || budget != -paid || treasury != matched || clearing != told-matched || of[ledger.Payer("190640017419")] != 0 {
		rt.Fatalf("trial %s, budget %s of %s, treasury %s of %s, clearing %s", trial, budget, paid, treasury, matched, clearing)
	}
	// An order's paid lines add up to what it received.
	var wrong int
	if err := w.pool.QueryRow(w.ctx(), `
		SELECT count(*) FROM payment_order p
		 WHERE p.received <> p.credited + (SELECT coalesce(sum(x), 0) FROM unnest(p.paid) x)`).
		Scan(&wrong); err != nil || wrong != 0 {
		rt.Fatalf("%d orders with wrong amounts, %v", wrong, err)
	}
}
