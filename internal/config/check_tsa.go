package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// timeSourcesMin: of two clocks that differ nobody knows which is right.
	timeSourcesMin = 3
	// accuracyMin is as far as genTime is cut, and no accuracy yet: what
	// signer/tsa/authority calls Resolution.
	accuracyMin = time.Millisecond
	// accuracyMax is the worst that signer/tsa/authority states.
	accuracyMax = 10 * time.Second
)

var dottedIdentifier = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]{0,8}))+$`)

// tsa checks our own authority. Whether digests are known and certificates fit
// their keys shows when it is made.
func (k *checker) tsa(t *TSA) {
	if len(t.Policies) == 0 {
		k.must("tsa.time.sources", len(t.Time.Sources) == 0, "nothing is compared with the clock unless tsa.policies issue time-stamps")
		return
	}
	policies := make([]string, len(t.Policies))
	for i, p := range t.Policies {
		at := fmt.Sprintf("tsa.policies[%d].", i)
		policies[i] = p.OID
		k.must(at+"oid", dottedIdentifier.MatchString(p.OID), "must be an object identifier such as 1.2.398.3.3.2.6.2")
		k.must(at+"accuracy", p.Accuracy > accuracyMin && p.Accuracy <= accuracyMax && p.Accuracy%time.Microsecond == 0,
			fmt.Sprintf("must be more than %s, at most %s, and whole microseconds", accuracyMin, accuracyMax))
		k.must(at+"keys", len(p.Keys) > 0, "at least one key is needed")
		for n, key := range p.Keys {
			at := fmt.Sprintf("%skeys[%d].", at, n)
			k.must(at+"label", key.Label != "" || key.File != "", "is missing")
			k.safe(at+"file", key.File == "" || !k.production, "is a key outside the token")
			k.must(at+"until", key.Until.IsZero() || key.Until.After(key.From), "must be after from")
		}
	}
	k.must("tsa.policies", distinct(policies...), "each policy is there once")
	k.must("tsa.expiry_days", t.ExpiryDays > 0, "must be positive")
	k.time(t.Time)
}

func (k *checker) time(t TSATime) {
	servers := make([]string, len(t.Sources))
	for i, source := range t.Sources {
		host, port, ok := splitSource(source)
		k.must("tsa.time.sources", ok, fmt.Sprintf("must be host or host:port: %.100q", source))
		servers[i] = net.JoinHostPort(host, port)
		if k.production {
			k.safe("tsa.time.sources", !isLoopback(host) && !isUnspecified(host), "a loopback address tells the time that it is given: "+source)
			servers[i] = host // another port of a machine is the same clock
		}
	}
	k.must("tsa.time.sources", len(t.Sources) >= timeSourcesMin && distinct(servers...),
		fmt.Sprintf("at least %d different time sources are needed", timeSourcesMin))
	k.must("tsa.time.every", t.Every > 0, "must be positive")
	k.must("tsa.time.expiry", t.Expiry > t.Every, "must be longer than tsa.time.every")
}

// ntpPort is what a source without a port is asked at.
const ntpPort = "123"

// hostName is a DNS name, or an address.
var hostName = regexp.MustCompile(`^[0-9A-Za-z_.:%-]{1,253}$`)

// splitSource reads a source in one spelling: a name in small letters, without the
// root's dot; an address as netip writes it.
func splitSource(source string) (host, port string, ok bool) {
	host, port = source, ntpPort
	if bare, bracketed := strings.CutPrefix(source, "["); bracketed && strings.HasSuffix(bare, "]") {
		host = strings.TrimSuffix(bare, "]")
	} else if h, p, err := net.SplitHostPort(source); err == nil {
		host, port = h, p
	}
	if address, isAddress := parseAddress(host); isAddress {
		host = address.String()
	} else if strings.Contains(host, ":") {
		return host, port, false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	number, err := strconv.ParseUint(port, 10, 16)
	return host, strconv.FormatUint(number, 10), err == nil && number > 0 && hostName.MatchString(host)
}

// labels of the keys in the token. A key may sign under several policies, and
// for nothing else.
func (t *TSA) labels() []string {
	var labels []string
	seen := make(map[string]bool)
	for _, p := range t.Policies {
		for _, key := range p.Keys {
			if key.Label != "" && !seen[key.Label] {
				seen[key.Label] = true
				labels = append(labels, key.Label)
			}
		}
	}
	return labels
}
