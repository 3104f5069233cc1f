package p256verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

var params = elliptic.P256().Params()

func number(x *element) *big.Int {
	plain := *x
	mul(&plain, &plain, &element{1}) // out of Montgomery's form
	n := new(big.Int)
	for i := len(plain) - 1; i >= 0; i-- {
		n.Lsh(n, 64)
		n.Or(n, new(big.Int).SetUint64(plain[i]))
	}
	return n
}

// numbers below a bound, those at its edges among them.
func numbers(below *big.Int) *rapid.Generator[*big.Int] {
	edges := []*big.Int{
		new(big.Int), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(below, big.NewInt(1)), new(big.Int).Sub(below, big.NewInt(2)),
		new(big.Int).Lsh(big.NewInt(1), 224), new(big.Int).Lsh(big.NewInt(1), 96), new(big.Int).SetUint64(1<<64 - 1),
	}
	return rapid.OneOf(
		rapid.SampledFrom(edges),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), Size, Size), func(b []byte) *big.Int {
			n := new(big.Int).SetBytes(b)
			return n.Mod(n, below)
		}),
	)
}

func bytesOf(n *big.Int) []byte { return n.FillBytes(make([]byte, Size)) }

// TestField holds the field to math/big.
func TestField(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := numbers(params.P).Draw(rt, "a"), numbers(params.P).Draw(rt, "b")
		x, okX := fromBytes(bytesOf(a))
		y, okY := fromBytes(bytesOf(b))
		if !okX || !okY || number(&x).Cmp(a) != 0 {
			rt.Fatal("not read")
		}
		check := func(name string, z element, want *big.Int) {
			if got := number(&z); got.Cmp(want.Mod(want, params.P)) != 0 {
				rt.Errorf("%s: %x, want %x", name, got, want)
			}
		}
		var z element
		mul(&z, &x, &y)
		check("product", z, new(big.Int).Mul(a, b))
		sqr(&z, &x)
		check("square", z, new(big.Int).Mul(a, a))
		sub(&z, &x, &y)
		check("difference", z, new(big.Int).Sub(a, b))
		double(&z, &x)
		check("double", z, new(big.Int).Lsh(a, 1))
		if a.Sign() != 0 {
			invert(&z, &x)
			check("inverse", z, new(big.Int).ModInverse(a, params.P))
		}
	})
	for _, n := range []*big.Int{params.P, new(big.Int).Add(params.P, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))} {
		if _, ok := fromBytes(bytesOf(n)); ok {
			t.Errorf("%x is taken for a number below the prime", n)
		}
	}
}

// limbs are elements as they are kept, those at the edges among them, and those of
// limbs at the edges: carries go through these.
var limbs = rapid.OneOf(
	rapid.Map(numbers(params.P), func(n *big.Int) element { return element(scalarOf(bytesOf(n))) }),
	rapid.Custom(func(t *rapid.T) (x element) {
		for i := range x {
			x[i] = rapid.SampledFrom([]uint64{0, 1, 1<<32 - 1, 1 << 32, 1<<64 - 1<<32, 1<<64 - 1<<32 + 1, 1<<64 - 1}).Draw(t, "limb")
		}
		if less, borrow := subP(&x, 0); borrow == 0 {
			return less
		}
		return x
	}),
)

// TestAdd holds what add chooses on this machine to addGo. Neither knows the curve's
// equation, so that the coordinates can be any numbers.
func TestAdd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := jacobian{limbs.Draw(rt, "X"), limbs.Draw(rt, "Y"), limbs.Draw(rt, "Z")}
		q := affine{limbs.Draw(rt, "x"), limbs.Draw(rt, "y")}
		switch rapid.IntRange(0, 9).Draw(rt, "case") {
		case 4, 5, 6: // x·Z² is a number at the edge, and y·Z³
			if !p.z.isZero() {
				var inverse, power element
				invert(&inverse, &p.z)
				sqr(&power, &inverse)
				mul(&q.x, &q.x, &power)
				mul(&power, &power, &inverse)
				mul(&q.y, &q.y, &power)
			}
		case 0: // infinity
			p = jacobian{}
		case 1: // one x
			var zz element
			sqr(&zz, &p.z)
			mul(&p.x, &q.x, &zz)
		case 2: // the same point
			p = jacobian{q.x, q.y, one}
		case 3: // the opposite point
			p = jacobian{q.x, q.y, one}
			sub(&p.y, &element{}, &p.y)
		}
		if p.z.isZero() {
			p = jacobian{} // as infinity is kept
		}
		want := p
		p.add(&q)
		want.addGo(&q)
		if p != want {
			rt.Errorf("%x, want %x", p, want)
		}
	})
}

