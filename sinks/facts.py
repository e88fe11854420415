"""Columns of the fact tables, gathered event by event.

Events are turned into columns in blocks, not into rows one by one: that costs a third. With each event its Kafka key
is kept until it is stored, so that a row that the store refuses can become a dead letter with everything it came with.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from schemas.event import Event
from schemas.quantities import THOUSANDTHS, thousandths
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
        self._places: Columns = [[] for _ in range(_PLACE)]
        self._events: list[Any] = []
        self._entity = _ENTITY_COLUMNS[topic]
        self._findings = findings

    def __len__(self) -> int:
        return len(self.keys) + len(self._events)  # what has been turned, and what has not

    def add(self, places: Iterable[Place], events: Iterable[Any]) -> None:
        """Take events in, each with its place."""
        turned = [*zip(*places, strict=True)]
        if turned:
            self.extend(turned, events)

    def extend(self, places: Iterable[Iterable[Any]], events: Iterable[Any]) -> None:
        """Take events in, with the six columns of their places."""
        for column, values in zip(self._places, places, strict=True):
            column.extend(values)
        self._events.extend(events)
        if len(self._events) >= BLOCK:
            self.turned()

    def turned(self) -> Columns:
        """All rows so far, as columns."""
        if self._events:
            events, self._events = self._events, []
            places, self._places = self._places, [[] for _ in range(_PLACE)]
            try:
                self._extend(events, places)
            except Exception:  # noqa: BLE001  # one event must not stop all others
                self._extend_each(events, places)
        return self._columns

    def _extend(self, events: Sequence[Any], places: Sequence[Sequence[Any]]) -> None:
        epochs, partitions, offsets, appended, keys, raws = places
        sources, ids, types, occurred, recorded, moments, retracted, precisions, assumed, references, attributes = zip(
            *map(_SAID, events), strict=True
        )
        new: tuple[Sequence[Any], ...] = (
            *(epochs, partitions, offsets, appended),
            *(sources, ids, types, occurred, recorded),
            _offsets(moments),
            *(retracted, precisions, assumed),
            list(map(content_hash, raws)),
            list(map(_references, references)),
            [said or _NOTHING for said in attributes],
            list(map(self._findings, events)),
            raws,
            *self._entity(events, types),
        )
        for column, values in zip(self._columns, new, strict=True):
            column.extend(values)
        self.keys.extend(keys)

    def _extend_each(self, events: Sequence[Any], places: Sequence[Sequence[Any]]) -> None:
        """Where one of them cannot be turned: find it, and put it aside."""
        for event, place in zip(events, zip(*places, strict=True), strict=True):
            try:
                self._extend((event,), [(said,) for said in place])
            except Exception as error:  # noqa: BLE001  # whatever it is: it is this event's
                self.spoiled.append((place, f"{type(error).__name__}: {error}"))


BLOCK: Final = 1_000
"""Rows turned into columns at a time. More at once are slower: what is young is still in the processor's cache, and
what lives on as an object until the insert costs the garbage collector (measured)."""

_PLACE: Final = 6
"""A place has so many parts."""

_SAID: Final = attrgetter(
    *("source", "event_id", "type", "occurred_ms", "recorded_ms", "occurred_at"),
    *("retracted", "precision", "zone_assumed"),
    *("references", "attributes"),
)
"""What is read off an event, in the order of the columns."""

_ZONE: Final = attrgetter("tzinfo")


def _offsets(moments: Sequence[Any]) -> list[int]:
    """In what offset from UTC each moment was said, in minutes."""
    try:
        return [*map(_OFFSETS.__getitem__, map(_ZONE, moments))]
    except KeyError:
        return [*map(_offset_minutes, moments)]


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
    return found or _NOTHING


_NOTHING: Final[dict[str, str]] = {}
"""For all that have none: what lives on until the insert costs the garbage collector."""


_Parts = Iterable[Sequence[Any]]
"""Values of some columns, column by column."""

_order_id: Final = attrgetter("order_id")
_shipment_id: Final = attrgetter("shipment_id")
_milestone: Final = attrgetter("shipment_id", "milestone", "classifier", "leg")
_movement: Final = attrgetter("site", "item", "quantity", "unit")


def _order(events: Sequence[Any], _types: Sequence[str]) -> _Parts:
    return ([*map(_order_id, events)],)


def _shipment(events: Sequence[Any], types: Sequence[str]) -> _Parts:
    said = (
        _milestone(event) if kind == "milestone" else (event.shipment_id, "", "", 0)
        for event, kind in zip(events, types, strict=True)
    )
    return zip(*said, strict=True)


def _warehouse(events: Sequence[Any], types: Sequence[str]) -> _Parts:
    sites, items, quantities, units = zip(*map(_movement, events), strict=True)
    exact = [said * THOUSANDTHS if type(said) is int else thousandths(said) for said in quantities]
    directions = [event.direction if kind == "moved" else "" for event, kind in zip(events, types, strict=True)]
    return sites, items, exact, units, directions


def _reference(events: Sequence[Any], _types: Sequence[str]) -> _Parts:
    return ([event.entity_key() for event in events],)


def _operator(events: Sequence[Any], types: Sequence[str]) -> _Parts:
    said = (
        (event.exception_id, event.by, to_ms(event.until) if kind == "acknowledged" else None, event.note)
        for event, kind in zip(events, types, strict=True)
    )
    return zip(*said, strict=True)


_ENTITY_COLUMNS: Final[dict[str, Callable[[Sequence[Any], Sequence[str]], _Parts]]] = {
    "supplier.events": _order,
    "shipment.events": _shipment,
    "warehouse.events": _warehouse,
    "reference.events": _reference,
    "operator.events": _operator,
}
"""What the events of each topic are about: the values of the table's own columns, of all events at once."""
