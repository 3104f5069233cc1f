package reconcile

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// What the database's own checks raise.
const (
	stateExceeds = "SN078" // the parts of a match exceed a side
	stateClosed  = "SN079" // a match or a day that is closed
)

// Refusal gives what the database refuses by its own checks their codes; it
// classifies any other error as postgres does.
func Refusal(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == stateExceeds, postgres.CheckViolation(err, "payment_match_within"),
			postgres.UniqueViolation(err, "payment_match_due_whole"), postgres.UniqueViolation(err, "payment_match_line_whole"):
			return fault.Wrap(err, fault.MatchExceedsAmount, "", "the database refused the match")
		case pg.Code == stateClosed:
			return fault.Wrap(err, fault.DayClosed, "", "the database refused the change")
		case postgres.CheckViolation(err, "reconcile_case_persons"):
			return fault.Wrap(err, fault.TwoPersons, "", "the database refused the decision")
		}
	}
	return postgres.Classify(err)
}
