package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/outbox"
	"github.com/senim-kz/senim/internal/postgres"
)

// Limits of subscriptions.
const (
	ownedMax       = 20 // per owner
	typesMax       = 32 // per subscription
	urlBytesMax    = 2048
	descriptionMax = 256 // characters
	listMax        = 100 // of one page
)

// typePattern is a type of event, or the beginning of some: "payment.*".
var typePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?$`)

// Owner is who opens a subscription, and of whose transactions it may hear.
type Owner struct {
	ID         string
	Restricted bool   // to the transactions of Party
	Party      string // as Config.Parties names it; set if Restricted
}

// Viewer is who looks at subscriptions: at its own, or at all.
type Viewer struct {
	ID  string
	All bool
}

// Draft is what a new subscription is made of.
type Draft struct {
	URL         string
	Description string
	Types       []string // types, or "payment.*"; empty means every type
	Schemes     []Scheme // empty means HMAC
}

// Subscription is one subscriber's wish to be told.
type Subscription struct {
	ID             uuid.UUID
	Owner          string
	URL            string
	Description    string
	Types          []string
	Keys           []Key // in use
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DisabledAt     *time.Time
	DisabledReason fault.Code
	HeldUntil      *time.Time // nothing is sent before: the subscriber did not answer
	Pending, Dead  int        // deliveries; counted to countMax
}

// Create opens a subscription and returns the keys that its messages are signed
// with; their secrets are never shown again. Events that are published from now
// on are sent to it. Errors: webhook_invalid, webhook_address_not_allowed,
// webhook_limit_reached.
func (s *Service) Create(ctx context.Context, owner Owner, d Draft) (*Subscription, []IssuedKey, error) {
	if len(d.Schemes) == 0 {
		d.Schemes = []Scheme{HMAC}
	}
	if err := errors.Join(s.checkURL(d.URL), checkDescription(d.Description), checkTypes(d.Types), checkSchemes(d.Schemes)); err != nil {
		return nil, nil, err
	}
	if owner.ID == "" || owner.Restricted && owner.Party == "" {
		return nil, nil, fault.New(fault.WebhookDenied, "", "the caller acts for nobody whose transactions it could hear of")
	}
	now := s.config.Now().UTC().Truncate(time.Microsecond)
	id := postgres.NewID(now)
	var keys []key
	for _, scheme := range d.Schemes {
		keys = append(keys, newKey(scheme, now))
	}
	err := s.change(ctx, owner.ID, "webhook.create", id, func(tx pgx.Tx) error {
		if err := s.insert(ctx, tx, id, owner, d, now); err != nil {
			return err
		}
		return insertKeys(ctx, tx, id, keys)
	})
	if err != nil {
		return nil, nil, err
	}
	created, err := s.Get(ctx, Viewer{ID: owner.ID}, id)
	if err != nil {
		return nil, nil, err
	}
	issued := make([]IssuedKey, len(keys))
	for i, k := range keys {
		issued[i] = k.issued()
	}
	return created, issued, nil
}

func (s *Service) insert(ctx context.Context, tx pgx.Tx, id uuid.UUID, owner Owner, d Draft, now time.Time) error {
	// Under a lock, or two requests at once would pass the limit together.
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('webhook owner ' || $1, 0))`, owner.ID); err != nil {
		return err
	}
	var owned int
	if err := tx.QueryRow(ctx, `select count(*) from webhook_subscription where owner = $1 and deleted_at is null`, owner.ID).Scan(&owned); err != nil {
		return err
	}
	if owned >= ownedMax {
		return fault.New(fault.WebhookLimit, "", "%d are the most", ownedMax)
	}
	var party *string
	if owner.Restricted {
		party = &owner.Party
	}
	_, err := tx.Exec(ctx, `
		insert into webhook_subscription (id, owner, party, url, description, types, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $7)`, id, owner.ID, party, d.URL, d.Description, typesOf(d.Types), now)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into webhook_pump (subscription_id) values ($1)`, id)
	return err
}

// typesOf is never nil, which would be NULL.
func typesOf(types []string) []string { return append([]string{}, types...) }

func (s *Service) checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "" || len(raw) > urlBytesMax || err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" || u.User != nil:
		return fault.New(fault.WebhookInvalid, "/url", "want an absolute address of at most %d bytes, without user and fragment", urlBytesMax)
	case u.Scheme != "https" && !(s.config.Plain && u.Scheme == "http"):
		return fault.New(fault.WebhookAddress, "/url", "want https")
	}
	if err := s.config.Client.Permits(raw); err != nil {
		return fault.Wrap(err, fault.WebhookAddress, "/url", "the operator has not listed this host")
	}
	return nil
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > descriptionMax {
		return fault.New(fault.WebhookInvalid, "/description", "at most %d characters", descriptionMax)
	}
	return nil
}

func checkTypes(types []string) error {
	if len(types) > typesMax {
		return fault.New(fault.WebhookInvalid, "/types", "at most %d", typesMax)
	}
	for i, t := range types {
		if len(t) > outbox.TypeBytesMax || !typePattern.MatchString(t) {
			return fault.New(fault.WebhookInvalid, fmt.Sprintf("/types/%d", i), `neither a type of event nor "name.*"`)
		}
	}
	return nil
}

func checkSchemes(schemes []Scheme) error {
	for i, scheme := range schemes {
		if scheme != HMAC && scheme != Ed25519 || slices.Contains(schemes[:i], scheme) {
			return fault.New(fault.WebhookInvalid, fmt.Sprintf("/schemes/%d", i), "want v1, v1a or each of them once")
		}
	}
	return nil
}

// Change is what is to be different; nil leaves it as it is.
type Change struct {
	URL         *string
	Description *string
	Types       *[]string
	Enabled     *bool
}

// Update changes a subscription. A disabled one is sent nothing and nothing is
// queued for it: what was pending is dead, and can be replayed once it is
// enabled again, as can what happened meanwhile. Errors: webhook_not_found,
// webhook_invalid, webhook_address_not_allowed.
func (s *Service) Update(ctx context.Context, v Viewer, id uuid.UUID, c Change) (*Subscription, error) {
	if err := s.checkChange(c); err != nil {
		return nil, err
	}
	err := s.change(ctx, v.ID, "webhook.update", id, func(tx pgx.Tx) error {
		now := s.config.Now()
		if err := lockOwn(ctx, tx, v, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			update webhook_subscription
			set url = coalesce($2, url), description = coalesce($3, description), types = coalesce($4, types), updated_at = $5
			where id = $1`, id, c.URL, c.Description, c.Types, now)
		if err != nil {
			return err
		}
		if c.Enabled != nil && !*c.Enabled {
			return disable(ctx, tx, id, fault.WebhookDisabled, now)
		}
		if c.Enabled != nil {
			_, err := tx.Exec(ctx, `update webhook_subscription set disabled_at = null, disabled_reason = '' where id = $1`, id)
			if err != nil {
				return err
			}
		}
		return s.resume(ctx, tx, id)
	})
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, v, id)
}

