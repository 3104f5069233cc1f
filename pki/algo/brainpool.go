package algo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"

	"github.com/senim-kz/senim/internal/fault"
)

// brainpool is an elliptic curve y² = x³ + ax + b of RFC 5639, for signatures to
// be verified. It computes with math/big in time that depends on the numbers:
// never give it a private key.
//
// It is an elliptic.Curve so that a key is an *ecdsa.PublicKey like any other.
// The standard library's own arithmetic for named parameters takes a = -3, which
// holds for the twisted half of these curves only.
type brainpool struct {
	params *elliptic.CurveParams
	a      *big.Int
}

var _ elliptic.Curve = (*brainpool)(nil)

// brainpools are the curves of RFC 5639 §3 from 224 bits up, the random (r1) and
// the twisted (t1) ones: name, last arc under 1.3.36.3.3.2.8.1.1, bits; p, a, b,
// the base point's x and y, its order q; all in hexadecimal.
var brainpools = []curve{
	newBrainpool("brainpoolP224r1", 5, 224,
		"d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff",
		"68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43",
		"2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b",
		"d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d",
		"58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd",
		"d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f"),
	newBrainpool("brainpoolP224t1", 6, 224,
		"d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff",
		"d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0fc",
		"4b337d934104cd7bef271bf60ced1ed20da14c08b3bb64f18a60888d",
		"6ab1e344ce25ff3896424e7ffe14762ecb49f8928ac0c76029b4d580",
		"374e9f5143e568cd23f3f4d7c0d4b1e41c8cc0d1c6abd5f1a46db4c",
		"d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f"),
	newBrainpool("brainpoolP256r1", 7, 256,
		"a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
		"7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
		"26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
		"8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
		"547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
		"a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
	newBrainpool("brainpoolP256t1", 8, 256,
		"a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
		"a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5374",
		"662c61c430d84ea4fe66a7733d0b76b7bf93ebc4af2f49256ae58101fee92b04",
		"a3e8eb3cc1cfe7b7732213b23a656149afa142c47aafbc2b79a191562e1305f4",
		"2d996c823439c56d7f7b22e14644417e69bcb6de39d027001dabe8f35b25c9be",
		"a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
	newBrainpool("brainpoolP320r1", 9, 320,
		"d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27",
		"3ee30b568fbab0f883ccebd46d3f3bb8a2a73513f5eb79da66190eb085ffa9f492f375a97d860eb4",
		"520883949dfdbc42d3ad198640688a6fe13f41349554b49acc31dccd884539816f5eb4ac8fb1f1a6",
		"43bd7e9afb53d8b85289bcc48ee5bfe6f20137d10a087eb6e7871e2a10a599c710af8d0d39e20611",
		"14fdd05545ec1cc8ab4093247f77275e0743ffed117182eaa9c77877aaac6ac7d35245d1692e8ee1",
		"d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311"),
	newBrainpool("brainpoolP320t1", 10, 320,
		"d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27",
		"d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e24",
		"a7f561e038eb1ed560b3d147db782013064c19f27ed27c6780aaf77fb8a547ceb5b4fef422340353",
		"925be9fb01afc6fb4d3e7d4990010f813408ab106c4f09cb7ee07868cc136fff3357f624a21bed52",
		"63ba3a7a27483ebf6671dbef7abb30ebee084e58a0b077ad42a5a0989d1ee71b1b9bc0455fb0d2c3",
		"d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311"),
	newBrainpool("brainpoolP384r1", 11, 384,
		"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
		"7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
		"4a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11",
		"1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e",
		"8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
		"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565"),
	newBrainpool("brainpoolP384t1", 12, 384,
		"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
		"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec50",
		"7f519eada7bda81bd826dba647910f8c4b9346ed8ccdc64e4b1abd11756dce1d2074aa263b88805ced70355a33b471ee",
		"18de98b02db9a306f2afcd7235f72a819b80ab12ebd653172476fecd462aabffc4ff191b946a5f54d8d0aa2f418808cc",
		"25ab056962d30651a114afd2755ad336747f93475b7a1fca3b88f2b6a208ccfe469408584dc2b2912675bf5b9e582928",
		"8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565"),
	newBrainpool("brainpoolP512r1", 13, 512,
		"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
		"7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
		"3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
		"81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
		"7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892",
		"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069"),
	newBrainpool("brainpoolP512t1", 14, 512,
		"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
		"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f0",
		"7cbbbcf9441cfab76e1890e46884eae321f70c0bcb4981527897504bec3e36a62bcdfa2304976540f6450085f2dae145c22553b465763689180ea2571867423e",
		"640ece5c12788717b9c1ba06cbc2a6feba85842458c56dde9db1758d39c0313d82ba51735cdb3ea499aa77a7d6943a64f7a3f25fe26f06b51baa2696fa9035da",
		"5b534bd595f5af0fa2c892376c84ace1bb4e3019b71634c01131159cae03cee9d9932184beef216bd71df2dadf86a627306ecff96dbb8bace198b61e00f8b332",
		"aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069"),
}

func newBrainpool(name string, arc, bits int, p, a, b, x, y, q string) curve {
	return curve{name, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, arc}, &brainpool{
		params: &elliptic.CurveParams{P: fromHex(p), N: fromHex(q), B: fromHex(b), Gx: fromHex(x), Gy: fromHex(y), BitSize: bits, Name: name},
		a:      fromHex(a),
	}}
}

func fromHex(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 16)
	return n
}

