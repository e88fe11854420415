"""The arithmetic of benchmarks: medians, spreads, ratios, percentiles."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

TARGET_MS: Final = 300
"""In how many ms a question to a long history is to be answered, at the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Run:
    """One contender's round. `events`: committed by the end; `seconds`: from joined group to last commit."""

    events: int
    seconds: float
    cpu_seconds: float | None
    changelog_bytes: int
    complete: bool
    """Whether it committed everything before the time was up."""

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_rate(self) -> float | None:
        """Events per second of CPU time: what one busy core would do if nothing were waited for."""
        return self.events / self.cpu_seconds if self.cpu_seconds else None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and the least and the most of them."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Of one value or more."""
    return Spread(statistics.median(values), min(values), max(values))


def contender(runs: Sequence[Run]) -> dict[str, Any]:
    """What is reported of a contender, ready for JSON."""
    rates = spread([run.rate for run in runs])
    per_cpu = [run.cpu_rate for run in runs if run.cpu_rate is not None]
    return {
        "events_per_s": round(rates.median),
        "least": round(rates.least),
        "most": round(rates.most),
        "seconds": round(statistics.median(run.seconds for run in runs), 3),
        "events_per_cpu_s": round(statistics.median(per_cpu)) if per_cpu else None,
        "changelog_bytes_per_event": round(statistics.median(run.changelog_bytes / run.events for run in runs), 1),
        "complete": all(run.complete for run in runs),
        "rounds": [asdict(run) for run in runs],
    }


def ratios(ours: str, contenders: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Our median rate divided by each other contender's; empty where ours was not measured."""
    if ours not in contenders:
        return {}
    rate = contenders[ours]["events_per_s"]
    return {
        name: round(rate / told["events_per_s"], 2)
        for name, told in contenders.items()
        if name != ours and told["events_per_s"]
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that is not exceeded by at least `share` (0 to 1) of all."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def delays(values: Sequence[float]) -> dict[str, float | int | None]:
    """How long something took, in seconds: count, p50, p99 and the most, in ms; ready for JSON."""
    if not values:
        return {"count": 0, "p50_ms": None, "p99_ms": None, "most_ms": None}
    p50, p99, most = percentile(values, 0.5), percentile(values, 0.99), max(values)
    return {
        "count": len(values),
        **{f"{name}_ms": round(x * 1000, 1) for name, x in (("p50", p50), ("p99", p99), ("most", most))},
    }
