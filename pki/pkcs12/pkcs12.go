package pkcs12

import (
	"crypto"
	"crypto/hmac"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/ber"
	"github.com/senim-kz/senim/pki/cert"
)

// Limits of one file. Real ones have some 5 KiB, two bags and 1024 to 600 000
// iterations.
const (
	sizeMax = 1 << 20
	bagsMax = 64
	keyMax  = 16 << 10 // bytes of one private key
	saltMax = 1024
	// iterationsMax bounds the work of one file: all derivations together take
	// a few seconds at most.
	iterationsMax = 4 << 20
)

var limits = ber.Limits{Bytes: sizeMax, Depth: 32, Elements: 1 << 14}

// Contents is what a file holds, in its order.
type Contents struct {
	Keys         []Key
	Certificates []*cert.Certificate
}

// Key is a private key of a file.
type Key struct {
	Signer       crypto.Signer // of crypto/rsa, crypto/ecdsa, crypto/ed25519 or pki/gost
	FriendlyName string        // NUC RK writes the key identifier in hexadecimal
	LocalKeyID   []byte
}

// CertificateOf finds the certificate of a key by the key itself, which no name
// in the file can contradict; nil if the file holds none.
func (c *Contents) CertificateOf(k Key) *cert.Certificate {
	public, ok := k.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	for _, candidate := range c.Certificates {
		if candidate.PublicKey != nil && public.Equal(candidate.PublicKey) {
			return candidate
		}
	}
	return nil
}

// The content types and bags of RFC 5652 and RFC 7292 §4.2.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}

	oidKeyBag      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}

	oidX509         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
)

func unreadable(at, format string, args ...any) error {
	return fault.New(fault.PKCS12Unreadable, at, format, args...)
}

// Recognise reports whether data looks like a PKCS#12 file: a SEQUENCE that
// starts with the version 3. No certificate and no PKCS#7 message does.
func Recognise(data []byte) bool {
	if len(data) < 5 || data[0] != 0x30 {
		return false
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] & 0x7f)
	}
	return len(data) >= header+3 && string(data[header:header+3]) == "\x02\x01\x03"
}

// reader reads one file.
type reader struct {
	password string
	bmp      []byte
	spent    int // iterations
	bags     int
	out      Contents
}

// Decode opens a file. The refusals: pkcs12_password_wrong;
// pkcs12_gost_encrypted; pkcs12_unreadable, input_too_big and the codes of
// pki/ber for a broken file; algorithm_unsupported; certificate_unreadable.
func Decode(data []byte, password string) (*Contents, error) {
	der, err := ber.ToDER(data, limits)
	if err != nil {
		return nil, err
	}
	s := cryptobyte.String(der)
	var pfx, mac cryptobyte.String
	var version int
	if !s.ReadASN1(&pfx, cbasn1.SEQUENCE) || !pfx.ReadASN1Integer(&version) || version != 3 {
		return nil, unreadable("/version", "not a PKCS#12 file of version 3")
	}
	kind, content, ok := readContentInfo(&pfx)
	switch {
	case !ok:
		return nil, unreadable("/authSafe", "not a ContentInfo")
	case !kind.Equal(oidData):
		return nil, fault.New(fault.AlgorithmUnsupported, "/authSafe", "protected by a public key")
	case pfx.Empty():
		return nil, fault.New(fault.AlgorithmUnsupported, "/macData", "the file has no MAC")
	case !pfx.ReadASN1(&mac, cbasn1.SEQUENCE) || !pfx.Empty():
		return nil, unreadable("/macData", "not a SEQUENCE at the end")
	}
	var safe []byte
	if !content.ReadASN1Bytes(&safe, cbasn1.OCTET_STRING) || !content.Empty() {
		return nil, unreadable("/authSafe", "not an OCTET STRING")
	}
	r := &reader{password: password, bmp: bmpPassword(password)}
	if err := r.checkMAC(mac, safe); err != nil {
		return nil, err
	}
	if err := r.readSafe(safe); err != nil {
		return nil, err
	}
	return &r.out, nil
}

// spend bounds what deriving keys costs.
func (r *reader) spend(at string, salt []byte, iterations int) error {
	if iterations < 1 || len(salt) > saltMax {
		return unreadable(at, "%d iterations over %d bytes of salt", iterations, len(salt))
	}
	if iterations > iterationsMax-r.spent {
		return fault.New(fault.InputTooBig, at, "more than %d iterations in all", iterationsMax)
	}
	r.spent += iterations
	return nil
}

// checkMAC checks MacData (RFC 7292 §4, §5.1), which tells a wrong password.
func (r *reader) checkMAC(mac cryptobyte.String, safe []byte) error {
	var info cryptobyte.String
	var want, salt []byte
	iterations := 1
	if !mac.ReadASN1(&info, cbasn1.SEQUENCE) {
		return unreadable("/macData", "no digest")
	}
	id, ok := algo.ReadIdentifier(&info)
	if !ok || !info.ReadASN1Bytes(&want, cbasn1.OCTET_STRING) || !info.Empty() ||
		!mac.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) ||
		!mac.Empty() && !mac.ReadASN1Integer(&iterations) || !mac.Empty() {
		return unreadable("/macData", "not a DigestInfo, a salt and a count")
	}
	digest, err := algo.DigestByIdentifier(id)
	if err != nil || digest.Hash == 0 {
		return unsupported("/macData", id.OID)
	}
	// An empty password is two bytes of end to some and nothing to others.
	passwords := [][]byte{r.bmp}
	if r.password == "" {
		passwords = append(passwords, nil)
	}
	for _, p := range passwords {
		if err := r.spend("/macData", salt, iterations); err != nil {
			return err
		}
		h := hmac.New(digest.New, derive(digest, p, salt, iterations, forMAC, digest.Size()))
		h.Write(safe)
		if hmac.Equal(h.Sum(nil), want) {
			r.bmp = p
			return nil
		}
	}
	return fault.New(fault.PKCS12PasswordWrong, "/macData", "the MAC does not match")
}

