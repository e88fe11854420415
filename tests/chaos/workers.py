"""Workers as a supervisor runs them: started, killed, stopped, continued, and started again when they end."""

import json
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.broker import launch
from schemas.times import DAY_MS

if TYPE_CHECKING:
    import subprocess

_PROGRAM: Final = Path(__file__).with_name("worker_process.py")
HORIZON_MS: Final = 7 * DAY_MS
"""How long periods stay open; nothing of the load is so old."""

_RAISED: Final = re.compile(r"[A-Za-z_][\w.]*: \S|\w+(\.\w+)+$")
_GRAVE: Final = re.compile(r"\[(ERROR|CRITICAL)\]")
_GRACE_S: Final = 20.0
_CRY_S: Final = 2.0


class Fuse(NamedTuple):
    """When a worker ends itself: as `agent` passes `step` for the `times`-th time."""

    agent: str
    step: int
    times: int
    signal: int = signal.SIGKILL


class Batch(NamedTuple):
    """A batch that a worker took: offsets `first` to `last`, both included."""

    topic: str
    partition: int
    first: int
    last: int
    records: int


@dataclass(frozen=True, slots=True)
class Setting:
    """Where workers run. `single`: there is only ever one (Tansu).

    `now`: what time it is for them (ms), so that the same deadlines have passed in the end in every run.
    """

    bootstrap: str
    epoch: int
    single: bool
    folder: Path
    now: int


@dataclass(slots=True)
class Journal:
    """What the workers of a scenario have noted, all lives together."""

    batches: list[Batch] = field(default_factory=list)
    steps: Counter[int] = field(default_factory=Counter)
    generations: set[int] = field(default_factory=set)

    def add(self, lines: Iterable[str]) -> None:
        """Add a life's lines."""
        for line in lines:
            kind, *words = line.split()
            if kind == "P":
                self.steps[int(words[1])] += 1
            elif kind == "A":
                self.generations.add(int(words[0]))
            elif kind in {"B", "F"}:
                batch = Batch(words[0], *map(int, words[1:]))
                if kind == "B":
                    self.batches.append(batch)
                else:
                    self.batches.remove(batch)


class Worker:
    """One life of a worker process."""

    def __init__(self, setting: Setting, instance: str, life: int, fuse: Fuse | None, max_batch: int) -> None:
        self.instance: Final = instance
        self.fuse: Final = fuse
        folder = setting.folder / instance
        folder.mkdir(parents=True, exist_ok=True)
        self.log: Final = folder / f"{life:03}.log"
        self._journal: Final = folder / f"{life:03}.journal"
        orders = {
            "bootstrap": setting.bootstrap,
            "epoch": setting.epoch,
            "datadir": str(folder / "faust"),
            "single": setting.single,
            "instance": instance,
            "max_batch": max_batch,
            "journal": str(self._journal),
            "fuse": fuse,
            "now": setting.now,
            "horizon": HORIZON_MS,
        }
        self._process: Final[subprocess.Popen[bytes]] = launch(
            [sys.executable, "-P", str(_PROGRAM), json.dumps(orders)], self.log
        )

    @property
    def name(self) -> str:
        """Instance and life."""
        return f"{self.instance}/{self.log.stem}"

    @property
    def exit_code(self) -> int | None:
        """How it ended (minus the signal's number); None while it runs or is stopped."""
        return self._process.poll()

    def has_begun(self) -> bool:
        """Whether it has taken a batch."""
        return any(line.startswith("B") for line in self.lines())

    def has_passed_a_step(self) -> bool:
        """Whether it has passed any step of a batch."""
        return any(line.startswith("P") for line in self.lines())

    def has_burnt(self) -> bool:
        """Whether its fuse has burnt down."""
        return any(line.startswith("X") for line in self.lines())

    def ticks(self) -> dict[tuple[str, int], list[int]]:
        """Of each agent and partition, how many deadlines had passed each time the worker let time pass."""
        told: dict[tuple[str, int], list[int]] = defaultdict(list)
        for line in self.lines():
            if line.startswith("T"):
                _, agent, partition, passed = line.split()
                told[agent, int(partition)].append(int(passed))
        return told

    def lines(self) -> Iterator[str]:
        """Its journal so far; a last line that is cut off is left out."""
        with suppress(FileNotFoundError), self._journal.open() as file:
            yield from (line for line in file if line.endswith("\n"))

    def signal(self, number: int) -> None:
        """Send it a signal; one that is gone does not hear it."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        """SIGTERM, and wait; the exit code (SIGKILL after 20 s, which is then the exit code)."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()
        return self._process.wait()


