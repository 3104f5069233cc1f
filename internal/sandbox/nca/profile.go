package nca

import (
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

type oid = asn1.ObjectIdentifier

// Attribute types of the subject (X.520; UID: RFC 4519).
var (
	oidCommonName   = oid{2, 5, 4, 3}
	oidSurname      = oid{2, 5, 4, 4}
	oidSerialNumber = oid{2, 5, 4, 5}
	oidCountry      = oid{2, 5, 4, 6}
	oidOrganization = oid{2, 5, 4, 10}
	oidUnit         = oid{2, 5, 4, 11}
	oidGivenName    = oid{2, 5, 4, 42}
	oidUserID       = oid{0, 9, 2342, 19200300, 100, 1, 1}
)

// NUC RK's register of object identifiers.
var (
	oidPolicyRoot     = oid{1, 2, 398, 3, 1, 2}
	oidPolicy         = oid{1, 2, 398, 3, 3, 2}
	oidPolicyTSP      = oid{1, 2, 398, 3, 3, 2, 6, 2} // timestamps signed with RSA and SHA-256
	oidKeyStore       = oid{1, 2, 398, 3, 3, 5}
	oidIndividual     = oid{1, 2, 398, 3, 3, 4, 1, 1}
	oidOrganizational = oid{1, 2, 398, 3, 3, 4, 1, 2}
	oidHead           = oid{1, 2, 398, 3, 3, 4, 1, 2, 1}
	oidEmployee       = oid{1, 2, 398, 3, 3, 4, 1, 2, 5}
	oidSystems        = oid{1, 2, 398, 3, 3, 4, 1, 2, 6}
)

var (
	oidOCSPNoCheck     = oid{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidExtKeyUsage     = oid{2, 5, 29, 37}
	oidEKUEmail        = oid{1, 3, 6, 1, 5, 5, 7, 3, 4}
	oidEKUClient       = oid{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidEKUTimestamping = oid{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidEKUOCSP         = oid{1, 3, 6, 1, 5, 5, 7, 3, 9}
	oidExtPolicies     = oid{2, 5, 29, 32}
	oidFreshestCRL     = oid{2, 5, 29, 46}
	oidCPS             = oid{1, 3, 6, 1, 5, 5, 7, 2, 1}
)

// system returns the role of a registered information system, …4.1.2.6.N.
func system(n int) oid { return append(append(oid(nil), oidSystems...), n) }

// Profile is a kind of certificate.
type Profile string

// The profiles. Every system's certificate names the system in its EKU, which is
// how peers recognise each other.
const (
	Individual     Profile = "individual"
	Head           Profile = "head"            // first head of an organisation
	Employee       Profile = "employee"        // without the right to sign for it
	SingleWindow   Profile = "single_window"   // this very service, …6.27
	Gateway        Profile = "gateway"         // ШЭП, …6.8
	PaymentGateway Profile = "payment_gateway" // ПШЭП, …6.95
	EntityRegister Profile = "entity_register" // ГБД ЮЛ: no role of its own is published
	TimeStamping   Profile = "timestamping"
	OCSPResponder  Profile = "ocsp_responder"
)

// Usage tells NUC RK's two RSA certificates of a person apart. The zero value
// is for signing.
type Usage string

// The usages.
const (
	Signing        Usage = "sign"
	Authentication Usage = "authenticate"
)

// KeyStore is what the certificate says about where its key is.
type KeyStore string

// The key stores.
const (
	PKCS12   KeyStore = "pkcs12"
	Kaztoken KeyStore = "kaztoken"
)

var keyStores = map[KeyStore]oid{
	PKCS12:   {1, 2, 398, 3, 3, 5, 1, 1},
	Kaztoken: {1, 2, 398, 3, 3, 5, 2, 2},
}

// form is how a profile's subject is laid out.
type form uint8

const (
	personForm  form = iota // CN, SURNAME, serialNumber=IIN…, C, [O, OU=BIN…], GIVENNAME
	systemForm              // UID, CN, C, O, OU=BIN…
	serviceForm             // CN, C, O
)

// profiles is the one table of what each kind of certificate says.
var profiles = map[Profile]struct {
	form   form
	legal  bool // acts for an organisation: needs a BIN, and the policies of legal entities
	roles  []oid
	years  int
	common string // the services' fixed CN
}{
	Individual:     {personForm, false, []oid{oidIndividual}, 1, ""},
	Head:           {personForm, true, []oid{oidOrganizational, oidHead}, 1, ""},
	Employee:       {personForm, true, []oid{oidOrganizational, oidEmployee}, 1, ""},
	SingleWindow:   {systemForm, true, []oid{oidOrganizational, oidSystems, system(27)}, 3, ""},
	Gateway:        {systemForm, true, []oid{oidOrganizational, oidSystems, system(8)}, 3, ""},
	PaymentGateway: {systemForm, true, []oid{oidOrganizational, oidSystems, system(95)}, 3, ""},
	EntityRegister: {systemForm, true, []oid{oidOrganizational, oidSystems}, 3, ""},
	TimeStamping:   {serviceForm, false, nil, 3, "TIME-STAMPING AUTHORITY"},
	OCSPResponder:  {serviceForm, false, nil, 1, "OCSP RESPONDER"},
}

// Holder is whom a certificate is for. Which fields are needed depends on the
// profile.
type Holder struct {
	Surname, Name, Patronymic string
	IIN                       kz.IIN
	Organization              string
	BIN                       kz.BIN
	System                    string // the information system's name
}

type attribute struct {
	kind  oid
	value string
}

// subject lays the holder's names out in NUC RK's order. The patronymic goes
// into givenName: that is how it is done there.
func (h Holder) subject(p Profile) ([]attribute, error) {
	row, known := profiles[p]
	if !known {
		return nil, fault.New(fault.BadArgument, "/profile", "no such profile")
	}
	var names []attribute
	need := []string{}
	switch row.form {
	case serviceForm:
		common, organization := row.common, Organization
		if h.System != "" { // a service of somebody else's
			common, organization = h.System, h.Organization
		}
		return []attribute{{oidCommonName, common}, {oidCountry, "KZ"}, {oidOrganization, organization}}, nil
	case systemForm:
		role := row.roles[len(row.roles)-1]
		names = []attribute{{oidUserID, role.String()}, {oidCommonName, h.System}, {oidCountry, "KZ"}}
		need = append(need, h.System)
	case personForm:
		names = []attribute{{oidCommonName, h.Surname + " " + h.Name}, {oidSurname, h.Surname},
			{oidSerialNumber, "IIN" + h.IIN.Digits()}, {oidCountry, "KZ"}}
		need = append(need, h.Surname, h.Name, h.IIN.Digits())
	}
	if row.legal {
		names = append(names, attribute{oidOrganization, h.Organization}, attribute{oidUnit, "BIN" + string(h.BIN)})
		need = append(need, h.Organization, string(h.BIN))
	}
	if row.form == personForm && h.Patronymic != "" {
		names = append(names, attribute{oidGivenName, h.Patronymic})
	}
	for _, value := range need {
		if value == "" {
			return nil, fault.New(fault.BadArgument, "/holder", "a name or number that profile %s shows is missing", p)
		}
	}
	return names, nil
}

func encodeName(names []attribute) ([]byte, error) {
	var rdns pkix.RDNSequence
	for _, n := range names {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: n.kind, Value: n.value}})
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "/holder", "encode the subject")
	}
	return der, nil
}

