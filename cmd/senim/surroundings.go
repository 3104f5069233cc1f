package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/config"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/sandbox"
	"github.com/senim-kz/senim/internal/sandbox/epay"
	"github.com/senim-kz/senim/internal/sandbox/nca"
	"github.com/senim-kz/senim/internal/sandbox/pshep"
	"github.com/senim-kz/senim/pki/cert"
)

// Names inside the folder of the surroundings. The folder itself can be
// entered by the user that PostgreSQL runs as; what is private is closed.
const (
	lockName     = "lock"
	clusterName  = "postgres"
	privateName  = "private"
	anchorsName  = "anchors"
	tokenName    = "token"
	sandboxName  = "sandbox"
	clientsName  = "clients"
	pinName      = "pin"
	soPINName    = "so-pin"
	serviceToken = "senim"
	sealLabel    = "senim-seal"
	gostTSAName  = "tsa-gost.pem"
)

// surroundings are what `senim up` runs around the service: the private
// database cluster, the service's SoftHSM token and the stand-ins of the state
// systems, all kept in one folder.
type surroundings struct {
	dir     string
	now     func() time.Time
	closers []func() error // in the order of opening

	listener net.Listener
	cluster  *postgres.Cluster
	module   *hsm.Module
	sandbox  *sandbox.Sandbox
	config   *config.Config
}

// surroundingsConfig says how to start them.
type surroundingsConfig struct {
	Dir    string
	Listen string // address of the API; empty is a free port on loopback
	Unsafe bool   // no fsync: for tests only
	Bits   int    // of the sandbox's CA keys; 0 is 4096, as NUC RK has
	Now    func() time.Time
}

// startSurroundings starts all parts, or none. Started again on the same
// folder they continue with what is there.
func startSurroundings(ctx context.Context, c surroundingsConfig) (*surroundings, error) {
	dir, err := dataFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	s := &surroundings{dir: dir, now: c.Now}
	for _, part := range []func(context.Context, surroundingsConfig) error{
		s.makeFolders, s.prepareLaw, s.listen, s.startCluster, s.startSandbox, s.prepareToken,
	} {
		if err := part(ctx, c); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// dataFolder makes the --data flag's folder absolute. An empty one is refused:
// it comes from a variable that is not set, and would mean the working folder.
func dataFolder(name string) (string, error) {
	if name == "" {
		return "", &exitError{code: exitUsage, err: fault.New(fault.BadArgument, "--data", "names no folder")}
	}
	dir, err := filepath.Abs(name)
	if err != nil {
		return "", fault.Wrap(err, fault.BadArgument, "--data", "not a folder's name")
	}
	return dir, nil
}

// close stops every part, last first, and keeps the data.
func (s *surroundings) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *surroundings) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *surroundings) private(names ...string) string {
	return s.path(append([]string{privateName}, names...)...)
}

// makeFolders makes the folder and locks it: two processes on one folder
// would sign with one token and stop each other's database.
func (s *surroundings) makeFolders(_ context.Context, _ surroundingsConfig) error {
	if err := makeOpenFolder(s.dir); err != nil {
		return fault.Wrap(err, fault.BadArgument, s.dir, "make the data folder")
	}
	for _, name := range []string{privateName, privateName + "/" + clientsName} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			return fault.Wrap(err, fault.BadArgument, s.dir, "make the data folder")
		}
	}
	lock, err := os.OpenFile(s.path(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.Wrap(err, fault.BadArgument, s.dir, "open the lock")
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fault.New(fault.InUse, s.dir, "another senim runs on this folder"), lock.Close())
	}
	s.closers = append(s.closers, lock.Close)
	// A former run that was killed may have left its addresses.
	return s.removeURLs()
}

// makeOpenFolder makes a folder that everybody may enter, whatever the umask:
// the user that PostgreSQL runs as must pass it. One that is there stays as it
// is.
func makeOpenFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil // or it is no folder, and the next step says so
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

