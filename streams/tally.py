"""What an agent has done since its process started, as plain numbers: counted per batch, never per record.

Whoever serves metrics reads them from another thread; a number may be a batch old, and none is ever half-written.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

BATCH_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A transaction takes some 10 ms, a full batch of 20,000 records some 200 ms (measured)."""


class Seconds:
    """A histogram of durations in seconds. `bounds` ascend; what is above the last one counts too."""

    def __init__(self, bounds: Sequence[float] = BATCH_BOUNDS_S) -> None:
        self.bounds: Final = tuple(bounds)
        self.counts: Final = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; a bound includes itself."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulated(self) -> list[tuple[str, int]]:
        """How many durations were at most each bound, as Prometheus has them; the last bound is `+Inf`."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        reached = 0
        found = []
        for name, count in zip(names, list(self.counts), strict=True):
            reached += count
            found.append((name, reached))
        return found


@dataclass(slots=True)
class AgentTally:
    """One agent's numbers. Times in seconds since the epoch; None: not yet.

    `sent`: contributions and views by topic. `recovery_s`: how long the last taking over of partitions took.
    """

    read: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    repeated: int = 0
    late: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    forwarded: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    batches: Seconds = field(default_factory=Seconds)
    recovery_s: float = 0.0
    progress_at: float | None = None

    def batch_ended(self, records: dict[str, int], seconds: float) -> None:
        """A batch went through all steps: how many records it had by topic, and how long it took."""
        self.read.update(records)
        self.batches.add(seconds)
        self.progress_at = time.time()