// extensions fills in what the profile says about use.
func (a *Authority) extensions(b *branch, t *x509.Certificate, r Request) error {
	row := profiles[r.Profile]
	policies := []oid{oidPolicy}
	critical := false
	var purposes []oid
	switch {
	case r.Profile == TimeStamping:
		// Critical and alone (RFC 3161 §2.3).
		t.KeyUsage, purposes, critical = x509.KeyUsageDigitalSignature, []oid{oidEKUTimestamping}, true
	case r.Profile == OCSPResponder:
		t.KeyUsage, purposes = x509.KeyUsageDigitalSignature, []oid{oidEKUOCSP}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidOCSPNoCheck, Value: []byte{asn1.TagNull, 0}})
	case b == &a.gost && r.Usage == Authentication:
		return fault.New(fault.BadArgument, "/usage", "NUC RK issues one certificate of GOST for signing and for keys, none for authentication")
	case r.Usage == Authentication:
		t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		purposes = append([]oid{oidEKUClient}, row.roles...)
		policies = append(policies, subPolicy(row.legal, 2, 4))
	default:
		t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
		if b == &a.gost {
			t.KeyUsage |= x509.KeyUsageKeyAgreement
		}
		purposes = row.roles
		if row.form == personForm {
			purposes = append([]oid{oidEKUEmail}, row.roles...)
		}
		policies = append(policies, subPolicy(row.legal, 1, 3))
	}
	store, known := keyStores[r.KeyStore]
	if !known {
		return fault.New(fault.BadArgument, "/key_store", "no such key store")
	}
	if err := appendExtension(t, oidKeyStore, false, []oid{store}); err != nil {
		return err
	}
	// By hand: crypto/x509 cannot mark the extension critical.
	if err := appendExtension(t, oidExtKeyUsage, critical, purposes); err != nil {
		return err
	}
	extension, err := a.policiesExtension(policies...)
	if err != nil {
		return err
	}
	t.ExtraExtensions = append(t.ExtraExtensions, extension)
	t.CRLDistributionPoints = []string{a.base + b.pathCRL()}
	t.IssuingCertificateURL = []string{a.base + b.pathCertificate()}
	if err := appendExtension(t, oidFreshestCRL, false, []distributionPoint{pointAt(a.base + b.pathDelta())}); err != nil {
		return err
	}
	if r.Profile != OCSPResponder {
		t.OCSPServer = []string{a.base + pathOCSP}
	}
	return nil
}

