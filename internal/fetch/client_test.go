package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

// peer starts a server that answers every path by its own handler and a client
// that may ask it.
func peer(t *testing.T) (base string, c *Client) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s|%s|%s|%s|%s", r.Method, r.Header.Get("Content-Type"), r.Header.Get("SOAPAction"), r.UserAgent(), body)
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 1000))
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, 1<<20))
		z.Close()
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.example/", http.StatusSeeOther)
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("short"))
	})
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
		// The body is read first: only then does the server watch for the
		// client going away.
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/redirect-here", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/bytes", http.StatusFound)
	})
	for _, status := range []int{404, 429, 500, 503} {
		mux.HandleFunc(fmt.Sprintf("/status/%d", status), func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte("fault body"))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u, _ := url.Parse(server.URL)
	c, err := New(Config{AllowedHosts: []string{u.Host}, AllowLoopback: true, Timeout: 5 * time.Minute}) // to drip takes long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return server.URL, c
}

func TestFetch(t *testing.T) {
	base, c := peer(t)
	rows := []struct {
		name, path string
		body       []byte
		max        int64
		want       string
		code       fault.Code
	}{
		{"GET", "/echo", nil, 100, "GET|||senim|", ""},
		{"POST", "/echo", []byte("q"), 100, "POST|application/ocsp-request||senim|q", ""},
		{"POST of an empty body", "/echo", []byte{}, 100, "POST|application/ocsp-request||senim|", ""},
		{"exactly the limit", "/bytes", nil, 1000, strings.Repeat("x", 1000), ""},
		{"one over the limit", "/bytes", nil, 999, "", fault.InputTooBig},
		{"no limit given", "/bytes", nil, 0, "", fault.BadArgument},
		{"compressed", "/gzip", nil, 1 << 30, "", fault.PeerAnswer},
		{"redirect", "/redirect", nil, 100, "", fault.PeerAnswer},
		{"redirect on the same host", "/redirect-here", nil, 2000, "", fault.PeerAnswer},
		{"without end", "/drip", nil, 100_000, "", fault.InputTooBig},
		{"cut off", "/short", nil, 1000, "", fault.PeerDown},
		{"404", "/status/404", nil, 100, "", fault.PeerAnswer},
		{"429", "/status/429", nil, 100, "", fault.PeerDown},
		{"503", "/status/503", nil, 100, "", fault.PeerDown},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := c.Fetch(t.Context(), base+row.path, "application/ocsp-request", row.body, row.max)
			if fault.CodeOf(err) != row.code {
				t.Fatalf("error %v, want code %q", err, row.code)
			}
			if string(got) != row.want {
				t.Errorf("body %q, want %q", got, row.want)
			}
		})
	}
}

