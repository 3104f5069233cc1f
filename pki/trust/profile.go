package trust

import (
	"encoding/hex"
	"slices"

	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/pki/cert"
)

// Profile is the environment that a certificate belongs to.
type Profile string

// The profiles.
const (
	Production Profile = "production" // NUC RK and the CAs under its root
	Test       Profile = "test"       // NUC RK's test CAs, and anything else imported by hand
	Sandbox    Profile = "sandbox"    // made by this project's own stand-ins
)

// SandboxOrganization is the O in the names of the sandbox's CAs. Nobody is
// protected by it: it only keeps the sandbox from being taken for anything
// else.
const SandboxOrganization = "Senim Sandbox NCA"

// Control is how strictly IIN and BIN are checked under the profile. NUC RK's
// test certificates carry numbers that are well formed only.
func (p Profile) Control() kz.Control {
	if p == Test {
		return kz.FormatOnly
	}
	return kz.Full
}

// ProfileOf says which environment a CA certificate belongs to.
func ProfileOf(c *cert.Certificate) Profile {
	if _, ok := PinnedName(c); ok {
		return Production
	}
	if isSandbox(c.Subject) || isSandbox(c.Issuer) {
		return Sandbox
	}
	return Test
}

func isSandbox(n cert.Name) bool {
	return slices.Contains(n.Organizations(), SandboxOrganization)
}

// PinnedName gives the short name under which the program knows a production
// CA of NUC RK; ok is false for any other certificate.
func PinnedName(c *cert.Certificate) (name string, ok bool) {
	fingerprint := c.Fingerprint()
	name, ok = pins[hex.EncodeToString(fingerprint[:])]
	return name, ok
}

// pins are the SHA-256 fingerprints of the production CAs, as published at
// https://root.gov.kz/cert and https://pki.gov.kz/cert. The four of 2015-2018
// have expired and stay for what was signed under them.
var pins = map[string]string{
	"9ab210e54e6b0343321131202d9edcc2598f598cfdd9ee4ec1056021ab2e9759": "root_gost",
	"a7064abc5699827f370c67b09f1a1bfd7ad5e1514d471223df209c08300ea972": "root_rsa",
	"908521d0531e5645e64b34d3588374a3a83582c860e5f7293a04c41217e8cc18": "nca_gost",
	"34d1b311a9873191ae3382805df51e0a5da23315c512a8deeb885668ceeb5834": "nca_rsa",
	"c48164ab5ccaaee6b938299a1e3aeebd6f698bb2bd716a0f0d85befc46166aa2": "root_gost_2020",
	"9ba06354b626641715182e4d07c9dbaa1777720fa795d03174ffc68876535dcd": "root_rsa_2020",
	"af77725f8328bb24f89d81da3acdf7cee4324248538b7ba2cd2a860517fb9dca": "root_gost_2022",
	"32c7d233a42703a327f3025543a05b930e3f39a786c68dfa196baa86d5618524": "nca_gost_2022",
	"84fb799a66140950818c056a5d9730acc2a7622cdd4ef0d47113b132fb892905": "nca_rsa_2022",
	"eb5a5318299db447a46619d2a541f026b52c1fce8a1d371262da8f6f2d7bb6f5": "ucgo_gost",
	"74bb80edf34f4594e5e69b79029c64214e67630e3d16b82f952ab6e5956c5fa8": "btsd_gost",
}

// isKnownTest recognises NUC RK's test CAs, which an operator may not take for
// production.
func isKnownTest(c *cert.Certificate) bool {
	fingerprint := c.Fingerprint()
	return slices.Contains(testPins, hex.EncodeToString(fingerprint[:]))
}

// testPins are the SHA-256 fingerprints of NUC RK's test CAs.
var testPins = []string{
	"beeffc0bdb77cd798c35983eb0715f6ef0051cccb71d7cd05505e8a4fb2c6f4d", // nca_gost2022_test
	"6f79cb5ccf25e4423841012f55387d10aab4b799bdf54f7721982bd6e9f0182e", // nca_gost_test
	"2755fb7429aa0f5ad3ca3299293cf454a4f597b292461aa08399cd336ca54f64", // nca_rsa_test
	"b995e79e7c07429f8f79e185451e5599ce342ac720000f01b3854fdfa03031a6", // root_test_gost_2022
}
