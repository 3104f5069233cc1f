package api

import (
	"mime"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// acceptMax bounds what is read of Accept; browsers send under 200 bytes.
const acceptMax = 1024

// negotiate chooses the media type of an answer by Accept (RFC 9110 §12.5.1):
// of those that the caller weighs most, the first offered. Without Accept, that
// is the first.
func negotiate(accept []string, offers ...string) (string, error) {
	header := strings.Join(accept, ",")
	if len(header) > acceptMax {
		return "", fault.New(fault.NotAcceptable, "/headers/Accept", "longer than %d bytes", acceptMax)
	}
	if strings.TrimSpace(header) == "" {
		return offers[0], nil
	}
	best, weight := "", 0.0
	for _, offer := range offers {
		if w := weightOf(header, offer); w > weight {
			best, weight = offer, w
		}
	}
	if best == "" {
		return "", fault.New(fault.NotAcceptable, "/headers/Accept", "one of %s", strings.Join(offers, ", "))
	}
	return best, nil
}

// weightOf is the weight of the most specific range that names the offer.
func weightOf(header, offer string) float64 {
	major, _, _ := strings.Cut(offer, "/")
	weight, precision := 0.0, -1
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		own := map[string]int{"*/*": 0, major + "/*": 1, offer: 2}
		p, named := own[name]
		if !named || p <= precision {
			continue
		}
		weight, precision = 1, p
		if q, given := parameters["q"]; given {
			if weight, err = strconv.ParseFloat(q, 64); err != nil || weight < 0 || weight > 1 {
				weight = 0
			}
		}
	}
	return weight
}
