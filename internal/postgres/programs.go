package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/senim-kz/senim/internal/fault"
)

// debianPrograms is where Debian's packages keep the server's programs: one
// folder a major version, none of them in PATH.
const debianPrograms = "/usr/lib/postgresql/*/bin"

// programs is one installed PostgreSQL.
type programs struct {
	folder string
	major  int
}

func (p programs) path(name string) string { return filepath.Join(p.folder, name) }

// findPrograms finds the installed PostgreSQL of a major version, or with
// major 0 the one in PATH, else the newest. globs are the folders to look in
// besides PATH.
func findPrograms(ctx context.Context, major int, globs ...string) (programs, error) {
	var newest programs
	var seen []string
	for _, folder := range programFolders(globs) {
		found, err := readPrograms(ctx, folder)
		if err != nil {
			continue // a folder without a whole installation is none
		}
		seen = append(seen, strconv.Itoa(found.major))
		switch {
		case found.major < MinimumMajor:
		case found.major == major:
			return found, nil
		case major == 0 && found.major > newest.major:
			newest = found
		}
	}
	switch {
	case newest.major != 0:
		return newest, nil
	case len(seen) == 0:
		return programs{}, fault.New(fault.PostgresMissing, "",
			"no PostgreSQL programs in PATH or %s; install them (apt-get install postgresql) or configure a database", debianPrograms)
	case major != 0:
		return programs{}, fault.New(fault.ClusterVersion, "",
			"the database was made by PostgreSQL %d, installed is %s; install postgresql-%d, or back up with it and restore",
			major, strings.Join(seen, ", "), major)
	}
	return programs{}, fault.New(fault.DatabaseVersion, "",
		"installed is PostgreSQL %s; %d or newer is needed", strings.Join(seen, ", "), MinimumMajor)
}

// programFolders lists the candidates: the folder behind the postgres in PATH,
// then what the globs find.
func programFolders(globs []string) []string {
	var folders []string
	if inPath, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(inPath); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	for _, glob := range globs {
		matches, err := filepath.Glob(glob)
		if err == nil {
			folders = append(folders, matches...)
		}
	}
	return folders
}

func readPrograms(ctx context.Context, folder string) (programs, error) {
	for _, name := range []string{"postgres", "initdb", "pg_dump", "pg_restore"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || !info.Mode().IsRegular() {
			return programs{}, fmt.Errorf("%s is not in %s", name, folder)
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output()
	if err != nil {
		return programs{}, fmt.Errorf("ask %s for its version: %w", folder, err)
	}
	major, err := parseMajor(string(out))
	if err != nil {
		return programs{}, err
	}
	return programs{folder: folder, major: major}, nil
}

// parseMajor reads the major version out of "postgres (PostgreSQL) 15.13
// (Debian …)" or "17beta1".
func parseMajor(text string) (int, error) {
	_, version, found := strings.Cut(text, "(PostgreSQL) ")
	if !found {
		return 0, fmt.Errorf("%q is not a PostgreSQL version", strings.TrimSpace(text))
	}
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(version)
	}
	return strconv.Atoi(version[:digits])
}
