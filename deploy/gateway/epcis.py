"""The EPCIS 2.0 capture interface: POST /v1/epcis/capture, and what became of what was sent.

What is standard here and what is not: docs/epcis.md. The body is kept on disk before 202 is told; it is worked off by
`deploy.gateway.capturing`. A token is told of its own captures and events only; of others' it is told that there are
none.
"""

import asyncio
import logging
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from deploy.gateway.captures import Captures, Job
from deploy.gateway.capturing import Capturing, Takes
from deploy.gateway.problems import LATER_S, PROBLEM, Problem
from deploy.tokens import ANY_SOURCE, Grant
from schemas.epcis.document import NotADocument, read_document

JSON_LD: Final = "application/ld+json"
_JSON: Final = "application/json"
_VERSIONS: Final = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
_BEHAVIOURS: Final = ("rollback", "proceed")
_SOURCE: Final = "Quayside-Source"
_P = ParamSpec("_P")
_T = TypeVar("_T")
_log: Final = logging.getLogger("quayside.gateway")

Body = Callable[[Request, int], AbstractAsyncContextManager[bytes]]
"""Reads the body of a request, of so many bytes at the most (deploy.gateway.receiving)."""

_PROBLEM: Final[dict[str, Any]] = {"content": {PROBLEM: {"schema": {"type": "object"}}}}
_ASKED: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((401, 404, 503), _PROBLEM)


def router(
    intake: Takes,
    captures: Captures,
    identify: Callable[[Request], Grant | Awaitable[Grant]],
    *,
    body: Body | None = None,
    charge: Callable[[Grant, int], None] | None = None,
    clock: Callable[[], int] | None = None,
) -> APIRouter:
    """The routes. Their lifespan works off the jobs, those of an earlier life first.

    Args:
        intake: Takes the events of ours that follow.
        captures: The store; closed by whoever made it.
        identify: The grant of a request (sync or async, from the `Request`); raises Problem where there is none.
        body: Reads a request's body; without it, bodies are read as they are, without Content-Encoding.
        charge: Takes so many events out of what a token may send; raises TooFast.
        clock: The time in ms.
    """
    capturing = Capturing(intake, captures, clock)
    routes = _Routes(capturing, captures, identify, body or _plain_body, charge)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        work = asyncio.create_task(capturing.run())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    made = APIRouter(prefix="/v1/epcis", tags=["epcis"], lifespan=lifespan)
    made.add_api_route(
        "/capture",
        routes.capture,
        methods=["POST"],
        status_code=202,
        summary="Capture EPCIS events",
        description="An EPCISDocument (JSON or JSON-LD). Location names the job that tells what became of its events.",
        response_class=Response,
        responses=dict.fromkeys((400, 401, 403, 413, 415, 429, 503), _PROBLEM),
        openapi_extra=_REQUEST,
    )
    made.add_api_route(
        "/capture/{capture_id}",
        routes.job,
        methods=["GET"],
        summary="What became of a capture",
        response_class=Response,
        responses={200: {"content": {_JSON: {"schema": _JOB_SCHEMA}}}, **_ASKED},
        openapi_extra=_SECURED,
    )
    made.add_api_route(
        "/events/{event_id:path}",
        routes.event,
        methods=["GET"],
        summary="An event as it was captured",
        description="The eventID is percent-encoded. An event that was declared wrong comes with its declaration.",
        response_class=Response,
        responses={200: {"content": {JSON_LD: {"schema": {"type": "object"}}}}, **_ASKED},
        openapi_extra=_SECURED,
    )
    return made


class _Routes:
    """A method for each route."""

    def __init__(
        self,
        capturing: Capturing,
        captures: Captures,
        identify: Callable[[Request], Grant | Awaitable[Grant]],
        body: Body,
        charge: Callable[[Grant, int], None] | None,
    ) -> None:
        self._capturing: Final = capturing
        self._captures: Final = captures
        self._identify: Final = identify
        self._body: Final = body
        self._charge: Final = charge

    async def capture(self, request: Request) -> Response:
        grant = await self._grant(request)
        _check_headers(request)
        source = _source_of(request, grant)
        behaviour = _behaviour_of(request)
        async with self._body(request, grant.max_bytes) as sent:
            if sum(map(sent.count, (b",", b"{", b"["))) > _MOST_VALUES:  # each may take 200 bytes of memory
                raise Problem(413, f"The document has more than {_MOST_VALUES} values: send it in parts.", _VERSIONS)
            try:
                document = await asyncio.to_thread(read_document, sent)
            except NotADocument as error:
                raise Problem(400, str(error), _VERSIONS) from None
            if self._charge is not None:
                self._charge(grant, document.total)
            job = Job(uuid.uuid4().hex, source, grant, behaviour, sent, self._capturing.now())
            await _kept(self._capturing.add, job)
        self._capturing.wake()
        return Response(None, 202, {"Location": f"/v1/epcis/capture/{job.capture_id}", **_VERSIONS})

    async def job(self, request: Request, capture_id: str) -> Response:
        grant = await self._grant(request)
        job = await _kept(self._captures.job, capture_id)
        if job is None or job.grant.name != grant.name:
            raise Problem(404, f"There is no capture {capture_id[:_SHOWN]!r} of this token.", _VERSIONS)
        return Response(msgspec.json.encode(job.as_dict()), 200, _VERSIONS, _JSON)

    async def event(self, request: Request, event_id: str) -> Response:
        grant = await self._grant(request)
        named = [event_id]
        if request.url.query:  # the `?ver=CBV2.0` of a hash that was not percent-encoded
            named.insert(0, f"{event_id}?{request.url.query}")
        for one in named:
            found = await _kept(self._captures.event, grant.name, one)
            if found is not None:
                return Response(found, 200, _VERSIONS, JSON_LD)
        raise Problem(404, f"There is no event {named[0][:_SHOWN]!r} of this token.", _VERSIONS)

    async def _grant(self, request: Request) -> Grant:
        found = self._identify(request)
        return await found if isinstance(found, Awaitable) else found


