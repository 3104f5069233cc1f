// Package shep is a stand-in for ШЭП with ГБД ЮЛ behind it, for the sandbox
// and for tests: an http.Handler that speaks the real protocol.
//
// It verifies the caller's envelope and payload signature as the state's
// systems demand it (path, role of the Single Window, the requestor's BIN),
// answers in an envelope signed by the gateway's key with a payload signed by
// the register's, and keeps a small register of organisations. It writes the
// register's payload itself, by the schema of GbdulInfoByBin_v2, and not with
// the code that reads it.
//
// It can be told to fail, in process by SetFault and over HTTP by
// POST /control/faults; organisations are changed by Put or
// PUT /control/organisations. Keys and certificates are parameters. Its
// organisations are invented.
//
// Imported by internal/sandbox, cmd/senim and tests only.
package shep
