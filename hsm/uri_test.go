package hsm

import (
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

func TestURIMatches(t *testing.T) {
	library := pkcs11.Info{ManufacturerID: "Maker", LibraryDescription: "Its module", LibraryVersion: pkcs11.Version{Major: 2, Minor: 0}}
	token := TokenInfo{
		Label: "receipts; главный", Manufacturer: "Maker", Model: "M 1", Serial: "00AB", SlotID: 7,
		SlotDescription: "slot seven", SlotManufacturer: "Slots",
	}
	for uri, want := range map[string]bool{
		"pkcs11:":            true,
		"pkcs11:serial=00AB": true,
		"pkcs11:serial=00ab": false,
		"pkcs11:token=receipts%3B%20%D0%B3%D0%BB%D0%B0%D0%B2%D0%BD%D1%8B%D0%B9": true,
		"pkcs11:token=receipts":                                              false,
		"pkcs11:token=":                                                      false,
		"pkcs11:model=M%201;manufacturer=Maker":                              true,
		"pkcs11:model=M%201;manufacturer=Other":                              false,
		"pkcs11:slot-id=7":                                                   true,
		"pkcs11:slot-id=8":                                                   false,
		"pkcs11:slot-id=2305843009213693953":                                 false, // as AWS CloudHSM numbers them
		"pkcs11:library-version=02.00":                                       true,
		"pkcs11:slot-description=slot%20seven;slot-manufacturer=Slots":       true,
		"pkcs11:library-version=2":                                           true,
		"pkcs11:library-version=2.1":                                         false,
		"pkcs11:library-manufacturer=Maker;library-description=Its%20module": true,
		token.URI(): true,
	} {
		u, err := ParseURI(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if got := u.matches(library, token); got != want {
			t.Errorf("%s matches = %v", uri, got)
		}
	}
}

// A label that is not text does not spoil the URI, which finds the token all the same.
func TestURIOfATokenWithAStrangeLabel(t *testing.T) {
	for _, label := range []string{"\xea\xeb\xfe\xf7", "a\x00b"} {
		token := TokenInfo{Label: label, Serial: "7", Model: "M", Manufacturer: "Maker"}
		u, err := ParseURI(token.URI())
		if err != nil || !u.matches(pkcs11.Info{}, token) || u.matches(pkcs11.Info{}, TokenInfo{Label: label, Serial: "8", Model: "M", Manufacturer: "Maker"}) {
			t.Errorf("%s: %v", token.URI(), err)
		}
	}
}

func TestURIRefused(t *testing.T) {
	for name, uri := range map[string]string{
		"empty":               "",
		"another scheme":      "http://token=x",
		"capital scheme":      "PKCS11:token=x",
		"no value":            "pkcs11:token",
		"no name":             "pkcs11:=x",
		"unknown attribute":   "pkcs11:colour=red",
		"vendor attribute":    "pkcs11:x-secret=red",
		"twice":               "pkcs11:token=a;token=a",
		"last one empty":      "pkcs11:token=a;",
		"space":               "pkcs11:token=a b",
		"not encoded":         "pkcs11:token=ключ",
		"half an escape":      "pkcs11:token=%4",
		"not hex":             "pkcs11:token=%zz",
		"not UTF-8":           "pkcs11:token=%ff",
		"zero byte":           "pkcs11:token=a%00",
		"slot not a number":   "pkcs11:slot-id=first",
		"slot too large":      "pkcs11:slot-id=18446744073709551616",
		"version half":        "pkcs11:library-version=2.",
		"version of three":    "pkcs11:library-version=2.6.1",
		"version no number":   "pkcs11:library-version=two",
		"object type":         "pkcs11:type=key",
		"PIN in the query":    "pkcs11:token=a?pin-value=s3cret",
		"PIN source":          "pkcs11:token=a?pin-source=file:/s3cret",
		"module in the query": "pkcs11:token=a?module-path=/s3cret.so",
		"PIN in the path":     "pkcs11:pin-value=s3cret",
		"PIN as a name":       "pkcs11:token=a;s3cret=",
		"other query":         "pkcs11:token=a?x=s3cret",
		"too long":            "pkcs11:token=" + strings.Repeat("a", uriBytesMax),
	} {
		_, err := ParseURI(uri)
		if !fault.Is(err, fault.HSMTokenURIInvalid) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the value: %v", name, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, s := range []string{"pkcs11:", "pkcs11:token=a%20b;slot-id=1", "pkcs11:id=%00%ff;object=x;type=cert", "pkcs11:token=a?pin-value=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURI(s)
		if err != nil {
			if !fault.Is(err, fault.HSMTokenURIInvalid) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		// What describes a token by the values read must match that token.
		label, ok := u.attributes["token"]
		if !ok {
			return
		}
		again, err := ParseURI(TokenInfo{Label: label}.URI())
		if err != nil || again.attributes["token"] != label {
			t.Fatalf("%q became %q: %v", label, again.attributes["token"], err)
		}
	})
}
