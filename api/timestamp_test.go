package api

import (
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/signer/tsa/authority"
)

func (r *rooms) Respond(_ context.Context, request []byte) ([]byte, error) {
	return []byte("a TimeStampResp"), r.note(access.Caller{}, r.key, request)
}

func (r *rooms) Stamp(_ context.Context, q *authority.Query) (*authority.Stamp, error) {
	raw, err := q.Marshal()
	if err != nil {
		return nil, err
	}
	return &authority.Stamp{
		Token: []byte("token"), Serial: [authority.SerialBytes]byte{0x0a, 1}, Time: start.Add(123 * time.Millisecond),
		Policy: asn1.ObjectIdentifier{1, 2, 3}, Accuracy: 1500 * time.Microsecond,
	}, r.note(access.Caller{}, r.key, raw)
}

func (r *rooms) AllCertificates(context.Context) ([][]byte, error) {
	return [][]byte{{1}, {2}}, r.err
}

// A refusal is the authority's own answer, under 200; only the log has its code, and
// what an operator needs to know where it is not the client's doing.
func TestTimestampAnswersWhateverTheAuthoritySays(t *testing.T) {
	h := newHouse(t)
	for name, row := range map[string]struct {
		err  error
		logs []string
	}{
		"granted":     {nil, []string{`"level":"INFO"`}},
		"not granted": {fault.New(fault.TSAPolicyUnaccepted, "", "1.2.3"), []string{`"level":"INFO"`, string(fault.TSAPolicyUnaccepted)}},
		"no time":     {fault.New(fault.TimeNotAvailable, "", "the clock: jumped"), []string{`"level":"WARN"`, string(fault.TimeNotAvailable), "the clock: jumped"}},
		"a bad token": {fault.New(fault.TSATokenBad, "", "another key signed"), []string{`"level":"ERROR"`, string(fault.TSATokenBad), "another key signed"}},
	} {
		h.rooms.err = row.err
		h.log.Reset()
		a := h.do(good(t, "timestamp", ""))
		a.want(http.StatusOK, "")
		if string(a.body) != "a TimeStampResp" || a.header.Get("Content-Type") != "application/timestamp-reply" || string(h.rooms.body) != "x" {
			t.Errorf("%s: %q as %s", name, a.body, a.header.Get("Content-Type"))
		}
		for _, want := range row.logs {
			if !strings.Contains(h.log.String(), want) {
				t.Errorf("%s: no %s in the log: %s", name, want, h.log)
			}
		}
	}
	h.rooms.err = nil
	empty := good(t, "timestamp", "")
	empty.body = ""
	h.do(empty).want(http.StatusOK, "") // what an empty request is wrong in is the authority's to say
}

func TestTimestampTransport(t *testing.T) {
	h := newHouse(t)
	for name, tt := range map[string]struct {
		change func(*sent)
		status int
		code   fault.Code
	}{
		"another method":     {func(s *sent) { s.method, s.body, s.contentType = "GET", "", "" }, http.StatusMethodNotAllowed, fault.MethodNotAllowed},
		"another type":       {func(s *sent) { s.contentType = "application/octet-stream" }, http.StatusUnsupportedMediaType, fault.MediaTypeUnsupported},
		"too large":          {func(s *sent) { s.body = strings.Repeat("x", 4097) }, http.StatusRequestEntityTooLarge, fault.InputTooBig},
		"a query in it":      {func(s *sent) { s.path += "?policy=1" }, http.StatusBadRequest, fault.ParameterInvalid},
		"as large as it may": {func(s *sent) { s.body = strings.Repeat("x", 4096) }, http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := good(t, "timestamp", "")
			tt.change(&r)
			h.do(r).want(tt.status, tt.code)
		})
	}
}

func TestTimestampsAreLimitedByAddress(t *testing.T) {
	h := newHouse(t, func(_ *Config, _ *Dependencies, a *access.Config) {
		a.Limits.TimestampPerSecond, a.Limits.TimestampBurst = 1, 2
	})
	for range 2 {
		h.do(good(t, "timestamp", "")).want(http.StatusOK, "")
	}
	h.do(good(t, "createTimestamp", "")).want(http.StatusTooManyRequests, fault.RateLimited)
	h.do(good(t, "getHealth", "")).want(http.StatusOK, "")
}

func TestNoAuthorityNoTimestamps(t *testing.T) {
	h := newHouse(t, func(_ *Config, d *Dependencies, _ *access.Config) { d.Stamps = nil })
	for _, id := range []string{"timestamp", "createTimestamp", "getTimestampCertificates"} {
		h.do(good(t, id, "")).want(http.StatusNotFound, fault.TSAMissing)
	}
}

func TestTimestampInJSON(t *testing.T) {
	h := newHouse(t)
	digest := base64.StdEncoding.EncodeToString(make([]byte, 64))
	r := good(t, "createTimestamp", "")
	r.body = `{"algorithm":"Streebog-512","digest":"` + digest + `","policy":"1.2.398.3","nonce":"00ff","certificates":false}`
	a := h.do(r)
	a.want(http.StatusCreated, "")
	var issued IssuedTimestamp
	if err := json.Unmarshal(a.body, &issued); err != nil {
		t.Fatal(err)
	}
	if string(issued.Token) != "token" || issued.Serial != "0a01"+strings.Repeat("00", 18) || issued.AccuracyMs != 1.5 ||
		!issued.Time.Equal(start.Add(123*time.Millisecond)) || issued.Policy != "1.2.3" {
		t.Errorf("%+v", issued)
	}
	q, err := authority.ParseQuery(h.rooms.body)
	if err != nil || q.CertReq || q.Nonce.Int64() != 255 || q.Policy.String() != "1.2.398.3" || q.Digest.Name != "Streebog-512" {
		t.Errorf("the authority was asked %+v, %v", q, err)
	}
	for name, tt := range map[string]struct {
		body string
		code fault.Code
	}{
		"another length":         {`{"algorithm":"SHA-256","digest":"` + digest + `"}`, fault.BodyInvalid},
		"no digest":              {`{"algorithm":"SHA-256"}`, fault.BodyInvalid},
		"not base64":             {`{"algorithm":"SHA-256","digest":"%%%%"}`, fault.BodyInvalid},
		"a nonce of words":       {`{"algorithm":"Streebog-512","digest":"` + digest + `","nonce":"xyz"}`, fault.BodyInvalid},
		"a policy of words":      {`{"algorithm":"Streebog-512","digest":"` + digest + `","policy":"tsp"}`, fault.BodyInvalid},
		"a policy that is none":  {`{"algorithm":"Streebog-512","digest":"` + digest + `","policy":"1.99.1"}`, fault.BodyInvalid},
		"a member of the future": {`{"algorithm":"Streebog-512","digest":"` + digest + `","ordering":true}`, fault.BodyInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := good(t, "createTimestamp", "")
			r.body = tt.body
			a := h.do(r)
			a.want(http.StatusBadRequest, tt.code)
		})
	}
	unknown := good(t, "createTimestamp", "")
	unknown.body = `{"algorithm":"MD7","digest":"` + digest + `"}`
	h.do(unknown).want(http.StatusUnprocessableEntity, fault.AlgorithmUnsupported)
	h.rooms.err = fault.New(fault.TimeNotAvailable, "", "the clock: lapsed")
	h.do(good(t, "createTimestamp", "")).want(http.StatusServiceUnavailable, fault.TimeNotAvailable)
}
