package cades_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/signer/cades"
)

// TestNothingThatIsThereChanges does everything that can be done with a message
// in any order, and holds that each step keeps every byte of what was signed and
// proven before, and every proof right.
func TestNothingThatIsThereChanges(t *testing.T) {
	w := newWorld(start, 30*year, 10*year)
	who := []cades.Identity{w.person("ECDSA"), w.person("Ed25519")}
	rapid.Check(t, func(r *rapid.T) {
		w.now = start
		detached := rapid.Bool().Draw(r, "detached")
		var content cades.Source
		if detached {
			content = document()
		}
		m := sign(t, who[0], cades.Options{Detached: detached, SigningTime: start})
		der := encode(t, m)
		for range rapid.IntRange(1, 4).Draw(r, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(r, "hours")) * time.Hour)
			m = reopen(t, der)
			signer := rapid.SampledFrom(who).Draw(r, "who")
			before, did := m.Signers(), ""
			var err error
			switch rapid.IntRange(0, 2).Draw(r, "step") {
			case 0:
				did, err = "co-sign", m.AddSigner(context.Background(), content, signer, cades.Options{SigningTime: w.now})
			case 1:
				did, err = "counter-sign", m.CounterSign(context.Background(), rapid.IntRange(0, before-1).Draw(r, "of"), signer, cades.Options{SigningTime: w.now})
			case 2:
				to := rapid.SampledFrom([]cades.Level{cades.T, cades.LT, cades.LTA}).Draw(r, "level")
				did = fmt.Sprintf("extend to %s", to)
				if _, err = w.extender(t, "tsa").Extend(context.Background(), m, content, to); fault.Is(err, fault.LevelReached) {
					err = nil
				}
			}
			if err != nil {
				r.Fatalf("%s: %v", did, err)
			}
			after := encode(t, m)
			checkKept(r, did, der, after)
			read := verifyAll(t, after)
			for i := range read.Signers {
				checkStamps(t, w, read, i)
			}
			der = after
		}
	})
}

// checkKept holds that a message holds everything that another one did, each
// part at its place.
func checkKept(r *rapid.T, did string, old, made []byte) {
	a, err := cms.Parse(old)
	must(err)
	b, err := cms.Parse(made)
	must(err)
	isPrefix := func(what string, a, b [][]byte) {
		if len(b) < len(a) {
			r.Fatalf("%s: %d of %d %s are left", did, len(b), len(a), what)
		}
		for i := range a {
			if !bytes.Equal(a[i], b[i]) {
				r.Fatalf("%s: %s %d has changed", did, what, i)
			}
		}
	}
	isPrefix("certificates", a.CertificateChoices, b.CertificateChoices)
	isPrefix("revocation values", a.RevocationChoices, b.RevocationChoices)
	if !bytes.Equal(a.Content, b.Content) || a.Detached != b.Detached {
		r.Fatalf("%s: the content has changed", did)
	}
	for i, s := range a.Signers {
		isPrefix("fields", [][]byte{s.Fields()}, [][]byte{b.Signers[i].Fields()})
		isPrefix("unsigned attributes", raws(s.UnsignedAttributes), raws(b.Signers[i].UnsignedAttributes))
	}
}

func raws(attributes []cms.Attribute) (all [][]byte) {
	for _, a := range attributes {
		all = append(all, a.Raw)
	}
	return all
}

// FuzzExtend extends messages of every level in which something was replaced,
// inserted or cut out. What is extended nevertheless must hold; and the content
// is never another one.
func FuzzExtend(f *testing.F) {
	w := newWorld(start, 30*year, 10*year)
	var messages [][]byte
	m := sign(f, w.person("ECDSA"), cades.Options{SigningTime: start})
	messages = append(messages, encode(f, m), inBER(encode(f, m), 4))
	must(m.CounterSign(context.Background(), 0, w.person("Ed25519"), cades.Options{SigningTime: start}))
	must(m.AddSigner(context.Background(), nil, w.person("Ed25519"), cades.Options{SigningTime: start}))
	for _, to := range []cades.Level{cades.T, cades.LT, cades.LTA} {
		extend(f, w, m, to)
		messages = append(messages, encode(f, m))
	}
	for which := range messages {
		f.Add(uint8(which), uint16(0), uint8(0), []byte(nil), uint8(3))
		f.Add(uint8(which), uint16(700), uint8(1), []byte{0x80}, uint8(2))
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, cut uint8, put []byte, level uint8) {
		der := bytes.Clone(messages[int(which)%len(messages)])
		from := int(at) % len(der)
		until := min(from+int(cut), len(der))
		der = append(append(bytes.Clone(der[:from]), put...), der[until:]...)
		m, err := cades.Open(bytes.NewReader(der))
		if err != nil {
			return
		}
		to := cades.Level(level % 4)
		if _, err := w.extender(t, "tsa").Extend(context.Background(), m, nil, to); err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("%v", err)
			}
			return
		}
		read := verifyAll(t, encode(t, m))
		if string(read.Content) != text || len(read.Signers) == 0 {
			t.Errorf("%q, %d signatures", read.Content, len(read.Signers))
		}
	})
}

// FuzzOpen holds the reader of frames against pki/cms: what it takes is the same
// message there, with the same content and signatures. Else one might sign or keep
// what another judges.
func FuzzOpen(f *testing.F) {
	w := newWorld(start, 30*year, 10*year)
	der := encode(f, sign(f, w.person("ECDSA"), cades.Options{SigningTime: start}))
	for _, seed := range [][]byte{der, inBER(der, 3), encode(f, sign(f, w.person("ECDSA"), cades.Options{Detached: true})), {0x30, 0x80}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := cades.Open(bytes.NewReader(in))
		if err != nil {
			return
		}
		whole, err := cms.Parse(in)
		if err != nil {
			t.Fatalf("pki/cms refuses it: %v", err)
		}
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		written, err := cms.Parse(b.Bytes())
		if err != nil {
			t.Fatalf("what is written is refused: %v", err)
		}
		if !bytes.Equal(whole.Content, written.Content) || whole.Detached != written.Detached || len(whole.Signers) != len(written.Signers) {
			t.Fatalf("%x, %v, %d signatures; pki/cms has %x, %v, %d", written.Content, written.Detached, len(written.Signers), whole.Content, whole.Detached, len(whole.Signers))
		}
		for i, s := range whole.Signers {
			if !bytes.Equal(s.Fields(), written.Signers[i].Fields()) {
				t.Fatalf("signature %d: %x, want %x", i, written.Signers[i].Fields(), s.Fields())
			}
		}
	})
}

// inBER writes a message with indefinite lengths around its parts and the
// content in pieces, as tools that stream do.
func inBER(der []byte, piece int) []byte {
	m, err := cms.Parse(der)
	must(err)
	eoc := []byte{0, 0}
	open := func(tag byte, content ...[]byte) []byte { // until end-of-contents
		return append(append([]byte{tag, 0x80}, bytes.Join(content, nil)...), eoc...)
	}
	var pieces [][]byte
	for rest := m.Content; len(rest) > 0; {
		n := min(piece, len(rest))
		pieces = append(pieces, append([]byte{0x04, byte(n)}, rest[:n]...))
		rest = rest[n:]
	}
	// Version and digestAlgorithms are what stands before encapContentInfo.
	encap := m.EncapsulatedContentInfo()
	before, after, _ := bytes.Cut(m.Raw, encap)
	version := bytes.Index(before, []byte{0x02, 0x01})
	data := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	signed := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	return open(0x30, signed, open(0xa0, open(0x30, before[version:], open(0x30, data, open(0xa0, open(0x24, pieces...))), after)))
}
