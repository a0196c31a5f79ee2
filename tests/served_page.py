"""The page of ``facetl annotate``, served by a process of its own, and a client of it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from drawn_videos import pictures, write_video


@dataclass
class Served:
    """A page that is served by a process of its own, and a client that may be anybody."""

    process: subprocess.Popen[str]
    port: int
    key: str

    def ask(
        self, method: str, path: str, body: object = None, **headers: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask as the page would, but for the headers that are given; None leaves one out."""
        own: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            "Cookie": f"facetl-{self.port}={self.key}",
            "Origin": f"http://127.0.0.1:{self.port}" if method == "POST" else None,
            **headers,
        }
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in own.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            with connection.getresponse() as answer:
                headers_given = {name.lower(): value for name, value in answer.getheaders()}
                return answer.status, headers_given, answer.read()

    @property
    def address(self) -> str:
        """Where the page is, secret and all."""
        return f"http://127.0.0.1:{self.port}/?key={self.key}"

    def told(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return what is answered, which must be well."""
        status, _, data = self.ask(method, path, body)
        assert status == 200, data
        answer: dict[str, Any] = json.loads(data)
        return answer

    def finish(self, number: int, boxes: list[dict[str, Any]], state: str = "done") -> None:
        """Change a frame as it is now."""
        revision = self.told("GET", "/state")["frames"][str(number)]["revision"]
        self.told("POST", f"/frames/{number}", change(revision, boxes, state))


def change(revision: int, boxes: list[dict[str, Any]], state: str) -> dict[str, Any]:
    return {"revision": revision, "boxes": boxes, "state": state}


@contextmanager
def serving(source: Path, *words: str) -> Iterator[Served]:
    """Serve in a process of its own, which is killed at the end, if it is still there."""
    command = [sys.executable, "-m", "facetl", "annotate", str(source), "--no-browser", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        assert address.hostname == "127.0.0.1", address
        assert address.port
        try:
            yield Served(process, address.port, parse_qs(address.query)["key"][0])
        finally:
            process.kill()


def project_of(episode: Path) -> Path:
    return episode.with_suffix(".faces")


def draw_episode(path: Path, scenes: int, length: int = 6) -> Path:
    """Draw a video of some scenes; return its path."""
    return write_video(path, [each for index in range(scenes) for each in pictures(index, length)])
