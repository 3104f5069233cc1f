package main

import (
	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/hsm"
)

// pinFlags say where the PIN of a token, or the password of a key file, is: never
// what it is.
type pinFlags struct{ file, environment, credential string }

// add adds the flags; of is what they are about, for the help.
func (f *pinFlags) add(c *cobra.Command, of string) {
	flags := c.Flags()
	flags.StringVar(&f.file, "pin-file", "", "file with the "+of+" (its first line)")
	flags.StringVar(&f.environment, "pin-env", "", "environment variable with the "+of)
	flags.StringVar(&f.credential, "pin-credential", "", "systemd credential with the "+of)
	c.MarkFlagsMutuallyExclusive("pin-file", "pin-env", "pin-credential")
}

// pin is where the PIN is; without a flag a person is asked.
func (f *pinFlags) pin() hsm.PIN {
	switch {
	case f.file != "":
		return hsm.PINFile(f.file)
	case f.environment != "":
		return hsm.PINEnvironment(f.environment)
	case f.credential != "":
		return hsm.PINCredential(f.credential)
	}
	return hsm.PINPrompt()
}
