package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	folder := "."
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	for name, content := range map[string]string{"add_amd64.s": addition(), "lanes_amd64.s": laneAddition()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}

// assembly is a file at work. Registers: DI points to the point p that is added to,
// SI to the point q; DX holds the factor that MULX takes by itself; AX and CX are
// scratch; a result is left in R8 to R11. Go's assembler takes the source first.
type assembly struct{ strings.Builder }

func (a *assembly) line(format string, args ...any) { fmt.Fprintf(a, format+"\n", args...) }

// ops writes an instruction a line.
func (a *assembly) ops(lines ...string) {
	for _, l := range lines {
		a.line("\t%s", l)
	}
}

// element is where one is in memory.
type element struct {
	offset  int
	pointer string
	name    string
}

func (e element) limb(i int) string {
	if e.pointer == "SP" { // the assembler wants names for what is on the stack
		return fmt.Sprintf("%s%d-%d(SP)", e.name, i, e.offset-8*i)
	}
	return fmt.Sprintf("%d(%s)", e.offset+8*i, e.pointer)
}

// registers gives n of them, such that the one at index first is R8.
func registers(n, first int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("R%d", 8+(i+n-first)%n)
	}
	return names
}

// fold takes the lowest limb m, in t[0], away by adding m·p = m·(2^256 − 2^224 +
// 2^192 + 2^96) − m to the limbs above. What goes to the fourth of these is in CX,
// and a carry in the flag.
func (a *assembly) fold(t []string) {
	m := t[0]
	a.ops(
		"MOVQ "+m+", DX",
		"MULXQ p3<>(SB), AX, CX",
		"SHLQ $32, DX",
		"SHRQ $32, "+m,
		"ADDQ DX, "+t[1],
		"ADCQ "+m+", "+t[2],
		"ADCQ AX, "+t[3],
	)
}

// mul leaves x·y: a row of products for each limb of x, after each the lowest limb
// is folded away.
func (a *assembly) mul(x, y element) {
	t := registers(6, 4) // four times the lowest goes
	for row := range 4 {
		a.ops("MOVQ " + x.limb(row) + ", DX")
		if row == 0 {
			a.ops(
				"MULXQ "+y.limb(0)+", "+t[0]+", "+t[1],
				"MULXQ "+y.limb(1)+", AX, "+t[2],
				"ADDQ AX, "+t[1],
				"MULXQ "+y.limb(2)+", AX, "+t[3],
				"ADCQ AX, "+t[2],
				"MULXQ "+y.limb(3)+", AX, "+t[4],
				"ADCQ AX, "+t[3],
				"ADCQ $0, "+t[4],
				"XORQ "+t[5]+", "+t[5],
			)
		} else {
			a.ops("XORQ " + t[5] + ", " + t[5] + " // clears both flags")
			for j := range 4 {
				a.ops(
					"MULXQ "+y.limb(j)+", AX, CX",
					"ADCXQ AX, "+t[j],
					"ADOXQ CX, "+t[j+1],
				)
			}
			a.ops("ADCXQ " + t[5] + ", " + t[4])
		}
		a.fold(t)
		a.ops("ADCQ CX, "+t[4], "ADCQ $0, "+t[5])
		t = append(t[1:], t[0])
	}
	a.reduce(t[4])
}

// sqr leaves x²: the products of different limbs once, doubled in one chain of
// carries while the squares are added in the other.
func (a *assembly) sqr(x element) {
	t := registers(8, 4) // four times the lowest goes
	a.ops(
		"MOVQ "+x.limb(0)+", DX",
		"MULXQ "+x.limb(1)+", "+t[1]+", "+t[2],
		"MULXQ "+x.limb(2)+", AX, "+t[3],
		"ADDQ AX, "+t[2],
		"MULXQ "+x.limb(3)+", AX, "+t[4],
		"ADCQ AX, "+t[3],
		"ADCQ $0, "+t[4],
		"MOVQ "+x.limb(1)+", DX",
		"XORQ "+t[5]+", "+t[5]+" // clears both flags",
		"MULXQ "+x.limb(2)+", AX, CX",
		"ADCXQ AX, "+t[3],
		"ADOXQ CX, "+t[4],
		"MULXQ "+x.limb(3)+", AX, CX",
		"ADCXQ AX, "+t[4],
		"ADOXQ CX, "+t[5],
		"MOVQ "+x.limb(2)+", DX",
		"MULXQ "+x.limb(3)+", AX, "+t[6],
		"ADCXQ AX, "+t[5],
		"MOVQ $0, "+t[7], // a move leaves the flags alone
		"ADCXQ "+t[7]+", "+t[6],
		"XORQ "+t[7]+", "+t[7]+" // clears both flags",
	)
	for i := range 4 {
		a.ops("MOVQ " + x.limb(i) + ", DX")
		low, high := "AX", "CX"
		if i == 0 {
			low = t[0]
		}
		a.ops("MULXQ DX, " + low + ", " + high)
		if i > 0 {
			a.ops("ADCXQ "+t[2*i]+", "+t[2*i], "ADOXQ AX, "+t[2*i])
		}
		a.ops("ADCXQ "+t[2*i+1]+", "+t[2*i+1], "ADOXQ CX, "+t[2*i+1])
	}
	// The lower four limbs are folded away, then the upper four added.
	low := t[:4]
	for range 4 {
		a.fold(low)
		a.ops("ADCQ $0, CX", "MOVQ CX, "+low[0])
		low = append(low[1:4:4], low[0])
	}
	a.ops(
		"XORQ BX, BX",
		"ADDQ "+low[0]+", "+t[4],
		"ADCQ "+low[1]+", "+t[5],
		"ADCQ "+low[2]+", "+t[6],
		"ADCQ "+low[3]+", "+t[7],
		"ADCQ BX, BX",
	)
	a.reduce("BX")
}

