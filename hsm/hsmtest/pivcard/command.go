package pivcard

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
)

// Status words (ISO 7816-4 §5.1.3).
var (
	statusGood          = []byte{0x90, 0x00}
	statusWrongLength   = []byte{0x67, 0x00}
	statusNotSatisfied  = []byte{0x69, 0x82}
	statusBlocked       = []byte{0x69, 0x83}
	statusWrongData     = []byte{0x6a, 0x80}
	statusNotFound      = []byte{0x6a, 0x82}
	statusWrongP1P2     = []byte{0x6a, 0x86}
	statusKeyNotFound   = []byte{0x6a, 0x88}
	statusNoInstruction = []byte{0x6d, 0x00}
)

const (
	responseMax = 256
	chainedMax  = 4096 // the largest command, a signature with RSA-2048, has under 300
)

// applet is the PIV application (SP 800-73-4 part 1 §2.2).
var applet = []byte{0xa0, 0x00, 0x00, 0x03, 0x08}

// command is a short command APDU (ISO 7816-4 §5.1).
type command struct {
	class, instruction, p1, p2 byte
	data                       []byte
}

func parseCommand(apdu []byte) (command, bool) {
	if len(apdu) < 4 {
		return command{}, false
	}
	c := command{class: apdu[0], instruction: apdu[1], p1: apdu[2], p2: apdu[3]}
	if len(apdu) <= 5 {
		return c, true // no data, with or without Le
	}
	n := int(apdu[4])
	if len(apdu) != 5+n && len(apdu) != 6+n {
		return c, false
	}
	c.data = apdu[5 : 5+n]
	return c, true
}

// Command answers a command APDU.
func (c *Card) Command(apdu []byte) []byte {
	cmd, ok := parseCommand(apdu)
	if !ok {
		return statusWrongLength
	}
	if cmd.instruction == 0xc0 { // GET RESPONSE
		return c.respond(c.rest)
	}
	c.rest = nil
	if len(c.chained)+len(cmd.data) > chainedMax {
		c.chained = nil
		return statusWrongLength
	}
	c.chained = append(c.chained, cmd.data...)
	if cmd.class&0x10 != 0 { // more to come
		return statusGood
	}
	cmd.data, c.chained = c.chained, nil
	return c.execute(cmd)
}

func (c *Card) execute(cmd command) []byte {
	if !c.selected && cmd.instruction != 0xa4 {
		return statusNotFound
	}
	switch cmd.instruction {
	case 0xa4:
		return c.selectApplet(cmd)
	case 0xcb:
		return c.getData(cmd)
	case 0x20:
		return c.verify(cmd)
	case 0x87:
		return c.authenticate(cmd)
	case 0xfd: // GET VERSION, which OpenSC asks of a card with this ATR
		return join([]byte{4, 3, 5}, statusGood)
	}
	return statusNoInstruction
}

// respond gives a response in pieces of 256 bytes.
func (c *Card) respond(data []byte) []byte {
	if len(data) <= responseMax {
		c.rest = nil
		return join(data, statusGood)
	}
	c.rest = data[responseMax:]
	more := len(c.rest)
	if more >= responseMax {
		more = 0 // 256 and more (ISO 7816-4 §5.3.4)
	}
	return join(data[:responseMax], []byte{0x61, byte(more)})
}

func (c *Card) selectApplet(cmd command) []byte {
	if cmd.p1 != 0x04 || !bytes.HasPrefix(cmd.data, applet) {
		return statusNotFound
	}
	c.selected = true
	return c.respond(tlv(0x61, join(
		tlv(0x4f, []byte{0x00, 0x00, 0x10, 0x00, 0x01, 0x00}),
		tlv(0x79, tlv(0x4f, applet)),
	)))
}

// getData is GET DATA (SP 800-73-4 part 2 §3.1.2).
func (c *Card) getData(cmd command) []byte {
	if cmd.p1 != 0x3f || cmd.p2 != 0xff || len(cmd.data) < 3 || cmd.data[0] != 0x5c || int(cmd.data[1]) != len(cmd.data)-2 {
		return statusWrongData
	}
	switch tag := cmd.data[2:]; {
	case bytes.Equal(tag, []byte{0x7e}): // Discovery: the PIN of this application
		return c.respond(tlv(0x7e, join(
			tlv(0x4f, join(applet, []byte{0x00, 0x00, 0x10, 0x00, 0x01, 0x00})),
			[]byte{0x5f, 0x2f, 0x02, 0x40, 0x00},
		)))
	case bytes.Equal(tag, []byte{0x5f, 0xc1, 0x02}):
		return c.respond(tlv(0x53, c.chuid))
	default:
		for _, s := range c.slots {
			if bytes.Equal(tag, s.object) {
				return c.respond(tlv(0x53, join(tlv(0x70, s.cert), tlv(0x71, []byte{0}), tlv(0xfe, nil))))
			}
		}
	}
	return statusNotFound
}

