package algo

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha3" // registers itself with crypto.Hash, as the others do
	"crypto/sha512"
	"encoding/asn1"
	"hash"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// Digest is one row of the table of digests. Rows are shared: compare them by
// pointer.
type Digest struct {
	Name string // as policies write it: "SHA-256"
	OID  asn1.ObjectIdentifier
	URI  string      // XML-DSig, RFC 9231; "" if it has none
	Hash crypto.Hash // 0 for GOST, which the standard library has no number for

	// gost computes the digest if Hash does not. Its further identifiers, those
	// of the Russian family and of parameter sets, name the same row.
	gost *gost.Digest

	info []byte // before the digest in RSA's padding; nil for GOST
}

const (
	xmldsig2001  = "http://www.w3.org/2001/04/xmldsig-more#"
	xmlenc2001   = "http://www.w3.org/2001/04/xmlenc#"
	xmlPKIGOVKZ  = "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:"
	xmldsig2007  = "http://www.w3.org/2007/05/xmldsig-more#"
	xmldsig2000  = "http://www.w3.org/2000/09/xmldsig#"
	xmldsig2021  = "http://www.w3.org/2021/04/xmldsig-more#"
	xmldsig11    = "http://www.w3.org/2009/xmldsig11#"
	gost34311URI = xmldsig2001 + "gost34311"
)

// The digests of the table.
var (
	SHA1       = nist("SHA-1", asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, xmldsig2000+"sha1", crypto.SHA1)
	SHA224     = nist("SHA-224", sha2OID(4), xmldsig2001+"sha224", crypto.SHA224)
	SHA256     = nist("SHA-256", sha2OID(1), xmlenc2001+"sha256", crypto.SHA256)
	SHA384     = nist("SHA-384", sha2OID(2), xmldsig2001+"sha384", crypto.SHA384)
	SHA512     = nist("SHA-512", sha2OID(3), xmlenc2001+"sha512", crypto.SHA512)
	SHA512x224 = nist("SHA-512/224", sha2OID(5), "", crypto.SHA512_224)
	SHA512x256 = nist("SHA-512/256", sha2OID(6), "", crypto.SHA512_256)
	SHA3x224   = nist("SHA3-224", sha2OID(7), xmldsig2007+"sha3-224", crypto.SHA3_224)
	SHA3x256   = nist("SHA3-256", sha2OID(8), xmldsig2007+"sha3-256", crypto.SHA3_256)
	SHA3x384   = nist("SHA3-384", sha2OID(9), xmldsig2007+"sha3-384", crypto.SHA3_384)
	SHA3x512   = nist("SHA3-512", sha2OID(10), xmldsig2007+"sha3-512", crypto.SHA3_512)

	// GOST34311 is Kazakhstan's GOST 34.311-95, which is GOST R 34.11-94 with
	// the Test S-box; Russia's has the CryptoPro S-box. Streebog is GOST R
	// 34.11-2012, in Kazakhstan 34.11-2015, under identifiers of both.
	GOST34311   = ofGOST("GOST 34.311-95", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 3, 1}, gost34311URI, gost.GOST34311)
	GOSTR341194 = ofGOST("GOST R 34.11-94", asn1.ObjectIdentifier{1, 2, 643, 2, 2, 9}, "", gost.GOSTR341194)
	Streebog256 = ofGOST("Streebog-256", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 3, 2}, xmlPKIGOVKZ+"gostr34112015-256", gost.Streebog256)
	Streebog512 = ofGOST("Streebog-512", asn1.ObjectIdentifier{1, 2, 398, 3, 10, 1, 3, 3}, xmlPKIGOVKZ+"gostr34112015-512", gost.Streebog512)
)

var digests = []*Digest{
	SHA1, SHA224, SHA256, SHA384, SHA512, SHA512x224, SHA512x256, SHA3x224, SHA3x256, SHA3x384, SHA3x512,
	GOST34311, GOSTR341194, Streebog256, Streebog512,
}

func nist(name string, oid asn1.ObjectIdentifier, uri string, h crypto.Hash) *Digest {
	return &Digest{Name: name, OID: oid, URI: uri, Hash: h, info: digestInfo(oid, h.Size())}
}

func ofGOST(name string, oid asn1.ObjectIdentifier, uri string, d *gost.Digest) *Digest {
	return &Digest{Name: name, OID: oid, URI: uri, gost: d}
}

// sha2OID is an identifier under NIST's hashAlgs.
func sha2OID(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, n}
}

