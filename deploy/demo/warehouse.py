"""The warehouses: what lies where in truth, and what their systems say of it.

Goods are conserved: every change of a `Position` is said in one event (two where a contract asks for two),
except what goes missing on the shelf, which a count then finds.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simpy

from deploy.demo.catalogue import Depot
from deploy.demo.reports import Reports
from deploy.demo.world import Item, World
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.warehouse import TOPIC, stock_key

Steps = Generator[Any, Any, None]
"""A process of the simulation."""

_COUNT_EVERY_MS = 5 * DAY_MS
_COUNT_WRONG = 0.12
_RESTORED = 0.6
_BROKEN = 0.5


@dataclass(slots=True)
class Request:
    """Goods that an order waits for; `served` happens when they are reserved."""

    item: Item
    quantity: int
    order_id: str
    served: simpy.Event


@dataclass(slots=True)
class Position:
    """An item at a site in truth, in thousandths; `last` is the running time of its last movement."""

    item: Item
    on_hand: int = 0
    reserved: int = 0
    quarantined: int = 0
    on_order: int = 0
    last: int = 0
    lots: int = 0
    waiting: deque[Request] = field(default_factory=deque)

    @property
    def available(self) -> int:
        """What may be reserved."""
        return self.on_hand - self.reserved - self.quarantined

    @property
    def expected(self) -> int:
        """What will be available when all that was ordered has come and all that wait are served."""
        return self.available + self.on_order - sum(request.quantity for request in self.waiting)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Goods of one order line that came with a shipment."""

    item: Item
    quantity: int
    order_id: str


def said(quantity: int) -> int | float:
    """A quantity in thousandths as a number of units, exact in JSON."""
    return quantity // 1000 if quantity % 1000 == 0 else quantity / 1000


