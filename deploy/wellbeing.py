"""How the processes of a stack are, as they say themselves; asked from outside, and none is waited for long."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.error import HTTPError
from urllib.request import urlopen

from deploy.stackfile import StackFile, is_alive
from deploy.watching import noted

_PATIENCE_S: Final = 2.0
_SINKS: Final = ("store", "sink")

HealthWord = Literal["ok", "stuck", "unknown"]


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the stack. `since`: RFC 3339, since when it is stuck; `metrics`: where it serves them."""

    name: str
    pid: int
    alive: bool
    restarts: int
    health: HealthWord = "unknown"
    reason: str = ""
    since: str | None = None
    cause: str = ""
    metrics: str | None = None


@dataclass(frozen=True, slots=True)
class SinkState:
    """What the history does: storing, waiting for the store (since when, why), or nobody knows."""

    state: Literal["storing", "waiting_for_store", "unknown"]
    since: str | None = None
    reason: str = ""


def processes_of(stack: StackFile, data: Path | None) -> tuple[Process, ...]:
    """The processes that the stack file names, and others that left their address in DATA/run and live."""
    places = {} if data is None else noted(data)
    known = {name: (told["pid"], told["restarts"]) for name, told in stack.processes.items()}
    known |= {name: (pid, 0) for name, (pid, _) in places.items() if name not in known and is_alive(pid)}
    with ThreadPoolExecutor(max(1, len(known))) as asking:
        return tuple(asking.map(lambda name: _process(name, known[name], places.get(name)), known))


def sink_of(processes: tuple[Process, ...]) -> SinkState:
    """What the history sink among these does."""
    for process in processes:
        if process.name in _SINKS and process.health != "unknown" and process.alive:
            if process.cause == "store":
                return SinkState("waiting_for_store", process.since, process.reason)
            return SinkState("storing")
    return SinkState("unknown", None, "No sink tells of itself.")


def _process(name: str, life: tuple[int, int], place: tuple[int, str] | None) -> Process:
    pid, restarts = life
    if not is_alive(pid):
        return Process(name, pid, alive=False, restarts=restarts, health="stuck", reason="The process is gone.")
    if place is None or place[0] != pid:
        reason = "It does not tell of itself."
        return Process(name, pid, alive=True, restarts=restarts, reason=reason)
    told = _asked(f"{place[1]}/health")
    if told is None:
        reason = f"It did not answer within {_PATIENCE_S:g} s at {place[1]}/health."
        return Process(name, pid, alive=True, restarts=restarts, reason=reason, metrics=place[1])
    return Process(
        name, pid, alive=True, restarts=restarts, health="ok" if told["status"] == "ok" else "stuck",
        reason=told["reason"], since=told["since"], cause=told["cause"], metrics=place[1],
    )  # fmt: skip


def _asked(address: str) -> dict[str, Any] | None:
    try:
        with urlopen(address, timeout=_PATIENCE_S) as answer:  # noqa: S310  # loopback, as the process wrote it
            raw = answer.read()
    except HTTPError as error:
        raw = error.read()
    except OSError:
        return None
    try:
        told = json.loads(raw)
    except ValueError:
        return None
    return told if isinstance(told, dict) and {"status", "reason", "since", "cause"} <= told.keys() else None
