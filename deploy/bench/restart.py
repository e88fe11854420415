"""How soon an embedded stack is back after SIGKILL, and how long an audit takes, with a long history behind it.

A store is filled with the demo's mix and a stack started on it; when it is ready, every process of it is killed at
once. Then it is started again, as a person would (`quayside up`), and timed until it says that it is ready: a new
broker, filled from the history, everything derived anew and shown by the views. Then `quayside audit` is timed, which
also says whether every figure is right.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.bench.mix import fetched, mix
from deploy.bench.watching import cpu_seconds
from deploy.epoch_file import note_epoch
from deploy.stackfile import StackFile, is_alive, running
from schemas.errors import QuaysideError
from schemas.identifiers import findings
from schemas.times import rfc3339, wall_clock
from sinks import epochs
from sinks.batch import Batch
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sinks.writer import Writer

READY_TARGET_S: Final = 60
AUDIT_TARGET_S: Final = 30
"""For a million events (DESIGN.md)."""

_SEED: Final = 1
_LONGEST_S: Final = 3_600
_LOOK_S: Final = 0.05
_GONE_S: Final = 30.0
_EPOCH: Final = 1
_BATCH: Final = 50_000


def run(events: int, tell: Callable[[str], None], folder: Path | None = None) -> dict[str, Any]:
    """Make a stack with so many events behind it, kill it, start it again, audit it, and delete it.

    Args:
        events: How many; a million take some three minutes and 1 GB in all.
        tell: Where to say how it goes.
        folder: Where the stack's directory is made; a temporary directory without it.

    Returns:
        at, events, load (the load average of the last minute before and after), ready_s (from `up` to ready, after the
        kill), cpu_s (processor time of each process in that time), audit: seconds, and of what `audit --json` says
        compared, differences, late, coordinates_missing.

    Raises:
        QuaysideError: a command of ours failed.
    """
    load = [os.getloadavg()[0]]
    now = wall_clock()
    with tempfile.TemporaryDirectory(prefix="quayside-restart-", dir=folder, ignore_cleanup_errors=True) as place:
        data = Path(place)
        try:
            tell(f"making a history of {events:,} events")
            _fill(data, events, now)
            tell("starting for the first time")
            _command(data, "up", "--detach")
            tell("killing every process, and starting again")
            _kill(data)
            began = time.perf_counter()
            _command(data, "up", "--detach")
            ready = time.perf_counter() - began
            spent = _spent(running(data))
            tell(f"  ready in {ready:.1f} s; auditing")
            began = time.perf_counter()
            audit = msgspec.json.decode(_command(data, "audit", "--json", fine=(0, 1)).splitlines()[-1])
            audited = time.perf_counter() - began
        finally:
            with contextlib.suppress(QuaysideError):
                _command(data, "down")
    load.append(os.getloadavg()[0])
    found = {name: audit[name] for name in ("compared", "differences", "late", "coordinates_missing")}
    return {
        "at": rfc3339(now),
        "events": events,
        "load": load,
        "ready_s": round(ready, 1),
        "cpu_s": spent,
        "audit": {"seconds": round(audited, 1), **found},
    }


def _fill(data: Path, events: int, now_ms: int) -> None:
    """The events in the store, as the sink keeps them, and the epoch that they came in."""
    with EmbeddedStore(data / "store") as store:
        migrate(store.writer)
        epochs.begin(store.writer, _EPOCH)
        writer = Writer(store.writer)
        for topic, records in fetched(mix(events, _SEED, now_ms), now_ms).items():
            for start in range(0, len(records), _BATCH):
                batch = Batch("", findings)
                batch.take(_EPOCH, topic, 0, records[start : start + _BATCH])
                writer.write(batch)
        epochs.end(store.writer, _EPOCH)
    note_epoch(data, _EPOCH)


def _command(data: Path, *arguments: str, fine: tuple[int, ...] = (0,)) -> str:
    """Run a command of ours on this stack to its end; what it printed."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("QUAYSIDE_")}
    command = [sys.executable, "-m", "deploy.command.main", *arguments, "--data", str(data)]
    ended = subprocess.run(command, capture_output=True, env=settings, timeout=_LONGEST_S, check=False)
    if ended.returncode not in fine:
        words = ended.stderr.decode().strip().splitlines()
        raise QuaysideError(f"`quayside {arguments[0]}` failed in the benchmark: {words[-1] if words else 'no word'}")
    return ended.stdout.decode()


def _kill(data: Path) -> None:
    """SIGKILL the whole stack, its supervisor first, and wait until nothing of it is left."""
    stack = running(data)
    if stack is None:
        raise QuaysideError("The stack of the benchmark ended before it could be killed.")
    pids = [stack.pid, *(told["pid"] for told in stack.processes.values())]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _GONE_S
    while any(map(is_alive, pids)):
        if time.monotonic() > deadline:
            raise QuaysideError("A process of the benchmark's stack did not end when it was killed.")
        time.sleep(_LOOK_S)


def _spent(stack: StackFile | None) -> dict[str, float | None]:
    """The processor time of each process of a stack so far, in seconds."""
    pids = {} if stack is None else {name: told["pid"] for name, told in stack.processes.items()}
    return {name: cpu_seconds(pid) for name, pid in pids.items()}
