package payments

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/gateway"
)

// callbackBytesMax bounds a message of the gateway; one takes some 10 KiB.
const callbackBytesMax = 256 << 10

// Kinds of the evidence of a callback.
const (
	evidenceFact  = "gateway.fact"
	evidenceAsked = "gateway.asked" // what the adapter asked before it believed the message, and the answer
)

// AcceptCallback is AcceptCallbackOf the gateway that orders are presented at
// unless their payers choose another.
func (s *Service) AcceptCallback(ctx context.Context, raw []byte) (reply []byte, err error) {
	return s.AcceptCallbackOf(ctx, s.config.Gateway.Name(), raw)
}

// AcceptCallbackOf takes a message of a gateway and returns the answer to it.
// A fact that was told before gets the same receipt and changes nothing;
// another fact under the same reference is refused with
// fault.CallbackConflict. Once it returns a reply, the fact is kept and posted.
func (s *Service) AcceptCallbackOf(ctx context.Context, name string, raw []byte) (reply []byte, err error) {
	port, err := s.portOf(name)
	if err != nil {
		return nil, err
	}
	if len(raw) > callbackBytesMax {
		return nil, fault.New(fault.InputTooBig, "", "a message of more than %d bytes", callbackBytesMax)
	}
	callback, err := port.Open(ctx, raw)
	if err != nil {
		return nil, s.auditRefusal(ctx, port, raw, fmt.Errorf("accept a message of the gateway: %w", err))
	}
	told := Told{
		Gateway: port.Name(), Fact: callback.Fact, By: "gateway:" + port.Name(),
		Messages: []evidence.Object{{Kind: evidenceFact, Raw: raw}},
	}
	for _, m := range callback.Asked.Messages() {
		told.Messages = append(told.Messages, evidence.Object{Kind: evidenceAsked, Raw: m})
	}
	outcome, err := s.Take(ctx, told)
	if err != nil {
		return nil, err
	}
	if err := s.settleDebits(ctx, callback.Fact); err != nil {
		return nil, err
	}
	return port.Reply(callback, gateway.Receipt{Reference: callback.Fact.Reference, ReceivedAt: outcome.ReceivedAt})
}

// audited are the refusals that an auditor wants to see: somebody else may
// have spoken in the gateway's name.
var audited = map[fault.Code]bool{fault.CallbackUnauthentic: true, fault.CallbackMalformed: true}

// auditRefusal records a refused message by its digest and returns the
// refusal.
func (s *Service) auditRefusal(ctx context.Context, port gateway.Port, raw []byte, refusal error) error {
	code := fault.CodeOf(refusal)
	if !audited[code] {
		return refusal
	}
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: "gateway:" + port.Name(), Action: "payment.callback",
			Object: "sha256:" + evidence.DigestOf(raw).String(), Outcome: string(code), At: s.config.Now(),
		})
	})
	return errors.Join(refusal, err)
}
