"""A stand-in for the Hugging Face hub: it serves data sets below a folder, and lists the files that it sent."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Data set `owner/name` lies in the folder `root`/owner/name."""

    root: Path
    endpoint: str = ""
    sent: list[str] = field(default_factory=list)  # the files whose content went out


@contextmanager
def serve(root: Path) -> Iterator[Hub]:
    hub = Hub(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def log_message(self, *_: object) -> None: ...

        def _answer(self, with_content: bool) -> None:
            path = self.path.partition("?")[0].strip("/")
            if path.startswith("api/datasets/"):
                return self._tell("/".join(path.split("/")[2:4]), "/tree/" in path)
            repo, _, file = path.removeprefix("datasets/").partition("/resolve/")
            place = hub.root / repo / file.partition("/")[2]
            if not (hub.root / repo).is_dir():
                return self._refuse("RepoNotFound")
            if not place.is_file():
                return self._refuse("EntryNotFound")
            content = place.read_bytes()
            if with_content:
                hub.sent.append(file.partition("/")[2])
            return self._send(content, with_content, ETag=f'"{hashlib.sha1(content).hexdigest()}"')

        def _tell(self, repo: str, listing: bool) -> None:
            if not (folder := hub.root / repo).is_dir():
                return self._refuse("RepoNotFound")
            names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
            tree = [{"type": "file", "path": name, "size": 1, "oid": COMMIT} for name in names]
            about = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names], "private": False}
            return self._send(json.dumps(tree if listing else about).encode(), with_content=True)

        def _refuse(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, content: bytes, with_content: bool, **headers: str) -> None:
            self.send_response(200)
            for name, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_content:
                self.wfile.write(content)

    return Handler
