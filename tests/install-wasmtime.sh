#!/usr/bin/env bash
# The plain wasmtime command line, pinned, once, into the folder that is given: with what runs a component, and no more.
set -euo pipefail

version=48.0.8
tools=$1
if [[ "$("$tools/bin/wasmtime" --version 2>/dev/null)" != "wasmtime $version"* ]]; then
    echo "==> the wasmtime command line $version, once, some minutes"
    cargo install wasmtime-cli --version "$version" --locked --root "$tools" --target-dir "$tools/target-wasmtime" --quiet \
        --no-default-features --features run,component-model,wasi-http,cranelift,parallel-compilation
    rm -rf "$tools/target-wasmtime"
fi
