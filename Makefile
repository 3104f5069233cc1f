# make demo   shows the main job, end to end
# make test   everything that must hold before a commit
# The rest is listed by `make help`.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO          := go
FUZZTIME    := 30s
BENCHFLAGS  :=

.DEFAULT_GOAL := build

.PHONY: help
help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.PHONY: setup
setup: ## installs what is missing (Debian packages)
	@./scripts/setup.sh

.PHONY: build
build: ## builds ./bin/senim
	@mkdir -p bin
	$(GO) build -trimpath -o bin/senim ./cmd/senim

.PHONY: demo
demo: setup build ## runs one transaction from signature to reconciled payment
	@./bin/senim demo

# lint has vetted, and tests with a database or a peer wait much of their time:
# twice as many packages at once as there are processors. What is built with the
# race detector would sleep a second at its end. A package may take long where
# the processors are slow or others'.
TESTFLAGS := -vet=off -timeout 40m -p $(shell echo $$((2 * $$(nproc))))

.PHONY: test
test: setup lint ## runs every test, and those of packages with goroutines with -race
	@./scripts/setup.sh test
	$(GO) test $(TESTFLAGS) ./...
	@echo "without assembly:"
	$(GO) test $(TESTFLAGS) -tags purego ./pki/gost/... ./pki/algo/...
	@echo "with the race detector:"
	@GORACE=atexit_sleep_ms=0 $(GO) test $(TESTFLAGS) -race -short $$(./scripts/concurrent-packages.sh)

.PHONY: lint
lint: ## checks formatting and runs go vet
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...) | sort -u); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

.PHONY: fuzz
fuzz: ## runs each fuzz target for FUZZTIME
	@./scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: setup build ## measures against peers and the limits of this machine
	@./scripts/setup.sh bench
	@./bin/senim bench $(BENCHFLAGS)
	$(GO) run ./pki/gost/bench/gostbench
	$(GO) run -tags purego ./pki/gost/bench/gostbench
	$(GO) test -run - -bench Verify -benchtime 60x ./verifier

CONFORMANCE_DATA := ../shared/data

.PHONY: conformance
conformance: ## runs the public conformance sets found in CONFORMANCE_DATA
	@$(GO) run ./internal/conformance -data $(CONFORMANCE_DATA) -docs docs/conformance.md -fetch

.PHONY: generate
generate: ## writes generated code again
	$(GO) generate ./...

.PHONY: clean
clean: ## removes what was built
	rm -rf bin
