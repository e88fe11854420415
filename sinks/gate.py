"""The gate: a read-only HTTP door to the embedded store that speaks as a ClickHouse server does.

Grafana's ClickHouse plugin, clickhouse-connect and curl use it as they would use a server. What may be
asked stands in `sinks.readonly`; here is HTTP: who asks, what, in which format, and how the answer looks.
Answers are made in threads, several at a time, while the same process writes.

It answers on loopback only, and every question needs the password; `/ping` and, where the process tells of itself,
`/metrics`, `/health` and `/ready` need none: they hold numbers and sentences of ours, and no data.
"""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import logging
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import BasicAuth, BodyPartReader, hdrs, web

from schemas.errors import QuaysideError, WrongInput
from sinks.embedded import DATABASE, QueryError
from sinks.gate_tally import GateTally
from sinks.greetings import native_greeting, rewritten
from sinks.readonly import READONLY, SYNTAX_ERROR, Limits, Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sinks.embedded import EmbeddedStore
    from sinks.gate_tally import Outcome, Probes

LOOPBACK: Final = "127.0.0.1"

_AUTHENTICATION_FAILED = 516
_TOO_MANY_QUERIES = 202
_NOT_IMPLEMENTED = 48
_UNKNOWN_EXCEPTION = 1002
_WAITING_PER_READER = 16
_WORTH_COMPRESSING = 1024  # bytes
_PARAMETER = "param_"
_QUERY_ID = re.compile(r"[\x21-\x7e]{1,128}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A gate that listens on `http://127.0.0.1:<port>` until `close`."""

    port: int
    runner: web.AppRunner

    async def close(self) -> None:
        """Stop listening and wait for what is being answered."""
        await self.runner.cleanup()


async def open_gate(application: web.Application, port: int = 0) -> OpenGate:
    """Listen on loopback; port 0 takes a free one.

    Nothing is logged per request: a password may stand in the URL.

    Raises:
        WrongInput: The port is taken.
    """
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
    except OSError as error:
        await runner.cleanup()
        raise WrongInput(
            f"Port {port} on {LOOPBACK} cannot be used for the gate ({error.strerror}): "
            "set QUAYSIDE_GATE_PORT to another one, or to 0."
        ) from error
    return OpenGate(int(runner.addresses[0][1]), runner)


def gate(
    store: EmbeddedStore,
    password: str,
    *,
    user: str = "default",
    readers: int = 4,
    limits: Limits | None = None,
    tally: GateTally | None = None,
    probes: Probes | None = None,
) -> web.Application:
    """The gate over an open store, as an aiohttp application.

    Args:
        store: Stays the caller's: close it after the application.
        password: What every question must bring, with `user`: as Basic authentication, as the headers
            X-ClickHouse-User and X-ClickHouse-Key, or as the URL parameters `user` and `password`.
        user: ClickHouse's name for who gives none is `default`, hence the default.
        readers: How many questions are answered at the same time.
        limits: What one question may take.
        tally: Counts what is asked.
        probes: What `/metrics`, `/health` and `/ready` tell; None: there are no such addresses.

    Raises:
        WrongInput: The password is empty.
    """
    if not password:
        raise WrongInput("The gate's password is empty; set one.")
    bounds = limits or Limits()
    with store.session() as session:
        rules = Rules.of(session)
    door = _Door(store, rules, bounds, tally or GateTally(), user=user, password=password, readers=readers)
    application = web.Application(client_max_size=bounds.request_bytes)
    application.router.add_get("/ping", _ping)
    if probes is not None:
        _add_probes(application, probes)
    application.router.add_get("/", door.handle)
    application.router.add_post("/", door.handle)
    application.cleanup_ctx.append(door.threads)
    return application


@dataclass(frozen=True, slots=True)
class _Question:
    sql: str
    fields: Mapping[str, str]
    fmt: str
    query_id: str
    gzip: bool
    torn: bool  # the body is not UTF-8: most likely the data of an INSERT

    @property
    def parameters(self) -> dict[str, str]:
        cut = len(_PARAMETER)
        return {name[cut:]: value for name, value in self.fields.items() if name.startswith(_PARAMETER)}


class _Door:
    """Authentication, the way of a question through the threads, and the shape of the answer."""

    def __init__(
        self,
        store: EmbeddedStore,
        rules: Rules,
        limits: Limits,
        tally: GateTally,
        *,
        user: str,
        password: str,
        readers: int,
    ) -> None:
        self._store = store
        self._rules = rules
        self._limits = limits
        self._tally = tally
        self._user = user.encode()
        self._password = password.encode()
        self._readers = readers
        self._pool: ThreadPoolExecutor | None = None

    async def threads(self, _: web.Application) -> AsyncIterator[None]:
        """The readers' threads live as long as the application serves."""
        self._pool = ThreadPoolExecutor(self._readers, thread_name_prefix="gate")
        yield
        await asyncio.to_thread(self._pool.shutdown)

    async def handle(self, request: web.Request) -> web.Response:
        query_id = request.query.get("query_id", "")
        if not _QUERY_ID.fullmatch(query_id):
            query_id = str(uuid.uuid4())
        if request.method == hdrs.METH_GET and not request.query.get("query"):
            return await _ping(request)
        began = time.perf_counter()
        if not self._admits(request):
            self._tally.ended("denied")
            reason = "Authentication failed: password is incorrect, or there is no user with such name."
            return _failure(_error(_AUTHENTICATION_FAILED, reason, "AUTHENTICATION_FAILED"), query_id, status=401)
        outcome: Outcome = "failed"
        try:
            question = await _read(request, query_id)
            if self._tally.under_way >= self._readers * _WAITING_PER_READER:
                outcome = "refused"
                raise _error(_TOO_MANY_QUERIES, "Too many simultaneous queries.", "TOO_MANY_SIMULTANEOUS_QUERIES")
            self._tally.under_way += 1
            try:
                answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)
            finally:
                self._tally.under_way -= 1
            outcome = "answered"
        except QueryError as error:
            return _failure(error, query_id)
        except QuaysideError as error:
            _log.warning("The gate could not answer: %s", error)
            return _failure(_error(_UNKNOWN_EXCEPTION, str(error), "UNKNOWN_EXCEPTION"), query_id)
        else:
            return answer
        finally:
            self._tally.ended(outcome, None if outcome == "refused" else time.perf_counter() - began)

    def _answer(self, question: _Question) -> web.Response:
        settings = self._limits.settings(question.fields)
        fmt, _ = self._rules.format(question.fmt)
        with self._store.session(settings, question.fields.get("database") or DATABASE) as session:
            statement = self._rules.check(session, question.sql, question.parameters)
            if question.torn:
                raise _error(SYNTAX_ERROR, "The query is not UTF-8.", "SYNTAX_ERROR")
            fmt, mime = self._rules.format(statement.fmt or fmt)
            block = native_greeting(session, statement, _revision(question.fields)) if fmt == "Native" else None
            headers = {hdrs.CONTENT_TYPE: mime, "X-ClickHouse-Format": fmt}
            if block is None:
                text = rewritten(statement).encode("utf-8", errors="surrogateescape")
                answer = session.ask(text, fmt, question.parameters)
                block = answer.body
                self._tally.rows_read += answer.rows_read
                headers["X-ClickHouse-Summary"] = json.dumps(
                    {
                        "read_rows": str(answer.rows_read),
                        "read_bytes": str(answer.bytes_read),
                        "elapsed_ns": str(int(answer.seconds * 1e9)),
                    }
                )
        self._tally.bytes_sent += len(block)
        if question.gzip and len(block) >= _WORTH_COMPRESSING:
            block = gzip.compress(block, compresslevel=1)
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        zone = str(settings.get("session_timezone") or "UTC")
        headers |= {"X-ClickHouse-Query-Id": question.query_id, "X-ClickHouse-Timezone": zone}
        return web.Response(body=block, headers=headers)

    def _admits(self, request: web.Request) -> bool:
        user, password = _credentials(request)
        # Both are compared always, and in constant time.
        right_user = hmac.compare_digest(user.encode(), self._user)
        return hmac.compare_digest(password.encode(), self._password) and right_user


