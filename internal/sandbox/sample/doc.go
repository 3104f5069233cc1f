// Package sample holds the trader's document of the demo and of tests: a
// single input document (ДЕВИ) for an import of two commodity lines. Its
// importer, goods and amounts are invented; its arithmetic is right. Of the
// treasury it has a statement of any length.
//
// Only cmd/senim and tests import it.
package sample
