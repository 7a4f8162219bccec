#!/usr/bin/env bash
# The main job, on an image that BuildKit made: four platforms, annotations, provenance.
set -euo pipefail

portolan=$(realpath "$1")
cd "$(dirname "$0")/fixtures/layouts"

show() {
    printf '\n$ portolan %s\n' "$*"
    "$portolan" "$@"
}

show inspect oci-layout://buildkit-multi:1.4
show resolve --platform linux/arm64 oci-layout://buildkit-multi:1.4
show layers --last --key chain-id --platform linux/amd64 oci-layout://buildkit-multi:1.4
