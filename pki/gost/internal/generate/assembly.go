package main

import "fmt"

// assembly returns the amd64 file of a folding package: products with MULX, which
// leaves the flags alone, and two carry chains at once by ADCX (carry flag) and
// ADOX (overflow flag). Go's assembler takes the source first.
//
// Registers: DX holds the factor that MULX takes by itself; AX and BX are scratch;
// SI and DI point to the inputs; the rest are the window of the product that is
// at work. The number of a limb of the product decides its register, so that the
// window slides without moves. Limbs that are done rest on the stack. No
// instruction branches, so the time does not depend on the operands.
func (f field) assembly() string {
	var w assembler
	w.n = f.Limbs
	w.fold = f.Fold
	w.f("//go:build !purego")
	w.f("")
	w.f(`#include "textflag.h"`)
	w.mul()
	w.sqr()
	return w.String()
}

type assembler struct {
	writer
	n    int
	fold int
}

// window is the registers of the limbs at work.
var window = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "CX"}

// limb is the register of limb k of the product: the window is of n+1 limbs.
func (w *assembler) limb(k int) string { return window[k%(w.n+1)] }

// slot is where limb k of the low half rests on the stack.
func slot(k int) string { return fmt.Sprintf("%d(SP)", 8*k) }

func offset(j int, pointer string) string { return fmt.Sprintf("%d(%s)", 8*j, pointer) }

// mul: row i adds x[i]·y to limbs i to i+n.
func (w *assembler) mul() {
	n := w.n
	w.f("")
	w.f("// func mulADX(z, x, y *Element)")
	w.f("TEXT ·mulADX(SB), NOSPLIT, $%d-24", 8*n)
	w.f("\tMOVQ x+8(FP), SI")
	w.f("\tMOVQ y+16(FP), DI")
	for i := range n {
		w.f("\t// x[%d]·y", i)
		w.f("\tMOVQ %s, DX", offset(i, "SI"))
		if i == 0 {
			w.f("\tMULXQ 0(DI), %s, %s", w.limb(0), w.limb(1))
			for j := 1; j < n; j++ {
				w.f("\tMULXQ %s, AX, %s", offset(j, "DI"), w.limb(j+1))
				op := "ADCQ"
				if j == 1 {
					op = "ADDQ"
				}
				w.f("\t%s AX, %s", op, w.limb(j))
			}
			w.f("\tADCQ $0, %s", w.limb(n))
		} else {
			top := w.limb(i + n)
			w.f("\tXORQ %s, %s", top, top)
			for j := range n {
				w.f("\tMULXQ %s, AX, BX", offset(j, "DI"))
				w.f("\tADCXQ AX, %s", w.limb(i+j))
				w.f("\tADOXQ BX, %s", w.limb(i+j+1))
			}
			w.f("\tMOVQ $0, AX")
			w.f("\tADCXQ AX, %s", top)
		}
		w.f("\tMOVQ %s, %s", w.limb(i), slot(i))
	}
	w.reduce()
}

// reduce folds the high half, in the registers of limbs n to 2n−1, onto the low
// half, on the stack, and stores the result.
func (w *assembler) reduce() {
	n := w.n
	w.f("\t// Fold the high half.")
	w.f("\tMOVQ $%d, DX", w.fold)
	w.f("\tXORQ BX, BX")
	carry, next := "BX", "AX"
	for j := range n {
		limb := w.limb(n + j)
		w.f("\tMULXQ %s, %s, %s", limb, limb, next)
		w.f("\tADCXQ %s, %s", slot(j), limb)
		w.f("\tADOXQ %s, %s", carry, limb)
		carry, next = next, carry
	}
	w.f("\tMOVQ $0, %s", next)
	w.f("\tADCXQ %s, %s", next, carry)
	w.f("\tADOXQ %s, %s", next, carry)
	w.f("\t// Fold what is above: at most %d.", w.fold+1)
	w.f("\tIMULQ DX, %s", carry)
	w.f("\tADDQ %s, %s", carry, w.limb(n))
	for j := 1; j < n; j++ {
		w.f("\tADCQ $0, %s", w.limb(n+j))
	}
	w.f("\tSBBQ AX, AX")
	w.f("\tANDQ DX, AX")
	w.f("\tADDQ AX, %s", w.limb(n))
	w.f("\tMOVQ z+0(FP), DI")
	for j := range n {
		w.f("\tMOVQ %s, %s", w.limb(n+j), offset(j, "DI"))
	}
	w.f("\tRET")
}

// sqr: the products of different limbs are added once, row by row, into limbs 1
// to 2n−2 and rest on the stack; then they are doubled in one carry chain while
// the squares are added in the other.
func (w *assembler) sqr() {
	n := w.n
	w.f("")
	w.f("// func sqrADX(z, x *Element)")
	w.f("TEXT ·sqrADX(SB), NOSPLIT, $%d-16", 8*2*n)
	w.f("\tMOVQ x+8(FP), SI")
	for i := range n - 1 {
		first, last := 2*i+1, i+n // limbs of the row: x[i]·x[j] goes to i+j
		w.f("\t// x[%d]·x[%d…]", i, i+1)
		w.f("\tMOVQ %s, DX", offset(i, "SI"))
		if i == 0 {
			w.f("\tMULXQ 8(SI), %s, %s", w.limb(1), w.limb(2))
			for j := 2; j < n; j++ {
				w.f("\tMULXQ %s, AX, %s", offset(j, "SI"), w.limb(j+1))
				op := "ADCQ"
				if j == 2 {
					op = "ADDQ"
				}
				w.f("\t%s AX, %s", op, w.limb(j))
			}
			w.f("\tADCQ $0, %s", w.limb(n))
		} else {
			top := w.limb(last)
			w.f("\tXORQ %s, %s", top, top)
			for j := i + 1; j < n; j++ {
				w.f("\tMULXQ %s, AX, BX", offset(j, "SI"))
				w.f("\tADCXQ AX, %s", w.limb(i+j))
				w.f("\tADOXQ BX, %s", w.limb(i+j+1))
			}
			w.f("\tMOVQ $0, AX")
			w.f("\tADCXQ AX, %s", top)
		}
		w.f("\tMOVQ %s, %s", w.limb(first), slot(first))
		w.f("\tMOVQ %s, %s", w.limb(first+1), slot(first+1))
	}
	w.f("\t// Double, and add the squares.")
	w.f("\tXORQ DI, DI")
	for j := range n {
		low, high := "AX", "BX"
		if 2*j >= n {
			low, high = w.limb(2*j), w.limb(2*j+1)
		}
		w.f("\tMOVQ %s, DX", offset(j, "SI"))
		w.f("\tMULXQ DX, DI, DX")
		for k, square := range []string{"DI", "DX"} {
			limb, to := 2*j+k, []string{low, high}[k]
			if limb == 0 || limb == 2*n-1 {
				w.f("\tMOVQ $0, %s", to)
			} else {
				w.f("\tMOVQ %s, %s", slot(limb), to)
			}
			w.f("\tADCXQ %s, %s", to, to)
			w.f("\tADOXQ %s, %s", square, to)
			if limb < n {
				w.f("\tMOVQ %s, %s", to, slot(limb))
			}
		}
	}
	w.reduce()
}
