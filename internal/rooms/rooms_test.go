package rooms

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// floors is the map, from the ground up. A package may import those of lower
// floors, and on its own floor those to its left. A house is a row of its own
// on the same floor: houses never import each other.
var floors = [][]house{
	0: {{"internal/fault", "internal/kz", "internal/fetch", "internal/config"}},
	1: {{
		"pki/ber",
		"pki/gost/internal/...", "pki/gost/gost341194", "pki/gost/streebog", "pki/gost",
		"pki/gost/bench", "pki/gost/bench/...",
		"pki/algo/internal/...", "pki/algo",
	}},
	2: {{
		"pki/cert", "pki/xmldsig", "pki/cms", "pki/jws", "pki/ades", "pki/trust",
		"pki/revocation", "pki/path", "pki/tsp", "pki/pkcs12",
	}},
	3: {{"hsm", "internal/postgres", "internal/idempotency", "internal/evidence", "internal/outbox", "internal/outbox/webhook", "internal/backup", "internal/shep"}},
	4: {
		{"verifier/facts", "verifier/cades", "verifier"},
		{"signer/cades", "signer/tsa/clock", "signer/tsa/authority", "signer/tsa", "signer"},
		{"registry/gbdul", "registry/authority", "registry"},
		{
			"payments/money", "payments/charge", "payments/charge/tariff", "payments/charge/assess", "payments/charge/told", "payments/order", "payments/ledger",
			"payments/gateway", "payments/gateway/epay", "payments/statement/internal/xmlpull", "payments/statement", "payments/reconcile", "payments/report", "payments",
		},
	},
	5: {{"internal/access", "internal/dossier"}},
	6: {{"api", "cmd/senim"}, {"internal/conformance"}},
}

// house lists packages from left to right. A name that ends in /... stands for
// all packages below it.
type house []string

// Packages that stand on no floor.
var (
	// sandbox stands in for the state's systems. Only the wiring and tests
	// import it: to everything else it is a peer behind HTTP and PKCS#11.
	sandbox = []string{"internal/sandbox", "internal/sandbox/..."}
	// support helps tests, and is imported by nothing else.
	support = []string{"internal/postgres/postgrestest", "hsm/hsmtest", "hsm/hsmtest/pivcard", "internal/shep/sheptest"}
	// testsOnly hold tests and no code.
	testsOnly = []string{"internal/rooms", "scripts"}
)

const wiring = "cmd/senim"

// place is where a package stands.
type place struct{ floor, house, position int }

func find(name string) (place, bool) {
	for floor, houses := range floors {
		for i, house := range houses {
			for position, pattern := range house {
				if matches(pattern, name) {
					return place{floor, i, position}, true
				}
			}
		}
	}
	return place{}, false
}

// sees reports whether a package at p may import one at q.
func (p place) sees(q place) bool {
	if p.floor != q.floor {
		return p.floor > q.floor
	}
	return p.house == q.house && p.position >= q.position // equal: both below one /...
}

func matches(pattern, name string) bool {
	if below, found := strings.CutSuffix(pattern, "..."); found {
		return strings.HasPrefix(name, below)
	}
	return pattern == name
}

func among(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	for _, p := range packages(t) {
		_, placed := find(p.name)
		if !placed && !among(sandbox, p.name) && !among(support, p.name) && !among(testsOnly, p.name) {
			t.Errorf("%s stands nowhere: add it to the table in internal/rooms/rooms_test.go", p.name)
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from, placed := find(p.name)
		for _, imported := range p.imports {
			to, toPlaced := find(imported)
			switch {
			case among(support, imported) && !among(support, p.name):
				t.Errorf("%s imports %s, which is for tests only", p.name, imported)
			case among(sandbox, imported) && p.name != wiring && !among(sandbox, p.name):
				t.Errorf("%s imports %s: only %s and tests do", p.name, imported, wiring)
			case placed && toPlaced && !from.sees(to):
				t.Errorf("%s imports %s, which is %s", p.name, imported, relation(from, to))
			}
		}
		if among(testsOnly, p.name) && len(p.production) > 1 {
			t.Errorf("%s is for tests only and has code besides doc.go", p.name)
		}
	}
}

func relation(from, to place) string {
	switch {
	case from.floor < to.floor:
		return "above it"
	case from.house != to.house:
		return "another house"
	}
	return "to its right"
}

func TestSees(t *testing.T) {
	for _, row := range []struct {
		from, to string
		want     bool
	}{
		{"payments", "internal/outbox", true},
		{"internal/outbox", "payments", false},
		{"payments", "payments/ledger", true},
		{"payments/money", "payments/ledger", false},
		{"payments", "registry", false},
		{"payments/order", "verifier/facts", false},
		{"internal/outbox", "internal/evidence", true},
		{"internal/evidence", "internal/outbox", false},
		{"internal/dossier", "verifier", true},
		{"internal/access", "internal/dossier", false},
		{"pki/gost/internal/a", "pki/gost/internal/b", true},
		{"pki/gost/internal/a", "pki/gost/streebog", false},
	} {
		from, ok1 := find(row.from)
		to, ok2 := find(row.to)
		if !ok1 || !ok2 {
			t.Fatalf("%s or %s has no place", row.from, row.to)
		}
		if got := from.sees(to); got != row.want {
			t.Errorf("%s sees %s: %v, want %v", row.from, row.to, got, row.want)
		}
	}
}

func TestEveryPackageSaysWhatItDoes(t *testing.T) {
	for _, p := range packages(t) {
		doc, there := p.production["doc.go"]
		if !there || doc.Doc == nil {
			t.Errorf("%s has no doc.go with a package comment", p.name)
			continue
		}
		first := "Package " + path.Base(p.name) + " "
		if doc.Name.Name == "main" {
			first = "Command " + path.Base(p.name) + " "
		}
		if !strings.HasPrefix(doc.Doc.Text(), first) {
			t.Errorf("the comment in %s/doc.go does not begin with %q", p.name, first)
		}
		for file, syntax := range p.production {
			if file != "doc.go" && syntax.Doc != nil && !generated(syntax) {
				t.Errorf("%s/%s has a package comment; it belongs in doc.go", p.name, file)
			}
		}
	}
}
