package pivcard

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// PIN of every card, and the attempts before it is blocked.
const (
	PIN         = "123456"
	attemptsMax = 3
)

// slot is a key of the card (SP 800-73-4 part 1 §5.1) with the object of its
// certificate (part 1, appendix A).
type slot struct {
	reference byte
	name      string
	algorithm byte // SP 800-78-4, table 6-2
	object    []byte
	always    bool // the PIN immediately before each use

	key  crypto.Signer
	cert []byte
}

var layout = []slot{
	{reference: 0x9a, name: "9a", algorithm: algorithmRSA2048, object: []byte{0x5f, 0xc1, 0x05}},
	{reference: 0x9c, name: "9c", algorithm: algorithmP256, object: []byte{0x5f, 0xc1, 0x0a}, always: true},
	{reference: 0x9d, name: "9d", algorithm: algorithmP384, object: []byte{0x5f, 0xc1, 0x0b}},
}

const (
	algorithmRSA2048 = 0x07
	algorithmP256    = 0x11
	algorithmP384    = 0x14
)

// Card is the state of the card. One command at a time.
type Card struct {
	slots    []slot
	chuid    []byte
	attempts int

	selected bool
	verified bool   // the PIN was right since the card was powered
	fresh    bool   // … and no key that asks always has been used since
	chained  []byte // data of a command that comes in pieces (ISO 7816-4 §5.1.1)
	rest     []byte // of a response that is fetched in pieces
}

// Open reads the card in a folder, or makes a new one there.
func Open(dir string) (*Card, error) {
	c := &Card{attempts: attemptsMax}
	guid, err := remember(filepath.Join(dir, "guid"), func() ([]byte, error) {
		b := make([]byte, 16)
		rand.Read(b)
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	c.chuid = holder(guid)
	for _, s := range layout {
		if err := s.open(dir); err != nil {
			return nil, err
		}
		c.slots = append(c.slots, s)
	}
	return c, nil
}

// remember reads a file, or makes its content and keeps it.
func remember(path string, make func() ([]byte, error)) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	if raw, err = make(); err != nil {
		return nil, err
	}
	return raw, os.WriteFile(path, raw, 0o600)
}

func (s *slot) open(dir string) error {
	raw, err := remember(filepath.Join(dir, s.name+".key"), func() ([]byte, error) {
		key, err := s.generate()
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return fmt.Errorf("the key %s is not PEM", s.name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	s.key = key.(crypto.Signer) // of generate
	s.cert, err = remember(filepath.Join(dir, s.name+".crt"), s.certify)
	return err
}

func (s *slot) generate() (crypto.Signer, error) {
	switch s.algorithm {
	case algorithmP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithmP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// certify makes the key's own certificate. OpenSC takes the public key from it,
// and lets a key for key management sign only if its certificate says that it is
// for content commitment.
func (s *slot) certify() ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(s.reference)), Subject: pkix.Name{CommonName: "Card " + s.name},
		KeyUsage:  x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_500_000_000, 0),
	}
	return x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
}

// nonFederal is the FASC-N of agency 9999: the holder is known by the GUID.
var nonFederal = []byte{
	0xd4, 0xe7, 0x39, 0xda, 0x73, 0x9c, 0xed, 0x39, 0xce, 0x73, 0x9d, 0x83, 0x68,
	0x58, 0x21, 0x08, 0x42, 0x10, 0x84, 0x21, 0xc8, 0x42, 0x10, 0xc3, 0xeb,
}

// holder is the Card Holder Unique Identifier (SP 800-73-4 part 1 §3.1.2), whose
// GUID OpenSC shows as the serial number.
func holder(guid []byte) []byte {
	return join(tlv(0x30, nonFederal), tlv(0x34, guid), tlv(0x35, []byte("20491231")), tlv(0x3e, nil), tlv(0xfe, nil))
}

// Reset powers the card anew.
func (c *Card) Reset() {
	c.selected, c.verified, c.fresh, c.chained, c.rest = false, false, false, nil, nil
}

// tlv is BER-TLV with definite lengths up to 65 535.
func tlv(tag byte, value []byte) []byte {
	switch n := len(value); {
	case n < 0x80:
		return join([]byte{tag, byte(n)}, value)
	case n < 0x100:
		return join([]byte{tag, 0x81, byte(n)}, value)
	default:
		return join([]byte{tag, 0x82, byte(n >> 8), byte(n)}, value)
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
