package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// Limits of what is kept.
const (
	// ObjectBytesMax bounds one object: above the largest document that the
	// service takes, and far below what a bytea can hold (1 GiB).
	ObjectBytesMax = 32 << 20
	// KindBytesMax bounds the name of a kind.
	KindBytesMax = 64
)

// kindForm is a name such as "document", "ocsp-response" or "gbdul.reply"; the
// tables check the same.
var kindForm = regexp.MustCompile(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)

// Digest is the SHA-256 of an object, and its name.
type Digest [sha256.Size]byte

// DigestOf computes the name of raw.
func DigestOf(raw []byte) Digest { return sha256.Sum256(raw) }

// String is the digest in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the digest as String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fault.New(fault.BadArgument, "", "a digest has %d hexadecimal digits, not %d", hex.EncodedLen(len(d)), len(text))
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fault.Wrap(err, fault.BadArgument, "", "read a digest")
	}
	return nil
}

// Object is what Get returns.
type Object struct {
	Digest Digest
	Kind   string // as given by the first Put of these bytes
	Raw    []byte
}

// Put keeps raw in the caller's transaction and returns its digest. Bytes that
// are there already are not kept twice, and keep their first kind. Of two
// transactions that put the same bytes at once, the second waits for the
// first; InTx runs one of them again if they wait for each other.
func Put(ctx context.Context, tx pgx.Tx, kind string, raw []byte) (Digest, error) {
	if err := checkKind(kind); err != nil {
		return Digest{}, err
	}
	if len(raw) == 0 {
		return Digest{}, fault.New(fault.InputEmpty, "", "an object of kind %s has no bytes", kind)
	}
	if len(raw) > ObjectBytesMax {
		return Digest{}, fault.New(fault.EvidenceTooBig, "", "an object of kind %s has %d bytes; at most %d are kept", kind, len(raw), ObjectBytesMax)
	}
	digest := DigestOf(raw)
	// The digest's row decides who keeps the bytes; both rows carry the same
	// moment, so that Get finds the partition.
	_, err := tx.Exec(ctx, `
		WITH fresh AS (
			INSERT INTO evidence_digests (digest, recorded_at) VALUES ($1, now())
			ON CONFLICT DO NOTHING
			RETURNING recorded_at)
		INSERT INTO evidence_objects (recorded_at, digest, kind, raw)
		SELECT recorded_at, $1, $2, $3 FROM fresh`, digest[:], kind, raw)
	if err != nil {
		return Digest{}, fmt.Errorf("keep an object of kind %s: %w", kind, postgres.Classify(err))
	}
	return digest, nil
}

// Get returns an object, having checked its bytes against their name.
func Get(ctx context.Context, q postgres.Querier, digest Digest) (Object, error) {
	object := Object{Digest: digest}
	err := q.QueryRow(ctx, `
		SELECT o.kind, o.raw
		  FROM evidence_digests d
		  JOIN evidence_objects o ON o.digest = d.digest AND o.recorded_at = d.recorded_at
		 WHERE d.digest = $1`, digest[:]).Scan(&object.Kind, &object.Raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return Object{}, fault.New(fault.EvidenceUnknown, "", "no object has the digest %s", digest)
	}
	if err != nil {
		return Object{}, fmt.Errorf("read the object %s: %w", digest, postgres.Classify(err))
	}
	if DigestOf(object.Raw) != digest {
		return Object{}, fault.New(fault.EvidenceCorrupt, "", "the bytes kept as %s have another digest", digest)
	}
	return object, nil
}

func checkKind(kind string) error {
	if len(kind) > KindBytesMax || !kindForm.MatchString(kind) {
		return fault.New(fault.BadArgument, "kind", "%.80q is not a kind of evidence", kind)
	}
	return nil
}
