package cms

import (
	"bytes"
	"context"
	"crypto"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

// Form says over which bytes a signature held.
type Form string

// The forms.
const (
	OverContent Form = "content"            // no signed attributes: the content itself (§5.4)
	OverAsSent  Form = "attributes_as_sent" // the signed attributes as sent
	OverDER     Form = "attributes_der"     // their DER form: the signer sent something else than it signed
)

// Digest gives the digest algorithm that the signer declares.
func (s *Signer) Digest() (*algo.Digest, error) { return algo.DigestByIdentifier(s.DigestAlgorithm) }

// Algorithm gives the signer's signature algorithm. A digest inside it that
// differs from the declared one is refused by the table: the content would be
// digested with one and the attributes with the other.
func (s *Signer) Algorithm() (*algo.Signature, error) {
	digest, err := s.Digest()
	if err != nil {
		return nil, err
	}
	return algo.SignatureByIdentifier(s.SignatureAlgorithm, digest)
}

// VerifySignature checks the signature value alone with a public key.
// contentDigest is used when there are no signed attributes. It says nothing
// about the attributes' values: VerifyContent does.
func (s *Signer) VerifySignature(pub crypto.PublicKey, contentDigest []byte) (Form, error) {
	algorithm, err := s.Algorithm()
	if err != nil {
		return "", err
	}
	if !s.HasSignedAttributes() {
		return OverContent, algorithm.Verify(pub, contentDigest, s.Signature)
	}
	asSent := s.SignedAttributesAsSet()
	err = algorithm.VerifyMessage(pub, asSent, s.Signature)
	if err == nil || !fault.Is(err, fault.SignatureInvalid) {
		return OverAsSent, err
	}
	if der := s.sortedAttributes(); !bytes.Equal(der, asSent) && algorithm.VerifyMessage(pub, der, s.Signature) == nil {
		return OverDER, nil
	}
	return OverAsSent, err
}

// SignedAttributesAsSet gives the signed attributes as sent, under the tag SET
// OF as §5.4 has them digested.
func (s *Signer) SignedAttributesAsSet() []byte {
	return s.signedSet
}

// sortedAttributes gives the signed attributes as a DER SET OF: the attributes,
// and the values inside each, sorted by their encoding (X.690 §11.6).
func (s *Signer) sortedAttributes() []byte {
	encoded := make([][]byte, 0, len(s.SignedAttributes))
	for _, a := range s.SignedAttributes {
		one, err := a.marshal()
		if err != nil {
			return s.SignedAttributesAsSet()
		}
		encoded = append(encoded, one)
	}
	set, err := marshalSet(cbasn1.SET, encoded)
	if err != nil {
		return s.SignedAttributesAsSet()
	}
	return set
}

// marshal writes the attribute with its values in DER order.
func (a Attribute) marshal() ([]byte, error) {
	values, err := marshalSet(cbasn1.SET, a.Values)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.Type)
		b.AddBytes(values)
	})
	return b.Bytes()
}

// marshalSet writes elements as a DER SET OF under a tag.
func marshalSet(tag cbasn1.Tag, elements [][]byte) ([]byte, error) {
	sorted := slices.SortedFunc(slices.Values(elements), bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range sorted {
			b.AddBytes(e)
		}
	})
	return b.Bytes()
}

// VerifyContent checks what the signed attributes say about the content: the
// content type is the message's, and the message digest is the given one, made
// with the signer's digest algorithm over the content (§5.4, §5.6, §11.1–2).
// Without signed attributes there is nothing to compare; the signature itself
// is over the digest then, and the content must be id-data (§5.3).
func (m *Message) VerifyContent(s *Signer, contentDigest []byte) error {
	if !s.HasSignedAttributes() {
		if !m.ContentType.Equal(OIDData) {
			return fault.New(fault.AttributeMissing, "/signedAttrs", "content of type %s needs signed attributes", m.ContentType)
		}
		return nil
	}
	contentType, err := s.ContentType()
	switch {
	case err != nil:
		return err
	case contentType == nil:
		return fault.New(fault.AttributeMissing, "/signedAttrs/contentType", "absent")
	case !contentType.Equal(m.ContentType):
		return fault.New(fault.ContentTypeMismatch, "/signedAttrs/contentType", "%s signed, %s sent", contentType, m.ContentType)
	}
	declared, err := s.MessageDigest()
	switch {
	case err != nil:
		return err
	case declared == nil:
		return fault.New(fault.AttributeMissing, "/signedAttrs/messageDigest", "absent")
	case !bytes.Equal(declared, contentDigest):
		return fault.New(fault.DigestMismatch, "/signedAttrs/messageDigest", "the content is not what was signed")
	}
	return nil
}

// CheckSubstitution refuses content without signed attributes that has the form
// of signed attributes. A value over attributes is a value over those bytes too:
// whoever takes the attributes out of a signed message and sends them as the
// content has a signature that nobody made. The first bytes of long content are
// enough.
func (s *Signer) CheckSubstitution(content []byte) error {
	if s.HasSignedAttributes() || len(content) < 2 || content[0] != byte(cbasn1.SET) {
		return nil
	}
	set := cryptobyte.String(content[2:])
	if long := int(content[1]); long > 0x80 && !set.Skip(long&0x7f) {
		return nil
	}
	for !set.Empty() {
		a, err := readAttribute(&set, nil, func() string { return "" }, DefaultLimits)
		if err != nil {
			return nil
		}
		if a.Type.Equal(OIDMessageDigest) || a.Type.Equal(OIDContentType) {
			return fault.New(fault.AttributesAsContent, "/encapContentInfo/eContent", "content in the form of signed attributes")
		}
	}
	return nil
}

// VerifyOver checks the signature value alone with a public key, over content
// wherever it is; nil is content that is missing, which matters only without
// signed attributes. An algorithm that signs the message itself then needs the
// content in one piece, of 16 MiB at most.
func (s *Signer) VerifyOver(ctx context.Context, pub crypto.PublicKey, c *Content) (Form, error) {
	if s.HasSignedAttributes() {
		return s.VerifySignature(pub, nil)
	}
	algorithm, err := s.Algorithm()
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", fault.New(fault.ContentMissing, "", "the value is over the content, which is missing")
	}
	if algorithm.SignsMessage() {
		whole, err := c.whole(ctx)
		if err != nil {
			return "", err
		}
		return OverContent, algorithm.VerifyMessage(pub, whole, s.Signature)
	}
	sum, err := c.Digest(ctx, algorithm.Digest)
	if err != nil {
		return "", err
	}
	return OverContent, algorithm.Verify(pub, sum, s.Signature)
}

// Verify checks one signer of a message with a public key, whole: attributes,
// digest and signature value. content is what was signed; for an attached
// message it is Message.Content.
func (m *Message) Verify(s *Signer, pub crypto.PublicKey, content []byte) (Form, error) {
	if err := s.CheckSubstitution(content); err != nil {
		return "", err
	}
	digest, err := s.Digest()
	if err != nil {
		return "", err
	}
	c := ContentOf(content)
	form, err := s.VerifyOver(context.Background(), pub, c) // memory needs no context
	if err != nil {
		return form, err
	}
	sum, err := c.Digest(context.Background(), digest)
	if err != nil {
		return form, err
	}
	return form, m.VerifyContent(s, sum)
}
