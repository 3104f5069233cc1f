package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// Import writes a private key that exists outside into a token. It is for tests,
// which need one key in several tokens or one that is known, and refuses every
// token that is not software: a key that was ever outside has no place in a
// service's HSM.
func (t *Token) Import(ctx context.Context, label string, id []byte, private crypto.Signer) (*Key, error) {
	if !t.Info().Software {
		return nil, fault.New(fault.HSMRefused, "", "a private key is imported into a software token only")
	}
	spec := KeySpec{Label: label, ID: id}
	if label == "" || len(label) > keyLabelBytesMax || len(id) == 0 || len(id) > keyIDBytesMax {
		return nil, fault.New(fault.BadArgument, "", "an imported key needs a label and an ID")
	}
	public, secret, err := importTemplates(private)
	if err != nil {
		return nil, err
	}
	err = t.write(ctx, func(s *session) error {
		o := t.objects(s)
		if err := o.mustBeFree(spec); err != nil {
			return err
		}
		for _, template := range [][]*pkcs11.Attribute{
			slices.Concat(public, spec.publicTemplate(), []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY)}),
			slices.Concat(secret, spec.privateTemplate(), []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}),
		} {
			if _, err := t.lib.ctx.CreateObject(s.handle, template); err != nil {
				return explain("C_CreateObject", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	key, err := t.KeyByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return key, key.Prove(ctx)
}

// importTemplates are the values of a key pair (PKCS#11 v2.40 mechanisms §2.1, §2.3).
func importTemplates(private crypto.Signer) (public, secret []*pkcs11.Attribute, err error) {
	number := func(attribute uint, n *big.Int) *pkcs11.Attribute { return pkcs11.NewAttribute(attribute, n.Bytes()) }
	switch k := private.(type) {
	case *rsa.PrivateKey:
		kind := pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA)
		n, e := number(pkcs11.CKA_MODULUS, k.N), number(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(k.E)))
		return []*pkcs11.Attribute{kind, n, e}, []*pkcs11.Attribute{
			kind, n, e, number(pkcs11.CKA_PRIVATE_EXPONENT, k.D),
			number(pkcs11.CKA_PRIME_1, k.Primes[0]), number(pkcs11.CKA_PRIME_2, k.Primes[1]),
			number(pkcs11.CKA_EXPONENT_1, k.Precomputed.Dp), number(pkcs11.CKA_EXPONENT_2, k.Precomputed.Dq),
			number(pkcs11.CKA_COEFFICIENT, k.Precomputed.Qinv),
		}, nil
	case *ecdsa.PrivateKey:
		for _, row := range curves {
			if row.curve != k.Curve {
				continue
			}
			point, err := k.PublicKey.Bytes()
			if err != nil {
				return nil, nil, fault.Wrap(err, fault.BadArgument, "", "encode the public key")
			}
			secretNumber, err := k.Bytes()
			if err != nil {
				return nil, nil, fault.Wrap(err, fault.BadArgument, "", "encode the private key")
			}
			var b cryptobyte.Builder
			b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddBytes(point) })
			kind, params := pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, row.params)
			return []*pkcs11.Attribute{kind, params, pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, b.BytesOrPanic())},
				[]*pkcs11.Attribute{kind, params, pkcs11.NewAttribute(pkcs11.CKA_VALUE, secretNumber)}, nil
		}
	}
	return nil, nil, fault.New(fault.HSMKeyUnsupported, "", "only RSA, P-256 and P-384 keys are imported")
}
