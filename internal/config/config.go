package config

import (
	"cmp"
	"time"
)

// Profile says what world the service lives in.
type Profile string

const (
	// Production is `senim serve`: everything is checked and nothing is
	// started. It is the zero value's meaning.
	Production Profile = "production"
	// Sandbox is `senim up` and `senim demo`: state systems are stand-ins on
	// loopback. It cannot be asked for in a file.
	Sandbox Profile = "sandbox"
)

// Config is everything the service needs to be told. The zero value of an
// optional field is safe and means its documented default.
type Config struct {
	// Profile is not read from the file: a file describes production.
	Profile Profile `yaml:"-"`

	Listen    string    `yaml:"listen"`     // host:port of the API
	PublicURL string    `yaml:"public_url"` // as callers see it: audience of tokens, issuer of receipts
	TLS       TLS       `yaml:"tls"`
	Database  Database  `yaml:"database"`
	Token     Token     `yaml:"token"`
	Trust     Trust     `yaml:"trust"`
	Signature Signature `yaml:"signature"`
	Timestamp Timestamp `yaml:"timestamp"`
	TSA       TSA       `yaml:"tsa"`
	SHEP      SHEP      `yaml:"shep"`
	Gateway   Gateway   `yaml:"gateway"`
	Gateways  Gateways  `yaml:"gateways"`
	Payments  Payments  `yaml:"payments"`
	Webhooks  Webhooks  `yaml:"webhooks"`
	Network   Network   `yaml:"network"`
	Limits    Limits    `yaml:"limits"`
}

// TLS of the API's listener. Production needs a certificate unless
// BehindProxy says that a proxy on this machine ends TLS.
type TLS struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
	ClientCAFile    string `yaml:"client_ca_file"` // empty: no client certificates
	BehindProxy     bool   `yaml:"behind_proxy"`   // then listen must be loopback
}

// Database is PostgreSQL, the only store.
type Database struct {
	DSNFile string `yaml:"dsn_file"` // a file with the connection string
	// DSN is set by senim up for its private cluster, never by a file.
	DSN string `yaml:"-"`
}

// Token is the PKCS#11 token that holds the service's keys, or the first of
// several that hold copies of them. The PIN is in one of three places.
type Token struct {
	Module        string    `yaml:"module"`         // absolute path of the PKCS#11 module
	URI           string    `yaml:"uri"`            // RFC 7512: which token
	PINFile       string    `yaml:"pin_file"`       // a file with the user PIN
	PINEnv        string    `yaml:"pin_env"`        // the name of an environment variable with it
	PINCredential string    `yaml:"pin_credential"` // the name of a systemd credential with it
	Keys          TokenKeys `yaml:"keys"`
	// GOST are the numbers under which the module knows GOST R 34.10; none, and no
	// GOST key in the token is found.
	GOST []GOSTMechanism `yaml:"gost"`
	// Members are the other tokens that hold copies of all keys; none, and there
	// is one token.
	Members []TokenMember `yaml:"members"`
	// Order says which token is asked first where there are several; InOrder if
	// empty.
	Order TokenOrder `yaml:"order"`
	// SessionsMax bounds the sessions with each token; 8 if zero. Its own limit
	// counts where it is lower.
	SessionsMax int `yaml:"sessions_max"`
	// CallTimeout is how long a call into the module is waited for; 30s if zero.
	CallTimeout time.Duration `yaml:"call_timeout"`
	// CertificateMargin is how long a certificate in the token must be good yet
	// for the service to be ready; 168h if zero.
	CertificateMargin time.Duration `yaml:"certificate_margin"`
}

// TokenOrder says which of several tokens is asked first.
type TokenOrder string

const (
	// InOrder asks the first that works; the others stand by.
	InOrder TokenOrder = "in-order"
	// RoundRobin spreads the signatures.
	RoundRobin TokenOrder = "round-robin"
)

// TokenMember is one more token with copies of the service's keys. What it leaves
// out is as with the first token: the module, the PIN's place, the numbers.
type TokenMember struct {
	Module        string          `yaml:"module"`
	URI           string          `yaml:"uri"`
	PINFile       string          `yaml:"pin_file"`
	PINEnv        string          `yaml:"pin_env"`
	PINCredential string          `yaml:"pin_credential"`
	GOST          []GOSTMechanism `yaml:"gost"`
}

