"""Events in short, for tests that tell a story: raw records as somebody would send them.

Times are hours since `START` and may be fractions; quantities are whole units. An event's id follows from
what it says, so that telling the same thing again with another content is a correction of it.
"""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from schemas.times import HOUR_MS, to_ms
from tests.strategies import START

SOURCE: Final = "acme"
ITEM: Final = "acme:4711"
OTHER_ITEM: Final = "acme:4712"
SITE: Final = "BER"
SUPPLIER: Final = "Acme Ltd"


class Told(NamedTuple):
    """A raw record: the topic that it is sent to, and its bytes."""

    topic: str
    raw: bytes


def moment(hour: float) -> str:
    """The time so many hours after the start, as RFC 3339 text."""
    return (START + timedelta(hours=hour)).isoformat()


def ms(hour: float) -> int:
    """The same time in ms since the epoch."""
    return to_ms(START) + round(hour * HOUR_MS)


def line(line_id: str = "1", quantity: float | str = 10, item: str = ITEM, unit: str = "pack", **said: Any) -> Any:
    """A line of an order, a notice or a shipment."""
    return {"line_id": line_id, "item": item, "quantity": str(quantity), "unit": unit, **said}


def placed(order_id: str, hour: float, lines: Iterable[Any], **said: Any) -> Told:
    """An order was placed."""
    return of_order("order_placed", order_id, hour, supplier=SUPPLIER, lines=list(lines), **said)


def notice(order_id: str, shipment_id: str, hour: float, lines: Iterable[Any], **said: Any) -> Told:
    """An advance ship notice."""
    said = {"event_id": f"{order_id}/asn/{shipment_id}", "supplier": SUPPLIER, "lines": list(lines)} | said
    return of_order("advance_ship_notice", order_id, hour, shipment_id=shipment_id, **said)


def of_order(kind: str, order_id: str, hour: float, **said: Any) -> Told:
    """Any event of an order."""
    return _told("supplier.events", kind, hour, {"event_id": f"{order_id}/{kind}@{hour}", "order_id": order_id} | said)


def milestone(shipment_id: str, name: str, hour: float, classifier: str = "actual", **said: Any) -> Told:
    """A milestone; a plan or an estimate is told at the start."""
    event_id = f"{shipment_id}/{name}/{classifier}/{said.get('leg', 1)}"
    about = {"event_id": event_id, "shipment_id": shipment_id, "milestone": name, "classifier": classifier}
    if classifier != "actual":
        about["recorded_at"] = moment(0)
    return _told("shipment.events", "milestone", hour, about | said)


def condition(shipment_id: str, hour: float, **readings: Any) -> Told:
    """A sensor's reading."""
    event_id = f"{shipment_id}/condition@{hour}"
    return _told("shipment.events", "condition", hour, {"event_id": event_id, "shipment_id": shipment_id} | readings)


def movement(kind: str, hour: float, quantity: float | str, shipment_id: str | None = None, **said: Any) -> Told:
    """A warehouse event of an item at a site; `shipment_id` is what the goods came with."""
    about = {"site": SITE, "item": ITEM, "unit": "pack", "quantity": str(quantity)} | said
    event_id = f"{about['site']}|{about['item']}/{kind}@{hour}/{shipment_id or ''}"
    if shipment_id is not None:
        about["references"] = {"shipment_id": shipment_id}
    return _told("warehouse.events", kind, hour, {"event_id": event_id} | about)


def correction(told: Told, recorded: float, **changes: Any) -> Told:
    """The same event, said again so many hours after the start with something changed."""
    document = json.loads(told.raw) | {"recorded_at": moment(recorded)} | changes
    return Told(told.topic, json.dumps(document).encode())


def retraction(told: Told, recorded: float) -> Told:
    """The same event, withdrawn so many hours after the start."""
    return correction(told, recorded, retracted=True)


def _told(topic: str, kind: str, hour: float, said: dict[str, Any]) -> Told:
    document = {"source": SOURCE, "type": kind, "occurred_at": moment(hour), "recorded_at": moment(hour)} | said
    return Told(topic, json.dumps(document).encode())
