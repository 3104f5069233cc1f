package algo

import (
	"crypto"
	_ "crypto/sha1" // the table's digests register themselves with crypto.Hash
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"hash"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// Digest is one row of the table of digests. Rows are shared: compare them by
// pointer.
type Digest struct {
	Name string // as policies write it: "SHA-256"
	OID  asn1.ObjectIdentifier
	URI  string // XML-DSig, RFC 9231
	Hash crypto.Hash
}

// The digests of the table.
var (
	SHA1   = &Digest{"SHA-1", asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, "http://www.w3.org/2000/09/xmldsig#sha1", crypto.SHA1}
	SHA224 = &Digest{"SHA-224", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 4}, "http://www.w3.org/2001/04/xmldsig-more#sha224", crypto.SHA224}
	SHA256 = &Digest{"SHA-256", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, "http://www.w3.org/2001/04/xmlenc#sha256", crypto.SHA256}
	SHA384 = &Digest{"SHA-384", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, "http://www.w3.org/2001/04/xmldsig-more#sha384", crypto.SHA384}
	SHA512 = &Digest{"SHA-512", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, "http://www.w3.org/2001/04/xmlenc#sha512", crypto.SHA512}
)

var digests = []*Digest{SHA1, SHA224, SHA256, SHA384, SHA512}

// oldSHA1URI is not in any standard; NUC RK's older libraries wrote it.
const oldSHA1URI = "http://www.w3.org/2001/04/xmldsig-more#sha1"

// New starts a computation.
func (d *Digest) New() hash.Hash { return d.Hash.New() }

// Size is the length of a digest in bytes.
func (d *Digest) Size() int { return d.Hash.Size() }

// Sum is the digest of b.
func (d *Digest) Sum(b []byte) []byte {
	h := d.New()
	h.Write(b)
	return h.Sum(nil)
}

// Identifier is what we write into CMS and OCSP: parameters absent for SHA-2
// (RFC 5754 §2), NULL for SHA-1 (RFC 3370 §2.1).
func (d *Digest) Identifier() Identifier {
	if d == SHA1 {
		return Identifier{OID: d.OID, Parameters: null}
	}
	return Identifier{OID: d.OID}
}

// DigestByOID finds a digest by its object identifier.
func DigestByOID(oid asn1.ObjectIdentifier) (*Digest, error) {
	for _, d := range digests {
		if d.OID.Equal(oid) {
			return d, nil
		}
	}
	return nil, unsupportedOID(oid)
}

// DigestByIdentifier finds a digest and checks that its parameters are absent
// or NULL, both of which must be accepted (RFC 5754 §2).
func DigestByIdentifier(id Identifier) (*Digest, error) {
	d, err := DigestByOID(id.OID)
	if err != nil {
		return nil, err
	}
	if !id.emptyParameters() {
		return nil, fault.New(fault.AlgorithmParametersInvalid, "", "%s takes no parameters", d.Name)
	}
	return d, nil
}

// DigestByURI finds a digest by its XML-DSig identifier.
func DigestByURI(uri string) (*Digest, error) {
	if uri == oldSHA1URI {
		return SHA1, nil
	}
	for _, d := range digests {
		if d.URI == uri {
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
