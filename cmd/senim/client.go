package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// credentialFiles are the flags that say how a client proves itself.
type credentialFiles struct {
	jwks, certificate, newKey string
}

func (f *credentialFiles) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.jwks, "jwks", "", "file with the client's public JWK set (private_key_jwt)")
	c.Flags().StringVar(&f.certificate, "certificate", "", "file with the client's certificate (mTLS; RSA or ECDSA)")
	c.Flags().StringVar(&f.newKey, "new-key", "", "make a P-256 key, write the private JWK to this new file, register its public half")
	c.MarkFlagsOneRequired("jwks", "certificate", "new-key")
	c.MarkFlagsMutuallyExclusive("jwks", "new-key")
}

func (f *credentialFiles) read() (access.Credentials, error) {
	var c access.Credentials
	var err error
	if f.jwks != "" {
		if c.JWKS, err = os.ReadFile(f.jwks); err != nil {
			return c, fault.Wrap(err, fault.Unreadable, f.jwks, "read the JWK set")
		}
	}
	if f.certificate != "" {
		if c.Certificate, err = os.ReadFile(f.certificate); err != nil {
			return c, fault.Wrap(err, fault.Unreadable, f.certificate, "read the certificate")
		}
	}
	if f.newKey != "" {
		c.JWKS, err = newClientKey(f.newKey)
	}
	return c, err
}

// newClientKey makes a client's key, writes the private JWK to a new file that
// only its owner reads, and returns the public JWK set.
func newClientKey(path string) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make client key: %w", err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.ES256), Use: "sig"}
	raw, err := json.Marshal(key)
	if err != nil {
		return nil, fmt.Errorf("encode client key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, path, "make the key file")
	}
	if _, err = file.Write(raw); err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
}

func (p *program) clientCommand() *cobra.Command {
	c := &cobra.Command{Use: "client", Short: "Who may call the API", Args: cobra.NoArgs}
	c.AddCommand(p.clientAdd(), p.clientRotate(), p.clientDisable(), p.clientList())
	return c
}

func (p *program) clientAdd() *cobra.Command {
	var (
		where  place
		files  credentialFiles
		r      access.Registration
		role   string
		scopes []string
		bin    string
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "add ID",
		Short: "Register a system that may call the API",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pool, err := p.openDatabase(c.Context(), &where)
			if err != nil {
				return err
			}
			defer pool.Close()
			if bin != "" {
				if r.BIN, err = kz.ParseBIN(bin, kz.Full); err != nil {
					return err
				}
			}
			r.ID, r.Role = args[0], access.Role(role)
			if r.Name == "" {
				r.Name = r.ID
			}
			for _, s := range scopes {
				r.Scopes = append(r.Scopes, access.Scope(s))
			}
			if r.Credentials, err = files.read(); err != nil {
				return err
			}
			if err := access.NewClients(pool, p.now).Add(c.Context(), actor(), r); err != nil {
				return err
			}
			return p.clientDone(asJSON, r.ID, text{"тіркелді", "зарегистрирован", "registered"})
		},
	}
	where.flags(c)
	files.flags(c)
	c.Flags().StringVar(&r.Name, "name", "", "name for people (the ID if empty)")
	c.Flags().StringVar(&role, "role", "", "single_window, ministry, trader, treasury_operator, treasury_controller, payment_gateway, support or auditor")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "scopes (all of the role if none is given)")
	c.Flags().StringVar(&bin, "bin", "", "BIN that a trader's system acts for")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	if err := c.MarkFlagRequired("role"); err != nil {
		panic(err) // the flag is defined three lines up
	}
	return c
}

func (p *program) clientRotate() *cobra.Command {
	var (
		where  place
		files  credentialFiles
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "rotate ID",
		Short: "Replace a client's credentials",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pool, err := p.openDatabase(c.Context(), &where)
			if err != nil {
				return err
			}
			defer pool.Close()
			credentials, err := files.read()
			if err != nil {
				return err
			}
			if err := access.NewClients(pool, p.now).Rotate(c.Context(), actor(), args[0], credentials); err != nil {
				return err
			}
			return p.clientDone(asJSON, args[0], text{"кілті ауыстырылды", "ключ заменён", "has new credentials"})
		},
	}
	where.flags(c)
	files.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) clientDisable() *cobra.Command {
	var (
		where  place
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "disable ID",
		Short: "Bar a client; its tokens stop working within seconds",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pool, err := p.openDatabase(c.Context(), &where)
			if err != nil {
				return err
			}
			defer pool.Close()
			if err := access.NewClients(pool, p.now).Disable(c.Context(), actor(), args[0]); err != nil {
				return err
			}
			return p.clientDone(asJSON, args[0], text{"өшірілді", "отключён", "is disabled"})
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) clientList() *cobra.Command {
	var (
		where  place
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the registered clients",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			pool, err := p.openDatabase(c.Context(), &where)
			if err != nil {
				return err
			}
			defer pool.Close()
			clients, err := access.NewClients(pool, p.now).List(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(struct {
					Clients []access.Client `json:"clients"`
				}{clients})
			}
			for _, cl := range clients {
				state := text{"қосулы", "действует", "enabled"}
				if cl.DisabledAt != nil {
					state = text{"өшірулі", "отключён", "disabled"}
				}
				fmt.Fprintf(p.stdout, "%s\t%s\t%s\t%s\n", cl.ID, cl.Role, state.in(p.language), cl.Name)
			}
			return nil
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) clientDone(asJSON bool, id string, done text) error {
	if asJSON {
		return p.printJSON(map[string]string{"client_id": id, "result": done.en})
	}
	fmt.Fprintf(p.stdout, "%s %s\n", id, done.in(p.language))
	return nil
}
