//go:build !linux

package hsmtest

import (
	"testing"

	"github.com/senim-kz/senim/hsm"
)

// PIVCard is the virtual card in a reader of its own.
type PIVCard struct {
	Module      *hsm.Module
	URI         string
	PIN         hsm.PIN
	PINFile     string
	ModulePath  string
	Environment []string
}

// Card skips: the virtual reader is used on Linux.
func Card(t testing.TB, _ ...func(*hsm.Options)) *PIVCard {
	t.Skip("the virtual card runs on Linux")
	return nil
}

// Insert has no reader to put the card into.
func (c *PIVCard) Insert(testing.TB) {}

// InsertAnother has no reader to put a card into.
func (c *PIVCard) InsertAnother(testing.TB) {}

// WaitForToken has no card to wait for.
func (c *PIVCard) WaitForToken(testing.TB) string { return "" }

// WaitForNone has no card to see go.
func (c *PIVCard) WaitForNone(testing.TB) {}

// Pull has no card to pull.
func (c *PIVCard) Pull(testing.TB) {}

// OpenCryptoki skips: its daemon runs on Linux.
func OpenCryptoki(t testing.TB) (module *hsm.Module, uri string, pin hsm.PIN) {
	t.Skip("opencryptoki runs on Linux")
	return nil, "", hsm.PIN{}
}
