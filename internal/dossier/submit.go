package dossier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/payments/charge"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/registry"
	"github.com/senim-kz/senim/signer/cades"
	"github.com/senim-kz/senim/verifier"
	"github.com/senim-kz/senim/verifier/facts"
)

// kindSingleDocument is the one kind of document there is so far (ДЕВИ).
const kindSingleDocument = "single_document"

// Kinds of evidence kept for a document, beside those of registry.
const (
	evidenceSigned      = "document.signed"
	evidenceStamped     = "document.timestamped"
	evidenceContent     = "document.content"
	evidenceFacts       = "document.facts"
	evidenceCertificate = "certificate"
	evidenceToken       = "timestamp-token"
)

// materialMax bounds the certificates and revocation answers of one document, so
// that all of its evidence fits one entry. A chain with its answers has ten.
const materialMax = evidence.ObjectsMax - 32

// SubmitDocument verifies a signed document, timestamps its signature, finds
// out on what ground its signer may act, and keeps it all with a receipt. A
// document is accepted whole or leaves nothing but the record of the refusal.
//
// Errors: idempotency codes, transaction_not_found, the verifier's reason, the
// registry's reason, declarant_mismatch, document_already_submitted; and, when
// a peer is down, a code of class retry later.
func (s *Service) SubmitDocument(ctx context.Context, caller access.Caller, key idempotency.Key, transaction uuid.UUID, signed []byte) (*Document, error) {
	t, err := s.find(ctx, caller, transaction)
	if err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.keys, caller.ID, key, "submit document to "+transaction.String(), func(ctx context.Context, c *idempotency.Claim) (*Document, error) {
		var x examination
		if err := s.examine(ctx, &x, t, signed); err != nil {
			return nil, errors.Join(err, s.noteRefusal(ctx, caller, t.ID, x.audit, err))
		}
		d, err := s.accept(ctx, caller, c, t, &x)
		if err != nil {
			return nil, fmt.Errorf("accept document: %w", err)
		}
		return d, nil
	})
}

// examination is what checking a document yields; only examine fills it, and
// accept takes nothing else.
type examination struct {
	verifier    verifier.Session
	signed      []byte
	message     *cms.Message
	stamped     []byte // signed with our timestamp inside: CAdES level T
	facts       *facts.Facts
	report      *verifier.Report
	signer      *cert.Certificate
	declaration *charge.Declaration
	token       *tsp.Token
	identity    *registry.Identity
	audit       []outbox.AuditRecord // look-ups made on the way, also when it ends in a refusal
}

// examine runs every check in the order in which their reasons matter: what
// was signed before who signed it.
func (s *Service) examine(ctx context.Context, x *examination, t *Transaction, signed []byte) error {
	x.signed = signed
	for _, step := range []func(context.Context, *examination, *Transaction) error{
		s.verify, s.readDeclaration, s.timestamp, s.identify,
	} {
		if err := step(ctx, x, t); err != nil {
			return err
		}
	}
	return nil
}

// verify accepts exactly one attached signature whose verdict is TOTAL-PASSED.
func (s *Service) verify(ctx context.Context, x *examination, _ *Transaction) error {
	if err := s.judge(ctx, x, x.signed); err != nil {
		return err
	}
	if n := len(x.facts.Certificates) + len(x.facts.Revocations); n > materialMax {
		return fault.New(fault.EvidenceTooBig, "/certificates", "%d certificates and revocation answers; at most %d are kept", n, materialMax)
	}
	var err error
	if x.signer, err = cert.Parse(x.facts.Certificate(x.report.Signatures[0].Signer.Certificate)); err != nil {
		return fmt.Errorf("read signer's certificate: %w", err)
	}
	if x.message, err = cms.Parse(x.signed); err != nil {
		return fmt.Errorf("read signed document: %w", err)
	}
	if x.message.Detached {
		return fault.New(fault.AttachedRequired, "/encapContentInfo", "the document is not inside")
	}
	return nil
}

