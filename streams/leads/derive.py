"""Lead-time statistics of a route, from the observations that its contributors told.

Sums are exact integers, quantiles come from log buckets (`schemas.buckets`). Negative lead times are
counted as findings and stay out of every statistic. The recent window is the 90 days that end with the
route's last finished day, so the result depends on the facts alone and not on when it is computed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.buckets import bucket_of, quantile
from schemas.derived import LeadStats, LeadTime, LeadWindow
from schemas.event import Event
from streams.derivation import Derived, View
from streams.facts import Fact, Statement, Target

VIEW: Final = "lead.stats"
CONTRIBUTIONS: Final = "lead.contributions"
RECENT_DAYS: Final = 90

Observation = tuple[int, int]


class LeadTimes:
    """The lead-time agent's rules."""

    name = "leads"
    events: tuple[str, ...] = ()
    contributions: Mapping[str, type[Any]] = {CONTRIBUTIONS: LeadTime}
    payload: Any = tuple[Observation, ...]

    def statement(self, event: Event, raw: bytes) -> Statement:
        """Never asked: this agent reads contributions only."""
        raise AssertionError(event, raw)

    def contributed(self, state: LeadTime) -> tuple[str, str, tuple[Observation, ...] | None]:
        """The observations of one contributor."""
        return lead_key(state.measure, state.route), state.contributor, state.observations or None

    def derive(self, entity: str, facts: Mapping[str, Fact]) -> Derived:
        """The statistic of one route."""
        observations: list[Observation] = []
        for fact in facts.values():
            observations.extend(fact.payload or ())
        return Derived(views=(View(VIEW, entity, statistic(entity, observations)),))

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """Never asked: this agent contributes nothing."""
        raise AssertionError(entity, target)


def lead_key(measure: str, route: str) -> str:
    """The key of a route's statistic; the measure holds no separator."""
    return f"{measure}|{route}"


def lead_contribution(contributor: str, target: Target, observations: Iterable[Observation] = ()) -> LeadTime:
    """What a contributor tells a route (a target of `lead_target`); nothing: it observed none."""
    measure, _, route = target.key.partition("|")
    return LeadTime(contributor, measure, route, tuple(sorted(observations)))


def lead_target(measure: str, route: str) -> Target:
    """Where a lead time of this measure and route is sent."""
    return Target(CONTRIBUTIONS, lead_key(measure, route))


def statistic(entity: str, observations: Iterable[Observation]) -> LeadStats:
    """The statistic of all (day, duration in ms) observations of a route."""
    measure, _, route = entity.partition("|")
    everything = list(observations)
    last_day = max((day for day, _ in everything), default=None)
    since = 0 if last_day is None else last_day - RECENT_DAYS
    return LeadStats(
        measure=measure,
        route=route,
        last_day=last_day,
        recent=_window(duration for day, duration in everything if day > since),
        all=_window(duration for _, duration in everything),
    )


def _window(durations: Iterable[int]) -> LeadWindow:
    counted = negative = total = squares = 0
    buckets: Counter[int] = Counter()
    for duration in durations:
        if duration < 0:
            negative += 1
            continue
        counted += 1
        total += duration
        squares += duration * duration
        buckets[bucket_of(duration)] += 1
    pairs = tuple(sorted(buckets.items()))
    return LeadWindow(
        count=counted,
        negative=negative,
        total=total,
        squares=str(squares),
        p50=quantile(pairs, 0.50),
        p90=quantile(pairs, 0.90),
        p95=quantile(pairs, 0.95),
        buckets=pairs,
    )
