# Everything that one does with this repository. Each piece prints what it runs; `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# What is built lies outside the clone, so that a new clone is warm. Your own CARGO_TARGET_DIR is respected.
ifndef CARGO_TARGET_DIR
CARGO_TARGET_DIR := $(shell testbed/target)
ifeq ($(CARGO_TARGET_DIR),)
$(error testbed/target names no folder to build in; its message stands above)
endif
endif
export CARGO_TARGET_DIR
export CARGO_TERM_COLOR ?= auto
.ONESHELL:

.PHONY: help
help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: install ## one text crosses a real Kubernetes and comes back; the cluster stays (needs root)
	examples/demo

.PHONY: demo-stop
demo-stop: ## ends what the demo left running
	examples/demo stop

# Two at a time: much of what they do is waiting, and one builds while another runs. Each shows its own lines as it goes.
.PHONY: test
test: ## everything that must hold, on the real thing (needs root)
	@export ALDIS_TEST_RESULTS=$$(mktemp -d) ALDIS_TEST_BEGUN=$$EPOCHREALTIME status=0
	trap 'rm -rf "$$ALDIS_TEST_RESULTS"' EXIT
	$(MAKE) --no-print-directory --jobs=2 lint unit apiserver cluster standalone || status=$$?
	tests/progress summary
	[ $$status != 0 ] || testbed/target save
	exit $$status

.PHONY: lint
lint: ## formatting, lints, and the licences, sources and known faults of dependencies
	@tests/progress run lint cargo fmt --check
	@tests/progress run lint cargo clippy -q --locked --all-targets -- -D warnings
	@tests/progress run lint testbed/deny

.PHONY: generate
generate: ## writes what is generated and checked in
	cargo run -q --locked -- generate

# The four kinds of tests. TEST=TEXT runs only those whose names contain TEXT.
.PHONY: unit
unit: ## tests inside the crate
	@tests/progress test unit --locked --lib --bins --no-fail-fast

.PHONY: standalone
standalone: peers browser ## tests that need nothing but this machine
	@tests/progress test standalone --locked --test standalone --no-fail-fast

# `make standalone` does this for half a minute.
.PHONY: api-campaign
api-campaign: peers ## asks all of the agents' API for FOR=900 seconds, from its document
	@TEST=agents_api ALDIS_API_SECONDS=$(or $(FOR),900) tests/progress test campaign --locked --test standalone --no-fail-fast

# `make standalone` does this for 40 failures.
.PHONY: power-campaign
power-campaign: install ## has the power of engine and gateway fail FAILURES=1000 times; SEED=NUMBER: as before
	@TEST=power_failures ALDIS_POWER_FAILURES=$(or $(FAILURES),1000) ALDIS_POWER_SEED=$(SEED) tests/progress test campaign --locked --test standalone --no-fail-fast

.PHONY: apiserver
apiserver: tools ## tests that need an API server
	@tests/progress test apiserver --locked --test apiserver --no-fail-fast

.PHONY: cluster
cluster: tools image peers browser ## tests that need a cluster with a kubelet
	@tests/progress test cluster --locked --test cluster --no-fail-fast

.PHONY: bench
bench: tools ## measures what is shipped, and writes docs/benchmarks.md; ROWS="operator-1000 store": shows these rows (needs root)
	ALDIS_PROFILE=release testbed/parts/static-cargo bench -q --locked --bench measure -- $(ROWS) $(BENCH_FLAGS)

.PHONY: install
install: ## installs from Debian what is missing
	@tests/progress run install testbed/install

.PHONY: browser
browser: ## installs Chromium
	@tests/progress run browser testbed/install browser

.PHONY: tools
tools: install ## builds Kubernetes and what belongs to it, once
	@tests/progress run tools testbed/build kubernetes coredns kwok helm relay images

.PHONY: peers
peers: install ## fetches what the tests measure against, once
	@tests/progress run peers testbed/build python-peers node-peers

.PHONY: image
image: install ## builds the image
	@tests/progress run image testbed/image
