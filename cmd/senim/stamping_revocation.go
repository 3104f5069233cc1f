package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
)

// How often the authority's own certificates are asked about.
const (
	ownStatusEvery        = time.Minute
	ownStatusEverySandbox = 5 * time.Second // its responder is on this machine
	// ownStatusPatience bounds the first round: a responder that is away delays a start
	// by no more.
	ownStatusPatience = 5 * time.Second
)

// watchOwnStatus has no key sign whose certificate is revoked, or on hold, until the
// context ends. An authority is told so by whoever revokes; that it stops must not
// depend on it. The first round was when the authority was made.
func (s *service) watchOwnStatus(ctx context.Context) {
	interval := ownStatusEvery
	if s.config.Profile == config.Sandbox {
		interval = ownStatusEverySandbox
	}
	// A CRL comes after a responder that does not answer, and takes its time.
	every(ctx, interval, func() { s.askOwnStatuses(ctx, interval) })
}

// askOwnStatuses asks about all certificates at once: a responder that is away takes
// no time from the others.
func (s *service) askOwnStatuses(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	for _, subject := range s.stamping.subjects {
		asking.Go(func() { s.askOwnStatus(ctx, subject) })
	}
	asking.Wait()
}

// askOwnStatus asks about one certificate. A responder that does not answer, or does
// not know, changes nothing: it must not be able to stop the authority.
func (s *service) askOwnStatus(ctx context.Context, subject revocation.Subject) {
	checker := revocation.Checker{Store: s.status}
	now := s.now()
	found := checker.Check(ctx, subject, revocation.Rules{At: now, Now: now, Skew: peerSkew}).Evidence
	if found == nil || found.Status == revocation.Unknown {
		return
	}
	c := subject.Certificate
	if s.stamping.SetRevoked(c, found.Status == revocation.Revoked) {
		s.log.LogAttrs(ctx, slog.LevelError, "time-stamps: the status of a certificate changed",
			slog.String("serial", c.Serial.Text(16)), slog.String("status", string(found.Status)))
	}
}

// subjectsOf are those of the certificates whose issuer is known.
func (s *service) subjectsOf(certificates []*cert.Certificate) []revocation.Subject {
	var subjects []revocation.Subject
	for _, c := range certificates {
		if issuer := s.issuerAmongAnchors(c); issuer != nil {
			subjects = append(subjects, revocation.Subject{Certificate: c, Issuer: issuer})
		}
	}
	return subjects
}

func (s *service) issuerAmongAnchors(c *cert.Certificate) *cert.Certificate {
	if sent := s.issuerOf(c); len(sent) > 0 {
		return sent[0]
	}
	for _, a := range s.anchors.Anchors() {
		if a.Certificate != nil && c.VerifySignedBy(a.Certificate) == nil {
			return a.Certificate
		}
	}
	return nil
}
