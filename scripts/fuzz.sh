#!/bin/bash
# Runs each fuzz target for the time given (go's -fuzztime), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:?the time per target, such as 30s}

failed=0
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	echo "$package $target"
	go test "$package" -run='^$' -fuzz="^$target\$" -fuzztime="$time" || failed=1
done < <(grep -rnoE --include='*_test.go' '^func Fuzz[[:alnum:]_]+' --exclude-dir=.git . |
	sed -E 's|^\./([^:]+):[0-9]+:func |\1:|' | sort)
exit $failed
