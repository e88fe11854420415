"""A stand-in for a ClickHouse server: its HTTP interface over the embedded engine, in a process of its own.

It is the same engine (chDB) behind enough of the interface for clickhouse-connect to migrate, insert (Native format,
compressed) and query: what a test shows against it is shown of our side and of the driver's HTTP side, not of the
server program itself. Faults can be switched on, for inserts only: `slow`, `refuse` (the connection is cut before
anything is done), `error` (500 with a code) and `drop` (the insert is applied, then the connection is cut).

Started as `python -m tests.sinks.clickhouse_server DIR [PORT]`; prints the port. Ends when its stdin ends.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import chdb
import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]  # it has no types
from aiohttp import web
from clickhouse_connect.driver.client import Client

ROOT: Final = Path(__file__).parents[2]
_INSERT: Final = re.compile(rb"\s*(INSERT INTO .+? FORMAT Native)[ \r]*\n", re.DOTALL)
_CODE: Final = re.compile(r"Code: (\d+)")
_NO_SETTINGS: Final = frozenset(
    {"query", "database", "user", "password", "query_id", "session_id", "session_timeout", "default_format"}
    | {
        "enable_http_compression",
        "client_protocol_version",
        "role",
        "compress",
        "decompress",
        "send_progress_in_http_headers",
    }
    | {"http_headers_progress_interval_ms", "wait_end_of_query", "cancel_http_readonly_queries_on_client_close"}
)


class Server:
    """A running stand-in, as a test holds it."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "tests.sinks.clickhouse_server", str(folder), str(port)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def client(self, database: str = "default") -> Client:
        """A client on it."""
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, database=database)

    def fault(self, kind: str = "", times: int = -1, **said: Any) -> None:
        """From now on inserts meet this fault: so many of them, or all until the next call; "" mends it.

        `seconds`: of `slow`. `code`, `name`: of `error`.
        """
        body = json.dumps({"kind": kind, "times": times, **said}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fault", body, timeout=10):
            pass

    def met(self) -> int:
        """How many inserts have met a fault."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fault", timeout=10) as answer:
            return int(json.load(answer)["met"])

    def kill(self) -> None:
        """As a power cut does it."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """A stand-in with a directory of its own."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()


class _Door:
    """The requests, and the faults they meet."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._anchor = chdb.connect(folder)  # keeps the engine up
        self._fault: dict[str, Any] = {"kind": "", "times": 0}
        self._met = 0

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def set_fault(self, request: web.Request) -> web.Response:
        self._fault = await request.json()
        return web.Response()

    async def tell_fault(self, _: web.Request) -> web.Response:
        return web.json_response({"met": self._met})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        fields = dict(request.query)
        statement = b"\n".join(part for part in (fields.get("query", "").encode(), body) if part)
        insert = _INSERT.match(statement)
        fault: dict[str, Any] = self._take_fault() if insert else {"kind": ""}
        if fault["kind"] == "slow":
            await asyncio.sleep(fault["seconds"])
        if fault["kind"] == "refuse":
            return _cut(request)
        if fault["kind"] == "error":
            return _failure(fault["code"], f"a fault of the test. ({fault['name']})")
        try:
            answer = await asyncio.to_thread(self._run, statement, insert, fields)
        except RuntimeError as error:  # chdb.ChdbError is one
            text = str(error)
            found = _CODE.search(text)
            return _failure(int(found[1]) if found else 1002, text[found.start() if found else 0 :])
        if fault["kind"] == "drop":
            return _cut(request)
        named = request.headers.get("X-ClickHouse-Format") or fields.get("default_format") or "TabSeparated"
        said = re.search(rb"FORMAT\s+(\w+)\s*$", statement) if not insert else None
        headers = {"X-ClickHouse-Format": said[1].decode() if said else named, "X-ClickHouse-Timezone": "UTC"}
        return web.Response(body=answer, headers=headers if answer else {"X-ClickHouse-Timezone": "UTC"})

    def _take_fault(self) -> dict[str, Any]:
        fault = self._fault
        if not fault["kind"] or not fault["times"]:
            return {"kind": ""}
        fault["times"] -= 1
        self._met += 1
        return fault

    def _run(self, statement: bytes, insert: re.Match[bytes] | None, fields: dict[str, str]) -> bytes:
        connection = chdb.connect(self._folder)
        try:
            connection.query(f"USE `{fields.get('database') or 'default'}`", "TabSeparated")
            for name, value in ({"session_timezone": "UTC"} | fields).items():
                if name not in _NO_SETTINGS and not name.startswith("param_"):
                    connection.query(f"SET {name} = '{value}'", "TabSeparated")
            if insert is None:
                parameters = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
                return bytes(connection.query(statement, "TabSeparated", params=parameters).bytes() or b"")
            with tempfile.NamedTemporaryFile(suffix=".native") as file:
                file.write(statement[insert.end() :])
                file.flush()
                head = insert[1].decode().removesuffix(" FORMAT Native")
                connection.query(f"{head} FROM INFILE '{file.name}' FORMAT Native", "TabSeparated")
            return b""
        finally:
            connection.close()


async def _body(request: web.Request) -> bytes:
    body = await request.read()
    encoding = request.headers.get("Content-Encoding", "")
    return bytes(lz4.frame.decompress(body)) if encoding == "lz4" else body  # clickhouse-connect's choice


def _cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.StreamResponse()


def _failure(code: int, text: str) -> web.Response:
    said = text if text.startswith("Code:") else f"Code: {code}. DB::Exception: {text}"
    return web.Response(text=said + "\n", status=500, headers={"X-ClickHouse-Exception-Code": str(code)})


async def _serve(folder: str, port: int) -> None:
    door = _Door(folder)
    application = web.Application(client_max_size=1 << 30)
    application.router.add_get("/ping", door.ping)
    application.router.add_post("/fault", door.set_fault)
    application.router.add_get("/fault", door.tell_fault)
    application.router.add_route("*", "/", door.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201  # how the test learns it
    while await asyncio.to_thread(sys.stdin.readline):
        pass
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
