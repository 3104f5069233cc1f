package main

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/trust"
)

// tokenCSR makes a PKCS#10 request that the key signs.
func (p *program) tokenCSR() *cobra.Command {
	var f tokenFlags
	var subject, out string
	c := f.command("csr", "Request a certificate for a key (PKCS#10)", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		name, err := parseSubject(subject)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		if err := f.checkKey(); err != nil {
			return err
		}
		return p.withToken(ctx, &f, func(token *hsm.Token) error {
			key, err := f.key(ctx, token)
			if err != nil {
				return err
			}
			der, err := key.CertificateRequest(ctx, name)
			if err != nil {
				return err
			}
			text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
			if out != "" {
				if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
					return fault.Wrap(err, fault.OutputFailed, out, "write the request")
				}
			}
			switch {
			case f.json:
				return p.printJSON(map[string]string{"label": key.Label(), "id": hex.EncodeToString(key.ID()), "csr": text})
			case out == "":
				_, err = io.WriteString(p.stdout, text)
			}
			return err
		})
	})
	f.keyFlags(c)
	c.Flags().StringVar(&subject, "subject", "", "subject as RFC 4514 writes it: CN=…,SERIALNUMBER=IIN…,C=KZ")
	c.Flags().StringVar(&out, "out", "", "file to write (default stdout)")
	return c
}

// tokenImportCert stores a certificate beside its key.
func (p *program) tokenImportCert() *cobra.Command {
	var f tokenFlags
	c := f.command("import-cert FILE", "Store a certificate beside its key", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := f.checkKey(); err != nil {
			return err
		}
		certificates, err := trust.LoadCertificates(args[0])
		if err == nil && len(certificates) != 1 {
			err = fault.New(fault.Unreadable, args[0], "%d certificates, where one is wanted", len(certificates))
		}
		if err != nil {
			return &exitError{exitBadInput, err}
		}
		return p.withToken(ctx, &f, func(token *hsm.Token) error {
			key, err := f.key(ctx, token)
			if err != nil {
				return err
			}
			if err := key.PutCertificate(ctx, certificates[0].Raw); err != nil {
				return err
			}
			if !certificates[0].Covers(p.now()) {
				fmt.Fprintf(p.stderr, "senim: stored, but the certificate is good from %s until %s only\n",
					certificates[0].NotBefore.UTC().Format(time.RFC3339), certificates[0].NotAfter.UTC().Format(time.RFC3339))
			}
			if f.json {
				return p.printJSON(map[string]string{
					"label": key.Label(), "id": hex.EncodeToString(key.ID()), "subject": certificates[0].Subject.String(),
					"not_after": certificates[0].NotAfter.UTC().Format(time.RFC3339),
				})
			}
			fmt.Fprintf(p.stdout, "certificate %s, until %s\n", subjectText(certificates[0].Subject.String()), certificates[0].NotAfter.Format(time.DateOnly))
			return nil
		})
	})
	f.keyFlags(c)
	return c
}

// testedKey is what became of one key in senim token test.
type testedKey struct {
	Label        string  `json:"label"`
	ID           string  `json:"id"`
	Algorithm    string  `json:"algorithm"`
	OK           bool    `json:"ok"`
	Code         string  `json:"code,omitempty"`
	Message      string  `json:"message,omitempty"`
	Milliseconds float64 `json:"ms,omitempty"`
}

// tokenTest has every key sign, and verifies the signature outside the token.
func (p *program) tokenTest() *cobra.Command {
	var f tokenFlags
	c := f.command("test", "Have each key sign, and verify what it signed", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		id, err := f.keyID()
		if err != nil {
			return err
		}
		return p.withToken(ctx, &f, func(token *hsm.Token) error {
			contents, err := token.Contents(ctx)
			if err != nil {
				return err
			}
			tested := []testedKey{}
			good := true
			for _, k := range contents.Keys {
				if f.label != "" && k.Label != f.label || len(id) > 0 && k.ID != hex.EncodeToString(id) {
					continue
				}
				t := p.testKey(ctx, token, k)
				good = good && t.OK
				tested = append(tested, t)
			}
			if len(tested) == 0 {
				return fault.New(fault.HSMKeyMissing, "", "there is no key to test")
			}
			if err := p.printTested(f.json, token, tested); err != nil {
				return err
			}
			if !good {
				return &exitError{code: exitFailed}
			}
			return nil
		})
	})
	f.keyFlags(c)
	return c
}

func (p *program) testKey(ctx context.Context, token *hsm.Token, k hsm.KeyInfo) testedKey {
	t := testedKey{Label: k.Label, ID: k.ID, Algorithm: k.Algorithm}
	id, err := hex.DecodeString(k.ID)
	var key *hsm.Key
	switch {
	case err != nil:
	case len(id) == 0:
		key, err = token.Key(ctx, k.Label)
	default:
		key, err = token.KeyByID(ctx, id)
	}
	if err == nil {
		began := p.now()
		err = key.Prove(ctx)
		t.Milliseconds = float64(p.now().Sub(began).Microseconds()) / 1000
	}
	if t.OK = err == nil; !t.OK {
		t.Code, t.Message = string(fault.CodeOf(err)), err.Error()
	}
	return t
}

func (p *program) printTested(asJSON bool, token *hsm.Token, tested []testedKey) error {
	if asJSON {
		return p.printJSON(map[string]any{"token": token.Info().URI(), "keys": tested})
	}
	for _, t := range tested {
		result := fmt.Sprintf("signs, %.1f ms", t.Milliseconds)
		if !t.OK {
			result = t.Message
		}
		if _, err := fmt.Fprintf(p.stdout, "key %s, id %s, %s: %s\n", printable(t.Label), t.ID, t.Algorithm, result); err != nil {
			return err
		}
	}
	return nil
}
