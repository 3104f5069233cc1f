package hsm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/internal/fault"
)

// strangeLibrary is a PKCS#11 library whose signatures have the length LENGTH. It
// leaves out a function where LACKS says so, and answers REFUSES for its list.
const strangeLibrary = `
#include <stddef.h>
static unsigned long sign_init(unsigned long session, void *how, unsigned long key) { return 0; }
static unsigned long sign(unsigned long session, void *data, unsigned long n, void *signature, unsigned long *length) {
	*length = LENGTH;
	return 0;
}
static unsigned long other(void) { return 0x54; }
static struct { unsigned char version[2]; void *function[68]; } list;
unsigned long C_GetFunctionList(void **out) {
	for (int i = 0; i < 68; i++)
		list.function[i] = other;
	list.function[42] = sign_init;
	list.function[43] = LACKS ? NULL : sign;
	*out = REFUSES ? NULL : &list;
	return REFUSES;
}
`

// build compiles the strange library.
func build(t *testing.T, defines ...string) (path string) {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler: ", err)
	}
	path = filepath.Join(t.TempDir(), "strange.so")
	for _, name := range []string{"LENGTH", "LACKS", "REFUSES"} { // the last word counts
		defines = append([]string{"-D" + name + "=0"}, defines...)
	}
	c := exec.Command(compiler, append(defines, "-w", "-shared", "-fPIC", "-o", path, "-x", "c", "-")...)
	c.Stdin, c.Stderr = strings.NewReader(strangeLibrary), os.Stderr
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLibraryThatDoesNotGiveItsFunctions(t *testing.T) {
	for _, define := range []string{"-DREFUSES=5", "-DLACKS=1"} {
		if _, err := load(build(t, define)); !fault.Is(err, fault.HSMModuleUnusable) {
			t.Errorf("%s: %v", define, err)
		}
	}
}

// What a library says of a signature's length is not believed.
func TestSignatureOfAStrangeLength(t *testing.T) {
	for length, want := range map[string]fault.Code{"64": "", "0": "", "65": fault.HSMFailed, "~0ul": fault.HSMFailed} {
		library, err := load(build(t, "-DLENGTH="+length))
		if err != nil {
			t.Fatal(err)
		}
		signature, err := library.SignWith(1, pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), 1, make([]byte, 32), 64)
		if want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("%s bytes: %x, %v", length, signature, err)
		}
	}
}
