"""The gateway: what is kept, against nginx that has the same as a file; what it has to ask for first, against asking the
registry itself; and its memory with many callers. Load comes from wrk and vegeta, which share the processors with whoever
answers, and with the registry."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import images
from line import DELAY, WIDTH
from registry import Line, Missing, Olareg, Server
from table import Row, against
from timing import Program, in_turn, progress, setting

SECONDS, CALLERS, MANY = 5, 32, 1000
WISHED = {"rate": 15_000, "p99": 0.010, "blob": 1 / 0.9, "cold": 1.15, "memory": 150}


class Gateway(Server):
    """Ours in front of one registry, keeping what it gets in a folder; everybody may read."""

    def __init__(self, program, registry, folder):
        self.program, self.registry, self.folder = program, registry, folder
        super().__init__()

    def command(self):
        return [self.program, "serve", "--listen", self.host, "--upstream", self.registry.host, "--plain-http",
                "--pull", "*", "--cache", self.folder]

    def forget(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.start()

    def memory(self):
        """MiB that it has, and had at the most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]


class Nginx(Server):
    """Files of a folder, as Debian's nginx hands them out."""

    def __init__(self, folder, files):
        self.folder, self.files = folder, files
        folder.mkdir()
        super().__init__()

    def command(self):
        config = self.folder / "nginx.conf"
        config.write_text(f"""
            daemon off; user root; worker_processes auto; error_log stderr error; pid {self.folder}/pid;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
                server {{ listen {self.host}; root {self.files}; }}
            }}""")
        return ["nginx", "-e", "stderr", "-p", self.folder, "-c", config]

    def forget(self):
        pass

    def stop(self):
        # It has others under it, which go when it is asked to.
        self.process.terminate()
        self.process.wait()


def rows(tools, work):
    for program in ("wrk", "vegeta", "curl", "crane"):
        if not shutil.which(program):
            raise Missing(program)
    files = work / "files"
    files.mkdir()
    with Olareg() as registry, Gateway(tools.gateway, registry, work / "kept") as gateway, \
            Nginx(work / "nginx", files) as nginx:
        yield from documents(registry, gateway, nginx, files, work)
        yield from blob(registry, gateway, nginx, files, work)
        yield from connections(gateway)
        yield from cold(tools, registry, gateway, work)


def documents(registry, gateway, nginx, files, work):
    """A manifest by its digest, in memory."""
    layout = work / "small"
    images.image(layout, [1])
    registry.fill("small", layout)
    [root] = json.loads((layout / "index.json").read_text())["manifests"]
    shutil.copy(layout / "blobs" / root["digest"].replace(":", "/"), files / "document")
    ours, theirs = f"http://{gateway.host}/v2/small/manifests/{root['digest']}", f"http://{nginx.host}/document"
    progress(f"  cached document: {SECONDS} s of wrk in turn")
    found = {ours: [], theirs: []}
    for run in range(setting("RUNS", 3) + 1):
        for url in found:
            rate = requests_a_second(url)
            if run:
                found[url].append(rate)
    rate, other = (sorted(rates)[len(rates) // 2] for rates in found.values())
    yield Row("cached document, requests a second", rate, other, "nginx", "/s", target=f"≥ {WISHED['rate']}",
              verdict="held" if rate >= WISHED["rate"] else "MISSED",
              raw={"ours": found[ours], "theirs": found[theirs]})
    half = WISHED["rate"] // 2
    what = f"cached document, p99 at {half} a second"
    latencies = [attacked(ours, half) for _ in range(setting("RUNS", 3))]
    p99 = sorted(latencies)[len(latencies) // 2]
    yield Row(what, p99, target=WISHED["p99"], raw={"ours": latencies})


def requests_a_second(url):
    found = subprocess.run(["wrk", "-t", "1", "-c", str(CALLERS), "-d", f"{SECONDS}s", url], check=True,
                           capture_output=True, text=True).stdout
    if re.search("Non-2xx|Socket errors", found):
        raise RuntimeError(found)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", found)[1])


def attacked(url, rate):
    """The time that 99 of 100 answers took no longer than, at a rate that does not wait for answers."""
    attack = subprocess.run(["vegeta", "attack", f"-rate={rate}", f"-duration={SECONDS}s", f"-connections={CALLERS}",
                             f"-max-workers={CALLERS * 4}"], input=f"GET {url}\n".encode(), check=True,
                            capture_output=True).stdout
    report = json.loads(subprocess.run(["vegeta", "report", "-type=json"], input=attack, check=True,
                                       capture_output=True).stdout)
    if report["success"] != 1:
        raise RuntimeError(f"not all was answered: {report['status_codes']} {report['errors']}")
    return report["latencies"]["99th"] / 1e9


def blob(registry, gateway, nginx, files, work):
    """A large blob that is kept on the disk, or rather in the kernel's memory."""
    mib = setting("MIB", 1024)
    layout = work / "large"
    images.name(layout, {"1": images.manifest(layout, [layer := images.noise(layout, mib)])})
    registry.fill("large", layout)
    (layout / "blobs" / layer["digest"].replace(":", "/")).rename(files / "blob")
    shutil.rmtree(layout)

    def get(name, url):
        return Program(name, ["curl", "-sSfo", "/dev/null", url])

    found = in_turn(f"cached blob of {mib} MiB", [
        get("portolan", f"http://{gateway.host}/v2/large/blobs/{layer['digest']}"),
        get("nginx", f"http://{nginx.host}/blob"),
    ], setting("RUNS", 7))
    what = f"cached blob of {mib} MiB"
    yield against(what, found, "nginx", target=round(WISHED["blob"], 2))


def connections(gateway):
    """Callers that stay, each with a question behind it."""
    gateway.stop()
    gateway.start()
    begun, _ = gateway.memory()
    held = [socket.create_connection(gateway.host.split(":")) for _ in range(MANY)]
    for connection in held:
        connection.sendall(f"GET /v2/ HTTP/1.1\r\nHost: {gateway.host}\r\n\r\n".encode())
    for connection in held:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    there, most = gateway.memory()
    for connection in held:
        connection.close()
    yield Row(f"memory with {MANY} connections", there, unit="MiB", target=WISHED["memory"],
              raw={"begun": begun, "most": most})


def cold(tools, registry, gateway, work):
    """An image that nobody asked for before, by crane: from the registry, and through a gateway that has nothing yet."""
    mib, out = max(setting("MIB", 1024) // 4, 8), work / "out"
    layout = work / "cold"
    images.image(layout, [mib // 8] * 8)
    registry.fill("cold", layout)
    shutil.rmtree(layout)
    yield from pulled(f"cold pull of {mib} MiB", registry, gateway, out)
    with Line(tools.slow_line, registry, DELAY, WIDTH) as line, Gateway(tools.gateway, line, work / "far") as behind:
        yield from pulled(f"cold pull of {mib} MiB, {DELAY} ms and {WIDTH} MB/s away", line, behind, out)


def pulled(what, registry, gateway, out):
    def pull(name, host, before=lambda: None):
        return Program(name, ["crane", "pull", "--insecure", "--format=oci", f"{host}/cold:1", out], before=before)

    found = in_turn(what, [pull("portolan", gateway.host, gateway.forget), pull("directly", registry.host)],
                    setting("RUNS", 5), lambda: shutil.rmtree(out, ignore_errors=True))
    yield against(what, found, "directly", target=WISHED["cold"])