// Params gives the curve's parameters, of which a is missing: their own methods
// must not be used.
func (c *brainpool) Params() *elliptic.CurveParams { return c.params }

// IsOnCurve reports whether x and y are coordinates of a point.
func (c *brainpool) IsOnCurve(x, y *big.Int) bool {
	if x.Sign() < 0 || y.Sign() < 0 || x.Cmp(c.params.P) >= 0 || y.Cmp(c.params.P) >= 0 {
		return false
	}
	right := new(big.Int).Mul(x, x)
	right.Add(right, c.a).Mul(right, x).Add(right, c.params.B).Mod(right, c.params.P)
	left := new(big.Int).Mul(y, y)
	return left.Mod(left, c.params.P).Cmp(right) == 0
}

// Add adds two points; (0, 0), which is on none of the curves, is infinity.
func (c *brainpool) Add(x1, y1, x2, y2 *big.Int) (x, y *big.Int) {
	return c.affine(c.add(jacobian(x1, y1), jacobian(x2, y2)))
}

// Double doubles a point.
func (c *brainpool) Double(x1, y1 *big.Int) (x, y *big.Int) {
	return c.affine(c.double(jacobian(x1, y1)))
}

// ScalarMult multiplies a point with a number, most significant byte first.
func (c *brainpool) ScalarMult(x1, y1 *big.Int, k []byte) (x, y *big.Int) {
	return c.affine(c.combine(new(big.Int).SetBytes(k), jacobian(x1, y1), new(big.Int), point{}))
}

// ScalarBaseMult multiplies the base point with a number.
func (c *brainpool) ScalarBaseMult(k []byte) (x, y *big.Int) {
	return c.ScalarMult(c.params.Gx, c.params.Gy, k)
}

// point is X/Z², Y/Z³; without Z it is infinity.
type point struct{ x, y, z *big.Int }

func jacobian(x, y *big.Int) point {
	if x.Sign() == 0 && y.Sign() == 0 {
		return point{}
	}
	return point{x, y, big.NewInt(1)}
}

func (c *brainpool) affine(p point) (x, y *big.Int) {
	if p.z == nil {
		return new(big.Int), new(big.Int)
	}
	inverse := new(big.Int).ModInverse(p.z, c.params.P)
	square := c.times(inverse, inverse)
	return c.times(p.x, square), c.times(p.y, c.times(square, inverse))
}

func (c *brainpool) times(a, b *big.Int) *big.Int {
	r := new(big.Int).Mul(a, b)
	return r.Mod(r, c.params.P)
}

func (c *brainpool) minus(a, b *big.Int) *big.Int {
	r := new(big.Int).Sub(a, b)
	return r.Mod(r, c.params.P)
}

