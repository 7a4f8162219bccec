"""Runs programs in turn and says what each run took. In turn, so that whatever else the machine does falls on all of
them."""

import marshal
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


def setting(name, default):
    """A number that the environment may give: MIB, RUNS, COUNT."""
    return int(os.environ.get(name, default))


def progress(text):
    print(text, file=sys.stderr, flush=True)


class Tools(NamedTuple):
    """What is measured, and what it is measured with."""
    portolan: str
    slow_line: str
    bare_transfer: str
    gateway: str


class Run(NamedTuple):
    """Seconds, seconds of all processors, and MiB at the most."""
    wall: float
    cpu: float
    memory: float


class Program:
    """One that takes part. `command` is what it runs the nth time; `before` and `after` happen around each run and do
    not count, and `after` may raise where the run did not do what it should."""

    def __init__(self, name, command, before=None, after=None, environment=None):
        self.name = name
        self.command = command if callable(command) else lambda _: command
        self.before, self.after = before or (lambda: None), after or (lambda: None)
        self.environment = environment or {}


class Result:
    """The runs of one program, or the trouble there was: `missing`, `failed`."""

    def __init__(self, trouble=""):
        self.runs = []
        self.trouble = trouble


class Starter:
    """The process that starts programs; see starter.py."""

    def __init__(self):
        self.errors = tempfile.NamedTemporaryFile()
        script = Path(__file__).with_name("starter.py")
        self.process = subprocess.Popen([sys.executable, "-I", "-S", script, self.errors.name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def run(self, command, environment):
        """A Run, or None where it failed, which is told."""
        program, *arguments = (str(word) for word in command)
        path = shutil.which(program)
        marshal.dump((path, [path, *arguments], {**os.environ, **environment}), self.process.stdin)
        self.process.stdin.flush()
        status, *took = marshal.load(self.process.stdout)
        if status == 0:
            return Run(*took)
        said = Path(self.errors.name).read_text(errors="replace")
        progress(f"portolan: {Path(program).name} {' '.join(arguments)} ended with {status}: {said[-2000:]}")
        return None


starter = None


def in_turn(title, programs, runs, clear=lambda: None):
    """Each program so many times, in turn, after one run of each that does not count; a result for each by name.
    `clear` happens before every run. A program that fails is not run again."""
    global starter
    starter = starter or Starter()
    progress(f"  {title}: {runs} runs of {', '.join(program.name for program in programs)}")
    found = {}
    for program in programs:
        found[program.name] = Result("" if shutil.which(str(program.command(0)[0])) else "missing")
    for run in range(runs + 1):
        for program in programs:
            result = found[program.name]
            if result.trouble:
                continue
            clear()
            program.before()
            took = starter.run(program.command(run), program.environment)
            try:
                if took:
                    program.after()
            except AssertionError as wrong:
                progress(f"portolan: {title}, {program.name}: {wrong}")
                took = None
            if not took:
                # One that fails now and then did not do the same work when it did not.
                result.trouble, result.runs = "failed", []
            elif run:
                result.runs.append(took)
    clear()
    return found
