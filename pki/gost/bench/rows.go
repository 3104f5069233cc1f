package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"time"

	"github.com/senim-kz/senim/pki/gost"
	"github.com/senim-kz/senim/pki/gost/gost341194"
	"github.com/senim-kz/senim/pki/gost/streebog"
)

// row is one comparison. Both sides do n operations or as many as fit.
type row struct {
	name, against string
	ours          func(n int) error
	reference     func(time.Duration) (float64, error)
	must          float64
}

// musts are the least ratios of the two builds.
var musts = map[string]struct{ pure, best float64 }{
	"verify 512-A, new key":    {1.8, 2.2},
	"verify 512-A, cached key": {6.5, 8},
	"verify 256 CryptoPro-A":   {2.0, 2.2},
	"Streebog-512, 64 KiB":     {0.75, 1.5},
	"GOST R 34.11-94, 64 KiB":  {2.7, 2.7},
}

func rows(peer *peer) ([]row, error) {
	long, err := newSubject(gost.SignatureKZ2015x512, "KZ 2015-512-A")
	if err != nil {
		return nil, err
	}
	short, err := newSubject(gost.SignatureKZ2004, "KZ 2004-A")
	if err != nil {
		return nil, err
	}
	edwardsLong, err := newSubject(gost.SignatureRU2012x512, "id-tc26-gost-3410-2012-512-paramSetC")
	if err != nil {
		return nil, err
	}
	edwardsShort, err := newSubject(gost.SignatureKZ2015x256, "KZ 2015-256-A")
	if err != nil {
		return nil, err
	}
	general, err := newSubject(gost.SignatureRU2012x256, "id-GostR3410-2001-CryptoPro-B-ParamSet")
	if err != nil {
		return nil, err
	}
	cachedLong, err := long.cached()
	if err != nil {
		return nil, err
	}
	cachedShort, err := short.cached()
	if err != nil {
		return nil, err
	}
	var out []row
	engine := func(name, operation string, ours func(int) error) {
		if peer == nil {
			return
		}
		must := musts[name].best
		if Build == "purego" {
			must = musts[name].pure
		}
		out = append(out, row{name, "gost-engine", ours,
			func(slice time.Duration) (float64, error) { return peer.rate(operation, slice) }, must})
	}
	engine("verify 512-A, new key", "verify512", long.verify)
	engine("verify 512-A, cached key", "verify512", cachedLong)
	engine("verify 256 CryptoPro-A", "verify256", short.verify)
	engine("verify 256 CryptoPro-A, cached key", "verify256", cachedShort)
	engine("verify tc26-256-A", "verify256TCA", edwardsShort.verify)
	engine("verify tc26-512-C", "verify512C", edwardsLong.verify)
	engine("verify 256 CryptoPro-B", "verify256B", general.verify)
	engine("sign 512-A", "sign512", long.sign)
	engine("Streebog-512, 64 KiB", "streebog512", hashStreebog)
	engine("GOST R 34.11-94, 64 KiB", "gost341194", hash94)

	if Build == "purego" {
		return out, nil
	}
	p256, err := verifyP256()
	if err != nil {
		return nil, err
	}
	own := func(slice time.Duration) (float64, error) { return rate(p256, slice) }
	out = append(out,
		row{"verify 512-A, new key", "crypto/ecdsa P-256", long.verify, own, 0.20},
		row{"verify 256 CryptoPro-A", "crypto/ecdsa P-256", short.verify, own, 1.1})
	return out, nil
}

// subject is a key with a signature.
type subject struct {
	algorithm         *gost.Algorithm
	key               *gost.PrivateKey
	public            *gost.PublicKey
	digest, signature []byte
}

func newSubject(a *gost.Algorithm, curve string) (*subject, error) {
	c, err := gost.CurveByName(curve)
	if err != nil {
		return nil, err
	}
	key, err := gost.GenerateKey(rand.Reader, a.Key, c)
	if err != nil {
		return nil, err
	}
	digest := make([]byte, c.Size())
	if _, err := rand.Read(digest); err != nil {
		return nil, err
	}
	signature, err := key.Sign(rand.Reader, digest, a)
	if err != nil {
		return nil, err
	}
	return &subject{a, key, key.Public().(*gost.PublicKey), digest, signature}, nil
}

// verify reads the point each time, as for a key never met.
func (s *subject) verify(n int) error {
	xy := s.public.Bytes()
	for range n {
		key, err := gost.NewPublicKey(s.algorithm.Key, s.public.Curve(), xy)
		if err != nil {
			return err
		}
		if err := s.algorithm.Verify(key, s.digest, s.signature); err != nil {
			return err
		}
	}
	return nil
}

func (s *subject) sign(n int) error {
	for range n {
		if _, err := s.key.Sign(rand.Reader, s.digest, s.algorithm); err != nil {
			return err
		}
	}
	return nil
}

// cached verifies through a cache that has the key's table.
func (s *subject) cached() (func(n int) error, error) {
	cache := gost.NewCache(gost.Limits{SeenBefore: 1})
	if err := cache.Verify(s.algorithm, s.public, s.digest, s.signature); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	done := make(chan struct{})
	go func() { defer close(done); cache.Run(ctx) }()
	for tick := time.Tick(time.Millisecond); cache.Tables() == 0 && ctx.Err() == nil; {
		<-tick
	}
	cancel()
	<-done
	if cache.Tables() == 0 {
		return nil, errors.New("the table was not made in a minute")
	}
	return func(n int) error {
		for range n {
			if err := cache.Verify(s.algorithm, s.public, s.digest, s.signature); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

var data = make([]byte, 1<<16)

func hashStreebog(n int) error {
	h := streebog.New512()
	for range n {
		h.Reset()
		h.Write(data)
		h.Sum(nil)
	}
	return nil
}

func hash94(n int) error {
	h := gost341194.New(gost341194.CryptoPro)
	for range n {
		h.Reset()
		h.Write(data)
		h.Sum(nil)
	}
	return nil
}

func verifyP256() (func(n int) error, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	digest := make([]byte, 32)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		return nil, err
	}
	return func(n int) error {
		for range n {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
				return errors.New("P-256 does not verify")
			}
		}
		return nil
	}, nil
}
