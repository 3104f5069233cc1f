package cert

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// eachGeneralName walks the content of GeneralNames; each is given its tag and
// content.
func eachGeneralName(names cryptobyte.String, visit func(cbasn1.Tag, cryptobyte.String)) bool {
	for count := 0; !names.Empty(); count++ {
		var content cryptobyte.String
		var tag cbasn1.Tag
		if count == listMax || !names.ReadAnyASN1(&content, &tag) || tag&0xc0 != 0x80 {
			return false
		}
		visit(tag, content)
	}
	return true
}

// tagURI is uniformResourceIdentifier of GeneralName.
var tagURI = context(6)

// urlMax bounds one address in bytes; longer ones are not addresses.
const urlMax = 2048

func appendURL(list *[]string, content cryptobyte.String) {
	if len(content) <= urlMax {
		*list = append(*list, string(content))
	}
}

var (
	oidAccessOCSP    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidAccessIssuers = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
)

// parseAccess reads authority information access (RFC 5280 §4.2.2.1).
func (c *Certificate) parseAccess(s cryptobyte.String) bool {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() {
		return false
	}
	for count := 0; !list.Empty(); count++ {
		var access, content cryptobyte.String
		var method asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if count == listMax || !list.ReadASN1(&access, cbasn1.SEQUENCE) ||
			!access.ReadASN1ObjectIdentifier(&method) || !access.ReadAnyASN1(&content, &tag) || !access.Empty() {
			return false
		}
		switch {
		case tag != tagURI:
		case method.Equal(oidAccessOCSP):
			appendURL(&c.OCSPServers, content)
		case method.Equal(oidAccessIssuers):
			appendURL(&c.IssuingURLs, content)
		}
	}
	return true
}
