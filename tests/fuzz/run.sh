#!/usr/bin/env bash
# Looks for inputs for which a property does not hold, each target for SECONDS. What is found that gets further than what was
# known stays in TARGET_DIR/corpus and is gone on from; what fails is copied to TARGET_DIR/failed, and ends this.
#
# No sanitizer: ours is safe Rust, and so the pinned stable toolchain will do. It is coverage that leads.
# usage: run.sh CARGO_FUZZ TARGET_DIR SECONDS [TARGET…]
set -euo pipefail

fuzz=$1 target_dir=$2 seconds=$3
shift 3
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(ls corpus)
if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "portolan: libFuzzer, which comes as source, takes a C++ compiler, and there is no ${CXX:-c++}." >&2
    exit 1
fi
for target in "$@"; do
    if [ ! -f "targets/$target.rs" ]; then
        echo "portolan: there is nothing to fuzz that is called $target, only" $(ls corpus) >&2
        exit 1
    fi
done

options=(--fuzz-dir targets --sanitizer none --target-dir "$target_dir")
echo "==> cargo fuzz build (the first one instruments all of the host, some minutes)"
"$fuzz" build "${options[@]}" >/dev/null
for target in "$@"; do
    echo "==> $target, $seconds s"
    mkdir -p "$target_dir/corpus/$target" "$target_dir/failed/$target"
    log="$target_dir/$target.log"
    if ! "$fuzz" run "${options[@]}" "$target" "$target_dir/corpus/$target" "corpus/$target" -- \
        -artifact_prefix="$target_dir/failed/$target/" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 >"$log" 2>&1; then
        grep -aE '^(thread|==|SUMMARY|Failing|assertion)|panicked' -A3 "$log" | head -n 40 >&2 || true
        echo "portolan: $target does not hold for a file in $target_dir/failed/$target; all of it is in $log" >&2
        exit 1
    fi
    sed -nE 's/^.* (cov: [0-9]+ ft: [0-9]+ corp: [0-9]+).*$/\1/p' "$log" | tail -n 1
    sed -nE 's/^stat::number_of_executed_units: */executions: /p' "$log"
done
