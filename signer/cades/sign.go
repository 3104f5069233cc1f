package cades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/cms"
)

// Identity is who signs. The key may be anywhere: only what is to be signed goes
// to it.
type Identity struct {
	Key         crypto.Signer
	Certificate *cert.Certificate
	Chain       []*cert.Certificate // further certificates to carry
}

// Options say how to sign. The zero value makes an attached signature that
// claims no time, with the digest of a GOST key or SHA-256.
type Options struct {
	Detached bool // the content is signed and not carried

	// SigningTime is claimed; the zero time claims none, and the signature is no
	// baseline B then (EN 319 122-1 §6.3).
	SigningTime time.Time

	Digest *algo.Digest // nil means the key's own, or SHA-256
	PSS    bool         // an RSA key signs by RSASSA-PSS and not by PKCS#1 v1.5

	// Commitment is what the signer commits to by signing (EN 319 122-1 §5.2.3);
	// nil says nothing.
	Commitment asn1.ObjectIdentifier

	// ContentStamper is asked for a time-stamp over the content, which the
	// signature then covers (EN 319 122-1 §5.2.8): proof that the content is
	// older than the signature. nil asks nobody.
	ContentStamper Stamper
}

// The commitment types of RFC 5126 §5.11.1.
var commitments = map[string]asn1.ObjectIdentifier{
	"origin": commitment(1), "receipt": commitment(2), "delivery": commitment(3),
	"sender": commitment(4), "approval": commitment(5), "creation": commitment(6),
}

func commitment(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, n}
}

// CommitmentByName finds a commitment type; "" is none.
func CommitmentByName(name string) (asn1.ObjectIdentifier, error) {
	if oid, known := commitments[name]; known || name == "" {
		return oid, nil
	}
	return nil, fault.New(fault.BadArgument, "", "%.40q is no type of commitment: origin, receipt, delivery, sender, approval, creation", name)
}

// OIDCommitmentType is the commitment-type-indication attribute.
var OIDCommitmentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}

// Sign makes a message with one signature, CAdES baseline B: signed attributes
// content-type, message-digest, signing-time and signing-certificate-v2
// (EN 319 122-1 §6.3). The content is read once, and again by WriteTo.
//
// An empty document is refused, because nobody means to sign one; so is a key that
// does not belong to the certificate, or whose answer does not verify. Whether the certificate is valid or may sign is the
// caller's to know.
func Sign(ctx context.Context, document Source, who Identity, o Options) (*Message, error) {
	if document.Size() == 0 {
		return nil, fault.New(fault.InputEmpty, "", "nothing to sign")
	}
	kind, err := marshal(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDData) })
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "write the content type")
	}
	m := &Message{contentType: kind}
	if !o.Detached {
		m.content = whole(document)
	}
	if err := m.sign(ctx, whole(document), who, o); err != nil {
		return nil, err
	}
	slices.SortFunc(m.certificates, bytes.Compare) // a new SET OF, in DER
	return m, nil
}

// AddSigner adds a signature over the same content. document is what a detached
// message is over, nil for an attached one. Options.Detached is the message's
// own.
func (m *Message) AddSigner(ctx context.Context, document Source, who Identity, o Options) error {
	view, err := m.view()
	if err != nil {
		return err
	}
	if err := m.checkCarry(view, who); err != nil {
		return err
	}
	content, err := m.signedContent(ctx, document)
	if err != nil {
		return err
	}
	return m.sign(ctx, content, who, o)
}

// CounterSign adds a signature over the value of another (RFC 5652 §11.4,
// EN 319 122-1 §5.2.7), as an unsigned attribute of it.
func (m *Message) CounterSign(ctx context.Context, signer int, who Identity, o Options) error {
	view, err := m.view()
	if err != nil {
		return err
	}
	if signer < 0 || signer >= len(view.Signers) {
		return fault.New(fault.BadArgument, "/signerInfos", "no signature %d of %d", signer, len(view.Signers))
	}
	if err := m.checkCarry(view, who); err != nil {
		return err
	}
	s, err := newSigning(who, o)
	if err != nil {
		return err
	}
	// No content-type: what is signed is not a content (RFC 5652 §11.4).
	info, err := s.signerInfo(ctx, nil, s.digest.Sum(view.Signers[signer].Signature), nil)
	if err != nil {
		return err
	}
	raw, err := marshal(info.addTo)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "write the counter-signature")
	}
	m.carry(who)
	return m.signers[signer].add(cms.OIDCounterSignature, raw)
}

