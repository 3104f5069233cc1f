package hsm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// signWaitMax is how long Sign, which has no context, waits for a session.
const signWaitMax = 10 * time.Second

// Key is a private key inside a token. It is safe for concurrent use.
type Key struct {
	token  *Token
	label  string
	id     []byte
	public crypto.PublicKey
	handle atomic.Uint64 // of the private key; changes when it is found again
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
	k := &Key{token: t}
	err := t.do(ctx, func(session pkcs11.SessionHandle) error {
		o := objects{t.lib.ctx, session}
		handle, err := o.privateKey(by)
		if err != nil {
			return err
		}
		if k.label, k.id, err = o.names(handle); err != nil {
			return err
		}
		if k.public, err = o.publicKey(handle, k.id, k.label); err != nil {
			return err
		}
		k.handle.Store(uint64(handle))
		return o.checkUsable(handle)
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Public returns the public key, an *rsa.PublicKey or an *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Label is the key's CKA_LABEL.
func (k *Key) Label() string { return k.label }

// ID is the key's CKA_ID.
func (k *Key) ID() []byte { return bytes.Clone(k.id) }

// Sign signs a digest: RSA by PKCS#1 v1.5, or by PSS when opts is
// *rsa.PSSOptions; ECDSA to an ASN.1 DER signature. The token makes its own
// random numbers; the reader is not used.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), signWaitMax)
	defer cancel()
	return k.SignContext(ctx, digest, opts)
}

// SignContext is Sign with a context that bounds the wait for a session. The
// call into the token itself cannot be interrupted.
func (k *Key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	op, err := operationFor(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	raw, err := k.sign(ctx, op)
	if meaningOf(err).action == findAgain {
		if err := k.find(ctx); err != nil {
			return nil, err
		}
		raw, err = k.sign(ctx, op)
	}
	if err != nil {
		return nil, err
	}
	return op.encode(raw)
}

func (k *Key) sign(ctx context.Context, op operation) ([]byte, error) {
	var raw []byte
	err := k.token.do(ctx, func(session pkcs11.SessionHandle) error {
		p11 := k.token.lib.ctx
		if err := p11.SignInit(session, []*pkcs11.Mechanism{op.mechanism}, pkcs11.ObjectHandle(k.handle.Load())); err != nil {
			return explain("C_SignInit", err)
		}
		var err error
		raw, err = p11.Sign(session, op.input)
		return explain("C_Sign", err)
	})
	return raw, err
}

// find looks the private key up again after its handle went stale. Handles and
// slots are reused, so the public key is compared: another card may be in the
// reader by now.
func (k *Key) find(ctx context.Context) error {
	by := pkcs11.NewAttribute(pkcs11.CKA_ID, k.id)
	if len(k.id) == 0 {
		by = pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.label)
	}
	again, err := k.token.findKey(ctx, by)
	if err != nil {
		return err
	}
	if !samePublicKey(again.public, k.public) {
		return fault.New(fault.HSMKeyUnsafe, "", "the key found under the same name is another key")
	}
	k.handle.Store(again.handle.Load())
	return nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}

// Prove signs a random challenge and verifies the signature outside the token.
// It fails if the private and the public key do not belong together.
func (k *Key) Prove(ctx context.Context) error {
	var challenge [32]byte
	rand.Read(challenge[:])
	digest := sha256.Sum256(challenge[:])
	signature, err := k.SignContext(ctx, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if !verifies(k.public, digest[:], signature) {
		return fault.New(fault.HSMKeyUnsafe, "", "a signature of the token does not verify under the public key it shows")
	}
	return nil
}

func verifies(public crypto.PublicKey, digest, signature []byte) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	}
	return false
}

// objects finds things in a token through one session.
type objects struct {
	ctx     *pkcs11.Ctx
	session pkcs11.SessionHandle
}

// objectsMax: two are enough to know that a name is not unique, a few more that
// a certificate was replaced while somebody else wrote another.
const objectsMax = 16

func (o objects) find(template ...*pkcs11.Attribute) (found []pkcs11.ObjectHandle, err error) {
	if err := o.ctx.FindObjectsInit(o.session, template); err != nil {
		return nil, explain("C_FindObjectsInit", err)
	}
	defer func() { err = errors.Join(err, explain("C_FindObjectsFinal", o.ctx.FindObjectsFinal(o.session))) }()
	// A module may give fewer than asked for at a time; only none means the end.
	for len(found) < objectsMax {
		more, _, err := o.ctx.FindObjects(o.session, objectsMax-len(found))
		if err != nil {
			return nil, explain("C_FindObjects", err)
		}
		if len(more) == 0 {
			break
		}
		found = append(found, more...)
	}
	return found, nil
}

func (o objects) privateKey(by *pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	found, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), by)
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fault.New(fault.HSMKeyMissing, "", "no private key with this name")
	}
	return 0, fault.New(fault.HSMKeyAmbiguous, "", "%d private keys with this name", len(found))
}

func (o objects) names(handle pkcs11.ObjectHandle) (label string, id []byte, err error) {
	values, err := o.values(handle, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
	if err != nil {
		return "", nil, err
	}
	return string(values[0]), values[1], nil
}

// values reads attributes that every object of the class has.
func (o objects) values(handle pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	template := make([]*pkcs11.Attribute, len(types))
	for i, t := range types {
		template[i] = pkcs11.NewAttribute(t, nil)
	}
	attributes, err := o.ctx.GetAttributeValue(o.session, handle, template)
	if err != nil {
		return nil, explain("C_GetAttributeValue", err)
	}
	values := make([][]byte, len(attributes))
	for i, a := range attributes {
		values[i] = a.Value
	}
	return values, nil
}

// flag reads a CK_BBOOL. known is false where the module does not have the
// attribute (it came with PKCS#11 v2.20).
func (o objects) flag(handle pkcs11.ObjectHandle, attribute uint) (value, known bool) {
	values, err := o.values(handle, attribute)
	if err != nil || len(values[0]) != 1 {
		return false, false
	}
	return values[0][0] != 0, true
}

// checkUsable refuses a key that wants a login for every signature: the second
// C_Sign would fail.
func (o objects) checkUsable(handle pkcs11.ObjectHandle) error {
	if always, _ := o.flag(handle, pkcs11.CKA_ALWAYS_AUTHENTICATE); always {
		return fault.New(fault.HSMKeyUnsupported, "", "the key asks for the PIN at every signature (CKA_ALWAYS_AUTHENTICATE)")
	}
	return nil
}
