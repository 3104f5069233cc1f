// Command senim is the trust service of a trade single window: one binary for
// the service, its trial surroundings, and the tools around them.
//
// This package is wiring only: flags, configuration, which implementation
// meets which, exit codes. Each command stands in a file of its name.
package main
