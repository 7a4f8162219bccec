#!/usr/bin/env bash
# The servers and tools that the tests run against, all of them from Debian: registries, openssl, containerd, runc for
# BuildKit, what reads and writes archives, what packs them.
set -euo pipefail

exec "$(dirname "$0")/install-packages.sh" "test servers" docker-registry=docker-registry htpasswd=apache2-utils \
    openssl=openssl skopeo=skopeo containerd=containerd runc=runc nginx=nginx umoci=umoci buildah=buildah gzip=gzip pigz=pigz zstd=zstd
