"""Who and where: the catalogue's places, goods and carriers, tied together by lanes.

A lane has one to three legs. Goods go by road where a day's drive does it, else from the supplier's port or
airport to the depot's; a haul between two places that are next to each other is no leg. All durations are
natural ms (see tempo).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from deploy.demo import catalogue, labels
from deploy.demo.catalogue import Carrier, Depot, Goods, Mode, Place, Supplier
from schemas.times import DAY_MS, HOUR_MS

CADENCE_MS: Final = 6 * HOUR_MS
"""The longest gap between two events of one source that is usual."""

LINES_A_DAY: Final = 0.55
"""How many order lines of one article a depot's stores order in a day, on average."""

PACKS_A_LINE: Final = 3.0
"""The mean of how many packs such a line asks for (1 to 5)."""

PREPARATION_MS: Final = 36 * HOUR_MS
"""How long a supplier is expected to take from an order to the pick-up, with our own review before it."""

_ROAD_REACH_KM: Final = 1_250
_NEXT_DOOR_KM: Final = 12
_SPEED: Final[dict[Mode, float]] = {"road": 55, "ocean": 38, "air": 640, "parcel": 50}
_DETOUR: Final[dict[Mode, float]] = {"road": 1.25, "ocean": 1.7, "air": 1.05, "parcel": 1.25}
_HANDLING_MS: Final[dict[Mode, int]] = {
    "road": 2 * HOUR_MS,
    "ocean": 14 * HOUR_MS,
    "air": 9 * HOUR_MS,
    "parcel": 7 * HOUR_MS,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A system that sends events, and the offset (minutes east) that it stamps."""

    name: str
    offset: int
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """An article: quantities in thousandths of `unit`."""

    name: str
    title: str
    unit: str
    pack: int
    cost: str
    currency: str
    supplier: str
    cold: bool
    reorder_point: int

    @property
    def batch(self) -> int:
        """How much is ordered above the reorder point: what is sold in about five days."""
        return self.pack * 8


@dataclass(frozen=True, slots=True)
class Leg:
    """One haul; `duration` is what the plan allows for it."""

    origin: Place
    destination: Place
    mode: Mode
    duration: int


@dataclass(frozen=True, slots=True)
class Lane:
    """The way from a supplier to a depot, or from a depot to a store."""

    origin: Place
    destination: Place
    legs: tuple[Leg, ...]
    to_store: bool = False

    @property
    def main(self) -> Leg:
        """The longest leg: its mode chooses the carrier."""
        return max(self.legs, key=lambda leg: leg.duration)

    @property
    def planned(self) -> int:
        """From pick-up to delivery as planned, handling included."""
        return sum(leg.duration + handling(leg.mode) for leg in self.legs)

    @property
    def crosses_customs(self) -> bool:
        """Whether the goods enter another customs territory."""
        return self.origin.region != self.destination.region


@dataclass(frozen=True, slots=True)
class Trade:
    """What one depot buys from one supplier, and by which lane."""

    supplier: Supplier
    depot: Depot
    lane: Lane
    items: tuple[Item, ...]


def handling(mode: Mode) -> int:
    """The time planned at the two ends of a leg: loading, discharging, a hub."""
    return _HANDLING_MS[mode]


def distance_km(one: Place, other: Place) -> float:
    """The distance on the sphere (haversine formula, mean radius 6371 km)."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    chord = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(east / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(chord))


class World:
    """Everything that does not change while the network runs. The same for every seed."""

    def __init__(self) -> None:
        """Tie the catalogue together."""
        self.depots = catalogue.DEPOTS
        self.suppliers = catalogue.SUPPLIERS
        self.company = Source("halden-erp", 60)
        self.tracker = Source("skytrace-gps", 0)
        self.sensors = Source("coldtrace-iot", 0)
        self._hubs = {place.name: place for place in catalogue.HUBS}
        self._carriers: dict[Mode, tuple[Carrier, ...]] = {
            mode: tuple(carrier for carrier in catalogue.CARRIERS if carrier.mode == mode) for mode in _SPEED
        }
        lanes = {
            supplier.name: {depot.place.name: self._inbound(supplier, depot) for depot in self._buyers(number)}
            for number, supplier in enumerate(self.suppliers)
        }
        self.items = {
            supplier.name: tuple(
                _item(supplier, goods, list(lanes[supplier.name].values())) for goods in supplier.goods
            )
            for supplier in self.suppliers
        }
        self.trades = tuple(
            Trade(supplier, depot, lanes[supplier.name][depot.place.name], self.items[supplier.name])
            for number, supplier in enumerate(self.suppliers)
            for depot in self._buyers(number)
        )
        self.deliveries = {
            (depot.place.name, store.name, mode): _outbound(depot, store, mode)
            for depot in self.depots
            for store in depot.stores
            for mode in ("road", "parcel")
        }
        self._sources = {
            name: Source(name.lower(), offset, by_day)
            for name, offset, by_day in (
                *((supplier.name, supplier.place.offset, supplier.by_day) for supplier in self.suppliers),
                *((f"{depot.place.name}-wms", depot.place.offset, False) for depot in self.depots),
                *((carrier.name, carrier.offset, False) for carrier in catalogue.CARRIERS),
            )
        }

    def source(self, name: str) -> Source:
        """The system of a supplier or a carrier, or of a warehouse (`PLACE-wms`), by name."""
        return self._sources[name]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every system that sends events."""
        return (self.company, self.tracker, self.sensors, *self._sources.values())

    def carriers(self, mode: Mode) -> tuple[Carrier, ...]:
        """The carriers that go this way."""
        return self._carriers[mode]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every place, once, in the order of the catalogue."""
        return (
            *(depot.place for depot in self.depots),
            *(store for depot in self.depots for store in depot.stores),
            *(supplier.place for supplier in self.suppliers),
            *catalogue.HUBS,
        )

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane, once (by road where two modes serve one)."""
        outbound = (lane for (_, _, mode), lane in self.deliveries.items() if mode == "road")
        return (*(trade.lane for trade in self.trades), *outbound)

    def stocked(self, depot: Depot) -> tuple[Item, ...]:
        """The articles that a depot keeps."""
        return tuple(item for trade in self.trades if trade.depot is depot for item in trade.items)

    def _buyers(self, number: int) -> tuple[Depot, ...]:
        """The depots that buy from the nth supplier: three of four, spread evenly."""
        return tuple(depot for place, depot in enumerate(self.depots) if (number + place) % 4)

    def _inbound(self, supplier: Supplier, depot: Depot) -> Lane:
        origin, destination = supplier.place, depot.place
        if distance_km(origin, destination) * _DETOUR["road"] <= _ROAD_REACH_KM:
            return Lane(origin, destination, (_leg(origin, destination, "road"),))
        mode: Mode = "ocean" if supplier.port and destination.region == "EU" else "air"
        out = self._hubs[supplier.port if mode == "ocean" else supplier.airport]
        back = self._hubs[depot.port if mode == "ocean" else depot.airport]
        stops = [stop for stop in (out, back) if stop is not out or _apart(origin, out)]
        stops = [stop for stop in stops if stop is not back or _apart(back, destination)]
        way = [origin, *stops, destination]
        main = stops.index(out) + 1 if out in stops else 0
        return Lane(
            origin,
            destination,
            tuple(
                _leg(way[number], way[number + 1], mode if number == main else "road") for number in range(len(way) - 1)
            ),
        )


def _apart(one: Place, other: Place) -> bool:
    return distance_km(one, other) > _NEXT_DOOR_KM


def _leg(origin: Place, destination: Place, mode: Mode) -> Leg:
    hours = distance_km(origin, destination) * _DETOUR[mode] / _SPEED[mode]
    return Leg(origin, destination, mode, int((hours + 1) * HOUR_MS))


def _outbound(depot: Depot, store: Place, mode: Mode) -> Lane:
    return Lane(depot.place, store, (_leg(depot.place, store, mode),), to_store=True)


def _item(supplier: Supplier, goods: Goods, lanes: list[Lane]) -> Item:
    """The article with its reorder point: demand during the lead time (d * L), times how tight it is kept."""
    lead_time = PREPARATION_MS + sum(lane.planned for lane in lanes) / len(lanes)
    packs = LINES_A_DAY * PACKS_A_LINE * lead_time / DAY_MS * goods.tight
    owner = supplier.name.lower()
    return Item(
        name=labels.gtin(goods.gtin) if goods.gtin else f"{owner}:{goods.code}",
        title=goods.title,
        unit=goods.unit,
        pack=goods.pack,
        cost=goods.cost,
        currency=supplier.currency,
        supplier=supplier.name,
        cold=supplier.cold,
        reorder_point=math.ceil(packs) * goods.pack,
    )
