#!/usr/bin/env bash
# Programs in Go that tests compare with and figures are measured against, each pinned, once, into FOLDER/bin.
# usage: install-go-tools.sh FOLDER NAME…
set -euo pipefail

declare -A package=(
    [conformance]=github.com/opencontainers/distribution-spec/conformance
    [crane]=github.com/google/go-containerregistry/cmd/crane
    [docker-buildx]=github.com/docker/buildx/cmd/buildx
    [grpcurl]=github.com/fullstorydev/grpcurl/cmd/grpcurl
    [oras]=oras.land/oras/cmd/oras
    [regctl]=github.com/regclient/regclient/cmd/regctl
    [vegeta]=github.com/tsenart/vegeta/v12
    [versitygw]=github.com/versity/versitygw/cmd/versitygw
)
declare -A version=(
    [conformance]=v0.0.0-20260831232431-97274622c111
    [crane]=v0.21.0
    [docker-buildx]=v0.36.0
    [grpcurl]=v1.9.4
    [oras]=v1.3.6
    [regctl]=v0.11.7
    [vegeta]=v12.12.0
    [versitygw]=v1.8.0
)

tools=$1
shift
for name in "$@"; do
    if [ -z "${package[$name]:-}" ]; then
        echo "portolan: there is no recipe for $name here, only for ${!package[*]}" >&2
        exit 1
    fi
    if [ -x "$tools/bin/$name" ] && [ "$(cat "$tools/bin/.$name.version" 2>/dev/null)" = "${version[$name]}" ]; then
        continue
    fi
    if ! command -v go >/dev/null; then
        echo "portolan: cannot build $name ${version[$name]}: that takes Go 1.25 or newer." >&2
        echo "hint: install Go, or put $name on the PATH and run the tests with cargo" >&2
        exit 1
    fi
    echo "==> $name ${version[$name]}, once, a minute or two"
    mkdir -p "$tools/bin" "$tools/go"
    # Built aside and moved: a build that is stopped leaves no half program behind.
    GOBIN="$tools/go" CGO_ENABLED=0 go install -trimpath "${package[$name]}@${version[$name]}"
    mv "$tools/go/"* "$tools/bin/$name"
    echo "${version[$name]}" >"$tools/bin/.$name.version"
    rmdir "$tools/go"
done
