// Command generate writes the arithmetic packages beside it and the vector code
// of package streebog.
//
// The arithmetic comes from the templates in templates, the unrolled products of
// products.go and the assembly of assembly.go. The four packages differ in the
// size of the field and in the way a product is reduced, and share every line
// above that; Go's generics would put an indirect call, and an escaping argument,
// under each of the thousands of field operations of a verification.
//
// Run it by go generate in pki/gost; a test there fails when its output differs
// from what is committed.
package main
