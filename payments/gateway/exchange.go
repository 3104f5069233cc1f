package gateway

import "errors"

// Exchange is a message to a gateway and its answer, byte for byte, for the
// evidence. Received is nil if nothing came.
type Exchange struct{ Sent, Received []byte }

// Messages are those of the exchange that there are.
func (x Exchange) Messages() [][]byte {
	var all [][]byte
	for _, m := range [][]byte{x.Sent, x.Received} {
		if len(m) > 0 {
			all = append(all, m)
		}
	}
	return all
}

// exchanged is a failure with the messages that led to it.
type exchanged struct {
	error
	exchange Exchange
}

func (e *exchanged) Unwrap() error { return e.error }

// WithExchange puts the messages beside an error, for adapters; where nothing
// was sent, nothing is put.
func WithExchange(err error, x Exchange) error {
	if err == nil || len(x.Sent) == 0 {
		return err
	}
	return &exchanged{err, x}
}

// ExchangeOf returns the messages of a call that failed: a refusal, and a
// question without an answer, are evidence too.
func ExchangeOf(err error) (Exchange, bool) {
	var e *exchanged
	if !errors.As(err, &e) {
		return Exchange{}, false
	}
	return e.exchange, true
}
