"""Retention where the store is owned: once a day where it is set, and when a command asks for it.

With an embedded stack only the store's process can write, so `quayside retention run` leaves a request in the data
directory and reads the answer there; with a ClickHouse of your own it does the work itself. Off unless
QUAYSIDE_RETENTION is set.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from deploy.gate_client import gate_client
from deploy.progress import progress
from deploy.settings import Settings, unwritable
from deploy.stackfile import StackFile, is_alive
from schemas.errors import QuaysideError, Unreachable, WrongInput, error_of
from schemas.times import DAY_MS, HOUR_MS, rfc3339, wall_clock
from sinks.retention.ledger import ABANDONED, FINISHED, Run, runs
from sinks.retention.runs import cutoff_of, resume, retain, tidy
from sinks.retention.staging import preview

_log: Final = logging.getLogger("quayside.retention")
_REQUEST: Final = "retention.request"
_ANSWER: Final = "retention.answer"
_LOOK_S: Final = 0.5
_FIRST_S: Final = 30.0
_EVERY_S: Final = 3_600.0
_PACE: Final = "QUAYSIDE_RETENTION_LOOK"
"""For tests: so many seconds until it looks for the first time and each time again, instead of 30 s and an hour."""

_IDLE_MS: Final = HOUR_MS
"""With servers another machine may be at work: only a run that began longer ago is taken for left behind."""


@dataclass(frozen=True, slots=True)
class Retained:
    """What was dropped, or would be. `cutoff`: what arrived before was old. `dropped`: rows by table."""

    dry_run: bool
    cutoff: str
    runs: int
    positions: int
    openings: int
    left_alone: int
    dropped: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


class _Request(msgspec.Struct, frozen=True):
    name: int
    retention_ms: int


class _Answer(msgspec.Struct, frozen=True):
    name: int
    told: dict[str, Any] | None = None
    error: str = ""
    code: int = 1


class Retaining:
    """Beside a sink: finishes what was left, looks each hour whether a run is due, and does what is asked for.

    `client` makes a client of its own. `requests`: where requests are left, which is the data directory of an embedded
    stack; None with servers.
    """

    def __init__(self, client: Callable[[], Client], settings: Settings, requests: Path | None = None) -> None:
        self._client = client
        self._settings = settings
        self._requests = requests
        pace = os.environ.get(_PACE)
        first, self._every = (_FIRST_S, _EVERY_S) if pace is None else (float(pace), float(pace))
        self._look_at = time.monotonic() + first

    async def run(self) -> None:
        """Until cancelled. What fails is told in the log and tried again an hour later."""
        await self._guarded(self._resumed)
        while True:
            if self._requests is not None and (self._requests / _REQUEST).exists():
                await asyncio.to_thread(self._answer, self._requests)
            if time.monotonic() > self._look_at:
                self._look_at = time.monotonic() + self._every
                await self._guarded(self._daily)
            await asyncio.sleep(_LOOK_S)

    async def _guarded(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except Exception:  # noqa: BLE001  # the sink beside it has to go on
            _log.warning("retention failed and is tried again", exc_info=True)

    def _resumed(self) -> None:
        with closing(self._client()) as client:
            for run in resume(client, idle_ms=0 if self._requests else _IDLE_MS):
                _log.info("retention of %s: %s", rfc3339(run.run), run.stage)

    def _daily(self) -> None:
        retention = self._settings.retention
        with closing(self._client()) as client:
            tidy(client)
            if retention is None:
                return
            cutoff = cutoff_of(retention, self._settings.horizon, wall_clock())
            if is_due(runs(client), cutoff):
                told = _retained(cutoff, retain(client, cutoff, idle_ms=0 if self._requests else _IDLE_MS))
                _log.info("retention: %s", told.as_dict())

    def _answer(self, data: Path) -> None:
        """Do what is asked for, and say what came of it. A request that cannot be read is forgotten."""
        path = data / _REQUEST
        try:
            request = msgspec.json.decode(path.read_bytes(), type=_Request)
        except (OSError, msgspec.MsgspecError):
            path.unlink(missing_ok=True)
            return
        try:
            cutoff = cutoff_of(request.retention_ms, self._settings.horizon, wall_clock())
            with closing(self._client()) as client:
                answer = _Answer(request.name, _retained(cutoff, retain(client, cutoff)).as_dict())
        except QuaysideError as error:
            answer = _Answer(request.name, error=str(error), code=error.exit_code)
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            _log.warning("retention failed", exc_info=True)
            answer = _Answer(request.name, error=f"Retention failed ({error}): see logs/store.log.", code=1)
        _put(data / _ANSWER, msgspec.json.encode(answer))
        path.unlink(missing_ok=True)


def is_due(done: Iterable[Run], cutoff: int) -> bool:
    """Whether no run of the last day had this cutoff or a later one."""
    return not any(run.stage == FINISHED and run.cutoff > cutoff - DAY_MS for run in done)


def retention_of(settings: Settings, given: int | None) -> int:
    """How long what arrived stays, in ms: as given, else as set. Raises WrongInput for neither, and for too short."""
    retention = given or settings.retention
    if retention is None:
        raise WrongInput("Say what is old, for example --older-than 400d, or set QUAYSIDE_RETENTION.")
    cutoff_of(retention, settings.horizon, wall_clock())
    return retention


def run_retention(stack: StackFile, settings: Settings, retention_ms: int) -> Retained:
    """Let go of what arrived longer ago; returns when it has gone. Raises WrongInput, Unreachable, QuaysideError."""
    if stack.embedded:
        return _asked(stack, settings.data, retention_ms)
    cutoff = cutoff_of(retention_ms, settings.horizon, wall_clock())
    with closing(gate_client(stack)) as client, progress("retaining", None):
        return _retained(cutoff, retain(client, cutoff, idle_ms=_IDLE_MS))


def preview_retention(stack: StackFile, settings: Settings, retention_ms: int) -> Retained:
    """What `run_retention` would drop, at most. Changes nothing."""
    cutoff = cutoff_of(retention_ms, settings.horizon, wall_clock())
    with closing(gate_client(stack)) as client:
        found = preview(client, cutoff)
    positions = found.pop("positions")
    dropped = {table: rows for table, rows in found.items() if rows}
    return Retained(
        dry_run=True, cutoff=rfc3339(cutoff), runs=0, positions=positions, openings=0, left_alone=0, dropped=dropped
    )


def retention_runs(stack: StackFile) -> tuple[Run, ...]:
    """All runs, the earliest first."""
    with closing(gate_client(stack)) as client:
        return runs(client)


def _asked(stack: StackFile, data: Path, retention_ms: int) -> Retained:
    """Ask the store's process, and wait for its answer."""
    name = time.time_ns()
    if (data / _REQUEST).exists():
        raise WrongInput("A run of retention is under way on this stack: wait for it (`quayside retention list`).")
    try:
        _put(data / _REQUEST, msgspec.json.encode(_Request(name, retention_ms)))
    except OSError as error:
        raise unwritable(data, error) from None
    with progress("retaining", None):
        while True:
            answer = _read(data / _ANSWER)
            if answer is not None and answer.name == name:
                break
            if not is_alive(stack.pid):
                raise Unreachable("The stack stopped before retention was complete: start it again, it goes on then.")
            time.sleep(_LOOK_S / 2)
    if answer.told is None:
        raise error_of(answer.code, answer.error)
    return msgspec.convert(answer.told, Retained)


def _retained(cutoff: int, done: Iterable[Run]) -> Retained:
    finished = [run for run in done if run.stage != ABANDONED]
    dropped: dict[str, int] = {}
    for run in finished:
        for table, rows in run.dropped.items():
            dropped[table] = dropped.get(table, 0) + rows
    return Retained(
        dry_run=False,
        cutoff=rfc3339(cutoff),
        runs=len(finished),
        positions=sum(run.positions for run in finished),
        openings=sum(run.openings for run in finished),
        left_alone=sum(run.left_alone for run in finished),
        dropped=dropped,
    )


def _read(path: Path) -> _Answer | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Answer)
    except (OSError, msgspec.MsgspecError):
        return None


def _put(path: Path, what: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(what)
    fresh.replace(path)
