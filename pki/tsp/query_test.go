package tsp

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
)

func query(t testing.TB, change func(*Request)) []byte {
	t.Helper()
	r, err := NewRequest(data, algo.SHA256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	der, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRequestsReadBackAsWritten(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"all":         func(r *Request) { r.Policy = policy },
		"the least":   func(r *Request) { r.Nonce, r.CertReq = nil, false },
		"GOST digest": func(r *Request) { r.Digest = algo.Streebog256; r.Imprint = r.Digest.Sum(data) },
	} {
		t.Run(name, func(t *testing.T) {
			der := query(t, change)
			r, err := ParseRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(der, again); diff != "" {
				t.Error(diff)
			}
			const head = 2 + 3 // the SEQUENCE's header, and the version
			if len(r.RawImprint) == 0 || !bytes.HasPrefix(der[head:], r.RawImprint) {
				t.Errorf("the imprint came as %x", r.RawImprint)
			}
			var b cryptobyte.Builder
			if r.Nonce != nil {
				b.AddASN1BigInt(r.Nonce)
			}
			if !bytes.Equal(r.RawNonce, b.BytesOrPanic()) {
				t.Errorf("the nonce came as %x", r.RawNonce)
			}
		})
	}
}

func TestRequestsRefused(t *testing.T) {
	good := query(t, nil)
	for name, tt := range map[string]struct {
		der  []byte
		code fault.Code
	}{
		"nothing":         {nil, fault.InputEmpty},
		"too big":         {make([]byte, requestSizeMax+1), fault.InputTooBig},
		"a trailing byte": {append(bytes.Clone(good), 0), fault.TimestampUnreadable},
		"version 2":       {bytes.Replace(good, []byte{2, 1, 1}, []byte{2, 1, 2}, 1), fault.TimestampUnreadable},
		"unknown digest":  {bytes.Replace(good, []byte{0x86, 0x48, 1, 0x65, 3, 4, 2, 1}, []byte{0x86, 0x48, 1, 0x65, 3, 4, 2, 0x7f}, 1), fault.AlgorithmUnsupported},
		"a short imprint": {bytes.Replace(good, []byte{0x86, 0x48, 1, 0x65, 3, 4, 2, 1}, []byte{0x86, 0x48, 1, 0x65, 3, 4, 2, 3}, 1), fault.TimestampUnreadable},
		"an extension":    {withExtension(good), fault.TimestampExtensionUnknown},
		"no extensions":   {with(good, "a000"), fault.TimestampUnreadable},

		// 2.25 and a UUID: an identifier that anybody may make.
		"a digest of large numbers":                 {fromHex("3021020101301c3016" + largeOID + "0402abcd"), fault.AlgorithmUnsupported},
		"a policy of large numbers":                 {with(query(t, func(r *Request) { r.Nonce, r.CertReq = nil, false }), largeOID), fault.TSAPolicyUnaccepted},
		"an extension of large numbers":             {with(good, "a01a3018"+largeOID+"0400"), fault.TimestampExtensionUnknown},
		"another extension of large numbers":        {with(good, "a023300706022a030401003018"+largeOID+"0400"), fault.TimestampExtensionUnknown},
		"a policy that is cut off":                  {with(query(t, func(r *Request) { r.Nonce, r.CertReq = nil, false }), "06022a83"), fault.TimestampUnreadable},
		"a policy of large numbers, that has zeros": {with(query(t, func(r *Request) { r.Nonce, r.CertReq = nil, false }), "0608698083f0a5dcae00"), fault.TimestampUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseRequest(tt.der); !fault.Is(err, tt.code) {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
	for i := range good {
		if _, err := ParseRequest(good[:i]); err == nil {
			t.Fatalf("the first %d bytes parse", i)
		}
	}
}

// largeOID is 2.25.329800735698586629295641978511506172918.
const largeOID = "06146983f09da7ebcfdee0c7a1a7b2c0948cc8f9d776"

func fromHex(text string) []byte {
	der, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return der
}

// with puts DER, in hexadecimal, at the end of a short request.
func with(der []byte, more string) []byte {
	extra := fromHex(more)
	out := append(bytes.Clone(der), extra...)
	out[1] += byte(len(extra))
	return out
}

// withExtension adds an extension at the end of a short request.
func withExtension(der []byte) []byte {
	extension := []byte{0xa0, 0x09, 0x30, 0x07, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x01, 0x00}
	out := append(bytes.Clone(der), extension...)
	out[1] += byte(len(extension))
	return out
}

func FuzzParseRequest(f *testing.F) {
	f.Add(query(f, nil))
	f.Add(query(f, func(r *Request) { r.Nonce, r.CertReq = nil, false }))
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ParseRequest(der)
		if err != nil {
			return
		}
		again, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if second, err := ParseRequest(again); err != nil || !bytes.Equal(second.Imprint, r.Imprint) {
			t.Errorf("written again: %v", err)
		}
	})
}
