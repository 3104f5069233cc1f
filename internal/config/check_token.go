package config

import (
	"fmt"
	"strings"
)

// membersMax: more tokens with one key than this nobody keeps.
const membersMax = 15

// token checks what a file can say of tokens. Whether they are there, differ
// and hold the same keys shows when they are opened.
func (k *checker) token(t *Token) {
	k.oneToken("token.", TokenMember{Module: t.Module, URI: t.URI, PINFile: t.PINFile})
	k.must("token.members", len(t.Members) <= membersMax, fmt.Sprintf("at most %d", membersMax))
	places := []string{t.Module + "\x00" + t.URI}
	for i, m := range t.Members {
		k.oneToken(fmt.Sprintf("token.members[%d].", i), m)
		places = append(places, m.Module+"\x00"+m.URI)
	}
	k.must("token.members", distinct(places...), "each token is there once")
	k.must("token.order", t.Order == InOrder || t.Order == RoundRobin, "must be in-order or round-robin")
}

func (k *checker) oneToken(at string, m TokenMember) {
	k.file(at+"module", m.Module)
	k.must(at+"uri", strings.HasPrefix(m.URI, "pkcs11:"), "must be a pkcs11: URI (RFC 7512)")
	k.must(at+"uri", !strings.Contains(m.URI, "pin-value"), "must not carry a PIN")
	k.secretFile(at+"pin_file", m.PINFile)
}
