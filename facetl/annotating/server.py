"""The page's server: on this machine alone, for whoever knows the secret in its address.

Nothing is served to others: not without the secret, nor to a page of another origin (a request
that changes anything must name its own), nor under another name of this machine (which a hostile
name server could give it).  Files are asked for by numbers and by names of a fixed list.
"""

from __future__ import annotations

import hmac
import json
import mimetypes
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facetl.annotating.records import FrameRecord
from facetl.annotating.service import Service
from facetl.annotating.session import StaleError
from facetl.data.images import encode_png, encode_small, image_bytes, load_image
from facetl.errors import FacetlError, OutputError
from facetl.palette import COMMON_STYLE

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MEDIA_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_SHOWN_AS_THEY_ARE = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_SMALL = 192
"""Longest side of a small picture, in pixels."""
_MOST_BYTES = 2**20
"""Bytes of a request's body."""


class Guard:
    """Lets only those requests through that come from the page itself.

    Args:
        app: what answers them.
        port: where it is served.
        secret: in the address at first, in a cookie from then on.
    """

    def __init__(self, app: ASGIApp, port: int, secret: str) -> None:
        self._app, self._secret = app, secret
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self.cookie = f"facetl-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None
        request = Request(scope)
        if refusal := self._find_refusal(request):
            return await PlainTextResponse(refusal, 403)(scope, receive, _with_headers(send, {}))
        await self._app(scope, receive, _with_headers(send, self._cookie_for(request)))
        return None

    def _find_refusal(self, request: Request) -> str:
        """Return why a request is refused; empty if it is not."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "found another host in the request than this one"
        if not (self._knows(request.cookies.get(self.cookie)) or self._has_key(request)):
            return "open the address that facetl annotate has printed"
        if request.method in ("GET", "HEAD"):
            return ""
        if request.headers.getlist("origin") != [f"http://{hosts[0]}"]:
            return "found another origin in the request than this page"
        return ""

    def _cookie_for(self, request: Request) -> dict[str, str]:
        if not self._has_key(request):
            return {}
        value = f"{self.cookie}={self._secret}; Path=/; HttpOnly; SameSite=Strict"
        return {"Set-Cookie": value}

    def _has_key(self, request: Request) -> bool:
        """Return whether it asks for the page itself, with the secret in the address."""
        is_page = request.method == "GET" and request.scope["path"] == "/"
        return is_page and self._knows(request.query_params.get("key"))

    def _knows(self, given: str | None) -> bool:
        return hmac.compare_digest((given or "").encode(), self._secret.encode())


def _with_headers(send: Send, more: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = {name.lower() for name, _ in message["headers"]}
            for name, value in {**_HEADERS, "Content-Security-Policy": POLICY, **more}.items():
                if name.lower().encode() not in headers:
                    message["headers"].append((name.lower().encode(), value.encode()))
        await send(message)

    return send_with_headers


class Pages:
    """Answers the page's requests.

    Args:
        service: what they are about.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._small: dict[str, bytes] = {}
        self._linked: dict[str, Path] | None = None
        paths = (*PAGE.iterdir(), COMMON_STYLE)
        self._files = {path.name: path for path in paths if path.suffix in _TYPES}

    def routes(self) -> list[Route]:
        """Return what is answered, and how."""
        changes: dict[str, Callable[[Request, Any], dict[str, Any]]] = {
            "/frames/{number:int}": self._change,
            "/undo": self._undo,
            "/retrain": lambda *_: self._do(self._service.retrain),
            "/search": lambda *_: self._do(self._service.search),
            "/more": lambda *_: self._do(self._service.more),
            "/stop": lambda *_: self._do(self._service.background.stop),
            "/use": lambda _, body: self._do(self._service.use, _whole(body.get("round"))),
        }
        return [
            Route("/", self._page),
            Route("/page/{name}", self._file),
            Route("/state", lambda request: JSONResponse(self._state())),
            Route("/job", lambda request: JSONResponse(self._told())),
            Route("/frames/{number:int}", self._picture),
            Route("/small/{number:int}", self._small_picture),
            Route("/report", self._report),
            *(Route(path, _changing(run), methods=["POST"]) for path, run in changes.items()),
            Route("/{path:path}", self._searched),
        ]

    def _page(self, request: Request) -> Response:
        return FileResponse(self._files["annotate.html"], media_type="text/html")

    def _file(self, request: Request) -> Response:
        path = self._files.get(request.path_params["name"])
        return FileResponse(path, media_type=_TYPES[path.suffix]) if path else _nothing()

    def _report(self, request: Request) -> Response:
        path, self._linked = self._service.report, None  # it may be of another search
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return FileResponse(path, media_type="text/html", headers=headers) if path else _nothing()

    def _searched(self, request: Request) -> Response:
        """Answer with a file that the report links to, or the part of it that is asked for."""
        if self._service.report is None:
            return _nothing()
        if self._linked is None:
            self._linked = self._service.linked_files()
        path = self._linked.get(f"/{request.path_params['path']}")
        if path is None or not path.is_file():
            return _nothing()
        kind = mimetypes.guess_type(path.name)[0] or ""
        shown = kind if kind.startswith(("image/", "video/")) else "application/octet-stream"
        headers = {"Content-Security-Policy": _MEDIA_POLICY}
        return FileResponse(path, media_type=shown, headers=headers)

    def _picture(self, request: Request) -> Response:
        record = self._record(request)
        if record is None:
            return _nothing()
        path = self._service.session.store.picture(record)
        data = image_bytes(path)
        for head, kind in _SHOWN_AS_THEY_ARE.items():
            if data.startswith(head):
                return Response(data, media_type=kind)
        return Response(encode_png(load_image(path)), media_type="image/png")

    def _small_picture(self, request: Request) -> Response:
        record = self._record(request)
        if record is None:
            return _nothing()
        if record.name not in self._small:
            pixels = load_image(self._service.session.store.picture(record))
            self._small[record.name] = encode_small(pixels, _SMALL)
        return Response(self._small[record.name], media_type="image/webp")

    def _record(self, request: Request) -> FrameRecord | None:
        number, frames = request.path_params["number"], self._service.session.frames
        return frames[number] if number < len(frames) else None

    def _change(self, request: Request, body: Any) -> dict[str, Any]:
        number = request.path_params["number"]
        if number >= len(self._service.session.frames):
            raise FacetlError("found no such frame; reload the page")
        boxes, state = body.get("boxes"), body.get("state")
        if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
            raise FacetlError("found no list of boxes in the request; reload the page")
        changed = self._service.session.change(number, _whole(body.get("revision")), boxes, state)
        return self._told(changed)

    def _undo(self, request: Request, body: Any) -> dict[str, Any]:
        return self._told(self._service.session.undo(_whole(body.get("edition"))))

    def _do(self, run: Callable[..., None], *arguments: int) -> dict[str, Any]:
        run(*arguments)
        return self._told()

    def _state(self) -> dict[str, Any]:
        return self._told(list(range(len(self._service.session.frames))))

    def _told(self, numbers: list[int] | None = None) -> dict[str, Any]:
        """Return how everything stands, with the frames of some numbers."""
        session = self._service.session
        return {
            "frames": {number: session.frames[number].to_json() for number in numbers or ()},
            "changed": numbers or [],
            "order": session.order,
            "edition": session.edition,
            "labels": session.labels,
            "can_undo": session.can_undo,
            "project": self._service.to_json(),
        }


