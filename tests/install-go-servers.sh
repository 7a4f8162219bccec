#!/usr/bin/env bash
# olareg, a registry that keeps referrers as OCI 1.1 has it, as tests/tools/go.mod pins it, once, into the folder that is
# given.
set -euo pipefail

tools=$1
cd "$(dirname "$0")/tools"
if [ -x "$tools/bin/olareg" ] && cmp -s go.sum "$tools/olareg.sum"; then
    exit 0
fi
if ! command -v go >/dev/null; then
    echo "portolan: cannot build the test server olareg: that takes Go 1.24 or newer." >&2
    echo "hint: install Go, or put olareg on the PATH and run the tests with cargo" >&2
    exit 1
fi
echo "==> olareg, once, a minute"
mkdir -p "$tools/bin"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$tools/bin/olareg" github.com/olareg/olareg/cmd/olareg
cp go.sum "$tools/olareg.sum"
