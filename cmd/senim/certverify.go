package main

import (
	"context"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/revocation"
	"github.com/senim-kz/senim/pki/trust"
)

// certVerifyFlags are the flags of `senim cert verify`.
type certVerifyFlags struct {
	at, usage, cryptoPolicy           string
	anchors, certs, crls, ocsp        []string
	policies                          []string
	explicit, inhibitMap, inhibitAny  bool
	noRevocation, offline, jsonOutput bool
}

func (p *program) certVerifyCommand() *cobra.Command {
	var f certVerifyFlags
	c := &cobra.Command{
		Use:   "verify [flags] CERT",
		Short: "Validate a certificate's path by RFC 5280",
		Long: `Validates the path of CERT to a trust anchor by RFC 5280 §6.1, and looks up
whether anything on it was revoked. Nothing else is checked unless
--crypto-policy adds the dates until which algorithms are good enough.

Exit status: 0 valid, 1 not valid, 64 wrong usage, 65 CERT unreadable.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.certVerify(c.Context(), f, args[0]) },
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.anchors, "anchors", nil, "trust anchors instead of the trust folder (file or folder, repeatable)")
	flags.StringArrayVar(&f.certs, "certs", nil, "further certificates (file or folder, repeatable)")
	flags.StringArrayVar(&f.crls, "crls", nil, "CRLs (file or folder, repeatable)")
	flags.StringArrayVar(&f.ocsp, "ocsp", nil, "OCSP answers (file or folder, repeatable)")
	flags.StringVar(&f.at, "at", "", "judge at this time (RFC 3339) instead of now")
	flags.StringSliceVar(&f.policies, "policies", nil, "accept these certificate policies only (OIDs)")
	flags.BoolVar(&f.explicit, "require-explicit-policy", false, "the path must be valid under an accepted policy")
	flags.BoolVar(&f.inhibitMap, "inhibit-policy-mapping", false, "do not follow policy mappings")
	flags.BoolVar(&f.inhibitAny, "inhibit-any-policy", false, "do not take anyPolicy for all policies")
	flags.StringVar(&f.usage, "usage", "any", "what the certificate is wanted for: "+strings.Join(path.UsageNames(), ", "))
	flags.StringVar(&f.cryptoPolicy, "crypto-policy", "", "hold algorithms against this policy: a name ("+strings.Join(trust.CryptoPolicyNames(), ", ")+") or a file")
	flags.BoolVar(&f.noRevocation, "no-revocation", false, "do not look at revocation")
	flags.BoolVar(&f.offline, "offline", false, "ask nobody for certificates and revocation information")
	flags.BoolVar(&f.jsonOutput, "json", false, "print the verdict as one JSON object")
	return c
}

// certVerdict is what --json prints.
type certVerdict struct {
	Valid      bool               `json:"valid"`
	Reason     fault.Code         `json:"reason"`
	Message    string             `json:"message,omitempty"`
	Detail     string             `json:"detail,omitempty"`
	Path       []string           `json:"path"`
	Policies   []string           `json:"policies"`
	Time       time.Time          `json:"time"`
	Profile    trust.Profile      `json:"profile,omitempty"`
	Revocation []certStatusReport `json:"revocation,omitempty"`
}

// certStatusReport is what was found out about one certificate of the path.
type certStatusReport struct {
	Serial     string            `json:"serial"`
	Status     revocation.Status `json:"status"`
	Kind       revocation.Kind   `json:"kind,omitempty"`
	Source     string            `json:"source,omitempty"`
	Fetched    *time.Time        `json:"fetched,omitempty"`     // by our clock
	ProducedAt *time.Time        `json:"produced_at,omitempty"` // by theirs, as all below
	ThisUpdate *time.Time        `json:"this_update,omitempty"`
	NextUpdate *time.Time        `json:"next_update,omitempty"`
	RevokedAt  *time.Time        `json:"revoked_at,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Attempts   []string          `json:"attempts,omitempty"`
}

// certVerify validates and prints the verdict.
func (p *program) certVerify(ctx context.Context, f certVerifyFlags, file string) error {
	request, policy, err := p.certTerms(f)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	data, err := readCapped(file, evidenceBytesMax)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	certs, err := cert.ParseBundle(data)
	if err != nil {
		return &exitError{exitBadInput, fmt.Errorf("read %s: %w", file, err)}
	}
	// What comes along in a bundle helps to build the path.
	request.Leaf, request.Intermediates = certs[0], append(certs[1:], request.Intermediates...)
	checker, err := givenEvidence(f)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if !f.offline {
		client, err := p.outsideClient()
		if err != nil {
			return &exitError{exitUsage, err}
		}
		defer client.Close()
		checker.Store = revocation.NewStore(revocation.StoreConfig{Fetcher: client, Now: p.now})
		request.Intermediates = append(request.Intermediates, path.FetchIssuers(ctx, client, request)...)
	}
	verdict := validateCertificate(ctx, request, policy, checker, f.noRevocation, p.now())
	if ctx.Err() != nil {
		return fault.Wrap(ctx.Err(), fault.Cancelled, "", "validate the certificate")
	}
	verdict.Message = ""
	if !verdict.Valid {
		verdict.Message = verdict.Reason.Message(p.language)
	}
	if f.jsonOutput {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(verdict)
	} else {
		err = verdict.write(p)
	}
	if err != nil {
		return err
	}
	if !verdict.Valid {
		return &exitError{code: exitFailed}
	}
	return nil
}

// certTerms are the time, the anchors and the demands to validate by.
func (p *program) certTerms(f certVerifyFlags) (path.Request, *trust.CryptoPolicy, error) {
	r := path.Request{At: p.now().UTC()}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return r, nil, fault.New(fault.BadArgument, "--at", "%q is not an RFC 3339 time", f.at)
		}
		r.At = at.UTC()
	}
	if err := r.For(f.usage); err != nil {
		return r, nil, err
	}
	r.Policies = path.PolicyDemand{Explicit: f.explicit, InhibitMapping: f.inhibitMap, InhibitAny: f.inhibitAny}
	for _, s := range f.policies {
		oid, err := parseOID(s)
		if err != nil {
			return r, nil, err
		}
		r.Policies.Initial = append(r.Policies.Initial, oid)
	}
	var policy *trust.CryptoPolicy
	var err error
	if f.cryptoPolicy != "" {
		if policy, err = cryptoPolicy(f.cryptoPolicy); err != nil {
			return r, nil, err
		}
	}
	if r.Intermediates, err = trust.LoadCertificates(f.certs...); err != nil {
		return r, nil, err
	}
	r.Anchors, err = p.anchors(f.anchors)
	return r, policy, err
}

