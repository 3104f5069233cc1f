package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/senim-kz/senim/internal/access"
	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/idempotency"
)

// call is what is known of one request on its way through.
type call struct {
	id        string
	language  fault.Language
	operation *operation // nil on an unknown route
	caller    access.Caller
	bearer    string
	body      []byte
	stream    *bodyStream // instead of a body, where the handler reads it
	failure   error       // what the problem document was made of
	request   *http.Request
}

type callKey struct{}

// enter gives a handler its call, and a context that outlives nothing of gin:
// gin uses its own contexts again for other requests.
func enter(ctx context.Context) (context.Context, *call) {
	if g, ok := ctx.(*gin.Context); ok {
		ctx = g.Request.Context()
	}
	c, _ := ctx.Value(callKey{}).(*call)
	return ctx, c
}

func callOf(g *gin.Context) *call {
	_, c := enter(g)
	return c
}

// key makes the idempotency key. The digest covers the path too, so that one
// key cannot be used for two transactions.
func (c *call) key(value string) idempotency.Key {
	h := sha256.New()
	h.Write([]byte(c.request.URL.RequestURI()))
	h.Write([]byte{0})
	h.Write(c.body)
	return idempotency.Key{Value: value, BodySHA256: [sha256.Size]byte(h.Sum(nil))}
}

// requestIDHeader carries the request's identifier in both directions.
const requestIDHeader = "X-Request-Id"

// saneRequestID is what we take over from a caller: enough for a UUID or a
// trace identifier, and nothing that could break a log line or a header.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

func requestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); id != "" && saneRequestID.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

// languages in the order of their use as a fallback: the first is taken when
// nothing fits.
var languages = []struct {
	tag  language.Tag
	code fault.Language
}{
	{language.English, fault.English}, {language.Kazakh, fault.Kazakh}, {language.Russian, fault.Russian},
}

var matcher = language.NewMatcher([]language.Tag{languages[0].tag, languages[1].tag, languages[2].tag})

// acceptLanguageMax bounds what is parsed of Accept-Language; browsers send
// under 100 bytes.
const acceptLanguageMax = 256

func languageOf(r *http.Request) fault.Language {
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > acceptLanguageMax {
		return fault.English
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return fault.English
	}
	_, index, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return fault.English
	}
	return languages[index].code
}
