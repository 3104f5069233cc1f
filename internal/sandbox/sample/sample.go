package sample

import (
	"bytes"
	_ "embed"

	"github.com/senim-kz/senim/internal/kz"
)

//go:embed devi.xml
var declaration []byte

// What the document says.
const (
	DeclarantBIN  kz.BIN = "190640017419" // of no registered company; its control digit is right
	Reference            = "SD-2026-000123"
	RevenueOffice        = "6009"
)

// Declaration returns a copy of the document.
func Declaration() []byte { return bytes.Clone(declaration) }

// DeclarationOf returns the document as another declarant would file it, under
// another reference. Both must be free of XML markup.
func DeclarationOf(declarant kz.BIN, reference string) []byte {
	out := bytes.Replace(declaration, []byte(DeclarantBIN), []byte(declarant), 1)
	return bytes.Replace(out, []byte(Reference), []byte(reference), 1)
}
