package api

import (
	"bytes"
	"strconv"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/payments/gateway"
	"github.com/senim-kz/senim/payments/money"
)

// uuidText is the length of a UUID as RFC 9562 writes it.
const uuidText = 36

// plainFact reads a fact that is written as nearly everybody writes one: an
// object of known members, each once, its texts in printable ASCII without an
// escape. Whatever else may be the same fact in JSON, or not one at all, is not
// plain; that is the contract's to say.
func plainFact(body []byte) (f gateway.Fact, plain bool) {
	s := factScanner{rest: body, ok: true}
	s.mark('{')
	seen := 0
	for first := true; s.ok; first = false {
		if s.next() == '}' && first {
			break
		}
		name := s.text()
		s.mark(':')
		bit := s.member(&f, string(name))
		if bit == 0 || seen&bit != 0 {
			return f, false
		}
		seen |= bit
		if s.next() != ',' {
			break
		}
		s.mark(',')
	}
	s.mark('}')
	s.space()
	return f, s.ok && len(s.rest) == 0 && seen&factRequired == factRequired
}

// The members of a fact, as bits.
const (
	factKind = 1 << iota
	factReference
	factOrder
	factAmount
	factPaidAt
	factOriginal
	factPayer
	factBank

	factRequired = factKind | factReference | factOrder | factAmount | factPaidAt
)

// factScanner reads the JSON of a plain fact. Once it is not ok it stays so.
type factScanner struct {
	rest []byte
	ok   bool
}

// member reads the value of a member and returns its bit; 0 if there is no such
// member.
func (s *factScanner) member(f *gateway.Fact, name string) int {
	switch name {
	case "kind":
		f.Kind = gateway.FactKind(s.text())
		s.ok = s.ok && f.Kind.Known()
		return factKind
	case "reference":
		f.Reference = string(s.text())
		return factReference
	case "order_id":
		text := s.text()
		id, err := uuid.ParseBytes(text)
		s.ok = s.ok && err == nil && len(text) == uuidText
		f.Order = id
		return factOrder
	case "amount_tiyn":
		f.Amount = money.Tiyn(s.integer())
		return factAmount
	case "paid_at":
		s.ok = s.ok && f.PaidAt.UnmarshalText(s.text()) == nil
		return factPaidAt
	case "original":
		f.Original = string(s.text())
		s.ok = s.ok && f.Original != "" // left out is not the same as empty
		return factOriginal
	case "payer_bin":
		f.Payer = kz.BIN(s.text())
		s.ok = s.ok && f.Payer != ""
		return factPayer
	case "bank_bic":
		f.BankBIC = string(s.text())
		s.ok = s.ok && f.BankBIC != ""
		return factBank
	}
	return 0
}

func (s *factScanner) space() { s.rest = bytes.TrimLeft(s.rest, " \t\r\n") }

// next is the byte after the white space, 0 at the end.
func (s *factScanner) next() byte {
	s.space()
	if len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *factScanner) mark(c byte) {
	if s.next() != c {
		s.ok = false
		return
	}
	s.rest = s.rest[1:]
}

// text reads a string without its quotes.
func (s *factScanner) text() []byte {
	s.mark('"')
	end := bytes.IndexByte(s.rest, '"')
	if !s.ok || end < 0 {
		s.ok = false
		return nil
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			s.ok = false
		}
	}
	return text
}

// integer reads a positive number of at most 18 digits.
func (s *factScanner) integer() int64 {
	s.space()
	n := 0
	for n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 18 || s.rest[0] == '0' {
		s.ok = false
		return 0
	}
	value, err := strconv.ParseInt(string(s.rest[:n]), 10, 64)
	s.ok = s.ok && err == nil
	s.rest = s.rest[n:]
	return value
}
