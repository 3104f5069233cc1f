package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/sandbox/epay"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/internal/sandbox/shep"
	"github.com/senim-kz/senim/internal/sandbox/state"
	channel "github.com/senim-kz/senim/internal/shep"
	"github.com/senim-kz/senim/pki/cert"
	"github.com/senim-kz/senim/pki/path"
	"github.com/senim-kz/senim/pki/trust"
	"github.com/senim-kz/senim/pki/xmldsig"
)

// Config of the sandbox.
type Config struct {
	// Dir keeps everything; an absolute path.
	Dir string
	// Bits of the CA keys; zero means 4096, as NUC RK has. Tests take 2048.
	Bits int
	// Now is the clock of all stand-ins.
	Now func() time.Time
	// GenerateKey makes the RSA keys; nil means crypto/rsa. See nca.Config.
	GenerateKey func(bits int) (*rsa.PrivateKey, error)
}

const (
	defaultBits  = 4096
	stateFile    = "sandbox.json"
	paymentsFile = "pshep.json"
	cardsFile    = "epay.json"
	pathControl  = "/control/"

	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	idleTimeout     = 60 * time.Second
	headerBytesMax  = 16 << 10
	loopbackAddress = "127.0.0.1"
)

// A part keeps its port for good, so it takes one that systems do not hand out by
// themselves (Linux does from 32768 up, others from 49152): nobody gets it by chance
// while the sandbox is stopped.
const (
	portFirst    = 10_000
	portLast     = 32_767
	portTriesMax = 100
)

// URLs are where the stand-ins answer.
type URLs struct {
	NCA        nca.URLs `json:"nca"`
	Time       []string `json:"time"`       // host:port, UDP
	SHEP       string   `json:"shep"`       // takes SOAP messages
	PSHEP      string   `json:"pshep"`      // takes bills
	Bank       string   `json:"bank"`       // the bank's pages lie under it
	Epay       string   `json:"epay"`       // the acquirer's operations: the root of them
	Statements string   `json:"statements"` // the treasury's statements: under it, DAY.xml
	Control    Control  `json:"control"`
}

// Control are the folders of control endpoints: faults and orders lie under them.
type Control struct {
	NCA   string `json:"nca"`
	SHEP  string `json:"shep"`
	PSHEP string `json:"pshep"`
	Epay  string `json:"epay"`
}

// Sandbox is a running sandbox.
type Sandbox struct {
	nca      *nca.Authority
	gateway  *shep.Gateway
	payments *pshep.Gateway
	cards    *epay.Gateway
	courier  courier
	urls     URLs

	file    string
	mu      sync.Mutex
	kept    kept
	base    context.Context // of every request; ends when Stop begins
	end     context.CancelFunc
	servers []*http.Server
	clocks  []net.PacketConn
	running sync.WaitGroup

	stop    sync.Once
	stopped error
}

// kept is what outlives the process, beside the register of the NCA.
type kept struct {
	Ports   map[string]int `json:"ports"`
	Gateway shep.State     `json:"gateway"`
	// EpaySecret is the client's at ePay.
	EpaySecret string `json:"epay_secret"`
}

// Start starts all parts, or none. The context bounds the start only.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	if !filepath.IsAbs(c.Dir) || c.Now == nil {
		return nil, fault.New(fault.BadArgument, "", "sandbox: needs an absolute folder and a clock")
	}
	if c.Bits == 0 {
		c.Bits = defaultBits
	}
	s := &Sandbox{file: filepath.Join(c.Dir, stateFile)}
	s.base, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.start(ctx, c); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

func (s *Sandbox) start(ctx context.Context, c Config) error {
	if _, err := state.Load(s.file, &s.kept); err != nil {
		return err
	}
	if s.kept.Ports == nil {
		s.kept.Ports = map[string]int{}
	}
	for _, part := range []func(context.Context, Config) error{s.startNCA, s.startTime, s.startGateway, s.startPayments, s.startCards} {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Cancelled, "", "start the sandbox")
		}
		if err := part(ctx, c); err != nil {
			return err
		}
	}
	return s.save()
}

func (s *Sandbox) startNCA(ctx context.Context, c Config) error {
	listener, err := s.listen(ctx, "nca")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	// The port is saved before a certificate carries it.
	if err := s.save(); err != nil {
		return errors.Join(err, listener.Close())
	}
	s.nca, err = nca.Open(nca.Config{Dir: c.Dir, BaseURL: base, Bits: c.Bits, Now: c.Now, GenerateKey: c.GenerateKey})
	if err != nil {
		return errors.Join(fmt.Errorf("start the NCA: %w", err), listener.Close())
	}
	s.urls.NCA, s.urls.Control.NCA = s.nca.URLs(), base+pathControl
	s.serve(listener, s.certifying(s.nca.Handler()))
	return nil
}

