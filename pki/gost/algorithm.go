package gost

import (
	"crypto"
	"encoding/asn1"
	"hash"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost/gost341194"
	"github.com/senim-kz/senim/pki/gost/streebog"
)

// Layout is how a signature is written down.
type Layout uint8

const (
	// LayoutKZ is r‖s, least significant byte first: Kazakhstan's certificates
	// and messages of all series.
	LayoutKZ Layout = iota + 1
	// LayoutRU is s‖r, most significant byte first (RFC 4491 §2.2.2, RFC 9215 §2.2).
	LayoutRU
)

// KeyAlgorithm is a kind of key: what an AlgorithmIdentifier of a
// SubjectPublicKeyInfo or PKCS#8 names.
type KeyAlgorithm struct {
	Name string
	OID  asn1.ObjectIdentifier
	Size int // of a coordinate, in bytes

	curves []asn1.ObjectIdentifier // the identifiers a key may name its curve by
}

// The kinds of keys.
var (
	KZ2004     = &KeyAlgorithm{"GOST 34.310-2004", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 1}, 32, []asn1.ObjectIdentifier{kz2004A}}
	KZ2015x256 = &KeyAlgorithm{"ST RK GOST R 34.10-2015 (256)", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 1}, 32, []asn1.ObjectIdentifier{kz2015A256}}
	KZ2015x512 = &KeyAlgorithm{"ST RK GOST R 34.10-2015 (512)", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 2}, 64, []asn1.ObjectIdentifier{kz2015A512}}

	RU2001     = &KeyAlgorithm{"GOST R 34.10-2001", asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}, 32, russian256}
	RU2012x256 = &KeyAlgorithm{"GOST R 34.10-2012 (256)", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, 32, russian256}
	RU2012x512 = &KeyAlgorithm{"GOST R 34.10-2012 (512)", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, 64,
		[]asn1.ObjectIdentifier{tc26(2, 0), tc26(2, 1), tc26(2, 2), tc26(2, 3)}}
)

var russian256 = []asn1.ObjectIdentifier{
	ru2001(0), ru2001(1), ru2001(2), ru2001(3), exchange(0), exchange(1),
	tc26(1, 1), tc26(1, 2), tc26(1, 3), tc26(1, 4),
}

var keyAlgorithms = []*KeyAlgorithm{KZ2004, KZ2015x256, KZ2015x512, RU2001, RU2012x256, RU2012x512}

// KeyAlgorithmByOID finds a kind of key.
func KeyAlgorithmByOID(oid asn1.ObjectIdentifier) (*KeyAlgorithm, error) {
	for _, a := range keyAlgorithms {
		if a.OID.Equal(oid) {
			return a, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no GOST key has the identifier %s", oid)
}

// Digest is a hash function of the family, with the identifiers that name it.
type Digest struct {
	Name string
	OIDs []asn1.ObjectIdentifier // the algorithm's first, then those of its parameter sets
	Size int
	New  func() hash.Hash
}

// The hash functions.
var (
	// GOST34311 is Kazakhstan's GOST 34.311-95: GOST R 34.11-94 with the Test
	// S-box, as its parameters 1.2.398.3.10.1.3.1.1.0 say.
	GOST34311 = &Digest{"GOST 34.311-95",
		[]asn1.ObjectIdentifier{{1, 2, 398, 3, 10, 1, 3, 1}, {1, 2, 398, 3, 10, 1, 3, 1, 1, 0}},
		gost341194.Size, func() hash.Hash { return gost341194.New(gost341194.TestParam) }}
	// GOSTR341194 is Russia's, whose identifier means the CryptoPro S-box (RFC
	// 4490 §2.1), and GOSTR341194Test the same with the Test S-box, which only
	// a key's parameters name.
	GOSTR341194 = &Digest{"GOST R 34.11-94",
		[]asn1.ObjectIdentifier{{1, 2, 643, 2, 2, 9}, {1, 2, 643, 2, 2, 30, 1}},
		gost341194.Size, func() hash.Hash { return gost341194.New(gost341194.CryptoPro) }}
	GOSTR341194Test = &Digest{"GOST R 34.11-94 (test parameters)",
		[]asn1.ObjectIdentifier{{1, 2, 643, 2, 2, 30, 0}},
		gost341194.Size, func() hash.Hash { return gost341194.New(gost341194.TestParam) }}
	Streebog256 = &Digest{"GOST R 34.11-2012 (256)",
		[]asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 1, 2, 2}, {1, 2, 398, 3, 10, 1, 3, 2}},
		streebog.Size256, streebog.New256}
	Streebog512 = &Digest{"GOST R 34.11-2012 (512)",
		[]asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 1, 2, 3}, {1, 2, 398, 3, 10, 1, 3, 3}},
		streebog.Size512, streebog.New512}
)

