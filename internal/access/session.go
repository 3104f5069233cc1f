package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
	"github.com/senim-kz/senim/pki/cert"
)

const (
	challengeLife = 5 * time.Minute  // to find the token and type the PIN
	sessionLife   = 15 * time.Minute // then the token is asked again

	// SignInSizeMax bounds a signed challenge: a signature, a chain of
	// certificates and the challenge need less than a quarter of it.
	SignInSizeMax = 64 << 10

	// challengePurpose stands in the text a person signs, so that it cannot
	// be taken for consent to anything else.
	challengePurpose = "senim sign-in"
)

// VerifySignIn checks a CMS message with its content inside, wholly (EN 319
// 102-1) and at the given time, and returns the content with the signer's
// certificate. It fails unless the verdict is TOTAL-PASSED. cmd/senim gives
// access the verifier.
type VerifySignIn func(ctx context.Context, cms []byte, at time.Time) (SignedIn, error)

// SignedIn is what a verified sign-in message holds.
type SignedIn struct {
	Content     []byte
	Certificate *cert.Certificate
}

// Challenge is a text for a person to sign: it is good once, until it
// expires.
type Challenge struct {
	Content   string
	ExpiresAt time.Time
}

// Session of a person. Token is a secret, shown here and never again.
type Session struct {
	Token     string
	ExpiresAt time.Time
	Caller    Caller
}

// NewChallenge gives out a challenge. Its text names this service, so a
// signature made for another one is of no use here.
func (s *Service) NewChallenge(ctx context.Context) (Challenge, error) {
	now, nonce := s.now(), secret()
	expires := now.Add(challengeLife).UTC().Truncate(time.Second)
	content, err := json.Marshal(struct {
		Purpose  string    `json:"purpose"`
		Audience string    `json:"audience"`
		Nonce    string    `json:"nonce"`
		Expires  time.Time `json:"expires_at"`
	}{challengePurpose, s.issuer, base64.RawURLEncoding.EncodeToString(nonce[:]), expires})
	if err != nil {
		return Challenge{}, fmt.Errorf("write challenge: %w", err)
	}
	digest := sha256.Sum256(content)
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			delete from access_challenge where ctid = any(array(
			    select ctid from access_challenge where expires_at < $1 limit $2 for update skip locked))`, now, sweepMax)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into access_challenge (content_sha256, expires_at) values ($1, $2)`, digest[:], expires)
		return err
	})
	if err != nil {
		return Challenge{}, fmt.Errorf("keep challenge: %w", err)
	}
	return Challenge{Content: string(content), ExpiresAt: expires}, nil
}

// SignIn turns a signed challenge into a session. The signature is checked
// first and the challenge used up after, in the transaction that opens the
// session: so a failed attempt does not spend it, and two at once cannot both
// win. Errors: challenge_unknown, sign_in_unnamed, input_too_big, and those of
// the verifier.
func (s *Service) SignIn(ctx context.Context, cms []byte) (Session, error) {
	if len(cms) > SignInSizeMax {
		return Session{}, fault.New(fault.InputTooBig, "", "a signed challenge has at most %d bytes", SignInSizeMax)
	}
	now := s.now()
	signed, err := s.verifySignIn(ctx, cms, now)
	if err != nil {
		return Session{}, fmt.Errorf("verify sign-in: %w", err)
	}
	holder := signed.Certificate.Holder()
	if holder.IIN == "" {
		return Session{}, fault.New(fault.SignInUnnamed, "", "the certificate is not a person's")
	}
	token := secret()
	session := Session{
		Token:     base64.RawURLEncoding.EncodeToString(token[:]),
		ExpiresAt: now.Add(sessionLife).UTC().Truncate(time.Second),
	}
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := spendChallenge(ctx, tx, signed.Content, now); err != nil {
			return err
		}
		person, err := personOf(ctx, tx, holder.IIN, holder.BIN, now)
		if err != nil {
			return err
		}
		session.Caller = trader(person, holder.IIN, holder.BIN)
		return openSession(ctx, tx, session, person, signed.Certificate.Fingerprint(), now)
	})
	if err != nil {
		return Session{}, fmt.Errorf("open session: %w", err)
	}
	return session, nil
}

