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
	var asJSON, force bool
	list := &cobra.Command{
		Use: "list", Short: "List the anchors in use", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.trustList(asJSON) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	add := &cobra.Command{
		Use: "import PATH", Short: "Import certificates from a file or folder", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.trustImport(args[0], force) },
	}
	add.Flags().BoolVar(&force, "force", false, "take certificates that no pin recognises")
	get := &cobra.Command{
		Use: "fetch", Short: "Fetch NUC RK's certificates from where they are published", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.trustFetch(c.Context()) },
	}
	c.AddCommand(list, add, get)
	return c
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
}

func entryOf(c *cert.Certificate, profile trust.Profile, anchor bool) trustEntry {
	name, pinned := trust.PinnedName(c)
	fingerprint := c.Fingerprint()
	return trustEntry{
		Name: name, Profile: profile, Anchor: anchor, Forced: !pinned,
		Subject: c.Subject.String(), NotAfter: c.NotAfter, SHA256: hex.EncodeToString(fingerprint[:]),
	}
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
		entries = append(entries, entryOf(a.Certificate, a.Profile, true))
	}
	for _, c := range store.Intermediates() {
		entries = append(entries, entryOf(c, store.Profile(), false))
	}
	if asJSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(map[string]any{"folder": folder.Path, "profile": store.Profile(), "certificates": entries})
	}
	for _, e := range entries {
		kind, mark := "issuing", ""
		if e.Anchor {
			kind = "anchor"
		}
		if e.Forced {
			mark = " (forced: no pin recognises it)"
		}
		if _, err := fmt.Fprintf(p.stdout, "%s %s %s%s\n  until %s, SHA-256 %s\n", e.Profile, kind, e.Subject, mark, e.NotAfter.Format(time.DateOnly), e.SHA256); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) trustImport(path string, force bool) error {
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
	return p.keep(folder, certs, force)
}

// keep imports and says what became of each certificate.
func (p *program) keep(folder trust.Folder, certs []*cert.Certificate, force bool) error {
	list, err := folder.Import(certs, force)
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
	folder, err := p.folder()
	if err != nil {
		return err
	}
	client, err := fetch.New(fetch.Config{AllowedHosts: nucHosts})
	if err != nil {
		return err
	}
	defer client.Close()
	failed := 0
	for _, url := range trust.Published {
		data, err := client.Fetch(ctx, url, "", nil, trust.PublishedMax)
		var certs []*cert.Certificate
		if err == nil {
			certs, err = cert.ParseBundle(data)
		}
		if err == nil {
			err = p.keep(folder, certs, false)
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