// verify is VERIFY (SP 800-73-4 part 2 §3.2.1).
func (c *Card) verify(cmd command) []byte {
	switch {
	case cmd.p2 != 0x80:
		return statusKeyNotFound
	case cmd.p1 == 0xff && len(cmd.data) == 0:
		c.verified, c.fresh = false, false
		return statusGood
	case cmd.p1 != 0:
		return statusWrongP1P2
	case len(cmd.data) == 0 && c.verified:
		return statusGood
	case len(cmd.data) == 0:
		return []byte{0x63, 0xc0 | byte(c.attempts)}
	case c.attempts == 0:
		return statusBlocked
	}
	if string(bytes.TrimRight(cmd.data, "\xff")) != PIN {
		c.attempts--
		c.verified, c.fresh = false, false
		return []byte{0x63, 0xc0 | byte(c.attempts)}
	}
	c.attempts, c.verified, c.fresh = attemptsMax, true, true
	return statusGood
}

// authenticate is GENERAL AUTHENTICATE as a signature (SP 800-73-4 part 2 §3.2.4,
// appendix A.4).
func (c *Card) authenticate(cmd command) []byte {
	for _, s := range c.slots {
		if s.reference != cmd.p2 {
			continue
		}
		if s.algorithm != cmd.p1 {
			return statusWrongP1P2
		}
		if !c.verified || s.always && !c.fresh {
			return statusNotSatisfied
		}
		c.fresh = false
		challenge, ok := challengeOf(cmd.data)
		if !ok {
			return statusWrongData
		}
		signature, ok := s.sign(challenge)
		if !ok {
			return statusWrongData
		}
		return c.respond(tlv(0x7c, tlv(0x82, signature)))
	}
	return statusKeyNotFound
}

// challengeOf reads 7C { 82 (empty), 81 challenge }, in any order.
func challengeOf(data []byte) (challenge []byte, ok bool) {
	tag, template, rest, ok := readTLV(data)
	if !ok || tag != 0x7c || len(rest) > 0 {
		return nil, false
	}
	for len(template) > 0 {
		var value []byte
		if tag, value, template, ok = readTLV(template); !ok {
			return nil, false
		}
		if tag == 0x81 {
			challenge = value
		}
	}
	return challenge, len(challenge) > 0
}

func readTLV(data []byte) (tag byte, value, rest []byte, ok bool) {
	if len(data) < 2 {
		return 0, nil, nil, false
	}
	tag, n, data := data[0], int(data[1]), data[2:]
	if n > 0x80 {
		size := n - 0x80
		if size > 2 || len(data) < size {
			return 0, nil, nil, false
		}
		n = int(new(big.Int).SetBytes(data[:size]).Int64())
		data = data[size:]
	} else if n == 0x80 {
		return 0, nil, nil, false
	}
	if len(data) < n {
		return 0, nil, nil, false
	}
	return tag, data[:n], data[n:], true
}

// sign applies the private key: to a padded block with RSA, to a digest with
// ECDSA.
func (s *slot) sign(challenge []byte) ([]byte, bool) {
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		m := new(big.Int).SetBytes(challenge)
		if len(challenge) != key.Size() || m.Cmp(key.N) >= 0 {
			return nil, false
		}
		return power(key, m).FillBytes(make([]byte, key.Size())), true
	case *ecdsa.PrivateKey:
		signature, err := key.Sign(rand.Reader, challenge, crypto.Hash(0))
		return signature, err == nil
	}
	return nil, false
}

// power is m^d modulo n by the Chinese remainder theorem: crypto/rsa has no
// operation without padding. A test's key has no secrets from a clock.
func power(key *rsa.PrivateKey, m *big.Int) *big.Int {
	p, q := key.Primes[0], key.Primes[1]
	m1 := new(big.Int).Exp(m, key.Precomputed.Dp, p)
	m2 := new(big.Int).Exp(m, key.Precomputed.Dq, q)
	h := new(big.Int).Sub(m1, m2)
	h.Mul(h, key.Precomputed.Qinv).Mod(h, p)
	return h.Mul(h, q).Add(h, m2)
}
