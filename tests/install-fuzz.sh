#!/usr/bin/env bash
# cargo-fuzz, pinned, once, into the folder that is given.
set -euo pipefail

version=0.13.1
tools=$1
if [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
    echo "==> cargo-fuzz $version, once, a minute"
    cargo install cargo-fuzz --version "$version" --locked --root "$tools" --target-dir "$tools/target" --quiet
    rm -rf "$tools/target"
fi
