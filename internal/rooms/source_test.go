package rooms

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/senim-kz/senim"
	root   = "../.."
)

// pkg is one folder with Go files.
type pkg struct {
	name       string // the import path below the module's: "pki/cms"
	production map[string]*ast.File
	imports    []string // by production files, of this module, by the same names
}

var files = token.NewFileSet()

var source = sync.OnceValues(readSource)

// packages reads the project's source, generated files and those of every
// build constraint included.
func packages(t *testing.T) []*pkg {
	t.Helper()
	all, err := source()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readSource() ([]*pkg, error) {
	found := make(map[string]*pkg)
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != root && skipped(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Dir(relative))
		if found[name] == nil {
			found[name] = &pkg{name: name, production: make(map[string]*ast.File)}
		}
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		syntax, err := parser.ParseFile(files, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found[name].production[entry.Name()] = syntax
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	all := slices.SortedFunc(maps.Values(found), func(a, b *pkg) int { return strings.Compare(a.name, b.name) })
	for _, p := range all {
		p.imports = importsOf(p)
	}
	return all, nil
}

// skipped are the folders that the go command passes over too.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func importsOf(p *pkg) []string {
	var names []string
	for _, syntax := range p.production {
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if name, ours := strings.CutPrefix(imported, module+"/"); err == nil && ours {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func generated(syntax *ast.File) bool { return ast.IsGenerated(syntax) }

// Only the wiring reads the clock; everybody else is given one.
func TestTimeIsAParameter(t *testing.T) {
	for _, p := range packages(t) {
		if p.name == wiring || p.name == "internal/sandbox" || among(support, p.name) {
			continue
		}
		for _, syntax := range p.production {
			clock := localName(syntax, "time")
			ast.Inspect(syntax, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				from, ok := selector.X.(*ast.Ident)
				if ok && from.Name == clock && slices.Contains([]string{"Now", "Since", "Until"}, selector.Sel.Name) {
					t.Errorf("%s: time.%s outside the wiring; take a now func() time.Time", files.Position(node.Pos()), selector.Sel.Name)
				}
				return true
			})
		}
	}
}

// localName is the name under which a file imports a package, "" if it does not.
func localName(syntax *ast.File, imported string) string {
	for _, spec := range syntax.Imports {
		if spec.Path.Value != strconv.Quote(imported) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

func TestNothingHappensAtInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, syntax := range p.production {
			for _, declaration := range syntax.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if ok && function.Recv == nil && function.Name.Name == "init" {
					t.Errorf("%s: func init; let the wiring call what must be called", files.Position(function.Pos()))
				}
			}
		}
	}
}

// docs/dependencies.md and go.mod tell the same story.
func TestEveryDependencyIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	required := requirements(t)
	for name, direct := range required {
		if direct && !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/dependencies.md does not explain %s", name)
		}
	}
	for line := range strings.Lines(string(text)) {
		if name, row := strings.CutPrefix(line, "| `"); row {
			name, _, _ = strings.Cut(name, "`")
			if _, there := required[name]; !there {
				t.Errorf("docs/dependencies.md explains %s, which go.mod does not require", name)
			}
		}
	}
}

// requirements reads go.mod: which modules are required, and which directly.
func requirements(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := make(map[string]bool)
	inBlock := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		entry, single := strings.CutPrefix(line, "require ")
		switch {
		case line == "require (":
			inBlock = true
			continue
		case line == ")":
			inBlock = false
		}
		if name, _, found := strings.Cut(entry, " "); found && (inBlock || single) {
			required[name] = !strings.HasSuffix(line, "// indirect")
		}
	}
	if len(required) == 0 {
		t.Fatal("go.mod requires nothing")
	}
	return required
}
