package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
)

// Check finds every fault at once. In production it also refuses what is
// unsafe: peers and listeners on loopback or without TLS where TLS is due,
// relaxed identity checks, PIN and DSN files that others may read.
func (c *Config) Check() error {
	k := &checker{production: c.Profile == Production}
	k.hostPort("listen", c.Listen)
	k.url("public_url", c.PublicURL, "https")
	k.tls(c)
	if c.Database.DSN == "" {
		k.secretFile("database.dsn_file", c.Database.DSNFile)
	}
	k.token(&c.Token)
	k.must("token.keys", distinct(append(append(c.TSA.labels(), c.Signature.labels()...), c.Token.Keys.Receipt, c.Token.Keys.Access, c.Token.Keys.Gateway)...), "one key, one purpose: the labels must differ")
	k.must("signature.seals", distinct(c.Signature.names()...), "the names must differ")
	for _, seal := range c.Signature.Seals {
		k.must("signature.seals", seal.Name != "" && len(seal.Name) <= sealNameMax && seal.Label != "", "each has a name of at most 64 bytes and a label")
	}
	k.must("trust.anchors", len(c.Trust.Anchors) > 0, "without an anchor no signature can be valid")
	for _, path := range c.Trust.Anchors {
		k.file("trust.anchors", path)
	}
	k.must("signature.policy", c.Signature.Policy == "kz-qualified" || c.Signature.Policy == "etsi-basic" || c.Signature.Policy == "strict",
		"must be kz-qualified, etsi-basic or strict")
	k.peer("timestamp.url", c.Timestamp.URL)
	k.must("timestamp.timeout", c.Timestamp.Timeout > 0, "must be positive")
	k.tsa(&c.TSA)
	k.peer("shep.url", c.SHEP.URL)
	k.must("shep.sender_id", c.SHEP.SenderID != "", "is missing")
	k.must("shep.timeout", c.SHEP.Timeout > 0, "must be positive")
	k.bin("shep.register_bin", c.SHEP.RegisterBIN)
	k.peer("gateway.url", c.Gateway.URL)
	k.must("gateway.sender_id", c.Gateway.SenderID != "", "is missing")
	k.must("gateway.service_id", c.Gateway.ServiceID != "", "is missing")
	k.epay(c.Gateways.Epay)
	k.offices(c.Payments.Offices)
	k.must("payments.order_life", c.Payments.OrderLife > 0, "must be positive")
	k.webhooks(&c.Webhooks)
	k.optionalFile("payments.tariff_file", c.Payments.TariffFile)
	k.optionalFile("payments.exchange_rates_file", c.Payments.ExchangeRatesFile)
	k.optionalFile("payments.calendar_file", c.Payments.CalendarFile)
	k.must("payments.tolerance.tenge", decimal.MatchString(c.Payments.Tolerance.Tenge), "must be an amount like 10.00")
	k.must("payments.tolerance.percent", decimal.MatchString(c.Payments.Tolerance.Percent), "must be a number like 0.01")
	k.must("limits.requests_per_second", c.Limits.RequestsPerSecond > 0, "must be positive")
	k.must("limits.open_requests_per_second", c.Limits.OpenRequestsPerSecond > 0, "must be positive")
	k.must("limits.payments_per_second", c.Limits.PaymentsPerSecond > 0, "must be positive")
	k.must("limits.timestamps_per_second", c.Limits.TimestampsPerSecond > 0, "must be positive")
	return errors.Join(k.faults...)
}

// sealNameMax is what the API takes.
const sealNameMax = 64

func (s Signature) labels() (labels []string) {
	for _, seal := range s.Seals {
		labels = append(labels, seal.Label)
	}
	return labels
}

func (s Signature) names() (names []string) {
	for _, seal := range s.Seals {
		names = append(names, seal.Name)
	}
	return names
}

var (
	revenueOffice = regexp.MustCompile(`^([0-9]{4}([0-9]{2})?|[A-Z][A-Z0-9-]{1,15})$`)
	decimal       = regexp.MustCompile(`^([0-9]{1,12}(\.[0-9]{1,6})?)?$`)
)

type checker struct {
	production bool
	faults     []error
}

func (k *checker) must(key string, ok bool, what string) {
	if !ok {
		k.faults = append(k.faults, fault.New(fault.ConfigBad, key, "%s", what))
	}
}

func (k *checker) safe(key string, ok bool, what string) {
	if !ok {
		k.faults = append(k.faults, fault.New(fault.ConfigUnsafe, key, "%s", what))
	}
}

func (k *checker) hostPort(key, value string) {
	_, port, err := net.SplitHostPort(value)
	k.must(key, err == nil && port != "", "must be host:port")
}