// GOSTMechanism says by which numbers a module knows one kind of GOST key.
// PKCS#11 has none for the keys of 2012 and 2015: they are each maker's own.
type GOSTMechanism struct {
	Key        string     `yaml:"key"`        // the kind of key, one of GOSTKeys
	KeyType    uint32     `yaml:"key_type"`   // CKK_… of such keys
	Sign       uint32     `yaml:"sign"`       // CKM_… that signs a digest
	Parameters uint32     `yaml:"parameters"` // attribute with the curve's identifier; CKA_GOSTR3410_PARAMS if zero
	Layout     GOSTLayout `yaml:"layout"`     // how C_Sign writes a signature; GOSTLayoutRU if empty
}

// GOSTLayout is how a signature is written down.
type GOSTLayout string

const (
	// GOSTLayoutRU is s‖r, most significant byte first.
	GOSTLayoutRU GOSTLayout = "ru"
	// GOSTLayoutKZ is r‖s, least significant byte first.
	GOSTLayoutKZ GOSTLayout = "kz"
)

// GOSTKeys are the kinds of GOST key, by the names that the program prints.
func GOSTKeys() []string {
	return []string{
		"GOST 34.310-2004", "ST RK GOST R 34.10-2015 (256)", "ST RK GOST R 34.10-2015 (512)",
		"GOST R 34.10-2001", "GOST R 34.10-2012 (256)", "GOST R 34.10-2012 (512)",
	}
}

// TokenKeys are the labels of the service's keys; one purpose each.
type TokenKeys struct {
	Receipt string `yaml:"receipt"` // signs receipts (JWS)
	Access  string `yaml:"access"`  // signs access tokens (JWS)
	Gateway string `yaml:"gateway"` // signs ШЭП and ПШЭП messages; its certificate is beside it
}

// Trust names the anchors and what may be asked about certificates.
type Trust struct {
	Anchors      []string `yaml:"anchors"`       // files or folders
	AllowedHosts []string `yaml:"allowed_hosts"` // hosts[:port] whose AIA, OCSP and CRL addresses may be followed
	// CRLFolder keeps CRLs over restarts; empty keeps them as long as the process
	// runs. It is the service's own, and made if it is not there.
	CRLFolder string `yaml:"crl_folder"`
	// OCSPAge is how long an OCSP answer serves that sets no nextUpdate (1m if
	// zero; negative asks each time).
	OCSPAge time.Duration `yaml:"ocsp_age"`
}

// Signature is the policy that documents are judged by, and what they are signed
// with.
type Signature struct {
	Policy string `yaml:"policy"` // "kz-qualified" if empty
	// Seals are the keys that documents are signed with on request; none, and
	// nothing is.
	Seals []Seal `yaml:"seals"`
}

// Seal is a key of the token, with its certificate beside it.
type Seal struct {
	Name  string `yaml:"name"` // by which callers ask for it
	Label string `yaml:"label"`
}

// Timestamp is the timestamp authority that is asked (RFC 3161).
type Timestamp struct {
	URL     string        `yaml:"url"`
	Timeout time.Duration `yaml:"timeout"` // 10s if zero
}

// TSA is our own time-stamping authority. Without policies there is none.
type TSA struct {
	Policies []TSAPolicy `yaml:"policies"` // the first is for requests that name none
	Time     TSATime     `yaml:"time"`
	// ExpiryDays is how many days before its last key ends the authority stops
	// being ready (7 if zero).
	ExpiryDays int `yaml:"expiry_days"`
}

// TSAPolicy is a policy that tokens are issued under.
type TSAPolicy struct {
	OID      string        `yaml:"oid"`
	Accuracy time.Duration `yaml:"accuracy"` // 1s if zero
	Digests  []string      `yaml:"digests"`  // accepted in requests; empty: SHA-2 and SHA-3 of 256 bits and more, and Streebog
	Keys     []TSAKey      `yaml:"keys"`
}