@dataclass(slots=True)
class Crew:
    """The workers of a scenario by instance, and what became of all their lives."""

    setting: Setting
    running: dict[str, Worker] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    ended: Counter[int] = field(default_factory=Counter)
    """By exit code, the lives that ended by themselves, neither killed nor asked to."""

    last_words: list[str] = field(default_factory=list)
    """Of each of those the last line of its log that names an error."""

    lives: int = 0

    def start(self, instance: str, fuse: Fuse | None = None, max_batch: int = 40) -> Worker:
        """Start a worker under a name that nobody has now; its batches are small, so that there are many."""
        assert instance not in self.running
        self.lives += 1
        worker = self.running[instance] = Worker(self.setting, instance, self.lives, fuse, max_batch)
        return worker

    def tend(self) -> list[str]:
        """Start again, without a fuse, whoever has ended by itself; their names."""
        fallen = [name for name, worker in self.running.items() if worker.exit_code is not None]
        for name in fallen:
            worker = self.running[name]
            if worker.fuse is None or not worker.has_burnt() or worker.fuse.signal != signal.SIGKILL:
                self.ended[worker.exit_code or 0] += 1
                self.last_words.append(f"{worker.name} ended with {worker.exit_code}: {last_error(worker.log)}")
            self.bury(name)
            self.start(name)
        return fallen

    def kill(self, instance: str) -> None:
        """SIGKILL."""
        self.running[instance].kill()
        self.bury(instance)

    def terminate(self, instance: str) -> int:
        """SIGTERM; the exit code."""
        code = self.running[instance].terminate()
        self.bury(instance)
        return code

    def bury(self, instance: str) -> None:
        """Keep what a worker that has ended noted."""
        worker = self.running.pop(instance)
        assert worker.exit_code is not None
        self.journal.add(worker.lines())

    def cry(self) -> None:
        """Have all of them write into their logs where each of their tasks stands (mode's SIGUSR1)."""
        for worker in self.running.values():
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGUSR1)
        time.sleep(_CRY_S)

    def close(self) -> None:
        """End all of them."""
        for name in list(self.running):
            self.kill(name)


def last_error(log: Path) -> str:
    """The last line of a log that names an error, else the last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if _RAISED.match(line)] or [line for line in lines if _GRAVE.search(line)]
    return (named or lines or ["it said nothing"])[-1][:200]


def records_again(batches: Iterable[Batch], offsets: dict[tuple[str, int], list[int]]) -> tuple[int, int]:
    """How many records were taken more than once (each further time counts), and how many never.

    `offsets`: of each input partition the offsets of all its records, ascending.
    """
    marks: dict[tuple[str, int], Counter[int]] = {place: Counter() for place in offsets}
    for batch in batches:
        marks[batch.topic, batch.partition][batch.first] += 1
        marks[batch.topic, batch.partition][batch.last + 1] -= 1
    again = never = 0
    for place, known in offsets.items():
        steps = sorted(marks[place].items())
        depth = at = 0
        for offset in known:
            while at < len(steps) and steps[at][0] <= offset:
                depth += steps[at][1]
                at += 1
            again += max(0, depth - 1)
            never += depth == 0
    return again, never
