package hsm

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// Algorithm names a kind of key that can be generated.
type Algorithm string

// The kinds of keys.
const (
	RSA2048 Algorithm = "RSA-2048"
	RSA3072 Algorithm = "RSA-3072"
	RSA4096 Algorithm = "RSA-4096"
	P256    Algorithm = "P-256"
	P384    Algorithm = "P-384"
	Ed25519 Algorithm = "Ed25519"
)

// Algorithms lists the kinds of keys that can be generated.
func Algorithms() []Algorithm { return []Algorithm{RSA2048, RSA3072, RSA4096, P256, P384, Ed25519} }

var rsaBits = map[Algorithm]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}

// KeySpec says what to generate.
type KeySpec struct {
	// Label names the key; it must be free in the token.
	Label string
	// ID is the CKA_ID; empty means a random one.
	ID []byte
	// Algorithm of the key.
	Algorithm Algorithm
}

// Check refuses what no token is asked for.
func (s KeySpec) Check() error {
	_, _, err := s.mechanism()
	return err
}

const (
	keyLabelBytesMax = 255
	keyIDBytesMax    = 64
	keyIDBytes       = 16
)

// Generate makes a key pair inside the token: the private key is a token object,
// private, sensitive, not extractable and for signing only. The pair is proven by
// a signature; one that fails its proof is destroyed.
func (t *Token) Generate(ctx context.Context, spec KeySpec) (*Key, error) {
	mechanism, keyParameters, err := spec.mechanism()
	if err != nil {
		return nil, err
	}
	if len(spec.ID) == 0 {
		spec.ID = make([]byte, keyIDBytes)
		rand.Read(spec.ID)
	}
	var made pair
	err = t.write(ctx, func(s *session) error {
		if err := t.objects(s).mustBeFree(spec); err != nil {
			return err
		}
		public, private, err := t.lib.ctx.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{mechanism},
			append(keyParameters, spec.publicTemplate()...), spec.privateTemplate())
		made = pair{public, private, s.age}
		return explain("C_GenerateKeyPair", err)
	})
	if err != nil {
		return nil, err
	}
	key, err := t.proven(ctx, spec.ID)
	if err != nil {
		// A pair that nobody has proven does not stay, also if the caller has gone.
		return nil, errors.Join(err, t.destroy(context.WithoutCancel(ctx), spec, made))
	}
	return key, nil
}

// mechanism returns the generation mechanism and the public attributes that
// determine the key.
func (s KeySpec) mechanism() (*pkcs11.Mechanism, []*pkcs11.Attribute, error) {
	if s.Label == "" || len(s.Label) > keyLabelBytesMax || !isPrintable(s.Label) || len(s.ID) > keyIDBytesMax {
		return nil, nil, fault.New(fault.BadArgument, "", "a key's label has 1 to %d bytes of text, its ID at most %d", keyLabelBytesMax, keyIDBytesMax)
	}
	if bits, ok := rsaBits[s.Algorithm]; ok {
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil), []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, nil
	}
	for _, row := range curves {
		if row.algorithm == s.Algorithm {
			return pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil), []*pkcs11.Attribute{
				pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, row.params),
			}, nil
		}
	}
	if s.Algorithm == Ed25519 {
		return pkcs11.NewMechanism(ckmECEdwardsKeyPairGen, nil), []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, edwards25519[0]),
		}, nil
	}
	return nil, nil, fault.New(fault.HSMKeyUnsupported, "", "keys of kind %q are not generated", s.Algorithm)
}

func (s KeySpec) publicTemplate() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_WRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, s.Label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, s.ID),
	}
}

func (s KeySpec) privateTemplate() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, s.Label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, s.ID),
	}
}

// mustBeFree refuses a label or an ID that a private key already has: PKCS#11
// itself allows twins, and then nobody knows which one signs.
func (o objects) mustBeFree(s KeySpec) error {
	for _, by := range []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, s.Label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, s.ID),
	} {
		found, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), by)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fault.New(fault.HSMKeyExists, "", "the label or the ID is taken")
		}
	}
	return nil
}

// proven finds the new key, sees that the token really holds it as asked and that
// nobody else has made one under its label meanwhile, and has it sign. A module may
// ignore a template.
func (t *Token) proven(ctx context.Context, id []byte) (*Key, error) {
	key, err := t.KeyByID(ctx, id)
	if err != nil {
		return nil, err
	}
	err = t.do(ctx, shared, key, func(s *session) error {
		handle, err := key.handleIn(s)
		if err != nil {
			return err
		}
		o := t.objects(s)
		twins, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, key.label))
		if err != nil {
			return err
		}
		if len(twins) > 1 {
			return fault.New(fault.HSMKeyExists, "", "another key was made under the label at the same time")
		}
		return o.checkConfined(handle)
	})
	if err != nil {
		return nil, err
	}
	return key, key.Prove(ctx)
}

// checkConfined wants the key sensitive, not extractable, and born so.
func (o objects) checkConfined(private pkcs11.ObjectHandle) error {
	for _, row := range []struct {
		attribute uint
		want      bool
		name      string
	}{
		{pkcs11.CKA_SENSITIVE, true, "CKA_SENSITIVE"},
		{pkcs11.CKA_EXTRACTABLE, false, "CKA_EXTRACTABLE"},
		{pkcs11.CKA_ALWAYS_SENSITIVE, true, "CKA_ALWAYS_SENSITIVE"},
		{pkcs11.CKA_NEVER_EXTRACTABLE, true, "CKA_NEVER_EXTRACTABLE"},
		{pkcs11.CKA_LOCAL, true, "CKA_LOCAL"},
	} {
		value, known, err := o.readFlag(private, row.attribute)
		if fault.CodeOf(err).Class() == fault.RetryLater {
			return err // says nothing of the key
		}
		if !known || value != row.want {
			return fault.New(fault.HSMKeyUnsafe, "", "the token does not confine the key: %s is not %v", row.name, row.want)
		}
	}
	return nil
}

// pair is a new key pair, by handles that are good for an age.
type pair struct {
	public, private pkcs11.ObjectHandle
	age             age
}

// destroy removes a pair that was made by the spec. Handles of another age may be
// those of other objects by now: then it is looked for by its names, and left alone
// if another has them too.
func (t *Token) destroy(ctx context.Context, spec KeySpec, made pair) error {
	return t.write(ctx, func(s *session) error {
		handles := []pkcs11.ObjectHandle{made.public, made.private}
		if made.age != s.age {
			var err error
			if handles, err = t.objects(s).pairOf(spec); err != nil {
				return fault.Wrap(err, fault.CodeOf(err), "", "the new key %q is still in the token, unproven", spec.Label)
			}
		}
		var errs []error
		for _, handle := range handles {
			errs = append(errs, explain("C_DestroyObject", t.lib.ctx.DestroyObject(s.handle, handle)))
		}
		return errors.Join(errs...)
	})
}

// pairOf finds the one pair that has both names of a spec; nothing, if there is none.
func (o objects) pairOf(s KeySpec) ([]pkcs11.ObjectHandle, error) {
	var handles []pkcs11.ObjectHandle
	for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
		found, err := o.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, s.Label), pkcs11.NewAttribute(pkcs11.CKA_ID, s.ID))
		if err != nil {
			return nil, err
		}
		if len(found) > 1 {
			return nil, fault.New(fault.HSMKeyAmbiguous, "", "%d keys with these names", len(found))
		}
		handles = append(handles, found...)
	}
	return handles, nil
}