// TSAKey is a time-stamping key: in the token, with its certificate beside it.
type TSAKey struct {
	Label string    `yaml:"label"`
	From  time.Time `yaml:"from"`  // empty: since its certificate is valid
	Until time.Time `yaml:"until"` // empty: as long as its certificate is valid
	// File is a key outside any token, with its certificates, in PEM. senim up
	// sets it, a file cannot.
	File string `yaml:"-"`
}

// TSATime says what the clock is compared with.
type TSATime struct {
	Sources []string      `yaml:"sources"` // three NTP servers or more, host[:port]
	Every   time.Duration `yaml:"every"`   // 16s if zero
	Expiry  time.Duration `yaml:"expiry"`  // 48s if zero; longer than that without an answer, and nothing is stamped
}

// SHEP is the government gateway's synchronous channel with ГБД ЮЛ behind it.
type SHEP struct {
	URL         string        `yaml:"url"`
	SenderID    string        `yaml:"sender_id"`
	ServiceID   string        `yaml:"service_id"`   // of ГБД ЮЛ; "GbdulInfoByBin_v2" if empty
	RegisterBIN string        `yaml:"register_bin"` // BIN in the certificate that signs ГБД ЮЛ's answers
	Timeout     time.Duration `yaml:"timeout"`      // 30s if zero, the gateway's own limit
}

// Gateway is the e-government payment gateway (ПШЭП).
type Gateway struct {
	URL       string `yaml:"url"`
	SenderID  string `yaml:"sender_id"`
	ServiceID string `yaml:"service_id"`
}

// Webhooks say where events may be sent.
type Webhooks struct {
	// Hosts are the subscribers' hosts (host, host:port or host:*); none, and
	// nobody can subscribe.
	Hosts []string `yaml:"hosts"`
	// CAFile has the CAs of subscribers' servers (PEM); the system's if empty.
	CAFile string `yaml:"ca_file"`
}

// Gateways are further ones, at which a payer may choose to pay.
type Gateways struct {
	Epay Epay `yaml:"epay"`
}

// Epay is Halyk Bank's acquiring of cards, ePay 2. Without an api_url there is
// none.
type Epay struct {
	OAuthURL   string `yaml:"oauth_url"`   // where tokens are asked for, /oauth2/token included
	APIURL     string `yaml:"api_url"`     // the root of the operations
	BackLink   string `yaml:"back_link"`   // where the payer goes afterwards; public_url if empty
	ClientID   string `yaml:"client_id"`   // of the merchant
	SecretFile string `yaml:"secret_file"` // a file with the client's secret
	Terminal   string `yaml:"terminal"`
	BankBIC    string `yaml:"bank_bic"` // of the acquirer; HSBKKZKX if empty
	// Secret is set by senim up for its stand-in, never by a file.
	Secret string `yaml:"-"`
}

// Network says which addresses peers may have.
type Network struct {
	AllowPrivate bool `yaml:"allow_private"` // the state's closed network; loopback stays refused
}

// Payments say what orders carry and how long they can be paid.
type Payments struct {
	Offices        []Office      `yaml:"offices"`         // revenue offices (УГД) and other state bodies that may be paid
	BeneficiaryIIK string        `yaml:"beneficiary_iik"` // KZ24070105KSN0000000 if empty: the treasury's only account
	BeneficiaryBIC string        `yaml:"beneficiary_bic"` // KKMFKZ2A if empty
	OrderLife      time.Duration `yaml:"order_life"`      // 72h if zero; then an unpaid order expires

	TariffFile        string    `yaml:"tariff_file"`         // the integrated tariff, CSV or JSON; without it charges are not computed
	ExchangeRatesFile string    `yaml:"exchange_rates_file"` // the National Bank's rates, CSV; without it only tenge can be charged
	CalendarFile      string    `yaml:"calendar_file"`       // days off and worked by decree, CSV; without it weekends and fixed holidays
	Tolerance         Tolerance `yaml:"tolerance"`           // how much may be missing; nothing if zero
}

// Office is one revenue office, or another state body that fees are paid to.
type Office struct {
	Code string `yaml:"code"` // 4 or 6 digits; of another body the letters by which the tariff names it
	BIN  string `yaml:"bin"`
	Name string `yaml:"name"`
	IIK  string `yaml:"iik"` // payments.beneficiary_iik if empty
	BIC  string `yaml:"bic"` // payments.beneficiary_bic if empty
	KBe  string `yaml:"kbe"` // 11, the central government, if empty
}

