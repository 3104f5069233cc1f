package payments

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/evidence"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// resumeMax bounds one look at facts that are left.
const resumeMax = 1000

// Resume judges the facts that are kept and not settled: those that an earlier
// version received and did not post, and reversals whose payments are known by
// now. It runs at the start and once a day, and is harmless at any time.
func (s *Service) Resume(ctx context.Context) error {
	rows, err := s.config.Pool.Query(ctx, `
		SELECT f.gateway, f.reference, f.kind, f.original, f.order_id, f.payer_bin, f.bank_bic, f.amount, f.paid_at, f.message
		  FROM gateway_fact f
		 WHERE f.state = 'received'
		    OR f.state = 'exception' AND f.reason = $1 AND EXISTS (SELECT FROM gateway_reference o WHERE o.gateway = f.gateway AND o.reference = f.original)
		 ORDER BY f.recorded_at LIMIT $2`, string(fault.OriginalUnknown), resumeMax)
	if err != nil {
		return fmt.Errorf("read the facts that are left: %w", postgres.Classify(err))
	}
	left, err := pgx.CollectRows(rows, scanLeft)
	if err != nil {
		return fmt.Errorf("read the facts that are left: %w", postgres.Classify(err))
	}
	var errs []error
	for _, l := range left {
		message, err := evidence.Get(ctx, s.config.Pool, l.message)
		if err == nil {
			l.told.Messages = []evidence.Object{{Kind: message.Kind, Raw: message.Raw}}
			_, err = s.Take(ctx, l.told)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// leftFact is a fact with the digest of the message that brought it.
type leftFact struct {
	told    Told
	message evidence.Digest
}

func scanLeft(row pgx.CollectableRow) (l leftFact, err error) {
	var digest []byte
	f := &l.told.Fact
	err = row.Scan(&l.told.Gateway, &f.Reference, &f.Kind, &f.Original, &f.Order, &f.Payer, &f.BankBIC, &f.Amount, &f.PaidAt, &digest)
	l.told.By = "system"
	copy(l.message[:], digest)
	return l, err
}
