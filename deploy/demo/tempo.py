"""One simulated clock, three readings: natural time, running time and wall time, all in integer ms.

*Natural* time is the simulation's own: it begins at 0, and legs take days. *Running* time maps it onto the
calendar: the first two weeks, before `start`, one to one; after `start` so fast that a natural day takes a
minute. So a shipment under way at `start` simply arrives on the new scale, and one rate of events gives
both a plausible history and a lively present. *Wall* time is running time with the pauses put in, in which
the stack was down and the network stood still; it is what the records say. The order of events is settled
in running time, so that pauses change no event's number.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.errors import WrongInput
from schemas.times import DAY_MS, MINUTE_MS

BACKFILL_MS: Final = 14 * DAY_MS
"""How much history lies before `start`."""

QUICKENING: Final = DAY_MS // MINUTE_MS
"""How many times faster the network runs after `start`, at pace 1: a natural day in a minute."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- the offset is written behind it, not computed
_MILLISECOND: Final = timedelta(milliseconds=1)


class Tempo:
    """The three readings of one clock. `pauses`: (from, to) in wall ms, ascending, none before `start`."""

    __slots__ = ("_pauses", "_quickening", "start")

    def __init__(self, start_ms: int, pace: float = 1.0, pauses: Sequence[tuple[int, int]] = ()) -> None:
        """The clock of a network whose real time begins at `start_ms`; `pace` 2 runs twice as fast."""
        if not pace > 0:
            raise WrongInput(f"The demo's pace is {pace}: give a number above 0, such as 1.")
        self.start = start_ms
        self._quickening = QUICKENING * pace
        self._pauses = tuple(pauses)

    def run(self, natural: int) -> int:
        """The running time of a natural instant; never falls where natural time rises."""
        after = natural - BACKFILL_MS
        return self.start + (after if after <= 0 else int(after / self._quickening))

    def wall(self, running: int) -> int:
        """The instant on the wall clock."""
        for begin, end in self._pauses:
            if running >= begin:
                running += end - begin
        return running

    def text(self, running: int, offset: int) -> str:
        """The instant on the wall clock as RFC 3339, as said `offset` minutes east of Greenwich."""
        local = _EPOCH + (self.wall(running) + offset * MINUTE_MS) * _MILLISECOND
        return local.isoformat(timespec="milliseconds") + _suffix(offset)

    def day_text(self, running: int, offset: int) -> str:
        """The start of the day of that instant, on a calendar `offset` minutes east of Greenwich."""
        return self.text(running, offset)[:10] + "T00:00:00.000" + _suffix(offset)


def _suffix(offset: int) -> str:
    found = _SUFFIXES.get(offset)
    if found is None:
        hours, minutes = divmod(abs(offset), 60)
        found = f"{'+' if offset > 0 else '-'}{hours:02d}:{minutes:02d}"
        _SUFFIXES[offset] = found
    return found


_SUFFIXES: dict[int, str] = {0: "Z"}
