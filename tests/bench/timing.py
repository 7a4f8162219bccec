"""What the benchmarks of whole processes have in common."""

import os
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
