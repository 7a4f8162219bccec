#!/usr/bin/env bash
# cargo-deny, pinned, once, into the folder that is given.
set -euo pipefail

version=0.20.2
tools=$1
if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    echo "==> cargo-deny $version, once, some minutes"
    cargo install cargo-deny --version "$version" --locked --root "$tools" --target-dir "$tools/target" --quiet
    rm -rf "$tools/target"
fi
