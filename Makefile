# Each target does its own set-up; all that is needed is Go, git and make.
export CGO_ENABLED = 0
# What make build has, all have: what one target compiles the others find in the cache.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 1m
ROUNDS ?= 20

.PHONY: build reproducible demo test race fuzz nightly peers bench lint check clean

build: # the binary, in bin/
	go build -ldflags=-s -o bin/smtpsend ./cmd/smtpsend

reproducible: # the binary twice, in two checkouts of this commit, which must be the same
	scripts/reproducible

demo: # a message through the whole path, against the sandbox
	go run ./cmd/smtpsend demo

test: # every test; what needs root or a program that is missing is skipped, and listed at the end
	go run ./internal/testrun -shuffle=on -timeout 30m ./...

# A process under the race detector sleeps for a second when it ends, and the
# tests start some two thousand: 10 ms are enough to report what ran last.
race: export GORACE := atexit_sleep_ms=10 $(GORACE)
race: # every test under the race detector (needs a C compiler)
	CGO_ENABLED=1 go run ./internal/testrun -race -shuffle=on -timeout 30m ./...

fuzz: # every fuzz target for FUZZTIME
	scripts/fuzz $(FUZZTIME)

nightly: # what takes hours: every fuzz target, and ROUNDS (20) rounds of race
	scripts/nightly $(FUZZTIME) $(ROUNDS)

peers: # programs of others that the tests run against, by apt-get and npm
	scripts/peers

bench: # smtpsend beside its peers, some ten minutes; writes docs/benchmarks.md and, as root, docs/benchmarks-relay.md
	go run ./bench -o docs/benchmarks.md
	go run ./bench/relay -o docs/benchmarks-relay.md

lint: # format, vet, staticcheck, tidy
	test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff

check: lint # what CI runs: lint, a tree as committed, then the tests
	git diff --exit-code
	$(MAKE) test

clean: # what the targets above made
	rm -rf bin
	go clean -testcache
