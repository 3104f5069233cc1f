package gost

import (
	"encoding/asn1"
	"math/big"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost/internal/fold256"
	"github.com/senim-kz/senim/pki/gost/internal/fold512"
	"github.com/senim-kz/senim/pki/gost/internal/group"
	"github.com/senim-kz/senim/pki/gost/internal/mont256"
	"github.com/senim-kz/senim/pki/gost/internal/mont512"
)

// Curve is a set of parameters of RFC 7091 §5.2. There is one value of each.
type Curve struct {
	name string
	oids []asn1.ObjectIdentifier
	size int      // bytes of a coordinate, of r and of s
	q    *big.Int // the order of the base point

	newKey    func(xy []byte) (point, error)
	tableSize int

	// For secrets, in constant time.
	baseMultiply func(k []byte) []byte          // x‖y of k·G
	mulAdd       func(r, d, k, e []byte) []byte // r·d + k·e modulo q
}

// point is a public point in the arithmetic of its curve.
type point interface {
	verifier
	Precompute() verifier
}

// verifier checks that z1·G + z2·Q has x ≡ r; numbers are least significant
// byte first, below q.
type verifier interface {
	Verify(z1, z2, r []byte) bool
}

// The curves. Names are those of the RFCs; tc26-256-B, C and D are CryptoPro-A, B
// and C by other names, and so are the two exchange sets (RFC 4357 §11.4, RFC
// 7836 §A, RFC 9215 §B).
var (
	test256    = fallback256("id-GostR3410-2001-TestParamSet", group.Test2001, ru2001(0))
	cryptoProA = folded256("id-GostR3410-2001-CryptoPro-A-ParamSet", group.CryptoProA,
		ru2001(1), exchange(0), tc26(1, 2), kz2004A)
	cryptoProB = fallback256("id-GostR3410-2001-CryptoPro-B-ParamSet", group.CryptoProB, ru2001(2), tc26(1, 3))
	cryptoProC = fallback256("id-GostR3410-2001-CryptoPro-C-ParamSet", group.CryptoProC,
		ru2001(3), exchange(1), tc26(1, 4))
	tc26A256 = edwards256("id-tc26-gost-3410-2012-256-paramSetA", group.TC26A256, tc26(1, 1), kz2015A256)
	test512  = fallback512("id-tc26-gost-3410-12-512-paramSetTest", group.Test512, tc26(2, 0))
	tc26A512 = folded512("id-tc26-gost-3410-12-512-paramSetA", group.TC26A512, tc26(2, 1), kz2015A512)
	tc26B512 = fallback512("id-tc26-gost-3410-12-512-paramSetB", group.TC26B512, tc26(2, 2))
	tc26C512 = edwards512("id-tc26-gost-3410-2012-512-paramSetC", group.TC26C512, tc26(2, 3))
)

var curves = []*Curve{test256, cryptoProA, cryptoProB, cryptoProC, tc26A256, test512, tc26A512, tc26B512, tc26C512}

// aliases are other names of the curves: sets that are the same curve, spellings
// that differ between RFCs, and the short names in use. Kazakhstan's have no
// printed name.
var aliases = map[string]*Curve{
	"id-GostR3410-2001-CryptoPro-XchA-ParamSet": cryptoProA,
	"id-GostR3410-2001-CryptoPro-XchB-ParamSet": cryptoProC,
	"id-tc26-gost-3410-2012-256-paramSetB":      cryptoProA,
	"id-tc26-gost-3410-2012-256-paramSetC":      cryptoProB,
	"id-tc26-gost-3410-2012-256-paramSetD":      cryptoProC,
	"id-tc26-gost-3410-2012-512-paramSetTest":   test512,
	"id-tc26-gost-3410-2012-512-paramSetA":      tc26A512,
	"id-tc26-gost-3410-2012-512-paramSetB":      tc26B512,
	"id-tc26-gost-3410-12-512-paramSetC":        tc26C512,

	"CryptoPro-A": cryptoProA, "CryptoPro-B": cryptoProB, "CryptoPro-C": cryptoProC,
	"tc26-256-A": tc26A256, "tc26-256-B": cryptoProA, "tc26-256-C": cryptoProB, "tc26-256-D": cryptoProC,
	"tc26-512-Test": test512, "tc26-512-A": tc26A512, "tc26-512-B": tc26B512, "tc26-512-C": tc26C512,
	"KZ 2004-A": cryptoProA, "KZ 2015-256-A": tc26A256, "KZ 2015-512-A": tc26A512,
}

func ru2001(n int) asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, n} }
func exchange(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, n} }
func tc26(size, n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, size, n}
}

