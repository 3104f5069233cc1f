package gost

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/internal/fault"
)

// signed is what certificate, CRL and request have in common: a body, the
// algorithm and the signature over the body. The packages above do this
// properly; here the signatures are the vectors.
type signed struct {
	path      string
	body      []byte
	algorithm asn1.ObjectIdentifier
	signature []byte
	issuer    []byte // as DER
}

func readSigned(data []byte) (s signed, ok bool) {
	input := cryptobyte.String(data)
	var outer, body, id, signature cryptobyte.String
	ok = input.ReadASN1(&outer, der.SEQUENCE) && outer.ReadASN1Element(&body, der.SEQUENCE) &&
		outer.ReadASN1(&id, der.SEQUENCE) && id.ReadASN1ObjectIdentifier(&s.algorithm) &&
		outer.ReadASN1(&signature, der.BIT_STRING) && signature.Skip(1)
	s.body, s.signature = body, signature
	return s, ok
}

// readFolder reads the certificates and CRLs of a folder of test data.
func readFolder(t *testing.T, root string) (certificates []*x509.Certificate, all []signed) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		extension := filepath.Ext(path)
		if !slices.Contains([]string{".cer", ".crt", ".pem", ".crl"}, extension) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if block, _ := pem.Decode(data); block != nil {
			data = block.Bytes
		}
		s, ok := readSigned(data)
		if !ok {
			return nil // a private key
		}
		s.path = path
		if extension == ".crl" {
			s.issuer = crlIssuer(s.body)
		} else {
			certificate, err := x509.ParseCertificate(data)
			if err != nil {
				t.Logf("%s: %v", path, err)
				return nil
			}
			certificates = append(certificates, certificate)
			s.issuer = certificate.RawIssuer
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return certificates, all
}

func crlIssuer(body []byte) []byte {
	input := cryptobyte.String(body)
	var list, issuer cryptobyte.String
	input.ReadASN1(&list, der.SEQUENCE)
	list.SkipOptionalASN1(der.INTEGER)
	list.SkipASN1(der.SEQUENCE)
	list.ReadASN1Element(&issuer, der.SEQUENCE)
	return issuer
}

// verifySigned checks s with a key, the digest as the key's parameters say.
func verifySigned(s signed, spki []byte) error {
	algorithm, err := AlgorithmByOID(s.algorithm)
	if err != nil {
		return err
	}
	key, err := ParsePublicKey(spki)
	if err != nil {
		return err
	}
	digest, err := key.Digest()
	if err != nil {
		return err
	}
	h := digest.New()
	h.Write(s.body)
	return algorithm.Verify(key, h.Sum(nil), s.signature)
}

// checkFolder verifies everything signed by a GOST key that is there, and
// returns how much that was.
func checkFolder(t *testing.T, root string) int {
	t.Helper()
	certificates, all := readFolder(t, root)
	checked := 0
	for _, s := range all {
		if _, err := AlgorithmByOID(s.algorithm); err != nil {
			continue // RSA
		}
		var verdict error
		tried, verified := 0, false
		for _, issuer := range certificates {
			if !bytes.Equal(issuer.RawSubject, s.issuer) {
				continue
			}
			tried++
			if verdict = verifySigned(s, issuer.RawSubjectPublicKeyInfo); verdict == nil {
				verified = true
				broken := s
				broken.body = slices.Concat(s.body, []byte{0})
				if err := verifySigned(broken, issuer.RawSubjectPublicKeyInfo); !fault.Is(err, fault.SignatureInvalid) {
					t.Errorf("%s with a byte more: %v", s.path, err)
				}
				break
			}
		}
		if tried > 0 && !verified {
			t.Errorf("%s: no key of its issuer verifies it: %v", s.path, verdict)
		}
		if verified {
			checked++
		}
	}
	return checked
}

func TestCertificates(t *testing.T) {
	for _, folder := range []struct {
		path []string
		want int // signatures by a GOST issuer that is there
	}{
		{[]string{"nuc-rk"}, 16},
		{[]string{"gost", "openssl-gost-engine"}, 35},
		{[]string{"gost", "rfc"}, 6},
		{[]string{"gost", "bigbes-x509gost"}, 4},
	} {
		t.Run(filepath.Join(folder.path...), func(t *testing.T) {
			if got := checkFolder(t, sharedFile(t, folder.path...)); got != folder.want {
				t.Errorf("%d signatures verified, want %d", got, folder.want)
			}
		})
	}
}

// TestRequests verifies the requests of RFC 9215 §D, signed by their own keys.
func TestRequests(t *testing.T) {
	for _, name := range []string{"D.1.1.csr", "D.2.1.csr", "D.3.1.csr"} {
		paths, _ := filepath.Glob(filepath.Join(sharedFile(t, "gost", "rfc", "rfc9215"), name+"*"))
		if len(paths) != 1 {
			t.Errorf("%s is not there", name)
			continue
		}
		data, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		s, ok := readSigned(data)
		body := cryptobyte.String(s.body)
		var info, spki cryptobyte.String
		if !ok || !body.ReadASN1(&info, der.SEQUENCE) || !info.SkipASN1(der.INTEGER) ||
			!info.SkipASN1(der.SEQUENCE) || !info.ReadASN1Element(&spki, der.SEQUENCE) {
			t.Errorf("%s cannot be read", name)
			continue
		}
		if err := verifySigned(s, spki); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocuments verifies the bare signatures of one document that gost-engine
// made, and the digests beside them.
func TestDocuments(t *testing.T) {
	root := sharedFile(t, "gost", "openssl-gost-engine")
	document, err := os.ReadFile(filepath.Join(root, "document.txt"))
	if err != nil {
		t.Fatal(err)
	}
	folders, _ := filepath.Glob(filepath.Join(root, "*", "document.sig"))
	if len(folders) != 7 {
		t.Errorf("%d signatures", len(folders))
	}
	for _, path := range folders {
		read := func(name string) []byte {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		leaf, err := x509.ParseCertificate(read("leaf.cer"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := ParsePublicKey(leaf.RawSubjectPublicKeyInfo)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := key.Digest()
		if err != nil {
			t.Fatal(err)
		}
		h := digest.New()
		h.Write(document)
		sum := h.Sum(nil)
		if !bytes.Equal(sum, read("document.digest")) {
			t.Errorf("%s: another digest", path)
		}
		if err := key.algorithm.Algorithm().Verify(key, sum, read("document.sig")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
