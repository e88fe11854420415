"""A gateway that does as it is told: it answers by a script, hangs, cuts connections, and writes down what came."""

import gzip
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Deed = Callable[["_Handler", "Request"], None]


@dataclass(frozen=True)
class Request:
    """A POST as it came, its body decoded."""

    key: str
    token: str
    encoding: str
    size: int
    lines: tuple[bytes, ...]

    @property
    def ids(self) -> list[str]:
        """The event ids, in order."""
        return [json.loads(line)["event_id"] for line in self.lines]


@dataclass
class FakeGateway:
    """`script`: what to do with the next requests; after it, `usual`. `taken`: lines of accepted requests, in order."""

    url: str = ""
    script: deque[Deed] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    usual: Deed = field(default_factory=lambda: accept)
    hanging: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ids(self) -> list[str]:
        """The event ids that were taken, in order, repeats included."""
        return [json.loads(line)["event_id"] for line in self.taken]


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    """A gateway on a free port of this machine, until the end of the block."""
    told = FakeGateway()

    class Handler(_Handler):
        gateway = told

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.hanging.set()
        server.shutdown()
        server.server_close()
        thread.join()


def accept(handler: "_Handler", request: Request) -> None:
    """Take all of it."""
    take(handler, request)
    handler.answer(202, {"receipts": receipts(request), "more": "to come"})


def take(handler: "_Handler", request: Request) -> None:
    """As a gateway takes it, before it says so."""
    with handler.gateway.lock:
        handler.gateway.taken.extend(request.lines)


def refusing(*event_ids: str, status: int = 422) -> Deed:
    """Take all but these; `status` where nothing is left."""

    def deed(handler: "_Handler", request: Request) -> None:
        told = receipts(request)
        for receipt in told:
            if receipt["event_id"] in event_ids:
                receipt.update(status="refused", cause="invalid", field="item", reason="It moved.", topic="")
        lines = [line for line, receipt in zip(request.lines, told, strict=True) if receipt["status"] == "accepted"]
        with handler.gateway.lock:
            handler.gateway.taken.extend(lines)
        handler.answer(207 if lines else status, {"receipts": told})

    return deed


def answering(status: int, detail: str = "", **headers: str) -> Deed:
    """Answer with a problem and take nothing; `headers` with _ for -."""
    return lambda handler, _: handler.answer(status, {"title": "no", "detail": detail}, headers)


def at_most(lines: int) -> Deed:
    """413 for more."""

    def deed(handler: "_Handler", request: Request) -> None:
        if len(request.lines) > lines:
            handler.answer(413, {"detail": f"More than {lines} lines."})
        else:
            accept(handler, request)

    return deed


def hang(handler: "_Handler", _: Request) -> None:
    """Say nothing until the end of the test."""
    handler.gateway.hanging.wait()
    handler.close_connection = True


def cut(handler: "_Handler", request: Request) -> None:
    """Take all, and cut the connection in the middle of the answer."""
    take(handler, request)
    body = json.dumps({"receipts": receipts(request)}).encode()
    handler.send_response(202)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def drop(handler: "_Handler", _: Request) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def mumble(handler: "_Handler", _: Request) -> None:
    """A whole answer without a receipt for every event."""
    handler.answer(202, {"receipts": []})


def receipts(request: Request) -> list[dict[str, Any]]:
    """That all was accepted."""
    return [
        {"index": index, "status": "accepted", "source": told["source"], "event_id": told["event_id"], "topic": "t"}
        for index, told in enumerate(map(json.loads, request.lines))
    ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway: FakeGateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding", "")
        raw = gzip.decompress(body) if encoding == "gzip" else body
        request = Request(
            self.headers["Idempotency-Key"],
            self.headers["Authorization"].removeprefix("Bearer "),
            encoding,
            len(body),
            tuple(raw.splitlines()),
        )
        with self.gateway.lock:
            self.gateway.requests.append(request)
            deed = self.gateway.script.popleft() if self.gateway.script else self.gateway.usual
        deed(self, request)

    def do_GET(self) -> None:
        status, body = self.gateway.answers.get(self.path, (404, {"title": "no"}))
        self.answer(status, body)

    def answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        """A JSON answer."""
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class asks for this name
        """Nothing."""
