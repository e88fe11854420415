"""A partition's clock, and what has closed by it.

The clock is the running maximum of the append times that the broker gave to the partition's events; a replayed
event counts with its first append time. A period (a day of occurred_at, UTC) closes when the clock has passed its
end by the horizon. Between the two marks of a load of history nothing closes. All of it is a function of the
partition's events in their order, whatever batches they come in: a batch is cut into segments, within each of which
the clock closes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple

from schemas.coordinates import Mark, Reopening, is_silent
from schemas.times import DAY_MS

NEVER: Final = -(10**9)
"""A day before all days: nothing has closed."""

HORIZON_MS: Final = 7 * DAY_MS
"""How long a period stays open after its end, where nobody says otherwise."""

LOAD_LIMIT_MS: Final = DAY_MS
"""A load whose end mark has not come after so long counts as ended: whoever published it is gone."""

TICK_S: Final = 0.25
"""How often is looked which deadlines have passed."""


class ClockState(NamedTuple):
    """What of a clock is kept in the changelog. Of several states the greatest `changes` counts."""

    changes: int
    now: int
    closed_day: int
    loads: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Clock:
    """One partition's clock. Times in ms; `horizon` too; `closed_day` in days since 1970-01-01."""

    horizon: int
    now: int = 0
    closed_day: int = NEVER
    loads: dict[str, int] = field(default_factory=dict)
    changes: int = 0

    @property
    def is_loading(self) -> bool:
        """Whether a load of history is under way."""
        return bool(self.loads)

    @property
    def is_silent(self) -> bool:
        """Whether nothing is to be published: the history is being replayed into an empty broker."""
        return bool(self.loads) and any(map(is_silent, self.loads))

    def would_close(self, at: int) -> bool:
        """Whether a day closes when the clock passes this moment."""
        return not self.loads and last_closed_day(at, self.horizon) > self.closed_day

    def would_expire(self, at: int) -> bool:
        """Whether a load counts as ended when the clock passes this moment."""
        return any(at - begun > LOAD_LIMIT_MS for begun in self.loads.values())

    def advance(self, at: int) -> bool:
        """Pass a moment; whether something changed that has to be kept (`state`)."""
        self.now = max(self.now, at)
        expired = [load for load, begun in self.loads.items() if self.now - begun > LOAD_LIMIT_MS]
        for load in expired:
            del self.loads[load]
        closes = self.would_close(self.now)
        if closes:
            self.closed_day = last_closed_day(self.now, self.horizon)
        self.changes += bool(expired) or closes
        return bool(expired) or closes

    def close_early(self, day: int) -> bool:
        """Close up to this day although the horizon has not passed; whether that is news."""
        if day <= self.closed_day:
            return False
        self.closed_day = day
        self.changes += 1
        return True

    def take(self, mark: Mark, at: int) -> bool:
        """Begin or end a load at this moment; whether that is news."""
        if mark.begins:
            news = mark.load not in self.loads
            self.loads[mark.load] = max(self.now, at)
        else:
            news = self.loads.pop(mark.load, None) is not None
        self.changes += news
        return news

    def state(self) -> ClockState:
        """What is to be kept."""
        return ClockState(self.changes, self.now, self.closed_day, tuple(sorted(self.loads.items())))

    def recover(self, state: ClockState) -> None:
        """Take over a state that was kept, if it is newer."""
        if state.changes >= self.changes:
            self.changes = state.changes
            self.closed_day = state.closed_day
            self.loads = dict(state.loads)
        self.now = max(self.now, state.now)


def last_closed_day(now: int, horizon: int) -> int:
    """The last day (since 1970-01-01) whose end lies more than the horizon (ms) before `now` (ms)."""
    return (now - horizon - 1) // DAY_MS - 1


class Segment(NamedTuple):
    """A run of a partition's records within which the clock closes nothing.

    `at`: when its first record was appended. `mark`: set where the run is one mark, then `entries` is empty.
    """

    at: int
    mark: Mark | Reopening | None
    entries: Sequence[Any]


def segments(entries: Sequence[Any], clock: Clock) -> Iterator[Segment]:
    """Cut a batch: a mark is a segment of its own, a new one begins where a day closes or a load expires.

    None spans the horizon. Each entry is (append time, statement or mark, ...). The clock is asked when a segment is
    asked for, so it has to have been advanced through the one before.
    """
    if entries and not _needs_cuts(entries, clock):
        yield Segment(entries[0][0], None, entries)
        return
    begin = 0
    while begin < len(entries):
        at, first = entries[begin][:2]
        if isinstance(first, _MARKS):
            yield Segment(at, first, ())
            begin += 1
            continue
        end = begin + 1
        reached = max(clock.now, at)
        while end < len(entries) and not isinstance(entries[end][1], _MARKS):
            appended_at = entries[end][0]
            passes = last_closed_day(max(reached, appended_at), clock.horizon) > last_closed_day(reached, clock.horizon)
            expires = not clock.would_expire(reached) and clock.would_expire(appended_at)
            if passes or expires or appended_at - at > clock.horizon:
                break
            reached = max(reached, appended_at)
            end += 1
        yield Segment(at, None, entries[begin:end])
        begin = end


def _needs_cuts(entries: Sequence[Any], clock: Clock) -> bool:
    """The quick answer for nearly every batch."""
    earliest, latest = min(map(_appended, entries)), max(map(_appended, entries))
    reached = max(clock.now, latest)
    return (
        clock.would_expire(reached)
        or latest - earliest > clock.horizon
        or last_closed_day(reached, clock.horizon) > last_closed_day(max(clock.now, entries[0][0]), clock.horizon)
        or not _MARKS_SET.isdisjoint(map(type, map(_said, entries)))
    )


_MARKS: Final = (Mark, Reopening)
_MARKS_SET: Final = frozenset(_MARKS)
_appended: Final = itemgetter(0)
_said: Final = itemgetter(1)
