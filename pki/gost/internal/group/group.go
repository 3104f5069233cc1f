package group

import "errors"

// Parameters of a curve y² = x³ + ax + b over the field of p, and of the base
// point (X, Y) of prime order Q (RFC 7091 §5.2). Numbers are big-endian, each of
// the curve's size.
type Parameters struct {
	P, A, B, Q, X, Y []byte
	// Cofactor is the order of the whole curve divided by Q: 1 or 4.
	Cofactor int
	// D is d of the Edwards form eu² + v² = 1 + du²v², e = 1, of RFC 7836 §5.2,
	// where the cofactor is 4.
	D []byte
}

// Why a point is no public key.
var (
	ErrLength     = errors.New("the length is not that of a point of the curve")
	ErrCoordinate = errors.New("a coordinate is not below the prime of the field")
	ErrOffCurve   = errors.New("the point is not on the curve")
	ErrSubgroup   = errors.New("the point is not in the group of the base point")
)