// cryptoPolicy finds a policy by name, else reads it from a file.
func cryptoPolicy(name string) (*trust.CryptoPolicy, error) {
	if policy, err := trust.CryptoPolicyByName(name); err == nil {
		return policy, nil
	} else if _, missing := os.Stat(name); errors.Is(missing, os.ErrNotExist) {
		return nil, err
	}
	data, err := readCapped(name, evidenceBytesMax)
	if err != nil {
		return nil, err
	}
	return trust.ParseCryptoPolicy(data)
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	oid, err := cert.ParseOID(strings.TrimSpace(s))
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "--policies", "read a policy")
	}
	return oid, nil
}

// givenEvidence reads CRLs and OCSP answers.
func givenEvidence(f certVerifyFlags) (revocation.Checker, error) {
	var c revocation.Checker
	read := func(paths []string, kind revocation.Kind, label string) error {
		return eachFile(paths, func(_ string, raw []byte) error {
			for _, der := range unwrapPEM(raw, label) {
				c.Given = append(c.Given, revocation.Information{Kind: kind, Raw: der, Source: revocation.Given})
			}
			return nil
		})
	}
	if err := read(f.crls, revocation.CRL, "X509 CRL"); err != nil {
		return c, err
	}
	return c, read(f.ocsp, revocation.OCSP, "OCSP RESPONSE")
}

