package hsm

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// uriBytesMax is far above any real URI: all its values are short fixed fields.
const uriBytesMax = 2048

// URI is a PKCS#11 URI (RFC 7512), read strictly: an attribute that is unknown,
// given twice or cannot be honoured is an error, because a selector that is
// passed over selects the wrong key. The zero URI matches every token.
type URI struct {
	attributes map[string]string
	slotID     uint
}

// knownAttributes lists RFC 7512 §2.3's path attributes, and whether each
// describes an object rather than a token.
var knownAttributes = map[string]bool{
	"token": false, "manufacturer": false, "serial": false, "model": false,
	"library-manufacturer": false, "library-description": false, "library-version": false,
	"slot-manufacturer": false, "slot-description": false, "slot-id": false,
	"object": true, "type": true, "id": true,
}

var objectTypes = map[string]bool{"public": true, "private": true, "cert": true, "secret-key": true, "data": true}

// ParseURI reads a URI.
func ParseURI(s string) (URI, error) {
	if len(s) > uriBytesMax {
		return URI{}, fault.New(fault.HSMTokenURIInvalid, "", "the URI is longer than %d bytes", uriBytesMax)
	}
	rest, ok := strings.CutPrefix(s, "pkcs11:")
	if !ok {
		return URI{}, fault.New(fault.HSMTokenURIInvalid, "", `the URI does not begin with "pkcs11:"`)
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery {
		return URI{}, refuseQuery(query)
	}
	u := URI{attributes: make(map[string]string)}
	if path == "" {
		return u, nil
	}
	for pair := range strings.SplitSeq(path, ";") {
		if err := u.add(pair); err != nil {
			return URI{}, err
		}
	}
	return u, nil
}

// refuseQuery: the query part says where the PIN and the module are, and here
// both come from the configuration only. Its values stay out of the message.
func refuseQuery(query string) error {
	name, _, _ := strings.Cut(query, "=")
	switch name {
	case "pin-value", "pin-source":
		return fault.New(fault.HSMTokenURIInvalid, name, "a PIN is never taken from a URI; name a file, an environment variable or a credential")
	case "module-name", "module-path":
		return fault.New(fault.HSMTokenURIInvalid, name, "the module is configured by its absolute path, not in the URI")
	}
	return fault.New(fault.HSMTokenURIInvalid, "", "query attributes are not supported")
}

func (u *URI) add(pair string) error {
	name, encoded, ok := strings.Cut(pair, "=")
	if !ok || name == "" {
		return fault.New(fault.HSMTokenURIInvalid, "", "attribute %d is not name=value", len(u.attributes)+1)
	}
	// Not echoed: a PIN typed into the wrong place would be.
	if _, known := knownAttributes[name]; !known {
		return fault.New(fault.HSMTokenURIInvalid, "", "attribute %d has a name that RFC 7512 does not know", len(u.attributes)+1)
	}
	if _, twice := u.attributes[name]; twice {
		return fault.New(fault.HSMTokenURIInvalid, name, "the attribute stands twice")
	}
	value, err := unescape(encoded)
	if err != nil {
		return fault.Wrap(err, fault.HSMTokenURIInvalid, name, "read the value")
	}
	switch name {
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, strconv.IntSize) // of a CK_ULONG, which some modules use up
		if err != nil {
			return fault.New(fault.HSMTokenURIInvalid, name, "not a number")
		}
		u.slotID = uint(n)
	case "library-version":
		if value, err = version(value); err != nil {
			return fault.New(fault.HSMTokenURIInvalid, name, "not a number, or two with a point between")
		}
	case "type":
		if !objectTypes[value] {
			return fault.New(fault.HSMTokenURIInvalid, name, "not an object type of RFC 7512")
		}
	case "id": // any bytes
	default:
		if !isText(value) {
			return fault.New(fault.HSMTokenURIInvalid, name, "the value is not text")
		}
	}
	u.attributes[name] = value
	return nil
}

// version reads 1*DIGIT [ "." 1*DIGIT ], each of one byte; "2" means 2.0 (RFC 7512
// §2.3).
func version(s string) (string, error) {
	major, minor, pointed := strings.Cut(s, ".")
	if !pointed {
		minor = "0"
	}
	a, errMajor := strconv.ParseUint(major, 10, 8)
	b, errMinor := strconv.ParseUint(minor, 10, 8)
	return fmt.Sprintf("%d.%d", a, b), errors.Join(errMajor, errMinor)
}

// plainInValue are the characters of RFC 7512's pk11-path-res-avail beside the
// unreserved ones of RFC 3986.
const plainInValue = "-._~:[]@!$'()*+,=&"

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plainInValue, c) >= 0
}

func unescape(s string) (string, error) {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' && !isPlain(s[i]) {
			return "", fmt.Errorf("byte %d must be percent-encoded", i)
		}
	}
	value, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("bad percent-encoding")
	}
	return value, nil
}

func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isPlain(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

func (u URI) namesObject() bool {
	for name := range u.attributes {
		if knownAttributes[name] {
			return true
		}
	}
	return false
}

// matches compares every attribute given (RFC 7512 §2.5: all must match).
func (u URI) matches(library pkcs11.Info, t TokenInfo) bool {
	for name, value := range u.attributes {
		var have string
		switch name {
		case "token":
			have = t.Label
		case "manufacturer":
			have = t.Manufacturer
		case "serial":
			have = t.Serial
		case "model":
			have = t.Model
		case "slot-manufacturer":
			have = t.SlotManufacturer
		case "slot-description":
			have = t.SlotDescription
		case "slot-id":
			if u.slotID != t.SlotID {
				return false
			}
			continue
		case "library-manufacturer":
			have = unpad(library.ManufacturerID)
		case "library-description":
			have = unpad(library.LibraryDescription)
		case "library-version":
			have = fmt.Sprintf("%d.%d", library.LibraryVersion.Major, library.LibraryVersion.Minor)
		}
		if have != value {
			return false
		}
	}
	return true
}

// URI describes the token so that it is found again: by everything that stays
// the same when it moves to another slot. What is not text, as RFC 7512 wants it (some
// tools write labels in another encoding), stands in no URI.
func (i TokenInfo) URI() string {
	var pairs []string
	for _, pair := range [][2]string{{"token", i.Label}, {"serial", i.Serial}, {"model", i.Model}, {"manufacturer", i.Manufacturer}} {
		if isText(pair[1]) {
			pairs = append(pairs, pair[0]+"="+escape(pair[1]))
		}
	}
	return "pkcs11:" + strings.Join(pairs, ";")
}

// textOf replaces what is not text, which metrics do not take.
func textOf(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