var digests = []*Digest{GOST34311, GOSTR341194, GOSTR341194Test, Streebog256, Streebog512}

// DigestByOID finds a hash function by its identifier or a parameter set's.
func DigestByOID(oid asn1.ObjectIdentifier) (*Digest, error) {
	for _, d := range digests {
		for _, o := range d.OIDs {
			if o.Equal(oid) {
				return d, nil
			}
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no GOST hash function has the identifier %s", oid)
}

// Algorithm is a signature algorithm: key, hash function and layout.
type Algorithm struct {
	Name   string
	OID    asn1.ObjectIdentifier
	Key    *KeyAlgorithm
	Digest *Digest
	Layout Layout
}

// The signature algorithms.
var (
	SignatureKZ2004     = &Algorithm{"GOST 34.310-2004 with GOST 34.311-95", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 1, 2}, KZ2004, GOST34311, LayoutKZ}
	SignatureKZ2015x256 = &Algorithm{"ST RK GOST R 34.10-2015 with GOST R 34.11-2015 (256)", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 1}, KZ2015x256, Streebog256, LayoutKZ}
	SignatureKZ2015x512 = &Algorithm{"ST RK GOST R 34.10-2015 with GOST R 34.11-2015 (512)", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 1, 2, 3, 2}, KZ2015x512, Streebog512, LayoutKZ}

	SignatureRU2001     = &Algorithm{"GOST R 34.10-2001 with GOST R 34.11-94", asn1.ObjectIdentifier{1, 2, 643, 2, 2, 3}, RU2001, GOSTR341194, LayoutRU}
	SignatureRU2012x256 = &Algorithm{"GOST R 34.10-2012 with GOST R 34.11-2012 (256)", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 2}, RU2012x256, Streebog256, LayoutRU}
	SignatureRU2012x512 = &Algorithm{"GOST R 34.10-2012 with GOST R 34.11-2012 (512)", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 3}, RU2012x512, Streebog512, LayoutRU}
)

var algorithms = []*Algorithm{
	SignatureKZ2004, SignatureKZ2015x256, SignatureKZ2015x512,
	SignatureRU2001, SignatureRU2012x256, SignatureRU2012x512,
}

// Algorithms returns all signature algorithms.
func Algorithms() []*Algorithm { return append([]*Algorithm(nil), algorithms...) }

// AlgorithmByOID finds a signature algorithm. The identifier of a key stands for
// the algorithm of that key: the SignerInfo of a CMS message often names its
// signature so (RFC 4490 §3, and Kazakhstan's C library).
func AlgorithmByOID(oid asn1.ObjectIdentifier) (*Algorithm, error) {
	for _, a := range algorithms {
		if a.OID.Equal(oid) || a.Key.OID.Equal(oid) {
			return a, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "no GOST signature has the identifier %s", oid)
}

// HashFunc makes an algorithm the options of [PrivateKey.Sign]. The standard
// library has no number for GOST's hash functions, so it is zero.
func (a *Algorithm) HashFunc() crypto.Hash { return 0 }

var _ crypto.SignerOpts = (*Algorithm)(nil)

// Verify checks a signature over a digest by this algorithm. A key of another
// algorithm is refused with algorithm_key_mismatch, a wrong signature with
// signature_invalid.
func (a *Algorithm) Verify(key *PublicKey, digest, signature []byte) error {
	if key.algorithm != a.Key {
		return fault.New(fault.AlgorithmKeyMismatch, "", "a %s key cannot check %s", key.algorithm.Name, a.Name)
	}
	return key.Verify(a.Layout, digest, signature)
}

// Algorithm returns the signature algorithm of a kind of key.
func (k *KeyAlgorithm) Algorithm() *Algorithm {
	for _, a := range algorithms {
		if a.Key == k {
			return a
		}
	}
	panic("gost: a key algorithm that is not of this package")
}
