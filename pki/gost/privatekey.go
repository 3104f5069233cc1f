package gost

import (
	"crypto"
	"io"
	"math/big"
	"slices"

	"github.com/senim-kz/senim/internal/fault"
)

// PrivateKey is a key in the memory of the program: for tests, the sandbox and a
// trader's PKCS#12 file. It cannot change, and may be used by several goroutines
// at once.
type PrivateKey struct {
	public PublicKey
	d      []byte // least significant byte first
}

var _ crypto.Signer = (*PrivateKey)(nil)

// GenerateKey makes a key from a source of randomness.
func GenerateKey(random io.Reader, a *KeyAlgorithm, c *Curve) (*PrivateKey, error) {
	for {
		d := make([]byte, c.size)
		if _, err := io.ReadFull(random, d); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "", "read randomness for a key")
		}
		if c.isScalar(d) {
			return NewPrivateKey(a, c, d)
		}
	}
}

// NewPrivateKey makes the key of a number d, least significant byte first, with
// 0 < d < q.
func NewPrivateKey(a *KeyAlgorithm, c *Curve, d []byte) (*PrivateKey, error) {
	if len(d) != c.size || !c.isScalar(d) {
		return nil, fault.New(fault.EncodingInvalid, "", "the private key is not a number of the group of %s", c.name)
	}
	public, err := NewPublicKey(a, c, c.baseMultiply(d))
	if err != nil {
		return nil, err
	}
	return &PrivateKey{*public, slices.Clone(d)}, nil
}

// isScalar reports whether 0 < k < q, in constant time: the borrow of k − q must
// come out, and some bit of k be set.
func (c *Curve) isScalar(k []byte) bool {
	q := little(c.q, c.size)
	var borrow, any int
	for i := range k {
		borrow = (int(k[i]) - int(q[i]) - borrow) >> 8 & 1
		any |= int(k[i])
	}
	return borrow == 1 && any != 0
}

// Public returns the *PublicKey.
func (k *PrivateKey) Public() crypto.PublicKey { return &k.public }

// Equal reports whether x is the same key.
func (k *PrivateKey) Equal(x crypto.PrivateKey) bool {
	other, ok := x.(*PrivateKey)
	return ok && k.public.Equal(&other.public) // the point determines d
}

// Sign signs a digest of exactly the curve's size. The options are the
// [Algorithm], which must be one of the key's; with any other options that name
// no hash function the key's own algorithm is used.
//
// The nonce is derived from key and digest (RFC 6979), and from bytes of random
// besides, where that is not nil (§3.6): a bad source of randomness does no harm,
// and a good one keeps an attacker from comparing two runs over one digest.
func (k *PrivateKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	algorithm, ok := opts.(*Algorithm)
	if !ok {
		if opts != nil && opts.HashFunc() != 0 {
			return nil, fault.New(fault.AlgorithmMismatch, "", "a GOST signature over %s", opts.HashFunc())
		}
		algorithm = k.public.algorithm.Algorithm()
	}
	if algorithm.Key != k.public.algorithm {
		return nil, fault.New(fault.AlgorithmKeyMismatch, "", "a %s key cannot make %s", k.public.algorithm.Name, algorithm.Name)
	}
	c := k.public.curve
	if len(digest) != c.size {
		return nil, fault.New(fault.AlgorithmMismatch, "", "a digest of %d bytes under a key of %d", len(digest), c.size)
	}
	var extra []byte
	if random != nil {
		extra = make([]byte, c.size)
		if _, err := io.ReadFull(random, extra); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "", "read randomness for a signature")
		}
	}
	r, s := k.sign(digest, extra)
	return join(algorithm.Layout, r, s), nil
}

// sign is RFC 7091 §6.1. Branches depend on the digest, on r and s, which become
// public, and on the rejection of a nonce, which has no part in the signature.
func (k *PrivateKey) sign(digest, extra []byte) (r, s []byte) {
	c := k.public.curve
	e := little(digestNumber(digest, c.q), c.size)
	nonces := newNonces(c, k.d, e, extra)
	for {
		nonce := nonces.next()
		x := c.baseMultiply(nonce)[:c.size]
		slices.Reverse(x)
		n := new(big.Int).SetBytes(x)
		r = little(n.Mod(n, c.q), c.size)
		s = c.mulAdd(r, k.d, nonce, e)
		if !isZero(r) && !isZero(s) {
			return r, s
		}
	}
}

func isZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 })
}
