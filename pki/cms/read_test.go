package cms

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/cert"
)

// someone has a key and a certificate of it.
var someone = sync.OnceValue(func() (s struct {
	key  crypto.Signer
	cert *cert.Certificate
}) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Signer"}, NotAfter: time.Now().Add(time.Hour), SubjectKeyId: []byte{1, 2, 3},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	s.key = key
	if s.cert, err = cert.Parse(der); err != nil {
		panic(err)
	}
	return s
})

func signed(t testing.TB, content []byte, change func(*Template)) []byte {
	t.Helper()
	template := Template{Content: content, Certificate: someone().cert.Raw}
	if change != nil {
		change(&template)
	}
	der, err := Sign(template, someone().key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// toBER rewrites a message as streaming producers do: what encloses the content
// has no length, and the content comes in pieces.
func toBER(t testing.TB, der []byte, piece int) []byte {
	t.Helper()
	m, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	indefinite := func(tag byte, inside ...[]byte) []byte {
		return append(append([]byte{tag, 0x80}, bytes.Join(inside, nil)...), 0, 0)
	}
	oid := func(o []byte) []byte { return append(appendHeader(nil, 6, int64(len(o))), o...) }
	var pieces [][]byte
	for rest := m.Content; len(rest) > 0; {
		n := min(piece, len(rest))
		pieces = append(pieces, append(appendHeader(nil, 4, int64(n)), rest[:n]...))
		rest = rest[n:]
	}
	head := m.head[:len(m.head)-len(m.rawCertificates)-len(m.rawRevocation)-len(m.rawContentInfo)]
	tail := der[len(der)-(len(der)-bytes.Index(der, m.head)-len(m.head)):]
	data := oid([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01})
	return indefinite(0x30,
		oid([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}),
		indefinite(0xa0, indefinite(0x30,
			head, indefinite(0x30, data, indefinite(0xa0, indefinite(0x24, pieces...))), m.rawCertificates, m.rawRevocation, tail)))
}

// readAs reads an input in a way, always streaming.
var readAs = map[string]func(in []byte) io.Reader{
	"seekable": func(in []byte) io.Reader { return bytes.NewReader(in) },
	"stream":   func(in []byte) io.Reader { return io.MultiReader(bytes.NewReader(in)) },
	"base64": func(in []byte) io.Reader {
		return strings.NewReader(base64.StdEncoding.EncodeToString(in))
	},
	"PEM": func(in []byte) io.Reader {
		return bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: in}))
	},
}

// Whatever way a message is read, it is the same message: read streaming, it has
// the same parts, its content the same digests, also those nobody declared.
func TestReadAgreesWithParse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 300, 5000).Draw(rt, "content")
		in := signed(t, content, nil)
		if rapid.Bool().Draw(rt, "BER") {
			in = toBER(t, in, rapid.IntRange(1, 6000).Draw(rt, "piece"))
		}
		way := rapid.SampledFrom([]string{"seekable", "stream", "base64", "PEM"}).Draw(rt, "way")
		want, err := Parse(in)
		if err != nil {
			rt.Fatal(err)
		}
		got, _, err := read(t.Context(), readAs[way](in), Options{Spool: DefaultSpool}, 16)
		if err != nil {
			rt.Fatal(err)
		}
		defer got.Close()
		agree(rt, got, want)
		sum, err := got.EContent().Digest(t.Context(), algo.SHA3x256)
		if err != nil || !bytes.Equal(sum, algo.SHA3x256.Sum(content)) {
			rt.Errorf("another digest: %x, %v", sum, err)
		}
	})
}

