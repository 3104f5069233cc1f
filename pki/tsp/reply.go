package tsp

import (
	"encoding/asn1"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// replySizeMax bounds a reply: a token and a few words.
const replySizeMax = 1<<20 + 4096

// PKIStatus (RFC 3161 §2.4.2).
const (
	statusGranted         = 0
	statusGrantedWithMods = 1
	statusWaiting         = 3
)

var statusNames = map[int]string{
	2: "rejection", statusWaiting: "waiting", 4: "revocationWarning", 5: "revocationNotification",
}

// failures names the bits of PKIFailureInfo; those that may pass say so.
var failures = []struct {
	bit    int
	name   string
	passes bool
}{
	{0, "badAlg", false},
	{2, "badRequest", false},
	{5, "badDataFormat", false},
	{14, "timeNotAvailable", true},
	{15, "unacceptedPolicy", false},
	{16, "unacceptedExtension", false},
	{17, "addInfoNotAvailable", false},
	{25, "systemFailure", true},
}

// ParseReply reads a TimeStampResp and gives its token. A refusal is
// tsa_refused with the authority's reasons, or peer_unavailable where it says
// that the reason will pass.
func ParseReply(der []byte) (*Token, error) {
	if len(der) == 0 {
		return nil, fault.New(fault.InputEmpty, "", "no reply")
	}
	if len(der) > replySizeMax {
		return nil, fault.New(fault.InputTooBig, "", "a reply of %d bytes, at most %d", len(der), replySizeMax)
	}
	input := cryptobyte.String(der)
	var body, info cryptobyte.String
	var status int
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() ||
		!body.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, unreadable("not a TimeStampResp")
	}
	if status != statusGranted && status != statusGrantedWithMods {
		return nil, refusal(status, info)
	}
	if body.Empty() {
		return nil, unreadable("granted, and no token")
	}
	return ParseToken(body)
}

// refusal reads what the authority says about its refusal.
func refusal(status int, info cryptobyte.String) error {
	name, known := statusNames[status]
	if !known {
		return unreadable("PKIStatus %d", status)
	}
	reasons := []string{name}
	passes := status == statusWaiting
	if info.PeekASN1Tag(cbasn1.SEQUENCE) {
		reasons = append(reasons, freeText(&info)...)
	}
	var bits asn1.BitString
	if info.PeekASN1Tag(cbasn1.BIT_STRING) && info.ReadASN1BitString(&bits) {
		for _, f := range failures {
			if bits.At(f.bit) == 1 {
				reasons = append(reasons, f.name)
				passes = passes || f.passes
			}
		}
	}
	code := fault.TSARefused
	if passes {
		code = fault.PeerDown
	}
	return fault.New(code, "", "the time-stamping authority: %s", strings.Join(reasons, ", "))
}

// Limits of the words of others in our errors.
const (
	textsMax = 4
	textMax  = 100 // bytes
)

// freeText reads PKIFreeText, quoted.
func freeText(info *cryptobyte.String) []string {
	var list cryptobyte.String
	var out []string
	if !info.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	for len(out) < textsMax && !list.Empty() {
		var text cryptobyte.String
		if !list.ReadASN1(&text, cbasn1.UTF8String) {
			return out
		}
		out = append(out, strconv.Quote(strings.ToValidUTF8(string(text[:min(len(text), textMax)]), "")))
	}
	return out
}
