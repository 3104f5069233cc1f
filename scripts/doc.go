// Package scripts tests the project's shell scripts; it has no code of its own.
package scripts
