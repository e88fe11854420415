"""Columns of the fact tables, gathered event by event.

Events are turned into columns in blocks, not into rows one by one: that costs a third. With each event its Kafka key
is kept until it is stored, so that a row that the store refuses can become a dead letter with everything it came with.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from schemas.event import Event
from schemas.quantities import thousandths
from schemas.times import offset_minutes, to_ms
from schemas.versions import content_hash
from sinks.tables import FACTS

Findings = Callable[[Event], Sequence[str]]
"""Checks the identifiers of an event; a text for each that does not check."""

Columns = list[list[Any]]
"""The values of each of a table's columns, in the order of sinks/tables.py."""


Place = tuple[int, int, int, int, bytes | None, bytes]
"""Where a record of a fact topic first stood (epoch, partition, offset), when it came (ms), its key and bytes.

A plain tuple: making a named one takes as long as reading off all that an event says."""


class FactColumns:
    """The rows of one fact table, on their way to becoming columns."""

    __slots__ = ("_columns", "_entity", "_events", "_findings", "_places", "keys", "spoiled")

    def __init__(self, topic: str, findings: Findings) -> None:
        self.keys: list[bytes | None] = []
        """The Kafka key of each row."""
        self.spoiled: list[tuple[Place, str]] = []
        """What could not be turned into columns, each with the reason."""
        self._columns: Columns = [[] for _ in FACTS[topic].columns]
        self._places: list[Place] = []
        self._events: list[Any] = []
        self._entity = _ENTITY_COLUMNS[topic]
        self._findings = findings

    def __len__(self) -> int:
        return len(self.keys) + len(self._events)  # what has been turned, and what has not

    def add(self, places: Iterable[Place], events: Iterable[Any]) -> None:
        """Take events in, each with its place."""
        self._places.extend(places)
        self._events.extend(events)
        if len(self._events) >= BLOCK:
            self.turned()

    def turned(self) -> Columns:
        """All rows so far, as columns."""
        if self._events:
            events, self._events = self._events, []
            places, self._places = self._places, []
            try:
                self._extend(events, places)
            except Exception:  # noqa: BLE001  # one event must not stop all others
                self._extend_each(events, places)
        return self._columns

    def _extend(self, events: Sequence[Any], places: Sequence[Place]) -> None:
        epochs, partitions, offsets, appended, keys, raws = zip(*places, strict=True)
        sources, ids, types, occurred, recorded, retracted, precisions, assumed, attributes = zip(
            *map(_SAID, events), strict=True
        )
        new: tuple[Sequence[Any], ...] = (
            *(epochs, partitions, offsets, appended),
            *(sources, ids, types, occurred, recorded),
            [_offset_minutes(event.occurred_at) for event in events],
            *(retracted, precisions, assumed),
            list(map(content_hash, raws)),
            [_references(event.references) for event in events],
            attributes,
            list(map(self._findings, events)),
            raws,
            *zip(*map(self._entity, events), strict=True),
        )
        for column, values in zip(self._columns, new, strict=True):
            column.extend(values)
        self.keys.extend(keys)

    def _extend_each(self, events: Sequence[Any], places: Sequence[Place]) -> None:
        """Where one of them cannot be turned: find it, and put it aside."""
        for event, place in zip(events, places, strict=True):
            try:
                self._extend((event,), (place,))
            except Exception as error:  # noqa: BLE001  # whatever it is: it is this event's
                self.spoiled.append((place, f"{type(error).__name__}: {error}"))


BLOCK: Final = 1_000
"""Rows turned into columns at a time. More at once are slower: what is young is still in the processor's cache, and
what lives on as an object until the insert costs the garbage collector (measured)."""

_SAID: Final = attrgetter(
    *("source", "event_id", "type", "occurred_ms", "recorded_ms"),
    *("retracted", "precision", "zone_assumed"),
    "attributes",
)
"""What is read off an event as it is, in the order of the columns."""


def _offset_minutes(moment: Any) -> int:
    zone = moment.tzinfo
    known = _OFFSETS.get(zone)
    if known is None:
        known = offset_minutes(moment)
        if len(_OFFSETS) < _ZONES:
            _OFFSETS[zone] = known
    return known


_ZONES: Final = 2 * 24 * 60
_OFFSETS: Final[dict[Any, int]] = {}


def _references(said: Any) -> dict[str, str]:  # written out: half the time of a loop over the names
    """What else an event belongs to, without the names it does not use."""
    found: dict[str, str] = {}
    if said.order_id is not None:
        found["order_id"] = said.order_id
    if said.shipment_id is not None:
        found["shipment_id"] = said.shipment_id
    if said.container is not None:
        found["container"] = said.container
    if said.sscc is not None:
        found["sscc"] = said.sscc
    if said.booking is not None:
        found["booking"] = said.booking
    if said.bill_of_lading is not None:
        found["bill_of_lading"] = said.bill_of_lading
    if said.asn is not None:
        found["asn"] = said.asn
    if said.invoice is not None:
        found["invoice"] = said.invoice
    return found


_milestone: Final = attrgetter("shipment_id", "milestone", "classifier", "leg")


def _shipment(event: Any) -> tuple[Any, ...]:
    if event.type == "milestone":
        return _milestone(event)
    return (event.shipment_id, "", "", 0)


def _warehouse(event: Any) -> tuple[Any, ...]:
    direction = event.direction if event.type == "moved" else ""
    return (event.site, event.item, thousandths(event.quantity), event.unit, direction)


def _order(event: Any) -> tuple[Any, ...]:
    return (event.order_id,)


def _reference(event: Any) -> tuple[Any, ...]:
    return (event.entity_key(),)


def _operator(event: Any) -> tuple[Any, ...]:
    until = to_ms(event.until) if event.type == "acknowledged" else None
    return (event.exception_id, event.by, until, event.note)


_ENTITY_COLUMNS: Final[dict[str, Callable[[Any], tuple[Any, ...]]]] = {
    "supplier.events": _order,
    "shipment.events": _shipment,
    "warehouse.events": _warehouse,
    "reference.events": _reference,
    "operator.events": _operator,
}
