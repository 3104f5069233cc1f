package main

import (
	"fmt"
	"strings"
)

// products returns the file of the package's unrolled products.
func (f field) products() string {
	var w writer
	w.f("package %s", f.Package)
	w.f("")
	w.f(`import "math/bits"`)
	if f.Fold != 0 {
		w.foldMul(f, false)
		w.foldMul(f, true)
		w.foldSqr(f)
	} else {
		w.montMul(f)
	}
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) f(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}

// vars declares prefix0 to prefix(n-1).
func (w *writer) vars(prefix string, n int) {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	w.f("var %s uint64", strings.Join(names, ", "))
}

func (w *writer) load(prefix, from string, n int) {
	for i := range n {
		w.f("%s%d := %s[%d]", prefix, i, from, i)
	}
}

// chain adds terms(i) into sum(i) for i below n in one carry chain, and leaves
// the carry in c.
func (w *writer) chain(n int, sum, a, b func(int) string) {
	carry := "0"
	for i := range n {
		w.f("%s, c = bits.Add64(%s, %s, %s)", sum(i), a(i), b(i), carry)
		carry = "c"
	}
}

func at(prefix string, offset int) func(int) string {
	return func(i int) string { return fmt.Sprint(prefix, i+offset) }
}

// row multiplies x by the n limbs y(0..n-1) into l0 … l(n-1), h(n-1).
func (w *writer) row(n int, x string, y func(int) string) {
	for j := range n {
		w.f("h%d, l%d = bits.Mul64(%s, %s)", j, j, x, y(j))
	}
	if n > 1 {
		w.chain(n-1, at("l", 1), at("l", 1), at("h", 0))
		w.f("h%d, _ = bits.Add64(h%d, 0, c)", n-1, n-1)
	}
}

// accumulate adds the row into t at offset o; the limb above takes the carry.
func (w *writer) accumulate(first bool, n, o int) {
	if first {
		for j := range n {
			w.f("t%d = l%d", o+j, j)
		}
		w.f("t%d = h%d", o+n, n-1)
		return
	}
	w.chain(n, at("t", o), at("t", o), at("l", 0))
	w.f("t%d, _ = bits.Add64(h%d, 0, c)", o+n, n-1)
}

func (w *writer) foldMul(f field, constant bool) {
	n := f.Limbs
	if constant {
		w.f("// mulConstantGo is mulGo in constant time.")
		w.f("func mulConstantGo(z, x, y *Element) {")
	} else {
		w.f("// mulGo sets z to x·y modulo p: the schoolbook product, folded.")
		w.f("func mulGo(z, x, y *Element) {")
	}
	w.f("var c uint64")
	w.vars("h", n)
	w.vars("l", n)
	w.vars("t", 2*n)
	w.load("y", "y", n)
	for i := range n {
		w.f("x%d := x[%d]", i, i)
		w.row(n, fmt.Sprint("x", i), at("y", 0))
		w.accumulate(i == 0, n, i)
	}
	w.fold(f, constant)
	w.f("}")
}

func (w *writer) foldSqr(f field) {
	n := f.Limbs
	w.f("// sqrGo sets z to x² modulo p: the products of different limbs once, doubled,")
	w.f("// the squares of the limbs added, folded.")
	w.f("func sqrGo(z, x *Element) {")
	w.f("var c uint64")
	w.vars("h", n)
	w.vars("l", n)
	w.vars("t", 2*n)
	w.load("x", "x", n)
	for i := range n - 1 {
		w.row(n-1-i, fmt.Sprint("x", i), at("x", i+1))
		w.accumulate(i == 0, n-1-i, 2*i+1)
	}
	w.f("t%d = t%d >> 63", 2*n-1, 2*n-2)
	for k := 2*n - 2; k > 1; k-- {
		w.f("t%d = t%d<<1 | t%d>>63", k, k, k-1)
	}
	w.f("t1 <<= 1")
	for j := range n {
		w.f("h%d, l%d = bits.Mul64(x%d, x%d)", j, j, j, j)
	}
	w.f("t0 = l0")
	w.f("t1, c = bits.Add64(t1, h0, 0)")
	for j := 1; j < n; j++ {
		w.f("t%d, c = bits.Add64(t%d, l%d, c)", 2*j, 2*j, j)
		w.f("t%d, c = bits.Add64(t%d, h%d, c)", 2*j+1, 2*j+1, j)
	}
	w.fold(f, false)
	w.f("}")
}

