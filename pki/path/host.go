package path

import (
	"net/netip"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// checkHost holds the leaf against the host that it is wanted for (RFC 9525):
// an address among its addresses, or a name among its DNS names, where the
// leftmost label may be a wildcard. The common name does not count.
func checkHost(leaf *cert.Certificate, host string) error {
	address, err := netip.ParseAddr(host)
	for _, name := range leaf.AltNames {
		switch {
		case err == nil && name.Kind == cert.IPAddress:
			if known, ok := netip.AddrFromSlice(name.Value); ok && known == address.Unmap() || ok && known == address {
				return nil
			}
		case err != nil && name.Kind == cert.DNSName && sameHost(string(name.Value), host):
			return nil
		}
	}
	return fault.New(fault.NameForbidden, place(0), "it is not for this host")
}

// sameHost compares a DNS name of a certificate with a host.
func sameHost(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(strings.TrimSuffix(host, "."))
	rest, wild := strings.CutPrefix(pattern, "*.")
	if !isHost(rest) || !isHost(host) {
		return false
	}
	if !wild {
		return pattern == host
	}
	_, parent, _ := strings.Cut(host, ".")
	return parent == rest
}
