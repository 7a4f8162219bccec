#!/usr/bin/env bash
# Whole processes against each other, as ratios: each pair runs in turn in one hyperfine run, so that whatever else the
# machine does falls on both. Medians. Programs that are not on the PATH are left out, and said so.
set -euo pipefail

portolan=$(realpath "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
command -v hyperfine >/dev/null || {
    echo "portolan: hyperfine is missing; it times the programs." >&2
    echo "hint: Debian calls it hyperfine" >&2
    exit 1
}

work=$(mktemp -d)
registry=
cleanup() {
    [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$here/fixtures/layouts"

# A registry on a free port of loopback, with one image of four platforms in it.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/config.yml" <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$port"}
YAML
docker-registry serve "$work/config.yml" >/dev/null 2>"$work/log" &
registry=$!
for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
image="127.0.0.1:$port/acme/app:1.4"
skopeo copy --quiet --all --dest-tls-verify=false oci:buildkit-multi:1.4 "docker://$image"

# versus NAME PROGRAM OURS THEIRS: the median of our command over the median of theirs.
versus() {
    local name=$1 program=$2 ours=$3 theirs=$4
    if ! command -v "$program" >/dev/null; then
        printf '%-52s %s is not on the PATH\n' "$name" "$program"
        return
    fi
    hyperfine --shell=none --warmup 3 --runs "${RUNS:-40}" --export-json "$work/times.json" "$ours" "$theirs" >/dev/null 2>&1
    python3 - "$work/times.json" "$name" <<'PYTHON'
import json, sys
ours, theirs = (result["median"] for result in json.load(open(sys.argv[1]))["results"])
print(f"{sys.argv[2]:<52} {ours / theirs:5.2f} x   ({ours * 1e3:6.1f} ms against {theirs * 1e3:6.1f} ms)")
PYTHON
}

echo "==> whole processes, medians of ${RUNS:-40} runs in turn"
export DOCKER_CONFIG="$work"
versus "registry: resolve / crane digest" crane \
    "$portolan resolve --digest $image" "crane digest $image"
versus "registry: resolve --platform / crane digest --platform" crane \
    "$portolan resolve --digest --platform linux/arm64 $image" "crane digest --platform linux/arm64 $image"
versus "registry: inspect --raw / skopeo inspect --raw" skopeo \
    "$portolan inspect --raw $image" "skopeo inspect --tls-verify=false --raw docker://$image"
versus "registry: inspect / docker-buildx imagetools inspect" docker-buildx \
    "$portolan inspect $image" "docker-buildx imagetools inspect $image"
versus "layout: resolve / skopeo inspect --raw" skopeo \
    "$portolan resolve oci-layout://buildkit-multi:1.4" "skopeo inspect --raw oci:buildkit-multi:1.4"
versus "layout: inspect / docker-buildx imagetools inspect" docker-buildx \
    "$portolan inspect oci-layout://buildkit-multi:1.4" "docker-buildx imagetools inspect oci-layout://buildkit-multi:1.4"