def _changing(run: Callable[[Request, Any], dict[str, Any]]) -> Callable[[Request], Any]:
    """Return what answers a request that changes something, whose body is JSON."""

    async def answer(request: Request) -> Response:
        data = b""
        async for chunk in request.stream():
            data += chunk
            if len(data) > _MOST_BYTES:
                return JSONResponse({"error": "the request is too large"}, 413)
        return await run_in_threadpool(_answer_to, run, request, data)

    return answer


def _answer_to(
    run: Callable[[Request, Any], dict[str, Any]], request: Request, data: bytes
) -> Response:
    try:
        body = json.loads(data)
        if not isinstance(body, dict):
            raise ValueError("no object")
        return JSONResponse(run(request, body))
    except StaleError as error:
        return JSONResponse({"error": str(error)}, 409)
    except OutputError as error:
        return JSONResponse({"error": str(error)}, 507)
    except FacetlError as error:
        return JSONResponse({"error": str(error)}, 400)
    except (RecursionError, ValueError):
        return JSONResponse({"error": "found no JSON object in the request"}, 400)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FacetlError("found no number where the request needs one; reload the page")
    return value


def _nothing() -> Response:
    return PlainTextResponse("there is nothing here", 404)


def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404)


def make_app(service: Service, port: int, secret: str) -> ASGIApp:
    """Return what answers requests to a port, for those who know the secret."""
    app = Starlette(routes=Pages(service).routes(), exception_handlers={FacetlError: _failed})
    return Guard(app, port, secret)


def listen(port: int) -> socket.socket:
    """Return a socket on this machine alone; port 0 stands for any that is free.

    Raises:
        OutputError: if the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise OutputError(f"port {port} cannot be used ({error.strerror}); give another") from error
    return listener


def serve(service: Service, port: int, opened: Callable[[str], object]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        service: what the page is about.
        port: where; 0 for any that is free.
        opened: is told the address, secret and all, once there is somebody to answer.

    Raises:
        OutputError: if the port is taken.
    """
    with listen(port) as listener:
        taken, secret = listener.getsockname()[1], secrets.token_urlsafe(32)
        app = make_app(service, taken, secret)
        listener.listen()
        opened(f"http://{HOST}:{taken}/?key={secret}")
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        try:
            uvicorn.Server(config).run([listener])
        finally:
            service.background.close()
