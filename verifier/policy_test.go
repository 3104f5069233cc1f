package verifier_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cms"
	"github.com/senim-kz/senim/verifier"
)

func TestBuiltInPolicies(t *testing.T) {
	for _, name := range verifier.PolicyNames() {
		p, err := verifier.PolicyByName(name)
		if err != nil || p.Name != name || p.Description == "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestPolicyFiles(t *testing.T) {
	for _, tt := range []struct{ name, text, refused string }{
		{"a name alone", "name: x", ""},
		{"all of a constraint", "name: x\nsigner: {key_store: {level: fail, any_of: [hardware]}}", ""},
		{"a span", "name: x\nrevocation: {freshness: {level: fail, max_age: 90m}}", ""},
		{"its own suite", "name: x\ncryptography: {revocation: {digests: [{name: SHA-1}], keys: [{name: RSA, bits: 1024, until: 2030-01-01}]}}", ""},
		{"a suite by name", "name: x\ncryptography: {ca: {policy: etsi}}", ""},
		{"empty", "", "EOF"},
		{"no name", "signer: {}", "name"},
		{"an unknown key", "name: x\nsignatures: {}", "signatures"},
		{"an unknown key inside", "name: x\nsignature: {signing_tme: fail}", "signing_tme"},
		{"an unknown key of a suite", "name: x\ncryptography: {default: {policy: etsi, digest: []}}", "digest"},
		{"an unknown level", "name: x\nsignature: {signing_time: error}", "error"},
		{"a level that is a number", "name: x\nsignature: {signing_time: 3}", "3"},
		{"two documents", "name: x\n---\nname: y", "document"},
		{"not YAML", "{{{", ""},
		{"a list", "[1]", ""},
		{"no values", "name: x\nsigner: {iin: {level: fail}}", "values"},
		{"an IIN that is none", "name: x\nsigner: {iin: {level: fail, any_of: ['12345']}}", "1. value"},
		{"an OID that is none", "name: x\nsigner: {policies: {level: fail, any_of: [1.x]}}", "value"},
		{"an unknown level of signatures", "name: x\nsignature: {levels: {level: fail, any_of: [X]}}", "value"},
		{"extends itself", "name: strict\nextends: strict", "strict"},
		{"extends nothing that is there", "name: x\nextends: y", "y"},
		{"a suite by name and by rules", "name: x\ncryptography: {default: {policy: etsi, digests: [{name: SHA-256}]}}", "name"},
		{"an unknown suite", "name: x\ncryptography: {default: {policy: y}}", "y"},
		{"an unknown digest", "name: x\ncryptography: {default: {digests: [{name: MD5}], keys: [{name: RSA}]}}", "MD5"},
		{"an unknown key algorithm", "name: x\ncryptography: {default: {digests: [{name: SHA-256}], keys: [{name: rsa}]}}", "rsa"},
		{"a day that is none", "name: x\ncryptography: {default: {digests: [{name: SHA-256, until: soon}], keys: [{name: RSA}]}}", "soon"},
		{"a negative span", "name: x\nrevocation: {freshness: {level: fail, max_age: -1h}}", "span"},
		{"too big", "name: " + strings.Repeat("x", 2<<20), "bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifier.ParsePolicy([]byte(tt.text))
			isGood := tt.refused == "" && !strings.HasPrefix(tt.text, "{{") && !strings.HasPrefix(tt.text, "[")
			if isGood {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.PolicyInvalid) && !fault.Is(err, fault.InputTooBig) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%v does not say %q", err, tt.refused)
			}
		})
	}
}

// A policy says what it says, and the rest is that of the one it extends.
func TestPolicyExtends(t *testing.T) {
	p, err := verifier.ParsePolicy([]byte("name: x\nextends: kz-qualified\nsignature: {signing_time: fail}"))
	must(err)
	base, err := verifier.PolicyByName("kz-qualified")
	must(err)
	if p.Signature.SigningTime != verifier.Fail || p.Description != "" {
		t.Errorf("%+v", p)
	}
	p.Signature.SigningTime, p.Name, p.Description, p.Extends = base.Signature.SigningTime, base.Name, base.Description, base.Extends
	if !reflect.DeepEqual(p.Signature, base.Signature) || !reflect.DeepEqual(p.Signer, base.Signer) || !reflect.DeepEqual(p.Timestamps, base.Timestamps) {
		t.Errorf("%+v\n%+v", p, base)
	}
}

func TestPolicyFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	must(os.WriteFile(file, []byte("name: mine"), 0o600))
	if p, err := verifier.PolicyByName(file); err != nil || p.Name != "mine" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Every key of a policy is on the page that documents them.
func TestPolicyKeysAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/policies.md")
	must(err)
	var check func(path string, of reflect.Type)
	check = func(path string, of reflect.Type) {
		for i := range of.NumField() {
			key, tagged := of.Field(i).Tag.Lookup("yaml")
			if !tagged {
				continue
			}
			name := strings.TrimPrefix(path+"."+key, ".")
			if inner := of.Field(i).Type; inner.Kind() == reflect.Struct && inner.PkgPath() != "time" && inner.Name() != "Choice" && inner.Name() != "Suite" {
				check(name, inner)
				continue
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("%s is not on the page", name)
			}
		}
	}
	check("", reflect.TypeFor[verifier.Policy]())
}