// distributionPoint is RFC 5280 §4.2.1.13 as far as it is used here, which
// freshestCRL (§4.2.1.15) has too; crypto/x509 writes no freshestCRL.
type distributionPoint struct {
	Name struct {
		Full []asn1.RawValue `asn1:"tag:0"`
	} `asn1:"tag:0"`
}

func pointAt(url string) distributionPoint {
	var p distributionPoint
	p.Name.Full = []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(url)}}
	return p
}

func subPolicy(legal bool, ifLegal, otherwise int) oid {
	n := otherwise
	if legal {
		n = ifLegal
	}
	return append(append(oid(nil), oidPolicy...), n)
}

func appendExtension(t *x509.Certificate, id oid, critical bool, value any) error {
	der, err := asn1.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode extension %v: %w", id, err)
	}
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: der})
	return nil
}

// policiesExtension lists the policies, each with the address of the practice
// statement (RFC 5280 §4.2.1.4); crypto/x509 writes no qualifiers.
func (a *Authority) policiesExtension(policies ...oid) (pkix.Extension, error) {
	type qualifier struct {
		ID  oid
		CPS string `asn1:"ia5"`
	}
	type information struct {
		ID         oid
		Qualifiers []qualifier
	}
	var list []information
	for _, id := range policies {
		list = append(list, information{id, []qualifier{{oidCPS, a.base + pathCPS}}})
	}
	der, err := asn1.Marshal(list)
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("encode the policies: %w", err)
	}
	return pkix.Extension{Id: oidExtPolicies, Value: der}, nil
}

func hashSHA1(b []byte) []byte {
	sum := sha1.Sum(b)
	return sum[:]
}
