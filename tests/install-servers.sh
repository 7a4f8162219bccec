#!/usr/bin/env bash
# The servers and tools that the tests run against, all of them from Debian: registries, openssl, containerd, runc for
# BuildKit, what reads and writes archives, what packs them.
set -euo pipefail

declare -A package=([docker-registry]=docker-registry [htpasswd]=apache2-utils [openssl]=openssl [skopeo]=skopeo
    [containerd]=containerd [runc]=runc [umoci]=umoci [buildah]=buildah [gzip]=gzip [pigz]=pigz [zstd]=zstd)
missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "==> test servers that are missing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "portolan: cannot install them here: that takes root and apt-get." >&2
    echo "hint: install what Debian calls ${missing[*]} (with ${!package[*]} on the PATH), then try again" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
    apt-get update >/dev/null
    apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null
}