// double is dbl-2007-bl of the Explicit-Formulas Database.
func (c *brainpool) double(p point) point {
	if p.z == nil || p.y.Sign() == 0 {
		return point{}
	}
	xx, yy, zz := c.times(p.x, p.x), c.times(p.y, p.y), c.times(p.z, p.z)
	s := c.times(p.x, yy)
	s.Lsh(s, 2)
	m := new(big.Int).Mul(xx, big.NewInt(3))
	m.Add(m, c.times(c.a, c.times(zz, zz)))
	x := c.times(m, m)
	x = c.minus(x, new(big.Int).Lsh(s, 1))
	y := c.times(m, s.Sub(s, x))
	yyyy := c.times(yy, yy)
	y = c.minus(y, yyyy.Lsh(yyyy, 3))
	z := c.times(p.y, p.z)
	return point{x, y, c.times(z, big.NewInt(2))}
}

// add is the textbook addition, with the cases it does not cover.
func (c *brainpool) add(p, q point) point {
	switch {
	case p.z == nil:
		return q
	case q.z == nil:
		return p
	}
	pz, qz := c.times(p.z, p.z), c.times(q.z, q.z)
	u1, u2 := c.times(p.x, qz), c.times(q.x, pz)
	s1, s2 := c.times(p.y, c.times(qz, q.z)), c.times(q.y, c.times(pz, p.z))
	h, r := c.minus(u2, u1), c.minus(s2, s1)
	switch {
	case h.Sign() == 0 && r.Sign() == 0:
		return c.double(p)
	case h.Sign() == 0:
		return point{}
	}
	hh := c.times(h, h)
	hhh := c.times(hh, h)
	v := c.times(u1, hh)
	x := c.times(r, r)
	x.Sub(x, hhh)
	x = c.minus(x, new(big.Int).Lsh(v, 1))
	y := new(big.Int).Mul(r, v.Sub(v, x))
	y = c.minus(y, s1.Mul(s1, hhh))
	return point{x, y, c.times(h, c.times(p.z, q.z))}
}

// combine computes k·p + l·q with one run of doublings (Shamir's trick).
func (c *brainpool) combine(k *big.Int, p point, l *big.Int, q point) point {
	both := c.add(p, q)
	var sum point
	for i := max(k.BitLen(), l.BitLen()) - 1; i >= 0; i-- {
		sum = c.double(sum)
		switch k.Bit(i) | l.Bit(i)<<1 {
		case 1:
			sum = c.add(sum, p)
		case 2:
			sum = c.add(sum, q)
		case 3:
			sum = c.add(sum, both)
		}
	}
	return sum
}

// verify is the verification of SEC 1 §4.1.4. The result is the same as that of
// crypto/ecdsa over this curve, in half its time.
func (c *brainpool) verify(key *ecdsa.PublicKey, digest []byte, r, s *big.Int) bool {
	n := c.params.N
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return false
	}
	inverse := new(big.Int).ModInverse(s, n)
	u := leftmost(digest, n)
	u.Mul(u, inverse).Mod(u, n)
	v := inverse.Mul(r, inverse)
	v.Mod(v, n)
	x, y := c.affine(c.combine(u, jacobian(c.params.Gx, c.params.Gy), v, jacobian(key.X, key.Y)))
	if x.Sign() == 0 && y.Sign() == 0 {
		return false
	}
	return x.Mod(x, n).Cmp(r) == 0
}

// leftmost takes as many bits of a digest as an order has (SEC 1 §4.1.4 step 3,
// FIPS 186-4 §4.7).
func leftmost(digest []byte, order *big.Int) *big.Int {
	e := new(big.Int).SetBytes(digest)
	if excess := 8*len(digest) - order.BitLen(); excess > 0 {
		e.Rsh(e, uint(excess))
	}
	return e
}

// parsePoint reads an uncompressed point.
func (c *brainpool) parsePoint(b []byte) (*ecdsa.PublicKey, error) {
	size := (c.params.BitSize + 7) / 8
	if len(b) == 1+2*size && b[0] == 4 {
		x, y := new(big.Int).SetBytes(b[1:1+size]), new(big.Int).SetBytes(b[1+size:])
		if c.IsOnCurve(x, y) { // the cofactor is one: every point is of the base point's order
			return &ecdsa.PublicKey{Curve: c, X: x, Y: y}, nil
		}
	}
	return nil, fault.New(fault.PublicKeyInvalid, "", "not an uncompressed point on %s", c.params.Name)
}
