package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/trust"
)

// trustCommand keeps the anchors that commands use where no --anchors are
// given.
func (p *program) trustCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "List, import and fetch trust anchors",
		Long: `Keeps the trust folder: $SENIM_TRUST, or senim/trust in the user's
configuration. NUC RK's production certificates are recognised by built-in
pins; anything else needs --force and is marked so.`,
		Args: cobra.NoArgs,
	}
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the anchors in use", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.trustList(asJSON) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.AddCommand(p.trustImportCommand())
	get := &cobra.Command{
		Use: "fetch", Short: "Fetch NUC RK's certificates from where they are published", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.trustFetch(c.Context()) },
	}
	c.AddCommand(list, get)
	return c
}

// trustImportFlags are the flags of `senim trust import`.
type trustImportFlags struct {
	force                      bool
	name, profile, from, until string
	purposes, policies         []string
	permitted, excluded        []string
	explicit                   bool
	maxPathLength              int
}

func (p *program) trustImportCommand() *cobra.Command {
	var f trustImportFlags
	c := &cobra.Command{
		Use: "import [flags] PATH", Short: "Import certificates from a file or folder", Args: cobra.ExactArgs(1),
		Long: `Imports certificates into the trust folder. NUC RK's production certificates
are recognised; anything else needs --force. With one of the other flags, the
certificates become anchors that are trusted on these terms alone; what was said
of them before is replaced. The terms are kept in the folder's trust.json.

Exit status: 0 imported, 1 refused, 64 wrong usage, 65 PATH unreadable.`,
		RunE: func(c *cobra.Command, args []string) error { return p.trustImport(args[0], f) },
	}
	flags := c.Flags()
	flags.BoolVar(&f.force, "force", false, "take certificates that no pin recognises")
	flags.StringVar(&f.name, "name", "", "what to call the authority")
	flags.StringVar(&f.profile, "profile", "", "vouch that the certificates are of this environment: production or test")
	flags.StringSliceVar(&f.purposes, "purpose", nil, "trust them for these purposes only: sign, authenticate, ca, timestamp, ocsp, server, client, email")
	flags.StringVar(&f.from, "from", "", "trust them from this time on (RFC 3339)")
	flags.StringVar(&f.until, "until", "", "trust them until this time (RFC 3339)")
	flags.StringSliceVar(&f.policies, "policies", nil, "trust them for these certificate policies only (OIDs)")
	flags.BoolVar(&f.explicit, "require-explicit-policy", false, "paths must be valid under a policy")
	flags.IntVar(&f.maxPathLength, "max-path-length", -1, "how many CAs may follow (default: any number)")
	flags.StringSliceVar(&f.permitted, "permit", nil, "trust them for these names only: dns:, email:, uri: and ip: constraints")
	flags.StringSliceVar(&f.excluded, "exclude", nil, "do not trust them for these names")
	return c
}

// how turns the flags into what the folder keeps.
func (f trustImportFlags) how() (trust.Import, error) {
	t := trust.TermsText{
		Purposes: f.purposes, Policies: f.policies, ExplicitPolicy: f.explicit,
		PermittedNames: f.permitted, ExcludedNames: f.excluded,
	}
	if f.maxPathLength >= 0 {
		t.MaxPathLength = &f.maxPathLength
	}
	for _, flag := range []struct {
		name, text string
		out        *time.Time
	}{{"--from", f.from, &t.From}, {"--until", f.until, &t.Until}} {
		if flag.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, flag.text)
		if err != nil {
			return trust.Import{}, fault.New(fault.BadArgument, flag.name, "%q is not an RFC 3339 time", flag.text)
		}
		*flag.out = at.UTC()
	}
	return trust.Import{Force: f.force, Name: f.name, Profile: trust.Profile(f.profile), Terms: t}, nil
}

// folder is the trust folder; there is none without a home.
func (p *program) folder() (trust.Folder, error) {
	path := p.trustFolder()
	if path == "" {
		return trust.Folder{}, &exitError{exitUsage, fault.New(fault.BadArgument, "SENIM_TRUST", "no trust folder: neither $SENIM_TRUST nor a home is set")}
	}
	return trust.Folder{Path: path}, nil
}

