package p256verify

// Verify reports whether r and s are a signature of the digest by the table's key
// (FIPS 186-5 §6.4.2). r and s are 32 bytes, most significant first; of a digest the
// leftmost 256 bits count.
func (t *Table) Verify(digest, r, s []byte) bool {
	if len(r) != Size || len(s) != Size {
		return false
	}
	var e [Size]byte
	digest = digest[:min(len(digest), Size)]
	copy(e[Size-len(digest):], digest)
	u1, u2, wanted, inverse := scalarOf(e[:]), scalarOf(r), scalarOf(r), scalarOf(s)
	for _, x := range []*scalar{&wanted, &inverse} {
		if _, borrow := x.minus(&order); borrow == 0 || x.isZero() {
			return false
		}
	}
	inverse = inverseOrder(&inverse)
	inverse = mulOrder(&inverse, &orderSquare) // for Montgomery's product to be the plain one
	u1, u2 = mulOrder(&u1, &inverse), mulOrder(&u2, &inverse)
	return t.xIs(&u1, &u2, &wanted)
}

// xIs reports whether u1·G + u2·Q is not infinity and its x is r modulo the order:
// r, or r plus the order where that is below the prime too.
func (t *Table) xIs(u1, u2, r *scalar) bool {
	var terms [2 * digits]term
	var points [2 * digits]affine
	n := baseTable().terms(u1, terms[:])
	n += t.terms(u2, terms[n:])
	fetch(terms[:n], points[:])
	sum := sumOfPoints(points[:n])
	if sum.z.isZero() {
		return false
	}
	var zz element
	sqr(&zz, &sum.z)
	is := func(number scalar) bool {
		x := element(number)
		if !x.enter() {
			return false
		}
		mul(&x, &x, &zz) // x·Z² = X, without a division
		return x == sum.x
	}
	next, carry := r.add(&order)
	return is(*r) || carry == 0 && is(next)
}
