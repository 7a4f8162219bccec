"""All tags of a repository with many small images that share layers, from one registry to another: what each image
costs, and not what its bytes cost. COUNT=N: N images, 2 000 else.

The registries are olareg's, in memory. With docker-registry most of the time, and more than an hour in all, would be
its own: it syncs a file or more for each request. On loopback they share the processors with whoever copies; hence also
fewer images, with both registries far away."""

import images
from line import DELAY, WIDTH
from registry import Line, Olareg
from table import against, against_all, against_best, alone
from timing import Program, in_turn, setting

PEERS = ["crane", "skopeo sync", "regctl repo"]
FAR = 100


def rows(tools, work):
    yield from near(tools, work, setting("COUNT", 2000), setting("RUNS", 3))
    yield from far(tools, work, min(setting("COUNT", FAR), FAR), setting("RUNS", 3))


def near(tools, work, count, runs):
    images.alike(work / "alike", count)
    with Olareg() as source, Olareg() as target:
        source.fill("app", work / "alike")
        here, there = f"{source.host}/app", f"{target.host}/app"

        def arrived():
            found = len(target.tags("app"))
            assert found == count, f"{found} of {count} tags arrived"

        def program(name, *command):
            return Program(name, command, after=arrived)

        found = in_turn(f"{count} images", [
            program("portolan", tools.portolan, "copy", "--quiet", "--all-tags", here, there),
            program("crane", "crane", "copy", "--insecure", "--all-tags", here, there),
            program("skopeo sync", "skopeo", "sync", "--src-tls-verify=false", "--dest-tls-verify=false",
                    "--src", "docker", "--dest", "docker", here, target.host),
            program("regctl repo", "regctl", "repo", "copy", f"--host=reg={source.host},tls=disabled",
                    f"--host=reg={target.host},tls=disabled", here, there),
        ], runs, target.forget)
    what = f"copy --all-tags of {count} images"
    yield from against_all(what, found, PEERS, 0.4)
    yield against_best(what, found, PEERS, "cpu")
    yield alone(what, found, "memory")


def far(tools, work, count, runs):
    images.alike(work / "few", count)
    with Olareg() as source, Olareg() as target:
        source.fill("app", work / "few")
        with Line(tools.slow_line, source, DELAY, WIDTH) as here, Line(tools.slow_line, target, DELAY, WIDTH) as there:
            images_of, into = f"{here.host}/app", f"{there.host}/app"
            found = in_turn(f"{count} images, far away", [
                Program("portolan", [tools.portolan, "copy", "--quiet", "--all-tags", images_of, into]),
                Program("crane", ["crane", "copy", "--insecure", "--all-tags", images_of, into]),
                Program("regctl repo", ["regctl", "repo", "copy", f"--host=reg={here.host},tls=disabled",
                                        f"--host=reg={there.host},tls=disabled", images_of, into]),
            ], runs, target.forget)
    what = f"copy --all-tags of {count} images, {DELAY} ms away"
    for peer in ("crane", "regctl repo"):
        yield against(what, found, peer)
