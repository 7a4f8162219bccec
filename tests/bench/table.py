"""The rows of the benchmarks: what was measured, against whom, what was wished for, and whether it was held; printed as
one table, and kept as JSON with everything that was measured."""

import json
import statistics
from dataclasses import asdict, dataclass, field

OURS = "portolan"
UNITS = {"wall": "s", "cpu": "s", "memory": "MiB"}
# How a measurement that is not of time is called behind the name of what was measured.
CALLED = {"wall": "", "cpu": ", CPU", "memory": ", memory"}


@dataclass
class Row:
    """A line of the table. `target` is the most that the ratio may be, or where nobody is compared with the most that
    ours may be; None where nothing is wished for. `trouble` says why a value is not there. Ratio and verdict follow
    from the rest unless they are given. `raw` has every run."""

    what: str
    ours: float | None = None
    theirs: float | None = None
    peer: str = ""
    unit: str = "s"
    ratio: float | None = None
    target: float | str | None = None
    verdict: str = ""
    trouble: str = ""
    raw: dict = field(default_factory=dict)
    section: str = ""

    def __post_init__(self):
        if self.ratio is None and self.ours is not None and self.theirs:
            self.ratio = self.ours / self.theirs
        if not self.verdict:
            self.verdict = self.judged()

    def judged(self):
        found = self.ratio if self.peer else self.ours
        if self.target is None or (found is None and self.ours is not None):
            return "-"
        return "held" if found is not None and found <= self.target else "MISSED"

    def cells(self):
        ours = value(self.ours, self.unit) if self.ours is not None else self.trouble or "-"
        theirs = f"{value(self.theirs, self.unit)} {self.peer}" if self.theirs is not None else "-"
        if self.peer and self.theirs is None:
            theirs = f"{self.peer}: {self.trouble}" if self.ours is not None and self.trouble else self.peer
        elif self.theirs is None and self.ours is not None and self.trouble:
            ours = f"{ours}, {self.trouble}"
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        target = self.target if isinstance(self.target, str) else None
        if isinstance(self.target, (int, float)):
            target = f"≤ {self.target:g}" if self.peer else f"≤ {value(self.target, self.unit)}"
        return [self.what, ours, theirs, ratio, target or "-", self.verdict]


def value(number, unit):
    """Three digits or so, and its unit."""
    if unit == "s":
        for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(number) * factor >= 1:
                break
        number *= factor
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:.{digits}f} {unit}".strip()


def median(runs, metric):
    return statistics.median(getattr(run, metric) for run in runs) if runs else None


def against(what, found, peer, metric="wall", target=None, ours=OURS):
    """Ours against one peer's, of what timing.in_turn found."""
    one, other = found[ours], found[peer]
    return Row(what + CALLED[metric], median(one.runs, metric), median(other.runs, metric), peer, UNITS[metric],
               target=target, trouble=one.trouble or other.trouble, raw=raw(ours=one, theirs=other))


def against_all(what, found, peers, target=None):
    """Wall time against every peer; the target is for the best of them, whose row says so."""
    best = best_of(found, peers, "wall")
    for peer in peers:
        wished = target if peer == best else None
        row = against(what, found, peer, target=wished)
        if wished is not None:
            row.what += ", best peer"
        yield row


def against_best(what, found, peers, metric, target=None):
    """Against whoever of the peers needed least of it."""
    return against(what, found, best_of(found, peers, metric), metric, target)


def best_of(found, peers, metric):
    there = [peer for peer in peers if found[peer].runs]
    return min(there, key=lambda peer: median(found[peer].runs, metric)) if there else peers[0]


def alone(what, found, metric="wall", target=None, ours=OURS):
    """Ours against nobody's."""
    result = found[ours]
    return Row(what + CALLED[metric], median(result.runs, metric), unit=UNITS[metric], target=target,
               trouble=result.trouble, raw=raw(ours=result))


def raw(**results):
    return {who: [run._asdict() for run in result.runs] for who, result in results.items()}


HEAD = ["what", "ours", "theirs", "ratio", "target", "verdict"]


def printed(results):
    """The table, each section under its name."""
    rows = [Row(**row) for row in results["rows"]]
    cells = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    # Words begin where their column does; numbers end where theirs does.
    right = {1, 3}
    lines, section = [], None
    for row, line in zip([None, *rows], cells):
        if row and row.section != section:
            section = row.section
            lines += ["", section]
        lines.append("  ".join(cell.rjust(width) if column in right else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip())
    return "\n".join(lines)


def written(results):
    """JSON, a row on each line."""
    about = {key: found for key, found in results.items() if key != "rows"}
    rows = ",\n".join(json.dumps(rounded(row), ensure_ascii=False) for row in results["rows"])
    return json.dumps(about, indent=1, ensure_ascii=False)[:-2] + f',\n "rows": [\n{rows}\n]}}\n'


def rounded(found):
    """Digits beyond a microsecond are noise."""
    if isinstance(found, float):
        return round(found, 9 if abs(found) < 1e-3 else 6)
    if isinstance(found, dict):
        return {key: rounded(part) for key, part in found.items()}
    return [rounded(part) for part in found] if isinstance(found, list) else found


def kept(row, section):
    row.section = section
    return asdict(row)
