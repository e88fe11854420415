"""Lead-time statistics of a route, from the observations that its contributors told.

Sums are exact integers, quantiles come from log buckets (`schemas.buckets`). Negative lead times are
counted as findings and stay out of every statistic. The recent window is the 90 days that end with the
route's last finished day, so the result depends on the facts alone and not on when it is computed.
"""

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
    base: Any = None
    stubs = False

    def statement(self, event: Event, raw: bytes) -> Statement:
        """Never asked: this agent reads contributions only."""
        raise AssertionError(event, raw)

    def contributed(self, state: LeadTime) -> tuple[str, str, tuple[Observation, ...] | None]:
        """The observations of one contributor."""
        return lead_key(state.measure, state.route), state.contributor, state.observations or None

    def derive(self, entity: str, facts: Mapping[str, Fact], base: None = None) -> Derived:
        """The statistic of one route."""
        return self.running(facts, base).derive(entity)

    def running(self, facts: Mapping[str, Fact], base: None) -> "RunningLeads":  # noqa: ARG002  # no periods, no base
        """The statistic kept up to date."""
        running = RunningLeads()
        for identity, fact in facts.items():
            running.replace(identity, None, fact)
        return running

    def close(self, base: Any, facts: Mapping[str, Fact]) -> Any:
        """Never asked: a contribution is its own residue."""
        raise AssertionError(base, facts)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """Never asked: this agent contributes nothing."""
        raise AssertionError(entity, target)


class RunningLeads:
    """A route's observations in exact sums, from which a newer version takes the old one's out again.

    Sums of all time, of each day, and of the recent window; the window moves with the last day, then the days that
    come in are added and those that go out are taken away.
    """

    def __init__(self) -> None:
        self._all = Sums()
        self._recent = Sums()
        self._days: dict[int, Sums] = {}
        self._last: int | None = None

    def replace(self, _identity: str, old: Fact | None, new: Fact) -> None:
        """A contributor told its observations anew."""
        for day, duration in (old.payload if old is not None else None) or ():
            self._count(day, duration, -1)
        for day, duration in new.payload or ():
            self._count(day, duration, 1)

    def derive(self, entity: str) -> Derived:
        """The statistic as it stands."""
        last = max(self._days, default=None)
        self._move_to(last)
        measure, _, route = entity.partition("|")
        state = LeadStats(measure, route, last, self._recent.window(), self._all.window())
        return Derived(views=(View(VIEW, entity, state),))

    def _count(self, day: int, duration: int, times: int) -> None:
        self._all.count(duration, times)
        sums = self._days.setdefault(day, Sums())
        sums.count(duration, times)
        if sums.is_empty:
            del self._days[day]
        if self._last is not None and self._last - RECENT_DAYS < day <= self._last:
            self._recent.count(duration, times)

    def _move_to(self, last: int | None) -> None:
        """Let the recent window end with this day."""
        if last == self._last:
            return
        self._last = last
        self._recent = Sums()
        for day, sums in self._days.items():
            if last is not None and day > last - RECENT_DAYS:
                self._recent.add(sums)


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


class Sums:
    """Counts, sums (ms, ms squared) and log buckets of durations; negative ones are counted apart."""

    __slots__ = ("buckets", "counted", "negative", "squares", "total")

    def __init__(self) -> None:
        self.counted = self.negative = self.total = self.squares = 0
        self.buckets: dict[int, int] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is counted."""
        return not self.counted and not self.negative

    def count(self, duration: int, times: int) -> None:
        """Count a duration so many times; -1 takes one out."""
        if duration < 0:
            self.negative += times
            return
        self.counted += times
        self.total += times * duration
        self.squares += times * duration * duration
        self._put(bucket_of(duration), times)

    def add(self, other: "Sums") -> None:
        """Count all that the other has counted."""
        self.counted += other.counted
        self.negative += other.negative
        self.total += other.total
        self.squares += other.squares
        for bucket, times in other.buckets.items():
            self._put(bucket, times)

    def window(self) -> LeadWindow:
        """The statistic of it."""
        pairs = tuple(sorted(self.buckets.items()))
        return LeadWindow(
            count=self.counted,
            negative=self.negative,
            total=self.total,
            squares=str(self.squares),
            p50=quantile(pairs, 0.50),
            p90=quantile(pairs, 0.90),
            p95=quantile(pairs, 0.95),
            buckets=pairs,
        )

    def _put(self, bucket: int, times: int) -> None:
        now = self.buckets.get(bucket, 0) + times
        if now:
            self.buckets[bucket] = now
        else:
            del self.buckets[bucket]
