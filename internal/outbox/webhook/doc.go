// Package webhook tells subscribers of a transaction's events, as Standard
// Webhooks (standardwebhooks.com, specification 1.0): signed with HMAC-SHA256
// (v1), Ed25519 (v1a) or both, sent again until accepted, and kept as dead
// letters when they never are.
//
// The act that publishes an event does nothing for this and waits for nothing.
// A sequencer in every process, one of which works at a time, goes through the
// events by their position, waits for the numbers whose transactions have not
// ended yet, and queues each event for the subscriptions that want it. Jobs on
// River then send, one at a time per subscription and several transactions of
// it at once: of one transaction's events the next is not sent before the one
// before it was delivered or is dead. docs/design/webhooks.md tells the life of
// an event and what happens when each step fails.
//
// An event is sent at least once, and always under the same webhook-id. Which
// transactions a subscription may hear of is said by whoever opens it (Owner)
// and by Config.Parties; this package knows no role and no document.
//
// api and cmd/senim call it.
package webhook
