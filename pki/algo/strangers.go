package algo

import (
	"encoding/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// strangers are algorithms that peers use and this table cannot compute: they
// are refused by name, so that a report says more than an OID.
var strangers = []struct{ name, oid, uri string }{
	{"GOST 34.311-95", "1.2.398.3.10.1.3.1", "http://www.w3.org/2001/04/xmldsig-more#gost34311"},
	{"GOST 34.311-95", "1.2.398.3.10.1.3.1.1.0", ""},
	{"GOST 34.311-95", "1.2.398.3.10.1.3.1.1.1", ""},
	{"GOST R 34.11-2015-256", "1.2.398.3.10.1.3.2", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-256"},
	{"GOST R 34.11-2015-512", "1.2.398.3.10.1.3.3", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34112015-512"},
	{"GOST 34.310-2004", "1.2.398.3.10.1.1.1.1", ""},
	{"GOST 34.310-2004", "1.2.398.3.10.1.1.1.2", "http://www.w3.org/2001/04/xmldsig-more#gost34310-gost34311"},
	{"GOST 34.310-2004", "1.2.398.3.10.1.1.1.2.1", ""},
	{"GOST 34.310-2004", "1.2.398.3.10.1.1.1.2.2", ""},
	{"GOST 34.310-2004", "1.3.6.1.4.1.6801.1.2.2", ""},
	{"GOST R 34.10-2015-256", "1.2.398.3.10.1.1.2.1", ""},
	{"GOST R 34.10-2015-512", "1.2.398.3.10.1.1.2.2", ""},
	{"GOST R 34.10-2015-256", "1.2.398.3.10.1.1.2.3.1", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-256"},
	{"GOST R 34.10-2015-512", "1.2.398.3.10.1.1.2.3.2", "urn:ietf:params:xml:ns:pkigovkz:xmlsec:algorithms:gostr34102015-gostr34112015-512"},
	{"MD5", "1.2.840.113549.2.5", "http://www.w3.org/2001/04/xmldsig-more#md5"},
	{"MD5 with RSA", "1.2.840.113549.1.1.4", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"},
	{"Ed25519", "1.3.101.112", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"},
	{"Ed448", "1.3.101.113", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448"},
	{"DSA", "1.2.840.10040.4.1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1"},
	{"SHA3-224", "2.16.840.1.101.3.4.2.7", "http://www.w3.org/2007/05/xmldsig-more#sha3-224"},
	{"SHA3-256", "2.16.840.1.101.3.4.2.8", "http://www.w3.org/2007/05/xmldsig-more#sha3-256"},
	{"SHA3-384", "2.16.840.1.101.3.4.2.9", "http://www.w3.org/2007/05/xmldsig-more#sha3-384"},
	{"SHA3-512", "2.16.840.1.101.3.4.2.10", "http://www.w3.org/2007/05/xmldsig-more#sha3-512"},
}

func unsupportedOID(oid asn1.ObjectIdentifier) error {
	return fault.New(fault.AlgorithmUnsupported, "", "%s", Name(oid))
}

// uriLength bounds what an error repeats of a URI that came with the input.
const uriLength = 120

func unsupportedURI(uri string) error {
	for _, a := range strangers {
		if a.uri == uri {
			return fault.New(fault.AlgorithmUnsupported, "", "%s", a.name)
		}
	}
	return fault.New(fault.AlgorithmUnsupported, "", "%.*q", uriLength, uri)
}
