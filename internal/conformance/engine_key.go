package main

import (
	"crypto"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/senim-kz/senim/pki/algo"
)

// engineKey makes signatures of one algorithm and length.
type engineKey struct {
	spki []byte
	pub  crypto.PublicKey // nil if the table of algorithms lacks it
	sign func(digest []byte, name *algo.Digest) ([]byte, error)
}

// engineKeysPerKind is how many keys of one kind a case has at its disposal:
// enough that who signs what is not confused, few enough to be made quickly.
const engineKeysPerKind = 6

var engineKeys struct {
	sync.Mutex
	made map[string]*engineKey
}

// engineKeyOf makes a key of a kind, or gives the one made before.
func engineKeyOf(algorithm string, bits, number int) (*engineKey, error) {
	engineKeys.Lock()
	defer engineKeys.Unlock()
	name := fmt.Sprintf("%s %d %d", algorithm, bits, number%engineKeysPerKind)
	if k, ok := engineKeys.made[name]; ok {
		return k, nil
	}
	k, err := makeEngineKey(algorithm, bits)
	if err != nil {
		return nil, err
	}
	if k.pub, err = algo.ParsePublicKey(k.spki); err != nil {
		k.pub = nil // of a length or curve that is not computed here
	}
	if engineKeys.made == nil {
		engineKeys.made = map[string]*engineKey{}
	}
	engineKeys.made[name] = k
	return k, nil
}

func makeEngineKey(algorithm string, bits int) (*engineKey, error) {
	switch algorithm {
	case "RSA", "RSASSA-PSS":
		if bits < engineRSAMin || bits > engineRSAMax {
			return foreignEngineKey(), nil
		}
		return makeEngineRSA(bits)
	case "DSA":
		return makeEngineDSA(bits)
	}
	curves := map[int]elliptic.Curve{224: elliptic.P224(), 256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521(), 512: elliptic.P521()}
	curve, ok := curves[bits]
	if !ok {
		return foreignEngineKey(), nil
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	oids := map[elliptic.Curve]asn1.ObjectIdentifier{
		elliptic.P224(): {1, 3, 132, 0, 33}, elliptic.P256(): {1, 2, 840, 10045, 3, 1, 7}, elliptic.P384(): {1, 3, 132, 0, 34}, elliptic.P521(): {1, 3, 132, 0, 35},
	}
	return &engineKey{
		spki: subjectPublicKeyInfo(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, point, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oids[curve]) }),
		sign: func(digest []byte, _ *algo.Digest) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, digest) },
	}, nil
}

// foreignEngineKey is one of an algorithm that is not computed here.
func foreignEngineKey() *engineKey {
	return &engineKey{
		spki: subjectPublicKeyInfo(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, []byte{4, 1, 2, 3}, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 132, 0, 6})
		}),
		sign: func([]byte, *algo.Digest) ([]byte, error) { return []byte{0x30, 0}, nil },
	}
}

func subjectPublicKeyInfo(oid asn1.ObjectIdentifier, key []byte, parameters func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			parameters(b)
		})
		b.AddASN1BitString(key)
	})
	return b.BytesOrPanic()
}

// Lengths of RSA keys that are made: shorter ones hold no signature, longer ones
// are not computed with.
const (
	engineRSAMin = 1000
	engineRSAMax = 8192
)

// enginePrimeBits is the length of the primes of an RSA key here: short ones are
// found quickly. Nothing but a test trusts such keys.
const enginePrimeBits = 384

// makeEngineRSA makes a modulus of exactly so many bits of many primes.
func makeEngineRSA(bits int) (*engineKey, error) {
	one := big.NewInt(1)
	e := big.NewInt(65537)
	n, phi := big.NewInt(1), big.NewInt(1)
	for n.BitLen()+enginePrimeBits < bits-64 {
		p, err := rand.Prime(rand.Reader, enginePrimeBits)
		if err != nil {
			return nil, err
		}
		less := new(big.Int).Sub(p, one)
		if new(big.Int).Mod(less, e).Sign() == 0 {
			continue // whatever the last prime, there would be no d
		}
		n.Mul(n, p)
		phi.Mul(phi, less)
	}
	low := new(big.Int).Div(new(big.Int).Lsh(one, uint(bits-1)), n)
	low.Add(low, one)
	span := new(big.Int).Sub(new(big.Int).Div(new(big.Int).Lsh(one, uint(bits)), n), low)
	for {
		p, err := rand.Int(rand.Reader, span)
		if err != nil {
			return nil, err
		}
		p.Add(p, low).SetBit(p, 0, 1)
		if !p.ProbablyPrime(20) {
			continue
		}
		all := new(big.Int).Mul(n, p)
		d := new(big.Int).ModInverse(e, new(big.Int).Mul(phi, new(big.Int).Sub(p, one)))
		if d == nil || all.BitLen() != bits {
			continue
		}
		var key cryptobyte.Builder
		key.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1BigInt(all); b.AddASN1BigInt(e) })
		return &engineKey{
			spki: subjectPublicKeyInfo(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, key.BytesOrPanic(), func(b *cryptobyte.Builder) { b.AddASN1NULL() }),
			sign: func(digest []byte, name *algo.Digest) ([]byte, error) { return signPKCS1(all, d, digest, name) },
		}, nil
	}
}

// signPKCS1 is RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1): crypto/rsa makes none with
// keys like these.
func signPKCS1(n, d *big.Int, digest []byte, name *algo.Digest) ([]byte, error) {
	var info cryptobyte.Builder
	info.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(name.Identifier().OID)
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(digest)
	})
	der, err := info.Bytes()
	if err != nil {
		return nil, err
	}
	size := (n.BitLen() + 7) / 8
	block := make([]byte, size)
	if size < len(der)+11 {
		return nil, fmt.Errorf("a modulus of %d bits is too short", n.BitLen())
	}
	block[1] = 1
	for i := 2; i < size-len(der)-1; i++ {
		block[i] = 0xff
	}
	copy(block[size-len(der):], der)
	return new(big.Int).Exp(new(big.Int).SetBytes(block), d, n).FillBytes(make([]byte, size)), nil
}

func makeEngineDSA(bits int) (*engineKey, error) {
	var key dsa.PrivateKey
	size := dsa.L2048N256
	if bits < 2048 {
		size = dsa.L1024N160
	}
	if err := dsa.GenerateParameters(&key.Parameters, rand.Reader, size); err != nil {
		return nil, err
	}
	if err := dsa.GenerateKey(&key, rand.Reader); err != nil {
		return nil, err
	}
	var y cryptobyte.Builder
	y.AddASN1BigInt(key.Y)
	return &engineKey{
		spki: subjectPublicKeyInfo(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, y.BytesOrPanic(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1BigInt(key.P); b.AddASN1BigInt(key.Q); b.AddASN1BigInt(key.G) })
		}),
		sign: func(digest []byte, _ *algo.Digest) ([]byte, error) {
			r, s, err := dsa.Sign(rand.Reader, &key, digest[:min(len(digest), key.Q.BitLen()/8)])
			if err != nil {
				return nil, err
			}
			var b cryptobyte.Builder
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1BigInt(r); b.AddASN1BigInt(s) })
			return b.Bytes()
		},
	}, nil
}
