#!/usr/bin/env bash
# Known vulnerabilities in dependencies. The database is fetched by git from where RustSec keeps it; where that cannot be
# reached, `--where-possible` says so and goes on, since a build machine without that network can lint all the rest.
# usage: advisories.sh TOOLS [--where-possible]
set -euo pipefail

tools=$1 mode=${2:-}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "==> cargo deny: advisories"
if "$tools/bin/cargo-deny" --locked check advisories 2>&1 | tee "$log"; then
    exit 0
fi
if [ "$mode" = --where-possible ] && grep -q 'failed to fetch advisory database' "$log"; then
    echo "portolan: known vulnerabilities were NOT looked for: the advisory database cannot be reached from here" >&2
    exit 0
fi
exit 1
