# Portolan: what a person or a CI may ask for. Each target stands alone on a fresh clone.
#
# CARGO_TARGET_DIR may point at a compile cache outside the clone; tools that the tests need are installed once, into
# the folder `tools` beside it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: help toolchain test lint

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

toolchain:
	@echo "==> toolchain of rust-toolchain.toml, with its wasm targets"
	@rustup toolchain install

test: toolchain ## Every test.
	@echo "==> cargo test (the first build compiles wasmtime, some minutes)"
	@cargo test --workspace --locked

lint: toolchain ## Formatting, clippy and rustdoc; warnings are errors.
	@echo "==> cargo fmt"
	@cargo fmt --all --check
	@echo "==> cargo clippy"
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@echo "==> cargo doc"
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
