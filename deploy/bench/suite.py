"""The whole benchmark: one Apache Kafka, the contenders in turn for several rounds, then parts of ours alone."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.bench import door, latency, recovery, sink
from deploy.bench.apache_kafka import LONG_RUN, VERSION, await_groups, running_kafka
from deploy.bench.contenders import CONTENDERS, OURS, Contender
from deploy.bench.figures import Run, contender, ratios
from deploy.bench.keeping import NotFetched
from deploy.bench.mix import mix, stock_keys
from deploy.bench.race import LONGEST_S, ContenderFailed, Course, publish_copies
from deploy.bench.watching import Watcher
from schemas.errors import WrongInput
from schemas.times import rfc3339, wall_clock

PARTS: Final = ("recovery", "memory", "latency", "sink", "door")
"""What is measured of our worker, our history sink and our gateway alone."""

NAMES: Final = (*(one.name for one in CONTENDERS), *PARTS)
"""What --only may name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `names`: contenders and parts; `seconds`: how long each rate is kept up."""

    events: int = 200_000
    rounds: int = 3
    names: frozenset[str] = frozenset(NAMES)
    skip_java: bool = False
    seed: int = 1
    facts: int = 1_000_000
    rates: tuple[int, ...] = latency.RATES
    seconds: float = latency.SECONDS
    longest_s: float = LONGEST_S
    door_events: int = 100_000
    door_seconds: float = door.SECONDS


@dataclass(frozen=True, slots=True)
class News:
    """Where to tell how it goes: `progress` for whoever watches, `skipped` for everybody."""

    progress: Callable[[str], None]
    skipped: Callable[[str], None]


def plan_of(events: int, rounds: int, only: str | None, *, skip_java: bool, facts: int, seconds: float) -> Plan:
    """The plan that a command line asks for. Raises WrongInput."""
    names = frozenset(NAMES)
    if only is not None:
        names = frozenset(name.strip() for name in only.split(",") if name.strip())
        unknown = sorted(names - set(NAMES))
        if unknown or not names:
            raise WrongInput(f"--only {only!r} names nothing that can be measured: choose from {', '.join(NAMES)}.")
    return Plan(events, rounds, names, skip_java=skip_java, facts=facts, seconds=seconds)


def run(plan: Plan, news: News) -> dict[str, Any]:
    """Measure; the result as docs/benchmarks.md describes it.

    Raises:
        NotFetched: Apache Kafka cannot be run here.
        QuaysideError: something of ours failed.
    """
    result: dict[str, Any] = {"machine": _machine()}
    news.progress("starting Apache Kafka (the first time its jars are fetched)")
    with (
        running_kafka(LONG_RUN) as kafka,
        tempfile.TemporaryDirectory(prefix="quayside-bench-", ignore_cleanup_errors=True) as folder,
    ):
        await_groups(kafka.address)
        with closing(Watcher(kafka.address)) as watcher:
            chosen = [one for one in CONTENDERS if one.name in plan.names]
            if chosen:
                result["throughput"] = _throughput(watcher, Path(folder), chosen, plan, news)
            if plan.names & {"recovery", "memory"}:
                news.progress(f"recovery: {plan.facts:,} facts")
                told = recovery.measure(watcher, plan.facts, plan.seed) | {"at": _now()}
                result |= {part: told for part in ("recovery", "memory") if part in plan.names}
            if "latency" in plan.names:
                news.progress(
                    f"latency: {plan.seconds:g} s at each of {', '.join(f'{rate:,}' for rate in plan.rates)}/s"
                )
                rates = latency.measure(watcher, Path(folder), plan.seed, plan.rates, plan.seconds)
                result["latency"] = {"at": _now(), "rates": rates}
            if "sink" in plan.names:
                news.progress(f"sink: {plan.events:,} events into the store, {plan.rounds} rounds")
                told = sink.measure(watcher, Path(folder), plan.events, plan.rounds, plan.seed)
                result["sink"] = told | {"at": _now()}
            if "door" in plan.names:
                news.progress(
                    f"door: {plan.door_events:,} events in batches, and {door.RATE}/s one by one, by three doors"
                )
                told = door.measure(watcher, Path(folder), plan.door_events, plan.seed, door.RATE, plan.door_seconds)
                result["door"] = told | {"at": _now()}
    return result


def _throughput(watcher: Watcher, folder: Path, chosen: list[Contender], plan: Plan, news: News) -> dict[str, Any]:
    news.progress(f"making {plan.events:,} events of the demo network's mix")
    told = mix(plan.events, plan.seed, wall_clock())
    course = Course(watcher, told, publish_copies(watcher, told), folder, plan.longest_s)
    runs: dict[str, list[Run]] = {}
    skipped: dict[str, str] = {}
    for number in range(1, plan.rounds + 1):
        for one in chosen:
            if one.name in skipped:
                continue
            if one.java and plan.skip_java:
                skipped[one.name] = "left out by --skip-java."
                continue
            news.progress(f"round {number} of {plan.rounds}: {one.name}")
            try:
                ran = course.run(one, f"{number}")
            except (NotFetched, ContenderFailed) as reason:
                if one.name == OURS:
                    raise
                skipped[one.name] = str(reason)
                news.skipped(f"{one.name}: {reason}")
                continue
            news.progress(f"  {ran.rate:,.0f} events/s ({ran.events:,} in {ran.seconds:.1f} s)")
            runs.setdefault(one.name, []).append(ran)
    contenders = {name: contender(several) for name, several in runs.items() if name not in skipped}
    return {
        "at": _now(),
        "events": plan.events,
        "rounds": plan.rounds,
        "seed": plan.seed,
        "stock_keys": stock_keys(told),
        "keys": len({one.key for one in told}),
        "bytes_per_event": round(sum(len(one.value) for one in told) / len(told), 1),
        "contenders": contenders,
        "ratios": ratios(OURS, contenders),
        "skipped": skipped,
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        "kafka": VERSION,
    }


def _now() -> str:
    return rfc3339(wall_clock())
