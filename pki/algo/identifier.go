package algo

import (
	"bytes"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Identifier is an AlgorithmIdentifier (RFC 5280 §4.1.1.2) with its parameters
// as they were encoded; nil parameters are absent ones.
type Identifier struct {
	OID        asn1.ObjectIdentifier
	Parameters []byte
}

// null is the DER of NULL.
var null = []byte{0x05, 0x00}

// ReadIdentifier reads one AlgorithmIdentifier off s.
func ReadIdentifier(s *cryptobyte.String) (Identifier, bool) {
	var id Identifier
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !readOID(&body, &id.OID) {
		return Identifier{}, false
	}
	if body.Empty() {
		return id, true
	}
	var params cryptobyte.String
	var tag cbasn1.Tag
	if !body.ReadAnyASN1Element(&params, &tag) || !body.Empty() {
		return Identifier{}, false
	}
	if id.Parameters = null; !bytes.Equal(params, null) {
		id.Parameters = bytes.Clone(params)
	}
	return id, true
}

// readOID reads an object identifier off s; one of the table is not made anew.
func readOID(s *cryptobyte.String, oid *asn1.ObjectIdentifier) bool {
	rest := *s
	var element cryptobyte.String
	if rest.ReadASN1Element(&element, cbasn1.OBJECT_IDENTIFIER) {
		if known, ok := byEncoding[string(element)]; ok {
			*s, *oid = rest, known
			return true
		}
	}
	return s.ReadASN1ObjectIdentifier(oid)
}

// byEncoding are the identifiers of the table by their DER, and dotted their dotted
// forms by where they begin.
var byEncoding, dotted = indexEncodings()

func indexEncodings() (map[string]asn1.ObjectIdentifier, map[*int]string) {
	index, texts := make(map[string]asn1.ObjectIdentifier), make(map[*int]string)
	add := func(oid asn1.ObjectIdentifier) {
		var b cryptobyte.Builder
		b.AddASN1ObjectIdentifier(oid)
		index[string(b.BytesOrPanic())] = oid
		texts[&oid[0]] = oid.String()
	}
	for _, d := range digests {
		add(d.OID)
	}
	for _, s := range signatures {
		add(s.OID)
	}
	for _, oid := range []asn1.ObjectIdentifier{oidRSA, oidPSS, oidECPublicKey, oidDSA} {
		add(oid)
	}
	return index, texts
}

// Dotted is the identifier's OID as people write it, made beforehand for those of
// the table.
func (id Identifier) Dotted() string {
	if len(id.OID) > 0 {
		if known := dotted[&id.OID[0]]; known != "" {
			return known
		}
	}
	return id.OID.String()
}

// ParseIdentifier reads an AlgorithmIdentifier that is all of der.
func ParseIdentifier(der []byte) (Identifier, error) {
	s := cryptobyte.String(der)
	id, ok := ReadIdentifier(&s)
	if !ok || !s.Empty() {
		return Identifier{}, fault.New(fault.EncodingInvalid, "", "not an AlgorithmIdentifier")
	}
	return id, nil
}

// AddTo writes the identifier into b.
func (id Identifier) AddTo(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id.OID)
		b.AddBytes(id.Parameters)
	})
}

// Same reports whether two identifiers name one algorithm. Absent parameters
// and NULL count as the same: NUC RK's CRLs write NULL in the outer identifier
// and nothing in the signed one.
func (id Identifier) Same(other Identifier) bool {
	return id.OID.Equal(other.OID) &&
		(bytes.Equal(id.Parameters, other.Parameters) || (id.emptyParameters() && other.emptyParameters()))
}

// emptyParameters reports whether the parameters are absent or NULL.
func (id Identifier) emptyParameters() bool {
	return len(id.Parameters) == 0 || bytes.Equal(id.Parameters, null)
}

// Name is the name of the algorithm in this table, or the dotted OID.
func (id Identifier) Name() string { return NameOf(id.Dotted()) }

// Name is the name under which the table knows a digest, signature or key
// algorithm, supported or not, or else the dotted OID.
func Name(oid asn1.ObjectIdentifier) string { return NameOf(oid.String()) }

// NameOf is Name for an identifier that is written out already.
func NameOf(dotted string) string {
	if name, ok := names[dotted]; ok {
		return name
	}
	return dotted
}

var names = indexNames()

func indexNames() map[string]string {
	index := make(map[string]string)
	for _, d := range digests {
		index[d.OID.String()] = d.Name
		if d.gost != nil {
			for _, oid := range d.gost.OIDs {
				index[oid.String()] = d.Name
			}
		}
	}
	for _, s := range signatures {
		index[s.OID.String()] = s.Name
		if s.gost != nil {
			index[s.gost.Key.OID.String()] = s.gost.Key.Name
		}
	}
	for _, o := range obsolete {
		index[o.oid.String()] = o.name
	}
	index[oidPSS.String()] = "RSASSA-PSS"
	index[oidRSA.String()] = "RSA"
	index[oidECPublicKey.String()] = "ECDSA"
	index[oidDSA.String()] = "DSA"
	for _, a := range strangers {
		index[a.oid] = a.name
	}
	return index
}
