package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/senim-kz/senim/internal/dossier"
	"github.com/senim-kz/senim/internal/outbox/webhook"
)

// Subscriptions are the webhooks; it is *webhook.Service.
type Subscriptions interface {
	Create(ctx context.Context, owner webhook.Owner, d webhook.Draft) (*webhook.Subscription, []webhook.IssuedKey, error)
	List(ctx context.Context, v webhook.Viewer, after uuid.UUID, limit int) ([]webhook.Subscription, error)
	Get(ctx context.Context, v webhook.Viewer, id uuid.UUID) (*webhook.Subscription, error)
	Update(ctx context.Context, v webhook.Viewer, id uuid.UUID, c webhook.Change) (*webhook.Subscription, error)
	Delete(ctx context.Context, v webhook.Viewer, id uuid.UUID) error
	Rotate(ctx context.Context, v webhook.Viewer, id uuid.UUID, overlap time.Duration) ([]webhook.IssuedKey, error)
	Ping(ctx context.Context, v webhook.Viewer, id uuid.UUID) (*webhook.Attempt, error)
	Replay(ctx context.Context, v webhook.Viewer, id uuid.UUID, r webhook.Replay) (*webhook.Replayed, error)
	Deliveries(ctx context.Context, v webhook.Viewer, id uuid.UUID, d webhook.Deliveries) (*webhook.Page, error)
}

const (
	// overlapDefault is how long former keys sign on if the caller does not say.
	overlapDefault = 24 * time.Hour
	// notKept forbids caches to keep an answer with a secret.
	notKept = "no-store"
)

func (h handlers) CreateWebhook(ctx context.Context, r CreateWebhookRequestObject) (CreateWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	owner, err := dossier.SubscriberOf(c.caller)
	if err != nil {
		return nil, err
	}
	draft := webhook.Draft{URL: r.Body.URL, Description: given(r.Body.Description), Types: given(r.Body.Types)}
	for _, scheme := range given(r.Body.Schemes) {
		draft.Schemes = append(draft.Schemes, webhook.Scheme(scheme))
	}
	s, keys, err := h.rooms.Webhooks.Create(ctx, owner, draft)
	if err != nil {
		return nil, err
	}
	return CreateWebhook201JSONResponse{
		Body:    CreatedWebhook{Webhook: renderWebhook(*s), Keys: each(keys, renderIssuedKey)},
		Headers: CreateWebhook201ResponseHeaders{Location: "/v1/webhooks/" + s.ID.String(), CacheControl: notKept},
	}, nil
}

