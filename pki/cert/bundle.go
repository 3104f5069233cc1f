package cert

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"

	"go.mozilla.org/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/ber"
)

// Limits of a bundle: a national trust list fits many times over.
const (
	bundleSizeMax         = 8 << 20
	bundleCertificatesMax = 2000
)

// bundleLimits bound the BER of a PKCS#7 bundle.
var bundleLimits = ber.Limits{Bytes: bundleSizeMax, Depth: 32, Elements: 1 << 18}

// ParseBundle reads certificates from a file in PEM (certificates and PKCS#7),
// in DER, or in PKCS#7, told apart by content. A bundle without any
// certificate, or with one that does not parse, is refused whole.
func ParseBundle(data []byte) ([]*Certificate, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "an empty certificate file")
	}
	if len(data) > bundleSizeMax {
		return nil, fault.New(fault.InputTooBig, "", "a certificate file of %d bytes, at most %d", len(data), bundleSizeMax)
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return parsePEM(data)
	}
	return parseBlock(data)
}

func parsePEM(data []byte) ([]*Certificate, error) {
	var all []*Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS":
			certs, err := parseBlock(block.Bytes)
			if err != nil {
				return nil, err
			}
			all = append(all, certs...)
		}
		if len(all) > bundleCertificatesMax {
			return nil, fault.New(fault.InputTooBig, "", "more than %d certificates", bundleCertificatesMax)
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.CertificateUnreadable, "", "the PEM file holds no certificate")
	}
	return all, nil
}

// parseBlock reads one certificate or one PKCS#7 SignedData. The latter starts
// with an object identifier inside its SEQUENCE, a certificate with another
// SEQUENCE.
func parseBlock(der []byte) ([]*Certificate, error) {
	c, err := Parse(der)
	if err == nil {
		return []*Certificate{c}, nil
	}
	bundle, berErr := ber.ToDER(der, bundleLimits)
	if berErr != nil {
		return nil, err
	}
	inner, ok := bundled(bundle)
	if !ok {
		return nil, err
	}
	if n := len(inner); n == 0 || n > bundleCertificatesMax {
		return nil, fault.New(fault.CertificateUnreadable, "", "a PKCS#7 bundle of %d certificates", n)
	}
	var all []*Certificate
	for _, raw := range inner {
		c, err := Parse(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// bundled gives the certificates of a SignedData in DER. pkcs7 has crypto/x509
// parse them, which refuses whole bundles for one key on a curve that it does not
// know, such as brainpool's; those are walked through here (RFC 5652 §5.1).
func bundled(der []byte) (certificates [][]byte, ok bool) {
	if p7, err := pkcs7.Parse(der); err == nil {
		for _, c := range p7.Certificates {
			certificates = append(certificates, c.Raw)
		}
		return certificates, true
	}
	input := cryptobyte.String(der)
	var info, explicit, body, set, certificate cryptobyte.String
	var contentType asn1.ObjectIdentifier
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !input.Empty() ||
		!info.ReadASN1ObjectIdentifier(&contentType) || !contentType.Equal(pkcs7.OIDSignedData) ||
		!info.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) || !info.Empty() ||
		!explicit.ReadASN1(&body, cbasn1.SEQUENCE) || !explicit.Empty() ||
		!body.SkipASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SET) || !body.SkipASN1(cbasn1.SEQUENCE) ||
		!body.ReadASN1(&set, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, false
	}
	for !set.Empty() {
		if !set.ReadASN1Element(&certificate, cbasn1.SEQUENCE) {
			return nil, false
		}
		certificates = append(certificates, certificate)
	}
	return certificates, true
}