func agree(t interface {
	Errorf(string, ...any)
	Helper()
}, got, want *Message) {
	t.Helper()
	if got.BER != want.BER || got.Version != want.Version || got.Detached != want.Detached || !got.ContentType.Equal(want.ContentType) {
		t.Errorf("BER %v %v, version %d %d", got.BER, want.BER, got.Version, want.Version)
	}
	for name, pair := range map[string][2]any{
		"certificates": {got.Certificates, want.Certificates}, "CRLs": {got.CRLs, want.CRLs}, "OCSPs": {got.OCSPs, want.OCSPs},
		"digest algorithms": {got.DigestAlgorithms, want.DigestAlgorithms},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(got.Signers) != len(want.Signers) {
		t.Errorf("%d signers, want %d", len(got.Signers), len(want.Signers))
		return
	}
	for i, s := range got.Signers {
		if !bytes.Equal(s.Raw, want.Signers[i].Raw) {
			t.Errorf("signer %d differs", i)
		}
	}
	if want.Detached {
		return
	}
	if c := got.EContent(); c.Size() != int64(len(want.Content)) {
		t.Errorf("content of %d bytes, want %d", c.Size(), len(want.Content))
	}
	prefix := want.rawContentInfo[:len(want.rawContentInfo)-len(want.Content)]
	if !bytes.Equal(got.EncapsulatedContentInfo(), prefix) {
		t.Errorf("before the content stands %x, want %x", got.EncapsulatedContentInfo(), prefix)
	}
}

func TestReadSaysWhatItRead(t *testing.T) {
	in := signed(t, make([]byte, 3*blockBytes), nil)
	sum := sha256.Sum256(in)
	for way, open := range readAs {
		for _, memory := range []int{16, memoryBytesMax} {
			m, input, err := read(t.Context(), open(in), Options{}, memory)
			if err != nil {
				t.Fatal(way, err)
			}
			if way != "base64" && way != "PEM" && (input.Bytes != int64(len(in)) || input.SHA256 != sum) {
				t.Errorf("%s: %d bytes, %x", way, input.Bytes, input.SHA256)
			}
			if digest := m.EContent().known(algo.SHA256); memory == 16 && !bytes.Equal(digest, algo.SHA256.Sum(make([]byte, 3*blockBytes))) {
				t.Errorf("%s: the declared digest was not made on the way", way)
			}
		}
	}
}

func TestReadReportsProgress(t *testing.T) {
	in := signed(t, make([]byte, 3*blockBytes), nil)
	var last, total int64
	report := func(done, of int64) {
		if done < last {
			t.Errorf("%d after %d", done, last)
		}
		last, total = done, of
	}
	if _, _, err := read(t.Context(), bytes.NewReader(in), Options{Progress: report}, 16); err != nil || last != int64(len(in)) || total != last {
		t.Errorf("%d of %d, %v", last, total, err)
	}
	last = 0
	if _, _, err := read(t.Context(), io.MultiReader(bytes.NewReader(in)), Options{Progress: report}, 16); err != nil || last != int64(len(in)) || total != -1 {
		t.Errorf("%d of %d, %v", last, total, err)
	}
}

// What breaks a message breaks it in both ways of reading.
func TestReadRefusesAsParse(t *testing.T) {
	in := signed(t, bytes.Repeat([]byte("document "), 100), nil)
	ber := toBER(t, in, 100)
	for name, tt := range map[string]struct {
		in   []byte
		code fault.Code
	}{
		"a byte follows":               {append(bytes.Clone(in), 1), fault.CMSMalformed},
		"a zero follows":               {append(bytes.Clone(in), 0), fault.CMSMalformed},
		"two zeros follow":             {append(bytes.Clone(in), 0, 0), fault.CMSMalformed},
		"twice":                        {append(bytes.Clone(in), in...), fault.CMSMalformed},
		"cut":                          {in[:len(in)-1], fault.CMSMalformed},
		"cut in the content":           {in[:400], fault.CMSMalformed},
		"BER, a byte follows":          {append(bytes.Clone(ber), 1), fault.CMSMalformed},
		"BER, two zeros follow":        {append(bytes.Clone(ber), 0, 0), fault.CMSMalformed},
		"BER, cut":                     {ber[:len(ber)-1], fault.CMSMalformed},
		"BER, without two ends":        {ber[:len(ber)-4], fault.CMSMalformed},
		"another type":                 {bytes.Replace(in, []byte{0xf7, 0x0d, 1, 7, 2}, []byte{0xf7, 0x0d, 1, 7, 3}, 1), fault.CMSNotSigned},
		"nested without end":           {bytes.Repeat([]byte{0x30, 0x80}, 100000), fault.EncodingTooDeep},
		"octet strings in each other":  {nestedOctets(t, in, 100), fault.EncodingTooDeep},
		"octet strings, 100,000 times": {nestedOctets(t, in, 100000), fault.EncodingTooDeep},
		"a length of 2^63":             {append([]byte{0x30, 0x88, 0x80, 0, 0, 0, 0, 0, 0, 0}, in...), fault.CMSMalformed},
		"no message":                   {bytes.Repeat([]byte{2, 1, 7}, 100), fault.CMSMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(tt.in); !fault.Is(err, tt.code) {
				t.Errorf("Parse: %v, want %s", err, tt.code)
			}
			for _, way := range []string{"seekable", "stream"} {
				_, _, err := read(t.Context(), readAs[way](tt.in), Options{Spool: DefaultSpool}, 16)
				if name == "nested without end" && fault.Is(err, fault.CMSMalformed) {
					continue // it stops at the second level, where no SEQUENCE may be
				}
				if !fault.Is(err, tt.code) {
					t.Errorf("%s: %v, want %s", way, err, tt.code)
				}
			}
		})
	}
}

