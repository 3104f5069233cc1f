package main

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
)

// TestTokenScripts runs senim token as people do, by testdata/token.
//
// Besides testscript's own commands there are
//
//	softhsm                             SoftHSM2 keeps its tokens in the script's folder
//	closed FILE                         only its owner can read FILE
//	json                                the last stdout is one JSON value
//	pkcs11-tool --login-with FILE ARG…  pkcs11-tool on SoftHSM2, with the PIN in FILE
func TestTokenScripts(t *testing.T) {
	library, err := hsm.SoftHSMLibrary()
	if err != nil {
		t.Skip("needs SoftHSM2: ", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/token",
		Setup: func(e *testscript.Env) error { endsAtOnce(e); return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"softhsm": func(ts *testscript.TestScript, _ bool, _ []string) {
				conf, err := hsm.WriteSoftHSMConfig(ts.MkAbs("softhsm"))
				ts.Check(err)
				ts.Setenv("SOFTHSM2_CONF", conf)
			},
			"closed": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if info.Mode().Perm() != 0o600 {
					ts.Fatalf("the mode is %v", info.Mode())
				}
			},
			"json": func(ts *testscript.TestScript, _ bool, _ []string) {
				var value any
				d := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile("stdout"))))
				ts.Check(d.Decode(&value))
				if d.More() {
					ts.Fatalf("more than one value")
				}
			},
			"pkcs11-tool": func(ts *testscript.TestScript, _ bool, args []string) {
				given := []string{"--module", library}
				for i := 0; i < len(args); i++ {
					if args[i] == "--login-with" && i+1 < len(args) {
						given = append(given, "--login", "--pin", ts.ReadFile(args[i+1]))
						i++
						continue
					}
					given = append(given, args[i])
				}
				ts.Check(ts.Exec("pkcs11-tool", given...))
			},
		},
		Condition: func(condition string) (bool, error) {
			_, err := exec.LookPath(condition)
			return err == nil, nil
		},
	})
}

func TestParseSubject(t *testing.T) {
	for text, want := range map[string]string{
		"CN=a":                              "CN=a",
		"CN=a,C=KZ":                         "CN=a,C=KZ",
		"CN=a\\,b,O=x\\+y":                  "CN=a\\,b,O=x\\+y",
		"cn= spaced ,o=ү":                   "CN=spaced,O=ү",
		"CN=\\D2\\AF":                       "CN=ү",
		"CN=\\#1":                           "CN=\\#1",
		"CN=ends in space\\ ":               "CN=ends in space\\ ",
		"2.5.4.5=IIN123456789012,CN=by OID": "SERIALNUMBER=IIN123456789012,CN=by OID",
		"SERIALNUMBER=IIN123456789012,SURNAME=А": "SERIALNUMBER=IIN123456789012,2.5.4.4=#0c02d090",
	} {
		der, err := parseSubject(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var name pkix.RDNSequence
		if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
			t.Errorf("%s: %v", text, err)
		} else if got := name.String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "a", "CN", "CN=", "=a", "CN=a,", "CN=a+O=b", "XX=a", "CN=\\", "CN=\\zz", "CN=\\ff", "CN=\"a\"", "CN=#0c0161", "C=KAZ", "C=ҚЗ", "SERIALNUMBER=ИИН123456789012", "DC=қаз", "1=a", "9.9=a", string(make([]byte, 2000))} {
		if _, err := parseSubject(text); !fault.Is(err, fault.BadArgument) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Some attributes have a type of string of their own (RFC 5280 appendix A.1).
func TestSubjectStringTypes(t *testing.T) {
	for text, tag := range map[string]int{
		"CN=a": asn1.TagPrintableString, "CN=ү": asn1.TagUTF8String, "C=KZ": asn1.TagPrintableString,
		"DC=kz": asn1.TagIA5String, "1.2.840.113549.1.9.1=a@b.kz": asn1.TagIA5String,
	} {
		der, err := parseSubject(text)
		var name []asn1.RawValue
		if _, parse := asn1.Unmarshal(der, &name); err != nil || parse != nil || len(name) != 1 {
			t.Errorf("%s: %v, %v", text, err, parse)
			continue
		}
		var pair struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(name[0].Bytes, &pair); err != nil || pair.Value.Tag != tag {
			t.Errorf("%s: type %d, want %d: %v", text, pair.Value.Tag, tag, err)
		}
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{"CN=a,C=KZ", "CN=a\\,b", "2.5.4.3=\\D2\\AF", "CN=\\ ", "CN=a+O=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		der, err := parseSubject(s)
		if err != nil {
			return
		}
		var name pkix.RDNSequence
		if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 || len(name) == 0 {
			t.Fatalf("%q became %x: %v", s, der, err)
		}
	})
}

// A library that never returns keeps a command from ending when it is told to; the
// second signal ends it.
func TestSecondSignal(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler: ", err)
	}
	room := t.TempDir()
	library, inside := filepath.Join(room, "silent.so"), filepath.Join(room, "inside")
	c := exec.Command(compiler, "-w", "-shared", "-fPIC", "-o", library, "-x", "c", "-")
	c.Stdin = strings.NewReader(`
		#include <fcntl.h>
		#include <stdlib.h>
		#include <unistd.h>
		static unsigned long initialize(void *arguments) { close(creat(getenv("INSIDE"), 0600)); for (;;) pause(); }
		static struct { unsigned char version[2]; void *function[68]; } list;
		unsigned long C_GetFunctionList(void **out) {
			for (int i = 0; i < 68; i++)
				list.function[i] = initialize;
			*out = &list;
			return 0;
		}`)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	p := launch(t, t, func(c *exec.Cmd) { c.Env = append(c.Env, "INSIDE="+inside) }, "token", "list", "--module", library)
	eventually(t, "it is in the library", stoppedWithin, func() bool {
		_, err := os.Stat(inside)
		return err == nil
	})
	eventually(t, "the second signal ends it", stoppedWithin, func() bool {
		select {
		case <-p.ended:
			return true
		default:
			// What starts in a shell's background ignores SIGINT. It may have ended since.
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			return false
		}
	})
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", p.cmd.ProcessState)
	}
}
