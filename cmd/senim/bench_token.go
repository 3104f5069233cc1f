package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/senim-kz/senim/hsm"
)

// tokenCallers is how many sign at once, each with a session.
const tokenCallers = 8

// tokenRounds times as many rounds, the shorter: what is ours is a hundredth of a
// signature, and the machine's own pace changes by more within a second.
const tokenRounds = 8

// signWith measures hsm.Key.Sign against a bare loop of C_SignInit and C_Sign,
// each caller with a session of its own, on the same token and key. Each counted
// operation is several signatures, so that a round lasts.
func signWith(algorithm hsm.Algorithm, signatures int) func(context.Context, *bench, benchRow) (benchResult, error) {
	return func(ctx context.Context, b *bench, row benchRow) (result benchResult, err error) {
		t, err := newTokenBench(ctx, b, row.name, algorithm)
		if err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, t.close()) }()
		short := *b
		short.config.Rounds *= tokenRounds
		result, err = short.alternate(ctx, row, t.side(b, signatures, t.ours), t.side(b, signatures, t.bare))
		return result, err
	}
}

// tokenBench is a SoftHSM token with a key, opened by hsm and once more without.
type tokenBench struct {
	closers []func() error
	key     *hsm.Key
	digest  [sha256.Size]byte

	raw       *pkcs11.Ctx
	sessions  []pkcs11.SessionHandle
	handle    pkcs11.ObjectHandle
	mechanism []*pkcs11.Mechanism
	input     []byte
}

func newTokenBench(ctx context.Context, b *bench, name string, algorithm hsm.Algorithm) (*tokenBench, error) {
	t := &tokenBench{digest: sha256.Sum256([]byte("a message"))}
	if err := t.open(ctx, b, name, algorithm); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *tokenBench) close() error {
	var errs []error
	for _, closer := range slices.Backward(t.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

// open makes the token in the folder of the measurements.
func (t *tokenBench) open(ctx context.Context, b *bench, name string, algorithm hsm.Algorithm) error {
	library, err := hsm.SoftHSMLibrary()
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "token-"+name)
	conf, err := hsm.WriteSoftHSMConfig(dir)
	if err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		return fmt.Errorf("tell SoftHSM where its tokens are: %w", err)
	}
	module, err := hsm.OpenModule(library, hsm.Options{Now: b.now, SessionsMax: tokenCallers})
	if err != nil {
		return err
	}
	t.closers = append(t.closers, module.Close)
	// Another row's surroundings may have SoftHSM open, with their folder and the
	// tokens of other rows.
	uri, err := initToken(module, "", "bench "+name, filepath.Join(dir, soPINName), pinFlags{file: filepath.Join(dir, pinName)})
	if err != nil {
		return err
	}
	token, err := module.Token(ctx, uri, hsm.PINFile(filepath.Join(dir, pinName)))
	if err != nil {
		return err
	}
	t.closers = append(t.closers, token.Close)
	if t.key, err = token.Generate(ctx, hsm.KeySpec{Label: "bench", Algorithm: algorithm}); err != nil {
		return err
	}
	return t.openBare(library, token.Info().SlotID, algorithm)
}

// openBare opens the sessions of the bare loop. The library is initialised and
// logged in already, both of which are the process's (PKCS#11 v2.40 §5.4, §5.6).
func (t *tokenBench) openBare(library string, slot uint, algorithm hsm.Algorithm) error {
	if t.raw = pkcs11.New(library); t.raw == nil {
		return fmt.Errorf("load %s once more", library)
	}
	for range tokenCallers {
		session, err := t.raw.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			return fmt.Errorf("open a bare session: %w", err)
		}
		t.sessions = append(t.sessions, session)
		t.closers = append(t.closers, func() error { return t.raw.CloseSession(session) })
	}
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, t.key.ID())}
	if err := t.raw.FindObjectsInit(t.sessions[0], template); err != nil {
		return fmt.Errorf("find the key: %w", err)
	}
	found, _, err := t.raw.FindObjects(t.sessions[0], 1)
	if err := errors.Join(err, t.raw.FindObjectsFinal(t.sessions[0])); err != nil || len(found) != 1 {
		return fmt.Errorf("find the key: %d, %w", len(found), err)
	}
	t.handle = found[0]
	t.mechanism, t.input = []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, t.digest[:]
	if algorithm == hsm.RSA2048 {
		// DigestInfo of SHA-256 (RFC 8017 §9.2 note 1).
		info := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
		t.mechanism, t.input = []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)}, slices.Concat(info, t.digest[:])
	}
	return nil
}

// side signs with all callers at once; operation i is caller i modulo their
// number, so that no session is used by two.
func (t *tokenBench) side(b *bench, signatures int, sign func(caller int) error) benchSide {
	return func(ctx context.Context, n int) ([]time.Duration, time.Duration, error) {
		if b.config.Small {
			signatures = 1
		}
		return inParallel(ctx, b.now, tokenCallers, n*signatures, func(_ context.Context, i int) error { return sign(i % tokenCallers) })
	}
}

func (t *tokenBench) ours(int) error {
	_, err := t.key.Sign(rand.Reader, t.digest[:], crypto.SHA256)
	return err
}

func (t *tokenBench) bare(caller int) error {
	session := t.sessions[caller]
	if err := t.raw.SignInit(session, t.mechanism, t.handle); err != nil {
		return err
	}
	_, err := t.raw.Sign(session, t.input)
	return err
}
