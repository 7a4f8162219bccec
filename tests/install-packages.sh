#!/usr/bin/env bash
# Programs that are missing, from Debian.
# usage: install-packages.sh WHAT-FOR PROGRAM=PACKAGE…
set -euo pipefail

what=$1
shift
missing=() programs=()
for pair in "$@"; do
    programs+=("${pair%%=*}")
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "==> $what that are missing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "portolan: cannot install them here: that takes root and apt-get." >&2
    echo "hint: install what Debian calls ${missing[*]} (with ${programs[*]} on the PATH), then try again" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
    apt-get update >/dev/null
    apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null
}