func (s *surroundings) removeURLs() error {
	if err := os.Remove(s.path(urlsName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(err, fault.BadArgument, s.dir, "remove old addresses")
	}
	return nil
}

// listen opens the API's address before anything is started, so that a port
// that is taken shows at once.
func (s *surroundings) listen(ctx context.Context, c surroundingsConfig) error {
	address := c.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return &exitError{code: exitUsage, err: fault.New(fault.BadArgument, "--listen", "%q is not host:port", address)}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Wrap(err, fault.AddressTaken, "--listen", "listen on %s", address)
	case err != nil:
		return fault.Wrap(err, fault.BadArgument, "--listen", "listen on %s", address)
	}
	s.listener = listener
	s.closers = append(s.closers, func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // by the service that served on it
			return err
		}
		return nil
	})
	return nil
}

func (s *surroundings) startCluster(ctx context.Context, c surroundingsConfig) (err error) {
	s.cluster, err = postgres.StartCluster(ctx, postgres.ClusterConfig{Dir: s.path(clusterName), Unsafe: c.Unsafe})
	if err != nil {
		return fmt.Errorf("start the database: %w", err)
	}
	s.closers = append(s.closers, func() error { return s.cluster.Stop(context.WithoutCancel(ctx)) })
	return nil
}

func (s *surroundings) startSandbox(ctx context.Context, c surroundingsConfig) (err error) {
	s.sandbox, err = sandbox.Start(ctx, sandbox.Config{Dir: s.private(sandboxName), Bits: c.Bits, Now: c.Now})
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	s.closers = append(s.closers, func() error {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return s.sandbox.Stop(stop)
	})
	return s.sandbox.WriteAnchors(s.path(anchorsName))
}

// prepareToken initialises the SoftHSM tokens on the first start and
// generates the service's keys inside.
func (s *surroundings) prepareToken(ctx context.Context, _ surroundingsConfig) error {
	library, err := hsm.SoftHSMLibrary()
	if err != nil {
		return err
	}
	conf, err := hsm.WriteSoftHSMConfig(s.private(tokenName))
	if err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		return fmt.Errorf("name SoftHSM's configuration: %w", err)
	}
	if s.module, err = hsm.OpenModule(library, hsm.Options{Now: s.now}); err != nil {
		return err
	}
	s.closers = append(s.closers, s.module.Close)
	token, err := s.openToken(ctx, serviceToken)
	if err != nil {
		return err
	}
	defer token.Close()
	c := s.serviceConfig(library)
	for label, algorithm := range map[string]hsm.Algorithm{
		c.Token.Keys.Receipt: hsm.P256, c.Token.Keys.Access: hsm.P256, c.Token.Keys.Gateway: hsm.RSA2048, sealLabel: hsm.RSA2048,
	} {
		if _, err := ensureKey(ctx, token, label, algorithm); err != nil {
			return err
		}
	}
	for _, label := range []string{c.Token.Keys.Gateway, sealLabel} {
		if _, err = ensureCertificate(ctx, token, label, s.sandbox.IssueSingleWindow); err != nil {
			return err
		}
	}
	s.config = c
	return s.prepareTimestamping(ctx, token)
}

// prepareTimestamping makes the keys of our time-stamping authority: in the
// token, except that of GOST, which no token to be had keeps.
func (s *surroundings) prepareTimestamping(ctx context.Context, token *hsm.Token) error {
	for label, algorithm := range map[string]hsm.Algorithm{tsaLabelEC: hsm.P256, tsaLabelRSA: hsm.RSA2048} {
		if _, err := ensureKey(ctx, token, label, algorithm); err != nil {
			return err
		}
		if _, err := ensureCertificate(ctx, token, label, s.sandbox.IssueTimestamping); err != nil {
			return err
		}
	}
	file := s.private(gostTSAName)
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	identity, err := s.sandbox.GOSTTimestamping()
	if err != nil {
		return err
	}
	return writeFileAtomically(file, identity) // mode 0600, as os.CreateTemp makes it
}

