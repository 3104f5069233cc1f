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
		return nil, fmt.Errorf("find transaction: %w", err)
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
		return err
	}
	documents, err := pgx.CollectRows(rows, pgx.RowTo[Document])
	if err != nil {
		return fmt.Errorf("read documents: %w", err)
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
		ID: o.ID, State: string(o.State), CreatedAt: o.CreatedAt, PayerBIN: o.Payer, Total: o.Total, PaymentURL: o.PaymentURL, Lines: []OrderLine{},
	}
	for _, l := range o.Lines {
		shown.Lines = append(shown.Lines, OrderLine{
			Identifier: string(l.Identifier), Kind: string(l.Kind), Name: l.Kind.Name(), BudgetCode: string(l.BudgetCode),
			PurposeCode: string(l.PurposeCode), Amount: l.Amount, State: string(l.State),
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

// derive computes the totals and the state from what the record holds. An
// order that can no longer be paid is owed no more.
func (t *Transaction) derive() {
	if len(t.Documents) > 0 {
		t.State = StateSigned
	}
	for _, o := range t.Orders {
		if o.State == string(order.Expired) || o.State == string(order.Cancelled) {
			continue
		}
		t.State = StateOrdered
		for _, l := range o.Lines {
			t.Totals.Owed += l.Amount
			switch l.State {
			case string(order.LinePaid):
				t.Totals.Paid += l.Amount
			case string(order.LineReconciled):
				t.Totals.Paid += l.Amount
				t.Totals.Reconciled += l.Amount
			}
		}
	}
	if t.State == StateOrdered && t.Totals.Paid == t.Totals.Owed {
		t.State = StatePaid
		if t.Totals.Reconciled == t.Totals.Owed {
			t.State = StateReconciled
		}
	}
}
