package main

import (
	"context"
	"time"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/verifier"
)

// documents lends the verifier to the API, with the service's anchors and its
// store of revocation information.
type documents struct {
	anchors *trust.Store
	status  *revocation.Store
	now     func() time.Time
}

var _ api.Verifier = documents{}

// Verify validates one document.
func (d documents) Verify(ctx context.Context, r api.VerifyRequest) (*verifier.Report, error) {
	in := verifier.Input{
		Name: r.Name, Document: r.Document, ContentFrom: r.Content, Spool: cms.DefaultSpool,
		Anchors: d.anchors, Revocation: d.status, Now: d.now,
	}
	found, err := verifier.Collect(ctx, in)
	if err != nil {
		return nil, err
	}
	at := r.At
	if at.IsZero() {
		at = d.now()
	}
	return verifier.Judge(found, r.Policy, d.anchors, at), nil
}
