package cades

import (
	"context"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/tsp"
)

// Level is a baseline level of EN 319 122-1 §6.
type Level uint8

// The levels, each with all that is in the one before.
const (
	B   Level = iota // signed, with a protected reference to the certificate
	T                // a time-stamp proves when it existed at the latest
	LT               // certificates and revocation information to validate it with
	LTA              // an archive time-stamp protects those, and is renewed
)

var levelNames = [...]string{"B", "T", "LT", "LTA"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel reads B, T, LT or LTA, in either case.
func ParseLevel(name string) (Level, error) {
	for l, known := range levelNames {
		if strings.EqualFold(name, known) {
			return Level(l), nil
		}
	}
	return 0, fault.New(fault.BadArgument, "", "%.20q is no level: B, T, LT or LTA", name)
}

// Stamper asks a time-stamping authority for a token over a digest and has
// verified what it returns. signer/tsa's Client is one; this package may not
// import it.
type Stamper interface {
	// Digest is the algorithm of imprints that nothing else decides.
	Digest() *algo.Digest
	StampDigest(ctx context.Context, d *algo.Digest, sum []byte) (*tsp.Token, error)
}
