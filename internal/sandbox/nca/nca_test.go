package nca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/nca"
)

var holder = nca.Holder{
	Surname: "СЫНАҚОВА", Name: "ӘЛИЯ", Patronymic: "ТЕСТҚЫЗЫ", IIN: "800101300006",
	Organization: "«Сынақ» ЖШС", BIN: "190640017419", System: "ИС «Сынақ»",
}

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

// bench is a running Authority.
type bench struct {
	*nca.Authority
	url string
	dir string
}

// open makes an Authority behind a real listener. Its clock is the system's:
// openssl has no other.
func open(t *testing.T, dir string) *bench {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	a, err := nca.Open(nca.Config{Dir: dir, BaseURL: server.URL, Bits: 2048, Now: time.Now, GenerateKey: keyRing()})
	if err != nil {
		t.Fatal(err)
	}
	handler = a.Handler()
	return &bench{a, server.URL, dir}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (b *bench) issue(t *testing.T, p nca.Profile, u nca.Usage) *nca.Issued {
	t.Helper()
	issued, err := b.Issue(nca.Request{Profile: p, Usage: u, Holder: holder, PublicKey: newKey(t).Public()})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestProfilesAreLaidOutAsNUCDoes(t *testing.T) {
	b := open(t, t.TempDir())
	const person = "2.5.4.3=СЫНАҚОВА ӘЛИЯ,2.5.4.4=СЫНАҚОВА,2.5.4.5=IIN800101300006,2.5.4.6=KZ"
	const company = "2.5.4.10=«Сынақ» ЖШС,2.5.4.11=BIN190640017419"
	const patronymic = "2.5.4.42=ТЕСТҚЫЗЫ"
	sign, auth := x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment
	rows := []struct {
		profile  nca.Profile
		usage    nca.Usage
		subject  string
		keyUsage x509.KeyUsage
		purposes string
		policy   string
	}{
		{nca.Individual, nca.Signing, person + "," + patronymic, sign, "emailProtection 1.2.398.3.3.4.1.1", "1.2.398.3.3.2.3"},
		{nca.Individual, nca.Authentication, person + "," + patronymic, auth, "clientAuth 1.2.398.3.3.4.1.1", "1.2.398.3.3.2.4"},
		{nca.Head, nca.Signing, person + "," + company + "," + patronymic, sign, "emailProtection 1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.1", "1.2.398.3.3.2.1"},
		{nca.Head, nca.Authentication, person + "," + company + "," + patronymic, auth, "clientAuth 1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.1", "1.2.398.3.3.2.2"},
		{nca.Employee, nca.Signing, person + "," + company + "," + patronymic, sign, "emailProtection 1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.5", "1.2.398.3.3.2.1"},
		{nca.SingleWindow, nca.Signing, "0.9.2342.19200300.100.1.1=1.2.398.3.3.4.1.2.6.27,2.5.4.3=ИС «Сынақ»,2.5.4.6=KZ," + company, sign,
			"1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.6 1.2.398.3.3.4.1.2.6.27", "1.2.398.3.3.2.1"},
		{nca.Gateway, nca.Signing, "0.9.2342.19200300.100.1.1=1.2.398.3.3.4.1.2.6.8,2.5.4.3=ИС «Сынақ»,2.5.4.6=KZ," + company, sign,
			"1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.6 1.2.398.3.3.4.1.2.6.8", "1.2.398.3.3.2.1"},
		{nca.PaymentGateway, nca.Signing, "0.9.2342.19200300.100.1.1=1.2.398.3.3.4.1.2.6.95,2.5.4.3=ИС «Сынақ»,2.5.4.6=KZ," + company, sign,
			"1.2.398.3.3.4.1.2 1.2.398.3.3.4.1.2.6 1.2.398.3.3.4.1.2.6.95", "1.2.398.3.3.2.1"},
	}
	for _, row := range rows {
		t.Run(string(row.profile)+" "+string(row.usage), func(t *testing.T) {
			c := parse(t, b.issue(t, row.profile, row.usage).Certificate)
			var subject []string
			for _, n := range c.Subject.Names {
				subject = append(subject, n.Type.String()+"="+n.Value.(string))
			}
			if got := strings.Join(subject, ","); got != row.subject {
				t.Errorf("subject\n got %s\nwant %s", got, row.subject)
			}
			if c.KeyUsage != row.keyUsage {
				t.Errorf("key usage %b", c.KeyUsage)
			}
			if got := purposes(c); got != row.purposes {
				t.Errorf("purposes %s", got)
			}
			if len(c.Policies) != 2 || c.Policies[0].String() != "1.2.398.3.3.2" || c.Policies[1].String() != row.policy {
				t.Errorf("policies %v", c.Policies)
			}
			if c.OCSPServer[0] != b.url+"/ocsp/" || c.CRLDistributionPoints[0] != b.url+"/crl/nca_rsa.crl" || c.IssuingCertificateURL[0] != b.url+"/cert/nca_rsa.cer" {
				t.Errorf("URLs %v %v %v", c.OCSPServer, c.CRLDistributionPoints, c.IssuingCertificateURL)
			}
			want := bytes.Clone(c.SubjectKeyId)
			want[0] &= 0x7f
			if !bytes.Equal(c.SerialNumber.FillBytes(make([]byte, 20)), want) {
				t.Error("the serial number is not the key identifier without its top bit")
			}
			if c.NotAfter.Sub(c.NotBefore) > 4*366*24*time.Hour {
				t.Errorf("valid until %v", c.NotAfter)
			}
		})
	}
	for _, der := range [][]byte{b.Root(), b.Issuing()} {
		if c := parse(t, der); !c.IsCA || len(c.Issuer.Organization) != 1 || c.Issuer.Organization[0] != nca.Organization {
			t.Errorf("%v does not say that it is a sandbox", c.Issuer)
		}
	}
}

func purposes(c *x509.Certificate) string {
	names := map[x509.ExtKeyUsage]string{x509.ExtKeyUsageEmailProtection: "emailProtection", x509.ExtKeyUsageClientAuth: "clientAuth"}
	var list []string
	for _, u := range c.ExtKeyUsage {
		list = append(list, names[u])
	}
	for _, u := range c.UnknownExtKeyUsage {
		list = append(list, u.String())
	}
	return strings.Join(list, " ")
}

func TestIssueRefuses(t *testing.T) {
	b := open(t, t.TempDir())
	key := newKey(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := b.Issue(nca.Request{Profile: nca.Head, KeyStore: nca.Kaztoken, Holder: holder, CSR: csr})
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, issued.Certificate).PublicKey.(*ecdsa.PublicKey); !got.Equal(key.Public()) {
		t.Error("another key than the request's was certified")
	}
	forged := bytes.Clone(csr)
	forged[len(forged)-1] ^= 1
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("no weak key to be had: ", err)
	}
	for name, row := range map[string]struct {
		request nca.Request
		code    fault.Code
	}{
		"same key again":     {nca.Request{Profile: nca.Individual, Holder: holder, CSR: csr}, fault.BadArgument},
		"forged request":     {nca.Request{Profile: nca.Head, Holder: holder, CSR: forged}, fault.BadArgument},
		"unreadable request": {nca.Request{Profile: nca.Head, Holder: holder, CSR: []byte("x")}, fault.Unreadable},
		"no key":             {nca.Request{Profile: nca.Head, Holder: holder}, fault.BadArgument},
		"two keys":           {nca.Request{Profile: nca.Head, Holder: holder, CSR: csr, PublicKey: key.Public()}, fault.BadArgument},
		"weak key":           {nca.Request{Profile: nca.Head, Holder: holder, PublicKey: weak.Public()}, fault.BadArgument},
		"unknown profile":    {nca.Request{Profile: "king", Holder: holder, PublicKey: newKey(t).Public()}, fault.BadArgument},
		"unknown key store":  {nca.Request{Profile: nca.Head, KeyStore: "pocket", Holder: holder, PublicKey: newKey(t).Public()}, fault.BadArgument},
		"no company":         {nca.Request{Profile: nca.Head, Holder: nca.Holder{Surname: "А", Name: "Б", IIN: holder.IIN}, PublicKey: newKey(t).Public()}, fault.BadArgument},
	} {
		if _, err := b.Issue(row.request); !fault.Is(err, row.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStateIsKept(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	issued := b.issue(t, nca.Head, nca.Signing)
	if err := b.Hold(issued.Serial); err != nil {
		t.Fatal(err)
	}
	system, err := b.System(nca.Gateway, holder)
	if err != nil {
		t.Fatal(err)
	}
	config := nca.Config{Dir: dir, BaseURL: b.url, Bits: 2048, Now: time.Now}
	again, err := nca.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Root(), b.Root()) || !bytes.Equal(again.Issuing(), b.Issuing()) {
		t.Error("the CA is another one after a restart")
	}
	if der, err := again.Certificate(issued.Serial); err != nil || !bytes.Equal(der, issued.Certificate) {
		t.Errorf("the register forgot a certificate: %v", err)
	}
	if err := again.Unhold(issued.Serial); err != nil {
		t.Errorf("the register forgot a hold: %v", err)
	}
	if kept, err := again.System(nca.Gateway, holder); err != nil || !bytes.Equal(kept.Certificate, system.Certificate) {
		t.Errorf("the system's key pair is another one: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 || len(entries) != 1 {
			t.Errorf("%s: mode %v", e.Name(), info.Mode())
		}
	}

	config.BaseURL = "http://127.0.0.1:1"
	if _, err := nca.Open(config); !fault.Is(err, fault.BadArgument) {
		t.Errorf("another address than the certificates': %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nca.json"), []byte(`{"format":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := nca.Open(config); !fault.Is(err, fault.Unreadable) {
		t.Errorf("damaged: %v", err)
	}
}

// askOCSP asks as x/crypto/ocsp does, by POST or by GET.
func (b *bench) askOCSP(t *testing.T, certificate []byte, method string) (*ocsp.Response, error) {
	t.Helper()
	leaf, issuer := parse(t, certificate), parse(t, b.Issuing())
	request, err := ocsp.CreateRequest(leaf, issuer, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	var answer []byte
	if method == http.MethodPost {
		_, answer = b.post(t, "/ocsp/", "application/ocsp-request", request)
	} else {
		answer = b.get(t, "/ocsp/"+url.PathEscape(base64.StdEncoding.EncodeToString(request)))
	}
	return ocsp.ParseResponseForCert(answer, leaf, issuer)
}

func (b *bench) post(t *testing.T, path, contentType string, body []byte) (int, []byte) {
	t.Helper()
	response, err := http.Post(b.url+path, contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, response)
}

func (b *bench) get(t *testing.T, path string) []byte {
	t.Helper()
	response, err := http.Get(b.url + path)
	if err != nil {
		t.Fatal(err)
	}
	_, body := read(t, response)
	return body
}

func read(t *testing.T, response *http.Response) (int, []byte) {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

func TestOCSPStatuses(t *testing.T) {
	b := open(t, t.TempDir())
	good, held, revoked := b.issue(t, nca.Head, ""), b.issue(t, nca.Head, ""), b.issue(t, nca.Head, "")
	if err := b.Hold(held.Serial); err != nil {
		t.Fatal(err)
	}
	if status, body := b.post(t, "/control/certificates", "application/json",
		[]byte(`{"serial":"`+revoked.Serial+`","action":"revoke","reason":1}`)); status != http.StatusNoContent {
		t.Fatalf("revoke: %d %s", status, body)
	}
	other := open(t, t.TempDir()) // its certificates are not ours, but may be asked about with our name
	foreign := reissued(t, b, other)
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		for name, row := range map[string]struct {
			certificate []byte
			status      int
			reason      int
			since       bool // the epoch
		}{
			"good":    {good.Certificate, ocsp.Good, 0, false},
			"held":    {held.Certificate, ocsp.Revoked, ocsp.CertificateHold, false},
			"revoked": {revoked.Certificate, ocsp.Revoked, ocsp.KeyCompromise, false},
			"unknown": {foreign, ocsp.Revoked, ocsp.CertificateHold, true},
		} {
			r, err := b.askOCSP(t, row.certificate, method)
			if err != nil {
				t.Errorf("%s %s: %v", method, name, err)
				continue
			}
			if r.Status != row.status || r.Status == ocsp.Revoked && (r.RevocationReason != row.reason || r.RevokedAt.Equal(time.Unix(0, 0)) != row.since) {
				t.Errorf("%s %s: status %d reason %d since %v", method, name, r.Status, r.RevocationReason, r.RevokedAt)
			}
			if !r.NextUpdate.IsZero() || !r.ThisUpdate.Equal(r.ProducedAt) {
				t.Errorf("%s %s: times %v %v %v", method, name, r.ThisUpdate, r.ProducedAt, r.NextUpdate)
			}
			if r.Certificate == nil || r.Certificate.Subject.CommonName != "OCSP RESPONDER" {
				t.Errorf("%s %s: no delegated responder", method, name)
			}
		}
	}
	if err := b.Unhold(held.Serial); err != nil {
		t.Fatal(err)
	}
	if r, err := b.askOCSP(t, held.Certificate, http.MethodPost); err != nil || r.Status != ocsp.Good {
		t.Errorf("after unhold: %v %v", r, err)
	}
	for _, change := range []error{b.Unhold(good.Serial), b.Unhold(revoked.Serial), b.Hold("ff"), b.Revoke(good.Serial, 6), b.Revoke(good.Serial, 2)} {
		if !fault.Is(change, fault.BadArgument) {
			t.Errorf("a change that cannot be: %v", change)
		}
	}
}

// reissued is a certificate that only its serial number makes foreign to b.
func reissued(t *testing.T, b, other *bench) []byte {
	t.Helper()
	key := newKey(t)
	issued, err := other.Issue(nca.Request{Profile: nca.Head, Holder: holder, PublicKey: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	return issued.Certificate
}

func TestOCSPFaults(t *testing.T) {
	b := open(t, t.TempDir())
	certificate := b.issue(t, nca.Head, "").Certificate
	for f, says := range map[nca.Fault]string{
		nca.BadSignature:     "verification error",
		nca.WrongResponder:   "", // x/crypto/ocsp does not look at the purpose; openssl does, below
		nca.WrongCertificate: "no response matching",
	} {
		if err := b.SetFaults(nca.Faults{OCSP: f}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.askOCSP(t, certificate, http.MethodPost); says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := b.SetFaults(nca.Faults{OCSP: nca.Stale}); err != nil {
		t.Fatal(err)
	}
	if r, err := b.askOCSP(t, certificate, http.MethodPost); err != nil || time.Since(r.ThisUpdate) < 29*24*time.Hour {
		t.Errorf("stale: %v", err)
	}
	if err := b.SetFaults(nca.Faults{OCSP: nca.Unavailable, CRL: nca.Unavailable, TSP: nca.Unavailable}); err != nil {
		t.Fatal(err)
	}
	if status, _ := b.post(t, "/ocsp/", "application/ocsp-request", nil); status != http.StatusServiceUnavailable {
		t.Errorf("unavailable: %d", status)
	}
	if err := b.SetFaults(nca.Faults{OCSP: nca.Timeout}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/ocsp/", strings.NewReader("x"))
	request.Header.Set("Content-Type", "application/ocsp-request")
	if _, err := http.DefaultClient.Do(request); err == nil {
		t.Error("a request that should time out was answered")
	}
	if err := b.SetFaults(nca.Faults{CRL: nca.WrongImprint}); !fault.Is(err, fault.BadArgument) {
		t.Errorf("a fault of another service: %v", err)
	}
}

func TestHostileRequestsAreAnswered(t *testing.T) {
	b := open(t, t.TempDir())
	for name, row := range map[string]struct {
		path, contentType string
		body              []byte
		status            int
		answer            string // a prefix of the answer's hexadecimal form
	}{
		"OCSP garbage":      {"/ocsp/", "application/ocsp-request", []byte("garbage"), 200, "\x30\x03\x0a\x01\x01"},
		"OCSP empty":        {"/ocsp/", "application/ocsp-request", nil, 200, "\x30\x03\x0a\x01\x01"},
		"OCSP other type":   {"/ocsp/", "text/plain", nil, 415, ""},
		"OCSP too big":      {"/ocsp/", "application/ocsp-request", make([]byte, 1<<20), 413, ""},
		"TSP garbage":       {"/tsp/", "application/timestamp-query", []byte("garbage"), 200, "\x30"},
		"TSP other type":    {"/tsp/", "application/ocsp-request", nil, 415, ""},
		"no such fault":     {"/control/faults", "application/json", []byte(`{"ocsp":"flood"}`), 400, ""},
		"unknown field":     {"/control/faults", "application/json", []byte(`{"fire":"timeout"}`), 400, ""},
		"no such server":    {"/control/time", "application/json", []byte(`{"server":3}`), 400, ""},
		"no such leap":      {"/control/time", "application/json", []byte(`{"leap":4}`), 400, ""},
		"absurd offset":     {"/control/time", "application/json", []byte(`{"offset_ms":9223372036854775807}`), 400, ""},
		"no such action":    {"/control/certificates", "application/json", []byte(`{"action":"burn"}`), 400, ""},
		"no such path":      {"/cert/other.cer", "", nil, 404, ""},
		"truncated control": {"/control/faults", "application/json", []byte(`{`), 400, ""},
	} {
		status, body := b.post(t, row.path, row.contentType, row.body)
		if status != row.status || !strings.HasPrefix(string(body), row.answer) {
			t.Errorf("%s: %d %x", name, status, body)
		}
	}
	if got := b.get(t, "/ocsp/%25%25"); len(got) == 0 {
		t.Error("no answer to a broken GET")
	}
	if status, _ := b.post(t, "/control/faults", "application/json", []byte(`{"tsp":"reject"}`)); status != 204 || b.Faults().TSP != nca.Reject {
		t.Errorf("faults by HTTP: %d %v", status, b.Faults())
	}
	if got := string(b.get(t, "/control/faults")); got != `{"ocsp":"","tsp":"reject","crl":""}` {
		t.Errorf("faults shown: %s", got)
	}
}

func TestTimeServers(t *testing.T) {
	b := open(t, t.TempDir())
	for i, behaviour := range []nca.TimeBehaviour{{}, {OffsetMilliseconds: -90_000, Leap: 3}, {OffsetMilliseconds: 1500, Leap: 1}} {
		server := b.TimeServers()[i]
		if err := server.Behave(behaviour); err != nil {
			t.Fatal(err)
		}
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- server.Serve(conn) }()
		asked := time.Now()
		reply := askTime(t, conn.LocalAddr())
		answered := time.Now()
		told := time.Unix(int64(binary.BigEndian.Uint32(reply[40:]))-2208988800, 0)
		at := told.Add(-time.Duration(behaviour.OffsetMilliseconds) * time.Millisecond)
		if at.Before(asked.Add(-time.Second)) || at.After(answered) || int(reply[0]>>6) != behaviour.Leap || reply[1] != 1 || reply[0]&7 != 4 {
			t.Errorf("server %d: %v, asked at %v, header %x", i, told, asked, reply[:4])
		}
		conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func askTime(t *testing.T, server net.Addr) []byte {
	t.Helper()
	conn, err := net.Dial("udp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	request := make([]byte, 48)
	request[0] = 4<<3 | 3
	binary.BigEndian.PutUint64(request[40:], 0x0102030405060708)
	// Three packets that are not a client's first; none of them is answered.
	for _, rubbish := range [][]byte{{}, request[:47], append([]byte{4<<3 | 4}, request[1:]...)} {
		conn.Write(rubbish)
	}
	conn.Write(request)
	reply := make([]byte, 100)
	n, err := conn.Read(reply)
	if err != nil || n != 48 {
		t.Fatalf("%d bytes: %v", n, err)
	}
	if !bytes.Equal(reply[24:32], request[40:48]) {
		t.Error("the reply is not to our packet")
	}
	return reply[:n]
}

func TestHolderNumbersAreReal(t *testing.T) {
	if _, err := kz.ParseIIN(holder.IIN.Digits(), kz.Full); err != nil {
		t.Error(err)
	}
	if _, err := kz.ParseBIN(holder.BIN.String(), kz.Full); err != nil {
		t.Error(err)
	}
}