// readContentInfo reads ContentInfo (RFC 5652 §3); content is what its [0] wraps.
func readContentInfo(s *cryptobyte.String) (kind asn1.ObjectIdentifier, content cryptobyte.String, ok bool) {
	var body cryptobyte.String
	ok = s.ReadASN1(&body, cbasn1.SEQUENCE) && body.ReadASN1ObjectIdentifier(&kind) &&
		body.ReadASN1(&content, cbasn1.Tag(0).ContextSpecific().Constructed()) && body.Empty()
	return kind, content, ok
}

// sequence reads the content of one BER SEQUENCE that is all of data.
func sequence(at string, data []byte) (cryptobyte.String, error) {
	der, err := ber.ToDER(data, limits)
	if err != nil {
		return nil, err
	}
	s := cryptobyte.String(der)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, unreadable(at, "not a SEQUENCE")
	}
	return body, nil
}

// readSafe reads AuthenticatedSafe: parts in the clear or encrypted.
func (r *reader) readSafe(safe []byte) error {
	const at = "/authSafe"
	parts, err := sequence(at, safe)
	if err != nil {
		return err
	}
	for !parts.Empty() {
		kind, content, ok := readContentInfo(&parts)
		if !ok {
			return unreadable(at, "not a ContentInfo")
		}
		var bags []byte
		switch {
		case kind.Equal(oidData):
			if !content.ReadASN1Bytes(&bags, cbasn1.OCTET_STRING) || !content.Empty() {
				return unreadable(at, "not an OCTET STRING")
			}
		case kind.Equal(oidEncryptedData):
			if bags, err = r.readEncrypted(content); err != nil {
				return err
			}
		default:
			return fault.New(fault.AlgorithmUnsupported, at, "content of type %s", kind)
		}
		if err := r.readBags(bags); err != nil {
			return err
		}
	}
	return nil
}

// readEncrypted decrypts EncryptedData (RFC 5652 §8).
func (r *reader) readEncrypted(content cryptobyte.String) ([]byte, error) {
	const at = "/authSafe/encryptedData"
	var body, info cryptobyte.String
	var version int
	var kind asn1.ObjectIdentifier
	if !content.ReadASN1(&body, cbasn1.SEQUENCE) || !content.Empty() || !body.ReadASN1Integer(&version) ||
		!body.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidData) {
		return nil, unreadable(at, "not EncryptedData")
	}
	id, ok := algo.ReadIdentifier(&info)
	ciphertext, found := readImplicitOctets(&info)
	if !ok || !found || !info.Empty() {
		return nil, unreadable(at, "not an algorithm and a ciphertext")
	}
	return r.decrypt(at, id, ciphertext)
}

// readImplicitOctets reads [0] IMPLICIT OCTET STRING, in one piece or, as NUC RK
// writes it, in several, which pki/ber cannot know to be a string.
func readImplicitOctets(s *cryptobyte.String) ([]byte, bool) {
	tag := cbasn1.Tag(0).ContextSpecific()
	var octets []byte
	if s.PeekASN1Tag(tag) {
		ok := s.ReadASN1Bytes(&octets, tag)
		return octets, ok
	}
	var pieces cryptobyte.String
	if !s.ReadASN1(&pieces, tag.Constructed()) {
		return nil, false
	}
	for !pieces.Empty() {
		var piece cryptobyte.String
		if !pieces.ReadASN1(&piece, cbasn1.OCTET_STRING) {
			return nil, false
		}
		octets = append(octets, piece...)
	}
	return octets, true
}

// readBags reads SafeContents (RFC 7292 §4.2). Bags of other kinds (CRLs,
// secrets) are passed over: nobody asks this package for them.
func (r *reader) readBags(data []byte) error {
	const at = "/safeContents"
	list, err := sequence(at, data)
	if err != nil {
		return err
	}
	for !list.Empty() {
		if r.bags++; r.bags > bagsMax {
			return fault.New(fault.InputTooBig, at, "more than %d bags", bagsMax)
		}
		var bag, value cryptobyte.String
		var kind asn1.ObjectIdentifier
		if !list.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&kind) ||
			!bag.ReadASN1(&value, cbasn1.Tag(0).ContextSpecific().Constructed()) {
			return unreadable(at, "not a SafeBag")
		}
		switch {
		case kind.Equal(oidCertBag):
			err = r.readCertificate(value)
		case kind.Equal(oidKeyBag):
			err = r.readKey(value, bag)
		case kind.Equal(oidShroudedBag):
			err = r.readShrouded(value, bag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readCertificate reads CertBag. Certificates that are not X.509 are passed over.
func (r *reader) readCertificate(value cryptobyte.String) error {
	var bag, wrapped cryptobyte.String
	var kind asn1.ObjectIdentifier
	var raw []byte
	if !value.ReadASN1(&bag, cbasn1.SEQUENCE) || !value.Empty() || !bag.ReadASN1ObjectIdentifier(&kind) ||
		!bag.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) || !bag.Empty() {
		return unreadable("/certBag", "not a CertBag")
	}
	if !kind.Equal(oidX509) {
		return nil
	}
	if !wrapped.ReadASN1Bytes(&raw, cbasn1.OCTET_STRING) || !wrapped.Empty() {
		return unreadable("/certBag", "not an OCTET STRING")
	}
	c, err := cert.Parse(raw)
	if err != nil {
		return err
	}
	r.out.Certificates = append(r.out.Certificates, c)
	return nil
}