// Tolerance is how much of an order may be missing before it is short; the
// greater of the two holds.
type Tolerance struct {
	Tenge   string `yaml:"tenge"`   // "10.00"; none if empty
	Percent string `yaml:"percent"` // of what is owed, "0.01"; none if empty
}

// Limits of one caller; zero means the default in brackets.
type Limits struct {
	RequestsPerSecond     float64 `yaml:"requests_per_second"`      // per caller (50)
	OpenRequestsPerSecond float64 `yaml:"open_requests_per_second"` // per address, routes without a caller (10)
	TimestampsPerSecond   float64 `yaml:"timestamps_per_second"`    // per address (50)
	PaymentsPerSecond     float64 `yaml:"payments_per_second"`      // per payment gateway's client (5000)
}

// SetDefaults fills every field that has a default and is empty.
func (c *Config) SetDefaults() {
	def := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if c.Profile == "" {
		c.Profile = Production
	}
	def(&c.Signature.Policy, "kz-qualified")
	def(&c.SHEP.ServiceID, "GbdulInfoByBin_v2")
	if c.Gateways.Epay.APIURL != "" {
		def(&c.Gateways.Epay.BackLink, c.PublicURL)
		def(&c.Gateways.Epay.BankBIC, "HSBKKZKX")
	}
	def(&c.Payments.BeneficiaryIIK, "KZ24070105KSN0000000")
	def(&c.Payments.BeneficiaryBIC, "KKMFKZ2A")
	def(&c.Token.Keys.Receipt, "senim-receipt")
	def(&c.Token.Keys.Access, "senim-access")
	def(&c.Token.Keys.Gateway, "senim-gateway")
	c.Token.setDefaults()
	if c.Timestamp.Timeout == 0 {
		c.Timestamp.Timeout = 10 * time.Second
	}
	if c.SHEP.Timeout == 0 {
		c.SHEP.Timeout = 30 * time.Second
	}
	if c.Payments.OrderLife == 0 {
		c.Payments.OrderLife = 72 * time.Hour
	}
	if c.Limits.RequestsPerSecond == 0 {
		c.Limits.RequestsPerSecond = 50
	}
	if c.Limits.OpenRequestsPerSecond == 0 {
		c.Limits.OpenRequestsPerSecond = 10
	}
	if c.Limits.PaymentsPerSecond == 0 {
		c.Limits.PaymentsPerSecond = 5000
	}
	if c.Limits.TimestampsPerSecond == 0 {
		c.Limits.TimestampsPerSecond = 50
	}
	c.TSA.setDefaults()
}

func (t *Token) setDefaults() {
	if t.CertificateMargin == 0 {
		t.CertificateMargin = 7 * 24 * time.Hour
	}
	if t.CallTimeout == 0 {
		t.CallTimeout = 30 * time.Second
	}
	t.Order = cmp.Or(t.Order, InOrder)
	for i := range t.Members {
		m := &t.Members[i]
		m.Module = cmp.Or(m.Module, t.Module)
		if m.PINFile == "" && m.PINEnv == "" && m.PINCredential == "" {
			m.PINFile, m.PINEnv, m.PINCredential = t.PINFile, t.PINEnv, t.PINCredential
		}
		if m.GOST == nil {
			m.GOST = t.GOST
		}
	}
}

// All are the tokens that hold the service's keys, in the order in which they are
// asked: the first one, and the members.
func (t *Token) All() []TokenMember {
	first := TokenMember{
		Module: t.Module, URI: t.URI, PINFile: t.PINFile, PINEnv: t.PINEnv, PINCredential: t.PINCredential, GOST: t.GOST,
	}
	return append([]TokenMember{first}, t.Members...)
}

func (t *TSA) setDefaults() {
	if t.ExpiryDays == 0 {
		t.ExpiryDays = 7
	}
	if t.Time.Every == 0 {
		t.Time.Every = 16 * time.Second
	}
	if t.Time.Expiry == 0 {
		t.Time.Expiry = 3 * t.Time.Every
	}
	for i := range t.Policies {
		if t.Policies[i].Accuracy == 0 {
			t.Policies[i].Accuracy = time.Second
		}
	}
}
