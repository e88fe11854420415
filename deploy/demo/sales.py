"""What the company sells: orders of stores, from the order to the delivery, and what comes back."""

from collections.abc import Generator, Sequence
from random import Random
from typing import Any, Final

import simpy

from deploy.demo.catalogue import COMPANY, Depot, Mode, Place
from deploy.demo.reports import Reports
from deploy.demo.transport import Load, Shipment, Transport
from deploy.demo.warehouse import Arrival, Request, Steps, Warehouse, said
from deploy.demo.world import LINES_A_DAY, Item, World
from schemas.supplier import TOPIC
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS

_PROMISE_MS: Final = 60 * HOUR_MS
_LINES: Final = (1, 1, 2, 3)
_PACKS: Final = (1, 2, 3, 4, 5)
_BY_PARCEL: Final = 0.55
_CANCELLED: Final = 0.02
_CHANGED: Final = 0.04
_SENT_BACK: Final = 0.04


class Sales:
    """The demand of all stores: they order at random, and wait so long and no longer."""

    def __init__(
        self,
        env: simpy.Environment,
        rng: Random,
        reports: Reports,
        world: World,
        warehouses: dict[str, Warehouse],
        transport: Transport,
    ) -> None:
        """Sellers at all warehouses."""
        self._env = env
        self._rng = rng
        self._reports = reports
        self._world = world
        self._warehouses = warehouses
        self._transport = transport
        self._placed = 0
        for depot in world.depots:
            env.process(self._demand(depot))

    def _demand(self, depot: Depot) -> Steps:
        """Orders arrive independently of each other (a Poisson process)."""
        items = self._world.stocked(depot)
        orders_a_day = len(items) * LINES_A_DAY / (sum(_LINES) / len(_LINES))
        while True:
            yield self._env.timeout(int(self._rng.expovariate(orders_a_day) * DAY_MS) + 1)
            store = self._rng.choice(depot.stores)
            chosen = self._rng.sample(items, self._rng.choice(_LINES))
            self._env.process(self._order(depot, store, chosen))

    def _order(self, depot: Depot, store: Place, items: Sequence[Item]) -> Steps:
        """One order, from placing to closing."""
        env, warehouse = self._env, self._warehouses[depot.place.name]
        self._placed += 1
        order_id = f"SO-{100_000 + self._placed}"
        wanted = [(item, self._rng.choice(_PACKS) * item.pack) for item in items]
        promised = env.now + _PROMISE_MS
        self._place(order_id, store, wanted, promised)
        requests = [warehouse.reserve(item, quantity, order_id) for item, quantity in wanted]
        yield env.timeout(self._between(10 * MINUTE_MS, HOUR_MS))
        promise = self._reports.text(self._world.company, promised)
        numbers = [str(number) for number in range(1, len(items) + 1)]
        self._say(
            order_id,
            "order_confirmed",
            lines=[{"line_id": number, "promised_at": promise} for number in numbers],
        )
        yield from self._second_thoughts(order_id, promised)
        if self._rng.random() < _CANCELLED:
            for request in requests:
                warehouse.give_up(request)
            self._say(order_id, "order_cancelled", reason="the store has changed its mind")
            return
        served = yield from self._wait(warehouse, order_id, requests)
        if not served:
            return
        yield from warehouse.pick_and_pack(served)
        loads = [
            Load(order_id, str(number), request.item, request.quantity, promised)
            for number, request in enumerate(requests, 1)
            if request in served
        ]
        yield from self._deliver(warehouse, depot, store, loads, served)
        yield env.timeout(self._between(HOUR_MS, 6 * HOUR_MS))
        self._say(order_id, "order_closed")

    def _second_thoughts(self, order_id: str, promised: int) -> Steps:
        """Now and then the store wants the first line earlier."""
        if self._rng.random() >= _CHANGED:
            return
        yield self._env.timeout(self._between(10 * MINUTE_MS, 2 * HOUR_MS))
        requested_at = self._reports.text(self._world.company, promised - 12 * HOUR_MS)
        self._say(order_id, "order_changed", lines=[{"line_id": "1", "requested_at": requested_at}])

    def _wait(self, warehouse: Warehouse, order_id: str, requests: list[Request]) -> Generator[Any, Any, list[Request]]:
        """Wait until all is reserved, or as long as the store will; what is reserved then is delivered."""
        env = self._env
        open_ones = [request.served for request in requests if not request.served.triggered]
        if not open_ones:
            return requests
        patience = env.timeout(self._between(30 * HOUR_MS, 90 * HOUR_MS))
        yield env.any_of([env.all_of(open_ones), patience])
        served = [request for request in requests if request.served.triggered]
        missing = [str(number) for number, request in enumerate(requests, 1) if not request.served.triggered]
        for request in requests:
            if not request.served.triggered:
                warehouse.give_up(request)
        if missing:
            line_ids = missing if served else []
            self._say(order_id, "order_cancelled", line_ids=line_ids, reason="out of stock for too long")
        return served

    def _deliver(
        self,
        warehouse: Warehouse,
        depot: Depot,
        store: Place,
        loads: list[Load],
        served: list[Request],
    ) -> Steps:
        """Ship what was packed; what the store refuses or does not want comes back."""
        env, transport = self._env, self._transport
        mode: Mode = "parcel" if self._rng.random() < _BY_PARCEL else "road"
        lane = self._world.deliveries[depot.place.name, store.name, mode]
        shipment = transport.book(lane, loads, env.now + self._between(HOUR_MS, 6 * HOUR_MS))
        transport.announce(shipment)
        yield from transport.pick_up(shipment)
        warehouse.hand_over(served, shipment.shipment_id)
        yield from transport.carry(shipment)
        if shipment.outcome == "returned":
            back = [Arrival(load.item, load.quantity, load.order_id) for load in loads]
            env.process(self._come_back(warehouse, shipment, back, "refused by the store"))
        elif self._rng.random() < _SENT_BACK and shipment.delivered[0].quantity >= loads[0].item.pack:
            load = loads[0]
            back = [Arrival(load.item, load.item.pack, load.order_id)]
            env.process(self._come_back(warehouse, shipment, back, "sent back by the store"))

    def _come_back(self, warehouse: Warehouse, shipment: Shipment, back: list[Arrival], reason: str) -> Steps:
        yield self._env.timeout(self._between(20 * HOUR_MS, 60 * HOUR_MS))
        warehouse.take_back(back, shipment.shipment_id, reason)

    def _place(self, order_id: str, store: Place, wanted: list[tuple[Item, int]], promised: int) -> None:
        requested_at = self._reports.text(self._world.company, promised)
        self._say(
            order_id,
            "order_placed",
            supplier=COMPANY,
            buyer=store.name,
            destination=store.name,
            lines=[
                {
                    "line_id": str(number),
                    "item": item.name,
                    "quantity": said(quantity),
                    "unit": item.unit,
                    "requested_at": requested_at,
                }
                for number, (item, quantity) in enumerate(wanted, 1)
            ],
        )

    def _say(self, order_id: str, kind: str, **body: Any) -> None:
        self._reports.say(self._world.company, TOPIC, order_id, kind, {"order_id": order_id, **body})

    def _between(self, least: int, most: int) -> int:
        return least + int(self._rng.random() * (most - least))
