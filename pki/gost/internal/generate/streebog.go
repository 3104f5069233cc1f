package main

import (
	"fmt"
	"strings"
)

// The registers of the compression function. Constants of the tables live in
// Z8 to Z27; each of the two chains, of the state and of the round keys, has four
// of its own.
const (
	matrix0 = 8  // to 15: what byte j of a word contributes to each byte
	sbox0   = 16 // to 19: the substitution, a quarter each
	gather0 = 20 // to 27: byte j of every word of P(state), to every row
	chainH  = 28 // the chaining value, transposed
	message = 29 // the message block, transposed
	turn    = 30 // the transposition
)

// chain is one of the two computations that run side by side.
type chain struct{ x, a, b, c, mask int }

var (
	state = chain{0, 1, 2, 3, 1}
	key   = chain{4, 5, 6, 7, 2}
)

func z(n int) string { return fmt.Sprint("Z", n) }

// streebogAssembly returns the compression function for AVX-512 with VBMI and
// GFNI. See streebog/compress_amd64.go for the mathematics.
func streebogAssembly() string {
	var w writer
	w.f("//go:build !purego")
	w.f("")
	w.f(`#include "textflag.h"`)
	w.f("")
	w.f("// func compressVectors(t *vectors, h, n, m *[8]uint64)")
	w.f("TEXT ·compressVectors(SB), NOSPLIT, $0-32")
	for i, argument := range []string{"AX", "BX", "CX", "DX"} {
		w.f("\tMOVQ %s+%d(FP), %s", []string{"t", "h", "n", "m"}[i], 8*i, argument)
	}
	// The fields of vectors, in order: 4 + 8 + 8 + 1 + 12 rows of 64 bytes.
	for i := range 4 {
		w.f("\tVMOVDQU64 %d(AX), %s", 64*i, z(sbox0+i))
	}
	for i := range 8 {
		w.f("\tVMOVDQU64 %d(AX), %s", 64*(4+i), z(gather0+i))
		w.f("\tVMOVDQU64 %d(AX), %s", 64*(12+i), z(matrix0+i))
	}
	w.f("\tVMOVDQU64 %d(AX), %s", 64*20, z(turn))

	w.f("\t// Transpose h, n and m; the first key is LPS(h + n).")
	w.f("\tVPERMB (BX), %s, %s", z(turn), z(chainH))
	w.f("\tVPERMB (CX), %s, %s", z(turn), z(key.x))
	w.f("\tVPERMB (DX), %s, %s", z(turn), z(message))
	w.f("\tVPXORQ %s, %s, %s", z(chainH), z(key.x), z(key.x))
	w.interleave(key.lps())
	w.f("\tVPXORQ %s, %s, %s", z(message), z(key.x), z(state.x))
	for i := range 12 {
		w.f("\t// Round %d.", i+1)
		w.f("\tVPXORQ %d(AX), %s, %s", 64*(21+i), z(key.x), z(key.x))
		w.interleave(state.lps(), key.lps())
		if i < 11 {
			w.f("\tVPXORQ %s, %s, %s", z(key.x), z(state.x), z(state.x))
		}
	}
	w.f("\t// h ^= m ^ state ^ key, turned back.")
	w.f("\tVPTERNLOGQ $0x96, %s, %s, %s", z(key.x), z(state.x), z(chainH))
	w.f("\tVPXORQ %s, %s, %s", z(message), z(chainH), z(chainH))
	w.f("\tVPERMB %s, %s, %s", z(chainH), z(turn), z(chainH))
	w.f("\tVMOVDQU64 %s, (BX)", z(chainH))
	w.f("\tVZEROUPPER")
	w.f("\tRET")
	return w.String()
}

// lps returns the instructions of x = LPS(x). Go's assembler takes operands in
// the reverse of Intel's order.
func (c chain) lps() []string {
	var out []string
	op := func(format string, args ...any) { out = append(out, fmt.Sprintf("\t"+format, args...)) }
	x, a, b, t := z(c.x), z(c.a), z(c.b), z(c.c)
	// S: a look-up among 256 bytes is two among 128, by the low seven bits, and
	// a choice by the top bit.
	op("VPMOVB2M %s, K%d", x, c.mask)
	op("VMOVDQA64 %s, %s", x, a)
	op("VMOVDQA64 %s, %s", x, b)
	op("VPERMI2B %s, %s, %s", z(sbox0+1), z(sbox0), a)
	op("VPERMI2B %s, %s, %s", z(sbox0+3), z(sbox0+2), b)
	op("VPBLENDMB %s, %s, K%d, %s", b, a, c.mask, a)
	// P and L: every row takes byte j of the words of P(state) and multiplies it
	// by its own matrix.
	op("VPERMB %s, %s, %s", a, z(gather0), x)
	op("VGF2P8AFFINEQB $0, %s, %s, %s", z(matrix0), x, x)
	for j := 1; j < 7; j += 2 {
		op("VPERMB %s, %s, %s", a, z(gather0+j), b)
		op("VPERMB %s, %s, %s", a, z(gather0+j+1), t)
		op("VGF2P8AFFINEQB $0, %s, %s, %s", z(matrix0+j), b, b)
		op("VGF2P8AFFINEQB $0, %s, %s, %s", z(matrix0+j+1), t, t)
		op("VPTERNLOGQ $0x96, %s, %s, %s", b, t, x)
	}
	op("VPERMB %s, %s, %s", a, z(gather0+7), b)
	op("VGF2P8AFFINEQB $0, %s, %s, %s", z(matrix0+7), b, b)
	op("VPXORQ %s, %s, %s", b, x, x)
	return out
}

// interleave writes sequences of one length, an instruction of each in turn.
func (w *writer) interleave(sequences ...[]string) {
	for i := range sequences[0] {
		var line []string
		for _, s := range sequences {
			line = append(line, s[i])
		}
		w.f("%s", strings.Join(line, "\n"))
	}
}
