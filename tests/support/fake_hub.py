"""A Hub of our own on loopback, for the real huggingface_hub client (set `HF_ENDPOINT` to it)."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """Serves repositories given as `{"org/name": {"file": bytes}}`."""

    repos: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    status: int | None = None
    """Answer everything with this status, when set."""
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            def __init__(self, *arguments: Any) -> None:
                self.hub = hub
                super().__init__(*arguments)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.hub.requests.append(f"{self.command} {url.path}")
        if self.hub.status is not None:
            return self._answer(self.hub.status, {})
        if url.path.startswith("/api/models/"):
            return self._api(url.path.removeprefix("/api/models/"), parse_qs(url.query))
        if url.path.startswith("/cdn/"):
            repo, _, name = url.path.removeprefix("/cdn/").partition("//")
            return self._file(self.hub.repos[repo][name], {})
        return self._resolve(url.path.lstrip("/"))

    def _api(self, rest: str, query: dict[str, list[str]]) -> None:
        repo = "/".join(rest.split("/")[:2])
        tail = rest.removeprefix(repo).strip("/")
        if repo not in self.hub.repos:
            return self._answer(401, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})
        if tail == "auth-check":
            return self._gate(repo) or self._answer(200, {})
        files = self.hub.repos[repo]
        if tail.startswith("tree/"):
            return self._answer(200, [_entry(name, data) for name, data in files.items()])
        siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
        return self._answer(
            200,
            {
                "id": repo,
                "modelId": repo,
                "sha": COMMIT,
                "private": False,
                "gated": "manual" if repo in self.hub.gated else False,
                "siblings": siblings,
                "tags": [],
                "downloads": 0,
            },
        )

    def _resolve(self, path: str) -> None:
        repo = "/".join(path.split("/")[:2])
        name = path.split("/resolve/", 1)[-1].split("/", 1)[-1]
        if repo not in self.hub.repos:
            return self._answer(401, {}, {"X-Error-Code": "RepoNotFound"})
        if self._gate(repo):
            return None
        data = self.hub.repos[repo].get(name)
        if data is None:
            return self._answer(404, {}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_git_id(data)}"'}
        if name.endswith(".safetensors"):  # Large files come from elsewhere, as on the Hub.
            headers |= {
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                # Another host, as on the Hub: the client stops there to read the headers.
                "Location": f"{self.hub.url.replace('127.0.0.1', 'localhost')}/cdn/{repo}//{name}",
            }
            return self._answer(302, {}, headers)
        return self._file(data, headers)

    def _gate(self, repo: str) -> bool:
        if repo not in self.hub.gated:
            return False
        self._answer(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
        return True

    def _file(self, data: bytes, headers: dict[str, str]) -> None:
        wanted = self.headers.get("Range", "")
        status = 200
        if wanted.startswith("bytes="):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start or 0), int(end or len(data) - 1)
            headers |= {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
            data, status = data[first : last + 1], 206
        self._send(status, data, {"Content-Type": "application/octet-stream", **headers})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self._send(status, data, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(name: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "oid": _git_id(data),
        "size": len(data),
        "path": name,
    }
    if name.endswith(".safetensors"):
        oid = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
    return entry
