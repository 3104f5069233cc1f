package shep

import (
	"context"
	"encoding/asn1"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Trust validates a certificate that a message brought along: its path to an
// anchor and the revocation of it, at a time. others came in the same message.
type Trust func(ctx context.Context, leaf *cert.Certificate, others []*cert.Certificate, at time.Time) error

// Peer is the one party whose signature is taken: systems are told apart by
// the role that the CA gave them, never by a name.
type Peer struct {
	Trust Trust                 // required: nobody is trusted without
	Role  asn1.ObjectIdentifier // required: cert.OIDRoleGateway for ШЭП
	BIN   kz.BIN                // "" for any organisation with the role
}

// Configured refuses a peer that could be anybody. Whoever keeps a Peer asks
// once, at start.
func (p Peer) Configured() error {
	if p.Trust == nil || len(p.Role) == 0 {
		return fault.New(fault.ConfigUnsafe, "peer", "no trust or no role is configured")
	}
	return nil
}

// check says whether the verified signature is the peer's.
func (p Peer) check(ctx context.Context, v *xmldsig.Verified, at time.Time) error {
	if err := p.Configured(); err != nil {
		return err
	}
	holder := v.Certificate.Holder()
	switch {
	case v.Certificate.KeyUsage&cert.KeyUsageDigitalSignature == 0:
		return fault.New(fault.ShepPeerUsage, "", "digitalSignature is not among its key usages")
	case !holder.HasRole(p.Role):
		return fault.New(fault.ShepPeerRole, "", "role %s is missing", p.Role)
	case holder.BIN == "" || (p.BIN != "" && holder.BIN != p.BIN):
		return fault.New(fault.ShepPeerBIN, "", "the certificate is not of the expected organisation")
	}
	return p.Trust(ctx, v.Certificate, v.Others, at)
}
