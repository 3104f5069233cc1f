package cert

import "encoding/asn1"

// Tolerance is a set of oddities: things that X.690 or RFC 5280 forbid, that
// certificates in use have all the same, and that leave no doubt about what the
// certificate says. Each is read only if it is allowed, and is kept in
// Certificate.Tolerated.
type Tolerance uint16

// The oddities. Parse reads certificates with any of them.
const (
	OddSerial             Tolerance = 1 << iota // a serial number that is negative, zero or longer than 20 bytes
	OddParameters                               // NULL for the algorithm's parameters inside, nothing outside, or the other way round
	OddExtensionEncoding                        // an extension's value in BER that is not DER
	OddEmptyAltNames                            // alternative names, and none in them
	OddEmptyNoCheck                             // ocsp-nocheck with nothing where NULL should be
	OddEmptySubtrees                            // name constraints with an empty list beside one that is not
	OddMalformedExtension                       // a known extension that cannot be read: see Certificate.Malformed
	TolerateAll           Tolerance = 1<<iota - 1
)

// Oddity describes one element of a Tolerance.
type Oddity struct {
	Tolerance Tolerance
	Name      string
	Rule      string // what it breaks
	Peer      string // whose certificates need it
}

// Oddities lists what Parse tolerates, and for whom.
var Oddities = []Oddity{
	{OddSerial, "serial", "RFC 5280 §4.1.2.2", "EC-ACC and GLOBALTRUST: more than 20 bytes; NIST PKITS: negative"},
	{OddParameters, "parameters", "RFC 5280 §4.1.1.2", "E-Sign (qualified.esign.co.uk)"},
	{OddExtensionEncoding, "extension-encoding", "X.690 §10.1", "ArubaPEC and VeriSign: lengths in more bytes than needed"},
	{OddEmptyAltNames, "empty-alternative-names", "RFC 5280 §4.2.1.6", "CAcert's OCSP responder"},
	{OddEmptyNoCheck, "empty-nocheck", "RFC 6960 §4.2.2.2.1", "NUC RK's OCSP responders"},
	{OddEmptySubtrees, "empty-subtrees", "RFC 5280 §4.2.1.10", "a CA of OpenSSL's 25-test_verify.t"},
	{OddMalformedExtension, "malformed-extension", "RFC 5280 §4.2", "whoever comes next: a message is not spoilt by an extension that nobody asks for"},
}

// Names lists the oddities of the set by their names.
func (t Tolerance) Names() (names []string) {
	for _, o := range Oddities {
		if t&o.Tolerance != 0 {
			names = append(names, o.Name)
		}
	}
	return names
}

// Malformed is an extension that the package knows and cannot read. To whoever
// needs it, it is as bad as one that nobody knows; to others it is not there.
type Malformed struct {
	OID      asn1.ObjectIdentifier
	Critical bool
}

// IsMalformed reports whether the certificate has the extension, unreadable.
func (c *Certificate) IsMalformed(oid asn1.ObjectIdentifier) bool {
	for _, m := range c.Malformed {
		if m.OID.Equal(oid) {
			return true
		}
	}
	return false
}

// tolerate records an oddity, or says that it is not allowed.
func (c *Certificate) tolerate(odd Tolerance) bool {
	if c.allowed&odd == 0 {
		return false
	}
	c.Tolerated |= odd
	return true
}
