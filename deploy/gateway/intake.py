"""The intake: what becomes of the events of a request, whichever format it came in.

Events of requests that come at the same time are judged together, in a thread, since the history is asked once for
all of them; and what is accepted becomes durable together (deploy/gateway/commits.py).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec

from deploy.door import letter_of
from deploy.gateway.commits import Commits
from deploy.gateway.earlier import Earlier
from deploy.gateway.limits import Busy
from deploy.gateway.tally import Tally
from deploy.spool import Spooled
from deploy.tokens import Grant
from schemas.event import Event
from schemas.times import wall_clock
from schemas.wire import MAX_RECORD_BYTES, Rejection, read_any, topic_of

FORBIDDEN: Final = "forbidden"
"""The cause of what a token may not say. It is told, and not kept: it would be filed under another's name."""

_AT_ONCE: Final = 5_000
"""So many events are judged together at the most, unless one request brings more."""

_WAITING: Final = 50_000
"""Of so many events that wait to be judged, no more are taken in."""

_RECENT: Final = 100_000
"""Of so many accepted events it is known that they are on their way into the history."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event. `index`: its place among the events of the request, from 0.

    `source`, `event_id` and `topic` are empty where nobody could read them. `reason` tells what to mend.
    """

    index: int
    status: Literal["accepted", "refused"]
    source: str
    event_id: str
    topic: str = ""
    cause: str = ""
    field: str = ""
    reason: str = ""


class Intake:
    """Judges events and keeps them. For one event loop; `clock` tells the time in ms."""

    def __init__(
        self, earlier: Earlier, commits: Commits, tally: Tally, clock: Callable[[], int] | None = None
    ) -> None:
        self._earlier: Final = earlier
        self._commits: Final = commits
        self._tally: Final = tally
        self._clock: Final = clock or wall_clock
        self._waiting: deque[_Job] = deque()
        self._waiting_events = 0
        self._judging: asyncio.Task[None] | None = None
        self._recent: dict[tuple[str, str], int] = {}
        # One of its own: whatever else waits in threads (EPCIS captures, questions) does not keep events waiting.
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def take(
        self, grant: Grant, raws: Sequence[bytes], *, dry_run: bool = False, keep_refused: bool = True
    ) -> list[Receipt]:
        """Take events for a token: a receipt for each, in their order.

        Returns when what is accepted is durable, and with `keep_refused` what was refused too, as dead letters (but
        not what the token may not say). `dry_run`: decide everything, keep nothing. Raises Unreachable where nothing
        could be kept; then nothing was accepted, and the same events may be sent again.
        """
        job = _Job(grant, raws, dry_run)
        if not dry_run:
            self._commits.admit()
        await self._judged(job)
        if not dry_run:
            began = time.perf_counter()
            records = [*job.accepted, *job.letters] if keep_refused else job.accepted
            try:
                await self._commits.commit(records)
            except BaseException:
                self._earlier.forget(job.news)
                raise
            self._tally.durable.add(time.perf_counter() - began)
            self._remember(job)
        self._tally.took(grant, job.receipts, dry_run=dry_run)
        return job.receipts

    def accepted_at(self, source: str, event_id: str) -> int | None:
        """When (ms) an event was last accepted here; None where that is not known (any more)."""
        return self._recent.get((source, event_id))

    def _remember(self, job: "_Job") -> None:
        now = self._clock()
        for receipt in job.receipts:
            if receipt.status == "accepted":
                identity = (receipt.source, receipt.event_id)
                self._recent.pop(identity, None)
                self._recent[identity] = now
        while len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]

    async def _judged(self, job: "_Job") -> None:
        if self._waiting_events > _WAITING:
            raise Busy("Too many events wait to be judged.", 1)
        self._waiting.append(job)
        self._waiting_events += len(job.raws)
        if self._judging is None:
            self._judging = asyncio.create_task(self._judge_all())
        await job.done.wait()
        if job.failure is not None:
            raise job.failure

    async def _judge_all(self) -> None:
        try:
            while self._waiting:
                jobs = list(self._group())
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._judge, jobs)
                except BaseException as error:
                    for job in jobs:
                        job.failure = error
                    if not isinstance(error, Exception):
                        raise
                finally:
                    for job in jobs:
                        self._waiting_events -= len(job.raws)
                        job.done.set()
        finally:
            self._judging = None

    def _group(self) -> Iterator["_Job"]:
        room = _AT_ONCE
        while self._waiting and room > 0:
            job = self._waiting.popleft()
            room -= len(job.raws)
            yield job

    def _judge(self, jobs: Sequence["_Job"]) -> None:
        """In a thread, one call at a time."""
        now = self._clock()
        read = [[_allowed(job.grant, raw, now) for raw in job.raws] for job in jobs]
        refusals = (Rejection, _Forbidden)
        self._earlier.look_up([event for found in read for event in found if not isinstance(event, refusals)])
        for job, found in zip(jobs, read, strict=True):
            for index, (raw, event) in enumerate(zip(job.raws, found, strict=True)):
                said = event if isinstance(event, refusals) else self._earlier.judge(event, job.news)
                if isinstance(said, refusals):
                    self._refuse(job, index, raw, said, now)
                else:
                    job.receipts.append(Receipt(index, "accepted", said.source, said.event_id, said.topic))
                    job.accepted.append(Spooled(said.topic, said.entity_key().encode(), raw))
            if job.dry_run:
                self._earlier.undo(job.news)

    @staticmethod
    def _refuse(job: "_Job", index: int, raw: bytes, why: "Rejection | _Forbidden", now: int) -> None:
        source, event_id, kind = sender_of(raw), _text_of(raw, _EVENT_ID), _text_of(raw, _TYPE)
        topic = topic_of(kind) or ""
        job.receipts.append(Receipt(index, "refused", source, event_id, topic, why.cause, why.field, why.reason))
        if isinstance(why, Rejection) and len(raw) <= MAX_RECORD_BYTES:
            job.letters.append(letter_of(raw, why, f"gateway:{job.grant.name}", now))


