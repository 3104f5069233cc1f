package main

import "github.com/spf13/cobra"

// certCommand holds what is about one certificate.
func (p *program) certCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cert",
		Short: "Look at certificates and validate them",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(p.certShowCommand(), p.certVerifyCommand())
	return c
}
