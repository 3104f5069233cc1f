#!/bin/bash
# Prints the packages that start goroutines or share state between them, in
# their code or in their tests: those that the race detector is for. What is
# made once by sync.Once, OnceFunc or OnceValue is no such state.
set -euo pipefail
cd "$(dirname "$0")/.."

files=$(grep -rlE --include='*.go' '\bgo func\b|^\s*go [[:alnum:]_.]+\(|\berrgroup\.|\bsync\.(Mutex|RWMutex|WaitGroup|Map|Pool|Cond)\b|\bsync/atomic\b|\bt\.Parallel\(\)' --exclude-dir=.git . || true)
[ -n "$files" ] || exit 0
folders=$(xargs -n1 dirname <<<"$files" | sort -u)
# go list passes over folders that hold no package (testdata).
# shellcheck disable=SC2086 # one word a folder
go list -e -f '{{if or .GoFiles .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $folders
