"""The gateway's own routes: from a request to an answer. What is decided stands in the other modules."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote_to_bytes

import msgspec
from clickhouse_connect.driver.client import Client
from starlette.requests import Request
from starlette.responses import Response

from deploy.gateway.bodies import Format, events_in, format_of
from deploy.gateway.captures import Captures
from deploy.gateway.idempotency import Answer, Answers
from deploy.gateway.intake import FORBIDDEN, Intake, Receipt
from deploy.gateway.limits import Busy, Limits
from deploy.gateway.problems import LATER_S, PROBLEM, Problem, unauthorized
from deploy.gateway.receiving import Receiving
from deploy.gateway.tally import Tally
from deploy.gateway.told import Told, rejections, status_of
from deploy.kept import moment_of
from deploy.tokens import Grant, TokenFile
from schemas.errors import WrongInput
from schemas.times import rfc3339, wall_clock
from sinks.gate_tally import Probes

_JSON: Final = "application/json"
_STORE_S: Final = 20.0
_READERS: Final = 4
_KEY_LENGTH: Final = 255
_REJECTIONS: Final = 100
_MOST_REJECTIONS: Final = 1_000
_LARGE: Final = 256 << 10
_ON_ITS_WAY_MS: Final = 300_000
"""An event that has not come to the history after so long is no longer told as on its way."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes need.

    `store`: a client of the history, for questions; `captures`: what came as EPCIS; `among_us`: whether nobody but this
    machine can ask, so that metrics, which name sources, may be told.
    """

    tokens: TokenFile
    intake: Intake
    limits: Limits
    answers: Answers
    receiving: Receiving
    store: Client
    tally: Tally
    probes: Probes
    captures: Captures
    among_us: bool = True


class Routes:
    """A method for each route. They start nothing, and close nothing of `parts`."""

    def __init__(self, parts: Parts) -> None:
        self._parts: Final = parts
        self._threads: Final = ThreadPoolExecutor(_READERS, thread_name_prefix="history")

    def close(self) -> None:
        """Ask the history no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def identify(self, request: Request) -> Grant:
        """The grant behind the request's token, charged with one event. Raises Problem (401, 503), TooFast."""
        grant = _grant_of(self._parts.tokens, request)
        self._parts.limits.charge(grant, 1)
        return grant

    async def _asked(self, question: Callable[[], _Answer]) -> _Answer:
        """An answer of the history. Raises Busy where it does not come in time."""
        try:
            async with asyncio.timeout(_STORE_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except TimeoutError:
            raise Busy(f"The history has not answered for {_STORE_S:g} s: ask again a little later.", LATER_S) from None
        except WrongInput as error:  # the store's tables are not there yet: nothing that the asking one could mend
            raise Busy(str(error), LATER_S) from None

    async def publish(self, request: Request) -> Response:
        """Take events."""
        grant = _grant_of(self._parts.tokens, request)
        dry_run = _flag(request, "dry_run")
        form = format_of(request.headers.get("content-type"))
        key = _key(request)
        async with self._parts.receiving.body(request, grant.max_bytes) as body:
            if key is None:
                told = await self._answered(grant, await _events_in(body, form), dry_run=dry_run)
                return Response(told.body, told.status, media_type=told.kind)
            said = b"%d %s " % (dry_run, form.encode())
            print_ = hashlib.sha256(said + body).digest()
            before = await self._parts.answers.begin(grant.name, key, print_)
            if before is not None:
                return Response(before.body, before.status, {"Idempotent-Replay": "true"}, before.kind)
            try:
                told = await self._answered(grant, await _events_in(body, form), dry_run=dry_run)
                await self._parts.answers.keep(grant.name, key, told)
            finally:
                self._parts.answers.drop(grant.name, key)
        return Response(told.body, told.status, media_type=told.kind)

    async def _answered(self, grant: Grant, raws: Sequence[bytes], *, dry_run: bool) -> Answer:
        self._parts.limits.charge(grant, len(raws))
        return _answer(await self._parts.intake.take(grant, raws, dry_run=dry_run), dry_run=dry_run)

    async def status(self, request: Request) -> Response:
        """What became of an event."""
        grant = self.identify(request)
        source, event_id = _identity(request)
        if not grant.speaks_for(source):
            raise Problem(403, f"The token {grant.name!r} does not speak for this source, so it is told nothing of it.")
        accepted_at = self._parts.intake.accepted_at(source, event_id)
        told = await self._asked(lambda: status_of(self._parts.store, source, event_id))
        now = wall_clock()
        if accepted_at is not None and now - accepted_at > _ON_ITS_WAY_MS:
            accepted_at = None
        if told is not None:
            pending = accepted_at is not None and accepted_at > told.last_arrived_at
            return _json({**told.as_dict(), "pending": pending})
        if accepted_at is None:
            raise Problem(
                404,
                f"Nothing is known of event {_short(event_id)} of {_short(source)}: it was never sent, was refused, or "
                "was accepted more than five minutes ago and did not arrive.",
            )
        return _json(_pending(source, event_id, accepted_at))

    async def rejections(self, request: Request) -> Response:
        """What of the token's sources was refused, or came too late."""
        grant = self.identify(request)
        now = wall_clock()
        try:
            since = moment_of(request.query_params.get("since", "24h"), now)
        except (WrongInput, OverflowError) as error:
            raise Problem(400, f"since: {error}") from None
        most = _number(request, "limit", _REJECTIONS, _MOST_REJECTIONS)
        found = await self._asked(lambda: rejections(self._parts.store, grant.sources, since, most, token=grant.name))
        more = len(found) >= most
        return _json(
            {
                "rejections": [one.as_dict() for one in found],
                "more": more,
                "next_since": rfc3339(found[-1].arrived_at + 1) if found else rfc3339(_within(since)),
            }
        )

    async def health(self, _: Request) -> Response:
        """Whether what was accepted goes on."""
        is_ok, said = self._parts.probes.health()
        return _json(said, 200 if is_ok else 503)

    async def ready(self, _: Request) -> Response:
        """Whether events are taken in."""
        is_ok, said = self._parts.probes.ready()
        return _json(said, 200 if is_ok else 503)

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        if not self._parts.among_us:
            raise Problem(404, "Metrics are told on this machine only: DATA/run/gateway.metrics says where.")
        body, kind = self._parts.probes.metrics()
        return Response(body, headers={"Content-Type": kind})


def _grant_of(tokens: TokenFile, request: Request) -> Grant:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    try:
        grant = tokens.grant_of(secret.strip())
    except WrongInput as error:
        raise Problem(503, f"Nobody can be let in: {error}", {"Retry-After": "30"}) from None
    if grant is None:
        raise unauthorized()
    return grant


async def _events_in(body: bytes, form: Format) -> list[bytes]:
    """As `events_in`; a large body keeps nobody else waiting."""
    return events_in(body, form) if len(body) < _LARGE else await asyncio.to_thread(events_in, body, form)


def _answer(receipts: Sequence[Receipt], *, dry_run: bool) -> Answer:
    """202: all were accepted; 207: some; 422: none; 403: none, since the token may not say any of them."""
    accepted = sum(receipt.status == "accepted" for receipt in receipts)
    counts = {"accepted": accepted, "refused": len(receipts) - accepted, "dry_run": dry_run}
    if accepted:
        body = msgspec.json.encode({**counts, "receipts": receipts})
        return Answer(202 if accepted == len(receipts) else 207, _JSON, body)
    if all(receipt.cause == FORBIDDEN for receipt in receipts):
        status, what = 403, "The token may send none of these events"
    else:
        status, what = 422, "No event was accepted"
    detail = f"{what}: {receipts[0].reason}" if len(receipts) == 1 else f"{what}: see the reason in each receipt."
    return Answer(status, PROBLEM, Problem(status, detail, more={**counts, "receipts": receipts}).body())


def _pending(source: str, event_id: str, accepted_at: int) -> dict[str, Any]:
    """As of an event that the history knows, as far as anybody knows it."""
    known = Told(source, event_id, "accepted", "", "", "", None, None, accepted_at, accepted_at, 1).as_dict()
    return {**known, "state": "pending", "first_arrived_at": None, "last_arrived_at": None, "pending": True}


def _identity(request: Request) -> tuple[str, str]:
    """Source and event_id of the path, which may both hold slashes (the source's as %2F)."""
    raw = cast("bytes", request.scope.get("raw_path") or request.scope["path"].encode())
    source, _, event_id = raw.partition(b"?")[0].removeprefix(b"/v1/events/").partition(b"/")
    try:
        return unquote_to_bytes(source).decode(), unquote_to_bytes(event_id).decode()
    except UnicodeDecodeError:
        raise Problem(
            400, "The path is not UTF-8: encode source and event_id as such, then percent by percent."
        ) from None


def _flag(request: Request, name: str) -> bool:
    said = request.query_params.get(name, "false").lower()
    if said not in {"true", "1", "false", "0", ""}:
        raise Problem(400, f"{name} is {_short(said)}: write true or false.")
    return said in {"true", "1", ""} and name in request.query_params


def _number(request: Request, name: str, usual: int, most: int) -> int:
    said = request.query_params.get(name, str(usual))
    if not (said.isascii() and said.isdecimal() and len(said) <= len(str(most)) and 1 <= int(said) <= most):
        raise Problem(400, f"{name} is {_short(said)}: write a number from 1 to {most}.")
    return int(said)


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _KEY_LENGTH and key.isascii() and key.isprintable()):
        raise Problem(400, f"Idempotency-Key has to be 1 to {_KEY_LENGTH} printable ASCII characters, such as a UUID.")
    return key


def _within(milliseconds: int) -> int:
    """The nearest time that RFC 3339 can tell."""
    return max(-62_135_596_800_000, min(milliseconds, 253_402_300_799_999))


def _json(told: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status, media_type=_JSON)


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "...")  # noqa: PLR2004  # as much as a sentence takes