// sign adds a signature over a content.
func (m *Message) sign(ctx context.Context, document *content, who Identity, o Options) error {
	s, err := newSigning(who, o)
	if err != nil {
		return err
	}
	algorithms := []*algo.Digest{s.digest}
	if o.ContentStamper != nil {
		algorithms = append(algorithms, o.ContentStamper.Digest())
	}
	sums, err := document.digestsOf(ctx, algorithms...)
	if err != nil {
		return err
	}
	var stamp []byte
	if o.ContentStamper != nil {
		d := o.ContentStamper.Digest()
		token, err := o.ContentStamper.StampDigest(ctx, d, sums[d])
		if err != nil {
			return err
		}
		stamp = token.Raw
	}
	info, err := s.signerInfo(ctx, m.contentType, sums[s.digest], stamp)
	if err != nil {
		return err
	}
	if err := m.announce(s.digest, s.digest.IdentifierBeside(who.Key.Public())); err != nil {
		return err
	}
	m.carry(who)
	m.signers = append(m.signers, info)
	return nil
}

// checkCarry refuses certificates that would break an older proof.
func (m *Message) checkCarry(view *cms.Message, who Identity) error {
	if who.Certificate == nil {
		return nil // refused elsewhere
	}
	for _, c := range append([]*cert.Certificate{who.Certificate}, who.Chain...) {
		if !contains(m.certificates, c.Raw) {
			return checkOpenEnded(view)
		}
	}
	return nil
}

// carry adds the signer's certificates to the message.
func (m *Message) carry(who Identity) {
	m.addCertificates(who.Certificate.Raw)
	for _, c := range who.Chain {
		m.addCertificates(c.Raw)
	}
}

// signing is one signature in the making.
type signing struct {
	who       Identity
	options   Options
	digest    *algo.Digest
	algorithm *algo.Signature
}

// newSigning pairs the key with the certificate and chooses the algorithm.
func newSigning(who Identity, o Options) (*signing, error) {
	if who.Key == nil || who.Certificate == nil {
		return nil, fault.New(fault.BadArgument, "", "no key, or no certificate of it")
	}
	public := who.Certificate.PublicKey
	if err := who.Certificate.KeyError(); err != nil {
		return nil, fault.Wrap(err, fault.CodeOf(err), "/certificate", "use the certificate's key")
	}
	restricted, isPSS := public.(*algo.PSSPublicKey)
	if isPSS {
		public = restricted.RSA
	}
	own, comparable := who.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !comparable {
		return nil, fault.New(fault.AlgorithmUnsupported, "/certificate", "a key of type %T", who.Key.Public())
	}
	if !own.Equal(public) {
		return nil, fault.New(fault.KeyCertificateMismatch, "/certificate", "the certificate holds another public key")
	}
	s := &signing{who: who, options: o, digest: o.Digest}
	if s.digest == nil {
		s.digest = algo.DigestFor(public)
	}
	var err error
	s.algorithm, s.digest, err = chooseAlgorithm(public, s.digest, isPSS || o.PSS)
	return s, err
}

