// Command gostbench prints the GOST table of docs/performance.md.
//
//	go run ./pki/gost/bench/gostbench
//	go run -tags purego ./pki/gost/bench/gostbench
package main