// fold reduces t by 2^bits ≡ c (mod p): the high half times c is added to the
// low half, and what overflows, at most c, once more. The carry of that is so rare
// that a branch saves time, except where it may depend on a secret.
func (w *writer) fold(f field, constant bool) {
	n := f.Limbs
	w.f("// Fold the high half: 2^%d ≡ %d.", f.Bits(), f.Fold)
	for j := range n {
		w.f("h%d, l%d = bits.Mul64(t%d, fold)", j, j, n+j)
	}
	w.chain(n-1, at("l", 1), at("l", 1), at("h", 0))
	w.f("h%d, _ = bits.Add64(h%d, 0, c)", n-1, n-1)
	w.chain(n, at("t", 0), at("t", 0), at("l", 0))
	w.f("h%d += c", n-1)
	w.f("t0, c = bits.Add64(t0, h%d*fold, 0)", n-1)
	if !constant {
		w.f("if c != 0 { // once in 2^44 products")
	}
	for j := 1; j < n; j++ {
		w.f("t%d, c = bits.Add64(t%d, 0, c)", j, j)
	}
	w.f("t0 += c * fold // no carry: t has just wrapped and is small")
	if !constant {
		w.f("}")
	}
	for j := range n {
		w.f("z[%d] = t%d", j, j)
	}
}

// montMul is Montgomery's product, operand scanning, with the reduction of each
// limb interleaved (CIOS: Koç, Acar, Kaliski 1996).
func (w *writer) montMul(f field) {
	n := f.Limbs
	w.f("// mulGo sets z to x·y/2^%d modulo p, in constant time.", f.Bits())
	w.f("func mulGo(z, x, y *Element, f *field) {")
	w.f("var c, k, m, h, l, top uint64")
	w.vars("t", n+1)
	w.load("y", "y", n)
	w.load("p", "f.p", n)
	for i := range n {
		w.f("x%d := x[%d]", i, i)
		for j := range n {
			w.f("h, l = bits.Mul64(x%d, y%d)", i, j)
			if i > 0 {
				w.f("l, c = bits.Add64(l, t%d, 0)", j)
				w.f("h, _ = bits.Add64(h, 0, c)")
			}
			if j > 0 {
				w.f("t%d, c = bits.Add64(l, k, 0)", j)
				w.f("k, _ = bits.Add64(h, 0, c)")
			} else {
				w.f("t0, k = l, h")
			}
		}
		if i > 0 {
			w.f("t%d, top = bits.Add64(t%d, k, 0)", n, n)
		} else {
			w.f("t%d, top = k, 0", n)
		}
		w.f("m = t0 * f.inverse")
		for j := range n {
			w.f("h, l = bits.Mul64(m, p%d)", j)
			w.f("l, c = bits.Add64(l, t%d, 0)", j)
			w.f("h, _ = bits.Add64(h, 0, c)")
			if j > 0 {
				w.f("t%d, c = bits.Add64(l, k, 0)", j-1)
				w.f("k, _ = bits.Add64(h, 0, c)")
			} else {
				w.f("k = h")
			}
		}
		w.f("t%d, c = bits.Add64(t%d, k, 0)", n-1, n)
		w.f("t%d = top + c", n)
	}
	w.f("// Here t < 2p: subtract p, and keep that unless it went below zero.")
	w.vars("s", n)
	for j := range n {
		carry := "c"
		if j == 0 {
			carry = "0"
		}
		w.f("s%d, c = bits.Sub64(t%d, p%d, %s)", j, j, j, carry)
	}
	w.f("_, c = bits.Sub64(t%d, 0, c)", n)
	w.f("keep := -c")
	for j := range n {
		w.f("z[%d] = s%d ^ keep&(s%d^t%d)", j, j, j, j)
	}
	w.f("}")
}
