// Command generate writes the inner loops of rsaverify: in assembly z += x·y over
// blocks of eight limbs, and in Go z += x·(y0 + y1·2^64), two rows at once, over
// blocks of sixteen and of four, the square of sixteen limbs, and sums and
// differences.
package main
