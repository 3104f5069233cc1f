package api

import (
	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/payments/statement"
)

// The functions here write the records of internal/dossier in the shapes of
// the contract. They are spelled out so that a change on either side shows at
// compile time, and a field that is not in the contract is never sent.

func renderTransaction(t *dossier.Transaction) Transaction {
	return Transaction{
		ID: t.ID, Reference: t.Reference, DeclarantBIN: t.DeclarantBIN.String(),
		OpenedBy: t.OpenedBy, OpenedAt: t.OpenedAt, State: string(t.State),
		Documents: each(t.Documents, renderDocument),
		Orders:    each(t.Orders, renderOrder),
		Totals:    renderTotals(t.Totals),
		Events: each(t.Events, func(e dossier.Event) Event {
			return Event{Type: e.Type, At: e.At, Data: e.Data}
		}),
	}
}

func renderDocument(d dossier.Document) Document {
	return Document{
		ID: d.ID, AcceptedAt: d.AcceptedAt, Kind: d.Kind, Reference: d.Reference,
		DigestName: d.DigestName, Digest: d.Digest, SizeBytes: d.Size,
		Verdict: Verdict{
			Indication: d.Verdict.Indication, SubIndication: d.Verdict.SubIndication, Level: d.Verdict.Level, Policy: d.Verdict.Policy,
			ClaimedTime: d.Verdict.ClaimedTime, BestSignatureTime: d.Verdict.BestSignatureTime,
			Warnings: each(d.Verdict.Warnings, func(r dossier.Reason) Reason { return Reason{Code: r.Code, Message: r.Message} }),
		},
		Signer: Signer{
			Name: d.Signer.Name, IIN: optional(d.Signer.IIN.Digits()), BIN: optional(d.Signer.BIN.String()),
			Roles: each(d.Signer.Roles, func(r string) string { return r }), Serial: d.Signer.Serial,
			CertificateSha256: d.Signer.CertificateSHA256, Issuer: d.Signer.Issuer,
		},
		Authority: Authority{
			Ground: d.Authority.Ground, Organisation: d.Authority.Organisation, BIN: d.Authority.BIN.String(),
			Source: d.Authority.Source, AskedAt: d.Authority.AskedAt,
		},
		Timestamp: Timestamp{Time: d.Timestamp.Time, Authority: d.Timestamp.Authority, Serial: d.Timestamp.Serial, Policy: d.Timestamp.Policy},
		Evidence: each(d.Evidence, func(e dossier.EvidenceID) EvidenceObject {
			return EvidenceObject{Kind: e.Kind, Sha256: e.SHA256}
		}),
		Receipt: d.Receipt, SubmittedBy: d.SubmittedBy,
	}
}

func renderImport(i *dossier.StatementImport) StatementImport {
	return StatementImport{
		ID: i.ID, Days: append([]Day{}, i.Days...), Lines: i.Lines, Duplicates: i.Duplicates, Bad: i.Bad, Known: i.Known,
		Rejected: each(i.Rejected, func(r dossier.RejectedLine) RejectedLine { return RejectedLine{Place: r.Place, Code: r.Code} }),
		Gaps: each(i.Gaps, func(g statement.Gap) StatementGap {
			return StatementGap{Code: string(g.Code), Statement: g.Statement, Number: g.Number, Day: g.Day, Detail: g.Detail}
		}),
	}
}

// each maps a list; an empty one becomes [], never null.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}