// trader is the caller of a person's session. Traders are the only people who
// sign in; the staff of the single window use their systems.
func trader(person uuid.UUID, iin kz.IIN, bin kz.BIN) Caller {
	return Caller{ID: "person:" + person.String(), Kind: Person, Role: Trader, Scopes: ScopesOf(Trader), IIN: iin, BIN: bin}
}

func spendChallenge(ctx context.Context, tx pgx.Tx, content []byte, now time.Time) error {
	digest := sha256.Sum256(content)
	tag, err := tx.Exec(ctx, `delete from access_challenge where content_sha256 = $1 and expires_at > $2`, digest[:], now)
	if err != nil {
		return fmt.Errorf("spend challenge: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fault.New(fault.ChallengeUnknown, "", "what was signed is no challenge of ours that is still open")
	}
	return nil
}

// personOf returns the identifier of a person acting for an organisation (or,
// without a BIN, for themselves), the same at every sign-in.
func personOf(ctx context.Context, tx pgx.Tx, iin kz.IIN, bin kz.BIN, now time.Time) (id uuid.UUID, err error) {
	// The update that changes nothing makes the row there already returnable.
	err = tx.QueryRow(ctx, `
		insert into access_person (id, iin, bin, created_at) values ($1, $2, $3, $4)
		on conflict (iin, bin) do update set created_at = access_person.created_at
		returning id`, uuid.New(), iin.Digits(), string(bin), now).Scan(&id)
	if err != nil {
		return id, fmt.Errorf("find person: %w", err)
	}
	return id, nil
}

func openSession(ctx context.Context, tx pgx.Tx, session Session, person uuid.UUID, certificate [sha256.Size]byte, now time.Time) error {
	_, err := tx.Exec(ctx, `
		delete from access_session where ctid = any(array(
		    select ctid from access_session where expires_at < $1 limit $2 for update skip locked))`, now, sweepMax)
	if err != nil {
		return fmt.Errorf("sweep sessions: %w", err)
	}
	digest := sha256.Sum256([]byte(session.Token))
	_, err = tx.Exec(ctx, `
		insert into access_session (token_sha256, person, certificate_sha256, created_at, expires_at)
		values ($1, $2, $3, $4, $5)`, digest[:], person, certificate[:], now, session.ExpiresAt)
	if err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return auditSession(ctx, tx, session.Caller.ID, "session.open", now)
}

func auditSession(ctx context.Context, tx pgx.Tx, actor, action string, now time.Time) error {
	return outbox.Audit(ctx, tx, outbox.AuditRecord{
		Actor: actor, Action: action, Object: actor, Purpose: challengePurpose, Outcome: "allowed", At: now,
	})
}

// callerOfSession authenticates by a session token. The look-up is not
// remembered: signing out counts at once, on every node.
func (s *Service) callerOfSession(ctx context.Context, token string) (Caller, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(secretSize) {
		return Caller{}, fault.New(fault.SessionInvalid, "", "not a session token")
	}
	digest := sha256.Sum256([]byte(token))
	var (
		person   uuid.UUID
		iin, bin string
	)
	err := s.pool.QueryRow(ctx, `
		select p.id, p.iin, p.bin from access_session s join access_person p on p.id = s.person
		where s.token_sha256 = $1 and s.expires_at > $2`, digest[:], s.now()).Scan(&person, &iin, &bin)
	if errors.Is(err, pgx.ErrNoRows) {
		return Caller{}, fault.New(fault.SessionInvalid, "", "no open session with this token")
	}
	if err != nil {
		return Caller{}, fmt.Errorf("read session: %w", postgres.Classify(err))
	}
	return trader(person, kz.IIN(iin), kz.BIN(bin)), nil
}

// SignOut ends the session of a token. A token without a session, and so a
// second sign-out, is session_invalid.
func (s *Service) SignOut(ctx context.Context, caller Caller, token string) error {
	digest := sha256.Sum256([]byte(token))
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from access_session where token_sha256 = $1`, digest[:])
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return fault.New(fault.SessionInvalid, "", "no open session with this token")
		}
		return auditSession(ctx, tx, caller.ID, "session.end", s.now())
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
