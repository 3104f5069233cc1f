package pkcs12

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/ber"
	"github.com/senim-kz/senim/pki/gost"
)

// readShrouded decrypts EncryptedPrivateKeyInfo (RFC 5958 §3).
func (r *reader) readShrouded(value, attributes cryptobyte.String) error {
	const at = "/pkcs8ShroudedKeyBag"
	var body cryptobyte.String
	var ciphertext []byte
	if !value.ReadASN1(&body, cbasn1.SEQUENCE) || !value.Empty() {
		return unreadable(at, "not a SEQUENCE")
	}
	id, ok := algo.ReadIdentifier(&body)
	if !ok || !body.ReadASN1Bytes(&ciphertext, cbasn1.OCTET_STRING) || !body.Empty() {
		return unreadable(at, "not an algorithm and a ciphertext")
	}
	plain, err := r.decrypt(at, id, ciphertext)
	if err != nil {
		return err
	}
	return r.readKey(plain, attributes)
}

// readKey reads a PrivateKeyInfo of any kind of key.
func (r *reader) readKey(info, attributes cryptobyte.String) error {
	const at = "/privateKey"
	if len(info) > keyMax {
		return fault.New(fault.InputTooBig, at, "a private key of %d bytes, at most %d", len(info), keyMax)
	}
	der, err := ber.ToDER(info, limits)
	if err != nil {
		return err
	}
	key := Key{}
	if key.Signer, err = parsePrivateKey(at, der); err != nil {
		return err
	}
	if err := key.readAttributes(attributes); err != nil {
		return err
	}
	r.out.Keys = append(r.out.Keys, key)
	return nil
}

func parsePrivateKey(at string, der []byte) (crypto.Signer, error) {
	s := cryptobyte.String(der)
	var body cryptobyte.String
	var version int
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || !body.ReadASN1Integer(&version) {
		return nil, unreadable(at, "not a PrivateKeyInfo")
	}
	id, ok := algo.ReadIdentifier(&body)
	if !ok {
		return nil, unreadable(at, "no algorithm")
	}
	if _, err := gost.KeyAlgorithmByOID(id.OID); err == nil {
		return gost.ParsePrivateKey(der)
	}
	// What the error says of a private key stays here.
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, unreadable(at, "not a private key of %s that can be read", id.Name())
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.AlgorithmUnsupported, at, "a key of %s does not sign", id.Name())
	}
	return signer, nil
}

// readAttributes reads the name and the identifier of a bag (RFC 2985 §5.5); it
// may have neither, and others.
func (k *Key) readAttributes(s cryptobyte.String) error {
	if s.Empty() {
		return nil
	}
	var set cryptobyte.String
	if !s.ReadASN1(&set, cbasn1.SET) || !s.Empty() {
		return unreadable("/bagAttributes", "not a SET")
	}
	for !set.Empty() {
		var attribute, values cryptobyte.String
		var kind asn1.ObjectIdentifier
		if !set.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&kind) ||
			!attribute.ReadASN1(&values, cbasn1.SET) {
			return unreadable("/bagAttributes", "not an attribute")
		}
		switch {
		case kind.Equal(oidLocalKeyID):
			if !values.ReadASN1Bytes(&k.LocalKeyID, cbasn1.OCTET_STRING) {
				return unreadable("/bagAttributes/localKeyID", "not an OCTET STRING")
			}
		case kind.Equal(oidFriendlyName):
			var bmp []byte
			if !values.ReadASN1Bytes(&bmp, cbasn1.Tag(30)) || len(bmp)%2 != 0 {
				return unreadable("/bagAttributes/friendlyName", "not a BMPString")
			}
			units := make([]uint16, len(bmp)/2)
			for i := range units {
				units[i] = uint16(bmp[2*i])<<8 | uint16(bmp[2*i+1])
			}
			k.FriendlyName = string(utf16.Decode(units))
		}
	}
	return nil
}
