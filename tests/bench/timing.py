"""What the benchmarks of whole processes have in common."""

import os
import shutil
import statistics
import subprocess
import sys
import time


def timed(command):
    """Seconds, and MiB at the most."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - start
    if status:
        sys.exit(f"portolan: {' '.join(map(str, command))} failed: {said.decode(errors='replace')}")
    return took, usage.ru_maxrss / 1024


def compare(title, programs, clear, runs):
    """Each program so many times, in turn; `programs` has for each what it runs the nth time. Medians."""
    there = {name: command for name, command in programs.items() if shutil.which(command("x")[0])}
    for name in programs.keys() - there.keys():
        print(f"{title:<22} {name} is not on the PATH")
    found = {name: [] for name in there}
    for run in range(runs):
        for name, command in there.items():
            clear()
            found[name].append(timed(command(run)))
    clear()
    ours, ours_memory = (statistics.median(values) for values in zip(*found.pop("portolan")))
    for name, times in found.items():
        theirs, memory = (statistics.median(values) for values in zip(*times))
        print(f"{title:<22} / {name:<13} {ours / theirs:5.2f} x   ({ours:6.2f} s, {ours_memory:4.0f} MiB against "
              f"{theirs:6.2f} s, {memory:4.0f} MiB)", flush=True)
