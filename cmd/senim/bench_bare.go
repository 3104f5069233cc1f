package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/pki/algo"
)

// bareSubmit does what a submission consists of when nothing is remembered from
// an earlier one, and nothing else: its signatures, made and checked over
// digests that are there, and one durable commit of the bytes that it leaves in
// the database.
type bareSubmit struct {
	scheme *algo.Signature // RSA PKCS #1 v1.5 with SHA-256, which everybody here signs with
	digest [sha256.Size]byte

	software      *rsa.PrivateKey // stands for the keys of the OCSP responder, TSA, ШЭП and ГБД ЮЛ
	softwareValue []byte          // its signature over digest
	hsmRSA, hsmEC crypto.Signer   // the service's own
	authority     *rsa.PublicKey  // of the issuing CA
	issuedDigest  [sha256.Size]byte
	issuedValue   []byte // the CA's signature in the trader's certificate

	pool *pgxpool.Pool
	rows [][]byte
}

// barePart is a signature of a submission, made or checked once.
type barePart struct {
	name string
	act  func(*bareSubmit) error
}

// bareParts are the signatures of one submission. Each is made once by who makes
// it and checked once by each who gets it, however often the flow does it. Not
// among them: the trader's own signature, made before, and the CRL's, made once
// a day.
var bareParts = []barePart{
	{"the trader's signature over the document", check2048},
	{"the trader's certificate", check4096},
	{"the issuing CA's certificate", check4096},
	{"the root's CRL, about the issuing CA", check4096},
	{"the OCSP responder's certificate", check4096},
	{"the OCSP answer about the trader, made", sign2048},
	{"the OCSP answer about the trader", check2048},

	{"the timestamp, made", sign2048},
	{"the timestamp", check2048},
	{"the TSA's certificate", check4096},
	{"the OCSP answer about the TSA, made", sign2048},
	{"the OCSP answer about the TSA", check2048},

	{"the request's payload, made in the HSM", hsmSign2048},
	{"the request's envelope, made in the HSM", hsmSign2048},
	{"the request's envelope, at ШЭП", check2048},
	{"the request's payload, at ШЭП", check2048},
	{"our certificate, at ШЭП", check4096},
	{"the issuing CA's certificate, at ШЭП", check4096},
	{"the answer's payload, made by ГБД ЮЛ", sign2048},
	{"the answer's envelope, made by ШЭП", sign2048},
	{"the answer's envelope", check2048},
	{"ШЭП's certificate", check4096},
	{"the OCSP answer about ШЭП, made", sign2048},
	{"the OCSP answer about ШЭП", check2048},
	{"the answer's payload", check2048},
	{"ГБД ЮЛ's certificate", check4096},
	{"the OCSP answer about ГБД ЮЛ, made", sign2048},
	{"the OCSP answer about ГБД ЮЛ", check2048},

	{"the receipt, made in the HSM", hsmSignP256},
}

// check2048 checks with pki/algo, as the flow does: the ratio says what is around
// the checks, not which implementation of them is faster.
func check2048(b *bareSubmit) error {
	return b.scheme.Verify(&b.software.PublicKey, b.digest[:], b.softwareValue)
}

// check4096 checks with a CA's key: NUC RK's, and the sandbox's, have 4096 bits.
func check4096(b *bareSubmit) error {
	return b.scheme.Verify(b.authority, b.issuedDigest[:], b.issuedValue)
}

func sign2048(b *bareSubmit) error {
	_, err := rsa.SignPKCS1v15(rand.Reader, b.software, crypto.SHA256, b.digest[:])
	return err
}

func hsmSign2048(b *bareSubmit) error {
	_, err := b.hsmRSA.Sign(rand.Reader, b.digest[:], crypto.SHA256)
	return err
}

func hsmSignP256(b *bareSubmit) error {
	_, err := b.hsmEC.Sign(rand.Reader, b.digest[:], crypto.SHA256)
	return err
}