// Each constraint fails, warns, informs or is passed over as the policy says.
func TestConstraintLevels(t *testing.T) {
	w := theWorld()
	plain := w.signer.sign(t, "doc", func(tm *cms.Template) { tm.SigningTime = time.Time{} })
	stamped := withTimestamp(t, w.signer.sign(t, "doc", nil), w.tsa, now.Add(-9*day))
	for _, tt := range []struct {
		name string
		data []byte
		rule string // with %s for the level
		sub  verifier.SubIndication
		code fault.Code
	}{
		{"signing time", plain, "signature: {signing_time: %s}", verifier.SigConstraintsFailure, fault.SigningTimeMissing},
		{"level", plain, "signature: {levels: {level: %s, any_of: [T]}}", verifier.SigConstraintsFailure, fault.SignatureLevelRefused},
		{"key usage", plain, "signer: {key_usage: {level: %s, all_of: [keyAgreement]}}", verifier.ChainConstraintsFailure, fault.KeyUsageNotSigning},
		{"extended key usage", plain, "signer: {extended_key_usage: {level: %s, any_of: [1.2.3]}}", verifier.ChainConstraintsFailure, fault.UsageMissing},
		{"certificate policy", plain, "signer: {policies: {level: %s, any_of: [1.2.3]}}", verifier.ChainConstraintsFailure, fault.CertificatePolicyRefused},
		{"role", plain, "signer: {roles: {level: %s, any_of: [1.2.398.3.3.4.1.2.1]}}", verifier.ChainConstraintsFailure, fault.RoleMissing},
		{"key store", plain, "signer: {key_store: {level: %s, any_of: [hardware]}}", verifier.ChainConstraintsFailure, fault.KeyStoreRefused},
		{"kind", plain, "signer: {kind: {level: %s, any_of: [individual]}}", verifier.ChainConstraintsFailure, fault.SignerRefused},
		{"IIN", plain, "signer: {iin: {level: %s, any_of: ['000000000000']}}", verifier.ChainConstraintsFailure, fault.SignerRefused},
		{"BIN", plain, "signer: {bin: {level: %s, any_of: ['000000000000']}}", verifier.ChainConstraintsFailure, fault.SignerRefused},
		{"time-stamp", plain, "timestamps: {required: %s}", verifier.SigConstraintsFailure, fault.TimestampRequired},
		{"content time-stamp", plain, "timestamps: {content_required: %s}", verifier.SigConstraintsFailure, fault.TimestampRequired},
		{"delay", stamped, "timestamps: {delay: {level: %s, max: 1h}}", verifier.SigConstraintsFailure, fault.TimestampLate},
		{"algorithm", plain, "cryptography: {level: %s, default: {digests: [{name: SHA-512}], keys: [{name: RSA, bits: 2048}, {name: ECDSA, bits: 256}]}}", verifier.CryptoConstraintsNoPOE, fault.AlgorithmForbidden},
	} {
		for _, level := range []verifier.Level{verifier.Fail, verifier.Warn, verifier.Inform, verifier.Ignore} {
			t.Run(tt.name+" "+level.String(), func(t *testing.T) {
				p, err := verifier.ParsePolicy([]byte("name: x\n" + strings.ReplaceAll(tt.rule, "%s", level.String())))
				must(err)
				ocsps, crls := evidence(now.Add(-time.Hour))
				in := verifier.Input{Data: tt.data, OCSPs: ocsps, CRLs: crls, Anchors: store(t, w.root.cert)}
				found, err := verifier.Collect(t.Context(), in)
				must(err)
				s := verifier.Judge(found, p, in.Anchors, now).Signatures[0]
				want, sub := verifier.TotalPassed, verifier.SubIndication("")
				if level == verifier.Fail {
					want, sub = verifier.Indeterminate, tt.sub
				}
				if s.Indication != want || s.SubIndication != sub {
					t.Errorf("%s/%s", s.Indication, s.SubIndication)
				}
				said := func(list []verifier.Message) bool {
					for _, c := range codesOf(list) {
						if c == tt.code {
							return true
						}
					}
					return false
				}
				if said(s.Errors) != (level == verifier.Fail) || said(s.Warnings) != (level == verifier.Warn) {
					t.Errorf("errors %v, warnings %v", codesOf(s.Errors), codesOf(s.Warnings))
				}
			})
		}
	}
}

// What satisfies a constraint passes it at the level fail.
func TestConstraintsThatHold(t *testing.T) {
	w := theWorld()
	data := withTimestamp(t, w.signer.sign(t, "doc", nil), w.tsa, now.Add(-9*day))
	p, err := verifier.ParsePolicy([]byte(`
name: x
signature: {signing_time: fail, signing_time_in_validity: fail, levels: {level: fail, any_of: [T]}}
signer:
  key_usage: {level: fail, all_of: [digitalSignature, nonRepudiation]}
  extended_key_usage: {level: fail, any_of: [1.2.3, 1.3.6.1.5.5.7.3.4]}
  kind: {level: fail, any_of: [legal]}
  iin: {level: fail, any_of: ['900101300018']}
  bin: {level: fail, any_of: ['123456789021', '000000000000']}
timestamps: {required: fail, delay: {level: fail, max: 48h}}
`))
	must(err)
	ocsps, crls := evidence(now.Add(-time.Hour))
	in := verifier.Input{Data: data, OCSPs: ocsps, CRLs: crls, Anchors: store(t, w.root.cert)}
	found, err := verifier.Collect(t.Context(), in)
	must(err)
	if r := verifier.Judge(found, p, in.Anchors, now); r.Indication != verifier.TotalPassed {
		t.Errorf("%s %s %v", r.Indication, r.SubIndication, r.Signatures[0].Errors)
	}
}