// oldSHA1URI is not in any standard; NUC RK's older libraries wrote it.
const oldSHA1URI = xmldsig2001 + "sha1"

// New starts a computation.
func (d *Digest) New() hash.Hash {
	if d.gost != nil {
		return d.gost.New()
	}
	return d.Hash.New()
}

// Size is the length of a digest in bytes.
func (d *Digest) Size() int {
	if d.gost != nil {
		return d.gost.Size
	}
	return d.Hash.Size()
}

// Sum is the digest of b.
func (d *Digest) Sum(b []byte) []byte {
	switch d.Hash { // one allocation instead of two
	case crypto.SHA1:
		sum := sha1.Sum(b)
		return sum[:]
	case crypto.SHA256:
		sum := sha256.Sum256(b)
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(b)
		return sum[:]
	}
	h := d.New()
	h.Write(b)
	return h.Sum(nil)
}

// Identifier is what we write into CMS and OCSP: parameters absent for SHA-2
// (RFC 5754 §2), NULL for SHA-1 (RFC 3370 §2.1) and, as NUC RK's tools do, for
// GOST.
func (d *Digest) Identifier() Identifier {
	if d == SHA1 || d.gost != nil {
		return Identifier{OID: d.OID, Parameters: null}
	}
	return Identifier{OID: d.OID}
}

// IdentifierBeside is what we write beside a signature of a key. Under a key of
// Russia's GOST its digests go by Russia's identifiers, without parameters (RFC
// 9215 §2.2): nobody there knows Kazakhstan's.
func (d *Digest) IdentifierBeside(public crypto.PublicKey) Identifier {
	key, ok := public.(*gost.PublicKey)
	if !ok || key.Algorithm().Algorithm().Layout == gost.LayoutKZ {
		return d.Identifier()
	}
	named, err := key.Digest()
	if err != nil {
		return d.Identifier()
	}
	return Identifier{OID: named.OIDs[0]}
}

// digestOfGOST is the row of a digest of pki/gost. Russia's with the test
// parameters is the function that Kazakhstan calls GOST 34.311-95.
func digestOfGOST(g *gost.Digest) *Digest {
	if g == gost.GOSTR341194Test {
		return GOST34311
	}
	for _, d := range digests {
		if d.gost == g {
			return d
		}
	}
	return nil
}

// DigestByOID finds a digest by its object identifier. Those of GOST's parameter
// sets are taken for the digest, since Kazakhstan's messages write them so.
func DigestByOID(oid asn1.ObjectIdentifier) (*Digest, error) {
	for _, d := range digests {
		if d.OID.Equal(oid) {
			return d, nil
		}
	}
	if g, err := gost.DigestByOID(oid); err == nil {
		return digestOfGOST(g), nil
	}
	return nil, unsupportedOID(oid)
}

// DigestByIdentifier finds a digest and checks that its parameters are absent
// or NULL, both of which must be accepted (RFC 5754 §2). GOST R 34.11-94 may
// name its S-box there by the identifier of a parameter set.
func DigestByIdentifier(id Identifier) (*Digest, error) {
	d, err := DigestByOID(id.OID)
	if err != nil {
		return nil, err
	}
	if id.emptyParameters() {
		return d, nil
	}
	if d == GOST34311 || d == GOSTR341194 {
		var set asn1.ObjectIdentifier
		if rest, err := asn1.Unmarshal(id.Parameters, &set); err == nil && len(rest) == 0 {
			if named, err := DigestByOID(set); err == nil && (named == GOST34311 || named == GOSTR341194) {
				return named, nil
			}
		}
	}
	return nil, fault.New(fault.AlgorithmParametersInvalid, "", "%s takes no such parameters", d.Name)
}

// DigestByURI finds a digest by its XML-DSig identifier.
func DigestByURI(uri string) (*Digest, error) {
	if uri == oldSHA1URI {
		return SHA1, nil
	}
	for _, d := range digests {
		if d.URI == uri && uri != "" {
			return d, nil
		}
	}
	return nil, unsupportedURI(uri)
}

// DigestByName finds a digest by the name people type: "SHA-256", "sha256".
func DigestByName(name string) (*Digest, error) {
	for _, d := range digests {
		if strings.EqualFold(name, d.Name) || strings.EqualFold(name, strings.ReplaceAll(d.Name, "-", "")) {
			return d, nil
		}
	}
	return nil, fault.New(fault.AlgorithmUnsupported, "", "digest %.40q", name)
}