class Warehouse:
    """One site of the company."""

    def __init__(self, env: simpy.Environment, rng: Random, reports: Reports, world: World, depot: Depot) -> None:
        """A warehouse with its opening stock, and its daily routine."""
        self.site = depot.place.name
        self._env = env
        self._rng = rng
        self._reports = reports
        self._source = world.source(f"{self.site}-wms")
        self.positions = {item.name: Position(item) for item in world.stocked(depot)}
        for position in self.positions.values():
            item = position.item
            self._change(position, "adjusted", item.reorder_point + item.pack * rng.randrange(9), "opening balance")
        env.process(self._counting())
        env.process(self._mishaps())

    def reserve(self, item: Item, quantity: int, order_id: str) -> Request:
        """Ask for goods: first come, first served, as soon as they are available."""
        request = Request(item, quantity, order_id, self._env.event())
        position = self.positions[item.name]
        position.waiting.append(request)
        self._serve(position)
        return request

    def give_up(self, request: Request) -> None:
        """Stop waiting, or give back what was reserved."""
        position = self.positions[request.item.name]
        if request.served.triggered:
            self._say(position, "released", request.quantity, {"order_id": request.order_id})
            position.reserved -= request.quantity
        else:
            position.waiting.remove(request)
        self._serve(position)

    def pick_and_pack(self, requests: Sequence[Request]) -> Steps:
        """Take reserved goods from the shelf and pack them."""
        for request in requests:
            yield self._env.timeout(self._between(20 * MINUTE_MS, 2 * HOUR_MS))
            position = self.positions[request.item.name]
            self._say(position, "picked", request.quantity, {"order_id": request.order_id})
        yield self._env.timeout(self._between(20 * MINUTE_MS, 2 * HOUR_MS))
        for request in requests:
            position = self.positions[request.item.name]
            self._say(position, "packed", request.quantity, {"order_id": request.order_id})

    def hand_over(self, requests: Sequence[Request], shipment_id: str) -> None:
        """Reserved goods leave the site with a shipment."""
        for request in requests:
            position = self.positions[request.item.name]
            references = {"order_id": request.order_id, "shipment_id": shipment_id}
            self._say(position, "released", request.quantity, references)
            self._say(position, "shipped", request.quantity, references)
            position.reserved -= request.quantity
            position.on_hand -= request.quantity

    def receive(self, arrivals: Sequence[Arrival], shipment_id: str, *, suspect: bool) -> Steps:
        """Unload a shipment; `suspect`: its goods were too warm and are looked at before they are used."""
        yield self._env.timeout(self._between(20 * MINUTE_MS, 5 * HOUR_MS))
        for arrival in arrivals:
            position = self.positions[arrival.item.name]
            position.lots += 1
            references = {"order_id": arrival.order_id, "shipment_id": shipment_id}
            lot = f"{arrival.item.supplier[:3]}-{self.site[:3]}-{position.lots:04d}"
            self._say(position, "received", arrival.quantity, references, lot=lot)
            position.on_hand += arrival.quantity
            if suspect:
                self._suspect(position, arrival.quantity, "temperature excursion")
            self._env.process(self._put_away(position, arrival.quantity, references, lot))
            self._serve(position)
            yield self._env.timeout(self._between(10 * MINUTE_MS, HOUR_MS))

    def take_back(self, arrivals: Sequence[Arrival], shipment_id: str, reason: str) -> None:
        """Goods came back from a store; they are looked at before they are used."""
        for arrival in arrivals:
            position = self.positions[arrival.item.name]
            references = {"order_id": arrival.order_id, "shipment_id": shipment_id}
            self._say(position, "returned", arrival.quantity, references, reason=reason)
            position.on_hand += arrival.quantity
            self._suspect(position, arrival.quantity, reason)

    def transfer(self, item: Item, quantity: int, other: "Warehouse", number: str) -> Steps:
        """Move goods to another site of the company; each site says its own half."""
        position = self.positions[item.name]
        other.positions[item.name].on_order += quantity
        position.on_hand -= quantity
        self._moved(position, quantity, "out", number)
        yield self._env.timeout(self._between(16 * HOUR_MS, 34 * HOUR_MS))
        other.take_in(item, quantity, number)

    def take_in(self, item: Item, quantity: int, number: str) -> None:
        """Goods arrive from another site of the company."""
        position = self.positions[item.name]
        position.on_order -= quantity
        position.on_hand += quantity
        self._moved(position, quantity, "in", number)
        self._serve(position)

    def _moved(self, position: Position, quantity: int, direction: str, number: str) -> None:
        self._say(
            position,
            "moved",
            quantity,
            {"booking": number},
            direction=direction,
            reason="rebalancing between sites",
        )

    def _serve(self, position: Position) -> None:
        """Reserve what is available for those who wait, in their order."""
        waiting = position.waiting
        while waiting and position.available >= waiting[0].quantity:
            request = waiting.popleft()
            position.reserved += request.quantity
            self._say(position, "reserved", request.quantity, {"order_id": request.order_id})
            request.served.succeed()

    def _put_away(self, position: Position, quantity: int, references: dict[str, str], lot: str) -> Steps:
        yield self._env.timeout(self._between(HOUR_MS, 9 * HOUR_MS))
        self._say(position, "put_away", quantity, references, lot=lot)

    def _suspect(self, position: Position, quantity: int, reason: str) -> None:
        """Quarantine goods at once, before anybody can have them, and look at them later."""
        position.quarantined += quantity
        self._say(position, "quarantined", quantity, reason=reason)
        self._env.process(self._inspect(position, quantity, reason))

    def _inspect(self, position: Position, quantity: int, reason: str) -> Steps:
        """Use or destroy quarantined goods. Destroying them ends the quarantine first."""
        yield self._env.timeout(self._between(8 * HOUR_MS, 50 * HOUR_MS))
        position.quarantined -= quantity
        self._say(position, "restored", quantity, reason="inspected")
        if self._rng.random() > _RESTORED:
            position.on_hand -= quantity
            self._say(position, "scrapped", quantity, reason=reason)
        self._serve(position)

    def _counting(self) -> Steps:
        """Count one position after the other, round and round."""
        positions = tuple(self.positions.values())
        pause = _COUNT_EVERY_MS // len(positions)
        while True:
            for position in positions:
                yield self._env.timeout(self._between(pause // 2, pause * 3 // 2))
                found = position.on_hand
                if self._rng.random() < _COUNT_WRONG:
                    missing = 1000 * self._rng.choice((-2, -1, -1, 1, 2, 3, 5))
                    found = max(found - missing, position.reserved + position.quarantined)
                position.on_hand = found
                self._say(position, "counted", found, reason="cycle count")
                self._serve(position)

    def _mishaps(self) -> Steps:
        """Goods break, or are suspected, about once a day at each site."""
        positions = tuple(self.positions.values())
        while True:
            yield self._env.timeout(int(self._rng.expovariate(1) * DAY_MS) + 1)
            position = self._rng.choice(positions)
            if position.available < position.item.pack:
                continue
            if self._rng.random() < _BROKEN:
                self._change(position, "adjusted", -1000 * self._rng.randint(1, 4), "damaged on the shelf")
            else:
                self._suspect(position, position.item.pack, "packaging damaged")

    def _change(self, position: Position, kind: str, quantity: int, reason: str) -> None:
        position.on_hand += quantity
        self._say(position, kind, quantity, reason=reason)

    def _say(
        self,
        position: Position,
        kind: str,
        quantity: int,
        references: dict[str, str] | None = None,
        **more: str,
    ) -> None:
        """Report a movement. No two of a position share an instant, so that their order is certain."""
        occurred = max(self._reports.tempo.run(self._env.now), position.last + 1)
        position.last = occurred
        item = position.item
        body: dict[str, Any] = {
            "site": self.site,
            "item": item.name,
            "quantity": said(quantity),
            "unit": item.unit,
            **more,
        }
        if references:
            body["references"] = references
        self._reports.say(self._source, TOPIC, stock_key(self.site, item.name), kind, body, occurred)

    def _between(self, least: int, most: int) -> int:
        return least + int(self._rng.random() * (most - least))
