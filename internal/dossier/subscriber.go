package dossier

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/kz"
	"github.com/senim-kz/senim/internal/outbox/webhook"
	"github.com/senim-kz/senim/internal/postgres"
)

// reads says whose transactions a caller is shown, and so of whose events it
// may be told: a trader its own, everybody else all.
func reads(caller access.Caller, declarant kz.BIN) bool {
	return caller.Role != access.Trader || caller.BIN != "" && caller.BIN == declarant
}

// SubscriberOf says as whom a caller subscribes to events: those of the
// transactions that Show shows it. A person's session ends within hours, so only
// systems subscribe. Errors: webhook_denied.
func SubscriberOf(caller access.Caller) (webhook.Owner, error) {
	owner := webhook.Owner{ID: caller.ID, Restricted: caller.Role == access.Trader, Party: string(caller.BIN)}
	if caller.Kind != access.System {
		return webhook.Owner{}, fault.New(fault.WebhookDenied, "", "a person's session cannot subscribe; a registered system can")
	}
	if owner.Restricted && owner.Party == "" {
		return webhook.Owner{}, fault.New(fault.WebhookDenied, "", "the client acts for nobody with a BIN")
	}
	return owner, nil
}

// WebhookViewerOf says which subscriptions a caller sees: its own, or for who
// looks after the service, all.
func WebhookViewerOf(caller access.Caller) webhook.Viewer {
	return webhook.Viewer{ID: caller.ID, All: caller.Role == access.Support || caller.Role == access.Auditor}
}

// DeclarantsOf says whose each transaction is, as webhook.Config.Parties wants
// to know it.
func DeclarantsOf(ctx context.Context, q postgres.Querier, transactions []uuid.UUID) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	var times []time.Time
	for _, id := range transactions {
		if id.Version() == 7 { // others are none of ours
			ids, times = append(ids, id), append(times, recordedAt(id))
		}
	}
	rows, err := q.Query(ctx, `
		select d.id, d.declarant_bin from unnest($1::uuid[], $2::timestamptz[]) as x (id, recorded_at)
		join dossier d on d.id = x.id and d.recorded_at = x.recorded_at`, ids, times)
	if err != nil {
		return nil, fmt.Errorf("find the declarants: %w", postgres.Classify(err))
	}
	defer rows.Close()
	of := make(map[uuid.UUID]string, len(ids))
	for rows.Next() {
		var id uuid.UUID
		var declarant string
		if err := rows.Scan(&id, &declarant); err != nil {
			return nil, fmt.Errorf("find the declarants: %w", err)
		}
		of[id] = declarant
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find the declarants: %w", postgres.Classify(err))
	}
	return of, nil
}
