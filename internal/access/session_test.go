package access

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/fault"
)

func (h *house) challenge(t *testing.T) string {
	t.Helper()
	c, err := h.NewChallenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Content
}

func TestSignInAndOut(t *testing.T) {
	h := newHouse(t)
	challenge := h.challenge(t)
	var says map[string]string
	if err := json.Unmarshal([]byte(challenge), &says); err != nil || says["purpose"] != challengePurpose || says["audience"] != issuer {
		t.Fatalf("the challenge says %s", challenge)
	}
	session, err := h.SignIn(t.Context(), envelope{challenge, holder(t, personIIN, firmBIN)}.seal())
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(sessionLife); !session.ExpiresAt.Equal(want) {
		t.Errorf("expires at %s, want %s", session.ExpiresAt, want)
	}
	c, err := h.Authenticate(t.Context(), Proof{Bearer: session.Token})
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != Person || c.Role != Trader || c.IIN.Digits() != personIIN || c.BIN != firmBIN || c.ID != session.Caller.ID {
		t.Errorf("authenticated as %+v", c)
	}
	if text := fmt.Sprint(c.LogValue()); strings.Contains(text, personIIN) || strings.Contains(c.ID, personIIN) {
		t.Errorf("the log would show %s", text)
	}
	var kept int
	err = h.pool.QueryRow(t.Context(), `select count(*) from access_session where encode(token_sha256, 'escape') = $1`, session.Token).Scan(&kept)
	if err != nil || kept != 0 {
		t.Errorf("the token itself is in the database: %v", err)
	}

	if err := h.SignOut(t.Context(), c, session.Token); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), Proof{Bearer: session.Token})
	wantCode(t, err, fault.SessionInvalid)
	wantCode(t, h.SignOut(t.Context(), c, session.Token), fault.SessionInvalid)
}

func TestAPersonIsTheSameAtEverySignIn(t *testing.T) {
	h := newHouse(t)
	signIn := func(iin, bin string) string {
		s, err := h.SignIn(t.Context(), envelope{h.challenge(t), holder(t, iin, bin)}.seal())
		if err != nil {
			t.Fatal(err)
		}
		return s.Caller.ID
	}
	first := signIn(personIIN, firmBIN)
	if again := signIn(personIIN, firmBIN); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if alone := signIn(personIIN, ""); alone == first {
		t.Error("acting for oneself and for a firm are one caller")
	}
}

func TestSignInRefused(t *testing.T) {
	h := newHouse(t)
	good := holder(t, personIIN, firmBIN)
	spent := h.challenge(t)
	if _, err := h.SignIn(t.Context(), envelope{spent, good}.seal()); err != nil {
		t.Fatal(err)
	}
	open := h.challenge(t)
	for name, c := range map[string]struct {
		cms  []byte
		want fault.Code
	}{
		"no signature":         {envelope{open, nil}.seal(), fault.SignatureInvalid},
		"garbage":              {[]byte("x"), fault.SignatureInvalid},
		"too big":              {make([]byte, SignInSizeMax+1), fault.InputTooBig},
		"challenge used":       {envelope{spent, good}.seal(), fault.ChallengeUnknown},
		"challenge made up":    {envelope{strings.Replace(open, "nonce\":\"", "nonce\":\"A", 1), good}.seal(), fault.ChallengeUnknown},
		"challenge and more":   {envelope{open + " ", good}.seal(), fault.ChallengeUnknown},
		"nothing signed":       {envelope{"", good}.seal(), fault.ChallengeUnknown},
		"nobody's certificate": {envelope{open, holder(t, "", firmBIN)}.seal(), fault.SignInUnnamed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.SignIn(t.Context(), c.cms)
			wantCode(t, err, c.want)
		})
	}
	h.clock.advance(challengeLife)
	_, err := h.SignIn(t.Context(), envelope{open, good}.seal())
	wantCode(t, err, fault.ChallengeUnknown)
}

func TestOneChallengeOpensOneSession(t *testing.T) {
	h := newHouse(t)
	cms := envelope{h.challenge(t), holder(t, personIIN, firmBIN)}.seal()
	var won atomic.Int32
	var hands sync.WaitGroup
	for range 8 {
		hands.Go(func() {
			_, err := h.SignIn(t.Context(), cms)
			if err == nil {
				won.Add(1)
			} else if !fault.Is(err, fault.ChallengeUnknown) {
				t.Error(err)
			}
		})
	}
	hands.Wait()
	if won.Load() != 1 {
		t.Errorf("one challenge opened %d sessions", won.Load())
	}
}

func TestSessionEndsByItself(t *testing.T) {
	h := newHouse(t)
	session, err := h.SignIn(t.Context(), envelope{h.challenge(t), holder(t, personIIN, firmBIN)}.seal())
	if err != nil {
		t.Fatal(err)
	}
	h.clock.advance(sessionLife - time.Second)
	if _, err := h.Authenticate(t.Context(), Proof{Bearer: session.Token}); err != nil {
		t.Error(err)
	}
	h.clock.advance(time.Second)
	for _, token := range []string{session.Token, "", "short", strings.Repeat("A", 43), strings.Repeat("A", 1<<20)} {
		_, err := h.Authenticate(t.Context(), Proof{Bearer: token})
		if want := fault.SessionInvalid; token != "" {
			wantCode(t, err, want)
		}
	}
}

func TestExpiredChallengesAndSessionsAreSwept(t *testing.T) {
	h := newHouse(t)
	for range 10 {
		if _, err := h.SignIn(t.Context(), envelope{h.challenge(t), holder(t, personIIN, "")}.seal()); err != nil {
			t.Fatal(err)
		}
		h.challenge(t)
	}
	h.clock.advance(time.Hour)
	for range 2 {
		cms := envelope{h.challenge(t), holder(t, personIIN, "")}.seal()
		if _, err := h.SignIn(t.Context(), cms); err != nil {
			t.Fatal(err)
		}
	}
	var challenges, sessions int
	err := h.pool.QueryRow(t.Context(), `select (select count(*) from access_challenge), (select count(*) from access_session)`).Scan(&challenges, &sessions)
	if err != nil || challenges != 0 || sessions != 2 {
		t.Errorf("%d challenges, %d sessions, %v", challenges, sessions, err)
	}
}
