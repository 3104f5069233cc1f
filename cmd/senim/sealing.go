package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/api"
	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/signer/cades"
)

// sealing lends the signer to the API: with the keys that the configuration
// names, and the service's anchors, time-stamping authority and ways out.
type sealing struct {
	names    []string // in the order of the configuration
	keys     map[string]cades.Identity
	extender *cades.Extender
	pool     *pgxpool.Pool
	now      func() time.Time
}

var _ api.Sealer = (*sealing)(nil)

// openSeals finds the keys for signing on request, each with its certificate
// beside it in the token. Without any, nothing is signed; extending needs none.
func (s *service) openSeals(ctx context.Context) (*sealing, error) {
	made := &sealing{keys: make(map[string]cades.Identity), pool: s.pool, now: s.now}
	for _, seal := range s.config.Signature.Seals {
		key, err := s.tokens.key(ctx, seal.Label)
		if err != nil {
			return nil, err
		}
		c, err := s.tokens.certificate(ctx, seal.Label)
		if err != nil {
			return nil, err
		}
		made.names = append(made.names, seal.Name)
		made.keys[seal.Name] = cades.Identity{Key: key, Certificate: c, Chain: s.anchors.Intermediates()}
	}
	stamper, err := s.stamper()
	if err != nil {
		return nil, err
	}
	// Answers are not remembered: one from before the time-stamp proves less.
	fresh := revocation.NewStore(revocation.StoreConfig{Fetcher: s.outside, Now: s.now, AnswerAge: -1})
	made.extender = &cades.Extender{Stamper: stamper, Anchors: s.anchors, Revocation: revocation.Checker{Store: fresh}, Now: s.now}
	return made, nil
}

// Sign signs a document, or adds a signature to one that is signed. Whoever asked
// is on record, whatever came of it.
func (s *sealing) Sign(ctx context.Context, caller access.Caller, r api.SignRequest) (*cades.Message, error) {
	name := r.Key
	if name == "" && len(s.names) > 0 {
		name = s.names[0]
	}
	who, known := s.keys[name]
	if !known {
		return nil, fault.New(fault.SigningKeyUnknown, "/query/key", "the configuration names no such key")
	}
	m, err := s.sign(ctx, who, r)
	outcome := "allowed"
	if err != nil {
		outcome = string(fault.CodeOf(err))
	}
	recorded := pgx.BeginFunc(context.WithoutCancel(ctx), s.pool, func(tx pgx.Tx) error {
		return outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: caller.ID, Action: "signature.sign", Object: name, Purpose: "requested over the API", Outcome: outcome, At: s.now(),
		})
	})
	if err == nil && recorded != nil {
		m = nil // a signature that nobody can be asked about is not given out
	}
	return m, errors.Join(err, recorded)
}

func (s *sealing) sign(ctx context.Context, who cades.Identity, r api.SignRequest) (*cades.Message, error) {
	if now := s.now(); now.After(who.Certificate.NotAfter) {
		return nil, fault.New(fault.CertificateExpired, "", "the service's certificate expired %s", who.Certificate.NotAfter.Format(time.RFC3339))
	}
	options := cades.Options{Detached: r.Detached, SigningTime: s.now()}
	content := r.Content
	var m *cades.Message
	var err error
	if cades.Recognise(r.Document) {
		if m, err = cades.Open(r.Document); err == nil {
			err = m.AddSigner(ctx, content, who, options)
		}
	} else {
		content = r.Document
		m, err = cades.Sign(ctx, r.Document, who, options)
	}
	if err != nil || r.Level == cades.B {
		return m, err
	}
	if !m.Detached() {
		content = nil
	}
	_, err = s.extender.Extend(ctx, m, content, r.Level, m.Signers()-1)
	return m, err
}

// Extend raises every signature of a document.
func (s *sealing) Extend(ctx context.Context, _ access.Caller, r api.SignRequest) (*cades.Message, error) {
	m, err := cades.Open(r.Document)
	if err != nil {
		return nil, err
	}
	_, err = s.extender.Extend(ctx, m, r.Content, r.Level)
	return m, err
}