// judge collects the facts of a signed document and judges them. What earlier
// facts of the same document hold about revocation is not asked again.
func (s *Service) judge(ctx context.Context, x *examination, document []byte) error {
	in := verifier.Input{Name: "document", Data: document, Anchors: s.anchors, Revocation: s.status, Now: s.now}
	if x.facts != nil {
		for _, r := range x.facts.Revocations {
			switch r.Kind {
			case facts.OCSP:
				in.OCSPs = append(in.OCSPs, r.Raw)
			case facts.CRL:
				in.CRLs = append(in.CRLs, r.Raw)
			}
		}
	}
	var err error
	if x.facts, err = x.verifier.Collect(ctx, in); err != nil {
		return fmt.Errorf("read signed document: %w", err)
	}
	if len(x.facts.Signatures) != 1 {
		return fault.New(fault.OneSignatureRequired, "/signatures", "there are %d", len(x.facts.Signatures))
	}
	x.report = x.verifier.Judge(x.facts, s.policy, s.anchors, s.now())
	return RefusalOf(x.report)
}

// RefusalOf turns a verdict other than TOTAL-PASSED into its reason: the
// verifier's own first code, or the general one.
func RefusalOf(r *verifier.Report) error {
	if r.Indication == verifier.TotalPassed {
		return nil
	}
	code := fault.SignatureNotAccepted
	switch {
	case r.SubIndication == verifier.TryLater:
		code = fault.RevocationUndetermined
	case r.Indication == verifier.Indeterminate:
		code = fault.SignatureUndetermined
	}
	detail := fmt.Sprintf("%s/%s", r.Indication, r.SubIndication)
	for i, signature := range r.Signatures {
		for _, message := range signature.Errors {
			if code != fault.RevocationUndetermined {
				code = message.Code
			}
			return fault.New(code, fmt.Sprintf("/signatures/%d", i), "%s: %s %s: %s", detail, message.Code, message.At, message.Detail)
		}
	}
	return fault.New(code, "/signatures/0", "%s", detail)
}

// readDeclaration accepts a single input document of the transaction's
// declarant that states what it owes.
func (s *Service) readDeclaration(_ context.Context, x *examination, t *Transaction) error {
	var err error
	if x.declaration, err = s.payments.ReadDeclaration(x.message.Content, s.control); err != nil {
		return fmt.Errorf("read declaration: %w", err)
	}
	if x.declaration.Declarant.BIN != t.DeclarantBIN {
		return fault.New(fault.DeclarantMismatch, "/Declaration/Declarant/ID", "the transaction is of another declarant")
	}
	return nil
}

// timestamp proves that the signature existed now (RFC 3161), puts the token
// into the message as CAdES level T does, and judges that: the authority's
// path and revocation are checked by the same process as the signer's.
func (s *Service) timestamp(ctx context.Context, x *examination, _ *Transaction) error {
	var err error
	if x.token, err = s.tsa.Stamp(ctx, x.facts.Signatures[0].Value); err != nil {
		return fmt.Errorf("timestamp signature: %w", err)
	}
	if x.stamped, err = cades.AddSignatureTimestamp(x.message.Raw, 0, x.token.Raw); err != nil {
		return fmt.Errorf("add timestamp: %w", err)
	}
	if err := s.judge(ctx, x, x.stamped); err != nil {
		return err
	}
	if x.ourTimestamp().Indication != verifier.Passed {
		return fault.New(fault.TimestampUndetermined, "/timestamps", "the new token is %s/%s",
			x.ourTimestamp().Indication, x.ourTimestamp().SubIndication)
	}
	return nil
}

// ourTimestamp is the report on the token that was added last.
func (x *examination) ourTimestamp() verifier.TimestampReport {
	all := x.report.Signatures[0].Timestamps
	if len(all) == 0 {
		return verifier.TimestampReport{Indication: verifier.Indeterminate}
	}
	return all[len(all)-1]
}