func (h handlers) ListWebhooks(ctx context.Context, r ListWebhooksRequestObject) (ListWebhooksResponseObject, error) {
	ctx, c := enter(ctx)
	all, err := h.rooms.Webhooks.List(ctx, dossier.WebhookViewerOf(c.caller), given(r.Params.After), given(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	return ListWebhooks200JSONResponse{Webhooks: each(all, renderWebhook)}, nil
}

func (h handlers) GetWebhook(ctx context.Context, r GetWebhookRequestObject) (GetWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	s, err := h.rooms.Webhooks.Get(ctx, dossier.WebhookViewerOf(c.caller), r.ID)
	if err != nil {
		return nil, err
	}
	return GetWebhook200JSONResponse(renderWebhook(*s)), nil
}

func (h handlers) UpdateWebhook(ctx context.Context, r UpdateWebhookRequestObject) (UpdateWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	change := webhook.Change{URL: r.Body.URL, Description: r.Body.Description, Types: r.Body.Types, Enabled: r.Body.Enabled}
	s, err := h.rooms.Webhooks.Update(ctx, dossier.WebhookViewerOf(c.caller), r.ID, change)
	if err != nil {
		return nil, err
	}
	return UpdateWebhook200JSONResponse(renderWebhook(*s)), nil
}

func (h handlers) DeleteWebhook(ctx context.Context, r DeleteWebhookRequestObject) (DeleteWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	if err := h.rooms.Webhooks.Delete(ctx, dossier.WebhookViewerOf(c.caller), r.ID); err != nil {
		return nil, err
	}
	return DeleteWebhook204Response{}, nil
}

func (h handlers) RotateWebhookKeys(ctx context.Context, r RotateWebhookKeysRequestObject) (RotateWebhookKeysResponseObject, error) {
	ctx, c := enter(ctx)
	overlap := overlapDefault
	if seconds := r.Body.OverlapSeconds; seconds != nil {
		overlap = time.Duration(*seconds) * time.Second
	}
	keys, err := h.rooms.Webhooks.Rotate(ctx, dossier.WebhookViewerOf(c.caller), r.ID, overlap)
	if err != nil {
		return nil, err
	}
	return RotateWebhookKeys201JSONResponse{
		Body:    IssuedWebhookKeys{Keys: each(keys, renderIssuedKey)},
		Headers: RotateWebhookKeys201ResponseHeaders{CacheControl: notKept},
	}, nil
}

func (h handlers) PingWebhook(ctx context.Context, r PingWebhookRequestObject) (PingWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	attempt, err := h.rooms.Webhooks.Ping(ctx, dossier.WebhookViewerOf(c.caller), r.ID)
	if err != nil {
		return nil, err
	}
	return PingWebhook200JSONResponse(renderAttempt(*attempt)), nil
}

func (h handlers) ReplayWebhook(ctx context.Context, r ReplayWebhookRequestObject) (ReplayWebhookResponseObject, error) {
	ctx, c := enter(ctx)
	done, err := h.rooms.Webhooks.Replay(ctx, dossier.WebhookViewerOf(c.caller), r.ID, webhook.Replay{
		Transaction: given(r.Body.TransactionID), Sequence: given(r.Body.Sequence),
		From: given(r.Body.From), To: given(r.Body.To), DeadLetters: given(r.Body.DeadLetters),
	})
	if err != nil {
		return nil, err
	}
	return ReplayWebhook202JSONResponse{Queued: done.Queued, More: done.More}, nil
}

func (h handlers) ListWebhookDeliveries(ctx context.Context, r ListWebhookDeliveriesRequestObject) (ListWebhookDeliveriesResponseObject, error) {
	ctx, c := enter(ctx)
	page, err := h.rooms.Webhooks.Deliveries(ctx, dossier.WebhookViewerOf(c.caller), r.ID, webhook.Deliveries{
		State: webhook.State(given(r.Params.State)), Transaction: given(r.Params.TransactionID),
		After: given(r.Params.After), Limit: given(r.Params.Limit),
	})
	if err != nil {
		return nil, err
	}
	return ListWebhookDeliveries200JSONResponse{
		Deliveries: each(page.Deliveries, renderDelivery), Next: optional(page.Next),
	}, nil
}

// given is what an optional member says, or the zero value.
func given[T any](member *T) T {
	if member == nil {
		var zero T
		return zero
	}
	return *member
}

func renderWebhook(s webhook.Subscription) Webhook {
	return Webhook{
		ID: s.ID, Owner: s.Owner, URL: s.URL, Description: s.Description, Types: append(WebhookTypes{}, s.Types...),
		Keys:      each(s.Keys, func(k webhook.Key) WebhookKey { return renderIssuedKey(webhook.IssuedKey{Key: k}) }),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Enabled: s.DisabledAt == nil, DisabledAt: s.DisabledAt, DisabledReason: optional(string(s.DisabledReason)),
		HeldUntil: s.HeldUntil, Pending: s.Pending, Dead: s.Dead,
	}
}

func renderIssuedKey(k webhook.IssuedKey) WebhookKey {
	return WebhookKey{
		ID: k.ID, Scheme: WebhookScheme(k.Scheme), Secret: optional(k.Secret), PublicKey: optional(k.PublicKey),
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
	}
}

func renderDelivery(d webhook.Delivery) WebhookDelivery {
	return WebhookDelivery{
		WebhookID: d.MessageID, TransactionID: d.Transaction, Sequence: d.Sequence, Type: d.Type,
		State: WebhookDeliveryState(d.State), Reason: optional(string(d.Reason)),
		QueuedAt: d.QueuedAt, NextAttemptAt: d.NextAt, SettledAt: d.SettledAt, Attempts: each(d.Attempts, renderAttempt),
	}
}

func renderAttempt(a webhook.Attempt) WebhookAttempt {
	shown := WebhookAttempt{At: a.At, LatencyMs: a.Latency, Code: optional(string(a.Code)), Answer: optional(a.Answer)}
	if a.Status != 0 {
		shown.Status = &a.Status
	}
	return shown
}
