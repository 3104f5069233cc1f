package hsm

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// softHSMLibraries are the places where distributions put SoftHSM2.
var softHSMLibraries = []string{
	"/usr/lib/softhsm/libsofthsm2.so",                  // Debian
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", // Ubuntu, amd64
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so", // Fedora
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
	"/opt/homebrew/lib/softhsm/libsofthsm2.so",
}

// SoftHSMLibrary finds the installed SoftHSM2 module.
func SoftHSMLibrary() (string, error) {
	for _, path := range softHSMLibraries {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fault.New(fault.HSMModuleUnusable, "", "SoftHSM2 is not installed (apt-get install softhsm2)")
}

// WriteSoftHSMConfig prepares a folder of tokens of its own for SoftHSM2 and
// returns the configuration file's path, which the caller puts into the
// environment variable SOFTHSM2_CONF before OpenModule: C_Initialize reads it.
// An existing folder is kept with its tokens.
func WriteSoftHSMConfig(dir string) (path string, err error) {
	if !filepath.IsAbs(dir) || strings.ContainsAny(dir, "\n\r#") {
		return "", fault.New(fault.BadArgument, "", "the tokens' folder must be an absolute path without line ends and #")
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return "", fault.Wrap(err, fault.HSMModuleUnusable, "", "make the tokens' folder")
	}
	path = filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fault.Wrap(err, fault.HSMModuleUnusable, "", "write SoftHSM's configuration")
	}
	return path, nil
}
