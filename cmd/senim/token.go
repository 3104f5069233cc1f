package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// tokenFlags say which token is meant and how it is opened.
type tokenFlags struct {
	uri string
	moduleFlags
	pinFlags
	label, id string // of a key
	json      bool
}

func (p *program) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "PKCS#11 tokens: list, initialise, make keys, request certificates, test",
		Long: `Works with the tokens of a PKCS#11 module: --module, $SENIM_TOKEN_MODULE, or
SoftHSM2. --token is an RFC 7512 URI that exactly one token matches. The PIN
comes from --pin-file, --pin-env, --pin-credential, or is asked for at the
terminal; it is tried once.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.tokenList(), p.tokenInit(), p.tokenGenkey(), p.tokenCSR(), p.tokenImportCert(), p.tokenTest())
	return c
}

// command makes a subcommand with the flags that all have.
func (f *tokenFlags) command(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
		return run(c.Context(), args)
	}}
	flags := c.Flags()
	f.moduleFlags.add(c)
	flags.StringVar(&f.uri, "token", "", "RFC 7512 URI of the token")
	f.pinFlags.add(c, "PIN")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// keyFlags adds the flags that name a key in the token.
func (f *tokenFlags) keyFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.label, "label", "", "label of the key (CKA_LABEL)")
	c.Flags().StringVar(&f.id, "id", "", "identifier of the key in hexadecimal (CKA_ID)")
}

// withToken opens the token for one piece of work.
func (p *program) withToken(ctx context.Context, f *tokenFlags, work func(*hsm.Token) error) (err error) {
	if f.uri == "" {
		return &exitError{exitUsage, fault.New(fault.BadArgument, "--token", "which token? senim token list shows the URIs")}
	}
	module, err := p.openModule(f.moduleFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, module.Close()) }()
	token, err := module.Token(ctx, f.uri, f.pin())
	if fault.Is(err, fault.HSMTokenURIInvalid) {
		return &exitError{exitUsage, err}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, token.Close()) }()
	return work(token)
}

// keyID is the identifier that --id gives.
func (f *tokenFlags) keyID() ([]byte, error) {
	id, err := hex.DecodeString(f.id)
	if err != nil {
		return nil, &exitError{exitUsage, fault.New(fault.BadArgument, "--id", "not hexadecimal")}
	}
	return id, nil
}

// checkKey refuses flags that name no key, before a PIN is sent for nothing.
func (f *tokenFlags) checkKey() error {
	if f.id == "" && f.label == "" {
		return &exitError{exitUsage, fault.New(fault.BadArgument, "--label", "which key? --label or --id names it")}
	}
	_, err := f.keyID()
	return err
}

// key finds the key that the flags name.
func (f *tokenFlags) key(ctx context.Context, token *hsm.Token) (*hsm.Key, error) {
	id, err := f.keyID()
	if err != nil {
		return nil, err
	}
	return keyNamed(ctx, token, f.label, id)
}

// keyNamed finds the key with a label or an identifier; with both, it must have both.
func keyNamed(ctx context.Context, token *hsm.Token, label string, id []byte) (*hsm.Key, error) {
	if len(id) == 0 {
		return token.Key(ctx, label)
	}
	key, err := token.KeyByID(ctx, id)
	if err == nil && label != "" && key.Label() != label {
		err = fault.New(fault.HSMKeyMissing, "", "the key with this identifier has another label")
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// listedToken is a token of senim token list.
type listedToken struct {
	URI string `json:"uri"`
	hsm.TokenInfo
}

// tokenList lists the tokens of the module, and what is in one if it is named.
func (p *program) tokenList() *cobra.Command {
	var f tokenFlags
	return f.command("list", "List the tokens, or what is in one", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if f.uri != "" {
			return p.listContents(ctx, &f)
		}
		module, err := p.openModule(f.moduleFlags)
		if err != nil {
			return err
		}
		tokens, silent := module.Tokens() // some may not say what they are, and hide no others
		if err := module.Close(); err != nil {
			return errors.Join(silent, err)
		}
		if silent != nil && len(tokens) == 0 {
			return silent
		}
		listed := []listedToken{}
		for _, t := range tokens {
			listed = append(listed, listedToken{t.URI(), t})
		}
		if f.json {
			return errors.Join(p.printJSON(map[string]any{"module": module.Path(), "tokens": listed}), silent)
		}
		for _, t := range listed {
			state := "blank"
			if t.Initialized {
				state = t.URI
			}
			fmt.Fprintf(p.stdout, "slot %d: %s\n", t.SlotID, state)
		}
		return silent
	})
}

func (p *program) listContents(ctx context.Context, f *tokenFlags) error {
	return p.withToken(ctx, f, func(token *hsm.Token) error {
		contents, err := token.Contents(ctx)
		if err != nil {
			return err
		}
		if f.json {
			return p.printJSON(struct {
				Token listedToken `json:"token"`
				hsm.Contents
			}{listedToken{token.Info().URI(), token.Info()}, contents})
		}
		for _, k := range contents.Keys {
			kind := k.Algorithm
			if k.Problem != "" {
				kind = "not usable: " + k.Problem
			}
			fmt.Fprintf(p.stdout, "key %s, id %s, %s%s\n", printable(k.Label), k.ID, kind, marks(k))
		}
		for _, c := range contents.Certificates {
			says := fmt.Sprintf("%s, until %s", subjectText(c.Subject), c.NotAfter.Format(time.DateOnly))
			if c.Problem != "" {
				says = "not usable: " + c.Problem
			}
			fmt.Fprintf(p.stdout, "certificate %s, id %s, %s\n", printable(c.Label), c.ID, says)
		}
		return nil
	})
}

// marks of a key that an operator should know of.
func marks(k hsm.KeyInfo) string {
	var out strings.Builder
	for _, row := range []struct {
		set  bool
		text string
	}{
		{k.AlwaysAuthenticate, "asks for the PIN each time"}, {k.Extractable, "EXTRACTABLE"}, {!k.Sensitive, "NOT SENSITIVE"}, {!k.Local, "not born in the token"},
	} {
		if row.set {
			out.WriteString(", " + row.text)
		}
	}
	return out.String()
}

// tokenInit initialises a blank token. A PIN file that does not exist is made,
// with a random PIN. Nobody is asked for a PIN here, who could mistype it.
func (p *program) tokenInit() *cobra.Command {
	var f tokenFlags
	var label, soFile string
	c := f.command("init", "Initialise a blank token", cobra.NoArgs, func(context.Context, []string) error {
		if f.pinFlags == (pinFlags{}) || soFile == "" {
			return &exitError{exitUsage, fault.New(fault.BadArgument, "--pin-file", "--pin-file and --so-pin-file say where the PINs are, or are to be written")}
		}
		// Before PINs are made for nothing.
		if err := hsm.CheckTokenLabel(label); err != nil {
			return &exitError{exitUsage, err}
		}
		module, err := p.openModule(f.moduleFlags)
		if err != nil {
			return err
		}
		uri, err := initToken(module, f.uri, label, soFile, f.pinFlags)
		if err := errors.Join(err, module.Close()); err != nil {
			if fault.Is(err, fault.HSMTokenURIInvalid) {
				return &exitError{exitUsage, err}
			}
			return err
		}
		if f.json {
			written := map[string]string{"uri": uri, "so_pin_file": soFile}
			if f.file != "" {
				written["pin_file"] = f.file
			}
			return p.printJSON(written)
		}
		fmt.Fprintln(p.stdout, uri)
		return nil
	})
	c.Flags().StringVar(&label, "label", "", "label of the token")
	c.Flags().StringVar(&soFile, "so-pin-file", "", "file with the security officer's PIN")
	return c
}

// initToken initialises the one blank token that a URI describes, or with none the
// first, and gives the URI that it has then.
func initToken(module *hsm.Module, which, label, soFile string, where pinFlags) (uri string, err error) {
	so, err := ensurePIN(soFile)
	if err != nil {
		return "", err
	}
	user := where.pin()
	if where.file != "" {
		if user, err = ensurePIN(where.file); err != nil {
			return "", err
		}
	}
	if err := module.InitToken(which, label, so, user); err != nil {
		return "", err
	}
	tokens, err := module.Tokens()
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		if t.Initialized && t.Label == label {
			return t.URI(), nil
		}
	}
	return "", fault.New(fault.HSMTokenNotFound, "", "the token is not there after it was initialised")
}

// tokenGenkey makes a key inside the token.
func (p *program) tokenGenkey() *cobra.Command {
	var f tokenFlags
	var algorithm string
	c := f.command("genkey", "Make a key inside the token and have it prove itself", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		id, err := f.keyID()
		if err != nil {
			return err
		}
		spec := hsm.KeySpec{Label: f.label, ID: id, Algorithm: hsm.Algorithm(algorithm)}
		if err := spec.Check(); err != nil {
			return &exitError{exitUsage, err}
		}
		return p.withToken(ctx, &f, func(token *hsm.Token) error {
			key, err := token.Generate(ctx, spec)
			if err != nil {
				return err
			}
			public, err := publicPEM(key.Public())
			if err != nil {
				return err
			}
			if f.json {
				return p.printJSON(map[string]any{
					"token": token.Info().URI(), "label": key.Label(), "id": hex.EncodeToString(key.ID()),
					"algorithm": hsm.AlgorithmOf(key.Public()), "public_key": public, "proven": true,
				})
			}
			fmt.Fprintf(p.stdout, "key %s, id %x, %s\n%s", key.Label(), key.ID(), hsm.AlgorithmOf(key.Public()), public)
			return nil
		})
	})
	f.keyFlags(c)
	var names []string
	for _, a := range hsm.Algorithms() {
		names = append(names, string(a))
	}
	c.Flags().StringVar(&algorithm, "algorithm", string(hsm.P256), strings.Join(names, ", "))
	return c
}

func publicPEM(public crypto.PublicKey) (string, error) {
	if known, ok := public.(*gost.PublicKey); ok {
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: known.Marshal()})), nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("encode the public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}
