"""The demo network: an endless stream of records, the same for the same seed and start, byte for byte."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import simpy

from deploy.demo.descriptions import describe, describe_durations
from deploy.demo.mistakes import Shares
from deploy.demo.purchasing import Purchasing
from deploy.demo.reports import Emission, Reports
from deploy.demo.sales import Sales
from deploy.demo.tempo import BACKFILL_MS, Tempo
from deploy.demo.transport import Transport
from deploy.demo.warehouse import Steps, Warehouse
from deploy.demo.world import World
from schemas.times import HOUR_MS, MINUTE_MS

_STRIDE_MS: Final = 30 * MINUTE_MS
"""How far the simulation goes on at a time, in natural time, when no record is waiting."""


class Network(Iterator[Emission]):
    """An iterator over the emissions of one network, in non-decreasing `at_ms`, without end.

    Lazy, and bounded in memory: what is finished and sent is forgotten. `mistakes` counts what was planted
    in the emissions taken so far, by kind; `stock` and `under_way` tell the truth as the simulation knows
    it, which may be ahead of the emissions by up to half an hour of natural time and by what is reported
    late (`drain` sends that).
    """

    def __init__(
        self,
        seed: int,
        start_ms: int,
        pace: float = 1.0,
        *,
        shares: Shares | None = None,
        pauses: Sequence[tuple[int, int]] = (),
    ) -> None:
        """A network whose history ends and whose real time begins at `start_ms`; see `network`."""
        self._tempo = Tempo(start_ms, pace, pauses)
        self._env = simpy.Environment(initial_time=0)
        self._reports = Reports(self._env, self._tempo, seed, shares or Shares())
        self._world = World()
        rng = Random(f"{seed}/network")
        describe(self._world, self._reports, natural=0)
        self._env.process(self._describe_again())
        self._warehouses = {
            depot.place.name: Warehouse(self._env, rng, self._reports, self._world, depot)
            for depot in self._world.depots
        }
        self._transport = Transport(self._env, rng, self._reports, self._world)
        parties = (self._env, rng, self._reports, self._world, self._warehouses, self._transport)
        Purchasing(*parties)
        Sales(*parties)
        self._env.process(self._rebalancing(rng))
        self._due: Iterator[Emission] = iter(())

    def __next__(self) -> Emission:
        """The next record; the simulation goes on for as long as it takes to have one."""
        while True:
            for emission in self._due:
                return emission
            self._due = self._reports.due(self._advance())

    def skip(self, emissions: int) -> None:
        """Go on by so many emissions without making their bytes: several times faster than taking them."""
        while emissions > 0:
            emissions -= self._reports.pass_over(self._tempo.run(self._env.now), emissions)
            if emissions > 0:
                self._advance()

    def drain(self) -> Iterator[Emission]:
        """Everything that was said and not sent yet, however late; the simulation stands still meanwhile."""
        yield from self._due
        yield from self._reports.due(1 << 62)

    @property
    def mistakes(self) -> Counter[str]:
        """How many mistakes of each kind are in the emissions so far (see `mistakes.BAD` and `READABLE`)."""
        return self._reports.mistakes

    @property
    def stock(self) -> dict[tuple[str, str], int]:
        """What is on hand in truth, in thousandths, by site and item."""
        return {
            (site, item): position.on_hand
            for site, warehouse in self._warehouses.items()
            for item, position in warehouse.positions.items()
        }

    @property
    def under_way(self) -> dict[str, int]:
        """The shipments that are booked and not at their end: when each is promised, in ms."""
        return {
            name: self._tempo.wall(self._tempo.run(shipment.promised))
            for name, shipment in self._transport.under_way.items()
        }

    def _advance(self) -> int:
        """Let half an hour of natural time pass; the running time then."""
        now = self._env.now + _STRIDE_MS
        self._env.run(until=now)
        return self._tempo.run(now)

    def _describe_again(self) -> Steps:
        """From `start` on everything is quicker, and what is usual is told anew."""
        yield self._env.timeout(BACKFILL_MS)
        describe_durations(self._world, self._reports, natural=BACKFILL_MS)

    def _rebalancing(self, rng: Random) -> Steps:
        """Twice a day: where more is wanted than is coming and another site has plenty, some are moved."""
        transfers = 0
        while True:
            yield self._env.timeout(12 * HOUR_MS)
            for needy in self._warehouses.values():
                for position in needy.positions.values():
                    if position.expected >= 0:
                        continue
                    item = position.item
                    others = [
                        other
                        for other in self._warehouses.values()
                        if other is not needy
                        and item.name in other.positions
                        and other.positions[item.name].available > item.reorder_point + 2 * item.pack
                    ]
                    if others:
                        transfers += 1
                        giver, number = rng.choice(others), f"TR-{100_000 + transfers}"
                        self._env.process(giver.transfer(item, 2 * item.pack, needy, number))


def network(
    seed: int,
    start_ms: int,
    pace: float = 1.0,
    *,
    shares: Shares | None = None,
    pauses: Sequence[tuple[int, int]] = (),
) -> Network:
    """The emissions of the network with this seed, whose real time begins at `start_ms`.

    Two weeks of history come first, then real time without end, at `pace` (1: some 30 events a second, a
    natural day in a minute). No emission tells of anything later than its `at_ms`, but for plans, estimates
    and fast clocks. `shares`: how many mistakes. `pauses`: (from, to) in wall ms, after the start and
    ascending, in which the network stood still; they move what follows and change nothing else.

    Raises:
        WrongInput: `pace` is not above 0.
    """
    return Network(seed, start_ms, pace, shares=shares, pauses=pauses)
