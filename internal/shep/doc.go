// Package shep speaks the synchronous channel of ШЭП, the government gateway
// (SmartBridge): the SOAP 1.1 envelope of SyncChannel/v10 with its WS-Security
// signature, and the signed payload that many services carry inside it.
//
// A look-up has two layers of signature. The transport signature covers the
// SOAP Body and says which party sent the message; the payload signature says
// what the registry stated. Both are checked here, each against its own Peer:
// path to an anchor, revocation, role and BIN. What the package hands out is
// parsed only from octets that the signature covers.
//
// It works in both directions: Client sends requests and opens answers, Server
// (and Opener with SealResponse) takes requests and seals answers.
//
// What it does not do: it does not retry, it does not remember message ids
// (replay is for the caller, who gets the id and has a store), and it does not
// know what a payload means. The asynchronous channel and GOST keys are not
// there yet. A status code that it does not know is a technical failure; none
// is ever read as "found" or "absent".
//
// Standards: SOAP 1.1; WSS SOAP Message Security 1.0 and X.509 Token Profile
// 1.0; the gateway's WSDL. Floor 3: registry, payments and internal/sandbox
// may call it.
package shep
