#!/usr/bin/env bash
# The book as HTML, by mdbook, pinned, installed once.
# usage: book.sh TOOLS OUT
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
tools=$1 out=$2
if [ "$("$tools/bin/mdbook" --version 2>/dev/null)" != "mdbook v$version" ]; then
    echo "==> mdbook $version, once, some minutes"
    cargo install mdbook --version "$version" --locked --root "$tools" --target-dir "$tools/target" --quiet
    rm -rf "$tools/target"
fi
"$tools/bin/mdbook" build docs --dest-dir "$out"
echo "$out/index.html"
