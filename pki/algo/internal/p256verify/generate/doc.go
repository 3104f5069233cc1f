// Command generate writes the addition of points of p256verify in assembly. Run it
// by go generate in pki/algo/internal/p256verify; a test there fails when its
// output differs from what is committed.
package main
