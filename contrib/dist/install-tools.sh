#!/usr/bin/env bash
# What it takes to make and to try what people install, from Debian.
set -euo pipefail

declare -A package=([musl-gcc]=musl-tools [dpkg-deb]=dpkg [xz]=xz-utils [skopeo]=skopeo [umoci]=umoci [unshare]=util-linux [file]=file)
missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "==> tools that are missing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "portolan: cannot install them here: that takes root and apt-get." >&2
    echo "hint: install what Debian calls ${missing[*]}, then try again" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
    apt-get update >/dev/null
    apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null
}
