package pkcs12

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// pbe is a cipher of RFC 7292 appendix C.
type pbe struct {
	keySize int
	block   func(key []byte) (cipher.Block, error)
}

var pbes = map[string]pbe{
	"1.2.840.113549.1.12.1.3": {24, des.NewTripleDESCipher},
	"1.2.840.113549.1.12.1.4": {16, func(key []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(key[:16:16], key[:8]...)) // two keys: the first is the third too
	}},
	"1.2.840.113549.1.12.1.5": {16, func(key []byte) (cipher.Block, error) { return newRC2(key, 128), nil }},
	"1.2.840.113549.1.12.1.6": {5, func(key []byte) (cipher.Block, error) { return newRC2(key, 40), nil }},
}

// pbes2Ciphers are the ciphers that PBES2 is met with (RFC 8018 §B.2).
var pbes2Ciphers = map[string]pbe{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

// prfs are the functions of PBKDF2: HMAC with a digest (RFC 8018 §B.1).
var prfs = map[string]*algo.Digest{
	"1.2.840.113549.2.7": algo.SHA1, "1.2.840.113549.2.8": algo.SHA224, "1.2.840.113549.2.9": algo.SHA256,
	"1.2.840.113549.2.10": algo.SHA384, "1.2.840.113549.2.11": algo.SHA512,
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// gostArcs hold the algorithms of Russia and Kazakhstan.
var gostArcs = []asn1.ObjectIdentifier{{1, 2, 643}, {1, 2, 398, 3, 10}}

// unsupported refuses an algorithm, and GOST's by a code of their own.
func unsupported(at string, oid asn1.ObjectIdentifier) error {
	for _, arc := range gostArcs {
		if len(oid) > len(arc) && oid[:len(arc)].Equal(arc) {
			return fault.New(fault.PKCS12GOST, at, "%s", algo.Name(oid))
		}
	}
	return fault.New(fault.AlgorithmUnsupported, at, "%s", algo.Name(oid))
}

// decrypt decrypts with a cipher of either kind.
func (r *reader) decrypt(at string, id algo.Identifier, ciphertext []byte) ([]byte, error) {
	var block cipher.Block
	var iv []byte
	var err error
	if id.OID.Equal(oidPBES2) {
		block, iv, err = r.pbes2(at, id.Parameters)
	} else {
		block, iv, err = r.pbe(at, id)
	}
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(ciphertext) == 0 || len(ciphertext)%size != 0 {
		return nil, unreadable(at, "%d bytes of ciphertext", len(ciphertext))
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	// The MAC was right, so the padding is, unless the file is broken.
	n := int(plain[len(plain)-1])
	if n == 0 || n > size {
		return nil, unreadable(at, "the padding is wrong")
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, unreadable(at, "the padding is wrong")
		}
	}
	return plain[:len(plain)-n], nil
}

// pbe is RFC 7292 appendix C: key and initialisation vector from SHA-1.
func (r *reader) pbe(at string, id algo.Identifier) (cipher.Block, []byte, error) {
	p, known := pbes[id.OID.String()]
	if !known {
		return nil, nil, unsupported(at, id.OID)
	}
	s := cryptobyte.String(id.Parameters)
	var body cryptobyte.String
	var salt []byte
	var iterations int
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() ||
		!body.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) || !body.ReadASN1Integer(&iterations) || !body.Empty() {
		return nil, nil, unreadable(at, "the parameters of the encryption")
	}
	if err := r.spend(at, salt, iterations); err != nil {
		return nil, nil, err
	}
	block, err := p.block(derive(algo.SHA1, r.bmp, salt, iterations, forKey, p.keySize))
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, at, "make the cipher")
	}
	return block, derive(algo.SHA1, r.bmp, salt, iterations, forIV, block.BlockSize()), nil
}

// pbes2 is RFC 8018 §6.2. The password is UTF-8 here.
func (r *reader) pbes2(at string, parameters []byte) (cipher.Block, []byte, error) {
	bad := unreadable(at, "the parameters of PBES2")
	s := cryptobyte.String(parameters)
	var body, kdf cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, nil, bad
	}
	derivation, ok1 := algo.ReadIdentifier(&body)
	scheme, ok2 := algo.ReadIdentifier(&body)
	if !ok1 || !ok2 || !body.Empty() {
		return nil, nil, bad
	}
	p, known := pbes2Ciphers[scheme.OID.String()]
	switch {
	case !known:
		return nil, nil, unsupported(at, scheme.OID)
	case !derivation.OID.Equal(oidPBKDF2):
		return nil, nil, unsupported(at, derivation.OID)
	}
	s = derivation.Parameters
	var salt []byte
	var iterations, keySize int
	if !s.ReadASN1(&kdf, cbasn1.SEQUENCE) || !s.Empty() ||
		!kdf.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) || !kdf.ReadASN1Integer(&iterations) ||
		kdf.PeekASN1Tag(cbasn1.INTEGER) && (!kdf.ReadASN1Integer(&keySize) || keySize != p.keySize) {
		return nil, nil, bad
	}
	prf := algo.SHA1
	if !kdf.Empty() {
		id, ok := algo.ReadIdentifier(&kdf)
		if !ok || !kdf.Empty() {
			return nil, nil, bad
		}
		if prf = prfs[id.OID.String()]; prf == nil {
			return nil, nil, unsupported(at, id.OID)
		}
	}
	var iv []byte
	s = scheme.Parameters
	if !s.ReadASN1Bytes(&iv, cbasn1.OCTET_STRING) || !s.Empty() {
		return nil, nil, bad
	}
	if err := r.spend(at, salt, iterations); err != nil {
		return nil, nil, err
	}
	key, err := pbkdf2.Key(prf.New, r.password, salt, iterations, p.keySize)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.AlgorithmUnsupported, at, "derive the key")
	}
	block, err := p.block(key)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, at, "make the cipher")
	}
	if len(iv) != block.BlockSize() {
		return nil, nil, bad
	}
	return block, iv, nil
}
