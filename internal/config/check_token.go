package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// membersMax: more tokens with one key than this nobody keeps.
	membersMax = 15
	// sessionsMax: no token measured gained anything from more than eight.
	sessionsMax = 1024
	// callTimeoutMin: an HSM over the network takes seconds when it changes halves.
	callTimeoutMin = time.Second
)

// nameOfPIN is the name of an environment variable or of a systemd credential, and
// no PIN of digits.
var nameOfPIN = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)

// token checks what a file can say of tokens. Whether they are there, differ
// and hold the same keys shows when they are opened.
func (k *checker) token(t *Token) {
	var places []string
	for i, m := range t.All() {
		at := "token."
		if i > 0 {
			at = fmt.Sprintf("token.members[%d].", i-1)
		}
		k.oneToken(at, m)
		places = append(places, m.Module+"\x00"+m.URI)
	}
	k.must("token.members", len(t.Members) <= membersMax, fmt.Sprintf("at most %d", membersMax))
	k.must("token.members", distinct(places...), "each token is there once")
	k.must("token.order", t.Order == InOrder || t.Order == RoundRobin, "must be in-order or round-robin")
	k.must("token.sessions_max", t.SessionsMax >= 0 && t.SessionsMax <= sessionsMax, fmt.Sprintf("must be at most %d", sessionsMax))
	k.must("token.call_timeout", t.CallTimeout >= callTimeoutMin, "must be at least "+callTimeoutMin.String())
}

func (k *checker) oneToken(at string, m TokenMember) {
	k.file(at+"module", m.Module)
	k.must(at+"uri", strings.HasPrefix(m.URI, "pkcs11:"), "must be a pkcs11: URI (RFC 7512)")
	k.must(at+"uri", !strings.Contains(m.URI, "pin-value"), "must not carry a PIN")
	k.pin(at, m)
	var kinds []string
	for i, g := range m.GOST {
		k.gost(fmt.Sprintf("%sgost[%d].", at, i), g)
		kinds = append(kinds, g.Key)
	}
	k.must(at+"gost", distinct(kinds...), "each kind of key is there once")
}

// pin wants one place, and what can be seen of it.
func (k *checker) pin(at string, m TokenMember) {
	var named []string
	for _, place := range []struct{ key, value string }{{"pin_file", m.PINFile}, {"pin_env", m.PINEnv}, {"pin_credential", m.PINCredential}} {
		if place.value == "" {
			continue
		}
		named = append(named, place.key)
		if place.key == "pin_file" {
			k.secretFile(at+place.key, place.value)
		} else {
			k.must(at+place.key, nameOfPIN.MatchString(place.value), "must be a name, not the PIN")
		}
	}
	switch len(named) {
	case 0:
		k.must(at+"pin_file", false, "is missing")
	case 1:
	default:
		k.must(at+named[0], false, "the PIN is in one place: "+strings.Join(named, " and ")+" are named")
	}
}

func (k *checker) gost(at string, g GOSTMechanism) {
	k.must(at+"key", slices.Contains(GOSTKeys(), g.Key), "must be one of: "+strings.Join(GOSTKeys(), ", "))
	k.must(at+"key_type", g.KeyType != 0, "is missing")
	k.must(at+"sign", g.Sign != 0, "is missing")
	k.must(at+"layout", g.Layout == "" || g.Layout == GOSTLayoutRU || g.Layout == GOSTLayoutKZ, "must be ru or kz")
}

// ParseGOSTMechanism reads one row of token.gost, as the command line gives it:
// {key: …, key_type: 0x…, sign: 0x…}.
func ParseGOSTMechanism(row string) (GOSTMechanism, error) {
	var g GOSTMechanism
	if len(row) > fileSizeMax {
		return g, fault.New(fault.ConfigBad, "gost", "larger than %d bytes", fileSizeMax)
	}
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(row)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&g); err != nil && !errors.Is(err, io.EOF) {
		return g, fault.New(fault.ConfigBad, "gost", "not a row of token.gost: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	k := &checker{}
	k.gost("gost.", g)
	return g, errors.Join(k.faults...)
}
