package cert

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/algo"
)

var oidDSA = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}

// Inheriting is the certificate with a usable key where its own is one of DSA
// without parameters: they are those of the issuer's key (RFC 3279 §2.3.2, RFC
// 5280 §6.1.4 f). Any other certificate is returned as it is.
func (c *Certificate) Inheriting(issuer *Certificate) *Certificate {
	if c.PublicKey != nil || len(c.KeyAlgorithm.Parameters) > 0 || issuer.PublicKey == nil ||
		!c.KeyAlgorithm.OID.Equal(oidDSA) || !issuer.KeyAlgorithm.OID.Equal(oidDSA) {
		return c
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		issuer.KeyAlgorithm.AddTo(b)
		b.AddASN1BitString(c.keyBits)
	})
	spki, err := b.Bytes()
	if err != nil {
		return c
	}
	pub, err := algo.ParsePublicKey(spki)
	if err != nil {
		return c
	}
	heir := *c
	heir.PublicKey, heir.KeyAlgorithm.Parameters = pub, issuer.KeyAlgorithm.Parameters
	return &heir
}