func (k *checker) url(key, value string, schemes ...string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		k.must(key, false, "must be an absolute http(s) URL without user information")
		return nil
	}
	if k.production {
		k.safe(key, !isLoopback(u.Hostname()) && !isUnspecified(u.Hostname()), "is a loopback address")
		for _, scheme := range schemes {
			k.safe(key, u.Scheme == scheme, "must be "+scheme)
		}
	}
	return u
}

// peer is a URL of a state system. NUC RK and ШЭП answer on plain HTTP inside
// signed messages, so the scheme is free.
func (k *checker) peer(key, value string) { k.url(key, value) }

// webhooks' hosts are names of others' systems; what they resolve to is checked
// when they are asked.
func (k *checker) webhooks(w *Webhooks) {
	for _, entry := range w.Hosts {
		u, err := url.Parse("//" + strings.TrimSuffix(entry, ":*"))
		if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" {
			k.must("webhooks.hosts", false, "must be host, host:port or host:*")
			continue
		}
		if k.production {
			k.safe("webhooks.hosts", !isLoopback(u.Hostname()) && !isUnspecified(u.Hostname()), "names a loopback address")
		}
	}
	if w.CAFile != "" {
		k.file("webhooks.ca_file", w.CAFile)
	}
}

func (k *checker) tls(c *Config) {
	if c.TLS.CertificateFile != "" || c.TLS.KeyFile != "" {
		k.file("tls.certificate_file", c.TLS.CertificateFile)
		k.secretFile("tls.key_file", c.TLS.KeyFile)
	}
	if c.TLS.ClientCAFile != "" {
		k.file("tls.client_ca_file", c.TLS.ClientCAFile)
		k.must("tls.client_ca_file", c.TLS.CertificateFile != "", "needs tls.certificate_file")
	}
	if k.production && c.TLS.CertificateFile == "" {
		host, _, _ := net.SplitHostPort(c.Listen)
		k.safe("tls", c.TLS.BehindProxy && isLoopback(host), "no certificate: set one, or behind_proxy with a loopback listen address")
	}
}

func (k *checker) optionalFile(key, path string) {
	if path != "" {
		k.file(key, path)
	}
}

func (k *checker) file(key, path string) bool {
	if path == "" {
		k.must(key, false, "is missing")
		return false
	}
	if k.production {
		k.must(key, filepath.IsAbs(path), "must be an absolute path")
	}
	_, err := os.Stat(path)
	k.must(key, err == nil, "cannot be read: "+path)
	return err == nil
}

// secretFile must exist and be closed to group and others.
func (k *checker) secretFile(key, path string) {
	if !k.file(key, path) {
		return
	}
	info, err := os.Stat(path)
	k.must(key, err == nil && info.Mode().IsRegular(), "must be a regular file")
	if err == nil {
		k.safe(key, info.Mode().Perm()&0o077 == 0, "may be read by others: chmod 600 "+path)
	}
}

func (k *checker) offices(offices []Office) {
	k.must("payments.offices", len(offices) > 0, "at least one revenue office is needed")
	for i, office := range offices {
		at := fmt.Sprintf("payments.offices[%d].", i)
		k.must(at+"code", revenueOffice.MatchString(office.Code), "must have 4 or 6 digits, or be letters for another body")
		k.bin(at+"bin", office.BIN)
		k.must(at+"name", office.Name != "", "is missing")
	}
}

func (k *checker) bin(key, value string) {
	_, err := kz.ParseBIN(value, kz.Full)
	k.must(key, err == nil, "must be a BIN of 12 digits with a right control digit")
}

func distinct(values ...string) bool {
	seen := make(map[string]bool)
	for _, v := range values {
		if v == "" || seen[v] {
			return false
		}
		seen[v] = true
	}
	return true
}

// loopbackNames resolve to loopback by RFC 6761 §6.3, or by the hosts file of the usual
// systems. What else a name resolves to shows when it is asked.
var loopbackNames = []string{"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}

func isLoopback(host string) bool {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if slices.Contains(loopbackNames, name) || strings.HasSuffix(name, ".localhost") {
		return true
	}
	address, ok := parseAddress(host)
	return ok && address.IsLoopback()
}

// isUnspecified: a connection to 0.0.0.0 or [::] goes to this machine.
func isUnspecified(host string) bool {
	address, ok := parseAddress(host)
	return ok && address.IsUnspecified()
}

// parseAddress reads an address in whatever form a resolver would: besides those of
// netip, the numbers of inet_aton, such as 127.1 and 0x7f000001.
func parseAddress(host string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err == nil {
		return address.Unmap().WithZone(""), true
	}
	return parseNumbers(strings.TrimSuffix(host, "."))
}

// parseNumbers reads one to four numbers, decimal, octal or hexadecimal, of which the
// last fills what the others leave.
func parseNumbers(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var whole uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return netip.Addr{}, false
		}
		whole = whole<<bits | n
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(whole)))), true
}
