package dossier

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/payments/order"
)

// CreateOrder draws up the payment order of the transaction's declaration and
// presents it at the payment gateway; the answer says where to pay. A
// transaction has one order, or another after it was cancelled or refunded:
// asked again with another key, the same order is presented and returned.
//
// The declarant pays, or, where the single window names one, its broker: the
// debt is the declarant's all the same.
//
// The order is stored before the gateway is asked. If the gateway is down the
// order waits as a draft, and the same request presents it later.
//
// Errors: idempotency codes, transaction_not_found, bin_invalid,
// payer_not_allowed, document_missing, the codes of payments.
func (s *Service) CreateOrder(ctx context.Context, caller access.Caller, key idempotency.Key, transaction uuid.UUID, payer string) (*Order, error) {
	t, err := s.find(ctx, caller, transaction)
	if err != nil {
		return nil, err
	}
	by, err := s.payer(caller, t, payer)
	if err != nil {
		return nil, err
	}
	if key, err = over(key, struct{ Payer kz.BIN }{by}); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "create order of "+transaction.String(), func(ctx context.Context, c *idempotency.Claim) (*Order, error) {
		declaration, err := s.declaration(ctx, t)
		if err != nil {
			return nil, err
		}
		id, err := s.draft(ctx, t, by, declaration)
		if err != nil {
			return nil, err
		}
		if _, err := s.payments.Present(ctx, id); err != nil {
			return nil, err
		}
		return s.orderCreated(ctx, caller, c, t)
	})
}

// payer is who pays a transaction's order: its declarant unless the single
// window names another.
func (s *Service) payer(caller access.Caller, t *Transaction, named string) (kz.BIN, error) {
	if named == "" {
		return t.DeclarantBIN, nil
	}
	bin, err := kz.ParseBIN(named, s.control)
	if err != nil {
		return "", err
	}
	if bin != t.DeclarantBIN && caller.Role != access.SingleWindow {
		return "", fault.New(fault.PayerNotAllowed, "/payer_bin", "only the single window names a broker")
	}
	return bin, nil
}

// over binds a key to what was asked as it was understood: the same request
// written otherwise, by another release of a client's library, is the same.
func over(key idempotency.Key, asked any) (idempotency.Key, error) {
	fields, err := json.Marshal(asked)
	if err != nil {
		return key, fault.Wrap(err, fault.BadArgument, "", "write what was asked")
	}
	key.BodySHA256 = sha256.Sum256(fields)
	return key, nil
}

// declaration reads the first accepted declaration of the transaction, from the
// content kept as evidence.
func (s *Service) declaration(ctx context.Context, t *Transaction) (*charge.Declaration, error) {
	var digest evidence.Digest
	var raw []byte
	err := s.pool.QueryRow(ctx, `select declaration from dossier_document where transaction_id = $1 order by id limit 1`, t.ID).Scan(&raw)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fault.New(fault.DocumentMissing, "/documents", "no declaration was accepted yet")
	case err != nil:
		return nil, fmt.Errorf("find declaration: %w", postgres.Classify(err))
	}
	copy(digest[:], raw)
	object, err := evidence.Get(ctx, s.pool, digest)
	if err != nil {
		return nil, fmt.Errorf("read declaration: %w", err)
	}
	declaration, err := s.payments.ReadDeclaration(object.Raw, s.control)
	if err != nil {
		return nil, fmt.Errorf("read declaration: %w", err)
	}
	return declaration, nil
}

// charges are what the declaration owes.
func (s *Service) charges(ctx context.Context, t *Transaction) ([]charge.Charge, error) {
	declaration, err := s.declaration(ctx, t)
	if err != nil {
		return nil, err
	}
	return declaration.Charges, nil
}

// draft stores the order, or finds the one there is.
func (s *Service) draft(ctx context.Context, t *Transaction, payer kz.BIN, declaration *charge.Declaration) (uuid.UUID, error) {
	var drawn *order.Order
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		drawn, err = s.payments.CreateOrder(ctx, tx, payments.OrderRequest{
			Transaction: t.ID, Declarant: t.DeclarantBIN, Payer: payer, References: []string{t.Reference, declaration.Reference}, Charges: declaration.Charges,
		})
		return err
	})
	if err == nil {
		return drawn.ID, nil
	}
	if !fault.Is(err, fault.OrderExists) {
		return uuid.Nil, err
	}
	orders, err := s.payments.OrdersOf(ctx, s.pool, t.ID)
	if err != nil {
		return uuid.Nil, err
	}
	last := orders[len(orders)-1]
	if last.Payer != payer {
		return uuid.Nil, fault.New(fault.OrderExists, "/payer_bin", "the transaction has an order for another payer")
	}
	return last.ID, nil
}

func (s *Service) orderCreated(ctx context.Context, caller access.Caller, c *idempotency.Claim, t *Transaction) (*Order, error) {
	var shown *Order
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		orders, err := s.payments.OrdersOf(ctx, tx, t.ID)
		if err != nil {
			return err
		}
		o := orderOf(&orders[len(orders)-1])
		shown = &o
		return s.audit(ctx, tx, caller, c, t.ID.String(), "create order", shown)
	})
	if err != nil {
		return nil, fmt.Errorf("record order: %w", err)
	}
	return shown, nil
}
