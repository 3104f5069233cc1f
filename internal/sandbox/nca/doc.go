// Package nca stands in for NUC RK, Kazakhstan's National Certification
// Authority, on loopback: a root and an issuing CA with RSA keys and another two
// with keys of GOST R 34.10-2015 (512 bits), an OCSP responder that answers with a
// key of each, CRLs with deltas, a time-stamping authority (TSP) and three SNTP servers. It
// speaks the real protocols (RFC 5280, RFC 6960, RFC 3161, RFC 5905) and lays its
// certificates and answers out as NUC RK does, oddities included: an unknown
// serial is answered as revoked on 1970-01-01 with certificateHold, an OCSP answer
// has no nextUpdate, a serial number is the subject key identifier.
//
// What it is not: there is no registration, timestamps are signed with RSA alone,
// keys are software keys in the state folder, and the root names itself "Senim Sandbox
// NCA", so that production recognises and refuses it.
//
// Certificates, CRLs and OCSP answers are made with crypto/x509 and encoding/asn1,
// deliberately not with the project's own pki packages: those are what is tested
// against it. GOST is computed by pki/gost, since no other library in Go does, and
// put into what crypto/x509 wrote. Timestamps are the other exception: no other library at hand writes an
// id-ct-TSTInfo SignedData with signingCertificateV2, so pki/cms does, and
// `openssl ts -verify` is the independent witness in the tests.
//
// It can be told to fail (Faults). internal/sandbox and tests use it.
package nca
