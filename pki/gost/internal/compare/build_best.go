//go:build !purego && amd64

package main

const build = "best"
