"""Registries to have images in, and a line that makes one far away."""

import http.client
import json
import shutil
import socket
import subprocess
import time


class Missing(Exception):
    """A program without which a section cannot be measured."""


class Server:
    """A registry on a free port of loopback. Where it ends, what is in it is gone."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % free.getsockname()[1]
        self.start()

    def command(self):
        """What runs it at its host."""
        raise NotImplementedError

    def forget(self):
        """Empties it: what a run pushed must not be there for the next."""
        raise NotImplementedError

    def start(self):
        command = self.command()
        if not shutil.which(command[0]):
            raise Missing(command[0])
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = self.host.split(":")
        for _ in range(200):
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{command[0]} does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def fill(self, repository, layout):
        """Puts all named images of a layout there, by none of the programs that are measured."""
        connection = http.client.HTTPConnection(self.host, blocksize=1 << 20)

        def ask(method, path, body=None, headers=None):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (201, 202):
                raise RuntimeError(f"a registry answers {answer.status} to {method} {path}")
            return answer

        def stored(descriptor):
            return layout / "blobs" / descriptor["digest"].replace(":", "/")

        def put(descriptor, reference):
            document = stored(descriptor).read_bytes()
            found = json.loads(document)
            for child in found.get("manifests", []):
                put(child, child["digest"])
            for blob in [found[key] for key in ("config",) if key in found] + found.get("layers", []):
                if blob["digest"] not in there:
                    upload(blob)
                    there.add(blob["digest"])
            ask("PUT", f"/v2/{repository}/manifests/{reference}", document, {"Content-Type": descriptor["mediaType"]})

        def upload(blob):
            location = ask("POST", f"/v2/{repository}/blobs/uploads/", b"").headers["Location"]
            location = location.removeprefix(f"http://{self.host}")
            location += ("&" if "?" in location else "?") + f"digest={blob['digest']}"
            with stored(blob).open("rb") as file:
                ask("PUT", location, file,
                    {"Content-Length": str(blob["size"]), "Content-Type": "application/octet-stream"})

        there = set()
        for entry in json.loads((layout / "index.json").read_text())["manifests"]:
            put(entry, entry["annotations"]["org.opencontainers.image.ref.name"])
        connection.close()

    def tags(self, repository):
        connection = http.client.HTTPConnection(self.host)
        connection.request("GET", f"/v2/{repository}/tags/list")
        found = json.load(connection.getresponse())
        connection.close()
        return found.get("tags") or []


class Registry(Server):
    """docker-registry, which keeps everything in files and has them synced."""

    def __init__(self, folder):
        folder.mkdir()
        self.config, self.data = folder / "config.yml", folder / "data"
        super().__init__()

    def command(self):
        self.config.write_text("version: 0.1\nlog: {level: error}\n"
                               f"storage: {{filesystem: {{rootdirectory: {self.data}}}}}\n"
                               f"http: {{addr: '{self.host}'}}\n")
        return ["docker-registry", "serve", self.config]

    def forget(self):
        shutil.rmtree(self.data, ignore_errors=True)


class Olareg(Server):
    """olareg, which keeps everything in memory and answers faster than clients ask."""

    def command(self):
        host, port = self.host.split(":")
        return ["olareg", "serve", "--addr", host, "--port", port, "--store-type", "mem"]

    def forget(self):
        self.stop()
        self.start()


class Line:
    """slow-line before a registry: so many milliseconds before each request, so many MB (10^6) a second on each
    connection."""

    def __init__(self, slow_line, registry, delay, width):
        self.process = subprocess.Popen([slow_line, registry.host, str(delay), str(width)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.host = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