// TestGenerated runs the generator and compares its output with what is committed.
func TestGenerated(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.Command("go", "run", "./generate", folder).CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	fresh, _ := filepath.Glob(filepath.Join(folder, "*"))
	if len(fresh) == 0 {
		t.Fatal("nothing generated")
	}
	for _, path := range fresh {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Base(path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run go generate (%v)", filepath.Base(path), err)
		}
	}
}

// TestOrder holds the arithmetic modulo the order to math/big.
func TestOrder(t *testing.T) {
	whole := new(big.Int).Lsh(big.NewInt(1), 256)
	check := func(rt rapid.TB, name string, got scalar, want *big.Int) {
		rt.Helper()
		if number := new(big.Int).SetBytes(got.bytes(new([Size]byte))); number.Cmp(want) != 0 {
			rt.Errorf("%s: %x, want %x", name, number, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b := numbers(whole).Draw(rt, "a"), numbers(params.N).Draw(rt, "b")
		x, y := scalarOf(bytesOf(a)), scalarOf(bytesOf(b))
		product := mulOrder(&x, &y)
		product = mulOrder(&product, &orderSquare)
		want := new(big.Int).Mul(a, b)
		check(rt, "product", product, want.Mod(want, params.N))
		if b.Sign() != 0 {
			check(rt, "inverse", inverseOrder(&y), new(big.Int).ModInverse(b, params.N))
		}
	})
	// Numbers with one quotient, or a few, that are great.
	for shift := range uint(256) {
		power := new(big.Int).Lsh(big.NewInt(1), shift)
		for _, s := range []*big.Int{power, new(big.Int).Div(params.N, power), new(big.Int).Sub(params.N, power)} {
			if s.Sign() > 0 && s.Cmp(params.N) < 0 {
				x := scalarOf(bytesOf(s))
				check(t, "inverse", inverseOrder(&x), new(big.Int).ModInverse(s, params.N))
			}
		}
	}
}

func newTable(t testing.TB, x, y *big.Int) *Table {
	t.Helper()
	table, ok := New(bytesOf(x), bytesOf(y))
	if !ok {
		t.Fatal("no table")
	}
	return table
}

func scalarFrom(n *big.Int) *scalar {
	x := scalarOf(bytesOf(n))
	return &x
}

// scalars below the order, of any digits or of those at the edges.
var scalars = rapid.OneOf(
	numbers(params.N),
	rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]int64{0, 1, half - 1, half, half + 1, 2*half - 1}), digits, digits), func(values []int64) *big.Int {
		n := new(big.Int)
		for _, v := range values {
			n.Add(n.Lsh(n, width), big.NewInt(v))
		}
		return n.Mod(n, params.N)
	}),
)

func TestXIs(t *testing.T) {
	if *newTable(t, params.Gx, params.Gy) != *baseTable() {
		t.Error("the base point's table is another")
	}
	sumsHold(t)
}

// sumsHold holds sums of multiples to crypto/elliptic.
func sumsHold(t *testing.T) {
	t.Helper()
	curve := elliptic.P256()
	qx, qy := curve.ScalarBaseMult([]byte("some number"))
	table := newTable(t, qx, qy)
	rapid.Check(t, func(rt *rapid.T) {
		u1, u2 := scalars.Draw(rt, "u1"), scalars.Draw(rt, "u2")
		x1, y1 := curve.ScalarBaseMult(bytesOf(u1))
		x2, y2 := curve.ScalarMult(qx, qy, bytesOf(u2))
		x, y := curve.Add(x1, y1, x2, y2)
		infinite := x.Sign() == 0 && y.Sign() == 0
		if got := table.xIs(scalarFrom(u1), scalarFrom(u2), scalarFrom(x)); got == infinite {
			rt.Errorf("%x: %v", x, got)
		}
		x.Xor(x, big.NewInt(1))
		if table.xIs(scalarFrom(u1), scalarFrom(u2), scalarFrom(x.Mod(x, params.P))) {
			rt.Error("another number is taken for the coordinate")
		}
	})
}

