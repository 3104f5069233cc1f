package main

import (
	"crypto"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/senim-kz/senim/hsm"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/internal/postgres/postgrestest"
)

// identity is what makes an installation the one it is.
type identity struct {
	receiptKey crypto.PublicKey
	root       string
	tsa        string
}

func identityOf(t *testing.T, s *surroundings) identity {
	t.Helper()
	token, err := s.openToken(t.Context(), serviceToken)
	check(t, err)
	defer token.Close()
	key, err := token.Key(t.Context(), s.config.Token.Keys.Receipt)
	check(t, err)
	digest := make([]byte, crypto.SHA256.Size())
	if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
		t.Errorf("the receipt key does not sign: %v", err)
	}
	root, err := os.ReadFile(s.path(anchorsName, "root_rsa.pem"))
	check(t, err)
	return identity{receiptKey: key.Public(), root: string(root), tsa: s.sandbox.URLs().NCA.TSP}
}

// What is restored elsewhere is the same installation: the keys in the token,
// the sandbox with its addresses, the database.
func TestUpContinuesWithWhatWasRestored(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL's programs do the work, and are not raced")
	}
	if _, err := hsm.SoftHSMLibrary(); err != nil {
		t.Skipf("needs SoftHSM2: %v", err)
	}
	room := postgrestest.Folder(t)
	config := surroundingsConfig{Dir: filepath.Join(room, "original"), Unsafe: true, Bits: 2048, Now: time.Now}
	start := func() *surroundings {
		t.Helper()
		s, err := startSurroundings(t.Context(), config)
		if fault.Is(err, fault.PostgresMissing) {
			t.Skipf("needs PostgreSQL: %v", err)
		}
		check(t, err)
		t.Cleanup(func() { _ = s.close() })
		return s
	}
	original := start()
	pool := openPool(t, original.cluster.DSN())
	check(t, postgres.Migrate(t.Context(), pool))
	ensurePartitions(t, pool)
	fillDatabase(t, pool)
	pool.Close()
	want := identityOf(t, original)
	check(t, writeFileAtomically(original.path(urlsName), []byte(`{"database":"`+original.cluster.DSN()+`"}`)))

	o, file := newOperator(), filepath.Join(room, "backup.tar")
	check(t, o.run(t, o.backupCommand(), "--data", config.Dir, "--out", file))
	check(t, original.close())
	check(t, os.RemoveAll(config.Dir))

	config.Dir = filepath.Join(room, "restored")
	check(t, o.run(t, o.restoreCommand(), "--data", config.Dir, file))
	restored := start()
	got := identityOf(t, restored)
	if key, ok := got.receiptKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(want.receiptKey) {
		t.Error("the receipt key is another")
	}
	if got.root != want.root || got.tsa != want.tsa {
		t.Errorf("the sandbox is another: its TSP is at %s, was at %s", got.tsa, want.tsa)
	}
	var records int
	check(t, openPool(t, restored.cluster.DSN()).QueryRow(t.Context(), "SELECT count(*) FROM audit_records").Scan(&records))
	if records != 1 {
		t.Errorf("%d audit records, want 1", records)
	}
}
