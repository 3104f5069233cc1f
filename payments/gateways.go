package payments

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
	"github.com/senim-kz/senim/payments/order"
)

// portsOf are the gateways of a configuration by their names.
func portsOf(c Config) (map[string]gateway.Port, error) {
	ports := map[string]gateway.Port{c.Gateway.Name(): c.Gateway}
	for _, p := range c.Gateways {
		if p == nil || ports[p.Name()] != nil {
			return nil, fault.New(fault.ConfigBad, "gateways", "a gateway is missing or there twice")
		}
		ports[p.Name()] = p
	}
	if ports[order.AdvanceGateway] != nil {
		return nil, fault.New(fault.ConfigBad, "gateways", "the name %s stands for the payer's advance", order.AdvanceGateway)
	}
	return ports, nil
}

// portOf is a gateway by its name; an empty name is the one that orders are
// presented at unless another is asked for.
func (s *Service) portOf(name string) (gateway.Port, error) {
	if name == "" {
		return s.config.Gateway, nil
	}
	port := s.ports[name]
	if port == nil {
		return nil, fault.New(fault.GatewayUnknown, "/gateway", "no gateway %.40q", name)
	}
	return port, nil
}

// PresentAt presents an order at the gateway that the payer chose. An order is
// payable at one gateway at a time: the bill at the former one is withdrawn
// first, and if money was paid or is held there, the order stays. At the
// gateway that it stands at, it is PresentAgain.
func (s *Service) PresentAt(ctx context.Context, id uuid.UUID, name string) (paymentURL string, err error) {
	port, err := s.portOf(name)
	if err != nil {
		return "", err
	}
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return "", err
	}
	former, err := s.portOf(o.Gateway)
	if err != nil {
		return "", err
	}
	if former.Name() == port.Name() {
		return s.PresentAgain(ctx, id)
	}
	if o.State == order.Presented || o.State == order.Pending {
		if err := s.withdraw(ctx, o); err != nil {
			return "", fmt.Errorf("leave the gateway %s: %w", former.Name(), err)
		}
	}
	if s.late(o) {
		if o, err = s.renew(ctx, id); err != nil {
			return "", err
		}
	}
	o.Gateway = port.Name()
	return s.register(ctx, o)
}

// Capture takes money that is held for an order: amount, or as much as is held
// and owed if amount is zero. What is more is let go. Asked again, it is
// captured once. Errors: order_state_forbids, not_available, the codes of the
// gateway.
func (s *Service) Capture(ctx context.Context, id uuid.UUID, amount money.Tiyn) error {
	o, err := order.Get(ctx, s.config.Pool, id)
	if err != nil {
		return err
	}
	port, err := s.portOf(o.Gateway)
	if err != nil {
		return err
	}
	capturer, ok := port.(gateway.Capturer)
	if !ok {
		return fault.New(fault.NotAvailable, "", "%s does not hold money", port.Name())
	}
	status, err := port.Status(ctx, id)
	if err != nil {
		return s.keepFailed(ctx, o, "status.failed", err)
	}
	hold, ok := holdIn(status.Facts)
	if !ok {
		// Perhaps it was captured, and the answer was lost.
		if err := s.learn(ctx, port, o, status); err != nil {
			return err
		}
		return fault.New(fault.OrderState, "", "no money is held for order %s", id)
	}
	if amount == 0 {
		amount = min(hold.Amount, o.Owed())
	}
	if amount <= 0 || amount > hold.Amount {
		return fault.New(fault.AmountInvalid, "/amount_tiyn", "%s is held, %s is owed", hold.Amount, o.Owed())
	}
	answer, err := capturer.Capture(ctx, gateway.CaptureOrder{Order: id, Authorisation: hold.Reference, Amount: amount})
	if err != nil {
		return fmt.Errorf("capture the held money: %w", s.keepFailed(ctx, o, "capture.failed", err))
	}
	return s.learn(ctx, port, o, answer)
}

// holdIn is the last hold that was neither captured nor let go.
func holdIn(facts []gateway.Fact) (hold gateway.Fact, ok bool) {
	ended := map[string]bool{}
	for _, f := range facts {
		if f.Kind == gateway.Captured || f.Kind == gateway.Failed {
			ended[f.Original] = true
		}
	}
	for _, f := range facts {
		if f.Kind == gateway.Authorised && !ended[f.Reference] {
			hold, ok = f, true
		}
	}
	return hold, ok
}

// learn keeps the messages of an answer to a question about an order, takes
// the facts in it and ends the debits that they tell of.
func (s *Service) learn(ctx context.Context, port gateway.Port, o *order.Order, a *gateway.Answer) error {
	if messages := a.Messages(); len(messages) > 0 {
		err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
			return keep(ctx, tx, o.Transaction, "gateway.asked", s.config.Now(), "gateway.exchange", messages...)
		})
		if err != nil {
			return err
		}
	}
	if err := s.take(ctx, port, a); err != nil {
		return err
	}
	return s.settleDebits(ctx, a.Facts...)
}
