package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/registry/authority"
	"github.com/senim-kz/senim/registry/gbdul"
)

// Service identifies signers. It is safe for concurrent use.
type Service struct{ register *gbdul.Register }

// New makes a Service over the register of legal entities.
func New(register *gbdul.Register) *Service { return &Service{register: register} }

// Identity is who signed, for whom, and whether the person may.
type Identity struct {
	IIN          kz.IIN              `json:"iin,omitempty"`
	BIN          kz.BIN              `json:"bin,omitempty"`
	Roles        []string            `json:"roles"`
	Organisation *gbdul.Organisation `json:"organisation,omitempty"`
	Decision     authority.Decision  `json:"decision"`
	// Evidence is empty when no register had to be asked.
	Evidence []Evidence `json:"-"`
	// Audit is nil when no register was asked.
	Audit *AuditNote `json:"-"`
}

// Evidence is a message as it went or came; the answer holds the gateway's
// signature and, inside, the register's.
type Evidence struct {
	Kind string
	Raw  []byte
	At   time.Time
}

// Kinds of evidence.
const (
	KindRequest = "gbdul.request"
	KindAnswer  = "gbdul.answer"
)

// AuditNote is what the caller writes to the audit about a look-up.
type AuditNote struct {
	Register  string // which register was asked
	Subject   kz.BIN // about whom
	Purpose   string // why
	MessageID string // the look-up's own id, as sent
	Outcome   string // "found", "not_found" or the code of the failure
	At        time.Time
}

// Identify asks who the holder of a validated certificate is and whether the
// person may act at that time, the time of signing. The purpose is recorded
// with the look-up.
//
// A person who may not act is a Decision, not an error. On an error there is no
// decision (it stays zero, a refusal), but the Identity still carries evidence
// and the audit note of what was asked, if anything was.
func (s *Service) Identify(ctx context.Context, signer *cert.Certificate, at time.Time, purpose string) (*Identity, error) {
	if strings.TrimSpace(purpose) == "" {
		return nil, fault.New(fault.RegisterPurpose, "purpose", "it is empty")
	}
	claims := claimsOf(signer)
	identity := &Identity{IIN: claims.IIN, BIN: claims.BIN, Roles: claims.Roles}
	if d := authority.Claims(claims, at); d.Reason != "" {
		identity.Decision = d
		return identity, nil
	}
	answer, err := s.register.Organisation(ctx, claims.BIN)
	if answer != nil {
		identity.keep(answer, purpose, err)
	}
	if err != nil {
		return identity, fmt.Errorf("look the organisation up: %w", err)
	}
	identity.Organisation = answer.Organisation
	identity.Decision = authority.Decide(claims, answer.Organisation, at)
	return identity, nil
}

func claimsOf(c *cert.Certificate) authority.Signer {
	holder := c.Holder()
	claims := authority.Signer{IIN: holder.IIN, BIN: holder.BIN}
	for _, role := range holder.Roles {
		claims.Roles = append(claims.Roles, role.Name)
	}
	return claims
}

// keep puts what was exchanged, and the note about it, into the identity.
func (i *Identity) keep(answer *gbdul.Answer, purpose string, err error) {
	x := answer.Exchange
	i.Evidence = append(i.Evidence, Evidence{KindRequest, x.Request, x.SentAt})
	if x.Answer != nil {
		i.Evidence = append(i.Evidence, Evidence{KindAnswer, x.Answer, x.Answered})
	}
	i.Audit = &AuditNote{
		Register: gbdul.ServiceID, Subject: i.BIN, Purpose: purpose, MessageID: x.MessageID, At: x.SentAt,
		Outcome: outcome(answer, err),
	}
}

func outcome(answer *gbdul.Answer, err error) string {
	switch {
	case err != nil:
		return string(reason(err))
	case answer.Organisation == nil:
		return "not_found"
	}
	return "found"
}

// reason is the innermost code: the audit wants to know what was wrong with an
// answer, not only that it was of no use.
func reason(err error) fault.Code {
	code := fault.CodeOf(err)
	for e := fault.Of(err); e != nil; e = fault.Of(e.Cause) {
		code = e.Code
	}
	return code
}
