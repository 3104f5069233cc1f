package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/senim-kz/senim/internal/fault"
)

// SQLSTATEs that somebody acts on. The first two characters are the class
// (PostgreSQL, appendix A).
const (
	stateSerialization    = "40001"
	stateDeadlock         = "40P01"
	stateUnique           = "23505"
	stateForeignKey       = "23503"
	stateCheck            = "23514"
	stateTooManyConns     = "53300"
	stateLockNotAvailable = "55P03"
	stateQueryCanceled    = "57014"
	stateReadOnly         = "25006"
	stateNoDatabase       = "3D000"
	stateNoPrivilege      = "42501"
	stateAppendOnly       = "SN001" // raised by senim_refuse_change, migration 00001
)

// Classify gives a database error its code where the caller can do something
// about it: the database is away, busy, or refuses us. Any other error, and
// one that has a code already, is returned as it is. The messages of a
// PgError are kept, its detail (which quotes values) is not.
func Classify(err error) error {
	if err == nil || fault.Of(err) != nil {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if code := codeOfState(pg.Code); code != "" {
			return fault.Wrap(err, code, "", "the database refused with SQLSTATE %s", pg.Code)
		}
		return err
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &connect):
		return fault.Wrap(err, fault.Cancelled, "", "waiting for the database")
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.Wrap(err, fault.DatabaseDown, "", "no answer from the database")
	}
	return err
}

func codeOfState(state string) fault.Code {
	switch state {
	case stateSerialization, stateDeadlock, stateTooManyConns, stateLockNotAvailable, stateQueryCanceled:
		return fault.DatabaseBusy
	case stateNoDatabase, stateNoPrivilege:
		return fault.DatabaseDenied
	case stateAppendOnly:
		return fault.RecordImmutable
	}
	switch {
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"):
		return fault.DatabaseDown // connection lost, or the server is starting or stopping
	case state == stateReadOnly, strings.HasPrefix(state, "53"), strings.HasPrefix(state, "58"):
		return fault.DatabaseDown // a standby answers, or the disk or the memory is full, or fails
	case strings.HasPrefix(state, "28"):
		return fault.DatabaseDenied
	}
	return ""
}

// UniqueViolation reports whether err says that a row with this key is there
// already. An empty constraint stands for any.
func UniqueViolation(err error, constraint string) bool {
	return violates(err, stateUnique, constraint)
}

// ForeignKeyViolation reports whether err says that the row referred to is not
// there. An empty constraint stands for any.
func ForeignKeyViolation(err error, constraint string) bool {
	return violates(err, stateForeignKey, constraint)
}

// CheckViolation reports whether a CHECK refused the row. An empty constraint
// stands for any.
func CheckViolation(err error, constraint string) bool {
	return violates(err, stateCheck, constraint)
}

func violates(err error, state, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == state && (constraint == "" || pg.ConstraintName == constraint)
}

// retryable reports whether the database itself undid the transaction because
// of another one, so that doing it again may succeed.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == stateSerialization || pg.Code == stateDeadlock)
}
