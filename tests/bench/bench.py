#!/usr/bin/env python3
"""Measures Portolan against other programs, and against the same code without its sandbox, and prints one table of what
was found beside what was wished for. All times are medians of runs in turn. Progress goes to the standard error.

usage: bench.py [--results FILE] [--only SECTION,...] [--folder WHERE] PORTOLAN SLOW_LINE BARE_TRANSFER GATEWAY
       bench.py --show FILE

MIB=, RUNS= and COUNT= in the environment make images smaller or larger, and runs and images fewer or more. A peer that
is not there has rows that say so. The exit status is 1 where something of ours could not be measured; a target that is
missed is no failure, since a machine that does other things misses some."""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

# Beside this file, and with nothing left there.
sys.dont_write_bytecode = True
import archives
import copies
import inside
import line
import many
import processes
import serving
import starts
from registry import Missing
from table import Row, kept, printed, written
from timing import Tools, progress

SECTIONS = {section.__name__: section for section in (processes, line, copies, many, archives, starts, serving, inside)}
PEERS = {"crane": "version", "regctl": "version", "oras": "version", "docker-buildx": "version", "skopeo": "--version",
         "docker-registry": "--version", "nginx": "-v", "wrk": "-v", "vegeta": "-version", "curl": "--version",
         "gzip": "--version", "tar": "--version", "cargo": "--version"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", metavar="FILE", help="keep what was measured there, as JSON")
    parser.add_argument("--only", metavar="SECTION,...", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--folder", metavar="WHERE", help="where images go; they are gone afterwards")
    parser.add_argument("--show", metavar="FILE", help="print the table of results that were kept, and measure nothing")
    parser.add_argument("programs", metavar="PROGRAM", nargs="*", help="portolan, slow-line, bare-transfer, and portolan with `serve`")
    asked = parser.parse_args()
    if asked.show:
        print(printed(json.loads(Path(asked.show).read_text())))
        return
    sections = asked.only.split(",")
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if len(asked.programs) != 4:
        parser.error("needs PORTOLAN SLOW_LINE BARE_TRANSFER GATEWAY")
    tools = Tools(*(str(Path(program).resolve()) for program in asked.programs))
    results = {"date": now(), "machine": machine(), "versions": versions(tools.portolan),
               "load": {"before": os.getloadavg()[0]},
               "settings": {name: os.environ[name] for name in ("MIB", "RUNS", "COUNT") if name in os.environ},
               "rows": []}
    try:
        for section in sections:
            progress(f"==> {section}")
            measure(section, tools, asked.folder, results["rows"])
    finally:
        # What was measured before somebody lost patience was measured, too.
        results["load"]["after"] = os.getloadavg()[0]
        if asked.results:
            Path(asked.results).write_text(written(results))
        print(printed(results))
    if any(row["ours"] is None for row in results["rows"]):
        sys.exit(1)


def measure(section, tools, where, rows):
    """A section in a folder of its own, with nobody's configuration and an empty cache. What goes wrong in one is told,
    and the next one begins."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        folder = Path(folder).resolve()
        os.environ.update(DOCKER_CONFIG=str(folder), XDG_CACHE_HOME=str(folder / "cache"))
        try:
            for row in SECTIONS[section].rows(tools, folder):
                rows.append(kept(row, section))
                what, ours, theirs, ratio, *_ = row.cells()
                progress(f"  {what}: {ours} against {theirs}, {ratio}")
        except Missing as missing:
            rows.append(kept(Row("the rest", trouble=f"{missing} is missing"), section))
        except Exception:
            traceback.print_exc()
            rows.append(kept(Row("the rest", trouble="failed"), section))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def machine():
    """What figures depend on, and nothing that says whose it is."""
    def first(file, key):
        return next((entry.split(":", 1)[1].strip() for entry in open(file) if entry.startswith(key)), "unknown")

    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    return {"cpu": first("/proc/cpuinfo", "model name"), "cores": len(os.sched_getaffinity(0)),
            "memory": f"{memory:.0f} GiB", "kernel": f"{platform.system()} {platform.release()}"}


def versions(portolan):
    found = {"portolan": version([portolan, "--version"])}
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=Path(__file__).parent,
                            capture_output=True, text=True)
    if commit.returncode == 0:
        found["portolan"] += f" ({commit.stdout.strip()})"
    for program, how in PEERS.items():
        found[program] = version([program, how])
    return found | {"python": platform.python_version()}


def version(command):
    path = shutil.which(command[0])
    if not path:
        return "missing"
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    found = re.search(r"\bv?(\d+\.\d+[^\s,)]*)", said)
    # What `go install` builds may not know what it is; install-go-tools.sh does.
    recipe = Path(path).with_name(f".{Path(path).name}.version")
    if recipe.exists():
        return recipe.read_text().strip().removeprefix("v")
    return found[1] if found else "unknown"


if __name__ == "__main__":
    main()
