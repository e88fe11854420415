"""The process that runs the demo network: what is due goes through the spool to Kafka, as a supplier's would.

The network is a function of its seed and its start, so all that is kept of it (DATA/demo.json) is how far it
was taken: after a crash the same emissions follow, and those that went out twice are known as repeats.
"""

import asyncio
import json
import signal
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from deploy.demo.feed import Feed, pause
from deploy.processes import end_with_parent
from deploy.publisher import Publisher
from deploy.spool import Spooled
from schemas.errors import Unreachable
from schemas.times import wall_clock

_BATCH: Final = 2_000
_TICK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """How far the demo of a data directory was taken."""

    seed: int
    start_ms: int
    pace: float
    taken: int = 0
    last_at_ms: int = 0
    pauses: tuple[tuple[int, int], ...] = field(default=())

    @classmethod
    def load(cls, data: Path) -> "DemoProgress | None":
        """What was kept; None for a directory that had no demo."""
        try:
            told = json.loads((data / "demo.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return cls(**{**told, "pauses": tuple((begin, end) for begin, end in told["pauses"])})

    def save(self, data: Path) -> None:
        """Replace what was kept, in one step."""
        fresh = data / "demo.json.new"
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(data / "demo.json")


def run(data: Path, bootstrap: str, seed: int, pace: float) -> None:
    """Run the demo network until a signal or the supervisor's end."""
    asyncio.run(_run(data, bootstrap, seed, pace))


def resume(data: Path, seed: int, pace: float, now_ms: int) -> DemoProgress:
    """Where to go on: at the beginning, or behind what was taken, with the pause since then."""
    kept = DemoProgress.load(data)
    if kept is None:
        return DemoProgress(seed, now_ms, pace)
    idle = pause(kept.start_ms, kept.last_at_ms, now_ms) if kept.taken else None
    if idle is None:
        return kept
    before = kept.pauses[:-1] if kept.pauses and kept.pauses[-1][0] == idle[0] else kept.pauses
    return replace(kept, pauses=(*before, idle))


async def _run(data: Path, bootstrap: str, seed: int, pace: float) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    end_with_parent()
    progress = resume(data, seed, pace, wall_clock())
    progress.save(data)
    feed = Feed(progress.seed, progress.start_ms, skip=progress.taken, pace=progress.pace, pauses=progress.pauses)
    publisher = Publisher(bootstrap, data / "spool", load="demo" if feed.in_backfill else None)
    try:
        while not stopping.is_set():
            if publisher.loads and not feed.in_backfill:
                await publisher.close()
                publisher = Publisher(bootstrap, data / "spool")
            batch = feed.take(wall_clock(), _BATCH)
            if not batch:
                await _sleep(stopping)
                continue
            await publisher.accept([Spooled(told.topic, told.key, told.value) for told in batch])
            progress = replace(progress, taken=feed.taken, last_at_ms=batch[-1].at_ms)
            progress.save(data)
    except Unreachable:
        return  # the batch is in the spool; the supervisor starts all anew
    finally:
        await publisher.close()


async def _sleep(stopping: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), _TICK_S)
    except TimeoutError:
        return
