package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// record writes what became of some messages, all of it or nothing, if the
// lease is still ours, and renews the lease.
func (r *run) record(ctx context.Context, batch []result) error {
	// The messages are sent: that we are told to stop meanwhile changes nothing.
	ctx = context.WithoutCancel(ctx)
	now := r.Now()
	batch = slices.DeleteFunc(batch, func(one result) bool { return one.cut })
	next := r.after(batch, now)
	err := postgres.InTx(ctx, r.Pool, func(tx pgx.Tx) error {
		gone := slices.ContainsFunc(batch, func(one result) bool { return one.gone })
		if gone { // first, as everybody takes these locks in this order
			if _, err := tx.Exec(ctx, `select from webhook_subscription where id = $1 for no key update`, r.subscription); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, `
			update webhook_pump set lease_until = $3, streak = $4, streak_of = $5, hold_until = $6
			where subscription_id = $1 and lease = $2`,
			r.subscription, r.lease, now.Add(leaseTime), next.streak, next.last, optional(next.held))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errLeaseLost
		}
		for _, one := range batch {
			if err := r.settle(ctx, tx, one, one.outcome(now)); err != nil {
				return err
			}
		}
		if gone {
			return disable(ctx, tx, r.subscription, fault.WebhookGone, now)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record what was sent: %w", err)
	}
	r.pace = next
	for _, one := range batch {
		if o := one.outcome(now); o.state == Dead {
			r.Metrics.deadLetter(o.reason)
		}
	}
	return nil
}

// optional is NULL for no time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// after decides from the latest messages when the subscriber may be asked
// again: at once if it took one; after what it asked for; and after longer and
// longer when it takes nothing of any transaction. That one transaction's event
// fails again and again says nothing about the others'.
func (p pace) after(batch []result, now time.Time) pace {
	var asked, wait time.Duration
	var failed []uuid.UUID
	taken := false
	for _, one := range batch {
		if one.delivered() {
			p, taken = pace{}, true
		} else {
			failed = append(failed, one.transaction)
		}
		asked = max(asked, one.retryAfter)
	}
	if len(failed) > 0 && !taken && (len(failed) > 1 || failed[0] != p.last) {
		p.streak, p.last = p.streak+1, failed[len(failed)-1]
		wait = holdAfter(p.streak)
	}
	if until := now.Add(max(asked, wait)); max(asked, wait) > 0 && until.After(p.held) {
		p.held = until
	}
	return p
}

// outcome is what a delivery becomes by an attempt.
type outcome struct {
	state   State
	reason  fault.Code // why it is dead
	due     time.Time
	settled *time.Time
}

func (one result) outcome(now time.Time) outcome {
	if one.delivered() {
		return outcome{state: Delivered, due: now, settled: &now}
	}
	if one.gone || one.Code == fault.EventNotFound {
		return outcome{state: Dead, reason: one.Code, due: now, settled: &now}
	}
	pause, again := pauseAfter(one.tries + 1)
	if !again {
		return outcome{state: Dead, reason: fault.WebhookExhausted, due: now, settled: &now}
	}
	return outcome{state: Pending, due: now.Add(max(pause, one.retryAfter))}
}

// settle writes what became of one message. A message that failed pushes those
// behind it back too, so that they are not looked at again and again.
func (r *run) settle(ctx context.Context, tx pgx.Tx, one result, o outcome) error {
	attempt, err := json.Marshal(one.Attempt)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "encode an attempt")
	}
	_, err = tx.Exec(ctx, `
		update webhook_delivery
		set state = $4, reason = $5, due_at = $6, settled_at = $7, tries = tries + 1,
		    attempts = case when jsonb_array_length(attempts) >= $9 then attempts - 0 else attempts end || jsonb_build_array($8::jsonb)
		where subscription_id = $1 and transaction_id = $2 and sequence = $3 and state = 'pending'`,
		r.subscription, one.transaction, one.sequence, string(o.state), string(o.reason), o.due, o.settled, attempt, attemptsKept)
	if err != nil || o.state != Pending {
		return err
	}
	_, err = tx.Exec(ctx, `
		update webhook_delivery set due_at = $4
		where subscription_id = $1 and transaction_id = $2 and sequence > $3 and state = 'pending' and due_at < $4`,
		r.subscription, one.transaction, one.sequence, o.due)
	return err
}
