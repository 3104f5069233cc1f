// Package clock says whether the clock of this machine may be put into a
// time-stamp.
//
// A Monitor asks at least three time sources at once (SNTP, RFC 5905 §14), takes
// the interval that most of them agree on (Marzullo's intersection, RFC 5905
// §11.2.1), and publishes a Status: in sync or not, why, the clock's offset from
// the sources and the uncertainty of that, and until when the status counts. Time
// gives the time only while the status holds, and its uncertainty now is within
// the accuracy that the authority states: what lapsed, what differs by more, a
// step of the wall clock against the monotonic one, and an announced leap second
// all end in time_not_available (EN 319 421 §7.7.2).
//
// It does not set the clock: that is for chrony or whatever keeps the machine's
// time. It does not smear: sources that smear a leap second differ from those
// that do not, and then nothing is stamped.
//
// signer/tsa/authority asks it for every token; cmd/senim runs it.
package clock
