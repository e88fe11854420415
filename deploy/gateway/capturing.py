"""Working off capture jobs: from a document to events kept, and to events of ours that are published.

One job after the other, in the order in which they came. GS1-Capture-Error-Behaviour: `rollback` keeps nothing of a
document in which anything is wrong; `proceed` keeps what is right. Where the intake cannot take anything for now, or
the store cannot be written or read, the job waits and goes on.
"""

import asyncio
import hashlib
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from deploy.gateway.captures import Captures, Job, New, Saying
from deploy.gateway.intake import Receipt
from deploy.tokens import Grant
from schemas.epcis.deriving import Captured, Link, affected, derive, links_of
from schemas.epcis.document import Problem, Told, read_document, read_event
from schemas.epcis.event_hash import event_hash
from schemas.epcis.mapping import Key
from schemas.errors import QuaysideError, WrongInput
from schemas.times import wall_clock

_AT_ONCE: Final = 1_000
_LONGEST_WAIT_S: Final = 30.0
_OF_THE_JOB: Final = (sqlite3.IntegrityError, sqlite3.DataError)
"""Errors of the store that are not the store's: they would come again."""

_LOOK_S: Final = 5.0
"""So often jobs are looked for that another gateway took in, which cannot wake this one."""

_log: Final = logging.getLogger("quayside.gateway")
_encode: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


class Takes(Protocol):
    """What is needed of the intake."""

    async def take(
        self, grant: Grant, raws: Sequence[bytes], *, dry_run: bool = False, keep_refused: bool = True
    ) -> list[Receipt]:
        """Take events, or only tell what would become of them."""
        ...


