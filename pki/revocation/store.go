package revocation

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/pki/cert"
)

// Fetcher gets a document over the network: by GET if body is nil, else by
// POST with the content type. It enforces the policy on hosts and the limit.
type Fetcher interface {
	Fetch(ctx context.Context, url, contentType string, body []byte, max int64) ([]byte, error)
}

// StoreConfig is what a Store works with.
type StoreConfig struct {
	Fetcher Fetcher
	Now     func() time.Time
	// Random gives nonces; nil means crypto/rand.
	Random io.Reader
	// Folder keeps CRLs over restarts, one file for each address. Nobody else may
	// write there. Empty keeps nothing.
	Folder string
	// AnswerAge is how long an OCSP answer serves that does not say when the next
	// is due, as those of NUC RK: newer information is there all the time then (RFC
	// 6960 §2.4). Zero means AnswerAgeDefault, less than that asks each time.
	AnswerAge time.Duration
	// AskTimeout bounds an exchange with a responder, whose answers are short; zero
	// leaves it to the Fetcher, which must leave time for a CRL of 21 MB.
	AskTimeout time.Duration
}

// Limits of a Store.
const (
	// AnswerAgeDefault lets the signatures of one document, and of a burst of
	// them, share an answer.
	AnswerAgeDefault = time.Minute
	// answerHeldMax bounds how long a nextUpdate is taken at its word.
	answerHeldMax = 24 * time.Hour
	answersMax    = 20_000
	answerBytes   = 64 << 20

	listsMax  = 64
	listBytes = 1 << 30 // in files
	// listAgeDefault is how long a list is held that does not say when the next is
	// due; unverifiedAge, how long one that nobody has verified.
	listAgeDefault = time.Hour
	unverifiedAge  = time.Minute
	// clockSkew is how far the clocks of others may be ahead of ours.
	clockSkew = 5 * time.Minute
)

// Store gets revocation information for those who judge, and remembers it: OCSP
// answers until they go stale, CRLs, parsed and indexed, until the next is due.
// Those who want the same thing at the same time share one request. What failed
// is not remembered, so that a peer that is back is asked at once.
//
// Any number of goroutines may use a Store. Run refreshes its CRLs before they
// run out; without it, who finds one run out waits for the next.
type Store struct {
	fetcher   Fetcher
	now       func() time.Time
	random    io.Reader
	folder    string
	answerAge time.Duration
	patience  time.Duration // with a responder

	answers answerCache
	asking  flights[answerKey, Information]
	lists   listShelf
	loading flights[string, Information]
}

// NewStore makes a store; its folder must exist.
func NewStore(c StoreConfig) *Store {
	s := &Store{fetcher: c.Fetcher, now: c.Now, random: c.Random, folder: c.Folder, answerAge: c.AnswerAge, patience: c.AskTimeout}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.answerAge == 0 {
		s.answerAge = AnswerAgeDefault
	}
	s.answers.init()
	s.asking.init()
	s.lists.init()
	s.loading.init()
	return s
}

const contentTypeRequest = "application/ocsp-request"

// Ask gets an OCSP answer about the subject: a remembered one that the rules
// take, or a new one from the responder. A new one is not judged, and remembered
// only if it is about the subject and rightly signed.
//
// Each request carries a nonce of its own. A remembered answer comes with the
// nonce of the request that it answered: it is no replay, since it was this
// store that asked, and its dates say how old it is.
func (s *Store) Ask(ctx context.Context, url string, about Subject, rules Rules) (Information, error) {
	key := keyOf(url, about)
	remembered := func() (Information, bool) {
		info, found := s.answers.find(key, s.now())
		if !found {
			return info, false
		}
		_, err := CheckOCSP(info, about, rules)
		return info, err == nil
	}
	if info, found := remembered(); found {
		return info, nil
	}
	return s.asking.do(ctx, key, func() (Information, error) {
		if info, found := remembered(); found { // since the flight before this one
			return info, nil
		}
		info, err := s.ask(ctx, url, about)
		if err != nil {
			return info, err
		}
		if a, err := verifyAnswer(info, about); err == nil {
			info.answer = a
			s.answers.keep(key, info, s.answerUntil(a))
		}
		return info, nil
	})
}

// answerUntil says until when an answer may be given again. That the responder
// does not know a certificate may be over at any time.
func (s *Store) answerUntil(a *verified) time.Time {
	e := &a.evidence
	until := e.NextUpdate
	if until.IsZero() {
		until = e.ThisUpdate.Add(s.answerAge)
	}
	if latest := s.now().Add(answerHeldMax); until.After(latest) {
		until = latest
	}
	if e.Status == Unknown || e.ThisUpdate.After(s.now().Add(clockSkew)) {
		return time.Time{}
	}
	return until
}

// ask does one exchange with a responder.
func (s *Store) ask(ctx context.Context, url string, about Subject) (Information, error) {
	nonce := make([]byte, nonceLength)
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return Information{}, fault.Wrap(err, fault.Internal, "", "draw a nonce")
	}
	request, err := Request(about, nonce)
	if err != nil {
		return Information{}, err
	}
	if s.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
	}
	raw, err := s.fetcher.Fetch(ctx, url, contentTypeRequest, request, responseSizeMax)
	if err != nil {
		return Information{}, err
	}
	return Information{Kind: OCSP, Raw: raw, Source: url, Fetched: s.now(), Nonce: nonce}, nil
}

// Fetcher is what the store asks through.
func (s *Store) Fetcher() Fetcher { return s.fetcher }

// Download gets a CRL: one that is held, one that the folder kept over a
// restart, or a new one from its distribution point. It is not judged, but one
// whose signature is known to be wrong is not held. The issuer is who signs such
// lists as a rule; it may be nil.
func (s *Store) Download(ctx context.Context, url string, issuer *cert.Certificate) (Information, error) {
	if info, found := s.lists.find(url, s.now()); found {
		return info, nil
	}
	return s.loading.do(ctx, url, func() (Information, error) {
		if info, found := s.lists.find(url, s.now()); found {
			return info, nil
		}
		if info, found := s.restore(url, issuer); found {
			return info, nil
		}
		info, err := s.download(ctx, url)
		if err != nil {
			return info, err
		}
		return s.hold(info, issuer), nil
	})
}

// download does one exchange with a distribution point.
func (s *Store) download(ctx context.Context, url string) (Information, error) {
	raw, err := s.fetcher.Fetch(ctx, url, "", nil, crlSizeMax)
	if err != nil {
		return Information{}, err
	}
	return Information{Kind: CRL, Raw: raw, Source: url, Fetched: s.now()}, nil
}
