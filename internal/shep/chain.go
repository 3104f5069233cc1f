package shep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
)

// Chain is Trust by certification path and revocation. Messages carry only the
// signer's own certificate, so the issuing CA comes from the store or from
// Intermediates.
type Chain struct {
	Anchors       *trust.Store
	Intermediates []*cert.Certificate
	// Revocation says whether anything on the path is revoked at the time. It is
	// required: what nobody asks about is not "good".
	Revocation func(ctx context.Context, p *path.Path, at time.Time) error
}

// Validate is a Trust.
func (c Chain) Validate(ctx context.Context, leaf *cert.Certificate, others []*cert.Certificate, at time.Time) error {
	if c.Anchors == nil || c.Revocation == nil {
		return fault.New(fault.ConfigUnsafe, "peer", "no anchors or no revocation check is configured")
	}
	found, err := path.Build(path.Request{
		Leaf: leaf, Intermediates: slices.Concat(c.Intermediates, others), Anchors: c.Anchors, At: at,
		Usage: cert.KeyUsageDigitalSignature,
	})
	if err != nil {
		return fmt.Errorf("validate the peer's path: %w", err)
	}
	return c.Revocation(ctx, found, at)
}
