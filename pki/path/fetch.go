package path

import (
	"context"
	"slices"

	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/revocation"
)

// Limits of what is fetched for one path.
const (
	fetchRoundsMax  = 4 // issuers above each other
	fetchURLsMax    = 3 // addresses of one certificate
	fetchedBytesMax = 1 << 20
)

// FetchIssuers gets the issuing certificates that the request lacks from where
// certificates say that they are (authority information access, RFC 5280
// §4.2.2.1): certificates and PKCS#7 bundles. What cannot be had, or read, is
// left out: the path then says what is missing. Nothing fetched is trusted.
func FetchIssuers(ctx context.Context, f revocation.Fetcher, r Request) []*cert.Certificate {
	var fetched []*cert.Certificate
	asked := make(map[string]bool)
	for range fetchRoundsMax {
		p := Prospective(r.Leaf, slices.Concat(r.Intermediates, fetched), r.Anchors)[0]
		top := p.Certificates[len(p.Certificates)-1]
		if p.Anchor != nil || top.SelfIssued() {
			break
		}
		before := len(fetched)
		for _, url := range top.IssuingURLs[:min(len(top.IssuingURLs), fetchURLsMax)] {
			if asked[url] {
				continue
			}
			asked[url] = true
			data, err := f.Fetch(ctx, url, "", nil, fetchedBytesMax)
			if err != nil {
				continue
			}
			if certs, err := cert.ParseBundle(data); err == nil {
				fetched = append(fetched, certs...)
			}
		}
		if len(fetched) == before {
			break
		}
	}
	return fetched
}
