"""What is measured inside a process, by programs in Rust: runs against the same logic as plain function calls, and what
guards cost. Each prints its rows on lines of their own, `row ` and a JSON object; what else it says is passed on."""

import json
import subprocess
import sys
from pathlib import Path

from table import Row
from timing import progress

BENCHES = ["solve", "throughput", "guarded", "hostile"]
KEYS = {"what", "ours", "theirs", "peer", "unit", "ratio", "target", "verdict", "raw"}


def rows(_tools, _work):
    for bench in BENCHES:
        progress(f"  cargo bench --bench {bench}")
        # Of the workspace, as the programs are built: with other features all of it would be built again.
        command = ["cargo", "bench", "--locked", "--workspace", "--bench", bench]
        process = subprocess.Popen(command, cwd=Path(__file__).resolve().parent, stdout=subprocess.PIPE, text=True,
                                   errors="replace")
        count = 0
        for line in process.stdout:
            row = read(line)
            if row:
                count += 1
                yield row
            else:
                print(line, end="", file=sys.stderr, flush=True)
        if process.wait():
            yield Row(bench, trouble=f"ended with {process.returncode}")
        elif not count:
            yield Row(bench, trouble="no rows")


def read(line):
    """A row, where that is what a line is."""
    if not line.startswith("row "):
        return None
    try:
        found = json.loads(line[4:])
        found = {key: value for key, value in found.items() if key in KEYS and value is not None}
        return Row(**found)
    except (ValueError, TypeError, AttributeError) as wrong:
        progress(f"portolan: not a row: {wrong}")
        return None
