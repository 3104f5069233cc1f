// Package authority issues time-stamp tokens (RFC 3161 with RFC 5816, profiled
// by ETSI EN 319 422).
//
// An Authority has policies, each with its accepted digests and its own keys,
// of which the newest that is valid now signs. It takes a TimeStampReq and
// answers with a TimeStampResp, whatever happens: what is refused is refused
// there, with a PKIStatus and a PKIFailureInfo.
//
// What holds of every token that leaves:
//   - its time is one that the monitor vouched for when it was taken, and the
//     monitor still vouched when it left;
//   - its serial number was given to no other token, by this process or another,
//     before or after a crash: it is random, and the record of it is unique;
//   - its record was durable before: Journal writes records in groups and
//     nothing is given out until its group is committed;
//   - it was read again and verified by pki/tsp, which has nothing in common with
//     what wrote it but the algorithms (pki/algo).
//
// It sets no `ordering`: several processes issue, each in a sequence of its own.
// It knows no HTTP and no caller (api does), and does not ask other authorities
// (signer/tsa does).
//
// api and cmd/senim use it.
package authority