// resume has a subscriber asked at once that was left alone.
func (s *Service) resume(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `update webhook_pump set streak = 0, hold_until = null where subscription_id = $1`, id)
	if err != nil {
		return fmt.Errorf("end the pause: %w", postgres.Classify(err))
	}
	return s.kick(ctx, tx, []uuid.UUID{id})
}

func (s *Service) checkChange(c Change) error {
	var errs []error
	if c.URL != nil {
		errs = append(errs, s.checkURL(*c.URL))
	}
	if c.Description != nil {
		errs = append(errs, checkDescription(*c.Description))
	}
	if c.Types != nil {
		*c.Types = typesOf(*c.Types)
		errs = append(errs, checkTypes(*c.Types))
	}
	return errors.Join(errs...)
}

// disable ends the sending: what is pending is dead for the same reason. One
// that is disabled already stays so for its own reason.
func disable(ctx context.Context, tx pgx.Tx, id uuid.UUID, reason fault.Code, now time.Time) error {
	_, err := tx.Exec(ctx, `
		update webhook_subscription set disabled_at = $2, disabled_reason = $3, updated_at = $2
		where id = $1 and disabled_at is null`, id, now, string(reason))
	if err != nil {
		return fmt.Errorf("disable a subscription: %w", postgres.Classify(err))
	}
	_, err = tx.Exec(ctx, `
		update webhook_delivery set state = 'dead', reason = $3, settled_at = $2
		where subscription_id = $1 and state = 'pending'`, id, now, string(reason))
	if err != nil {
		return fmt.Errorf("give up what is pending: %w", postgres.Classify(err))
	}
	return nil
}

// Delete ends a subscription and forgets its keys. Errors: webhook_not_found.
func (s *Service) Delete(ctx context.Context, v Viewer, id uuid.UUID) error {
	return s.change(ctx, v.ID, "webhook.delete", id, func(tx pgx.Tx) error {
		now := s.config.Now()
		if err := lockOwn(ctx, tx, v, id); err != nil {
			return err
		}
		if err := disable(ctx, tx, id, fault.WebhookDisabled, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from webhook_key where subscription_id = $1`, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update webhook_subscription set deleted_at = $2 where id = $1`, id, now)
		return err
	})
}

// lockOwn holds a subscription of the viewer for a change.
func lockOwn(ctx context.Context, tx pgx.Tx, v Viewer, id uuid.UUID) error {
	var found bool
	err := tx.QueryRow(ctx, `
		select true from webhook_subscription where id = $1 and deleted_at is null and ($2 or owner = $3) for no key update`,
		id, v.All, v.ID).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) {
		return missing()
	}
	return err
}

func missing() error { return fault.New(fault.WebhookNotFound, "/id", "none of this caller's") }

// change runs one change with its audit record.
func (s *Service) change(ctx context.Context, actor, action string, id uuid.UUID, fn func(pgx.Tx) error) error {
	err := postgres.InTx(ctx, s.config.Pool, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return outbox.Audit(ctx, tx, outbox.AuditRecord{
			Actor: actor, Action: action, Object: id.String(), Outcome: "done", At: s.config.Now(),
		})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}