func (s *Sandbox) startTime(ctx context.Context, _ Config) error {
	for i, server := range s.nca.TimeServers() {
		var conn net.PacketConn
		err := s.takePort(fmt.Sprint("time-", i), func(address string) (err error) {
			conn, err = new(net.ListenConfig).ListenPacket(ctx, "udp", address)
			return err
		})
		if err != nil {
			return err
		}
		s.clocks = append(s.clocks, conn)
		s.urls.Time = append(s.urls.Time, conn.LocalAddr().String())
		s.running.Go(func() {
			// It ends when Stop closes the socket; a clock that fails otherwise
			// falls silent, which is what its clients must bear anyway.
			_ = server.Serve(conn)
		})
	}
	return nil
}

func (s *Sandbox) startGateway(ctx context.Context, c Config) error {
	if len(s.kept.Gateway.Organisations) == 0 {
		o := company()
		s.kept.Gateway.Organisations = map[kz.BIN]shep.Organisation{o.BIN: o}
	}
	gatewayKey, err := s.key(nca.Gateway, Gateway)
	if err != nil {
		return err
	}
	registerKey, err := s.key(nca.EntityRegister, EntityRegister)
	if err != nil {
		return err
	}
	client, err := s.singleWindow()
	if err != nil {
		return err
	}
	s.gateway, err = shep.New(shep.Config{Gateway: gatewayKey, Register: registerKey, Client: client, Now: c.Now}, s.kept.Gateway)
	if err != nil {
		return fmt.Errorf("start ШЭП: %w", err)
	}
	listener, err := s.listen(ctx, "shep")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	s.urls.SHEP, s.urls.Control.SHEP = base+"/", base+pathControl
	s.serve(listener, s.savingOrders(s.gateway))
	return nil
}

func (s *Sandbox) startPayments(ctx context.Context, c Config) error {
	key, err := s.key(nca.PaymentGateway, PaymentGateway)
	if err != nil {
		return err
	}
	service, err := s.singleWindow()
	if err != nil {
		return err
	}
	listener, err := s.listen(ctx, "pshep")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	s.payments, err = pshep.Open(pshep.Config{
		BaseURL: base, Key: key, Service: service, Poster: &s.courier, Now: c.Now, File: filepath.Join(c.Dir, paymentsFile),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start ПШЭП: %w", err), listener.Close())
	}
	s.urls.PSHEP, s.urls.Bank, s.urls.Statements = base+pshep.PathBills, base+"/pay/", base+"/statements/"
	s.urls.Control.PSHEP = base + pathControl
	s.serve(listener, s.payments.Handler())
	// It ends with the base context, and returns nil then.
	s.running.Go(func() { _ = s.payments.Run(s.base) })
	return nil
}

func (s *Sandbox) startCards(ctx context.Context, c Config) error {
	if s.kept.EpaySecret == "" {
		s.kept.EpaySecret = rand.Text()
	}
	listener, err := s.listen(ctx, "epay")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	s.cards, err = epay.Open(epay.Config{
		BaseURL: base, Secret: s.kept.EpaySecret, Poster: &s.courier, Now: c.Now, File: filepath.Join(c.Dir, cardsFile),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start ePay: %w", err), listener.Close())
	}
	s.urls.Epay, s.urls.Control.Epay = base, base+pathControl
	s.serve(listener, s.cards.Handler())
	// It ends with the base context, and returns nil then.
	s.running.Go(func() { _ = s.cards.Run(s.base) })
	return nil
}

// key is the key pair of a stand-in.
func (s *Sandbox) key(p nca.Profile, h nca.Holder) (xmldsig.Key, error) {
	system, err := s.nca.System(p, h)
	if err != nil {
		return xmldsig.Key{}, fmt.Errorf("make the key of %s: %w", p, err)
	}
	certificate, err := cert.Parse(system.Certificate)
	if err != nil {
		return xmldsig.Key{}, fmt.Errorf("read the certificate of %s: %w", p, err)
	}
	return xmldsig.Key{Signer: system.Key, Certificate: certificate}, nil
}

// singleWindow is the peer that the stand-ins take messages from. They know what
// is revoked from the register itself, as the state's systems sit beside theirs.
func (s *Sandbox) singleWindow() (channel.Peer, error) {
	root, err := cert.Parse(s.nca.Root())
	if err != nil {
		return channel.Peer{}, fmt.Errorf("read the root: %w", err)
	}
	issuing, err := cert.Parse(s.nca.Issuing())
	if err != nil {
		return channel.Peer{}, fmt.Errorf("read the issuing CA: %w", err)
	}
	anchors, err := trust.New(root)
	if err != nil {
		return channel.Peer{}, fmt.Errorf("trust the root: %w", err)
	}
	chain := channel.Chain{Anchors: anchors, Intermediates: []*cert.Certificate{issuing},
		Revocation: func(_ context.Context, p *path.Path, _ time.Time) error {
			status, err := s.nca.Status(p.Certificates[0].SerialHex())
			if err == nil && status != nca.Good {
				err = fault.New(fault.BadArgument, "", "the certificate is %s", status)
			}
			return err
		}}
	return channel.Peer{Trust: chain.Validate, Role: cert.OIDRoleSingleWindow, BIN: SingleWindow.BIN}, nil
}

func (s *Sandbox) listen(ctx context.Context, name string) (listener net.Listener, err error) {
	err = s.takePort(name, func(address string) (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
		return err
	})
	return listener, err
}

// takePort has a part listen on the port that it had before, or on a free one if it
// had none.
func (s *Sandbox) takePort(name string, listen func(address string) error) error {
	port, kept := s.kept.Ports[name]
	for tries := 1; ; tries++ {
		if !kept {
			port = portFirst + random.IntN(portLast-portFirst+1)
		}
		address := net.JoinHostPort(loopbackAddress, strconv.Itoa(port))
		err := listen(address)
		switch {
		case err == nil:
			s.kept.Ports[name] = port
			return nil
		case kept || tries == portTriesMax || !errors.Is(err, syscall.EADDRINUSE):
			return fault.Wrap(err, fault.SandboxPortTaken, "", "%s of the sandbox needs %s, as in its certificates and configuration", name, address)
		}
	}
}

func (s *Sandbox) serve(listener net.Listener, handler http.Handler) {
	host := listener.Addr().String()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != host {
				http.Error(w, "this is "+host, http.StatusMisdirectedRequest)
				return
			}
			handler.ServeHTTP(w, r)
			if s.base.Err() != nil {
				// A request that hung until Stop has no answer, and net/http would
				// send 200 for it. The connection is dropped instead.
				panic(http.ErrAbortHandler)
			}
		}),
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerBytesMax,
	}
	s.servers = append(s.servers, server)
	// Serve returns when Stop closes the server.
	s.running.Go(func() { _ = server.Serve(listener) })
}

