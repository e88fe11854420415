"""Health is progress: a process that has records to take and takes none is not well, however alive it is."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

Cause = Literal["", "no_progress", "recovery", "store", "broker"]
"""What keeps a process from going on; empty while nothing does."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `/health` says. `since`: seconds since the epoch; `lag`: records to be taken, None where nobody knows."""

    cause: Cause = ""
    reason: str = ""
    since: float | None = None
    lag: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether it makes progress or has nothing to do."""
        return not self.cause

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "status": "ok" if self.is_ok else "stuck",
            "cause": self.cause,
            "reason": self.reason,
            "since": None if self.since is None else rfc3339(self.since),
            "lag": self.lag,
        }


@dataclass(frozen=True, slots=True)
class Sight:
    """What was found at one look at a process.

    `lag`: records that it has still to take; None: the broker did not say. `mark`: whatever changes when the process
    makes progress. `recovering`: what it is reading back, in words; empty if nothing. `store_refuses`: since when
    (seconds since the epoch) and why the store does not take what it has in hand; None while it does.
    """

    lag: int | None
    mark: Hashable
    recovering: str = ""
    store_refuses: tuple[float, str] | None = None


class Progress:
    """Judges a process by one look after the other.

    Args:
        patience: After so many seconds without progress it is stuck.
        now: Seconds since the epoch.
    """

    def __init__(self, patience: float, now: Callable[[], float] = time.time) -> None:
        self._patience: Final = patience
        self._now: Final = now
        self._sight = Sight(None, None)
        self._moved_at = now()
        self._looked_at = now()

    @property
    def moved_at(self) -> float:
        """When it was last seen to make progress, or to have nothing to do; seconds since the epoch."""
        return self._moved_at

    @property
    def lag(self) -> int | None:
        """The lag at the last look."""
        return self._sight.lag

    def saw(self, sight: Sight) -> None:
        """Note a look."""
        self._looked_at = self._now()
        if sight.mark != self._sight.mark or (sight.lag == 0 and not sight.recovering):
            self._moved_at = self._looked_at
        self._sight = sight

    def saw_store(self, refuses: tuple[float, str] | None) -> None:
        """Note between two looks whether the store takes what is in hand."""
        self._sight = replace(self._sight, store_refuses=refuses)

    def health(self) -> Health:
        """How it is now."""
        sight = self._sight
        if sight.store_refuses is not None:
            since, why = sight.store_refuses
            return Health("store", f"The store does not take what is in hand: {why}.", since, sight.lag)
        now = self._now()
        if now - self._looked_at > self._patience:
            since = self._looked_at
            return Health("no_progress", f"Nobody has looked for {now - since:.0f} s: the process hangs.", since)
        waited = now - self._moved_at
        if waited <= self._patience:
            return Health(lag=sight.lag)
        if sight.recovering:
            reason = f"Reading back {sight.recovering} has not moved for {waited:.0f} s."
            return Health("recovery", reason, self._moved_at, sight.lag)
        if sight.lag is None:
            reason = f"The broker has not answered for {waited:.0f} s."
            return Health("broker", reason, self._moved_at)
        reason = f"{sight.lag} records wait, and none was taken for {waited:.0f} s."
        return Health("no_progress", reason, self._moved_at, sight.lag)


def rfc3339(seconds: float) -> str:
    """A time in seconds since the epoch as RFC 3339 text in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