var (
	kz2004A    = asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1, 1}
	kz2015A256 = asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1, 1}
	kz2015A512 = asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2, 1}
)

// CurveByName finds a curve by a name of its parameter set as RFC 4357, 7836 and
// 9215 write it, or by a short one: CryptoPro-A to C, tc26-256-A to D,
// tc26-512-Test and A to C, KZ 2004-A, KZ 2015-256-A, KZ 2015-512-A.
func CurveByName(name string) (*Curve, error) {
	for _, c := range curves {
		if c.name == name {
			return c, nil
		}
	}
	if c, ok := aliases[name]; ok {
		return c, nil
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no GOST curve is named %q", name)
}

// CurveByOID finds a curve by an identifier of either family.
func CurveByOID(oid asn1.ObjectIdentifier) (*Curve, error) {
	for _, c := range curves {
		for _, o := range c.oids {
			if o.Equal(oid) {
				return c, nil
			}
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no GOST curve has the identifier %s", oid)
}

// Curves returns all curves, the short ones first.
func Curves() []*Curve { return append([]*Curve(nil), curves...) }

// Name is the name of the parameter set.
func (c *Curve) Name() string { return c.name }

// OIDs returns the identifiers of the set, its own first.
func (c *Curve) OIDs() []asn1.ObjectIdentifier {
	return append([]asn1.ObjectIdentifier(nil), c.oids...)
}

// Size is the length in bytes of a coordinate, of a private key and of a digest;
// a signature and a public key take twice as much.
func (c *Curve) Size() int { return c.size }

// Bits is the size of the field in bits, 256 or 512.
func (c *Curve) Bits() int { return 8 * c.size }

// The constructors pair each curve with the arithmetic for its prime.

func folded256(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := fold256.New(p)
	return (&Curve{
		newKey: adapt[*fold256.Key, *fold256.Table](c.NewKey), tableSize: fold256.TableSize,
		baseMultiply: c.BaseMultiply, mulAdd: mont256.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func edwards256(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := fold256.New(p)
	return (&Curve{
		newKey:    adapt[*fold256.EdwardsKey, *fold256.EdwardsTable](fold256.NewEdwards(c, p).NewKey),
		tableSize: fold256.EdwardsTableSize, baseMultiply: c.BaseMultiply, mulAdd: mont256.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func fallback256(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := mont256.New(p)
	return (&Curve{
		newKey: adapt[*mont256.Key, *mont256.Table](c.NewKey), tableSize: mont256.TableSize,
		baseMultiply: c.BaseMultiply, mulAdd: mont256.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func folded512(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := fold512.New(p)
	return (&Curve{
		newKey: adapt[*fold512.Key, *fold512.Table](c.NewKey), tableSize: fold512.TableSize,
		baseMultiply: c.BaseMultiply, mulAdd: mont512.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func edwards512(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := fold512.New(p)
	return (&Curve{
		newKey:    adapt[*fold512.EdwardsKey, *fold512.EdwardsTable](fold512.NewEdwards(c, p).NewKey),
		tableSize: fold512.EdwardsTableSize, baseMultiply: c.BaseMultiply, mulAdd: mont512.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func fallback512(name string, p group.Parameters, oids ...asn1.ObjectIdentifier) *Curve {
	c := mont512.New(p)
	return (&Curve{
		newKey: adapt[*mont512.Key, *mont512.Table](c.NewKey), tableSize: mont512.TableSize,
		baseMultiply: c.BaseMultiply, mulAdd: mont512.NewOrder(p.Q).MulAdd,
	}).named(name, p, oids)
}

func (c *Curve) named(name string, p group.Parameters, oids []asn1.ObjectIdentifier) *Curve {
	c.name, c.oids, c.size, c.q = name, oids, len(p.Q), new(big.Int).SetBytes(p.Q)
	return c
}

// adapt gives the four packages' keys, alike but each of its own type, one type.
func adapt[K interface {
	verifier
	Precompute() T
}, T verifier](newKey func([]byte) (K, error)) func([]byte) (point, error) {
	return func(xy []byte) (point, error) {
		k, err := newKey(xy)
		if err != nil {
			return nil, err
		}
		return adapted[K, T]{k}, nil
	}
}

type adapted[K interface {
	verifier
	Precompute() T
}, T verifier] struct{ key K }

func (a adapted[K, T]) Verify(z1, z2, r []byte) bool { return a.key.Verify(z1, z2, r) }
func (a adapted[K, T]) Precompute() verifier         { return a.key.Precompute() }
