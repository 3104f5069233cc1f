// Package jws makes and checks compact JWS (RFC 7515) with go-jose over any
// crypto.Signer, so that the key can stay in an HSM.
//
// It knows ES256, ES384 and RS256, chosen by the key and never by the message
// (RFC 8725 §3.1). Every message carries a "typ", so that a receipt is never
// taken for an access token though both are JWS (RFC 8725 §3.11). JAdES is a
// later matter.
//
// internal/access and internal/dossier call it.
package jws
