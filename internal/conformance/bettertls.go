package main

import "os"

// runBetterTLS is not there yet.
func runBetterTLS(string) ([]outcome, error) { return nil, os.ErrNotExist }
