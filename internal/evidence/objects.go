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

// Object is what PutAll keeps and Get returns.
type Object struct {
	Digest Digest
	Kind   string // from Get: as given by whoever first put these bytes
	Raw    []byte
}

// batchBytesMax bounds what PutAll sends in one statement: the small objects of
// a verdict together, a large document by itself.
const batchBytesMax = 1 << 20

// Put keeps raw in the caller's transaction and returns its digest; see PutAll.
func Put(ctx context.Context, tx pgx.Tx, kind string, raw []byte) (Digest, error) {
	one := []Object{{Kind: kind, Raw: raw}}
	err := PutAll(ctx, tx, one)
	return one[0].Digest, err
}

// PutAll keeps objects in the caller's transaction and fills in their digests.
// Bytes that are there already are not kept twice, and keep their first kind. Of
// two transactions that put the same bytes at once, the second waits for the
// first; InTx runs one of them again if they wait for each other.
func PutAll(ctx context.Context, tx pgx.Tx, objects []Object) error {
	for i := range objects {
		if err := objects[i].check(); err != nil {
			return err
		}
		objects[i].Digest = DigestOf(objects[i].Raw)
	}
	for len(objects) > 0 {
		n, size := 1, len(objects[0].Raw)
		for n < len(objects) && size+len(objects[n].Raw) <= batchBytesMax {
			size += len(objects[n].Raw)
			n++
		}
		if err := putBatch(ctx, tx, objects[:n]); err != nil {
			return err
		}
		objects = objects[n:]
	}
	return nil
}

func (o Object) check() error {
	if err := checkKind(o.Kind); err != nil {
		return err
	}
	if len(o.Raw) == 0 {
		return fault.New(fault.InputEmpty, "", "an object of kind %s has no bytes", o.Kind)
	}
	if len(o.Raw) > ObjectBytesMax {
		return fault.New(fault.EvidenceTooBig, "", "an object of kind %s has %d bytes; at most %d are kept", o.Kind, len(o.Raw), ObjectBytesMax)
	}
	return nil
}

// putStatement keeps objects. The digest's row decides who keeps the bytes; both
// rows carry the same moment, so that Get finds the partition. Digests go in by
// their order, so that two who put the same ones wait for each other in one
// direction.
const putStatement = `
	WITH given AS (
		SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[]) AS g (digest, kind, raw)),
	fresh AS (
		INSERT INTO evidence_digests (digest, recorded_at)
		SELECT digest, now() FROM given ORDER BY digest
		ON CONFLICT DO NOTHING
		RETURNING digest, recorded_at)
	INSERT INTO evidence_objects (recorded_at, digest, kind, raw)
	SELECT fresh.recorded_at, given.digest, given.kind, given.raw FROM fresh JOIN given USING (digest)`

func putBatch(ctx context.Context, tx pgx.Tx, objects []Object) error {
	var digests, raws [][]byte
	var kinds []string
	seen := map[Digest]bool{}
	for i := range objects {
		if o := &objects[i]; !seen[o.Digest] {
			seen[o.Digest] = true
			digests, kinds, raws = append(digests, o.Digest[:]), append(kinds, o.Kind), append(raws, o.Raw)
		}
	}
	_, err := tx.Exec(ctx, putStatement, digests, kinds, raws)
	if err != nil {
		return fmt.Errorf("keep %d objects from kind %s on: %w", len(kinds), kinds[0], postgres.Classify(err))
	}
	return nil
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