// responderSkew is how far a responder's clock may be off ours: without it an
// answer made for this very validation would be from its future.
const responderSkew = 5 * time.Minute

// validateCertificate builds the path and puts what was found into a verdict.
func validateCertificate(ctx context.Context, r path.Request, policy *trust.CryptoPolicy, checker revocation.Checker, noRevocation bool, now time.Time) *certVerdict {
	r.Accept = func(p *path.Path) error { return policy.CheckPath(p.Certificates, r.At) }
	var found *path.Path
	var results []*revocation.Result
	var err error
	if noRevocation {
		found, err = path.Build(r)
	} else {
		rules := revocation.Rules{At: r.At, Now: now, Skew: responderSkew, Algorithms: signatureRule(policy, r.At)}
		if r.At.After(now) {
			rules.Now = r.At
		}
		found, results, err = path.BuildUnrevoked(ctx, r, checker, rules)
	}
	v := &certVerdict{Valid: err == nil, Reason: fault.CodeOf(err), Path: []string{}, Policies: []string{}, Time: r.At}
	if err != nil {
		v.Detail = err.Error()
	}
	for _, c := range found.Certificates {
		v.Path = append(v.Path, c.Subject.String())
	}
	if found.Anchor != nil {
		v.Profile = found.Anchor.Profile
	}
	if v.Valid {
		for _, oid := range found.Policies {
			v.Policies = append(v.Policies, oid.String())
		}
	}
	for i, result := range results {
		if result != nil {
			v.Revocation = append(v.Revocation, reportStatus(found.Certificates[i], result))
		}
	}
	return v
}

// signatureRule holds the signatures of OCSP answers and CRLs against the policy,
// as those of certificates are.
func signatureRule(policy *trust.CryptoPolicy, at time.Time) func(*cert.Certificate, algo.Identifier) error {
	if policy == nil {
		return nil
	}
	return func(signer *cert.Certificate, id algo.Identifier) error {
		s, err := algo.SignatureByIdentifier(id, nil)
		if err != nil {
			return err
		}
		return policy.CheckSignature(s, signer.PublicKey, at)
	}
}

func reportStatus(c *cert.Certificate, result *revocation.Result) certStatusReport {
	s := certStatusReport{Serial: c.SerialHex(), Status: revocation.Unknown}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	if e := result.Evidence; e != nil {
		s.Status, s.Kind, s.Source = e.Status, e.Kind, e.Source
		s.Fetched, s.ProducedAt = at(e.Fetched), at(e.ProducedAt)
		s.ThisUpdate, s.NextUpdate, s.RevokedAt = at(e.ThisUpdate), at(e.NextUpdate), at(e.RevokedAt)
		if e.Status == revocation.Revoked {
			s.Reason = e.Reason.String()
		}
	}
	for _, a := range result.Attempts {
		s.Attempts = append(s.Attempts, fmt.Sprintf("%s %s: %s", a.Kind, a.Source, fault.CodeOf(a.Err)))
	}
	return s
}

// write prints the verdict for people.
func (v *certVerdict) write(p *program) error {
	var b strings.Builder
	if v.Valid {
		fmt.Fprintln(&b, "valid")
	} else {
		fmt.Fprintf(&b, "not valid: %s\n  %s\n  %s\n", v.Reason, v.Message, v.Detail)
	}
	for i, subject := range v.Path {
		fmt.Fprintf(&b, "path/%d %s\n", i, subjectText(subject))
	}
	if len(v.Policies) > 0 {
		fmt.Fprintf(&b, "policies %s\n", strings.Join(v.Policies, " "))
	}
	for _, s := range v.Revocation {
		fmt.Fprintf(&b, "%s %s %s %s\n", s.Serial, s.Status, s.Kind, s.Source)
		for _, attempt := range s.Attempts {
			fmt.Fprintf(&b, "  in vain: %s\n", attempt)
		}
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
