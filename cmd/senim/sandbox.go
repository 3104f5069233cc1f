package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/sandbox"
)

var saySandbox = text{
	"Мемлекеттік жүйелердің стендтері дайын. Тоқтату үшін Ctrl-C.",
	"Стенды государственных систем готовы. Остановить: Ctrl-C.",
	"The stand-ins of the state systems are ready. Ctrl-C stops them.",
}

func (p *program) sandboxCommand() *cobra.Command {
	var data, callback string
	var asJSON bool
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Run only the stand-ins of the state systems",
		Long: `Runs what ` + "`senim up`" + ` runs around the service, without the service and its
database: NUC RK (OCSP, CRL, TSP, time), ШЭП with ГБД ЮЛ, ПШЭП with a bank, all
on loopback. Their addresses are printed and written to DIR/urls.json, the trust
anchors to DIR/anchors. A later ` + "`senim up`" + ` on the same folder continues with
them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.sandbox(c.Context(), surroundingsConfig{Dir: data, Now: p.now}, callback, asJSON)
		},
	}
	c.Flags().StringVar(&data, "data", "senim-data", "folder that keeps everything")
	c.Flags().StringVar(&callback, "callback", "", "URL that ПШЭП tells of payments; they wait for it if empty")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// sandboxURLs is urls.json of the stand-ins alone: the same keys as all of
// `senim up` has, without those of the service.
type sandboxURLs struct {
	TSA     string       `json:"tsa"`
	Sandbox sandbox.URLs `json:"sandbox"`
	Anchors string       `json:"anchors"`
}

// sandbox runs until the context ends.
func (p *program) sandbox(ctx context.Context, c surroundingsConfig, callback string, asJSON bool) (err error) {
	dir, err := dataFolder(c.Dir)
	if err != nil {
		return err
	}
	around := &surroundings{dir: dir, now: p.now}
	defer func() { err = errors.Join(err, around.close()) }()
	if err := around.makeFolders(ctx, c); err != nil {
		return err
	}
	if err := around.startSandbox(ctx, c); err != nil {
		return err
	}
	if callback != "" {
		if err := around.sandbox.Connect(callback); err != nil {
			return err
		}
	}
	u := sandboxURLs{TSA: around.sandbox.URLs().NCA.TSP, Sandbox: around.sandbox.URLs(), Anchors: around.path(anchorsName)}
	raw, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", urlsName, err)
	}
	if err := writeFileAtomically(around.path(urlsName), raw); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(around.path(urlsName))) }()
	if asJSON {
		fmt.Fprintln(p.stderr, saySandbox.in(p.language))
		err = p.printJSON(u)
	} else {
		p.showSandbox(u)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (p *program) showSandbox(u sandboxURLs) {
	for _, line := range []struct{ name, value string }{
		{"tsa", u.TSA}, {"ocsp", u.Sandbox.NCA.OCSP}, {"crl", u.Sandbox.NCA.CRL}, {"time", fmt.Sprint(u.Sandbox.Time)},
		{"shep", u.Sandbox.SHEP}, {"pshep", u.Sandbox.PSHEP}, {"bank", u.Sandbox.Bank}, {"statements", u.Sandbox.Statements},
		{"control", u.Sandbox.Control.NCA}, {"", u.Sandbox.Control.SHEP}, {"", u.Sandbox.Control.PSHEP}, {"anchors", u.Anchors},
	} {
		fmt.Fprintf(p.stdout, "  %-11s %s\n", line.name, line.value)
	}
	fmt.Fprintln(p.stdout, saySandbox.in(p.language))
}