// signerInfo makes the SignerInfo. contentType is nil for a counter-signature,
// stamp a content-time-stamp or nil.
func (s *signing) signerInfo(ctx context.Context, contentType, contentDigest, stamp []byte) (*signerInfo, error) {
	attributes, err := s.signedAttributes(contentType, contentDigest, stamp)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "write the signed attributes")
	}
	value, err := s.value(ctx, attributes)
	if err != nil {
		return nil, err
	}
	c := s.who.Certificate
	implicit := bytes.Clone(attributes)
	implicit[0] = byte(tagSigned)
	head, err := marshal(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1) // issuerAndSerialNumber, RFC 5652 §5.3
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(c.RawIssuer)
			b.AddASN1BigInt(c.Serial)
		})
		s.digest.IdentifierBeside(s.who.Key.Public()).AddTo(b)
		b.AddBytes(implicit)
		s.algorithm.Identifier().AddTo(b)
		b.AddASN1OctetString(value)
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "write the SignerInfo")
	}
	return &signerInfo{head: head}, nil
}

// value signs the attributes and checks what the key answered: a token that
// answers rubbish never makes a message.
func (s *signing) value(ctx context.Context, attributes []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Cancelled, "", "sign")
	}
	message, options := s.algorithm.Input(attributes), s.algorithm.SignerOpts()
	var value []byte
	var err error
	if patient, ok := s.who.Key.(contextSigner); ok {
		value, err = patient.SignContext(ctx, message, options)
	} else {
		value, err = s.who.Key.Sign(rand.Reader, message, options)
	}
	switch {
	case fault.Of(err) != nil:
		return nil, err
	case err != nil:
		return nil, fault.Wrap(err, fault.SigningFailed, "", "the key did not sign")
	}
	if err := s.algorithm.VerifyMessage(s.who.Certificate.PublicKey, attributes, value); err != nil {
		return nil, fault.Wrap(err, fault.SigningFailed, "", "the key's answer does not verify")
	}
	return value, nil
}

// contextSigner is a key that may have to wait, as one in a token does.
type contextSigner interface {
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// signedAttributes writes the SET OF that is signed.
func (s *signing) signedAttributes(contentType, contentDigest, stamp []byte) ([]byte, error) {
	var set [][]byte
	var failed error
	add := func(kind asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
		raw, err := marshal(func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(kind)
				b.AddASN1(cbasn1.SET, value)
			})
		})
		if err != nil {
			failed = err
		}
		set = append(set, raw)
	}
	if contentType != nil {
		add(cms.OIDContentType, func(b *cryptobyte.Builder) { b.AddBytes(contentType) })
	}
	add(cms.OIDMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(contentDigest) })
	add(cms.OIDSigningCertificateV2, s.addReference)
	if at := s.options.SigningTime; !at.IsZero() {
		add(cms.OIDSigningTime, func(b *cryptobyte.Builder) { addTime(b, at) })
	}
	if s.options.Commitment != nil {
		add(OIDCommitmentType, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(s.options.Commitment) })
		})
	}
	if stamp != nil {
		add(cms.OIDContentTimestamp, func(b *cryptobyte.Builder) { b.AddBytes(stamp) })
	}
	if failed != nil {
		return nil, failed
	}
	slices.SortFunc(set, bytes.Compare)
	return marshal(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { addAll(b, set) })
	})
}

// addReference writes a SigningCertificateV2 (RFC 5035 §3) that names the
// signer's certificate by its digest and, as DSS expects of a baseline
// signature, by issuer and serial number. SHA-256 is the default and left out,
// as DER demands.
func (s *signing) addReference(b *cryptobyte.Builder) {
	c := s.who.Certificate
	hash := c.Fingerprint()
	directoryName := cbasn1.Tag(4).ContextSpecific().Constructed()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(hash[:])
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(directoryName, func(b *cryptobyte.Builder) { b.AddBytes(c.RawIssuer) })
					})
					b.AddASN1BigInt(c.Serial)
				})
			})
		})
	})
}

// addTime writes a Time of RFC 5652 §11.3: UTCTime through 2049, whole seconds.
func addTime(b *cryptobyte.Builder, at time.Time) {
	at = at.UTC().Truncate(time.Second)
	if at.Year() >= 1950 && at.Year() < 2050 {
		b.AddASN1UTCTime(at)
	} else {
		b.AddASN1GeneralizedTime(at)
	}
}