// savingOrders saves after every order that may have changed a part's state, so
// that a killed sandbox continues with what it was told.
func (s *Sandbox) savingOrders(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, pathControl) {
			// Stop saves again and reports.
			_ = s.save()
		}
	})
}

func (s *Sandbox) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gateway != nil {
		s.kept.Gateway = s.gateway.State()
	}
	return state.Save(s.file, &s.kept)
}

// Stop ends every request, listener and goroutine and saves the state; the
// context bounds the wait. Stopping twice is harmless.
func (s *Sandbox) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		s.end()
		var errs []error
		for _, server := range s.servers {
			if err := server.Shutdown(ctx); err != nil {
				errs = append(errs, err, server.Close())
			}
		}
		for _, conn := range s.clocks {
			errs = append(errs, conn.Close())
		}
		s.running.Wait()
		if s.gateway != nil {
			errs = append(errs, s.save())
		}
		s.stopped = errors.Join(errs...)
	})
	return s.stopped
}

// URLs of the stand-ins.
func (s *Sandbox) URLs() URLs { return s.urls }

// NCA is the stand-in for NUC RK.
func (s *Sandbox) NCA() *nca.Authority { return s.nca }

// Gateway is the stand-in for ШЭП with ГБД ЮЛ.
func (s *Sandbox) Gateway() *shep.Gateway { return s.gateway }

// Payments is the stand-in for ПШЭП with its bank.
func (s *Sandbox) Payments() *pshep.Gateway { return s.payments }

// Cards is the stand-in for ePay.
func (s *Sandbox) Cards() *epay.Gateway { return s.cards }

// EpaySecret is what the service proves itself with at ePay.
func (s *Sandbox) EpaySecret() string { return s.kept.EpaySecret }

// Connect says where the service takes ПШЭП's messages, which wait until then.
func (s *Sandbox) Connect(callbackURL string) error {
	if err := s.courier.aim(callbackURL); err != nil {
		return err
	}
	s.payments.Connect(callbackURL)
	return nil
}

// WriteAnchors writes the CA certificates to a folder, as PEM: the two roots, of
// RSA and of GOST, are the trust anchors of everything here.
func (s *Sandbox) WriteAnchors(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the anchors' folder: %w", err)
	}
	for name, der := range map[string][]byte{
		"root_rsa.pem": s.nca.Root(), "nca_rsa.pem": s.nca.Issuing(),
		"root_gost.pem": s.nca.RootGOST(), "nca_gost.pem": s.nca.IssuingGOST(),
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("write an anchor: %w", err)
		}
	}
	return nil
}
