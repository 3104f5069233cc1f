package hsmtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/pki/gost"
)

// Numbers of PKCS#11 v3.0 that the binding does not have.
const (
	ckkECEdwards = 0x40
	ckmEdDSA     = 0x1057
	ckmEdDSAGen  = 0x1055
)

// The vendor numbers under which a scripted token knows GOST R 34.10-2012 keys,
// and those of Kazakhstan's 2015 series alike.
const (
	ScriptedGOSTKeyType = 0x80000031
	ScriptedGOSTSign    = 0x80001201
)

type scriptedObject struct {
	handle     pkcs11.ObjectHandle
	attributes map[uint][]byte
	key        crypto.Signer // of a private key
}

func (o *scriptedObject) is(template []*pkcs11.Attribute) bool {
	for _, a := range template {
		if value, there := o.attributes[a.Type]; !there || !bytes.Equal(value, a.Value) {
			return false
		}
	}
	return true
}

func (o *scriptedObject) flag(attribute uint) bool {
	value := o.attributes[attribute]
	return len(value) == 1 && value[0] != 0
}

// add makes an object of a template and further attributes.
func (s *Scripted) add(slot *ScriptedSlot, key crypto.Signer, template []*pkcs11.Attribute, more ...*pkcs11.Attribute) pkcs11.ObjectHandle {
	o := &scriptedObject{handle: s.handle(), attributes: make(map[uint][]byte), key: key}
	for _, a := range slices.Concat(template, more) {
		o.attributes[a.Type] = bytes.Clone(a.Value)
	}
	slot.objects = append(slot.objects, o)
	return o.handle
}

// AddKey puts a key pair into a token, as its maker would have: with attributes
// of the private key that the test chooses.
func (s *Scripted) AddKey(slot *ScriptedSlot, label string, key crypto.Signer, private ...*pkcs11.Attribute) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, label)}
	s.addPair(slot, key, names, slices.Concat(names, private))
}

func (s *Scripted) addPair(slot *ScriptedSlot, key crypto.Signer, public, private []*pkcs11.Attribute) (pkcs11.ObjectHandle, pkcs11.ObjectHandle) {
	shown := publicAttributes(key.Public())
	return s.add(slot, nil, public, append(shown, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY))...),
		s.add(slot, key, private, shown[0], pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY))
}

// publicAttributes of a key, its type first.
func publicAttributes(public crypto.PublicKey) []*pkcs11.Attribute {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), pkcs11.NewAttribute(pkcs11.CKA_MODULUS, public.N.Bytes()),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(public.E)).Bytes()),
		}
	case *ecdsa.PublicKey:
		point, _ := public.Bytes() // of a key that signs
		return []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curveOID(public.Curve)),
			pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, der(point)),
		}
	case ed25519.PublicKey:
		return []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, ckkECEdwards), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, []byte{6, 3, 0x2b, 0x65, 0x70}),
			pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, []byte(public)),
		}
	case *gost.PublicKey:
		return []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, ScriptedGOSTKeyType), pkcs11.NewAttribute(pkcs11.CKA_VALUE, public.Bytes()),
			pkcs11.NewAttribute(pkcs11.CKA_GOSTR3410_PARAMS, der(public.Curve().OIDs()[0])),
		}
	}
	return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_VENDOR_DEFINED)}
}

var curveOIDs = map[elliptic.Curve]asn1.ObjectIdentifier{
	elliptic.P256(): {1, 2, 840, 10045, 3, 1, 7}, elliptic.P384(): {1, 3, 132, 0, 34}, elliptic.P521(): {1, 3, 132, 0, 35},
}

func curveOID(c elliptic.Curve) []byte { return der(curveOIDs[c]) }

// der encodes bytes or an object identifier, which cannot fail.
func der(value any) []byte {
	raw, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}

