#!/usr/bin/env bash
# What it takes to make and to try what people install, from Debian.
set -euo pipefail

exec "$(dirname "$0")/../../tests/install-packages.sh" tools musl-gcc=musl-tools dpkg-deb=dpkg xz=xz-utils skopeo=skopeo \
    umoci=umoci curl=curl unshare=util-linux file=file