@dataclass(slots=True)
class _Job:
    """One request's events and what was decided. `news`: the events that nobody knew before."""

    grant: Grant
    raws: Sequence[bytes]
    dry_run: bool
    receipts: list[Receipt] = field(default_factory=list)
    accepted: list[Spooled] = field(default_factory=list)
    letters: list[Spooled] = field(default_factory=list)
    news: list[Event] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None


class _Forbidden(NamedTuple):
    """What the token may not send; as a Rejection, but no cause of the contract's."""

    reason: str
    field: str
    cause: str = FORBIDDEN


def _allowed(grant: Grant, raw: bytes, now: int) -> Event | Rejection | _Forbidden:
    """The event, or why there is none that this token may send."""
    try:
        event = read_any(raw, now)
    except (ValueError, ArithmeticError, RecursionError) as error:
        # The contract reads what comes; whatever it stumbles on costs this event only.
        event = Rejection("invalid", f"The event cannot be read ({type(error).__name__}): look at its numbers.")
    if isinstance(event, Rejection):
        source = sender_of(raw)
        if source and not grant.speaks_for(source):
            return _may_not_speak(grant, source)
        kind = _text_of(raw, _TYPE)
        if source and topic_of(kind) and not grant.may_say(source, kind):
            return _may_not_say(grant, kind)
        return event
    if grant.may_say(event.source, kind := event.type):  # type: ignore[attr-defined]  # every event has one
        return event
    return _may_not_say(grant, kind) if grant.speaks_for(event.source) else _may_not_speak(grant, event.source)


def _may_not_speak(grant: Grant, source: str) -> _Forbidden:
    may = ", ".join(grant.sources[:_SHOWN])
    reason = f"The token {grant.name!r} may not speak as source {_short(source)}: it speaks as {may}."
    return _Forbidden(reason, "source")


def _may_not_say(grant: Grant, kind: str) -> _Forbidden:
    may = ", ".join(grant.types[:_SHOWN]) or "what partners report (orders, shipments, stock movements)"
    reason = f"The token {grant.name!r} may not send type {kind!r}: it may send {may}."
    return _Forbidden(reason, "type")


def sender_of(raw: bytes) -> str:
    """The source that the history would file these bytes under; empty where nobody can read it."""
    return _text_of(raw, _SOURCE)


def _text_of(raw: bytes, decoder: "msgspec.json.Decoder[_Said]") -> str:
    try:
        return decoder.decode(raw).said
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


class _Said(msgspec.Struct):
    said: str = ""


def _decoder(name: str) -> "msgspec.json.Decoder[_Said]":
    form = msgspec.defstruct(f"_{name}", [("said", str, msgspec.field(default="", name=name))], bases=(_Said,))
    return msgspec.json.Decoder(form)


# One decoder for each: a field that cannot be read takes nothing from the others, as where the history reads them.
_SOURCE: Final = _decoder("source")
_EVENT_ID: Final = _decoder("event_id")
_TYPE: Final = _decoder("type")

_SHOWN: Final = 20
_SHOWN_TEXT: Final = 100


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "...")
