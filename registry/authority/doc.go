// Package authority decides whether the holder of a certificate may act for an
// organisation, and on what ground.
//
// It is a pure function of the certificate's claims, the register's record and
// the time of the act: no network, no clock, no store. The certificate says
// who the person is and which office it had on the day of issue; the register
// says who heads the organisation. Where they differ, the register wins.
//
// The one ground there is now is to be the head. Mandates are not there yet:
// whoever is not the head is refused, whatever the certificate claims.
//
// Called by registry; imports registry/gbdul and below.
package authority
