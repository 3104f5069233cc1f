package dossier

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/order"
)

// Show returns the whole record. The treasury and the support desk see who
// signed, but not the person's IIN. Errors: transaction_not_found, also for
// another trader's transaction.
func (s *Service) Show(ctx context.Context, caller access.Caller, transaction uuid.UUID) (*Transaction, error) {
	t, err := s.find(ctx, caller, transaction)
	if err != nil {
		return nil, err
	}
	for _, read := range []func(context.Context, *Transaction) error{s.readDocuments, s.readOrders, s.readEvents} {
		if err := read(ctx, t); err != nil {
			return nil, fmt.Errorf("show transaction: %w", err)
		}
	}
	t.derive()
	if !seesPersons(caller.Role) {
		for i := range t.Documents {
			t.Documents[i].Signer.IIN = ""
		}
	}
	return t, nil
}

// seesPersons says which roles are shown a signer's IIN: those that deal with
// the person, or must be able to prove who it was.
func seesPersons(role access.Role) bool {
	switch role {
	case access.SingleWindow, access.Trader, access.Ministry, access.Auditor:
		return true
	}
	return false
}

// find reads the transaction's own row. A trader finds its own only.
func (s *Service) find(ctx context.Context, caller access.Caller, id uuid.UUID) (*Transaction, error) {
	missing := fault.New(fault.TransactionNotFound, "/id", "no transaction %s for this caller", id)
	if id.Version() != 7 {
		return nil, missing
	}
	t := &Transaction{ID: id, OpenedAt: recordedAt(id), State: StateOpen, Documents: []Document{}, Orders: []Order{}, Events: []Event{}}
	var bin string
	err := s.pool.QueryRow(ctx, `select reference, declarant_bin, opened_by from dossier where id = $1 and recorded_at = $2`,
		id, recordedAt(id)).Scan(&t.Reference, &bin, &t.OpenedBy)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, missing
	case err != nil:
		return nil, fmt.Errorf("find transaction: %w", postgres.Classify(err))
	}
	t.DeclarantBIN = kz.BIN(bin)
	if !reads(caller, t.DeclarantBIN) {
		return nil, missing
	}
	return t, nil
}

func (s *Service) readDocuments(ctx context.Context, t *Transaction) error {
	rows, err := s.pool.Query(ctx, `select body from dossier_document where transaction_id = $1 order by id`, t.ID)
	if err != nil {
		return fmt.Errorf("read documents: %w", postgres.Classify(err))
	}
	documents, err := pgx.CollectRows(rows, pgx.RowTo[Document])
	if err != nil {
		return fmt.Errorf("read documents: %w", postgres.Classify(err))
	}
	t.Documents = append(t.Documents, documents...)
	return nil
}

func (s *Service) readOrders(ctx context.Context, t *Transaction) error {
	orders, err := s.payments.OrdersOf(ctx, s.pool, t.ID)
	if err != nil {
		return err
	}
	for _, o := range orders {
		t.Orders = append(t.Orders, orderOf(&o))
	}
	return nil
}

func orderOf(o *order.Order) Order {
	shown := Order{
		ID: o.ID, Transaction: o.Transaction, State: string(o.State), CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		DeclarantBIN: o.Declarant, PayerBIN: o.Payer, Total: o.Total, Owed: o.Owed(), Paid: o.Paid(),
		Tolerated: o.Tolerated, Credited: o.Credited, Refunding: o.Refunding, Refunded: o.Returned(),
		Gateway: o.Gateway, PaymentURL: o.PaymentURL, Lines: []OrderLine{},
	}
	for _, l := range o.Lines {
		r := l.Requisites
		shown.Lines = append(shown.Lines, OrderLine{
			Identifier: string(l.Identifier), Kind: string(l.Kind), Name: l.Kind.Name(), BudgetCode: string(l.BudgetCode),
			PurposeCode: string(l.PurposeCode), Amount: l.Amount, Paid: l.Paid, Reconciled: min(l.Matched, l.Paid), Refunded: l.Refunded, State: string(l.State),
			Beneficiary: Requisites{RevenueOffice: string(r.RevenueOffice), BIN: r.BIN, Name: r.Name, BIC: r.BIC, IIK: r.IIK, KBe: r.KBe},
		})
	}
	return shown
}

func (s *Service) readEvents(ctx context.Context, t *Transaction) error {
	events, err := outbox.EventsOf(ctx, s.pool, t.ID)
	if err != nil {
		return err
	}
	for _, e := range events {
		t.Events = append(t.Events, Event{Type: e.Type, At: e.At, Data: e.Data})
	}
	return nil
}

// stateOf is what an order's state makes of its transaction; of an order that
// is not here, nothing: it is cancelled or expired.
var stateOf = map[order.State]State{
	order.Draft: StateOrdered, order.Presented: StateOrdered, order.Pending: StateOrdered, order.Authorised: StateOrdered, order.Captured: StateOrdered,
	order.PartiallyPaid: StatePartiallyPaid, order.Paid: StatePaid, order.Overpaid: StateOverpaid,
	order.Refunding: StateRefunding, order.Refunded: StateRefunded,
}

// derive computes the totals and the state from what the record holds. The
// state is that of the latest order that can be or is paid; one that can no
// longer be paid is owed no more.
func (t *Transaction) derive() {
	if len(t.Documents) > 0 {
		t.State = StateSigned
	}
	for _, o := range t.Orders {
		state, counts := stateOf[order.State(o.State)]
		if !counts {
			continue
		}
		t.State = state
		agreed := true
		for _, l := range o.Lines {
			t.Totals.Owed += l.Amount
			t.Totals.Paid += l.Paid
			t.Totals.Reconciled += l.Reconciled
			agreed = agreed && l.State == string(order.LineReconciled)
		}
		t.Totals.Tolerated += o.Tolerated
		t.Totals.Credited += o.Credited
		t.Totals.Refunded += o.Refunded
		if agreed && (state == StatePaid || state == StateOverpaid) {
			t.State = StateReconciled
		}
	}
}
