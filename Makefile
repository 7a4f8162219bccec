# Portolan: what a person or a CI may ask for. Each target stands alone on a fresh clone.
#
# CARGO_TARGET_DIR may point at a compile cache outside the clone. Tools that are built from source are installed once, into
# the folder `tools` beside it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(CURDIR)/target
TOOLS := $(abspath $(CARGO_TARGET_DIR)/../tools)
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
SOAK_SECONDS ?= 120
BENCH ?=
OUT ?= $(CURDIR)/dist

.PHONY: help toolchain servers authors demo test fuzz soak interop smoke bench bench-plots lint deny advisories dist package book

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

toolchain:
	@echo "==> toolchain of rust-toolchain.toml, with its wasm targets"
	@rustup toolchain install

servers:
	@tests/install-servers.sh
	@tests/install-go-servers.sh "$(TOOLS)" olareg buildkit otelcol
	@if command -v go >/dev/null; then tests/install-go-tools.sh "$(TOOLS)" docker-buildx crane oras conformance grpcurl versitygw; fi
	@tests/install-wasmtime.sh "$(TOOLS)"

authors: toolchain
	@tests/install-componentize.sh "$(TOOLS)"

demo: toolchain ## Build, and take a multi-platform image of BuildKit's apart. No server, no root.
	@echo "==> cargo build (the first build compiles wasmtime, some minutes)"
	@cargo build --locked --package portolan
	@tests/demo.sh "$(CARGO_TARGET_DIR)/debug/portolan"

test: toolchain servers authors ## Every test.
	@echo "==> go vet and go test: the gateway's client in Go"
	@cd clients/go && go vet ./... && go test ./...
	@echo "==> cargo test (the first build compiles wasmtime, some minutes)"
	@cargo test --workspace --locked --features portolan/serve

fuzz: toolchain ## Inputs for which a parser does not do what it must; FUZZ_SECONDS=60 each, FUZZ_TARGETS= chooses.
	@tests/install-fuzz.sh "$(TOOLS)"
	@tests/fuzz/run.sh "$(TOOLS)/bin/cargo-fuzz" "$(abspath $(CARGO_TARGET_DIR))/fuzz" $(FUZZ_SECONDS) $(FUZZ_TARGETS)

soak: toolchain ## Attacks by frontends and honest runs side by side, SOAK_SECONDS=120, and what is left afterwards.
	@SOAK_SECONDS=$(SOAK_SECONDS) cargo test --workspace --locked --test soak -- --nocapture

interop: toolchain servers ## The tests of registries with one more: zot, which has to be on the PATH.
	@command -v zot >/dev/null || { echo "portolan: zot is not on the PATH; its releases are programs of one file" >&2; exit 1; }
	@cargo test --workspace --locked --test registry interop -- --include-ignored

smoke: toolchain ## What public registries say to resolve, inspect, layers and tags. Takes the network.
	@cargo build --locked --package portolan
	@tests/smoke.sh "$(CARGO_TARGET_DIR)/debug/portolan"

bench: toolchain servers ## One table of figures against targets and other programs, kept in target/bench.json; BENCH=SECTION,... chooses.
	@if command -v go >/dev/null; then tests/install-go-tools.sh "$(TOOLS)" crane regctl oras docker-buildx vegeta; fi
	@tests/install-packages.sh "programs that ask much" wrk=wrk curl=curl
	@echo "==> cargo build --release (the first build compiles wasmtime, some minutes)"
	@cargo build --release --locked --workspace --bin portolan --features portolan/serve
	@cp "$(CARGO_TARGET_DIR)/release/portolan" "$(CARGO_TARGET_DIR)/release/portolan-serve"
	@cargo build --release --locked --workspace --bin portolan --bin slow-line --bin bare-transfer
	@built="$(CARGO_TARGET_DIR)/release"; PATH="$(TOOLS)/bin:$$PATH" tests/bench/bench.py $(if $(BENCH),--only "$(BENCH)") \
		--results "$(CARGO_TARGET_DIR)/bench.json" "$$built/portolan" "$$built/slow-line" "$$built/bare-transfer" "$$built/portolan-serve"

bench-plots: toolchain servers ## How cost grows, measured and drawn into docs/plots.
	@if command -v go >/dev/null; then tests/install-go-tools.sh "$(TOOLS)" crane; fi
	@echo "==> cargo build --release (the first build compiles wasmtime, some minutes)"
	@cargo build --release --locked --workspace --bin portolan --bin portolan-plots
	@built="$(CARGO_TARGET_DIR)/release"; PATH="$(TOOLS)/bin:$$PATH" "$$built/portolan-plots" "$$built/portolan" docs/plots

dist: toolchain ## What people install, in dist/ (OUT=): static program, Debian package, container image; each is tried.
	@contrib/dist/dist.sh "$(abspath $(CARGO_TARGET_DIR))" "$(OUT)"

package: toolchain ## The crates as they would be published, each built as it is packaged.
	@contrib/dist/package.sh "$(abspath $(CARGO_TARGET_DIR))"

book: ## The book as HTML, in target/book. Installs mdbook, once.
	@contrib/book.sh "$(TOOLS)" "$(abspath $(CARGO_TARGET_DIR))/book"

lint: toolchain deny ## Formatting, clippy, rustdoc and dependencies; warnings are errors.
	@echo "==> cargo fmt"
	@cargo fmt --all --check
	@cargo fmt --all --manifest-path guest/examples/Cargo.toml --check
	@echo "==> cargo clippy"
	@cargo clippy --workspace --locked -- -D warnings
	@cargo clippy --workspace --all-targets --features portolan/serve --locked -- -D warnings
	@cargo clippy --manifest-path guest/examples/Cargo.toml --workspace --all-targets --locked -- -D warnings
	@echo "==> cargo doc"
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --features portolan/serve --no-deps --document-private-items --locked

deny:
	@tests/install-deny.sh "$(TOOLS)"
	@echo "==> cargo deny: licences, sources, banned crates"
	@"$(TOOLS)/bin/cargo-deny" --locked check bans licenses sources
	@tests/advisories.sh "$(TOOLS)" --where-possible

advisories: ## Known vulnerabilities in dependencies, or a failure where the database cannot be had.
	@tests/install-deny.sh "$(TOOLS)"
	@tests/advisories.sh "$(TOOLS)"