// openToken opens the token of that label and initialises it first if it is
// not there. Its PINs are made once and kept in the private folder.
func (s *surroundings) openToken(ctx context.Context, label string) (*hsm.Token, error) {
	so, err := ensurePIN(s.private(label + "." + soPINName))
	if err != nil {
		return nil, err
	}
	user, err := ensurePIN(s.private(label + "." + pinName))
	if err != nil {
		return nil, err
	}
	tokens, err := s.module.Tokens()
	if err != nil {
		return nil, err
	}
	known := false
	for _, t := range tokens {
		known = known || t.Initialized && t.Label == label
	}
	if !known {
		if err := s.module.InitToken("", label, so, user); err != nil {
			return nil, fmt.Errorf("initialise the token %s: %w", label, err)
		}
	}
	return s.module.Token(ctx, "pkcs11:token="+label, user)
}

func ensurePIN(path string) (hsm.PIN, error) {
	if _, err := os.Stat(path); err == nil {
		return hsm.PINFile(path), nil
	}
	return hsm.GeneratePINFile(path)
}

func ensureKey(ctx context.Context, token *hsm.Token, label string, algorithm hsm.Algorithm) (*hsm.Key, error) {
	key, err := token.Key(ctx, label)
	if fault.Is(err, fault.HSMKeyMissing) {
		key, err = token.Generate(ctx, hsm.KeySpec{Label: label, Algorithm: algorithm})
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", label, err)
	}
	return key, nil
}

// ensureCertificate returns the certificate beside a key, and has it issued
// on a PKCS#10 request that the key signs if there is none.
func ensureCertificate(ctx context.Context, token *hsm.Token, label string, issue func(csr []byte) (*nca.Issued, error)) (*cert.Certificate, error) {
	der, err := token.Certificate(ctx, label)
	if fault.Is(err, fault.HSMKeyMissing) {
		der, err = obtain(ctx, token, label, issue)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", label, err)
	}
	return cert.Parse(der)
}

func obtain(ctx context.Context, token *hsm.Token, label string, issue func(csr []byte) (*nca.Issued, error)) ([]byte, error) {
	key, err := token.Key(ctx, label)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("request a certificate: %w", err)
	}
	issued, err := issue(csr)
	if err != nil {
		return nil, err
	}
	return issued.Certificate, token.PutCertificate(ctx, label, key.ID(), issued.Certificate)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// serviceConfig is the configuration of a service in these surroundings.
func (s *surroundings) serviceConfig(library string) *config.Config {
	u := s.sandbox.URLs()
	c := &config.Config{
		Profile:  config.Sandbox,
		Database: config.Database{DSN: s.cluster.DSN()},
		Token:    config.Token{Module: library, URI: "pkcs11:token=" + serviceToken, PINFile: s.private(serviceToken + "." + pinName)},
		// Revocations and faults of the stand-ins show at once.
		Trust:     config.Trust{Anchors: []string{s.path(anchorsName)}, AllowedHosts: []string{hostOf(u.NCA.OCSP)}, OCSPAge: -1},
		Signature: config.Signature{Seals: []config.Seal{{Name: "seal", Label: sealLabel}}},
		Timestamp: config.Timestamp{URL: u.NCA.TSP},
		// A subscriber being tried out runs on this machine, at any port.
		Webhooks: config.Webhooks{Hosts: []string{"127.0.0.1:*", "localhost:*", "[::1]:*"}},
		TSA:      sandboxTSA(u.Time, s.private(gostTSAName)),
		SHEP:     config.SHEP{URL: u.SHEP, SenderID: "senim", RegisterBIN: string(sandbox.EntityRegister.BIN)},
		Gateway:  config.Gateway{URL: u.PSHEP, SenderID: pshep.ClientID, ServiceID: pshep.ServiceID},
		Gateways: config.Gateways{Epay: config.Epay{
			OAuthURL: u.Epay + epay.PathToken, APIURL: u.Epay, ClientID: epay.ClientID, Secret: s.sandbox.EpaySecret(), Terminal: epay.Terminal,
		}},
		Payments: s.payments(),
	}
	c.SetDefaults()
	return c
}

// person is one of the demo's people with a token of their own.
type person struct {
	token       *hsm.Token
	key         crypto.Signer
	certificate *cert.Certificate
}

