package statement

import (
	"context"

	"github.com/senim-kz/senim/internal/postgres"
)

// Gaps gives tests the gaps between all statements of an account.
func Gaps(ctx context.Context, q postgres.Querier, account string) ([]Gap, error) {
	return gapsOf(ctx, q, account, nil)
}