// reduce takes p from the number in R8 to R11 and top, if that is not negative.
func (a *assembly) reduce(top string) {
	a.ops(
		"MOVQ R8, AX",
		"MOVQ R9, CX",
		"MOVQ R10, DX",
		"MOVQ R11, R15",
		"SUBQ $-1, AX",
		"SBBQ p1<>(SB), CX",
		"SBBQ $0, DX",
		"SBBQ p3<>(SB), R15",
		"SBBQ $0, "+top,
		"CMOVQCC AX, R8",
		"CMOVQCC CX, R9",
		"CMOVQCC DX, R10",
		"CMOVQCC R15, R11",
	)
}

// sub leaves what is in R8 to R11 less x.
func (a *assembly) sub(x element) {
	a.ops(
		"SUBQ "+x.limb(0)+", R8",
		"SBBQ "+x.limb(1)+", R9",
		"SBBQ "+x.limb(2)+", R10",
		"SBBQ "+x.limb(3)+", R11",
		"SBBQ AX, AX // all ones if it is negative: then p is added",
		"MOVQ AX, CX",
		"MOVQ AX, DX",
		"ANDQ p1<>(SB), CX",
		"ANDQ p3<>(SB), DX",
		"ADDQ AX, R8",
		"ADCQ CX, R9",
		"ADCQ $0, R10",
		"ADCQ DX, R11",
	)
}

// load and store move between memory and R8 to R11.
func (a *assembly) load(x element) {
	for i := range 4 {
		a.ops(fmt.Sprintf("MOVQ %s, R%d", x.limb(i), 8+i))
	}
}

func (a *assembly) store(x element) {
	for i := range 4 {
		a.ops(fmt.Sprintf("MOVQ R%d, %s", 8+i, x.limb(i)))
	}
}

// addition is jacobian.addGo, step by step, but for the special cases. Products that
// do not need each other stand together: the processor then computes them at once.
func addition() string {
	var a assembly
	x1, y1, z1 := element{pointer: "DI"}, element{offset: 32, pointer: "DI"}, element{offset: 64, pointer: "DI"}
	x2, y2 := element{pointer: "SI"}, element{offset: 32, pointer: "SI"}
	local := 0
	here := func(name string) element { local += 32; return element{local, "SP", name} }
	zz, h, s, hh, hhh, v := here("zz"), here("h"), here("s"), here("hh"), here("hhh"), here("v")

	a.line("// Code generated by pki/algo/internal/p256verify/generate; DO NOT EDIT.")
	a.line("")
	a.line("//go:build !purego")
	a.line("")
	a.line(`#include "textflag.h"`)
	a.line("")
	a.line("DATA p1<>(SB)/8, $0x00000000ffffffff")
	a.line("GLOBL p1<>(SB), RODATA|NOPTR, $8")
	a.line("DATA p3<>(SB)/8, $0xffffffff00000001")
	a.line("GLOBL p3<>(SB), RODATA|NOPTR, $8")
	a.line("")
	a.line("// func addADX(p *jacobian, q *affine) (done bool)")
	a.line("TEXT ·addADX(SB), NOSPLIT, $%d-17", local)
	a.ops("MOVQ p+0(FP), DI", "MOVQ q+8(FP), SI")
	a.line("\t// zz = Z²")
	a.sqr(z1)
	a.store(zz)
	a.line("\t// h = x·zz − X")
	a.mul(x2, zz)
	a.sub(x1)
	a.store(h)
	a.line("\t// Nothing is written to p before this is decided.")
	a.ops("ORQ R8, R9", "ORQ R10, R11", "ORQ R9, R11", "JZ special")
	a.line("\t// s = y·zz·Z − Y, Z = Z·h")
	a.mul(zz, z1)
	a.store(s)
	a.mul(z1, h)
	a.store(z1)
	a.mul(s, y2)
	a.sub(y1)
	a.store(s)
	a.line("\t// hh = h², v = hh·X, hhh = hh·h")
	a.sqr(h)
	a.store(hh)
	a.mul(hh, x1)
	a.store(v)
	a.mul(hh, h)
	a.store(hhh)
	a.line("\t// X = s² − hhh − 2v")
	a.sqr(s)
	a.sub(hhh)
	a.sub(v)
	a.sub(v)
	a.store(x1)
	a.line("\t// Y = (v − X)·s − hhh·Y")
	a.mul(hhh, y1)
	a.store(hhh)
	a.load(v)
	a.sub(x1)
	a.store(v)
	a.mul(v, s)
	a.sub(hhh)
	a.store(y1)
	a.ops("MOVB $1, done+16(FP)", "RET")
	a.line("")
	a.line("special:")
	a.ops("MOVB $0, done+16(FP)", "RET")
	return a.String()
}
