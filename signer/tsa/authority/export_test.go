package authority

import (
	"time"

	"github.com/senim-kz/senim/pki/cert"
)

// KeyAt is the certificate whose key signs at a time under the first policy; nil
// if there is none.
func KeyAt(a *Authority, at time.Time) *cert.Certificate {
	if u := a.policies[0].unitAt(at); u != nil {
		return u.certificate
	}
	return nil
}

var (
	NewSerial       = newSerial
	GeneralizedTime = generalizedTime
)

// Waiting is how many records wait to be written.
func (j *Journal) Waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waiting
}
