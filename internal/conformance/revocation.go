package main

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/revocation"
)

// decisions is the decision table of this project for revocation: source by
// freshness by time by reason by clock skew. What must come out is derived from
// the clause that its row names.
//
// Evidence is a list of items with "+" between them, each of a kind, a status and
// settings; times are relative to the one that is judged.
//
//	ocsp  good | unknown | never | revoked@TIME/REASON | hold@TIME
//	crl   good | revoked@TIME/REASON | hold@TIME | removed@TIME    (number 1)
//	delta as crl; it completes list number 1, or base=N             (number 2)
//	this= next= produced= cutoff= (archive cutoff, expiredCertsOnCRL) by=SIGNER
//	spoilt (a wrong signature) other (about another certificate)
//
// Terms are now= (of the validation, else the time judged), skew=, maxage= and
// leaf=short (which expires ten hours after the time judged).
//
//go:embed revocation.tsv
var decisions string

// ownTable is the set that needs no data beside the project.
const ownTable = "revocation"

// The words of the table, as outcomes have them.
const (
	wordGood    = "GOOD"
	wordRevoked = "REVOKED"
	wordHold    = "HOLD"
	wordUnknown = "UNKNOWN"
)

// judgedAt is the time that all others in the table are relative to.
var judgedAt = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func runRevocation(options) ([]outcome, error) {
	w, err := newIssuers()
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(decisions))
	r.Comma, r.FieldsPerRecord = '\t', 5
	if _, err := r.Read(); err != nil {
		return nil, err
	}
	var out []outcome
	for {
		row, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		got, detail, err := w.decide(row[1], row[2])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row[0], err)
		}
		out = append(out, outcome{id: row[0], want: strings.ToUpper(row[3]), got: got, detail: detail})
	}
}

// decide makes the evidence, has it checked offline and says what came out.
func (w *issuers) decide(evidence, terms string) (got, detail string, err error) {
	rules := revocation.Rules{At: judgedAt}
	subject := revocation.Subject{Certificate: w.leaf.parsed, Issuer: w.ca.parsed}
	for _, term := range strings.Fields(terms) {
		name, value, _ := strings.Cut(term, "=")
		if name == "leaf" {
			subject.Certificate = w.short.parsed
			continue
		}
		d, err := offset(value)
		if err != nil {
			return "", "", err
		}
		switch name {
		case "now":
			rules.Now = judgedAt.Add(d)
		case "skew":
			rules.Skew = d
		case "maxage":
			rules.MaxAge = d
		default:
			return "", "", fmt.Errorf("term %q", term)
		}
	}
	var checker revocation.Checker
	if evidence != "" {
		for text := range strings.SplitSeq(evidence, " + ") {
			info, err := w.make(text, subject)
			if err != nil {
				return "", "", fmt.Errorf("%s: %w", text, err)
			}
			checker.Given = append(checker.Given, info)
		}
	}
	result := checker.Check(context.Background(), subject, rules)
	return word(result, rules), explain(result), nil
}

// word says in the table's words what was found out, by the verdict.
func word(r *revocation.Result, rules revocation.Rules) string {
	switch code := fault.CodeOf(r.Verdict(rules)); {
	case code == "":
		return wordGood
	case code != fault.CertificateRevoked:
		return wordUnknown
	case r.Evidence.Reason == revocation.CertificateHold:
		return wordHold
	}
	return wordRevoked
}

func explain(r *revocation.Result) string {
	var parts []string
	for _, a := range r.Attempts {
		parts = append(parts, fmt.Sprintf("%s: %v", a.Kind, a.Err))
	}
	return strings.Join(parts, "; ")
}

// offset reads a time of the table: "0", "-10m", "+1h".
func offset(s string) (time.Duration, error) { return time.ParseDuration(strings.TrimPrefix(s, "+")) }
