"""How much a token may send: a bucket of events that fills at the token's rate, up to its burst."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from deploy.tokens import Grant
from schemas.errors import Unreachable


class Busy(Unreachable):
    """Nothing can be taken just now. `retry_after`: seconds after which it is worth another trial."""

    status: ClassVar[int] = 503

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after: Final = max(1, math.ceil(retry_after))


class TooFast(Busy):
    """A token sends more than it may."""

    status = 429


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Limits:
    """The buckets of all tokens, by their names. `clock` in seconds, never back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._buckets: dict[str, _Bucket] = {}

    def charge(self, grant: Grant, events: int) -> None:
        """Take so many events out of the token's bucket. Raises TooFast where they are not in it.

        More than the burst at once goes when the bucket is full; it is then in debt, so that the rate holds.
        """
        now = self._clock()
        bucket = self._buckets.setdefault(grant.name, _Bucket(grant.burst, now))
        bucket.level = min(grant.burst, bucket.level + (now - bucket.at) * grant.events_per_s)
        bucket.at = now
        lack = min(events, grant.burst) - bucket.level
        if lack > 0:
            wait = lack / grant.events_per_s
            raise TooFast(
                f"The token {grant.name!r} may send {grant.events_per_s} events a second (burst {grant.burst}), and "
                f"sends more: send these {events} again after {max(1, math.ceil(wait))} s.",
                wait,
            )
        bucket.level -= events