// FindObjectsInit is C_FindObjectsInit. Private objects are seen after a login.
func (s *Scripted) FindObjectsInit(handle pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	session, err := s.enterSession("C_FindObjectsInit", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if session.search {
		return rv(pkcs11.CKR_OPERATION_ACTIVE)
	}
	session.search, session.found = true, nil
	for _, o := range session.slot.objects {
		if o.is(template) && (session.slot.loggedIn || o.key == nil) {
			session.found = append(session.found, o.handle)
		}
	}
	return nil
}

// FindObjects is C_FindObjects. It gives one at a time, as it may.
func (s *Scripted) FindObjects(handle pkcs11.SessionHandle, _ int) ([]pkcs11.ObjectHandle, bool, error) {
	session, err := s.enterSession("C_FindObjects", handle)
	if err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	if !session.search {
		return nil, false, rv(pkcs11.CKR_OPERATION_NOT_INITIALIZED)
	}
	n := min(1, len(session.found))
	one := session.found[:n]
	session.found = session.found[n:]
	return one, false, nil
}

// FindObjectsFinal is C_FindObjectsFinal.
func (s *Scripted) FindObjectsFinal(handle pkcs11.SessionHandle) error {
	session, err := s.enterSession("C_FindObjectsFinal", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	session.search = false
	return nil
}

func (slot *ScriptedSlot) object(handle pkcs11.ObjectHandle) *scriptedObject {
	for _, o := range slot.objects {
		if o.handle == handle {
			return o
		}
	}
	return nil
}

// GetAttributeValue is C_GetAttributeValue.
func (s *Scripted) GetAttributeValue(handle pkcs11.SessionHandle, object pkcs11.ObjectHandle, wanted []*pkcs11.Attribute) ([]*pkcs11.Attribute, error) {
	session, err := s.enterSession("C_GetAttributeValue", handle)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	o := session.slot.object(object)
	if o == nil {
		return nil, rv(pkcs11.CKR_OBJECT_HANDLE_INVALID)
	}
	var values []*pkcs11.Attribute
	for _, a := range wanted {
		value, there := o.attributes[a.Type]
		if !there {
			return nil, rv(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)
		}
		values = append(values, &pkcs11.Attribute{Type: a.Type, Value: bytes.Clone(value)})
	}
	return values, nil
}

// CreateObject is C_CreateObject, of objects without a private key.
func (s *Scripted) CreateObject(handle pkcs11.SessionHandle, template []*pkcs11.Attribute) (pkcs11.ObjectHandle, error) {
	session, err := s.enterSession("C_CreateObject", handle)
	if err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	if !session.write {
		return 0, rv(pkcs11.CKR_SESSION_READ_ONLY)
	}
	return s.add(session.slot, nil, template), nil
}

// DestroyObject is C_DestroyObject.
func (s *Scripted) DestroyObject(handle pkcs11.SessionHandle, object pkcs11.ObjectHandle) error {
	session, err := s.enterSession("C_DestroyObject", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o := session.slot.object(object)
	if o == nil {
		return rv(pkcs11.CKR_OBJECT_HANDLE_INVALID)
	}
	session.slot.objects = slices.DeleteFunc(session.slot.objects, func(other *scriptedObject) bool { return other == o })
	return nil
}

// GenerateKeyPair is C_GenerateKeyPair.
func (s *Scripted) GenerateKeyPair(handle pkcs11.SessionHandle, how []*pkcs11.Mechanism, public, private []*pkcs11.Attribute) (pkcs11.ObjectHandle, pkcs11.ObjectHandle, error) {
	session, err := s.enterSession("C_GenerateKeyPair", handle)
	if err != nil {
		return 0, 0, err
	}
	defer s.mu.Unlock()
	asked := make(map[uint][]byte)
	for _, a := range public {
		asked[a.Type] = a.Value
	}
	key, err := newKey(how[0].Mechanism, asked)
	if err != nil {
		return 0, 0, err
	}
	born := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_LOCAL, true), pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_NEVER_EXTRACTABLE, true),
	}
	pub, priv := s.addPair(session.slot, key, public, slices.Concat(private, born))
	return pub, priv, nil
}

func newKey(mechanism uint, asked map[uint][]byte) (crypto.Signer, error) {
	switch mechanism {
	case pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN:
		return rsa.GenerateKey(rand.Reader, int(binary.NativeEndian.Uint64(asked[pkcs11.CKA_MODULUS_BITS])))
	case ckmEdDSAGen:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case pkcs11.CKM_EC_KEY_PAIR_GEN:
		for curve := range maps.Keys(curveOIDs) {
			if bytes.Equal(curveOID(curve), asked[pkcs11.CKA_EC_PARAMS]) {
				return ecdsa.GenerateKey(curve, rand.Reader)
			}
		}
		return nil, rv(pkcs11.CKR_CURVE_NOT_SUPPORTED)
	}
	return nil, rv(pkcs11.CKR_MECHANISM_INVALID)
}

// SignWith is C_SignInit and C_Sign.
func (s *Scripted) SignWith(handle pkcs11.SessionHandle, m *pkcs11.Mechanism, object pkcs11.ObjectHandle, data []byte, _ int) ([]byte, error) {
	if err := s.SignInit(handle, []*pkcs11.Mechanism{m}, object); err != nil {
		return nil, fmt.Errorf("C_SignInit: %w", err)
	}
	signature, err := s.Sign(handle, data)
	if err != nil {
		return nil, fmt.Errorf("C_Sign: %w", err)
	}
	return signature, nil
}