// nestedOctets puts the content into as many octet strings.
func nestedOctets(t testing.TB, der []byte, depth int) []byte {
	out := toBER(t, der, 1<<20)
	at := bytes.Index(out, []byte{0x24, 0x80})
	piece := bytes.Index(out[at:], []byte{0, 0, 0, 0}) + at
	return bytes.Join([][]byte{out[:at], bytes.Repeat([]byte{0x24, 0x80}, depth), out[at:piece], make([]byte, 2*depth), out[piece:]}, nil)
}

func TestReadRefusesOddArmour(t *testing.T) {
	in := signed(t, make([]byte, 3000), nil)
	block := pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: in})
	for name, data := range map[string][]byte{
		"another label":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: in}),
		"half a block":   block[:len(block)/2],
		"two blocks":     append(bytes.Clone(block), block...),
		"rubbish inside": bytes.Replace(block, []byte("\n"), []byte("\n!"), 5),
	} {
		for _, memory := range []int{16, memoryBytesMax} {
			if _, _, err := read(t.Context(), bytes.NewReader(data), Options{}, memory); !fault.Is(err, fault.CMSMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := read(ctx, bytes.NewReader(signed(t, make([]byte, 1000), nil)), Options{}, 16); !fault.Is(err, fault.Cancelled) {
		t.Error(err)
	}
}

func TestReadSaysThatTheInputFailed(t *testing.T) {
	in := signed(t, make([]byte, 2000), nil)
	broken := io.MultiReader(bytes.NewReader(in[:1000]), failing{errors.New("the line is cut")})
	if _, _, err := read(t.Context(), broken, Options{}, 16); !fault.Is(err, fault.Unreadable) {
		t.Error(err)
	}
}

// A stream is kept up to the limit; beyond it, what was declared is there and
// nothing else.
func TestSpool(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	in := signed(t, content, nil)
	for limit, kept := range map[int64]bool{0: false, int64(len(content)) - 1: false, int64(len(content)): true} {
		dir := t.TempDir()
		m, _, err := read(t.Context(), io.MultiReader(bytes.NewReader(in)), Options{Spool: Spool{Dir: dir, Bytes: limit}}, 16)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := m.EContent().Digest(t.Context(), algo.SHA256); err != nil || !bytes.Equal(sum, algo.SHA256.Sum(content)) {
			t.Errorf("limit %d: the declared digest: %v", limit, err)
		}
		sum, err := m.EContent().Digest(t.Context(), algo.SHA512)
		if kept && (err != nil || !bytes.Equal(sum, algo.SHA512.Sum(content))) || !kept && !fault.Is(err, fault.ContentNotKept) {
			t.Errorf("limit %d: another digest: %v", limit, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("limit %d: %d files left, %v", limit, len(left), err)
		}
	}
}

// Detached content, in every way that it may come.
func TestContent(t *testing.T) {
	content := make([]byte, memoryBytesMax+3)
	_, _ = rand.Read(content)
	for name, c := range map[string]*Content{
		"memory":   ContentOf(content),
		"seekable": ContentFrom(bytes.NewReader(content), Options{}),
		"stream":   ContentFrom(io.MultiReader(bytes.NewReader(content)), Options{Spool: DefaultSpool}),
	} {
		t.Run(name, func(t *testing.T) {
			defer c.Close()
			if err := c.Compute(t.Context(), algo.SHA1, algo.SHA256, algo.SHA1, nil); err != nil {
				t.Fatal(err)
			}
			for _, d := range []*algo.Digest{algo.SHA1, algo.SHA256, algo.SHA512} {
				if sum, err := c.Digest(t.Context(), d); err != nil || !bytes.Equal(sum, d.Sum(content)) {
					t.Errorf("%s: %v", d.Name, err)
				}
			}
			if whole, err := c.whole(t.Context()); err != nil || !bytes.Equal(whole, content) {
				t.Errorf("whole: %d bytes, %v", len(whole), err)
			}
			if c.Size() != int64(len(content)) {
				t.Errorf("%d bytes", c.Size())
			}
			if same, err := c.Same(t.Context(), ContentOf(content[1:])); same || err != nil {
				t.Errorf("other content is the same: %v", err)
			}
		})
	}
	once := ContentFrom(io.MultiReader(bytes.NewReader(content)), Options{})
	if _, err := once.Digest(t.Context(), algo.SHA256); err != nil {
		t.Error(err)
	}
	if _, err := once.Digest(t.Context(), algo.SHA512); !fault.Is(err, fault.ContentNotKept) {
		t.Errorf("a stream that was not kept: %v", err)
	}
	known := ContentDigests(map[*algo.Digest][]byte{algo.SHA256: {1}})
	if sum, err := known.Digest(t.Context(), algo.SHA256); err != nil || !bytes.Equal(sum, []byte{1}) {
		t.Errorf("%x, %v", sum, err)
	}
	if _, err := known.Digest(t.Context(), algo.SHA512); !fault.Is(err, fault.ContentNotKept) {
		t.Errorf("another digest than the one known: %v", err)
	}
	huge := ContentFrom(io.LimitReader(zeros{}, wholeBytesMax+1), Options{Spool: DefaultSpool})
	defer huge.Close()
	if _, err := huge.whole(t.Context()); !fault.Is(err, fault.InputTooBig) {
		t.Errorf("held although it is too long: %v", err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// FuzzRead holds reading as it comes to Parse: what one takes, the other takes and
// reads the same. Only in how deep rubbish is looked into may they differ.
func FuzzRead(f *testing.F) {
	in := signed(f, bytes.Repeat([]byte("goods declaration "), 20), nil)
	f.Add(in)
	f.Add(toBER(f, in, 7))
	f.Add(nestedOctets(f, in, 3))
	f.Add(signed(f, nil, func(t *Template) { t.Detached = true }))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || in[0] != 0x30 {
			return // what may be armour is decoded by two decoders
		}
		want, parseErr := Parse(in)
		got, _, err := read(t.Context(), io.MultiReader(bytes.NewReader(in)), Options{}, 0)
		if (err == nil) != (parseErr == nil) {
			t.Fatalf("Read: %v; Parse: %v", err, parseErr)
		}
		if err != nil {
			return
		}
		agree(t, got, want)
		if !want.Detached {
			for _, d := range declared(algorithms(want)) {
				if sum, err := got.EContent().Digest(t.Context(), d); err != nil || !bytes.Equal(sum, d.Sum(want.Content)) {
					t.Errorf("%s: %v", d.Name, err)
				}
			}
		}
	})
}

// algorithms is the field digestAlgorithms.
func algorithms(m *Message) []byte {
	s := cryptobyte.String(fieldsBeforeContent(m.head))
	s.SkipASN1(cbasn1.INTEGER)
	return s
}

// A message in BER is the same in DER, and what is inside its parts keeps its bytes
// whatever they are: a signature may be over them.
func TestBERKeepsWhatIsSigned(t *testing.T) {
	inPieces := []byte{0x30, 0x04, 0x24, 0x02, 0x04, 0x00} // an octet string in pieces, in a certificate, so to say
	der := signed(t, []byte("goods declaration"), func(tm *Template) { tm.Chain = [][]byte{inPieces} })
	m, err := Parse(toBER(t, der, 5))
	if err != nil {
		t.Fatal(err)
	}
	if !m.BER || string(m.Content) != "goods declaration" || !bytes.Equal(m.Raw, der) {
		t.Errorf("BER %v, content %q, in DER %x", m.BER, m.Content, m.Raw)
	}
	if !slices.ContainsFunc(m.Certificates, func(c []byte) bool { return bytes.Equal(c, inPieces) }) {
		t.Errorf("certificates %x", m.Certificates)
	}
}
