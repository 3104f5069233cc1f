package fetch

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/senim-kz/senim/internal/fault"
)

// hostsMax bounds the allow-list: it is written by hand.
const hostsMax = 256

// anyPort is the port of an entry that stands for all of them.
const anyPort = "*"

// parseHosts turns the configured entries into the keys that hostKey makes. An
// entry without a port stands for the default port of both schemes.
func parseHosts(entries []string) (map[string]bool, error) {
	if len(entries) > hostsMax {
		return nil, fault.New(fault.ConfigBad, "", "more than %d allowed hosts", hostsMax)
	}
	allowed := make(map[string]bool, 2*len(entries))
	for _, entry := range entries {
		host, everyPort := strings.CutSuffix(entry, ":"+anyPort)
		u, err := url.Parse("//" + host)
		if err != nil || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "*@/ ") || everyPort && u.Port() != "" {
			return nil, fault.New(fault.ConfigBad, "", "allowed host %q is not host, host:port or host:*", entry)
		}
		ports := []string{u.Port()}
		switch {
		case everyPort:
			ports = []string{anyPort}
		case u.Port() == "":
			ports = []string{"80", "443"}
		}
		for _, port := range ports {
			allowed[net.JoinHostPort(canonicalName(u.Hostname()), port)] = true
		}
	}
	return allowed, nil
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// hostKey is the host:port that a URL leads to, with the scheme's default port
// filled in. A scheme other than http and https has no key.
func hostKey(u *url.URL) (string, error) {
	port, known := defaultPorts[u.Scheme]
	if !known {
		return "", fault.New(fault.HostDenied, "", "scheme %q is neither http nor https", u.Scheme)
	}
	if u.Hostname() == "" {
		return "", fault.New(fault.BadArgument, "", "the URL names no host")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "", fault.New(fault.BadArgument, "", "port %q", p)
		}
		port = p
	}
	return net.JoinHostPort(canonicalName(u.Hostname()), port), nil
}

// permits looks a host:port up in the allow-list.
func permits(allowed map[string]bool, key string) bool {
	host, _, err := net.SplitHostPort(key)
	return allowed[key] || err == nil && allowed[net.JoinHostPort(host, anyPort)]
}

// canonicalName folds case and the root dot, which DNS ignores.
func canonicalName(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// addressRule judges the address that is about to be connected to.
type addressRule struct{ loopback, private bool }

// control is net.Dialer.Control: it runs after resolution and before connect,
// so it sees the address that will really be used.
func (r addressRule) control(network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Wrap(err, fault.HostDenied, "", "the dialled address is not an IP address")
	}
	return r.check(target.Addr().WithZone("").Unmap())
}

func (r addressRule) check(ip netip.Addr) error {
	// First, since ::1 lies inside the IPv4-compatible block below.
	if ip.IsLoopback() {
		if !r.loopback {
			return fault.New(fault.HostDenied, "", "the host resolves to the loopback address %s", ip)
		}
		return nil
	}
	for _, row := range neverAllowed {
		if row.prefix.Contains(ip) {
			return fault.New(fault.HostDenied, "", "the host resolves to %s (%s)", ip, row.what)
		}
	}
	if !r.private && (ip.IsPrivate() || sharedSpace.Contains(ip)) {
		return fault.New(fault.HostDenied, "", "the host resolves to the private address %s", ip)
	}
	return nil
}

// sharedSpace is RFC 6598 carrier space, used inside closed networks as
// RFC 1918 space is.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// neverAllowed are special-purpose blocks (RFC 6890 registries) that no peer
// lives in. The transition blocks are here because an IPv4 address, a private
// one too, hides inside them.
var neverAllowed = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("192.0.0.0/24"), "IETF protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64"},
	{netip.MustParsePrefix("100::/64"), "discard"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}
