package ber

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/fault"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestToDER(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"DER stays", "30 03 02 01 05", "30 03 02 01 05"},
		{"indefinite", "30 80 02 01 05 00 00", "30 03 02 01 05"},
		{"nested indefinite", "30 80 30 80 00 00 a0 80 02 01 05 00 00 00 00", "30 07 30 00 a0 03 02 01 05"},
		{"long form of a short length", "30 84 00 00 00 03 02 01 05", "30 03 02 01 05"},
		{"octet string in pieces", "24 80 04 02 0102 04 01 03 00 00", "04 03 010203"},
		{"octet string in nested pieces", "24 0a 24 06 04 01 01 04 01 02 04 00", "04 02 0102"},
		{"utf8 of octet strings", "2c 80 04 01 41 0c 01 42 00 00", "0c 02 4142"},
		{"empty octet string", "24 80 00 00", "04 00"},
		{"bit string in pieces", "23 80 03 02 00 ff 03 02 04 f0 00 00", "03 03 04 fff0"},
		{"high tag number", "bf 1f 80 02 01 05 00 00", "bf1f 03 02 01 05"},
		{"implicit pieces stay", "a0 80 04 01 01 04 01 02 00 00", "a0 06 04 01 01 04 01 02"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ToDER(unhex(tt.in), DefaultLimits)
			if err != nil || !bytes.Equal(got, unhex(tt.want)) {
				t.Errorf("%x, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	small := Limits{Bytes: 100, Depth: 4, Elements: 10}
	tests := []struct {
		name string
		in   []byte
		want fault.Code
	}{
		{"empty", nil, fault.InputEmpty},
		{"too many bytes", make([]byte, 101), fault.InputTooBig},
		{"too deep", bytes.Repeat([]byte{0x30, 0x80}, 5), fault.EncodingTooDeep},
		{"string too deep", bytes.Repeat([]byte{0x24, 0x80}, 5), fault.EncodingTooDeep},
		{"too many elements", append([]byte{0x30, 20}, bytes.Repeat([]byte{5, 0}, 10)...), fault.InputTooBig},
		{"trailing data", unhex("0500 05"), fault.EncodingInvalid},
		{"no length", unhex("30"), fault.EncodingInvalid},
		{"length beyond the input", unhex("30 05 02 01 05"), fault.EncodingInvalid},
		{"giant length", unhex("30 88 ffffffffffffffff"), fault.EncodingInvalid},
		{"length of 127 octets", append(unhex("30 ff"), make([]byte, 60)...), fault.EncodingInvalid},
		{"child beyond its parent", unhex("30 03 02 02 05 06 05 00"), fault.EncodingInvalid},
		{"no end of contents", unhex("30 80 02 01 05"), fault.EncodingInvalid},
		{"end of contents alone", unhex("00 00"), fault.EncodingInvalid},
		{"end of contents in a definite length", unhex("30 02 00 00"), fault.EncodingInvalid},
		{"indefinite primitive", unhex("04 80 01 00 00"), fault.EncodingInvalid},
		{"endless tag", unhex("bf ff ff ff ff"), fault.EncodingInvalid},
		{"padded tag", unhex("bf 80 01 00"), fault.EncodingInvalid},
		{"high form of a low tag", unhex("bf 04 00"), fault.EncodingInvalid},
		{"string with a foreign piece", unhex("24 03 02 01 05"), fault.EncodingInvalid},
		{"bit string of octet strings", unhex("23 03 04 01 05"), fault.EncodingInvalid},
		{"unused bits inside", unhex("23 08 03 02 04 f0 03 02 00 ff"), fault.EncodingInvalid},
		{"bit string without pieces", unhex("23 00"), fault.EncodingInvalid},
		{"bit string piece without content", unhex("23 02 03 00"), fault.EncodingInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ToDER(tt.in, small); !fault.Is(err, tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// tree is an ASN.1 value to be written in DER and in any BER.
type tree struct {
	tag      byte // primitive: any; constructed: has bit 0x20
	content  []byte
	children []tree
}

func genTree(depth int) *rapid.Generator[tree] {
	return rapid.Custom(func(t *rapid.T) tree {
		if depth > 0 && rapid.Bool().Draw(t, "constructed") {
			return tree{
				tag:      rapid.SampledFrom([]byte{0x30, 0x31, 0xa0, 0xa1, 0x61}).Draw(t, "tag"),
				children: rapid.SliceOfN(genTree(depth-1), 0, 4).Draw(t, "children"),
			}
		}
		return tree{
			tag:     rapid.SampledFrom([]byte{0x02, 0x04, 0x0c, 0x06, 0x80}).Draw(t, "tag"),
			content: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content"),
		}
	})
}

func (v tree) body(encode func(tree) []byte) []byte {
	if v.tag&0x20 == 0 {
		return v.content
	}
	var b []byte
	for _, child := range v.children {
		b = append(b, encode(child)...)
	}
	return b
}

func (v tree) der() []byte {
	body := v.body(tree.der)
	return append(AppendLength([]byte{v.tag}, int64(len(body))), body...)
}

// ber writes the tree with the freedoms that BER leaves.
func (v tree) ber(t *rapid.T) []byte {
	body := v.body(func(child tree) []byte { return child.ber(t) })
	tag := v.tag
	if (tag == 4 || tag == 12) && rapid.Bool().Draw(t, "pieces") {
		cut := rapid.IntRange(0, len(body)).Draw(t, "cut")
		first := append(AppendLength([]byte{4}, int64(cut)), body[:cut]...)
		body = append(append(first, AppendLength([]byte{4}, int64(len(body)-cut))...), body[cut:]...)
		tag |= 0x20
	}
	if tag&0x20 != 0 && rapid.Bool().Draw(t, "indefinite") {
		return append(append([]byte{tag, 0x80}, body...), 0, 0)
	}
	if rapid.Bool().Draw(t, "padded") {
		n := len(body)
		return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
	return append(AppendLength([]byte{tag}, int64(len(body))), body...)
}

func TestAnyBERBecomesItsDER(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genTree(5).Draw(t, "value")
		want := v.der()
		for _, in := range [][]byte{v.ber(t), want} {
			got, err := ToDER(in, DefaultLimits)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("from %x: %x, %v; want %x", in, got, err, want)
			}
		}
	})
}

// openssl writes indefinite lengths and pieces when it streams.
func TestOpenSSLStream(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here")
	}
	content := bytes.Repeat([]byte("цифра "), 3000)
	in := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(in, content, 0o600); err != nil {
		t.Fatal(err)
	}
	streamed, err := exec.Command(openssl, "cms", "-data_create", "-binary", "-stream", "-outform", "DER", "-in", in).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(streamed[:20], []byte{0x30, 0x80}) && streamed[1] != 0x80 {
		t.Skip("this openssl does not stream")
	}
	der, err := ToDER(streamed, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 || !bytes.Equal(info.Content, content) {
		t.Errorf("%d bytes of content, rest %d, %v", len(info.Content), len(rest), err)
	}
}

func FuzzToDER(f *testing.F) {
	f.Add(unhex("30 80 24 80 04 01 01 00 00 00 00"))
	f.Add(unhex("23 80 03 02 00 ff 03 02 04 f0 00 00"))
	f.Add(unhex("bf 1f 84 00 00 00 03 02 01 05"))
	f.Fuzz(func(t *testing.T, in []byte) {
		der, err := ToDER(in, DefaultLimits)
		if err != nil {
			return
		}
		again, err := ToDER(der, DefaultLimits)
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%x became %x became %x, %v", in, der, again, err)
		}
		var v asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
			t.Errorf("not one element: %v", err)
		}
		if len(der) > len(in) {
			t.Errorf("%d bytes became %d", len(in), len(der))
		}
	})
}
