// Package rooms holds the project to its own map: which package stands on
// which floor, who may import whom, and the rules that every package keeps.
// It has tests and nothing else. A new package is added to the table in
// rooms_test.go, and to the picture in CONTRIBUTING.md.
package rooms