// person opens the token of one of the sandbox's people, with a key and a
// certificate made on the first use.
func (s *surroundings) person(ctx context.Context, who sandbox.Person) (*person, error) {
	label := "trader-" + string(who)
	token, err := s.openToken(ctx, label)
	if err != nil {
		return nil, err
	}
	key, err := ensureKey(ctx, token, label, hsm.RSA2048)
	if err != nil {
		return nil, errors.Join(err, token.Close())
	}
	certificate, err := ensureCertificate(ctx, token, label, func(csr []byte) (*nca.Issued, error) {
		return s.sandbox.IssuePerson(who, csr)
	})
	if err != nil {
		return nil, errors.Join(err, token.Close())
	}
	return &person{token: token, key: key, certificate: certificate}, nil
}

// readyClients are the systems that may call the API of the surroundings.
var readyClients = []access.Registration{
	{ID: "single-window", Name: "Single window", Role: access.SingleWindow},
	{ID: "treasury", Name: "Treasury operator", Role: access.TreasuryOperator},
	{ID: "treasury-controller", Name: "Treasury controller", Role: access.TreasuryController},
	{ID: "payment-gateway", Name: "A payment gateway's own client", Role: access.PaymentGateway},
	{ID: "support", Name: "Support desk", Role: access.Support},
	{ID: "auditor", Name: "Auditor", Role: access.Auditor},
}

// ensureClients registers the ready-made systems. Their private keys are in
// the private folder, as JWK.
func (s *surroundings) ensureClients(ctx context.Context, clients *access.Clients) error {
	registered, err := clients.List(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, c := range registered {
		known[c.ID] = true
	}
	for _, r := range readyClients {
		file := s.clientKeyFile(r.ID)
		_, missing := os.Stat(file)
		if known[r.ID] && missing == nil {
			continue
		}
		// Either half may be left alone by a kill between the two: start over.
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", file, err)
		}
		if r.JWKS, err = newClientKey(file); err != nil {
			return err
		}
		if known[r.ID] {
			err = clients.Rotate(ctx, "senim up", r.ID, r.Credentials)
		} else {
			err = clients.Add(ctx, "senim up", r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *surroundings) clientKeyFile(id string) string { return s.private(clientsName, id+".jwk") }

// clientKey reads the private key of a ready-made system.
func (s *surroundings) clientKey(id string) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	raw, err := os.ReadFile(s.clientKeyFile(id))
	if err != nil {
		return key, fmt.Errorf("read the key of %s: %w", id, err)
	}
	if err := json.Unmarshal(raw, &key); err != nil {
		return key, fmt.Errorf("read the key of %s: %w", id, err)
	}
	return key, nil
}

// startService builds the service of these surroundings and registers the
// ready-made callers. The listener is the service's from then on.
func (s *surroundings) startService(ctx context.Context, log *slog.Logger) (*service, error) {
	c := *s.config
	c.Listen = reachableAddress(s.listener.Addr())
	c.PublicURL = "http://" + c.Listen
	if err := s.sandbox.Connect(c.PublicURL + "/v1/gateway/callbacks"); err != nil {
		return nil, err
	}
	built, err := newService(ctx, &c, s.listener, s.now, log)
	if err != nil {
		return nil, err
	}
	if err := s.ensureClients(ctx, access.NewClients(built.pool, s.now)); err != nil {
		return nil, errors.Join(err, built.close())
	}
	return built, nil
}

// reachableAddress is how everybody on this machine reaches a listener: one on
// all addresses has none of its own to put into a URL.
func reachableAddress(listening net.Addr) string {
	address, err := netip.ParseAddrPort(listening.String())
	if err != nil || !address.Addr().IsUnspecified() {
		return listening.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), address.Port()).String()
}

// urls of everything, for people and for urls.json.
func (s *surroundings) urls(api string) urls {
	u := s.sandbox.URLs()
	return urls{
		API: api, Docs: api + "/docs", JWKS: api + "/.well-known/jwks.json", TSA: api + "/tsa",
		Sandbox: u, Database: s.cluster.DSN(), Anchors: s.path(anchorsName), Clients: s.private(clientsName),
	}
}