// identify finds the ground on which the signer acts for the declarant, as of
// the time that the timestamp proves.
func (s *Service) identify(ctx context.Context, x *examination, t *Transaction) error {
	return s.identifyFor(ctx, x, t.DeclarantBIN, "document of transaction "+t.ID.String())
}

// identifyFor finds the ground on which the signer acts for an organisation.
func (s *Service) identifyFor(ctx context.Context, x *examination, bin kz.BIN, purpose string) error {
	var err error
	x.identity, err = s.registry.Identify(ctx, x.signer, x.token.Time, purpose)
	if x.identity != nil && x.identity.Audit != nil {
		note := x.identity.Audit
		x.audit = append(x.audit, outbox.AuditRecord{
			Actor: "service", Action: "look up " + note.Register, Object: string(note.Subject), Purpose: note.Purpose, Outcome: note.Outcome, At: note.At,
		})
	}
	if err != nil {
		return fmt.Errorf("identify signer: %w", err)
	}
	if d := x.identity.Decision; !d.Allowed {
		return fault.New(d.Reason, "/signer", "the signer may not act on %s", d.On)
	}
	if x.identity.BIN != bin {
		return fault.New(fault.DeclarantMismatch, "/signer/bin", "the signer acts for another organisation")
	}
	return nil
}

// accept signs the receipt and writes the whole record in one transaction.
func (s *Service) accept(ctx context.Context, caller access.Caller, c *idempotency.Claim, t *Transaction, x *examination) (*Document, error) {
	kept, err := x.evidence()
	if err != nil {
		return nil, err
	}
	d := s.describe(caller, x)
	for _, o := range kept {
		d.Evidence = append(d.Evidence, EvidenceID{Kind: o.Kind, SHA256: evidence.DigestOf(o.Raw).String()})
	}
	if d.Receipt, err = s.signReceipt(t.ID, d); err != nil {
		return nil, err
	}
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.keep(ctx, tx, t.ID, d, x, kept); err != nil {
			return err
		}
		for _, record := range x.audit {
			if err := outbox.Audit(ctx, tx, record); err != nil {
				return err
			}
		}
		return s.note(ctx, tx, caller, c, t.ID, "document.accepted", "submit document", d)
	})
	return d, err
}

