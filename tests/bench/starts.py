"""Starting with a component that this machine has not seen, which is composed and compiled, and starting with it again,
when its code is kept; as whole processes that look at a small layout. The bundled resolve is there to compare with."""

import shutil
import subprocess
from pathlib import Path

from table import alone
from timing import Program, in_turn, progress, setting

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
IMAGE = f"oci-layout://{FIXTURES / 'layouts/buildkit-multi'}:1.4"


def rows(tools, work):
    foreign = component(tools.portolan, work)
    size = foreign.stat().st_size / 1000
    started = {f"component of {size:.0f} kB": [tools.portolan, "run", foreign, IMAGE],
               "bundled resolve": [tools.portolan, "resolve", IMAGE]}
    targets = {"first": 0.2, "second": 0.008}
    for called, command in started.items():
        cold, warm = work / "cold", work / "warm"
        found = in_turn(called, [
            Program("first", command, before=lambda: shutil.rmtree(cold, ignore_errors=True),
                    environment={"XDG_CACHE_HOME": str(cold)}),
            Program("second", command, environment={"XDG_CACHE_HOME": str(warm)}),
        ], setting("RUNS", 11))
        for start, target in targets.items():
            target = None if "bundled" in called else target
            yield alone(f"{start} start, {called}", found, target=target, ours=start)


def component(portolan, work):
    """What an author begins with, built; where that cannot be, one that was built long ago."""
    try:
        subprocess.run([portolan, "new", "first"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([portolan, "build", "first"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        return work / "first/first.wasm"
    except subprocess.CalledProcessError as wrong:
        progress(f"portolan: {wrong}; a fixture is measured in its place")
        return FIXTURES / "components/runs-as-0.1.0.wasm"
