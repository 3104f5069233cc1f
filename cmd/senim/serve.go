package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
)

var sayConfigGood = text{"Баптау дұрыс.", "Настройки верны.", "The configuration is good."}

func (p *program) serveCommand() *cobra.Command {
	var path string
	var checkOnly bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the production service; it starts nothing else",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, p.environ)
			if err != nil {
				return err
			}
			if checkOnly {
				fmt.Fprintln(p.stdout, sayConfigGood.in(p.language))
				return nil
			}
			return p.serve(c.Context(), loaded)
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration file (docs/configuration.md)")
	c.Flags().BoolVar(&checkOnly, "check-config", false, "check the configuration and stop")
	if err := c.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined two lines up
	}
	return c
}

// serve runs the service until the context ends. Its log goes to stderr, for
// whatever supervises it.
func (p *program) serve(ctx context.Context, c *config.Config) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fault.Wrap(err, fault.AddressTaken, "listen", "listen on %s", c.Listen)
	}
	built, err := newService(ctx, c, listener, p.now, slog.New(slog.NewJSONHandler(p.stderr, nil)))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, built.close()) }()
	return built.run(ctx)
}
