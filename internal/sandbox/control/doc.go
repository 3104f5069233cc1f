// Package control is how people and tests change a running stand-in of the
// sandbox: orders in JSON, and faults that strike where they are due.
//
// It knows none of the stand-ins. They call it.
package control
