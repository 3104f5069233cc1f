package webhook

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/fetch"
)

// Limits of one exchange.
const (
	// SendTimeout is how long a subscriber may take to answer; cmd/senim gives
	// it to the HTTP client. The specification recommends 15 to 30 s.
	SendTimeout = 15 * time.Second
	// answerBytesMax is how much of an answer is read and kept for the support
	// desk: the first words of an error page.
	answerBytesMax = 256
	// retryAfterMax bounds what a subscriber may ask for by Retry-After.
	retryAfterMax = time.Hour
)

// pauses stand between the attempts of one event; after the last, it is dead.
// Together they are some three days, which a long weekend fits into.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 16 * time.Hour, 24 * time.Hour,
}

const (
	// jitter is the share by which a pause may be shorter or longer, so that
	// what failed together does not come again together.
	jitter = 0.2
	// expireAfter is how long an event may wait at all, also one that never
	// had its turn.
	expireAfter = 5 * 24 * time.Hour

	// A subscriber that does not answer is left alone: after streakMax failed
	// rounds in a row nothing is sent to it for a while, then one message at a
	// time, and for longer each time.
	streakMax     = 5
	holdFirst     = 15 * time.Second
	holdMax       = 15 * time.Minute
	holdDoublings = 6 // holdFirst doubled that often is more than holdMax
)

// Attempt is one try to deliver a message.
type Attempt struct {
	At      time.Time  `json:"at"`
	Status  int        `json:"status,omitempty"` // of HTTP; 0 if there was no answer
	Code    fault.Code `json:"code,omitempty"`   // why it failed; empty if it was accepted
	Latency int64      `json:"latency_ms"`
	Answer  string     `json:"answer,omitempty"` // the beginning of a refusal
}

// verdict is what follows from an attempt.
type verdict struct {
	Attempt
	gone       bool          // the subscriber wants no more: 410
	retryAfter time.Duration // what it asked for; 0 is nothing
	cut        bool          // we were stopped: it counts as no attempt
}

func (v verdict) delivered() bool { return v.Code == "" }

// send posts a message once.
func (c Config) send(ctx context.Context, address string, keys []key, m message) verdict {
	start := c.Now()
	header := http.Header{
		"Content-Type": {"application/json"}, headerID: {m.id},
		headerTimestamp: {strconv.FormatInt(start.Unix(), 10)}, headerSignature: {signatures(keys, m, start)},
	}
	notice, err := c.Client.Notify(ctx, address, header, m.body, answerBytesMax)
	now := c.Now()
	v := judge(notice, err, now)
	v.At, v.Latency = start.UTC(), max(0, now.Sub(start).Milliseconds())
	if !v.cut {
		c.Metrics.attempt(v.Attempt)
	}
	return v
}

// judge says what an answer means: 2xx is a delivery whatever comes with it,
// 410 ends the subscription, everything else, a redirect too, is a refusal.
func judge(notice *fetch.Notice, err error, now time.Time) verdict {
	if err != nil {
		code := fault.CodeOf(err)
		return verdict{Attempt: Attempt{Code: code}, cut: code == fault.Cancelled}
	}
	v := verdict{Attempt: Attempt{Status: notice.Status}}
	if notice.Status >= 200 && notice.Status < 300 {
		return v
	}
	v.Code, v.Answer = fault.WebhookRefused, printable(notice.Start)
	switch notice.Status {
	case http.StatusGone:
		v.Code, v.gone = fault.WebhookGone, true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		v.retryAfter = retryAfter(notice.Header.Get("Retry-After"), now)
	}
	return v
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3): seconds or a date. What
// cannot be read, or lies behind us, is nothing.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, retryAfterMax)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), retryAfterMax))
	}
	return 0
}

// printable makes text for a person of whatever came.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), " ")))
}

// pauseAfter is the pause after that many tries; false if there is none.
func pauseAfter(tries int) (time.Duration, bool) {
	if tries < 1 || tries > len(pauses) {
		return 0, false
	}
	return spread(pauses[tries-1]), true
}

// holdAfter is how long a subscriber is left alone after that many failed
// rounds in a row.
func holdAfter(streak int) time.Duration {
	if streak < streakMax {
		return 0
	}
	return spread(min(holdMax, holdFirst<<min(streak-streakMax, holdDoublings)))
}

func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}