func TestConfiguredMaximumHoldsOverTheCallers(t *testing.T) {
	base, _ := peer(t)
	u, _ := url.Parse(base)
	c, err := New(Config{AllowedHosts: []string{u.Host}, AllowLoopback: true, MaxBytes: 10, UserAgent: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(t.Context(), base+"/bytes", "", nil, 1<<20); !fault.Is(err, fault.InputTooBig) {
		t.Errorf("got %v", err)
	}
}

func TestPostKeepsHeadersStatusAndBody(t *testing.T) {
	base, c := peer(t)
	header := http.Header{"Content-Type": {"text/xml"}, "Soapaction": {`"send"`}}
	status, body, err := c.Post(t.Context(), base+"/echo", header, []byte("<a/>"), 1000)
	if err != nil || status != 200 || string(body) != `POST|text/xml|"send"|senim|<a/>` {
		t.Errorf("%d %q %v", status, body, err)
	}
	if header.Get("User-Agent") != "" {
		t.Error("the caller's header was changed")
	}
	status, body, err = c.Post(t.Context(), base+"/status/500", nil, []byte("x"), 1000)
	if err != nil || status != 500 || string(body) != "fault body" {
		t.Errorf("a SOAP fault must reach the caller: %d %q %v", status, body, err)
	}
}

// Of who was only told something the status counts, whatever the body is.
func TestNotifyTellsTheStatus(t *testing.T) {
	base, c := peer(t)
	for _, row := range []struct {
		path, start string
		status      int
	}{
		{"/echo", "POST|", 200},
		{"/bytes", "xxxxx", 200},
		{"/short", "short", 200},
		{"/drip", "xxxxx", 200},
		{"/redirect", "", 303},
		{"/status/503", "fault", 503},
	} {
		notice, err := c.Notify(t.Context(), base+row.path, http.Header{"Content-Type": {"a/b"}}, []byte("ping"), 5)
		if err != nil || notice.Status != row.status || string(notice.Start) != row.start {
			t.Errorf("%s: %+v %v", row.path, notice, err)
		}
	}
	notice, err := c.Notify(t.Context(), base+"/redirect", nil, nil, 5)
	if err != nil || notice.Header.Get("Location") == "" {
		t.Errorf("the header is lost: %+v %v", notice, err)
	}
	if _, err := c.Notify(t.Context(), "http://other.example/", nil, nil, 5); !fault.Is(err, fault.HostDenied) {
		t.Errorf("another host: %v", err)
	}
}

func TestAnyPortOfAHost(t *testing.T) {
	c, err := New(Config{AllowedHosts: []string{"a.kz:*", "[::1]:*"}})
	if err != nil {
		t.Fatal(err)
	}
	for rawURL, permitted := range map[string]bool{
		"http://a.kz/": true, "https://A.kz.:8443/x": true, "http://[::1]:9/": true,
		"http://b.a.kz:80/": false, "http://b.kz/": false, "http://a.kz:0/": false,
	} {
		if err := c.Permits(rawURL); (err == nil) != permitted {
			t.Errorf("%s: %v", rawURL, err)
		}
	}
}

func TestRefusedBeforeAnythingIsAsked(t *testing.T) {
	base, c := peer(t)
	port := base[strings.LastIndex(base, ":")+1:]
	for rawURL, code := range map[string]fault.Code{
		"http://other.example/":                      fault.HostDenied,
		"http://127.0.0.1/":                          fault.HostDenied, // another port
		"https://127.0.0.1:1/":                       fault.HostDenied,
		"ftp://127.0.0.1:" + port + "/":              fault.HostDenied,
		"file:///etc/passwd":                         fault.HostDenied,
		"http://user:secret@127.0.0.1:" + port + "/": fault.HostDenied,
		"http:///path":                               fault.BadArgument,
		"http://127.0.0.1:0/":                        fault.BadArgument,
		"http://127.0.0.1:99999/":                    fault.BadArgument,
		"http://127.0.0.1:" + port + "/%zz":          fault.BadArgument,
		"":                                           fault.HostDenied,
	} {
		_, err := c.Fetch(t.Context(), rawURL, "", nil, 100)
		if !fault.Is(err, code) {
			t.Errorf("%q: %v, want %s", rawURL, err, code)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the credentials: %v", err)
		}
	}
}

// A name that is allowed and resolves to loopback is stopped at the socket: this
// is what a rebinding attacker's DNS would answer.
func TestResolvedAddressIsChecked(t *testing.T) {
	base, _ := peer(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	c, err := New(Config{AllowedHosts: []string{"localhost:" + port}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(t.Context(), "http://LocalHost:"+port+"/echo", "", nil, 100); !fault.Is(err, fault.HostDenied) {
		t.Errorf("got %v", err)
	}
}

// Addresses that nobody may be asked at are refused before a packet leaves, also
// where the list of hosts names them.
func TestAllowedHostAtAForbiddenAddress(t *testing.T) {
	for address, c := range map[string]Config{
		"10.1.2.3:80":        {},
		"[fd00::1]:80":       {},
		"100.64.0.1:80":      {AllowLoopback: true},
		"127.0.0.1:80":       {AllowPrivate: true},
		"169.254.169.254:80": {AllowPrivate: true, AllowLoopback: true},
		"0.0.0.0:80":         {AllowPrivate: true, AllowLoopback: true},
	} {
		c.AllowedHosts = []string{address}
		client, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Fetch(t.Context(), "http://"+address+"/", "", nil, 100); !fault.Is(err, fault.HostDenied) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAddressRule(t *testing.T) {
	rows := []struct {
		ip                      string
		plain, loopback, closed bool
	}{
		{"8.8.8.8", true, true, true},
		{"2a00:1450::1", true, true, true},
		{"127.0.0.1", false, true, false},
		{"127.9.9.9", false, true, false},
		{"::1", false, true, false},
		{"::ffff:127.0.0.1", false, true, false},
		{"10.1.2.3", false, false, true},
		{"172.16.0.1", false, false, true},
		{"192.168.0.1", false, false, true},
		{"100.64.0.1", false, false, true},
		{"fd00::1", false, false, true},
		{"::ffff:10.0.0.1", false, false, true},
		{"0.0.0.0", false, false, false},
		{"169.254.169.254", false, false, false},
		{"fe80::1%eth0", false, false, false},
		{"224.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"::", false, false, false},
		{"64:ff9b::a00:1", false, false, false},
		{"2002:a00:1::", false, false, false},
		{"ff02::1", false, false, false},
	}
	for _, row := range rows {
		for _, rule := range []struct {
			name string
			rule addressRule
			want bool
		}{
			{"plain", addressRule{}, row.plain},
			{"loopback", addressRule{loopback: true}, row.loopback || row.plain},
			{"private", addressRule{private: true}, row.closed || row.plain},
		} {
			address := netip.AddrPortFrom(netip.MustParseAddr(row.ip), 80).String()
			err := rule.rule.control("tcp", address, nil)
			if (err == nil) != rule.want {
				t.Errorf("%s under %s: %v, want allowed=%v", row.ip, rule.name, err, rule.want)
			}
		}
	}
	if err := (addressRule{}).control("tcp", "name:80", nil); err == nil {
		t.Error("a name reached the socket check and passed")
	}
}

func TestTimeoutIsThePeersAndCancellationIsTheCallers(t *testing.T) {
	base, c := peer(t)
	c.timeout = 20 * time.Millisecond
	if _, err := c.Fetch(t.Context(), base+"/hang", "", nil, 100); !fault.Is(err, fault.PeerDown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("time out: %v", err)
	}
	if _, err := c.Fetch(t.Context(), base+"/drip", "", nil, 1<<40); !fault.Is(err, fault.PeerDown) && !fault.Is(err, fault.InputTooBig) {
		t.Errorf("an answer drop by drop: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Fetch(ctx, base+"/hang", "", nil, 100); !fault.Is(err, fault.Cancelled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestErrorNamesTheOriginOnly(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	listener.Close() // nobody listens there now
	c, err := New(Config{AllowedHosts: []string{host}, AllowLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Fetch(t.Context(), "http://"+host+"/bin/123?key=456", "", nil, 100)
	if !fault.Is(err, fault.PeerDown) || strings.Contains(err.Error(), "/bin") || strings.Contains(err.Error(), "456") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	for name, c := range map[string]Config{
		"scheme":       {AllowedHosts: []string{"http://a.kz"}},
		"path":         {AllowedHosts: []string{"a.kz/x"}},
		"wildcard":     {AllowedHosts: []string{"*.kz"}},
		"any host":     {AllowedHosts: []string{"*:*"}},
		"two ports":    {AllowedHosts: []string{"a.kz:80:*"}},
		"empty":        {AllowedHosts: []string{""}},
		"port only":    {AllowedHosts: []string{":80"}},
		"credentials":  {AllowedHosts: []string{"u@a.kz"}},
		"negative":     {Timeout: -1},
		"too many":     {AllowedHosts: make([]string, hostsMax+1)},
		"bad port":     {AllowedHosts: []string{"a.kz:x"}},
		"negative max": {MaxBytes: -1},
	} {
		if _, err := New(c); !fault.Is(err, fault.ConfigBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckedURLStaysOnAllowedHosts(f *testing.F) {
	for _, s := range []string{"http://a.kz/x", "http://a.kz@b.kz/", "http://a.kz:80\\@b.kz", "HTTP://A.KZ.:80", "http://[::1]/", "//a.kz", "http://a.kz#@b.kz/"} {
		f.Add(s)
	}
	c, err := New(Config{AllowedHosts: []string{"a.kz"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := c.check(raw)
		if err != nil {
			return
		}
		again, err := url.Parse(target.String())
		if err != nil || canonicalName(again.Hostname()) != "a.kz" || again.User != nil {
			t.Errorf("%q passed and leads to %q", raw, target)
		}
	})
}