// TestXIsAboveTheOrder takes a point whose x is n + 2, and must be met by 2.
func TestXIsAboveTheOrder(t *testing.T) {
	x := new(big.Int)
	var y *big.Int
	for k := int64(1); y == nil; k++ { // the first x above n that a point has
		x.Add(params.N, big.NewInt(k))
		square := new(big.Int).Exp(x, big.NewInt(3), params.P)
		square.Sub(square, new(big.Int).Mul(big.NewInt(3), x))
		y = new(big.Int).ModSqrt(square.Add(square, params.B).Mod(square, params.P), params.P)
	}
	table := newTable(t, x, y)
	remainder := new(big.Int).Sub(x, params.N)
	for _, r := range []*big.Int{x, remainder} {
		if !table.xIs(&scalar{}, &scalar{1}, scalarFrom(r)) {
			t.Errorf("x is not %x", r)
		}
	}
	if table.xIs(&scalar{}, &scalar{1}, scalarFrom(remainder.Add(remainder, big.NewInt(1)))) {
		t.Error("another number is taken for the coordinate")
	}
	// r plus the order exceeds the prime, and 2^256.
	for _, r := range []*big.Int{new(big.Int).Sub(params.P, params.N), new(big.Int).Sub(params.N, big.NewInt(1))} {
		if table.xIs(&scalar{}, &scalar{1}, scalarFrom(r)) {
			t.Errorf("x is %x", r)
		}
	}
}

// TestXIsWhereSumsMeet takes the scalars that make an addition one of equal, or of
// opposite points.
func TestXIsWhereSumsMeet(t *testing.T) {
	base := baseTable()
	for _, n := range []*big.Int{big.NewInt(77), params.Gx} {
		u := scalarFrom(n)
		double := new(big.Int).Lsh(n, 1)
		x, _ := elliptic.P256().ScalarBaseMult(bytesOf(double.Mod(double, params.N)))
		if !base.xIs(u, u, scalarFrom(x)) {
			t.Errorf("%x·G twice is not its double", n)
		}
		if minus := scalarFrom(new(big.Int).Sub(params.N, n)); base.xIs(u, minus, &scalar{}) {
			t.Errorf("%x·G less itself has a coordinate", n)
		}
	}
	if zero := new(scalar); base.xIs(zero, zero, zero) {
		t.Error("0·G + 0·G has a coordinate")
	}
}

// TestVerify holds signatures to crypto/ecdsa, and refuses numbers that are none.
func TestVerify(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, key.X, key.Y)
	for size := range 70 {
		digest := make([]byte, size)
		rand.Read(digest)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			t.Fatal(err)
		}
		if !table.Verify(digest, bytesOf(r), bytesOf(s)) {
			t.Errorf("a digest of %d bytes: refused", size)
		}
		if changed := new(big.Int).Xor(s, big.NewInt(1)); table.Verify(digest, bytesOf(r), bytesOf(changed)) {
			t.Errorf("a digest of %d bytes: another s", size)
		}
		if size > 0 {
			digest[min(size, Size)-1] ^= 1
			if table.Verify(digest, bytesOf(r), bytesOf(s)) {
				t.Errorf("a digest of %d bytes: another digest", size)
			}
		}
	}
	digest := bytesOf(params.Gy)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, Size)
	for i := range whole {
		whole[i] = 0xff
	}
	for _, bad := range [][]byte{nil, make([]byte, Size), bytesOf(params.N), whole, make([]byte, Size-1), make([]byte, Size+1)} {
		if table.Verify(digest, bad, bytesOf(s)) || table.Verify(digest, bytesOf(r), bad) || table.Verify(digest, bad, bad) {
			t.Errorf("%x is taken", bad)
		}
	}
}

func TestNoPoint(t *testing.T) {
	for name, xy := range map[string][2][]byte{
		"off the curve":    {bytesOf(big.NewInt(1)), bytesOf(big.NewInt(1))},
		"zero":             {bytesOf(new(big.Int)), bytesOf(new(big.Int))},
		"not below prime":  {bytesOf(params.P), bytesOf(params.Gy)},
		"short":            {params.Gx.Bytes()[1:], bytesOf(params.Gy)},
		"another ordinate": {bytesOf(params.Gx), bytesOf(params.Gx)},
	} {
		if _, ok := New(xy[0], xy[1]); ok {
			t.Errorf("%s: a table", name)
		}
	}
}
