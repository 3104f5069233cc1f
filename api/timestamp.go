package api

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/algo"
	"github.com/senim-kz/senim/pki/tsp"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

// Stamps is the time-stamping authority; cmd/senim makes it of
// authority.Authority and its store.
type Stamps interface {
	Respond(ctx context.Context, request []byte) (reply []byte, err error)
	Stamp(ctx context.Context, q *authority.Query) (*authority.Stamp, error)
	AllCertificates(ctx context.Context) (ders [][]byte, err error)
}

func (h handlers) stamps() (Stamps, error) {
	if h.rooms.Stamps == nil {
		return nil, fault.New(fault.TSAMissing, "", "tsa.policies is empty")
	}
	return h.rooms.Stamps, nil
}

// Timestamp answers with a TimeStampResp; why one is a rejection goes into the
// log.
func (h handlers) Timestamp(ctx context.Context, _ TimestampRequestObject) (TimestampResponseObject, error) {
	ctx, c := enter(ctx)
	stamps, err := h.stamps()
	if err != nil {
		return nil, err
	}
	reply, err := stamps.Respond(ctx, c.body)
	c.failure = err
	return Timestamp200ApplicationTimestampReplyResponse{Body: bytes.NewReader(reply), ContentLength: int64(len(reply))}, nil
}

func (h handlers) CreateTimestamp(ctx context.Context, r CreateTimestampRequestObject) (CreateTimestampResponseObject, error) {
	ctx, _ = enter(ctx)
	stamps, err := h.stamps()
	if err != nil {
		return nil, err
	}
	query, err := queryOf(r.Body)
	if err != nil {
		return nil, err
	}
	s, err := stamps.Stamp(ctx, query)
	if err != nil {
		return nil, err
	}
	return CreateTimestamp201JSONResponse{
		Token: s.Token, Serial: hex.EncodeToString(s.Serial[:]), Time: s.Time, Policy: s.Policy.String(),
		AccuracyMs: float64(s.Accuracy) / float64(time.Millisecond),
	}, nil
}

// queryOf reads what JSON asks for; its schema bounds every member.
func queryOf(r *TimestampRequest) (*authority.Query, error) {
	digest, err := algo.DigestByName(r.Algorithm)
	if err != nil {
		return nil, err
	}
	if len(r.Digest) != digest.Size() {
		return nil, fault.New(fault.BodyInvalid, "/digest", "%d bytes; a digest by %s has %d", len(r.Digest), digest.Name, digest.Size())
	}
	query := &tsp.Request{Digest: digest, Imprint: r.Digest, CertReq: r.Certificates == nil || *r.Certificates}
	if r.Nonce != nil {
		query.Nonce, _ = new(big.Int).SetString(*r.Nonce, 16) // the schema lets nothing else through
	}
	if r.Policy != nil {
		for arc := range strings.SplitSeq(*r.Policy, ".") {
			n, err := strconv.Atoi(arc)
			if err != nil {
				return nil, fault.New(fault.BodyInvalid, "/policy", "not an object identifier")
			}
			query.Policy = append(query.Policy, n)
		}
		if _, err := asn1.Marshal(query.Policy); err != nil {
			return nil, fault.New(fault.BodyInvalid, "/policy", "not an object identifier")
		}
	}
	return authority.NewQuery(query)
}

func (h handlers) GetTimestampCertificates(ctx context.Context, _ GetTimestampCertificatesRequestObject) (GetTimestampCertificatesResponseObject, error) {
	ctx, _ = enter(ctx)
	stamps, err := h.stamps()
	if err != nil {
		return nil, err
	}
	ders, err := stamps.AllCertificates(ctx)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, der := range ders {
		// Writing to a buffer does not fail.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return GetTimestampCertificates200ApplicationXPemFileResponse{Body: bytes.NewReader(out.Bytes()), ContentLength: int64(out.Len())}, nil
}
