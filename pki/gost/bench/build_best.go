//go:build !purego && amd64

package bench

// Build says which of the two builds this is.
const Build = "best"
