package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Format is the version of the archive's layout that Write writes, and the
// only one that Open reads.
const Format = 1

// Names of the members.
const (
	manifestName = "manifest.json"
	sumName      = "manifest.sha256"
	dumpName     = "database.dump"
	filesPrefix  = "files/"
)

// Limits of an archive, for writing and for reading.
const (
	manifestBytesMax = 16 << 20  // a hundred thousand tables
	filesMax         = 10_000    // a token has a few files a key
	fileBytesMax     = 64 << 20  // as the sandbox's own limit of its state
	filesBytesMax    = 256 << 20 // of all files together: Write keeps them in memory
	nameBytesMax     = 400
)

// Manifest says what an archive holds.
type Manifest struct {
	Format    int               `json:"format"`
	CreatedAt time.Time         `json:"created_at"`
	Database  postgres.Manifest `json:"database"`
	Files     []File            `json:"files"` // sorted by name
}

// File is one file of the installation.
type File struct {
	Name   string `json:"name"` // relative to the installation's folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// FilesBytes adds up the files.
func (m *Manifest) FilesBytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// encode writes the manifest, and the line of sha256sum about it.
func (m *Manifest) encode() (text, sum []byte, err error) {
	text, err = json.MarshalIndent(m, "", "\t")
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.BackupFailed, manifestName, "encode the manifest")
	}
	text = append(text, '\n')
	if len(text) > manifestBytesMax {
		return nil, nil, fault.New(fault.InputTooBig, manifestName, "the manifest has %d bytes; at most %d are read again", len(text), manifestBytesMax)
	}
	return text, sumLine(text), nil
}

func sumLine(manifest []byte) []byte {
	return []byte(digestOf(manifest) + "  " + manifestName + "\n")
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// decodeManifest reads a manifest and checks all that can be checked without
// the rest of the archive. The format comes first: a newer one may have other
// fields.
func decodeManifest(text []byte, folders []string) (*Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fault.Wrap(err, fault.BackupCorrupt, manifestName, "read the manifest")
	}
	if version.Format != Format {
		return nil, fault.New(fault.BackupVersion, manifestName, "the format is %d, known is %d", version.Format, Format)
	}
	m := new(Manifest)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fault.Wrap(err, fault.BackupCorrupt, manifestName, "read the manifest")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.BackupCorrupt, manifestName, "something follows the manifest's object")
	}
	if m.Database.Bytes < 0 {
		return nil, fault.New(fault.BackupCorrupt, manifestName, "the dump has %d bytes", m.Database.Bytes)
	}
	return m, checkFiles(m.Files, folders)
}

// checkFiles holds the list of files against the limits. Every name lies under
// one of the folders, and none under another file.
func checkFiles(files []File, folders []string) error {
	if len(files) > filesMax {
		return fault.New(fault.InputTooBig, manifestName, "%d files; at most %d are taken", len(files), filesMax)
	}
	names := make(map[string]bool, len(files))
	left := int64(filesBytesMax)
	for i, f := range files {
		if err := checkName(f.Name, folders); err != nil {
			return err
		}
		if i > 0 && f.Name <= files[i-1].Name {
			return fault.New(fault.BackupCorrupt, f.Name, "the files are not in order, or one is there twice")
		}
		if f.Bytes < 0 || f.Bytes > fileBytesMax || f.Bytes > left {
			return fault.New(fault.InputTooBig, f.Name, "%d bytes; at most %d a file and %d altogether are taken", f.Bytes, fileBytesMax, filesBytesMax)
		}
		left -= f.Bytes
		names[f.Name] = true
	}
	for _, f := range files {
		for parent := path.Dir(f.Name); parent != "."; parent = path.Dir(parent) {
			if names[parent] {
				return fault.New(fault.BackupUnsafe, f.Name, "lies under %s, which is a file", parent)
			}
		}
	}
	return nil
}

// checkName refuses a name that could lead out of the folder it is unpacked
// into, or to a part of the installation that is not kept as files.
func checkName(name string, folders []string) error {
	folder, rest, nested := strings.Cut(name, "/")
	switch {
	case len(name) > nameBytesMax:
		return fault.New(fault.InputTooBig, "", "a name of %d bytes; at most %d are taken", len(name), nameBytesMax)
	case !fs.ValidPath(name), strings.ContainsRune(name, '\\'), strings.ContainsFunc(name, unicode.IsControl):
		return fault.New(fault.BackupUnsafe, "", "%q is not the name of a file below a folder", name)
	case !nested || rest == "" || !slices.Contains(folders, folder):
		return fault.New(fault.BackupUnsafe, "", "%q is in none of the folders %s", name, strings.Join(folders, ", "))
	}
	return nil
}
