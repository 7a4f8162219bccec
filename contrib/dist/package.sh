#!/usr/bin/env bash
# The crates as they would be published, the bundled frontends ready-made in them, each built as it is packaged: from what is
# in it alone, so that it takes no wasm target.
# usage: package.sh TARGET_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."

target_dir=$1
echo "==> cargo build (the bundled frontends)"
built=$(cargo build --locked --package portolan --lib --target-dir "$target_dir" --message-format json |
    grep '"reason":"build-script-executed"' | grep -F "$PWD/host#" | sed 's/.*"out_dir":"\([^"]*\)".*/\1/')
trap 'rm -rf host/bundled host/README.md host/LICENSE' EXIT
mkdir -p host/bundled
for archive in components sdk; do
    cp "$built/$archive.zst" "$built/$archive.rs" host/bundled
done
cp README.md LICENSE host
echo "==> cargo package (compiles all of it once more, as somebody who installs it does)"
cargo package --locked --allow-dirty --package portolan-oci --package portolan --target-dir "$target_dir/packaged"
ls -l "$target_dir"/packaged/package/*.crate
