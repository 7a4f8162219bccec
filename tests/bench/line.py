"""A registry that is far away: 20 ms before every request passes, and 100 MB (10^6) a second on each connection. An
index of eight platforms with attestations is inspected, and an image of one large layer copied into a layout."""

import shutil

import images
from processes import attested
from registry import Line, Registry
from table import against, alone
from timing import Program, in_turn, setting

DELAY, WIDTH = 20, 100
# Seven requests one after another, and what a program itself may take.
INSPECT = (7 * DELAY + 15) / 1000


def rows(tools, work):
    portolan, mib, runs = tools.portolan, setting("MIB", 2048), setting("RUNS", 3)
    out = work / "out"
    with Registry(work / "registry") as registry, Line(tools.slow_line, registry, DELAY, WIDTH) as line:
        found = attested(portolan, registry, line.host, work, setting("RUNS", 11))
        for ours, what in (("portolan", "inspect"), ("portolan, JSON", "inspect --format json")):
            what = f"{what}, 8 attested platforms, {DELAY} ms away"
            yield alone(what, found, target=INSPECT, ours=ours)
            yield against(what, found, "imagetools, JSON", target=0.5, ours=ours)
        large = work / "large"
        images.image(large, [mib])
        registry.fill("large", large)
        shutil.rmtree(large)
        image = f"{line.host}/large:1"
        found = in_turn(f"copy, one layer of {mib} MiB", [
            Program("portolan", [portolan, "copy", "--quiet", image, f"oci-layout://{out}:1"]),
            Program("crane", ["crane", "pull", "--insecure", "--format=oci", image, out]),
            Program("regctl", ["regctl", "image", "copy", "--host", f"reg={line.host},tls=disabled", image,
                               f"ocidir://{out}:1"]),
            # Or it would compress the layer on the way.
            Program("skopeo", ["skopeo", "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false",
                               f"docker://{image}", f"oci:{out}:1"]),
        ], runs, lambda: shutil.rmtree(out, ignore_errors=True))
        what = f"copy, one layer of {mib} MiB, {DELAY} ms and {WIDTH} MB/s away"
        for peer in ("crane", "regctl", "skopeo"):
            yield against(what, found, peer, target=0.5)
        yield alone(what, found, "memory")
