"""What a runner takes from: the emissions that are due by now, in batches, from where it left off."""

from collections.abc import Sequence

from deploy.demo.mistakes import Shares
from deploy.demo.network import Network
from deploy.demo.reports import Emission


class Feed:
    """The demo's emissions as they become due. No clock inside: the caller tells what time it is."""

    def __init__(
        self,
        seed: int,
        start_ms: int,
        skip: int = 0,
        *,
        pace: float = 1.0,
        pauses: Sequence[tuple[int, int]] = (),
        shares: Shares | None = None,
    ) -> None:
        """A feed that goes on behind the first `skip` emissions.

        Seed, start, pace and shares must be those of the first run; `pauses` are all that there were, each
        as `pause` gave it. Then the emissions are the same as without an interruption, each exactly once.
        """
        self.start_ms = start_ms
        self.network = Network(seed, start_ms, pace, shares=shares, pauses=pauses)
        self.network.skip(skip)
        self.taken = skip
        self._next = next(self.network)

    @property
    def next_at_ms(self) -> int:
        """When the next emission is due (ms since the epoch)."""
        return self._next.at_ms

    @property
    def in_backfill(self) -> bool:
        """Whether the next emission still belongs to the history before the start."""
        return self._next.at_ms < self.start_ms

    def take(self, now_ms: int, limit: int = 1_000) -> list[Emission]:
        """The next emissions that are due at `now_ms`, at most `limit`; `taken` counts them."""
        batch: list[Emission] = []
        upcoming, following = self._next, self.network.__next__
        while len(batch) < limit and upcoming.at_ms <= now_ms:
            batch.append(upcoming)
            upcoming = following()
        self._next = upcoming
        self.taken += len(batch)
        return batch


def pause(start_ms: int, last_at_ms: int, now_ms: int) -> tuple[int, int] | None:
    """The pause between the last emission that was taken and now, to be put behind those there were.

    None if there was none: the history is never paused, only real time is.
    """
    begin = max(last_at_ms + 1, start_ms)
    return (begin, now_ms) if now_ms > begin else None
