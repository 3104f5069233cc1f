package gost

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated runs the generator and compares its output with what is
// committed.
func TestGenerated(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.Command("go", "run", "./internal/generate", folder).CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	fresh, _ := filepath.Glob(filepath.Join(folder, "internal", "*", "*"))
	vectors, _ := filepath.Glob(filepath.Join(folder, "streebog", "*"))
	if fresh = append(fresh, vectors...); len(vectors) == 0 || len(fresh) == len(vectors) {
		t.Fatal("nothing generated")
	}
	for _, path := range fresh {
		name, err := filepath.Rel(folder, path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its template says; run go generate (%v)", name, err)
		}
	}
}