// trustEntry is one certificate of the list.
type trustEntry struct {
	Name     string        `json:"name,omitempty"` // of a pinned certificate
	Profile  trust.Profile `json:"profile"`
	Anchor   bool          `json:"anchor"` // else an issuing certificate below one
	Forced   bool          `json:"forced"` // no pin recognises it
	Subject  string        `json:"subject"`
	NotAfter time.Time     `json:"not_after"`
	SHA256   string        `json:"sha256"`

	Authority string           `json:"authority,omitempty"` // of the operator's entry about it
	Terms     *trust.TermsText `json:"terms,omitempty"`     // what it is trusted for; absent: anything
}

func entryOf(c *cert.Certificate, profile trust.Profile) trustEntry {
	name, pinned := trust.PinnedName(c)
	fingerprint := c.Fingerprint()
	return trustEntry{
		Name: name, Profile: profile, Forced: !pinned,
		Subject: c.Subject.String(), NotAfter: c.NotAfter, SHA256: hex.EncodeToString(fingerprint[:]),
	}
}

func entryOfAnchor(a trust.Anchor) trustEntry {
	e := entryOf(a.Certificate, a.Profile)
	e.Anchor, e.Authority = true, a.Authority
	if a.Terms != nil {
		text := a.Terms.Text()
		e.Terms = &text
	}
	return e
}

// note says for people what the entry has besides.
func (e trustEntry) note() string {
	note := ""
	if e.Forced {
		note = " (forced: no pin recognises it)"
	}
	if e.Terms != nil {
		terms, err := json.Marshal(e.Terms)
		if err == nil {
			note += "\n  on terms: " + string(terms)
		}
	}
	return note
}

func (p *program) trustList(asJSON bool) error {
	folder, err := p.folder()
	if err != nil {
		return err
	}
	store, err := p.anchors(nil)
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	entries := []trustEntry{}
	for _, a := range store.Anchors() {
		entries = append(entries, entryOfAnchor(a))
	}
	for _, c := range store.Intermediates() {
		entries = append(entries, entryOf(c, store.Profile()))
	}
	if asJSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(map[string]any{"folder": folder.Path, "profile": store.Profile(), "certificates": entries})
	}
	for _, e := range entries {
		kind := "issuing"
		if e.Anchor {
			kind = "anchor"
		}
		if _, err := fmt.Fprintf(p.stdout, "%s %s %s%s\n  until %s, SHA-256 %s\n", e.Profile, kind, e.Subject, e.note(), e.NotAfter.Format(time.DateOnly), e.SHA256); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) trustImport(path string, f trustImportFlags) error {
	how, err := f.how()
	if err != nil {
		return &exitError{exitUsage, err}
	}
	folder, err := p.folder()
	if err != nil {
		return err
	}
	certs, err := trust.LoadCertificates(path)
	if err == nil && len(certs) == 0 {
		err = fault.New(fault.InputEmpty, path, "no certificate")
	}
	if err != nil {
		return &exitError{exitBadInput, err}
	}
	err = p.keep(folder, certs, how)
	if fault.Is(err, fault.BadArgument) {
		return &exitError{exitUsage, err}
	}
	return err
}

// keep imports and says what became of each certificate.
func (p *program) keep(folder trust.Folder, certs []*cert.Certificate, how trust.Import) error {
	list, err := folder.Import(certs, how)
	if err != nil {
		return err
	}
	for _, i := range list {
		what := "kept"
		if !i.New {
			what = "known"
		}
		if i.Forced {
			what += ", forced"
		}
		if _, err := fmt.Fprintf(p.stdout, "%s: %s\n", what, i.Certificate.Subject); err != nil {
			return err
		}
	}
	return nil
}

// trustFetch takes what it can get; an address that gives nothing usable is
// said, and fails the command at its end.
func (p *program) trustFetch(ctx context.Context) error {
	return p.trustFetchFrom(ctx, trust.Published, fetch.Config{AllowedHosts: nucHosts})
}

func (p *program) trustFetchFrom(ctx context.Context, addresses []string, config fetch.Config) error {
	folder, err := p.folder()
	if err != nil {
		return err
	}
	client, err := fetch.New(config)
	if err != nil {
		return err
	}
	defer client.Close()
	failed := 0
	for _, url := range addresses {
		data, err := client.Fetch(ctx, url, "", nil, trust.PublishedMax)
		var certs []*cert.Certificate
		if err == nil {
			certs, err = cert.ParseBundle(data)
		}
		if err == nil {
			err = p.keep(folder, certs, trust.Import{})
		}
		if ctx.Err() != nil {
			return fault.Wrap(ctx.Err(), fault.Cancelled, "", "fetch certificates")
		}
		if err != nil {
			failed++
			p.complain(fmt.Errorf("%s: %w", url, err))
		}
	}
	if failed > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}