async def _kept(ask: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """What the store says, asked in a thread; while it cannot be read or written, the answer is to come again."""
    try:
        return await asyncio.to_thread(ask, *args, **named)
    except (sqlite3.Error, OSError) as error:
        _log.warning("the store of captures cannot be used: %s", error)
        raise Problem(
            503,
            f"The store of captures cannot be used just now ({error}): send it again later.",
            {"Retry-After": str(LATER_S), **_VERSIONS},
        ) from None


@asynccontextmanager
async def _plain_body(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body as it is."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > most:
            raise Problem(413, f"The body has more than {most} bytes: send the events in several documents.", _VERSIONS)
    yield bytes(pieces)


def _check_headers(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {_JSON, JSON_LD}:
        raise Problem(
            415,
            f"Content-Type {kind[:_SHOWN]!r} is not taken: send {_JSON} or {JSON_LD} (EPCIS in XML is not taken).",
            _VERSIONS,
        )
    version = request.headers.get("gs1-epcis-version", "2.0")
    if not version.startswith("2."):
        raise Problem(400, f"GS1-EPCIS-Version {version[:_SHOWN]!r} is not taken: this is EPCIS 2.0.", _VERSIONS)


def _behaviour_of(request: Request) -> str:
    said = request.headers.get("gs1-capture-error-behaviour", "rollback").strip().lower()
    if said not in _BEHAVIOURS:
        raise Problem(
            400,
            f"GS1-Capture-Error-Behaviour {said[:_SHOWN]!r} is unknown: write {' or '.join(_BEHAVIOURS)}.",
            _VERSIONS,
        )
    return said


def _source_of(request: Request, grant: Grant) -> str:
    """Who says the events: the token's one source, or the one that the header chooses."""
    said = request.headers.get(_SOURCE)
    if said is not None:
        if not said or len(said) > _LONGEST_SOURCE or not said.isprintable():
            raise Problem(
                400, f"{_SOURCE} {said[:_SHOWN]!r} is no source: write 1 to {_LONGEST_SOURCE} characters.", _VERSIONS
            )
        if not grant.speaks_for(said):
            raise Problem(403, f"The token {grant.name!r} does not speak for the source {said!r}.", _VERSIONS)
        return said
    if len(grant.sources) == 1 and grant.sources[0] != ANY_SOURCE:
        return grant.sources[0]
    raise Problem(
        400, f"The token {grant.name!r} speaks for several sources: say which, in the header {_SOURCE}.", _VERSIONS
    )


_MOST_VALUES: Final = 400_000
_LONGEST_SOURCE: Final = 200
_SHOWN: Final = 100
_SECURED: Final[dict[str, Any]] = {"security": [{"token": []}]}
_REQUEST: Final[dict[str, Any]] = {
    **_SECURED,
    "requestBody": {"required": True, "content": {kind: {"schema": {"type": "object"}} for kind in (_JSON, JSON_LD)}},
    "parameters": [
        {
            "in": "header",
            "name": "GS1-Capture-Error-Behaviour",
            "schema": {"type": "string", "enum": list(_BEHAVIOURS), "default": "rollback"},
            "description": "rollback: all events or none; proceed: those that hold.",
        },
        {
            "in": "header",
            "name": _SOURCE,
            "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST_SOURCE},
            "description": "Who says the events; needed where the token speaks for several sources.",
        },
    ],
}
_JOB_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["captureID", "createdAt", "running", "success", "captureErrorBehaviour", "errors"],
    "properties": {
        "captureID": {"type": "string"},
        "createdAt": {"type": "string", "format": "date-time"},
        "finishedAt": {"type": ["string", "null"], "format": "date-time"},
        "running": {"type": "boolean"},
        "success": {"type": "boolean"},
        "captureErrorBehaviour": {"type": "string", "enum": list(_BEHAVIOURS)},
        "errors": {"type": "array", "items": {"type": "object"}},
        "warnings": {"type": "array", "items": {"type": "object"}},
    },
}