// SignInit is C_SignInit.
func (s *Scripted) SignInit(handle pkcs11.SessionHandle, how []*pkcs11.Mechanism, object pkcs11.ObjectHandle) error {
	session, err := s.enterSession("C_SignInit", handle)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o := session.slot.object(object)
	switch {
	case session.key != nil:
		return rv(pkcs11.CKR_OPERATION_ACTIVE)
	case !session.slot.loggedIn:
		return rv(pkcs11.CKR_USER_NOT_LOGGED_IN)
	case o == nil || o.key == nil:
		return rv(pkcs11.CKR_KEY_HANDLE_INVALID)
	}
	session.key, session.how, session.forOne = o, how[0], false
	return nil
}

// Sign is C_Sign.
func (s *Scripted) Sign(handle pkcs11.SessionHandle, data []byte) ([]byte, error) {
	session, err := s.enterSession("C_Sign", handle)
	if err != nil {
		return nil, err
	}
	o, how, forOne := session.key, session.how, session.forOne
	session.key, session.signs = nil, true
	s.mu.Unlock()
	if s.Signing != nil {
		s.Signing()
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		session.signs = false
	}()
	switch {
	case o == nil:
		return nil, rv(pkcs11.CKR_OPERATION_NOT_INITIALIZED)
	case o.asks() && !forOne:
		return nil, rv(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return rawSignature(o.key, how, data)
}

// asks reports whether a private key wants a login for each signature.
func (o *scriptedObject) asks() bool {
	return o.flag(pkcs11.CKA_ALWAYS_AUTHENTICATE) || o.flag(AsksUnsaid)
}

// AsksUnsaid is an attribute of a scripted private key that wants a login for
// each signature and does not say so.
const AsksUnsaid = 0x80000001

// hashes by PKCS#11's numbers, for PSS.
var hashes = map[uint64]crypto.Hash{
	pkcs11.CKM_SHA224: crypto.SHA224, pkcs11.CKM_SHA256: crypto.SHA256, pkcs11.CKM_SHA384: crypto.SHA384, pkcs11.CKM_SHA512: crypto.SHA512,
}

// rawSignature signs as PKCS#11 writes it.
func rawSignature(key crypto.Signer, how *pkcs11.Mechanism, data []byte) ([]byte, error) {
	switch how.Mechanism {
	case pkcs11.CKM_RSA_PKCS:
		return key.Sign(rand.Reader, data, crypto.Hash(0))
	case pkcs11.CKM_RSA_PKCS_PSS:
		hash := hashes[binary.NativeEndian.Uint64(how.Parameter)]
		salt := int(binary.NativeEndian.Uint64(how.Parameter[16:]))
		if salt == 0 {
			return nil, rv(pkcs11.CKR_MECHANISM_PARAM_INVALID) // Go's zero means "auto"
		}
		return key.Sign(rand.Reader, data, &rsa.PSSOptions{Hash: hash, SaltLength: salt})
	case pkcs11.CKM_ECDSA:
		signer, ok := key.(*ecdsa.PrivateKey)
		if !ok {
			return nil, rv(pkcs11.CKR_KEY_TYPE_INCONSISTENT)
		}
		encoded, err := ecdsa.SignASN1(rand.Reader, signer, data)
		if err != nil {
			return nil, rv(pkcs11.CKR_FUNCTION_FAILED)
		}
		var value struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(encoded, &value); err != nil {
			return nil, rv(pkcs11.CKR_FUNCTION_FAILED)
		}
		size := (signer.Params().N.BitLen() + 7) / 8
		return slices.Concat(value.R.FillBytes(make([]byte, size)), value.S.FillBytes(make([]byte, size))), nil
	case ckmEdDSA:
		return key.Sign(rand.Reader, data, crypto.Hash(0))
	case ScriptedGOSTSign:
		signer, ok := key.(*gost.PrivateKey)
		if !ok {
			return nil, rv(pkcs11.CKR_KEY_TYPE_INCONSISTENT)
		}
		raw, err := signer.Sign(rand.Reader, data, crypto.Hash(0))
		if err != nil {
			return nil, rv(pkcs11.CKR_DATA_LEN_RANGE)
		}
		if signer.Public().(*gost.PublicKey).Algorithm().Algorithm().Layout == gost.LayoutKZ {
			slices.Reverse(raw) // the token writes Russia's layout for all
		}
		return raw, nil
	}
	return nil, rv(pkcs11.CKR_MECHANISM_INVALID)
}
