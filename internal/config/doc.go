// Package config is the service's configuration: one YAML file, decoded
// strictly, with environment overrides, checked whole before anything starts.
//
// Every message names the key it is about, and all faults are reported at
// once. Secrets are never values: the file names the file that holds them.
// What is unsafe outside a test (loopback peers, sandbox anchors, software
// keys) is refused by the production profile; what can only be seen once a
// thing is open (the anchors' own profile, whether a token is software) is
// refused there, by who opens it.
//
// cmd/senim loads it; no other package reads files or the environment.
package config
