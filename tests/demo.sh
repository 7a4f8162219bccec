#!/usr/bin/env bash
# The main job, on an image that BuildKit made (four platforms, annotations, provenance): what is in it, which manifest is for
# a platform, by what to know its last layer again, and a copy of one platform.
set -euo pipefail

portolan=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$(dirname "$0")/fixtures/layouts/buildkit-multi" "$work"
cd "$work"

show() {
    printf '\n$ portolan %s\n' "$*"
    "$portolan" "$@"
}

show inspect oci-layout://buildkit-multi:1.4
show resolve --platform linux/arm64 oci-layout://buildkit-multi:1.4
show layers --last --key chain-id --platform linux/amd64 oci-layout://buildkit-multi:1.4
show copy --platform linux/arm64 oci-layout://buildkit-multi:1.4 oci-archive://arm64.tar:1.4
