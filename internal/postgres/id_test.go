package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/senim-kz/senim/internal/postgres"
)

func TestNewIDIsAUUIDOfItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nanos := rapid.Int64Range(0, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()).Draw(t, "nanos")
		at := time.Unix(0, nanos)
		id := postgres.NewID(at)
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s has version %d, variant %s", id, id.Version(), id.Variant())
		}
		// The library's own reading of the time field, to the millisecond.
		if sec, nsec := id.Time().UnixTime(); time.Unix(sec, nsec).UnixMilli() != at.UnixMilli() {
			t.Fatalf("%s says %v, want %v", id, time.Unix(sec, nsec), at)
		}
		later := postgres.NewID(at.Add(time.Microsecond))
		if later.String() < id.String() {
			t.Fatalf("%s sorts before the earlier %s", later, id)
		}
		if postgres.NewID(at) == id {
			t.Fatal("two ids of one time are equal")
		}
	})
}
