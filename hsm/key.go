package hsm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/gost"
)

// signWaitMax is how long Sign, which has no context, waits for a session.
const signWaitMax = 10 * time.Second

// Key is a private key inside a token. It is safe for concurrent use.
type Key struct {
	token  *Token
	label  string
	title  string // the label as text, for metrics
	id     []byte
	public crypto.PublicKey
	scheme scheme
	// askAlways: the key wants the PIN for each signature
	// (CKA_ALWAYS_AUTHENTICATE). Not every module says so beforehand.
	askAlways atomic.Bool

	at      atomic.Pointer[place]
	finding sync.Mutex
}

// place is where a key was found: a handle is good for the age it is of.
type place struct {
	handle pkcs11.ObjectHandle
	age    age
}

var _ crypto.Signer = (*Key)(nil)

// Key finds the private key with the label and reads its public key from the
// token.
func (t *Token) Key(ctx context.Context, label string) (*Key, error) {
	return t.findKey(ctx, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
}

// KeyByID finds the private key with the CKA_ID.
func (t *Token) KeyByID(ctx context.Context, id []byte) (*Key, error) {
	return t.findKey(ctx, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
}

func (t *Token) findKey(ctx context.Context, by *pkcs11.Attribute) (*Key, error) {
	var found *Key
	err := t.do(ctx, shared, nil, func(s *session) (err error) {
		o := t.objects(s)
		handle, err := o.privateKey(by)
		if err != nil {
			return err
		}
		found, err = t.readKey(o, handle, s.age)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.inUse(found), nil
}

func (t *Token) readKey(o objects, handle pkcs11.ObjectHandle, at age) (*Key, error) {
	k := &Key{token: t}
	var err error
	if k.label, k.id, err = o.names(handle); err != nil {
		return nil, err
	}
	k.title = textOf(k.label)
	if k.public, err = o.publicKey(k.id, k.label); err != nil {
		return nil, err
	}
	if k.scheme, err = o.schemeOf(k.public); err != nil {
		return nil, err
	}
	k.askAlways.Store(o.flag(handle, pkcs11.CKA_ALWAYS_AUTHENTICATE))
	k.at.Store(&place{handle, at})
	return k, nil
}

// inUse keeps one Key for each key of the token, however often it is asked for:
// those are proven when the token comes back.
func (t *Token) inUse(k *Key) *Key {
	name := string(k.id) + "\x00" + k.label
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.keys[name]; known != nil && samePublicKey(known.public, k.public) {
		known.at.Store(k.at.Load())
		return known
	}
	t.keys[name] = k
	return k
}

// Public returns the public key: an *rsa.PublicKey, *ecdsa.PublicKey,
// ed25519.PublicKey or *gost.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Label is the key's CKA_LABEL.
func (k *Key) Label() string { return k.label }

// ID is the key's CKA_ID.
func (k *Key) ID() []byte { return bytes.Clone(k.id) }

// Token is where the key is.
func (k *Key) Token() *Token { return k.token }

// Sign signs a digest: RSA by PKCS#1 v1.5, or by PSS when opts is
// *rsa.PSSOptions; ECDSA to an ASN.1 DER signature; GOST to the layout of the
// key's own algorithm (gost.Layout), with options that name no hash function.
// Ed25519 signs the message itself (RFC 8032), with options that name no hash
// function either. The token makes its own random numbers; the reader is not
// used.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx := &lazyTimeout{Context: context.Background(), limit: signWaitMax}
	defer ctx.cancel()
	return k.SignContext(ctx, digest, opts)
}

// SignContext is Sign with a context that bounds the wait for a session. The
// call into the token itself cannot be interrupted.
func (k *Key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil {
		return nil, fault.New(fault.BadArgument, "", "no options say how the digest was made")
	}
	op, err := k.scheme.operation(digest, opts)
	if err != nil {
		return nil, err
	}
	var raw []byte
	// A key that turns out to ask always is signed with alone from then on.
	err = k.token.do(ctx, k.hold(), k, func(s *session) (err error) {
		raw, err = k.signIn(s, op)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k.scheme.encode(raw)
}

func (k *Key) hold() hold { return hold(k.askAlways.Load()) }

// signIn makes the signature in a session.
func (k *Key) signIn(s *session, op operation) ([]byte, error) {
	handle, err := k.handleIn(s)
	if err != nil {
		return nil, err
	}
	began := k.token.options.Now()
	var raw []byte
	if k.askAlways.Load() {
		raw, err = k.signWithPIN(s, handle, op)
	} else {
		raw, err = k.token.lib.ctx.SignWith(s.handle, op.mechanism, handle, op.input, k.scheme.size())
		err = explain("sign", err)
	}
	if err != nil {
		return nil, err
	}
	k.token.options.Metrics.signed(k.token.label, k.title, k.token.options.Now().Sub(began))
	return raw, nil
}

// signWithPIN gives the token the PIN for the one signature.
func (k *Key) signWithPIN(s *session, handle pkcs11.ObjectHandle, op operation) ([]byte, error) {
	p11 := k.token.lib.ctx
	if err := p11.SignInit(s.handle, []*pkcs11.Mechanism{op.mechanism}, handle); err != nil {
		return nil, explain("C_SignInit", err)
	}
	if err := k.token.logInForOne(s); err != nil {
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_OPERATION_NOT_INITIALIZED)) {
			k.askAlways.Store(false) // the operation wants no login: we concluded wrongly
		}
		return nil, err
	}
	raw, err := p11.Sign(s.handle, op.input)
	return raw, explain("C_Sign", err)
}

// handleIn is the key's handle for a session. After a loss it is looked up again.
// Handles and slots are reused, so the public key is compared: another card may
// be in the reader by now.
func (k *Key) handleIn(s *session) (pkcs11.ObjectHandle, error) {
	if p := k.at.Load(); p != nil && p.age == s.age {
		return p.handle, nil
	}
	k.finding.Lock()
	defer k.finding.Unlock()
	if p := k.at.Load(); p != nil && p.age == s.age {
		return p.handle, nil // somebody else found it meanwhile
	}
	o := k.token.objects(s)
	handle, err := o.privateKey(k.name())
	if err != nil {
		return 0, gone(err)
	}
	public, err := o.publicKey(k.id, k.label)
	if err != nil {
		return 0, gone(err)
	}
	if !samePublicKey(public, k.public) {
		return 0, fault.New(fault.HSMKeyUnsafe, "", "the key found under the same name is another key")
	}
	k.at.Store(&place{handle, s.age})
	return handle, nil
}

// gone is for a key that was there and is not: a card that is just being pulled
// shows nothing before it says so. It is looked for once more, on a new session.
func gone(err error) error {
	if !fault.Is(err, fault.HSMKeyMissing) {
		return err
	}
	return fault.Wrap(pkcs11.Error(pkcs11.CKR_OBJECT_HANDLE_INVALID), fault.HSMKeyMissing, "", "the key is not where it was")
}

// name is what the key is found by: its CKA_ID, or its label where it has none.
func (k *Key) name() *pkcs11.Attribute {
	if len(k.id) == 0 {
		return pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.label)
	}
	return pkcs11.NewAttribute(pkcs11.CKA_ID, k.id)
}

func samePublicKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}

var errUnproven = errors.New("a signature of the token does not verify under the public key it shows")

// Prove signs a random challenge and verifies the signature outside the token.
// It fails if the private and the public key do not belong together.
func (k *Key) Prove(ctx context.Context) error {
	return k.token.do(ctx, k.hold(), k, k.proveIn)
}

func (k *Key) proveIn(s *session) error {
	challenge, opts := newChallenge(k.public)
	op, err := k.scheme.operation(challenge, opts)
	if err != nil {
		return err
	}
	raw, err := k.signIn(s, op)
	if err != nil {
		return err
	}
	signature, err := k.scheme.encode(raw)
	if err != nil {
		return err
	}
	if !verifies(k.public, challenge, signature) {
		return fault.Wrap(errUnproven, fault.HSMKeyUnsafe, "", "prove the key")
	}
	return nil
}

// newChallenge is a random digest, or message, to sign with a key of that kind.
func newChallenge(public crypto.PublicKey) ([]byte, crypto.SignerOpts) {
	size, hash := sha256.Size, crypto.SHA256
	switch public := public.(type) {
	case ed25519.PublicKey:
		hash = 0
	case *gost.PublicKey:
		size, hash = public.Curve().Size(), 0
	}
	challenge := make([]byte, size)
	rand.Read(challenge)
	return challenge, hash
}

// verifies checks a signature over a challenge.
func verifies(public crypto.PublicKey, challenge, signature []byte) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, challenge, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, challenge, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, challenge, signature)
	case *gost.PublicKey:
		return public.Verify(public.Algorithm().Algorithm().Layout, challenge, signature) == nil
	}
	return false
}
