package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/postgres"
)

// Scheme is a way of signing (Standard Webhooks, "Signature scheme").
type Scheme string

// The schemes: with HMAC both sides hold the secret; with Ed25519 the
// subscriber holds a public key only.
const (
	HMAC    Scheme = "v1"
	Ed25519 Scheme = "v1a"
)

// The headers of a message.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// secretBytes is the length of an HMAC secret; the specification wants 24 to 64.
const secretBytes = 32

// key signs messages: secret is the HMAC's, or an Ed25519 seed.
type key struct {
	id        uuid.UUID
	scheme    Scheme
	secret    []byte
	createdAt time.Time
	expiresAt *time.Time // nil: until it is replaced
}

func newKey(scheme Scheme, now time.Time) key {
	secret := make([]byte, secretBytes) // an Ed25519 seed is as long
	rand.Read(secret)                   // never fails: crypto/rand ends the process instead
	return key{id: postgres.NewID(now), scheme: scheme, secret: secret, createdAt: now}
}

// Key is what is shown of a key at any time.
type Key struct {
	ID        uuid.UUID
	Scheme    Scheme
	PublicKey string // whpk_…, of an Ed25519 key
	CreatedAt time.Time
	ExpiresAt *time.Time // nil: until it is replaced
}

// IssuedKey is a key as it is shown once, when it is made.
type IssuedKey struct {
	Key
	Secret string // whsec_…, of an HMAC key
}

func (k key) shown() Key {
	s := Key{ID: k.id, Scheme: k.scheme, CreatedAt: k.createdAt, ExpiresAt: k.expiresAt}
	if k.scheme == Ed25519 {
		public := ed25519.NewKeyFromSeed(k.secret).Public().(ed25519.PublicKey)
		s.PublicKey = "whpk_" + base64.StdEncoding.EncodeToString(public)
	}
	return s
}

func (k key) issued() IssuedKey {
	i := IssuedKey{Key: k.shown()}
	if k.scheme == HMAC {
		i.Secret = "whsec_" + base64.StdEncoding.EncodeToString(k.secret)
	}
	return i
}

// sign makes one signature: the scheme, a comma, base64.
func (k key) sign(content []byte) string {
	var value []byte
	switch k.scheme {
	case Ed25519:
		value = ed25519.Sign(ed25519.NewKeyFromSeed(k.secret), content)
	default:
		mac := hmac.New(sha256.New, k.secret)
		mac.Write(content)
		value = mac.Sum(nil)
	}
	return string(k.scheme) + "," + base64.StdEncoding.EncodeToString(value)
}

// signatures is the value of webhook-signature: one signature per key,
// separated by spaces, so that a subscriber may change its key when it likes
// while the former one is still used.
func signatures(keys []key, m message, at time.Time) string {
	content := []byte(m.id + "." + strconv.FormatInt(at.Unix(), 10) + ".")
	content = append(content, m.body...)
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.sign(content)
	}
	return strings.Join(all, " ")
}
