package main

import (
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/config"
)

// moduleFlags say which PKCS#11 module is meant, and what it calls GOST.
type moduleFlags struct {
	path string
	gost []string
}

func (f *moduleFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.path, "module", "", "PKCS#11 module (default $SENIM_TOKEN_MODULE, else SoftHSM2)")
	flags.StringArrayVar(&f.gost, "gost", nil, "the module's numbers for a kind of GOST key, as a row of token.gost: '{key: …, key_type: 0x…, sign: 0x…}'")
}

func (p *program) openModule(f moduleFlags) (*hsm.Module, error) {
	o := hsm.Options{Now: p.now}
	for _, row := range f.gost {
		g, err := config.ParseGOSTMechanism(row)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		numbers, err := gostMechanism(g)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		o.GOST = append(o.GOST, numbers)
	}
	path := f.path
	if path == "" {
		path = environment(p.environ, "SENIM_TOKEN_MODULE")
	}
	if path == "" {
		var err error
		if path, err = hsm.SoftHSMLibrary(); err != nil {
			return nil, err
		}
	}
	return hsm.OpenModule(path, o)
}