// once does all parts in turn, as one submission does.
func (b *bareSubmit) once(ctx context.Context, _ int) error {
	for _, part := range bareParts {
		if err := part.act(b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if _, err := b.pool.Exec(ctx, `insert into bench_commit (raw) select unnest($1::bytea[])`, b.rows); err != nil {
		return fmt.Errorf("commit: %w", postgres.Classify(err))
	}
	return nil
}

// prepareBare takes keys and rows from the service that is measured.
func (s *submitBench) prepareBare(ctx context.Context) error {
	b := &bareSubmit{digest: sha256.Sum256([]byte("a message")), pool: s.service.pool}
	s.bare = b
	if err := b.takeKeys(ctx, s); err != nil {
		return fmt.Errorf("prepare bare signatures: %w", err)
	}
	if err := b.takeRows(ctx, s); err != nil {
		return fmt.Errorf("prepare bare commits: %w", err)
	}
	return nil
}

func (b *bareSubmit) takeKeys(ctx context.Context, s *submitBench) (err error) {
	if b.software, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	if b.scheme, err = algo.SignatureFor(&b.software.PublicKey, algo.SHA256); err != nil {
		return err
	}
	if b.softwareValue, err = rsa.SignPKCS1v15(rand.Reader, b.software, crypto.SHA256, b.digest[:]); err != nil {
		return err
	}
	keys := s.service.config.Token.Keys
	if b.hsmRSA, err = s.service.tokens.all[0].Key(ctx, keys.Gateway); err != nil {
		return err
	}
	if b.hsmEC, err = s.service.tokens.all[0].Key(ctx, keys.Receipt); err != nil {
		return err
	}
	issued := s.callers.people[sandbox.Head].certificate
	for _, issuer := range s.service.anchors.Intermediates() {
		if issued.VerifySignedBy(issuer) == nil {
			b.authority, _ = issuer.PublicKey.(*rsa.PublicKey)
		}
	}
	if b.authority == nil {
		return fault.New(fault.Internal, "", "the trader's certificate has no RSA issuer")
	}
	b.issuedDigest, b.issuedValue = sha256.Sum256(issued.RawTBS), issued.Signature
	return nil
}

// rowsOfSubmission gives what one submission left in every table that it writes,
// as evidence or as the row's text.
const rowsOfSubmission = `
	select raw from evidence_objects where recorded_at = (select recorded_at from evidence_entries where transaction_id = $1)
	union all select convert_to(e::text, 'UTF8') from evidence_entries e where transaction_id = $1
	union all select convert_to(d::text, 'UTF8') from dossier_document d where transaction_id = $1
	union all select convert_to(o::text, 'UTF8') from dossier_document_once o where transaction_id = $1
	union all select convert_to(e::text, 'UTF8') from events e where transaction_id = $1 and type = 'document.accepted'
	union all select convert_to(a::text, 'UTF8') from audit_records a where object = $1::text and action = 'submit document'
	union all select convert_to(a::text, 'UTF8') from audit_records a where purpose like '%' || $1::text
	union all select convert_to(i::text, 'UTF8') from idempotency i where operation = 'submit document to ' || $1::text`

// takeRows submits two documents and keeps what the second left: the first one
// also brought the certificates, which are kept once for all.
func (b *bareSubmit) takeRows(ctx context.Context, s *submitBench) error {
	if _, err := b.pool.Exec(ctx, `create table bench_commit (raw bytea not null)`); err != nil {
		return postgres.Classify(err)
	}
	if _, err := b.pool.Exec(ctx, `alter table bench_commit alter column raw set storage external`); err != nil { // as evidence is
		return postgres.Classify(err)
	}
	var transaction uuid.UUID
	for range 2 {
		filed, err := s.file(ctx, 1)
		if err != nil {
			return err
		}
		if err := s.submitOne(ctx, &filed[0]); err != nil {
			return err
		}
		transaction = filed[0].transaction
	}
	rows, err := b.pool.Query(ctx, rowsOfSubmission, transaction)
	if err != nil {
		return postgres.Classify(err)
	}
	b.rows, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
	return err
}