// keep writes the document, its evidence and the mark that it was accepted.
func (s *Service) keep(ctx context.Context, tx pgx.Tx, transaction uuid.UUID, d *Document, x *examination, kept []evidence.Object) error {
	signed := sha256.Sum256(x.signed)
	tag, err := tx.Exec(ctx, `insert into dossier_document_once (transaction_id, signed_sha256) values ($1, $2) on conflict do nothing`,
		transaction, signed[:])
	if err != nil {
		return fmt.Errorf("mark document: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.DocumentAlreadyThere, "", "the same signed file")
	}
	entry := evidence.Entry{Transaction: transaction, Kind: "document.accepted", At: d.AcceptedAt}
	if err := evidence.PutAll(ctx, tx, kept); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	for _, o := range kept {
		entry.Objects = append(entry.Objects, o.Digest)
	}
	if err := evidence.Append(ctx, tx, entry); err != nil {
		return fmt.Errorf("log evidence: %w", err)
	}
	declaration := sha256.Sum256(x.message.Content)
	_, err = tx.Exec(ctx, `insert into dossier_document (id, recorded_at, transaction_id, body, declaration) values ($1, $2, $3, $4, $5)`,
		d.ID, recordedAt(d.ID), transaction, d, declaration[:])
	if err != nil {
		return fmt.Errorf("record document: %w", err)
	}
	return nil
}

// evidence lists what proves the acceptance later, offline: the file as it
// came, the same with our timestamp inside, its content, every certificate and
// revocation answer that the verdict could rest on, the timestamp token, and
// the register's signed answer.
func (x *examination) evidence() ([]evidence.Object, error) {
	var raw bytes.Buffer
	if err := x.facts.Encode(&raw); err != nil {
		return nil, fmt.Errorf("serialise facts: %w", err)
	}
	kept := []evidence.Object{
		{Kind: evidenceSigned, Raw: x.signed}, {Kind: evidenceStamped, Raw: x.stamped}, {Kind: evidenceContent, Raw: x.message.Content},
	}
	for _, c := range x.facts.Certificates {
		kept = append(kept, evidence.Object{Kind: evidenceCertificate, Raw: c.Raw})
	}
	for _, r := range x.facts.Revocations {
		kept = append(kept, evidence.Object{Kind: string(r.Kind), Raw: r.Raw})
	}
	kept = append(kept, evidence.Object{Kind: evidenceToken, Raw: x.token.Raw})
	for _, e := range x.identity.Evidence {
		kept = append(kept, evidence.Object{Kind: e.Kind, Raw: e.Raw})
	}
	return append(kept, evidence.Object{Kind: evidenceFacts, Raw: raw.Bytes()}), nil
}

// describe writes the record of an examined document.
func (s *Service) describe(caller access.Caller, x *examination) *Document {
	now := s.now().UTC()
	signature := x.report.Signatures[0]
	digest := sha256.Sum256(x.message.Content)
	fingerprint := x.signer.Fingerprint()
	d := &Document{
		ID: postgres.NewID(now), AcceptedAt: now, Kind: kindSingleDocument, Reference: x.declaration.Reference,
		DigestName: "SHA-256", Digest: hex.EncodeToString(digest[:]), Size: len(x.message.Content),
		Verdict: Verdict{
			Indication: string(signature.Indication), SubIndication: string(signature.SubIndication), Level: signature.Level,
			Policy: x.report.Policy, ClaimedTime: parseTime(signature.ClaimedTime), BestSignatureTime: parseTime(signature.BestSignatureTime),
			Warnings: []Reason{},
		},
		Signer: Signer{
			Name: x.signer.Holder().CommonName, IIN: x.identity.IIN, BIN: x.identity.BIN, Roles: signature.Signer.Roles,
			Serial: signature.Signer.Serial, CertificateSHA256: hex.EncodeToString(fingerprint[:]), Issuer: signature.Signer.Issuer,
		},
		Authority: Authority{
			Ground: string(x.identity.Decision.Ground), Organisation: x.identity.Organisation.NameRU, BIN: x.identity.BIN,
			Source: x.identity.Audit.Register, AskedAt: x.identity.Audit.At,
		},
		Timestamp: Timestamp{
			Time: x.token.Time, Authority: x.ourTimestamp().Authority, Serial: x.token.Serial.Text(16), Policy: x.token.Policy.String(),
		},
		Evidence: []EvidenceID{}, SubmittedBy: caller.ID,
	}
	for _, w := range signature.Warnings {
		d.Verdict.Warnings = append(d.Verdict.Warnings, Reason{Code: string(w.Code), Message: w.Message})
	}
	return d
}

// parseTime reads a time of a report; none is the zero time.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// noteRefusal records that a document was refused and why: an event on the
// timeline and the audit. Nothing of the document itself is kept.
func (s *Service) noteRefusal(ctx context.Context, caller access.Caller, transaction uuid.UUID, lookups []outbox.AuditRecord, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	code := string(fault.CodeOf(cause))
	now := s.now()
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		err := outbox.Publish(ctx, tx, outbox.Event{
			Transaction: transaction, Type: "document.refused", At: now, Data: eventData{By: caller.ID, Code: code},
		})
		if err != nil {
			return err
		}
		for _, record := range append(lookups, outbox.AuditRecord{
			Actor: caller.ID, Action: "submit document", Object: transaction.String(), Outcome: code, At: now,
		}) {
			if err := outbox.Audit(ctx, tx, record); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note refusal: %w", err)
	}
	return nil
}
