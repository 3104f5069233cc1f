package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox"
)

// place says which installation an operator's command works on: the trial
// surroundings in a folder, or the production service of a configuration.
type place struct {
	data   string
	config string
}

func (w *place) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.data, "data", "", "folder of a running `senim up`")
	c.Flags().StringVar(&w.config, "config", "", "configuration of the production service")
	c.MarkFlagsMutuallyExclusive("data", "config")
	c.MarkFlagsOneRequired("data", "config")
}

// dsn finds the database's address: never from a flag, because it may carry a
// password.
func (w *place) dsn(environ []string) (string, error) {
	if w.data != "" {
		urls, err := readURLs(w.data)
		if err != nil {
			return "", err
		}
		return urls.Database, nil
	}
	c, err := config.Load(w.config, environ)
	if err != nil {
		return "", err
	}
	return readDSN(c)
}

func readDSN(c *config.Config) (string, error) {
	if c.Database.DSN != "" {
		return c.Database.DSN, nil
	}
	raw, err := os.ReadFile(c.Database.DSNFile)
	if err != nil {
		return "", fault.Wrap(err, fault.ConfigBad, "database.dsn_file", "cannot be read")
	}
	return strings.TrimSpace(string(raw)), nil
}

// openDatabase opens the place's database. The caller closes the pool.
func (p *program) openDatabase(ctx context.Context, w *place) (*pgxpool.Pool, error) {
	dsn, err := w.dsn(p.environ)
	if err != nil {
		return nil, err
	}
	return postgres.Open(ctx, dsn)
}

// actor is who an operator's command acts as, for the audit trail.
func actor() string { return fmt.Sprintf("operator:uid-%d", os.Getuid()) }

const urlsName = "urls.json"

// urls is what `senim up` writes to urls.json once everything answers.
type urls struct {
	API      string       `json:"api"`
	Docs     string       `json:"docs"`
	JWKS     string       `json:"jwks"`
	TSA      string       `json:"tsa"`
	Sandbox  sandbox.URLs `json:"sandbox"`
	Database string       `json:"database"` // PostgreSQL connection string
	Anchors  string       `json:"anchors"`  // folder of the sandbox's trust anchors
	Clients  string       `json:"clients"`  // folder of the keys of ready-made callers
}

func readURLs(dir string) (urls, error) {
	var u urls
	path := filepath.Join(dir, urlsName)
	raw, err := os.ReadFile(path)
	if err != nil {
		return u, fault.Wrap(err, fault.NotRunning, path, "start `senim up --data %s` first", dir)
	}
	if err := json.Unmarshal(raw, &u); err != nil {
		return u, fault.Wrap(err, fault.Unreadable, path, "is not what senim up writes")
	}
	return u, nil
}

// printJSON writes v as the one JSON object of a --json command.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
