package sandbox_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/hsm/hsmtest"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	channel "github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
	"github.com/senim-kz/senim/registry/gbdul"
)

// made are the RSA keys of this test binary, in the order in which an Authority
// asks for them: making them anew for each would be most of the tests' time.
var made struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

// keyRing hands the made keys out, and makes more when they are used up.
func keyRing() func(bits int) (*rsa.PrivateKey, error) {
	next := 0
	return func(bits int) (*rsa.PrivateKey, error) {
		made.mu.Lock()
		defer made.mu.Unlock()
		if next == len(made.keys) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				return nil, err
			}
			made.keys = append(made.keys, key)
		}
		next++
		return made.keys[next-1], nil
	}
}

func start(t *testing.T, dir string) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(t.Context(), sandbox.Config{Dir: dir, Bits: 2048, Now: time.Now, GenerateKey: keyRing()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// client may ask the sandbox's hosts, as the service would.
func client(t *testing.T, s *sandbox.Sandbox) *fetch.Client {
	t.Helper()
	var hosts []string
	for _, raw := range []string{s.URLs().NCA.OCSP, s.URLs().SHEP, s.URLs().PSHEP} {
		hosts = append(hosts, hostOf(t, raw))
	}
	c, err := fetch.New(fetch.Config{AllowedHosts: hosts, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestThePeopleAreInventedAndTheirNumbersValid(t *testing.T) {
	for _, p := range []sandbox.Person{sandbox.Head, sandbox.Employee, sandbox.Dismissed} {
		h, err := sandbox.HolderOf(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kz.ParseIIN(h.IIN.Digits(), kz.Full); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, h := range []nca.Holder{sandbox.SingleWindow, sandbox.Gateway, sandbox.EntityRegister, sandbox.PaymentGateway, {BIN: sandbox.CompanyBIN, System: "company"}} {
		if _, err := kz.ParseBIN(h.BIN.String(), kz.Full); err != nil {
			t.Errorf("%s: %v", h.System, err)
		}
	}
	if _, err := sandbox.HolderOf("stranger"); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a stranger: %v", err)
	}
}

// The whole way of a trader's key: made in a token, certified here, and its
// status asked over HTTP.
func TestKeysInTokensAreCertified(t *testing.T) {
	soft := hsmtest.SoftHSM(t)
	s := start(t, t.TempDir())
	c := client(t, s)
	issuer, err := x509.ParseCertificate(s.NCA().Issuing())
	if err != nil {
		t.Fatal(err)
	}
	for person, status := range map[sandbox.Person]int{sandbox.Head: ocsp.Good, sandbox.Employee: ocsp.Good, sandbox.Dismissed: ocsp.Revoked} {
		key, err := soft.Token.Generate(t.Context(), hsm.KeySpec{Label: string(person), Algorithm: hsm.RSA2048})
		if err != nil {
			t.Fatal(err)
		}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		issued, err := s.IssuePerson(person, csr)
		if err != nil {
			t.Fatal(err)
		}
		if err := soft.Token.PutCertificate(t.Context(), string(person), key.ID(), issued.Certificate); err != nil {
			t.Error(err)
		}
		leaf, err := x509.ParseCertificate(issued.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		request, err := ocsp.CreateRequest(leaf, issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Fetch(t.Context(), leaf.OCSPServer[0], "application/ocsp-request", request, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ocsp.ParseResponseForCert(answer, leaf, issuer); err != nil || r.Status != status {
			t.Errorf("%s: %+v %v", person, r, err)
		}
	}
	if _, err := s.IssuePerson("stranger", nil); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a stranger: %v", err)
	}
}

// The register answers through ШЭП to the Single Window, with the project's own
// client at the other end.
func TestTheRegisterKnowsTheCompany(t *testing.T) {
	s := start(t, t.TempDir())
	register := lookUp(t, s, nca.SingleWindow, sandbox.SingleWindow)
	answer, err := register.Organisation(t.Context(), sandbox.CompanyBIN)
	if err != nil {
		t.Fatal(err)
	}
	head, err := sandbox.HolderOf(sandbox.Head)
	if err != nil {
		t.Fatal(err)
	}
	if o := answer.Organisation; o == nil || o.Head == nil || o.Head.IIN != head.IIN || o.NameKK != sandbox.CompanyNameKK {
		t.Errorf("answered %+v", answer.Organisation)
	}
	if answer, err := register.Organisation(t.Context(), sandbox.PaymentGateway.BIN); err != nil || answer.Organisation != nil {
		t.Errorf("an organisation that is not registered: %v %v", answer, err)
	}
	// Another system than the Single Window is turned away.
	if _, err := lookUp(t, s, nca.PaymentGateway, sandbox.PaymentGateway).Organisation(t.Context(), sandbox.CompanyBIN); err == nil {
		t.Error("the payment gateway was served as if it were the Single Window")
	}
}

func lookUp(t *testing.T, s *sandbox.Sandbox, profile nca.Profile, holder nca.Holder) *gbdul.Register {
	t.Helper()
	key, trusted := service(t, s, profile, holder)
	sender, err := channel.NewClient(channel.ClientConfig{
		URL: s.URLs().SHEP, Poster: client(t, s), Key: key, Sender: channel.Sender{ID: "senim"},
		Opener: channel.Opener{Peer: channel.Peer{Trust: trusted, Role: cert.OIDRoleGateway}, Now: time.Now},
	})
	if err != nil {
		t.Fatal(err)
	}
	register, err := gbdul.New(gbdul.Config{Channel: sender, Key: key, Requestor: holder.BIN, Now: time.Now,
		Reader: gbdul.Reader{Signer: channel.Peer{Trust: trusted, Role: cert.OIDRoleOrganization, BIN: sandbox.EntityRegister.BIN}}})
	if err != nil {
		t.Fatal(err)
	}
	return register
}

// service is a system's key, and its trust in what the sandbox certifies.
func service(t *testing.T, s *sandbox.Sandbox, profile nca.Profile, holder nca.Holder) (xmldsig.Key, channel.Trust) {
	t.Helper()
	system, err := s.NCA().System(profile, holder)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := cert.Parse(system.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.WriteAnchors(dir); err != nil {
		t.Fatal(err)
	}
	anchors, err := trust.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if anchors.Profile() != trust.Sandbox {
		t.Fatalf("the anchors' profile is %s", anchors.Profile())
	}
	chain := channel.Chain{Anchors: anchors, Intermediates: anchors.Intermediates(),
		Revocation: func(context.Context, *path.Path, time.Time) error { return nil }}
	return xmldsig.Key{Signer: system.Key, Certificate: certificate}, chain.Validate
}

func TestASecondStartContinues(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	urls, root := first.URLs(), first.NCA().Root()
	for _, address := range append([]string{hostOf(t, urls.NCA.OCSP), hostOf(t, urls.SHEP), hostOf(t, urls.PSHEP), hostOf(t, urls.Epay)}, urls.Time...) {
		if at, err := netip.ParseAddrPort(address); err != nil || at.Port() >= 32768 {
			t.Errorf("%s may be anybody's while the sandbox is stopped: %v", address, err)
		}
	}
	order := `{"bin":"180140990010","name_kk":"«Сынақ» ЖШС","name_ru":"ТОО «Сынақ»","registered_on":"2020-01-06"}`
	if status := send(t, http.MethodPut, urls.Control.SHEP+"organisations", order); status != http.StatusNoContent {
		t.Fatalf("put an organisation: %d", status)
	}
	// Killed, not stopped: what the folder holds now is what the second one finds.
	if _, err := sandbox.Start(t.Context(), sandbox.Config{Dir: dir, Bits: 2048, Now: time.Now, GenerateKey: keyRing()}); !fault.Is(err, fault.SandboxPortTaken) {
		t.Errorf("a second sandbox on the same ports: %v", err)
	}
	stop(t, first)
	stop(t, first)

	second := start(t, dir)
	if got := second.URLs(); !reflect.DeepEqual(got, urls) {
		t.Errorf("the addresses moved: %+v, were %+v", got, urls)
	}
	if !bytes.Equal(second.NCA().Root(), root) {
		t.Error("the root is another one")
	}
	if _, known := second.Gateway().State().Organisations["180140990010"]; !known {
		t.Error("the register forgot an organisation")
	}
}

func send(t *testing.T, method, target, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// A page in the operator's browser can make its own name resolve to loopback;
// the Host that it then sends gives it away.
func TestAnotherHostIsRefused(t *testing.T) {
	s := start(t, t.TempDir())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URLs().Control.NCA+"faults", strings.NewReader(`{"ocsp":"timeout"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMisdirectedRequest || s.NCA().Faults() != (nca.Faults{}) {
		t.Errorf("status %d, faults %v", response.StatusCode, s.NCA().Faults())
	}
}

func TestStopEndsHangingRequests(t *testing.T) {
	s := start(t, t.TempDir())
	if err := s.NCA().SetFaults(nca.Faults{CRL: nca.Timeout}); err != nil {
		t.Fatal(err)
	}
	c, answered := client(t, s), make(chan error, 1)
	go func() {
		_, err := c.Fetch(context.Background(), s.URLs().NCA.CRL, "", nil, 1<<20)
		answered <- err
	}()
	stop(t, s)
	if err := <-answered; err == nil {
		t.Error("a request under the timeout fault was answered")
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(s.URLs().SHEP, "/"), "http://")); err == nil {
		t.Error("a listener is still open")
	}
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]sandbox.Config{
		"relative folder": {Dir: "x", Now: time.Now},
		"no clock":        {Dir: t.TempDir()},
		"weak keys":       {Dir: t.TempDir(), Bits: 1024, Now: time.Now},
	} {
		if _, err := sandbox.Start(t.Context(), c); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := sandbox.Start(cancelled, sandbox.Config{Dir: dir, Bits: 2048, Now: time.Now, GenerateKey: keyRing()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A key is certified for one of the people over HTTP.
func TestPeopleAreCertified(t *testing.T) {
	s := start(t, t.TempDir())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	people := s.URLs().Control.NCA + "people/"
	ask := func(name, body string) (int, []byte) {
		t.Helper()
		res, err := http.Post(people+name, "application/pkcs10", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, raw
	}
	status, answer := ask("head", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})))
	block, _ := pem.Decode(answer)
	if status != http.StatusOK || block == nil {
		t.Fatalf("%d %s", status, answer)
	}
	c, err := cert.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := sandbox.HolderOf(sandbox.Head); err != nil || c.Holder().IIN != want.IIN || !key.PublicKey.Equal(c.PublicKey) {
		t.Errorf("certified is %+v", c.Holder())
	}
	for name, row := range map[string]struct{ who, body string }{
		"nobody":         {"king", string(csr)},
		"no request":     {"head", "please"},
		"a long request": {"head", strings.Repeat("x", 17<<10)},
	} {
		if status, answer := ask(row.who, row.body); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}
