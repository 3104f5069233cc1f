package dossier

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/senim-kz/senim/internal/postgres"
)

// PublishReceiptKey makes the public half of the current receipt key known and
// returns every key that ever signed receipts, the current one first. It runs
// at start, before the first receipt.
func (s *Service) PublishReceiptKey(ctx context.Context) ([]jose.JSONWebKey, error) {
	current := s.receipts.PublicJWK()
	raw, err := json.Marshal(current)
	if err != nil {
		return nil, fmt.Errorf("encode receipt key: %w", err)
	}
	_, err = s.pool.Exec(ctx, `insert into receipt_key (kid, jwk, recorded_at) values ($1, $2, $3) on conflict (kid) do nothing`,
		current.KeyID, raw, s.now())
	if err != nil {
		return nil, fmt.Errorf("publish receipt key: %w", postgres.Classify(err))
	}
	retired, err := retiredKeys(ctx, s.pool, current.KeyID)
	if err != nil {
		return nil, err
	}
	return append([]jose.JSONWebKey{current}, retired...), nil
}

func retiredKeys(ctx context.Context, pool *pgxpool.Pool, current string) ([]jose.JSONWebKey, error) {
	rows, err := pool.Query(ctx, `select jwk from receipt_key where kid <> $1 order by recorded_at desc`, current)
	if err != nil {
		return nil, fmt.Errorf("read receipt keys: %w", postgres.Classify(err))
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[jose.JSONWebKey])
	if err != nil {
		return nil, fmt.Errorf("read receipt keys: %w", postgres.Classify(err))
	}
	return keys, nil
}
