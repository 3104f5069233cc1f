// Package group holds what the generated arithmetic packages share: the
// parameters of a curve and the reasons to refuse a public key.
package group
