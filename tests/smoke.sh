#!/usr/bin/env bash
# Asks public registries, read-only and as anybody, for a small image of several platforms each: do they still speak as we
# understand them? What they hold changes, so that nothing is compared but that a tag and its digest are one root.
#
# Never part of the tests: it takes the network, and its verdict is of others' servers.
# usage: smoke.sh PORTOLAN [IMAGE…]
set -euo pipefail

portolan=$1
shift
[ $# -gt 0 ] || set -- \
    docker.io/library/busybox:stable \
    ghcr.io/regclient/regctl:latest \
    quay.io/prometheus/busybox:latest \
    public.ecr.aws/docker/library/busybox:stable \
    mcr.microsoft.com/oss/kubernetes/pause:3.9

# Where there is no network, five times a time-out says less than this. A proxy resolves names for us.
host=${1%%/*}
if [ -z "${HTTPS_PROXY:-${https_proxy:-}}" ] && ! timeout 5 getent hosts "${host%%:*}" >/dev/null; then
    echo "portolan: there is no network here ($host has no address): public registries cannot be asked" >&2
    exit 1
fi

# Nothing of this person's is used, neither credentials nor mirrors nor what was kept.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

ask() { # COMMAND…
    timeout 120 env -u DOCKER_CONFIG -u REGISTRY_AUTH_FILE -u XDG_RUNTIME_DIR HOME="$home" XDG_CONFIG_HOME="$home/.config" \
        XDG_CACHE_HOME="$home/.cache" "$portolan" "$@" --quiet 2>"$home/said"
}

row() { # STATUS IMAGE COMMAND
    printf '%-7s %-48s %s\n' "$@"
}

failed=0
try() { # IMAGE COMMAND…
    local image=$1
    shift
    if ask "$@" >"$home/answer" && [ -s "$home/answer" ]; then
        row ok "$image" "$1"
    else
        failed=1
        row FAILED "$image" "$1"
        sed 's/^/        /' "$home/said"
    fi
}

row "" IMAGE ASKED
for image in "$@"; do
    repository=${image%:*}
    try "$image" resolve "$image" --digest
    digest=$(cat "$home/answer")
    try "$image" inspect "$image"
    try "$image" layers "$image" --platform linux/amd64
    try "$image" tags "$repository"
    # By digest it is the same, whatever the tag means by now.
    if [ -n "$digest" ]; then
        try "$image" resolve "$repository@$digest" --digest
        if [ "$(cat "$home/answer")" != "$digest" ]; then
            failed=1
            row FAILED "$image" "resolve: $digest is $(cat "$home/answer")"
        fi
    fi
done
exit $failed
