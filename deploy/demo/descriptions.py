"""The reference events: what is known of sites, items, lanes and sources before anything moves."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from deploy.demo.reports import Reports
from deploy.demo.warehouse import said
from deploy.demo.world import CADENCE_MS, World
from schemas.reference import TOPIC, lane
from schemas.times import HOUR_MS


def describe(world: World, reports: Reports, *, natural: int) -> None:
    """The company describes everything. `natural`: a natural instant, whose pace the durations are told in."""
    for key, kind, body in _sites(world):
        reports.say(world.company, TOPIC, key, kind, body, exact=True)
    for key, kind, body in _items(world):
        reports.say(world.company, TOPIC, key, kind, body, exact=True)
    describe_durations(world, reports, natural=natural)


def describe_durations(world: World, reports: Reports, *, natural: int) -> None:
    """The company tells what is usual on lanes and of sources, at the pace of this natural instant."""

    def hours(duration: int) -> str:
        running = reports.tempo.run(natural + duration) - reports.tempo.run(natural)
        return str(max(round(Decimal(running) / HOUR_MS, 3), Decimal("0.001")))

    for way in world.lanes:
        body: dict[str, Any] = {
            "origin": way.origin.name,
            "destination": way.destination.name,
            "transit_promise": hours(way.planned),
        }
        key = f"lane|{lane(way.origin.name, way.destination.name)}"
        reports.say(world.company, TOPIC, key, "lane_described", body, exact=True)
    for source in world.sources:
        body = {"describes": source.name, "expected_cadence": hours(CADENCE_MS)}
        reports.say(world.company, TOPIC, f"source|{source.name}", "source_described", body, exact=True)


def _sites(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    capacity = {depot.place.name: depot.daily_capacity for depot in world.depots}
    for place in world.places:
        body: dict[str, Any] = {
            "site": place.name,
            "name": place.title,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "zone": place.zone,
        }
        if place.name in capacity:
            body["daily_capacity"] = capacity[place.name]
        yield f"site|{place.name}", "site_described", body


def _items(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for items in world.items.values():
        for item in items:
            body = {
                "item": item.name,
                "name": item.title,
                "unit": item.unit,
                "reorder_point": said(item.reorder_point),
            }
            yield f"item|{item.name}", "item_described", body