def _add_probes(application: web.Application, probes: Probes) -> None:
    async def metrics(_: web.Request) -> web.Response:
        body, content_type = probes.metrics()
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})

    async def health(_: web.Request) -> web.Response:
        is_ok, told = probes.health()
        return web.json_response(told, status=200 if is_ok else 503)

    async def ready(_: web.Request) -> web.Response:
        is_ok, told = probes.ready()
        return web.json_response(told, status=200 if is_ok else 503)

    application.router.add_get("/metrics", metrics)
    application.router.add_get("/health", health)
    application.router.add_get("/ready", ready)


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n", headers={"X-ClickHouse-Timezone": "UTC"})


def _credentials(request: web.Request) -> tuple[str, str]:
    if "X-ClickHouse-Key" in request.headers:
        return request.headers.get("X-ClickHouse-User", "default"), request.headers["X-ClickHouse-Key"]
    if hdrs.AUTHORIZATION in request.headers:
        try:
            basic = BasicAuth.decode(request.headers[hdrs.AUTHORIZATION], encoding="utf-8")
        except ValueError:
            return "", ""
        return basic.login, basic.password
    return request.query.get("user", "default"), request.query.get("password", "")


async def _read(request: web.Request, query_id: str) -> _Question:
    """Gather a question from the URL and the body, as a ClickHouse server does: URL first, then body."""
    fields = dict(request.query)
    sql = fields.get("query", "")
    torn = False
    if request.content_type == "multipart/form-data":
        # clickhouse-connect sends long parameters like this.
        form = await _form(request)
        fields |= form
        sql += form.get("query", "")
    else:
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        if encoding not in {"identity", "gzip", "deflate"}:  # drivers compress the data of inserts so
            raise _error(READONLY, f"This gate is read-only: no body in {encoding} is taken.", "READONLY")
        body = await _body(request)
        text = body.decode(errors="replace")
        torn = "\ufffd" in text and text.encode() != body
        sql = "\n".join(part for part in (sql, text) if part)
    for name in ("compress", "decompress"):
        if fields.get(name, "0") not in {"0", "", "false"}:
            reason = f"{name}=1 is not offered by this gate; use enable_http_compression=1 with gzip."
            raise _error(_NOT_IMPLEMENTED, reason, "NOT_IMPLEMENTED")
    fmt = request.headers.get("X-ClickHouse-Format") or fields.get("default_format") or "TabSeparated"
    fields.setdefault("database", request.headers.get("X-ClickHouse-Database", ""))
    wanted = fields.get("enable_http_compression", "0") in {"1", "true"}
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
    return _Question(sql, fields, fmt, query_id, gzip=wanted and _accepts_gzip(accepted), torn=torn)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _error(SYNTAX_ERROR, "Max query size exceeded.", "SYNTAX_ERROR") from None


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_length is None or request.content_length > request.client_max_size:
        raise _error(SYNTAX_ERROR, "Max query size exceeded.", "SYNTAX_ERROR")
    fields = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.filename or not part.name:
            raise _error(_NOT_IMPLEMENTED, "External data is not offered by this gate.", "NOT_IMPLEMENTED")
        fields[part.name] = await part.text(encoding="utf-8")
    return fields


def _accepts_gzip(header: str) -> bool:
    for item in header.split(","):
        coding, _, rest = item.strip().partition(";")
        if coding.strip() == "gzip":
            return rest.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _revision(fields: Mapping[str, str]) -> int:
    text = fields.get("client_protocol_version", "0")
    return int(text) if text.isdecimal() else 0


def _error(code: int, reason: str, symbol: str) -> QueryError:
    return QueryError(f"Code: {code}. DB::Exception: {reason} ({symbol})", code)


def _failure(error: QueryError, query_id: str, status: int = 500) -> web.Response:
    # 500 even for mistakes in SQL: Grafana's driver reads 4xx while connecting as a wrong password.
    headers = {
        "X-ClickHouse-Exception-Code": str(error.code),
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Timezone": "UTC",
    }
    if status == web.HTTPUnauthorized.status_code:
        headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="ClickHouse server HTTP API"'
    return web.Response(text=f"{error}\n", status=status, headers=headers)
