"""The shipments: booked, planned, carried leg by leg, late more or less often, and delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import simpy

from deploy.demo import labels
from deploy.demo.catalogue import Carrier
from deploy.demo.reports import Reports
from deploy.demo.telemetry import Telemetry
from deploy.demo.warehouse import Steps, said
from deploy.demo.world import Item, Lane, Leg, Source, World, handling
from schemas.shipment import TOPIC
from schemas.times import HOUR_MS, MINUTE_MS

_SLACK: Final = 0.06
_SLACK_MS: Final = 3 * HOUR_MS
_NOISE: Final = 0.05
_TROUBLED: Final = 0.6
"""The share of late shipments of a carrier on a destination where it is in trouble."""

_AT_PICKUP: Final = 0.4
_HELD: Final = 0.3
_REFUSED: Final = 0.02
_SHORT: Final = 0.008
_ADMITTED: Final = 0.75
"""The share of delays that the carrier tells of before the arrival."""

_UNTOLD: Final = 0.04
"""The share of milestones that a carrier forgets to report, of those that matter least."""

_FORGETTABLE: Final = frozenset({"at_pickup", "gate_in", "loaded", "discharged", "out_for_delivery", "available"})
_DELAYS: Final = ("port congestion", "missed connection", "breakdown", "weather", "driver shortage", "strike")


@dataclass(frozen=True, slots=True)
class Load:
    """Goods of one order line. `promised`: natural ms, or None where the order promises no instant."""

    order_id: str
    line_id: str
    item: Item
    quantity: int
    promised: int | None


@dataclass(slots=True)
class Shipment:
    """A shipment and its plan, in natural ms; `outcome` is empty while it is under way."""

    shipment_id: str
    lane: Lane
    carrier: Carrier
    source: Source
    loads: tuple[Load, ...]
    references: dict[str, str]
    pickup: int
    departures: tuple[int, ...]
    arrivals: tuple[int, ...]
    delivery: int
    promised: int
    delay: int
    outcome: str = ""
    delivered: tuple[Load, ...] = ()
    excursion: bool = False


class Transport:
    """All carriers. `under_way` holds what is booked and not at its end, by shipment id."""

    def __init__(self, env: simpy.Environment, rng: Random, reports: Reports, world: World) -> None:
        """Carriers without any shipments yet."""
        self.under_way: dict[str, Shipment] = {}
        self._env = env
        self._rng = rng
        self._reports = reports
        self._world = world
        self._telemetry = Telemetry(env, rng, reports, world)
        self._booked = 0

    def book(self, lane: Lane, loads: Sequence[Load], pickup: int) -> Shipment:
        """Plan a shipment that is ready at natural time `pickup`; nothing is said of it yet."""
        self._booked += 1
        number = 100_000 + self._booked
        carrier = self._rng.choice(self._world.carriers(lane.main.mode))
        departures, arrivals, at = [], [], pickup
        for leg in lane.legs:
            departures.append(at + handling(leg.mode) * 6 // 10)
            arrivals.append(departures[-1] + leg.duration)
            at = arrivals[-1] + handling(leg.mode) * 4 // 10
        references = {"booking": f"BK-{number}"}
        if lane.main.mode == "ocean":
            references["container"] = labels.container(number)
        elif lane.main.mode == "parcel":
            references["sscc"] = labels.sscc(number)
        return Shipment(
            shipment_id=f"SHP-{number}",
            lane=lane,
            carrier=carrier,
            source=self._world.source(carrier.name),
            loads=tuple(loads),
            references=references,
            pickup=pickup,
            departures=tuple(departures),
            arrivals=tuple(arrivals),
            delivery=at,
            promised=at + int((at - pickup) * _SLACK) + _SLACK_MS,
            delay=self._delay(carrier, lane),
        )

    def announce(self, shipment: Shipment) -> None:
        """The carrier confirms the booking and publishes its plan."""
        self.under_way[shipment.shipment_id] = shipment
        main = shipment.lane.main
        self._say(
            shipment,
            "booked",
            1,
            mode=main.mode if len(shipment.lane.legs) == 1 else "multimodal",
            carrier=shipment.carrier.name,
            origin=shipment.lane.origin.name,
            destination=shipment.lane.destination.name,
            promised_at=self._reports.text(shipment.source, shipment.promised),
            lines=self._lines(shipment, shipment.loads),
        )
        for number, leg in enumerate(shipment.lane.legs, 1):
            self._plan(shipment, "departed", number, leg.origin.name, shipment.departures[number - 1])
            self._plan(shipment, "arrived", number, leg.destination.name, shipment.arrivals[number - 1])
        last = len(shipment.lane.legs)
        self._plan(shipment, "delivered", last, shipment.lane.destination.name, shipment.delivery)

    def call_off(self, shipment: Shipment) -> None:
        """The shipment is cancelled before it is picked up."""
        self._say(shipment, "cancelled", 1)
        self._end(shipment, "cancelled")

    def pick_up(self, shipment: Shipment) -> Steps:
        """Wait for the truck, which comes more or less when it said; then the goods are the carrier's."""
        wait = shipment.pickup - self._env.now + int(self._rng.random() * 2 * HOUR_MS)
        yield self._env.timeout(max(wait, MINUTE_MS))
        place = shipment.lane.origin.name
        if self._rng.random() < _AT_PICKUP:
            self._say(shipment, "at_pickup", 1, location=place)
            yield self._env.timeout(self._about(40 * MINUTE_MS))
        self._say(shipment, "picked_up", 1, location=place)

    def carry(self, shipment: Shipment) -> Steps:
        """Carry the goods over all legs and hand them over: delivered, or refused and returned."""
        legs, main = shipment.lane.legs, shipment.lane.main
        for number, leg in enumerate(legs, 1):
            yield from self._load(shipment, number, leg)
            self._say(shipment, "departed", number, location=leg.origin.name, mode=leg.mode)
            duration = int(leg.duration * self._rng.lognormvariate(-0.01, _NOISE))
            yield from self._travel(shipment, number, leg, duration, shipment.delay if leg is main else 0)
            self._say(shipment, "arrived", number, location=leg.destination.name, mode=leg.mode)
            yield from self._unload(shipment, number, leg)
        yield from self._hand_over(shipment, len(legs))

    def _load(self, shipment: Shipment, number: int, leg: Leg) -> Steps:
        """The time planned before a departure, and what is reported in it."""
        share = self._about(handling(leg.mode) * 2 // 10)
        yield self._env.timeout(share)
        if leg.mode == "ocean":
            self._say(shipment, "gate_in", number, location=leg.origin.name)
        yield self._env.timeout(share)
        if leg.mode in {"ocean", "air"}:
            self._say(shipment, "loaded", number, location=leg.origin.name)
        yield self._env.timeout(share)

    def _unload(self, shipment: Shipment, number: int, leg: Leg) -> Steps:
        """The time planned after an arrival, and what is reported in it."""
        share = self._about(handling(leg.mode) * 2 // 10)
        yield self._env.timeout(share)
        if leg.mode == "ocean":
            self._say(shipment, "discharged", number, location=leg.destination.name)
        at_the_border = leg is shipment.lane.main and shipment.lane.crosses_customs
        if at_the_border and self._rng.random() < _HELD:
            self._say(shipment, "customs_hold", number, location=leg.destination.name)
            yield self._env.timeout(int(self._rng.lognormvariate(1.6, 0.8) * HOUR_MS))
            self._say(shipment, "customs_released", number, location=leg.destination.name)
        yield self._env.timeout(share)

    def _travel(self, shipment: Shipment, number: int, leg: Leg, duration: int, delay: int) -> Steps:
        """The way between two places; on a long one, where it is and how the goods are.

        A delay lengthens it; mostly the carrier says so about halfway, with a new estimate.
        """
        cold = any(load.item.cold for load in shipment.loads)
        ride = self._telemetry.ride(shipment.shipment_id, leg, duration + delay, cold=cold)
        told_after = duration // 2 if delay and self._rng.random() < _ADMITTED else None
        if told_after is not None:
            self._env.process(self._revise(shipment, number, told_after, duration + delay))
        warm = yield from ride
        shipment.excursion = shipment.excursion or warm

    def _revise(self, shipment: Shipment, number: int, after: int, total: int) -> Steps:
        yield self._env.timeout(after)
        slip = self._env.now + total - after - shipment.arrivals[number - 1]
        last = len(shipment.lane.legs)
        attributes = {"delay_reason": self._rng.choice(_DELAYS)}
        arrival, delivery = shipment.arrivals[number - 1] + slip, shipment.delivery + slip
        place = shipment.lane.legs[number - 1].destination.name
        self._plan(shipment, "arrived", number, place, arrival, "estimated", attributes)
        place = shipment.lane.destination.name
        self._plan(shipment, "delivered", last, place, delivery, "estimated", attributes)

    def _hand_over(self, shipment: Shipment, last: int) -> Steps:
        to_a_store = shipment.lane.to_store
        place = shipment.lane.destination.name
        self._say(shipment, "out_for_delivery" if to_a_store else "available", last, location=place)
        yield self._env.timeout(self._about(40 * MINUTE_MS))
        refused = to_a_store and self._rng.random() < _REFUSED
        shipment.delivered = () if refused else self._short(shipment.loads)
        outcome = "returned" if refused else "delivered"
        handed = shipment.loads if refused else shipment.delivered
        self._say(shipment, outcome, last, location=place, lines=self._lines(shipment, handed))
        self._end(shipment, outcome)
        if "container" in shipment.references:
            self._env.process(self._bring_back(shipment, last))

    def _bring_back(self, shipment: Shipment, last: int) -> Steps:
        """The empty container goes back to the port."""
        yield self._env.timeout(self._about(30 * HOUR_MS))
        self._say(shipment, "empty_returned", last, location=shipment.lane.main.destination.name)

    def _short(self, loads: tuple[Load, ...]) -> tuple[Load, ...]:
        """What arrives of the goods: now and then some of one line is missing."""
        if self._rng.random() >= _SHORT:
            return loads
        load = loads[0]
        missing = min(load.quantity // 2 // 1000, self._rng.randint(1, 5)) * 1000
        short = Load(load.order_id, load.line_id, load.item, load.quantity - missing, load.promised)
        return (short, *loads[1:])

    def _end(self, shipment: Shipment, outcome: str) -> None:
        shipment.outcome = outcome
        del self.under_way[shipment.shipment_id]

    def _delay(self, carrier: Carrier, lane: Lane) -> int:
        """How much longer than planned the main leg takes; mostly nothing."""
        share = _TROUBLED if lane.destination.name in carrier.troubled else carrier.late
        if self._rng.random() > share:
            return 0
        typical = 22 if lane.main.mode in {"ocean", "air"} else 15
        return int(typical * HOUR_MS * self._rng.lognormvariate(0, 0.6))

    def _lines(self, shipment: Shipment, loads: Sequence[Load]) -> list[dict[str, Any]]:
        return [
            {
                "item": load.item.name,
                "quantity": said(load.quantity),
                "unit": load.item.unit,
                "order_id": load.order_id,
                "line_id": load.line_id,
                **(
                    {} if load.promised is None else {"promised_at": self._reports.text(shipment.source, load.promised)}
                ),
            }
            for load in loads
        ]

    def _plan(
        self,
        shipment: Shipment,
        milestone: str,
        leg: int,
        place: str,
        at: int,
        classifier: str = "planned",
        attributes: dict[str, str] | None = None,
    ) -> None:
        body: dict[str, Any] = {
            "shipment_id": shipment.shipment_id,
            "milestone": milestone,
            "classifier": classifier,
            "leg": leg,
            "location": place,
        }
        if attributes:
            body["attributes"] = attributes
        at = self._reports.tempo.run(at)
        self._reports.say(shipment.source, TOPIC, shipment.shipment_id, "milestone", body, at, planned=True)

    def _say(self, shipment: Shipment, milestone: str, leg: int, **more: Any) -> None:
        """Report a milestone that was reached; the carrier forgets some."""
        if milestone in _FORGETTABLE and self._rng.random() < _UNTOLD:
            return
        body = {
            "shipment_id": shipment.shipment_id,
            "milestone": milestone,
            "classifier": "actual",
            "leg": leg,
            **more,
            "references": shipment.references,
        }
        self._reports.say(shipment.source, TOPIC, shipment.shipment_id, "milestone", body)

    def _about(self, duration: int) -> int:
        return int(duration * (0.75 + self._rng.random() * 0.5))
