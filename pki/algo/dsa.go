package algo

import (
	"crypto/dsa"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// DSA is here for evidence of former times and only verified; FIPS 186-5 has
// withdrawn it. Its lengths are those of FIPS 186-4 §4.2.
const dsaBitsMax = 3072

var dsaOrderBits = map[int]bool{160: true, 224: true, 256: true}

// parseDSAKey reads Dss-Parms and DSAPublicKey (RFC 3279 §2.3.2) and checks that
// the key is of the group (SP 800-89 §5.3.1). Parameters that a certificate
// inherits from its issuer are not looked up.
func parseDSAKey(params, der []byte) (*dsa.PublicKey, error) {
	if len(params) == 0 {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "DSA with parameters of the issuer")
	}
	bad := fault.New(fault.PublicKeyInvalid, "", "not a DSA key")
	s, k := cryptobyte.String(params), cryptobyte.String(der)
	var body cryptobyte.String
	p, q, g, y := new(big.Int), new(big.Int), new(big.Int), new(big.Int)
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1Integer(p) || !body.ReadASN1Integer(q) || !body.ReadASN1Integer(g) || !body.Empty() ||
		!k.ReadASN1Integer(y) || !k.Empty() {
		return nil, bad
	}
	if bits := p.BitLen(); p.Sign() <= 0 || q.Sign() <= 0 || bits < rsaBitsMin || bits > dsaBitsMax || !dsaOrderBits[q.BitLen()] {
		return nil, fault.New(fault.AlgorithmUnsupported, "", "DSA of %d and %d bits", p.BitLen(), q.BitLen())
	}
	one := big.NewInt(1)
	inGroup := func(v *big.Int) bool {
		return v.Cmp(one) > 0 && v.Cmp(p) < 0 && new(big.Int).Exp(v, q, p).Cmp(one) == 0
	}
	if p.Bit(0) == 0 || new(big.Int).Mod(new(big.Int).Sub(p, one), q).Sign() != 0 || !inGroup(g) || !inGroup(y) {
		return nil, bad
	}
	return &dsa.PublicKey{Parameters: dsa.Parameters{P: p, Q: q, G: g}, Y: y}, nil
}

// verifyDSA takes as much of the digest as q has bits, which crypto/dsa leaves
// to its caller.
func verifyDSA(key *dsa.PublicKey, digest []byte, r, s *big.Int) bool {
	e := leftmost(digest, key.Q)
	return dsa.Verify(key, e.FillBytes(make([]byte, (key.Q.BitLen()+7)/8)), r, s)
}
