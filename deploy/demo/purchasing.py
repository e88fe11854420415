"""What the company buys: orders to suppliers when stock runs low, from the order to the receipt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import simpy

from deploy.demo.catalogue import COMPANY
from deploy.demo.reports import Reports
from deploy.demo.transport import Load, Shipment, Transport
from deploy.demo.warehouse import Arrival, Steps, Warehouse, said
from deploy.demo.world import PREPARATION_MS, Item, Trade, World
from schemas.supplier import TOPIC
from schemas.times import DAY_MS, HOUR_MS

_CANCELLED: Final = 0.03
_CHANGED: Final = 0.1
_SPLIT: Final = 0.25
_DROPPED: Final = 0.4
_CALLED_OFF: Final = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order; quantity in thousandths, promised in natural ms."""

    line_id: str
    item: Item
    quantity: int


class Purchasing:
    """Reviews every trade about once a day, and sees its orders through."""

    def __init__(
        self,
        env: simpy.Environment,
        rng: Random,
        reports: Reports,
        world: World,
        warehouses: dict[str, Warehouse],
        transport: Transport,
    ) -> None:
        """Buyers for all warehouses."""
        self._env = env
        self._rng = rng
        self._reports = reports
        self._world = world
        self._warehouses = warehouses
        self._transport = transport
        self._placed = 0
        for trade in world.trades:
            env.process(self._reviewing(trade))

    def _reviewing(self, trade: Trade) -> Steps:
        """Continuous review would order each line alone; a daily one puts lines together."""
        positions = self._warehouses[trade.depot.place.name].positions
        yield self._env.timeout(self._between(0, DAY_MS))
        while True:
            lines: list[Line] = []
            for item in trade.items:
                expected = positions[item.name].expected
                if expected <= item.reorder_point:
                    packs = -(-(item.reorder_point + item.batch - expected) // item.pack)
                    lines.append(Line(str(len(lines) + 1), item, packs * item.pack))
            if lines:
                self._env.process(self._order(trade, lines))
            yield self._env.timeout(self._between(20 * HOUR_MS, 28 * HOUR_MS))

    def _order(self, trade: Trade, lines: Sequence[Line]) -> Steps:
        """One order, from placing to closing."""
        env, supplier = self._env, trade.supplier
        positions = self._warehouses[trade.depot.place.name].positions
        self._placed += 1
        order_id = f"PO-{100_000 + self._placed}"
        for line in lines:
            positions[line.item.name].on_order += line.quantity
        wanted = env.now + PREPARATION_MS + trade.lane.planned
        promised = wanted + trade.lane.planned // 12 + self._between(0, 12 * HOUR_MS)
        self._place(order_id, trade, lines, wanted)
        yield env.timeout(self._between(HOUR_MS, 8 * HOUR_MS))
        if self._rng.random() < _CANCELLED:
            for line in lines:
                positions[line.item.name].on_order -= line.quantity
            self._say(order_id, "order_cancelled", reason="the supplier cannot deliver")
            return
        source = self._world.source(supplier.name)
        said_promise = self._reports.text(source, promised)
        confirmed = [{"line_id": line.line_id, "promised_at": said_promise} for line in lines]
        self._reports.say(source, TOPIC, order_id, "order_confirmed", {"order_id": order_id, "lines": confirmed})
        if self._rng.random() < _CHANGED:
            yield env.timeout(self._between(HOUR_MS, 6 * HOUR_MS))
            lines = self._change(order_id, trade, lines)
        yield env.timeout(self._between(6 * HOUR_MS, 20 * HOUR_MS))
        promise = None if supplier.by_day else promised
        loads = [Load(order_id, line.line_id, line.item, line.quantity, promise) for line in lines]
        parts = [loads]
        if len(loads) > 1 and self._rng.random() < _SPLIT:
            parts = [loads[:1], loads[1:]]
        yield env.all_of([env.process(self._ship(trade, part)) for part in parts])
        yield env.timeout(self._between(HOUR_MS, 10 * HOUR_MS))
        self._say(order_id, "order_closed")

    def _place(self, order_id: str, trade: Trade, lines: Sequence[Line], wanted: int) -> None:
        requested_at = self._reports.text(self._world.company, wanted)
        self._say(
            order_id,
            "order_placed",
            supplier=trade.supplier.name,
            buyer=COMPANY,
            destination=trade.depot.place.name,
            lines=[
                {
                    "line_id": line.line_id,
                    "item": line.item.name,
                    "quantity": said(line.quantity),
                    "unit": line.item.unit,
                    "requested_at": requested_at,
                    "unit_cost": line.item.cost,
                    "currency": line.item.currency,
                }
                for line in lines
            ],
        )

    def _change(self, order_id: str, trade: Trade, lines: Sequence[Line]) -> Sequence[Line]:
        """The buyer wants more of the first line, or nothing of the last."""
        positions = self._warehouses[trade.depot.place.name].positions
        dropped = len(lines) > 1 and self._rng.random() < _DROPPED
        old = lines[-1] if dropped else lines[0]
        new = replace(old, quantity=0 if dropped else old.quantity + old.item.pack)
        positions[old.item.name].on_order += new.quantity - old.quantity
        self._say(order_id, "order_changed", lines=[{"line_id": new.line_id, "quantity": said(new.quantity)}])
        return lines[:-1] if dropped else [new, *lines[1:]]

    def _ship(self, trade: Trade, loads: Sequence[Load]) -> Steps:
        """One shipment of an order, from booking to the warehouse's shelves."""
        env, transport = self._env, self._transport
        warehouse = self._warehouses[trade.depot.place.name]
        shipment = self._book(trade, loads)
        while self._rng.random() < _CALLED_OFF:
            yield env.timeout(self._between(HOUR_MS, 4 * HOUR_MS))
            transport.call_off(shipment)
            shipment = self._book(trade, loads)
        self._notify(trade, shipment)
        yield from transport.pick_up(shipment)
        yield from transport.carry(shipment)
        arrivals = [Arrival(load.item, load.quantity, load.order_id) for load in shipment.delivered]
        yield from warehouse.receive(arrivals, shipment.shipment_id, suspect=shipment.excursion)
        for load in loads:
            warehouse.positions[load.item.name].on_order -= load.quantity

    def _book(self, trade: Trade, loads: Sequence[Load]) -> Shipment:
        pickup = self._env.now + self._between(4 * HOUR_MS, 14 * HOUR_MS)
        shipment = self._transport.book(trade.lane, loads, pickup)
        self._transport.announce(shipment)
        return shipment

    def _notify(self, trade: Trade, shipment: Shipment) -> None:
        """The supplier's advance ship notice."""
        source = self._world.source(trade.supplier.name)
        order_id = shipment.loads[0].order_id
        lines: list[dict[str, Any]] = [
            {
                "line_id": load.line_id,
                "item": load.item.name,
                "quantity": said(load.quantity),
                "unit": load.item.unit,
            }
            for load in shipment.loads
        ]
        body = {
            "order_id": order_id,
            "shipment_id": shipment.shipment_id,
            "supplier": trade.supplier.name,
            "carrier": shipment.carrier.name,
            "origin": shipment.lane.origin.name,
            "destination": shipment.lane.destination.name,
            "promised_at": self._reports.text(source, shipment.promised),
            "lines": lines,
            "references": {"asn": f"ASN-{shipment.shipment_id[4:]}", **shipment.references},
        }
        self._reports.say(source, TOPIC, order_id, "advance_ship_notice", body)

    def _say(self, order_id: str, kind: str, **body: Any) -> None:
        """The company says something of its order."""
        self._reports.say(self._world.company, TOPIC, order_id, kind, {"order_id": order_id, **body})

    def _between(self, least: int, most: int) -> int:
        return least + int(self._rng.random() * (most - least))
