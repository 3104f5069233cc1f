package main

import (
	"context"
	"io"
	"time"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/fault"
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
	in := verifier.Input{Name: r.Name, Anchors: d.anchors, Revocation: d.status, Now: d.now}
	var err error
	if in.Data, err = readAtMost(r.Document, documentBytesMax); err != nil {
		return nil, err
	}
	if r.Content != nil {
		if in.Content, err = readAtMost(r.Content, documentBytesMax); err != nil {
			return nil, err
		}
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

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fault.Wrap(err, fault.Unreadable, "", "read the document")
	case int64(len(raw)) > most:
		return nil, fault.New(fault.InputTooBig, "", "more than %d bytes", most)
	}
	return raw, nil
}
