#!/usr/bin/env bash
# What guests are built with that plain cargo does not build, pinned, once, into the folder that is given: componentize-py
# (Python), ComponentizeJS (JavaScript) and cargo-component (Rust, in the older way); and jco, which Node runs components by.
# The pins are in `componentize/`. Of Go it gets the modules that an example is made of, into Go's own cache; its pins are the
# example's.
set -euo pipefail

tools=$1
pins=$(dirname "$(realpath "$0")")/componentize

needs() {
    local missing=()
    for program in "$@"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "portolan: guests in other languages cannot be built without ${missing[*]}" >&2
    echo "hint: install Python 3.9 or newer with venv (Debian: python3-venv), Node 20 or newer with npm and Go 1.25 or newer, then try again" >&2
    exit 1
}

# What is there is right if it was made from the same pins, to the end.
installed() {
    cmp --silent "$pins/$2" "$tools/$1/pinned"
}

if ! installed componentize-py requirements.txt; then
    needs python3
    echo "==> componentize-py, once, some seconds"
    rm -rf "$tools/componentize-py"
    python3 -m venv "$tools/componentize-py"
    "$tools/componentize-py/bin/pip" install --quiet --only-binary :all: --require-hashes -r "$pins/requirements.txt"
    cp "$pins/requirements.txt" "$tools/componentize-py/pinned"
fi

if ! installed componentize-js package-lock.json; then
    needs node npm
    echo "==> ComponentizeJS and jco, once, half a minute"
    rm -rf "$tools/componentize-js"
    mkdir -p "$tools/componentize-js"
    cp "$pins"/package{,-lock}.json "$tools/componentize-js/"
    (cd "$tools/componentize-js" && npm ci --silent --no-audit --no-fund --ignore-scripts)
    cp "$pins/package-lock.json" "$tools/componentize-js/pinned"
fi

needs go
(cd "$(dirname "$pins")/../guest/examples/entrypoint" && go mod download)

version=0.21.1
if [ "$("$tools/bin/cargo-component" --version 2>/dev/null)" != "cargo-component $version" ]; then
    echo "==> cargo-component $version, once, some minutes"
    # It only has to run, not to run fast: without optimisation it is there in half the time.
    CARGO_PROFILE_DEV_DEBUG=false cargo install cargo-component --version "$version" --locked --debug \
        --root "$tools" --target-dir "$tools/target-component" --quiet
    rm -rf "$tools/target-component"
fi
# It builds for this target by itself, and then takes the module apart and makes a component for WASI 0.2 of it.
rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1
