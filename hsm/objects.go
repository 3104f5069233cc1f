package hsm

import (
	"errors"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// objects finds things in a token through one session.
type objects struct {
	ctx     Cryptoki
	session pkcs11.SessionHandle
	gost    []GOSTMechanism
	login   bool // the token wants one
}

func (t *Token) objects(s *session) objects {
	return objects{t.lib.ctx, s.handle, t.options.GOST, t.loginRequired()}
}

// objectsMax: two are enough to know that a name is not unique, a few more that
// a certificate was replaced while somebody else wrote another.
const objectsMax = 16

func (o objects) find(template ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	return o.findUpTo(objectsMax, template...)
}

func (o objects) findUpTo(limit int, template ...*pkcs11.Attribute) (found []pkcs11.ObjectHandle, err error) {
	if err := o.ctx.FindObjectsInit(o.session, template); err != nil {
		return nil, explain("C_FindObjectsInit", err)
	}
	defer func() { err = errors.Join(err, explain("C_FindObjectsFinal", o.ctx.FindObjectsFinal(o.session))) }()
	// A module may give fewer than asked for at a time; only none means the end.
	for len(found) < limit {
		more, _, err := o.ctx.FindObjects(o.session, limit-len(found))
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
		return 0, o.missing()
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

// readFlag reads a CK_BBOOL. known is false where the module does not have the
// attribute (it came with PKCS#11 v2.20).
func (o objects) readFlag(handle pkcs11.ObjectHandle, attribute uint) (value, known bool, err error) {
	values, err := o.values(handle, attribute)
	if err != nil || len(values[0]) != 1 {
		return false, false, err
	}
	return values[0][0] != 0, true, nil
}

// flag is a CK_BBOOL that counts as false where it cannot be read.
func (o objects) flag(handle pkcs11.ObjectHandle, attribute uint) bool {
	value, _, _ := o.readFlag(handle, attribute)
	return value
}

// missing says that there is no such private key, if the token could see one: it
// hides them from who is not logged in (PKCS#11 v2.40 §4.4).
func (o objects) missing() error {
	info, err := o.ctx.GetSessionInfo(o.session)
	if err != nil {
		return explain("C_GetSessionInfo", err)
	}
	if o.login && !isLoggedIn(info) {
		return explain("C_FindObjects", pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN))
	}
	return fault.New(fault.HSMKeyMissing, "", "no private key with this name")
}
