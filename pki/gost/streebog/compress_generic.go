//go:build purego || !amd64

package streebog

func compress(h, n, m *[8]uint64) { compressTables(h, n, m) }