class Capturing:
    """Works off the jobs of a store. `clock` in ms; `first_wait` in seconds, before the second trial."""

    def __init__(
        self, intake: Takes, captures: Captures, clock: Callable[[], int] | None = None, first_wait: float = 1.0
    ) -> None:
        self._intake: Final = intake
        self._captures: Final = captures
        self._clock: Final = clock or wall_clock
        self._first_wait: Final = first_wait
        self._wake: Final = asyncio.Event()

    def now(self) -> int:
        """The time in ms."""
        return self._clock()

    def add(self, job: Job) -> None:
        """Keep a job (in a thread: it syncs to the disk); `wake` has it worked off."""
        self._captures.add(job)

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    async def run(self) -> None:
        """Work off all jobs there are, and all that come, for ever; what fails is tried again, with longer pauses."""
        await self._alone()
        wait = self._first_wait
        while True:
            self._wake.clear()
            ended = await self._round()
            with suppress(TimeoutError):  # a new job does not wait for one that fails
                await asyncio.wait_for(self._wake.wait(), _LOOK_S if ended else wait)
            wait = self._first_wait if ended else min(wait * 2, _LONGEST_WAIT_S)

    async def work(self, capture_id: str) -> bool:
        """Work off one job; one that is finished stays as it is. Whether it has ended, and need not be tried again."""
        job = None
        try:
            job = await asyncio.to_thread(self._captures.job, capture_id)
            if job is not None and job.state == "new":
                await self._decide(job)
                job = await asyncio.to_thread(self._captures.job, capture_id)
            if job is not None and job.state == "staged":
                await self._publish(job)
        except Exception as error:  # noqa: BLE001  # whatever one job stumbles on must not keep the others back
            if isinstance(error, sqlite3.Error | OSError) and not isinstance(error, _OF_THE_JOB):
                _log.warning("capture job %s waits for its store: %s", capture_id, error)
                return False
            _log.exception("capture job %s failed", capture_id)
            return job is not None and job.state == "new" and await self._mistaken(job, error)
        return True

    async def _alone(self) -> None:
        """Wait until no other process works off the jobs of this store."""
        told = ""
        while True:
            level = logging.INFO  # as it should be beside a stack, or behind a load balancer
            try:
                if await asyncio.to_thread(self._captures.hold):
                    return
                waits = (
                    "another gateway works off the capture jobs of this data directory: this one takes over after it"
                )
            except OSError as error:
                level = logging.WARNING
                waits = f"the capture jobs cannot be locked, so nobody works them off: {error}"
            if waits != told:
                _log.log(level, "%s", waits)
                told = waits
            await asyncio.sleep(self._first_wait)

    async def _round(self) -> bool:
        """Work off all jobs there are; whether all of them have ended."""
        try:
            ended = [await self.work(one) for one in await asyncio.to_thread(self._captures.unfinished)]
        except Exception:  # noqa: BLE001  # whatever it is: nobody would work off anything any more
            _log.exception("the capture jobs cannot be looked through for now")
            return False
        return all(ended)

    async def _mistaken(self, job: Job, error: Exception) -> bool:
        """End a job that we cannot understand; whether that is written down."""
        detail = f"The gateway made a mistake ({type(error).__name__}): its log tells which."
        try:
            await self._finish(job, [_error("ImplementationException", 500, detail)], job.warnings)
        except (sqlite3.Error, OSError) as store:
            _log.warning("capture job %s waits for its store: %s", job.capture_id, store)
            return False
        return True

    async def _decide(self, job: Job) -> None:
        """Find out what follows from the document; keep it, or end the job."""
        left_out: dict[int, dict[str, Any]] = {}
        while True:
            found = await asyncio.to_thread(self._prepare, job, frozenset(left_out))
            refused, hindered = await self._judged(found)
            left_out |= refused
            errors = [*found.errors, *left_out.values()]
            errors.sort(key=lambda error: error.get("index", -1))
            if errors and job.behaviour == "rollback":
                await self._finish(job, errors, found.warnings)
                return
            if not refused:
                break
        hindrances = {(saying.key, saying.our_id) for saying, _ in hindered}
        sayings = [saying for saying in found.sayings if (saying.key, saying.our_id) not in hindrances]
        warnings = [*found.warnings, *_told_to(job, hindered)]
        await asyncio.to_thread(self._captures.stage, job, found.news.values(), sayings, errors, warnings)

    async def _judged(self, found: "_Found") -> tuple[dict[int, dict[str, Any]], list[tuple[Saying, str]]]:
        """What the intake would refuse: by place in the document, and corrections of events that came earlier."""
        refused: dict[int, dict[str, Any]] = {}
        hindered: list[tuple[Saying, str]] = []
        for saying, receipt in await self._taken(found.sayings, dry_run=True):
            if receipt.status == "accepted":
                continue
            place = found.places.get(saying.key)
            if place is not None:
                detail = f"{saying.our_id}: {receipt.reason}"
                refused.setdefault(place, _error("ValidationException", 400, detail, place, saying.key.event_id))
            else:
                hindered.append((saying, receipt.reason))
        return refused, hindered

    async def _publish(self, job: Job) -> None:
        """Say what has not been said, and end the job when it is durable."""
        refused: list[tuple[Saying, str]] = []
        sayings = await asyncio.to_thread(self._captures.unsaid, job.capture_id)
        for saying, receipt in await self._taken(sayings, dry_run=False):
            if receipt.status != "accepted":
                refused.append((saying, receipt.reason))
        await self._finish(job, [*job.errors, *_told_to(job, refused)], job.warnings)

    async def _taken(self, sayings: Iterable[Saying], *, dry_run: bool) -> list[tuple[Saying, Receipt]]:
        """A receipt for each, however long it takes until the intake answers."""
        by_grant: defaultdict[Grant, list[Saying]] = defaultdict(list)
        for saying in sayings:
            by_grant[saying.grant].append(saying)
        found: list[tuple[Saying, Receipt]] = []
        for grant, told in by_grant.items():
            for start in range(0, len(told), _AT_ONCE):
                part = told[start : start + _AT_ONCE]
                receipts = await self._patiently(grant, [saying.raw for saying in part], dry_run=dry_run)
                found += zip(part, receipts, strict=True)
                if not dry_run:
                    await asyncio.to_thread(self._captures.sent, part)
        return found

    async def _patiently(self, grant: Grant, raws: Sequence[bytes], *, dry_run: bool) -> list[Receipt]:
        wait = self._first_wait
        while True:
            try:
                return await self._intake.take(grant, raws, dry_run=dry_run, keep_refused=False)
            except WrongInput:
                raise
            except QuaysideError as error:
                _log.warning("a capture job waits %.0f s: %s", wait, error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    async def _finish(self, job: Job, errors: Sequence[dict[str, Any]], warnings: Sequence[dict[str, Any]]) -> None:
        await asyncio.to_thread(self._captures.finish, job, self._clock(), errors, warnings)

    def _prepare(self, job: Job, left_out: frozenset[int]) -> "_Found":
        """In a thread: what is new in the document, and what is to be said because of it."""
        document = read_document(job.document)
        found = _Found([_wrong(problem) for problem in document.problems])
        for told in document.told:
            if told.place in left_out:
                continue
            try:
                self._add(found, job, told, document.context)
            except (ValueError, ArithmeticError, RecursionError) as error:  # lone surrogates, or nested too deep
                detail = f"The event cannot be kept ({type(error).__name__}): look at its texts and its nesting."
                found.errors.append(_error("ValidationException", 400, detail, told.place, told.event.event_id or ""))
        events = _Overlay(self._captures, [new.captured for new in found.news.values()])
        keys, needed = affected(events.new, events.linked)
        derived = derive(needed)
        for key in sorted(keys):
            drafts = derived.drafts.get(key, ())
            found.sayings += self._sayings(job, key, {one.event_id: one.document for one in drafts})
            if key in found.places:
                told_of = derived.notes.get(key, ())
                found.warnings += [_note(found.places[key], key, note) for note in told_of]
        return found

    def _add(self, found: "_Found", job: Job, told: Told, context: Any) -> None:
        """Take an event of the document in, unless it is known or used an eventID of another one."""
        document = told.document
        if "@context" not in document and context is not None:
            document = {"@context": context, **document}
        digest = hashlib.sha256(_encode(told.document)).digest()
        event_id = told.event.event_id or event_hash(told.document, context)
        if told.event.event_id is None:
            document = {**document, "eventID": event_id}
        captured = Captured(Key(job.source, event_id), read_event(document))
        identity = (captured.key, captured.is_declaration)
        before = found.news.get(identity)
        known = before.digest if before else self._captures.digest(captured.key, is_declaration=captured.is_declaration)
        if known is None:
            found.news[identity] = New(captured, document, digest)
            found.places.setdefault(captured.key, told.place)
        elif known == digest or captured.is_declaration:
            detail = "It was captured before: nothing changes."
            found.warnings.append(_error("DuplicateEvent", 409, detail, told.place, event_id))
        else:
            detail = (
                f"eventID {event_id} was captured before, with other content: declare that event wrong "
                "(errorDeclaration), and send the right one under an eventID of its own."
            )
            found.errors.append(_error("ValidationException", 409, detail, told.place, event_id))

    def _sayings(self, job: Job, key: Key, drafts: dict[str, dict[str, Any]]) -> list[Saying]:
        """What is to be said of one event: what is new, what is otherwise than it was said, and what is no more."""
        before = {saying.our_id: saying for saying in self._captures.said_of(key)}
        grant = (self._captures.grant_of(key) if key.source != job.source else None) or job.grant
        sayings = []
        for our_id, document in drafts.items():
            body, old = _encode(document), before.get(our_id)
            if old is None or old.body != body or old.is_retracted:
                recorded = job.created_ms if old is None else max(job.created_ms, old.recorded_ms + 1)
                sayings.append(Saying(key, our_id, body, recorded, is_retracted=False, grant=grant))
        for our_id, old in before.items():
            if our_id not in drafts and not old.is_retracted:
                recorded = max(job.created_ms, old.recorded_ms + 1)
                sayings.append(Saying(key, our_id, old.body, recorded, is_retracted=True, grant=grant))
        return sayings


@dataclass(slots=True)
class _Found:
    """What a document brings. `places`: of new events, where they stand in it."""

    errors: list[dict[str, Any]]
    warnings: list[dict[str, Any]] = field(default_factory=list)
    news: dict[tuple[Key, bool], New] = field(default_factory=dict)
    places: dict[Key, int] = field(default_factory=dict)
    sayings: list[Saying] = field(default_factory=list)


class _Overlay:
    """The events kept, and the new ones with them."""

    def __init__(self, captures: Captures, new: list[Captured]) -> None:
        self._captures: Final = captures
        self.new: Final = new
        self._kept: Final[dict[int, Captured | None]] = {}
        self._by_link: defaultdict[Link, list[Captured]] = defaultdict(list)
        for one in new:
            for link in links_of(one.key, one.event):
                self._by_link[link].append(one)

    def linked(self, link: Link) -> list[Captured]:
        """All events that have a link."""
        kept = (self._numbered(number) for number in self._captures.linked(link))
        return [*(one for one in kept if one is not None), *self._by_link.get(link, ())]

    def _numbered(self, number: int) -> Captured | None:
        if number not in self._kept:
            self._kept[number] = self._captures.numbered(number)
        return self._kept[number]


def _told_to(job: Job, refused: Iterable[tuple[Saying, str]]) -> list[dict[str, Any]]:
    """What the intake refused, for who sent the job; what others said is none of his business, and goes to the log."""
    told = []
    for saying, reason in refused:
        if saying.key.source == job.source:
            detail = f"{saying.our_id}: {reason}"
            told.append(_error("ValidationException", 400, detail, None, saying.key.event_id))
        else:
            _log.warning(
                "capture job %s: a correction of %s of source %s is refused: %s",
                job.capture_id,
                saying.our_id,
                saying.key.source,
                reason,
            )
    return told


def _wrong(problem: Problem) -> dict[str, Any]:
    error = _error("ValidationException", 400, problem.reason, problem.place, problem.event_id)
    return {**error, "path": problem.path}


def _note(place: int, key: Key, note: str) -> dict[str, Any]:
    return {"title": "Note", "detail": note, "index": place, "eventID": key.event_id}


def _error(kind: str, status: int, detail: str, place: int | None = None, event_id: str = "") -> dict[str, Any]:
    """An entry of a job's errors, as the standard has them (RFC 9457), with the event's place in the document."""
    found: dict[str, Any] = {
        "type": f"epcisException:{kind}",
        "title": _TITLES[kind],
        "status": status,
        "detail": detail,
    }
    if place is not None:
        found["index"] = place
    return {**found, "eventID": event_id} if event_id else found


_TITLES: Final = {
    "ValidationException": "The event cannot be captured",
    "DuplicateEvent": "The event is known",
    "ImplementationException": "The gateway made a mistake",
}
