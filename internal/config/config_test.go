package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// files makes the files that a good configuration names.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"dsn", "pin", "module.so", "anchors.pem", "tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const good = `
listen: 0.0.0.0:8443
public_url: https://senim.example
tls: {certificate_file: DIR/tls.crt, key_file: DIR/tls.key}
database: {dsn_file: DIR/dsn}
token: {module: DIR/module.so, uri: "pkcs11:token=senim", pin_file: DIR/pin}
trust: {anchors: [DIR/anchors.pem], allowed_hosts: [ocsp.pki.gov.kz]}
timestamp: {url: "http://tsp.pki.gov.kz/"}
shep: {url: "http://shep.example/sync", sender_id: senim, register_bin: "971240001315"}
gateway: {url: "http://pshep.example/", sender_id: senim, service_id: PSHEP}
tsa:
  policies: [{oid: 1.2.398.3.3.2.6.2, keys: [{label: tsa-2026, until: 2027-01-01T00:00:00Z}, {label: tsa-2027, from: 2026-12-01T00:00:00Z}]}]
  time: {sources: [ntp1.example, ntp2.example:123, ntp3.example]}
payments: {offices: [{code: "6009", bin: "971240001315", name: УГД}]}
`

func load(t *testing.T, yaml string, environ ...string) (*Config, error) {
	t.Helper()
	dir := files(t)
	path := filepath.Join(dir, "senim.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(yaml, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ)
}

func TestLoadGood(t *testing.T) {
	c, err := load(t, good, "SENIM_LISTEN=0.0.0.0:9000", "SENIM_TIMESTAMP_TIMEOUT=3s",
		"SENIM_TRUST_ALLOWED_HOSTS=a.example,b.example:8080", "SENIM_LIMITS_REQUESTS_PER_SECOND=7.5", "UNRELATED=1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Profile != Production || c.Listen != "0.0.0.0:9000" || c.Timestamp.Timeout != 3*time.Second ||
		strings.Join(c.Trust.AllowedHosts, " ") != "a.example b.example:8080" || c.Limits.RequestsPerSecond != 7.5 {
		t.Errorf("%+v", c)
	}
	if c.Signature.Policy != "kz-qualified" || c.SHEP.Timeout != 30*time.Second || c.Payments.BeneficiaryBIC != "KKMFKZ2A" ||
		c.TSA.ExpiryDays != 7 || c.TSA.Time.Expiry != 48*time.Second || c.TSA.Policies[0].Accuracy != time.Second {
		t.Errorf("defaults: %+v", c)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		code           fault.Code
		key            string // that the message must name
		environ        []string
	}{
		{name: "unknown key", from: "listen:", to: "lissten:", code: fault.ConfigBad, key: "lissten"},
		{name: "not YAML", from: "listen:", to: "\t:", code: fault.ConfigBad},
		{name: "two documents", from: "listen:", to: "---\n---\nlisten:", code: fault.ConfigBad},
		{name: "bad listen", from: "0.0.0.0:8443", to: "8443", code: fault.ConfigBad, key: "listen"},
		{name: "public URL without TLS", from: "https://senim.example", to: "http://senim.example", code: fault.ConfigUnsafe, key: "public_url"},
		{name: "public URL on loopback", from: "https://senim.example", to: "https://localhost", code: fault.ConfigUnsafe, key: "public_url"},
		{name: "no TLS", from: "tls: {certificate_file: DIR/tls.crt, key_file: DIR/tls.key}", to: "", code: fault.ConfigUnsafe, key: "tls"},
		{name: "proxy but open listener", from: "tls: {certificate_file: DIR/tls.crt, key_file: DIR/tls.key}", to: "tls: {behind_proxy: true}", code: fault.ConfigUnsafe, key: "tls"},
		{name: "no database", from: "dsn_file: DIR/dsn", to: "", code: fault.ConfigBad, key: "database.dsn_file"},
		{name: "module missing", from: "DIR/module.so", to: "DIR/none.so", code: fault.ConfigBad, key: "token.module"},
		{name: "PIN in the URI", from: "pkcs11:token=senim", to: "pkcs11:token=senim?pin-value=1234", code: fault.ConfigBad, key: "token.uri"},
		{name: "a member without a URI", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, members: [{pin_file: DIR/pin}]", code: fault.ConfigBad, key: "token.members[0].uri"},
		{name: "a member with the PIN in its URI", from: "pin_file: DIR/pin", to: `pin_file: DIR/pin, members: [{uri: "pkcs11:token=b?pin-value=1"}]`, code: fault.ConfigBad, key: "token.members[0].uri"},
		{name: "a member whose module is missing", from: "pin_file: DIR/pin", to: `pin_file: DIR/pin, members: [{uri: "pkcs11:token=b", module: DIR/none.so}]`, code: fault.ConfigBad, key: "token.members[0].module"},
		{name: "a member twice", from: "pin_file: DIR/pin", to: `pin_file: DIR/pin, members: [{uri: "pkcs11:token=senim"}]`, code: fault.ConfigBad, key: "token.members"},
		{name: "a member's unknown key", from: "pin_file: DIR/pin", to: `pin_file: DIR/pin, members: [{url: "pkcs11:token=b"}]`, code: fault.ConfigBad, key: "url"},
		{name: "no order", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, order: random", code: fault.ConfigBad, key: "token.order"},
		{name: "a member's unknown GOST key", from: "pin_file: DIR/pin", to: `pin_file: DIR/pin, members: [{uri: "pkcs11:token=b", gost: [{key: GOST, key_type: 1, sign: 1}]}]`, code: fault.ConfigBad, key: "token.members[0].gost[0].key"},
		{name: "a GOST key without numbers", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2012 (512)}]", code: fault.ConfigBad, key: "token.gost[0].sign"},
		{name: "a GOST number below zero", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2001, key_type: -1, sign: 1}]", code: fault.ConfigBad},
		{name: "a GOST number too large", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2001, key_type: 0x100000000, sign: 1}]", code: fault.ConfigBad},
		{name: "an unknown layout", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2001, key_type: 1, sign: 1, layout: der}]", code: fault.ConfigBad, key: "token.gost[0].layout"},
		{name: "a GOST key twice", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2001, key_type: 1, sign: 1}, {key: GOST R 34.10-2001, key_type: 2, sign: 1}]", code: fault.ConfigBad, key: "token.gost"},
		{name: "an unknown GOST setting", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, gost: [{key: GOST R 34.10-2001, keytype: 1, sign: 1}]", code: fault.ConfigBad, key: "keytype"},
		{name: "no PIN", from: "pin_file: DIR/pin", to: "", code: fault.ConfigBad, key: "token.pin_file"},
		{name: "two places of the PIN", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, pin_env: SENIM_PIN", code: fault.ConfigBad, key: "token.pin_file"},
		{name: "the PIN for its name", from: "pin_file: DIR/pin", to: `pin_env: "1234"`, code: fault.ConfigBad, key: "token.pin_env"},
		{name: "a call that is not waited for", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, call_timeout: 1ms", code: fault.ConfigBad, key: "token.call_timeout"},
		{name: "fewer sessions than none", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, sessions_max: -1", code: fault.ConfigBad, key: "token.sessions_max"},
		{name: "one key for two purposes", from: "pin_file: DIR/pin", to: "pin_file: DIR/pin, keys: {receipt: a, access: a, gateway: b}", code: fault.ConfigBad, key: "token.keys"},
		{name: "no anchors", from: "anchors: [DIR/anchors.pem]", to: "anchors: []", code: fault.ConfigBad, key: "trust.anchors"},
		{name: "timestamps from loopback", from: "http://tsp.pki.gov.kz/", to: "http://127.0.0.1:1/", code: fault.ConfigUnsafe, key: "timestamp.url"},
		{name: "time from loopback", from: "ntp1.example", to: "localhost:123", code: fault.ConfigUnsafe, key: "tsa.time.sources"},
		{name: "time from this machine", from: "ntp1.example", to: "'[::1]:123'", code: fault.ConfigUnsafe, key: "tsa.time.sources"},
		{name: "time from another port of a machine", from: "ntp2.example:123", to: "NTP1.example.:124", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "a time source that is a URL", from: "ntp2.example:123", to: "ntp://ntp2.example", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "a time source without a name", from: "ntp2.example:123", to: "':123'", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "a time source at no port", from: "ntp2.example:123", to: "ntp2.example:0", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "an accuracy within the cut", from: "oid: 1.2.398.3.3.2.6.2", to: "accuracy: 1ms, oid: 1.2.398.3.3.2.6.2", code: fault.ConfigBad, key: "tsa.policies[0].accuracy"},
		{name: "two time sources", from: "ntp1.example, ", to: "", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "one time source thrice", from: "ntp1.example, ntp2.example:123", to: "ntp3.example, ntp3.example", code: fault.ConfigBad, key: "tsa.time.sources"},
		{name: "an expiry too short", from: "time: {sources", to: "time: {every: 1m, expiry: 1m, sources", code: fault.ConfigBad, key: "tsa.time.expiry"},
		{name: "no policy identifier", from: "oid: 1.2.398.3.3.2.6.2", to: "oid: TSP", code: fault.ConfigBad, key: "tsa.policies[0].oid"},
		{name: "too rough", from: "oid: 1.2.398.3.3.2.6.2", to: "accuracy: 1m, oid: 1.2.398.3.3.2.6.2", code: fault.ConfigBad, key: "tsa.policies[0].accuracy"},
		{name: "a timestamping key with another purpose", from: "tsa-2026", to: "senim-receipt", code: fault.ConfigBad, key: "token.keys"},
		{name: "a timestamping key in a file", from: "label: tsa-2026", to: "file: key.pem", code: fault.ConfigBad, key: "file"},
		{name: "a timestamping key that ends first", from: "from: 2026-12-01T00:00:00Z", to: "from: 2026-12-01T00:00:00Z, until: 2026-11-01T00:00:00Z", code: fault.ConfigBad, key: "tsa.policies[0].keys[1].until"},
		{name: "gateway on loopback", from: "http://pshep.example/", to: "http://[::1]/", code: fault.ConfigUnsafe, key: "gateway.url"},
		{name: "gateway on any address", from: "http://pshep.example/", to: "http://0.0.0.0/", code: fault.ConfigUnsafe, key: "gateway.url"},
		{name: "card payments without TLS", from: "timestamp:", to: "gateways: {epay: {oauth_url: https://oauth.example/oauth2/token, api_url: http://epay.example, client_id: c, terminal: t, secret_file: DIR/pin}}\ntimestamp:", code: fault.ConfigUnsafe, key: "gateways.epay.api_url"},
		{name: "card payments of nobody", from: "timestamp:", to: "gateways: {epay: {oauth_url: https://oauth.example/oauth2/token, api_url: https://epay.example, terminal: t, secret_file: DIR/pin}}\ntimestamp:", code: fault.ConfigBad, key: "gateways.epay.client_id"},
		{name: "card payments without their secret", from: "timestamp:", to: "gateways: {epay: {oauth_url: https://oauth.example/oauth2/token, api_url: https://epay.example, client_id: c, terminal: t}}\ntimestamp:", code: fault.ConfigBad, key: "gateways.epay.secret_file"},
		{name: "half of the card payments", from: "timestamp:", to: "gateways: {epay: {terminal: t}}\ntimestamp:", code: fault.ConfigBad, key: "gateways.epay.api_url"},
		{name: "an acquirer without a BIC", from: "timestamp:", to: "gateways: {epay: {oauth_url: https://oauth.example/oauth2/token, api_url: https://epay.example, client_id: c, terminal: t, secret_file: DIR/pin, bank_bic: halyk}}\ntimestamp:", code: fault.ConfigBad, key: "gateways.epay.bank_bic"},
		{name: "password in a URL", from: "http://shep.example/sync", to: "http://u:p@shep.example/", code: fault.ConfigBad, key: "shep.url"},
		{name: "wrong BIN", from: `register_bin: "971240001315"`, to: `register_bin: "971240001314"`, code: fault.ConfigBad, key: "shep.register_bin"},
		{name: "no office", from: `offices: [{code: "6009", bin: "971240001315", name: УГД}]`, to: "offices: []", code: fault.ConfigBad, key: "payments.offices"},
		{name: "wrong office", from: `code: "6009"`, to: `code: "60"`, code: fault.ConfigBad, key: "payments.offices[0].code"},
		{name: "unknown policy", from: "timestamp:", to: "signature: {policy: lax}\ntimestamp:", code: fault.ConfigBad, key: "signature.policy"},
		{name: "events to this machine", from: "timestamp:", to: "webhooks: {hosts: [hooks.example, 'localhost:*']}\ntimestamp:", code: fault.ConfigUnsafe, key: "webhooks.hosts"},
		{name: "events to an address", from: "timestamp:", to: "webhooks: {hosts: ['https://hooks.example/a']}\ntimestamp:", code: fault.ConfigBad, key: "webhooks.hosts"},
		{name: "no CAs of subscribers", from: "timestamp:", to: "webhooks: {hosts: [hooks.example], ca_file: DIR/none.pem}\ntimestamp:", code: fault.ConfigBad, key: "webhooks.ca_file"},
		{name: "override of the wrong form", code: fault.ConfigBad, key: "SENIM_TIMESTAMP_TIMEOUT", environ: []string{"SENIM_TIMESTAMP_TIMEOUT=soon"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			yaml := good
			if c.from != "" {
				yaml = strings.Replace(good, c.from, c.to, 1)
				if yaml == good {
					t.Fatal("the change does not change anything")
				}
			}
			_, err := load(t, yaml, c.environ...)
			if !fault.Is(err, c.code) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), c.key) {
				t.Errorf("%q does not name %s", err, c.key)
			}
		})
	}
}

// What a member does not say is as with the first token.
func TestTokenMembers(t *testing.T) {
	yaml := strings.Replace(good, "pin_file: DIR/pin", `pin_file: DIR/pin, order: round-robin, members: [{uri: "pkcs11:token=b"}, {uri: "pkcs11:token=c", pin_file: DIR/dsn}]`, 1)
	c, err := load(t, yaml)
	if err != nil {
		t.Fatal(err)
	}
	b, third := c.Token.Members[0], c.Token.Members[1]
	if b.Module != c.Token.Module || b.PINFile != c.Token.PINFile || third.PINFile == c.Token.PINFile || c.Token.Order != RoundRobin {
		t.Errorf("%+v", c.Token)
	}
	if c, err = load(t, good, "SENIM_TOKEN_ORDER=round-robin"); err != nil || c.Token.Order != RoundRobin {
		t.Errorf("order from the environment: %v", err)
	}
	if c, err = load(t, good); err != nil || c.Token.Order != InOrder || len(c.Token.Members) != 0 {
		t.Errorf("one token: %v", err)
	}
}

// What the members leave out, and the first token's other settings.
func TestTokenSettings(t *testing.T) {
	const gost = `gost: [{key: ST RK GOST R 34.10-2015 (512), key_type: 0x80000031, sign: 0x80000032, parameters: 0x80000033, layout: kz}]`
	yaml := strings.Replace(good, "pin_file: DIR/pin", `pin_credential: hsm.pin, `+gost+`, members: [{uri: "pkcs11:token=b"}, {uri: "pkcs11:token=c", pin_env: OTHER_PIN, gost: []}]`, 1)
	c, err := load(t, yaml, "SENIM_TOKEN_SESSIONS_MAX=3", "SENIM_TOKEN_CALL_TIMEOUT=5s")
	if err != nil {
		t.Fatal(err)
	}
	all := c.Token.All()
	want := []GOSTMechanism{{"ST RK GOST R 34.10-2015 (512)", 0x80000031, 0x80000032, 0x80000033, GOSTLayoutKZ}}
	if !slices.Equal(all[0].GOST, want) || !slices.Equal(all[1].GOST, want) || len(all[2].GOST) != 0 {
		t.Errorf("GOST: %+v", all)
	}
	if all[0].PINCredential != "hsm.pin" || all[1].PINCredential != "hsm.pin" || all[2].PINCredential != "" || all[2].PINEnv != "OTHER_PIN" {
		t.Errorf("PINs: %+v", all)
	}
	if c.Token.SessionsMax != 3 || c.Token.CallTimeout != 5*time.Second {
		t.Errorf("%d sessions, %s", c.Token.SessionsMax, c.Token.CallTimeout)
	}
	if c, err = load(t, good); err != nil || c.Token.SessionsMax != 0 || c.Token.CallTimeout != 30*time.Second || c.Token.GOST != nil {
		t.Errorf("defaults: %+v %v", c.Token, err)
	}
	if _, err := load(t, good, "SENIM_TOKEN_SESSIONS_MAX=many"); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("many sessions: %v", err)
	}
}

func TestParseGOSTMechanism(t *testing.T) {
	for _, name := range GOSTKeys() {
		if g, err := ParseGOSTMechanism("{key: " + name + ", key_type: 0x80000031, sign: 50}"); err != nil || g.Key != name || g.Sign != 50 {
			t.Errorf("%s: %+v %v", name, g, err)
		}
	}
	for _, row := range []string{"", "{}", "{key: GOST R 34.10-2001}", "[]", "{key: a, b: c}", strings.Repeat("[", 1000), "{key: GOST R 34.10-2001, key_type: x, sign: 1}"} {
		if _, err := ParseGOSTMechanism(row); !fault.Is(err, fault.ConfigBad) {
			t.Errorf("%.20q: %v", row, err)
		}
	}
}

func TestSecretsOpenToOthersAreUnsafe(t *testing.T) {
	dir := files(t)
	if err := os.Chmod(filepath.Join(dir, "pin"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := parse([]byte(strings.ReplaceAll(good, "DIR", dir)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); !fault.Is(err, fault.ConfigUnsafe) || !strings.Contains(err.Error(), "token.pin_file") {
		t.Errorf("error %v", err)
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	_, err := load(t, "listen: x\npublic_url: y\n")
	for _, key := range []string{"listen", "public_url", "database.dsn_file", "token.module", "trust.anchors", "shep.url"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestLoadRefusesAHugeFile(t *testing.T) {
	if _, err := load(t, "# "+strings.Repeat("x", fileSizeMax)); !fault.Is(err, fault.ConfigBad) {
		t.Errorf("error %v", err)
	}
}

func ExampleLoad() {
	_, err := Load("/nowhere/senim.yaml", nil)
	fmt.Println(fault.CodeOf(err))
	// Output: config_invalid
}

// docs/configuration.md is what operators read: it names every key and no other.
func TestConfigurationPageNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	keys, _, _ := strings.Cut(string(page), "\n## ") // sections after it are of other files
	for _, line := range strings.Split(keys, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z_.]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented[m[1]] = true
			}
		}
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		if !documented[key] {
			t.Errorf("%s is not documented", key)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("%s is documented and does not exist", key)
	}
}

func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		switch {
		case key == "-":
		case t.Field(i).Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(t.Field(i).Type, prefix+key+".")...)
		default:
			keys = append(keys, prefix+key)
		}
	}
	return keys
}

// Loopback is refused in whatever form somebody writes it.
func TestTimeFromLoopbackByEverySpelling(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "127.255.0.9", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.0.0.1.",
		"localhost", "LOCALHOST", "localhost.", "a.localhost", "Localhost.LocalDomain", "ip6-localhost",
		"::1", "[::1]", "[::1]:123", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "[::ffff:7f00:1]:123", "[::1%lo]:123",
		"0", "0.0.0.0", "::", "[::]:123", "127.1:123",
	} {
		_, err := load(t, strings.Replace(good, "ntp1.example", "'"+host+"'", 1))
		if !fault.Is(err, fault.ConfigUnsafe) || !strings.Contains(err.Error(), "tsa.time.sources") {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"ntp.example", "192.0.2.1", "[2001:db8::1]:123", "2001:db8::1", "localhost.example", "0xntp.example", "10.1:123"} {
		if _, err := load(t, strings.Replace(good, "ntp1.example", "'"+host+"'", 1)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}
