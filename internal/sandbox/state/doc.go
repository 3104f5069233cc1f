// Package state keeps a stand-in's state in one JSON file that is replaced
// whole, so that the next start finds either the old or the new one, also after
// a power cut. Only the packages under internal/sandbox use it.
package state
