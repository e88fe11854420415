"""The live board's server: the pages, the dashboards, and answers of the store to their questions, on loopback.

It asks the store through the gate, with the gate's password, which a browser never sees. It answers browsers of this
machine only: a page from elsewhere that names another host is refused.
"""

import asyncio
import json
import signal
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
import plotly  # type: ignore[import-untyped]  # it has no types; only its folder is asked for
from aiohttp import web

from dashboards.live.questions import MOST_ROWS, Question, dashboard, dashboards, statement
from deploy.command.reach import stack_of
from deploy.gate_client import raw
from schemas.errors import QuaysideError, Unreachable, WrongInput

_PAGES: Final = files("dashboards.live").joinpath("pages")
_PLOTLY: Final = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LARGEST: Final = 256 * 1024
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def board(data: Path | None) -> web.Application:
    """The application for the stack of a data directory (or your own servers)."""
    app = web.Application(client_max_size=_LARGEST, middlewares=[_guarded])
    decoder = msgspec.json.Decoder(Question)

    async def ask(request: web.Request) -> web.Response:
        try:
            question = decoder.decode(await request.read())
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WrongInput(f"The question cannot be read: {error}.") from None
        sql = statement(question)
        answer = await asyncio.to_thread(_asked, data, sql)
        return web.json_response(text=json.dumps(answer))

    app.router.add_get("/", _page)
    app.router.add_get("/d/{uid}", _page)
    app.router.add_get("/d/{uid}/{slug}", _page)
    app.router.add_get("/pages/{name}", _file)
    app.router.add_get("/plotly.min.js", _plotly)
    app.router.add_get("/api/dashboards", _all)
    app.router.add_get("/api/dashboards/{uid}", _one)
    app.router.add_post("/api/ask", ask)
    return app


async def open_board(data: Path | None, port: int) -> tuple[web.AppRunner, int]:
    """Serve on 127.0.0.1; the runner, and the port that was taken (0 takes a free one).

    Raises WrongInput where the port is taken.
    """
    runner = web.AppRunner(board(data), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise WrongInput(f"The board cannot listen on port {port} ({error.strerror}): choose another.") from None
    sockets = site._server.sockets if isinstance(site._server, asyncio.Server) else ()  # noqa: SLF001  # the only way
    return runner, sockets[0].getsockname()[1]


def serve(data: Path | None, port: int, ready: Callable[[str], None]) -> None:
    """Serve until a signal; `ready` is told the address."""

    async def run() -> None:
        runner, taken = await open_board(data, port)
        ready(f"http://127.0.0.1:{taken}")
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        try:
            await stopping.wait()
        finally:
            await runner.cleanup()

    asyncio.run(run())


def _asked(data: Path | None, sql: str) -> dict[str, Any]:
    """The answer as columns and rows."""
    _, stack = stack_of(data)
    found = json.loads(raw(stack, sql, "JSONCompact"))
    return {"columns": found["meta"], "rows": found["data"][:MOST_ROWS]}


@web.middleware
async def _guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    host = request.host.rsplit(":", 1)[0].strip("[]")
    if host not in _HOSTS:
        return web.json_response({"error": f"The board answers this machine only, not {host}."}, status=403)
    try:
        answer: web.StreamResponse = await handler(request)
    except QuaysideError as error:
        status = 503 if isinstance(error, Unreachable) else 400
        answer = web.json_response({"error": str(error)}, status=status)
    answer.headers.update(_HEADERS)
    return answer


async def _page(_: web.Request) -> web.Response:
    return _served("board.html")


async def _file(request: web.Request) -> web.Response:
    return _served(request.match_info["name"])


def _served(name: str) -> web.Response:
    known = {entry.name: entry for entry in _PAGES.iterdir()}
    if name not in known:
        raise web.HTTPNotFound
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return web.Response(text=known[name].read_text(encoding="utf-8"), content_type=kind)


async def _plotly(_: web.Request) -> web.FileResponse:
    return web.FileResponse(_PLOTLY)


async def _all(_: web.Request) -> web.Response:
    listed = [
        {"uid": uid, "title": one["title"], "description": one.get("description", "")}
        for uid, one in dashboards().items()
    ]
    return web.json_response(listed)


async def _one(request: web.Request) -> web.Response:
    return web.json_response(dashboard(request.match_info["uid"]))
