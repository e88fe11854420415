"""How many events the suppliers' gateway takes, and how soon it answers, beside an endpoint that checks nothing.

One broker, one empty store behind its gate, and in turn three doors, each a process of its own: the gateway on servers
of one's own (an answer means that all in-sync replicas have it), the gateway of an embedded stack (an answer means that
it is on disk), and a bare endpoint (deploy/bench/bare_door.py). Each gets the same requests by the same load, a process
too: first batches as fast as it takes them, then single events at a rate.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec

from deploy.bench.contenders import EPOCH, quayside_command
from deploy.bench.door_load import Heard, Task
from deploy.bench.figures import delays
from deploy.bench.mix import mix
from deploy.bench.race import empty_stack
from deploy.bench.watching import COPY, Watcher, await_, cpu_seconds, registered
from deploy.broker import last_line, launch, stop
from deploy.stackfile import StackFile
from deploy.tokens import TokenFile
from schemas.errors import QuaysideError
from schemas.times import wall_clock
from schemas.warehouse import TOPIC as WAREHOUSE
from sinks.embedded import DATABASE

DOORS: Final = ("servers", "embedded", "bare")
RATE: Final = 500
SECONDS: Final = 15.0

_BATCH: Final = 100
_CONNECTIONS: Final = 8
_SINGLE_CONNECTIONS: Final = 64
_WARMING: Final = 2_000
_UNLIMITED: Final = 1_000_000_000
_GRACE_S: Final = 10.0
_LONGEST_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Course:
    """What is the same for all doors. `lines`: the file of events, `events` of which are sent in batches."""

    watcher: Watcher
    folder: Path
    store: StackFile
    store_pid: int
    lines: Path
    events: int
    rate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Door:
    """A door that answers. `metrics`: whether it tells of itself."""

    pid: int
    port: int
    secret: str
    metrics: bool


def measure(watcher: Watcher, folder: Path, events: int, seed: int, rate: int, seconds: float) -> dict[str, Any]:
    """All doors, one after the other; as docs/benchmarks.md describes it."""
    place = folder / "door"
    place.mkdir()
    lines = place / "events.ndjson"
    told = mix(_WARMING + events + round(rate * seconds), seed, wall_clock())
    lines.write_bytes(b"\n".join(one.value for one in told))
    with _store(watcher.bootstrap, place) as (pid, store):
        course = Course(watcher, place, store, pid, lines, events, rate, seconds)
        doors = {}
        for name in DOORS:
            with _OPENED[name](course) as door:
                doors[name] = _measured(course, door)
    return {"seed": seed, "batch": _BATCH, "connections": _CONNECTIONS} | summary(events, doors)


def summary(events: int, doors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is told first: the gateway on servers of one's own, and the bare endpoint beside it."""
    ours, bare = doors["servers"], doors["bare"]
    one, plain = ours["single"], bare["single"]
    return {
        "events": events,
        "events_per_s": ours["events_per_s"],
        "bare_events_per_s": bare["events_per_s"],
        "ratio": round(ours["events_per_s"] / bare["events_per_s"], 2),
        "cpu_us_per_event": ours["cpu_us_per_event"],
        "bare_cpu_us_per_event": bare["cpu_us_per_event"],
        "single": {
            "rate": one["rate"],
            **{name: one[name] for name in ("p50_ms", "p99_ms", "most_ms")},
            **{f"bare_{name}": plain[name] for name in ("p50_ms", "p99_ms", "most_ms")},
        },
        "doors": doors,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time in seconds, of the door and of the store that it asks; None where the system does not tell."""

    door: float | None
    store: float | None

    def per_event(self, events: int) -> dict[str, float | None]:
        """In microseconds."""
        each = {"cpu_us_per_event": self.door, "store_cpu_us_per_event": self.store}
        return {name: None if one is None else round(one * 1_000_000 / events, 1) for name, one in each.items()}


def batches(events: int, heard: Heard, spent: Spent) -> dict[str, Any]:
    """What is told of batches: events/s, processor time, and how long a request took."""
    told = {"events_per_s": round(events / heard.seconds), "seconds": round(heard.seconds, 3)}
    return told | spent.per_event(events) | delays(heard.requests)


def singles(rate: int, heard: Heard, spent: Spent) -> dict[str, Any]:
    """What is told of single events at a rate; how long one took counts from the moment at which it was due."""
    return {"rate": rate} | spent.per_event(len(heard.requests)) | delays(heard.requests)


def _measured(course: Course, door: Door) -> dict[str, Any]:
    _loaded(course, door, 0, _WARMING)
    before = _unchecked(door)
    told = batches(course.events, *_loaded(course, door, _WARMING, course.events))
    count = round(course.rate * course.seconds)
    one = singles(course.rate, *_loaded(course, door, _WARMING + course.events, count, course.rate))
    unchecked = None if before is None else (_unchecked(door) or 0) - before
    return told | {"unchecked": unchecked, "single": one}


def _loaded(course: Course, door: Door, first: int, count: int, rate: float = 0) -> tuple[Heard, Spent]:
    """What the load heard, and what was spent until everything was with the broker."""
    connections, batch = (_SINGLE_CONNECTIONS, 1) if rate else (_CONNECTIONS, _BATCH)
    task = Task(door.port, door.secret, str(course.lines), first, count, batch, connections, rate)
    began = [cpu_seconds(pid) for pid in (door.pid, course.store_pid)]
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.bench.door_load"],
        input=msgspec.json.encode(task),
        capture_output=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise QuaysideError(f"The load of the gateway's benchmark failed: {said[-1] if said else 'it said nothing'}")
    await_("the door to have sent everything", lambda: not _metric(door, "quayside_gateway_queue_records"))
    spent = (
        None if before is None or (now := cpu_seconds(pid)) is None else now - before
        for pid, before in zip((door.pid, course.store_pid), began, strict=True)
    )
    heard = msgspec.json.decode(ended.stdout.splitlines()[-1], type=Heard)
    return heard, Spent(*spent)


def _unchecked(door: Door) -> int | None:
    found = _metric(door, "quayside_gateway_unchecked_events_total")
    return None if found is None else round(found)


def _metric(door: Door, name: str) -> float | None:
    """A number that the door tells of itself; None where it does not."""
    if not door.metrics:
        return None
    with urlopen(f"http://127.0.0.1:{door.port}/metrics", timeout=_GRACE_S) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    raise QuaysideError(f"The gateway tells nothing of {name}: the benchmark needs it.")


@contextlib.contextmanager
def _started(command: list[str], log: Path, what: str) -> Iterator[tuple[int, str]]:
    """A process that prints its address: its id, and that."""
    process = launch(command, log)

    def address() -> str:
        if process.poll() is not None:
            raise QuaysideError(f"{what} of the gateway's benchmark did not come up: {last_line(log)}")
        lines = log.read_text().splitlines() if log.exists() else []
        return next((line for line in lines if line.startswith("http://")), "")

    try:
        await_(f"{what} to be there", lambda: bool(address()))
        yield process.pid, address()
    finally:
        stop(process, _GRACE_S)


@contextlib.contextmanager
def _store(bootstrap: str, folder: Path) -> Iterator[tuple[int, StackFile]]:
    password = secrets.token_hex(8)
    command = [sys.executable, "-m", "deploy.bench.door_store", str(folder / "store"), password]
    with _started(command, folder / "store.log", "The store") as (pid, gate):
        yield pid, StackFile(os.getpid(), EPOCH, bootstrap, gate, "default", password, DATABASE, ready=True)


@contextlib.contextmanager
def _gateway(course: Course, name: str, *settings: str) -> Iterator[Door]:
    empty_stack(course.watcher)
    data = course.folder / name
    tokens = TokenFile(data / "tokens.json")
    made = tokens.create("bench", ["*"], events_per_s=_UNLIMITED, burst=_UNLIMITED)
    own = quayside_command(course.watcher.bootstrap, data, "gateway", "--listen", "127.0.0.1:0")
    plain = ("QUAYSIDE_GATEWAY_TLS_CERT", "QUAYSIDE_GATEWAY_TLS_KEY", "QUAYSIDE_CLICKHOUSE")
    unset = [argument for variable in plain for argument in ("-u", variable)]
    command = [shutil.which("env") or "env", *unset, *settings, *own]
    with _started(command, course.folder / f"{name}.log", "The gateway") as (pid, address):
        yield Door(pid, urlsplit(address).port or 0, made.secret, metrics=True)


@contextlib.contextmanager
def _servers(course: Course) -> Iterator[Door]:
    """The gateway with Kafka and store of one's own."""
    store = course.store
    there = f"http://{store.gate_user}:{store.gate_password}@{urlsplit(store.gate).netloc}/{store.database}"
    with _gateway(course, "servers", f"QUAYSIDE_CLICKHOUSE={there}") as door:
        yield door


@contextlib.contextmanager
def _embedded(course: Course) -> Iterator[Door]:
    """The gateway of an embedded stack: what a supervisor tells and holds stands there, and nothing else of it."""
    data = course.folder / "embedded"
    data.mkdir()
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        course.store.write(data)
        with _gateway(course, "embedded") as door:
            yield door


@contextlib.contextmanager
def _bare(course: Course) -> Iterator[Door]:
    course.watcher.make_anew(registered([WAREHOUSE]), COPY)
    command = [sys.executable, "-m", "deploy.bench.bare_door", course.watcher.bootstrap, COPY + WAREHOUSE]
    with _started(command, course.folder / "bare.log", "The bare endpoint") as (pid, address):
        yield Door(pid, urlsplit(address).port or 0, "", metrics=False)


_OPENED: Final[dict[str, Callable[[Course], contextlib.AbstractContextManager[Door]]]] = {
    "servers": _servers,
    "embedded": _embedded,
    "bare": _bare,
}
