package cert

import (
	"encoding/asn1"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/kz"
)

// Holder is what the certificate says about its holder by NUC RK's profile. It
// is what was true on the day of issue; the registers know what is true today.
type Holder struct {
	CommonName   string // ФАМИЛИЯ ИМЯ of a person
	Surname      string
	Patronymic   string // NUC RK writes the patronymic into givenName
	IIN          kz.IIN // "" if absent or not twelve digits
	BIN          kz.BIN // likewise
	Organization string
	Country      string
	Email        string
	UserID       string // the OID of an information system
	Roles        []Role
	Kind         HolderKind
	Purposes     []Purpose
	Treasury     *Treasury // nil unless the certificate is one of the treasury's
	KeyStore     KeyStore
	Policies     []asn1.ObjectIdentifier
}

// Prefixes of the identification numbers in serialNumber and OU.
const (
	prefixIIN = "IIN"
	prefixBIN = "BIN"
)

// Holder reads the subject and the extensions by NUC RK's profile. IIN and BIN
// are checked for their format alone; Check does the rest.
func (c *Certificate) Holder() Holder { return c.HolderBy(Vocabulary{}) }

// HolderBy is Holder with the roles that a vocabulary names besides.
func (c *Certificate) HolderBy(v Vocabulary) Holder {
	s := c.Subject
	h := Holder{
		CommonName:   s.First(oidCommonName),
		Surname:      s.First(oidSurname),
		Patronymic:   s.First(oidGivenName),
		Organization: s.First(oidOrganization),
		Country:      s.First(oidCountry),
		UserID:       s.First(oidUserID),
		Email:        s.First(oidEmailAddress),
		Roles:        rolesOf(c.ExtKeyUsage, v),
		Purposes:     c.Purposes(),
		Treasury:     c.treasury(),
		KeyStore:     c.KeyStore,
		Policies:     c.Policies,
	}
	h.Kind = c.kindOf(h.Roles)
	if h.Email == "" && len(c.Emails) > 0 {
		h.Email = c.Emails[0]
	}
	serials := s.values(oidSerialNumber)
	if n, err := kz.ParseIIN(only(serials, prefixIIN), kz.FormatOnly); err == nil {
		h.IIN = n
	}
	// Some organisations have their BIN where a person has the IIN.
	bins := append(s.values(oidOrganizationUnit), serials...)
	if n, err := kz.ParseBIN(only(bins, prefixBIN), kz.FormatOnly); err == nil {
		h.BIN = n
	}
	return h
}

// only returns what follows the prefix in the one value that has it; two
// different ones are as good as none, because a reader must not choose.
func only(values []string, prefix string) string {
	found := ""
	for _, v := range values {
		number, ok := strings.CutPrefix(v, prefix)
		if !ok || number == found {
			continue
		}
		if found != "" {
			return ""
		}
		found = number
	}
	return found
}

// Check controls IIN and BIN by the rules of the profile: production demands
// their inner structure too. Absent numbers pass.
func (h Holder) Check(control kz.Control) error {
	if h.IIN != "" {
		if _, err := kz.ParseIIN(h.IIN.Digits(), control); err != nil {
			return err
		}
	}
	if h.BIN != "" {
		if _, err := kz.ParseBIN(h.BIN.String(), control); err != nil {
			return err
		}
	}
	return nil
}

// HasRole reports whether the holder has the role.
func (h Holder) HasRole(oid asn1.ObjectIdentifier) bool {
	for _, r := range h.Roles {
		if r.OID.Equal(oid) {
			return true
		}
	}
	return false
}

// StoreKind says what keeps the private key, by the CA's word.
type StoreKind string

// The kinds of key store; "" if the certificate does not say.
const (
	StoreFile     StoreKind = "file"
	StoreHardware StoreKind = "hardware"
	StoreCloud    StoreKind = "cloud"
)

// KeyStore is NUC RK's key store extension.
type KeyStore struct {
	OID  asn1.ObjectIdentifier // nil if the extension is absent
	Name string                // "Kaztoken", or the OID of a store we do not know
	Kind StoreKind             // "" for one outside the three known branches
}

var storeNames = map[string]string{
	"1.2.398.3.3.5.1.1": "PKCS12", "1.2.398.3.3.5.1.2": "JKS",
	"1.2.398.3.3.5.2.1": "ID card", "1.2.398.3.3.5.2.2": "Kaztoken", "1.2.398.3.3.5.2.3": "eToken Java",
	"1.2.398.3.3.5.2.4": "eToken 5110", "1.2.398.3.3.5.2.5": "JaCarta", "1.2.398.3.3.5.2.6": "aKey",
	"1.2.398.3.3.5.2.7": "SIM", "1.2.398.3.3.5.3.1": "Certex Cloud",
}

// storeKinds maps the arc under OIDKeyStore.
var storeKinds = map[int]StoreKind{1: StoreFile, 2: StoreHardware, 3: StoreCloud}

func (c *Certificate) parseKeyStore(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || !list.ReadASN1ObjectIdentifier(&c.KeyStore.OID) {
		return false
	}
	oid := c.KeyStore.OID
	c.KeyStore.Name = oid.String()
	if name, ok := storeNames[oid.String()]; ok {
		c.KeyStore.Name = name
	}
	if n := len(OIDKeyStore); len(oid) > n && oid[:n].Equal(OIDKeyStore) {
		c.KeyStore.Kind = storeKinds[oid[n]]
	}
	return list.Empty()
}
