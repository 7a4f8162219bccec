#!/usr/bin/env bash
# Servers in Go that cannot be had by `go install` of a version, or that are wanted exactly as they were tried: each has a
# module under tests/tools that pins it and all that it is made of. Built once, into FOLDER/bin.
# usage: install-go-servers.sh FOLDER NAME…
set -euo pipefail

# olareg keeps referrers as OCI 1.1 has it; buildkitd and buildctl are BuildKit; otelcol takes traces and prints them.
declare -A packages=(
    [olareg]="github.com/olareg/olareg/cmd/olareg"
    [buildkit]="github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/cmd/buildctl"
    [otelcol]="portolan/tests/tools/otelcol"
)

here=$(cd "$(dirname "$0")" && pwd)
tools=$1
shift
for name in "$@"; do
    cd "$here/tools/$name"
    missing=
    for package in ${packages[$name]}; do
        [ -x "$tools/bin/${package##*/}" ] || missing=yes
    done
    if [ -z "$missing" ] && cmp -s go.sum "$tools/$name.sum"; then
        continue
    fi
    if ! command -v go >/dev/null; then
        echo "portolan: cannot build the test server $name: that takes Go $(sed -n 's/^go //p' go.mod) or newer." >&2
        echo "hint: install Go, or put $name on the PATH and run the tests with cargo" >&2
        exit 1
    fi
    echo "==> $name, once, some minutes"
    mkdir -p "$tools/bin" "$tools/go"
    for package in ${packages[$name]}; do
        # Built aside and moved: a build that is stopped leaves no half program behind.
        CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$tools/go/${package##*/}" "$package"
        mv "$tools/go/${package##*/}" "$tools/bin/"
    done
    rmdir "$tools/go"
    cp go.sum "$tools/$name.sum"
done
