"""From the lines of the SCMS delivery history to events: what several rows tell together.

Everything here is independent of the order of the rows: groups and lines are sorted before they are
written, and the same set of rows gives the same bytes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from schemas import shipment, supplier
from schemas.scms_dates import instant
from schemas.scms_lines import ATTRIBUTES, OWNER, RDC, Line
from schemas.scms_report import Findings

SOURCE: Final = OWNER
"""Who says all these events."""

MAX_LINES: Final = 500
"""Lines of one event; an order or shipment with more is told in several events."""

Shown = Literal["order_placed", "advance_ship_notice", "delivered planned", "delivered actual"]
"""The sorts of events that come of the file, as the report counts them."""


class ScmsEvent(NamedTuple):
    """One event, ready to publish: its topic, its Kafka key and its JSON bytes."""

    topic: str
    key: str
    raw: bytes


class Made(NamedTuple):
    """What the lines gave: the events in order of `recorded_at`, their numbers, and the IDs they carry."""

    events: tuple[ScmsEvent, ...]
    counts: dict[str, int]
    carried: frozenset[str]


def make_events(lines: Iterable[Line], findings: Findings) -> Made:
    """The events of these lines, each with an ID of its own; what rows disagree on goes to `findings`."""
    ordered = sorted(lines, key=Line.place)
    made: list[_Draft] = []
    for order, members in _grouped(ordered, lambda line: line.order):
        made += _orders(order, members, findings)
    for shipment_id, members in _grouped(ordered, lambda line: line.shipment):
        made += _shipment(shipment_id, members, findings)
    made.sort(key=lambda draft: (draft.recorded, _RANK[draft.shown], draft.key, draft.event_id))
    return Made(
        tuple(ScmsEvent(draft.topic, draft.key, _encode(draft.document)) for draft in made),
        dict(sorted(Counter[str](draft.shown for draft in made).items(), key=lambda pair: _RANK[pair[0]])),
        frozenset(line.id for draft in made for line in draft.lines),
    )


class _Draft(NamedTuple):
    """An event before it is written."""

    shown: Shown
    topic: str
    key: str
    event_id: str
    recorded: date
    lines: Sequence[Line]
    document: dict[str, Any]


def _orders(order: str, members: Sequence[Line], findings: Findings) -> Iterator[_Draft]:
    """One order_placed for each date of order (and vendor) that the order's rows name."""
    usable = [line for line in members if line.ordered and line.vendor]
    days = {line.ordered for line in usable}
    vendors = {line.vendor for line in usable}
    if len(days) > 1:
        _disagree("two_order_dates", "PO Sent to Vendor Date", usable, order, findings)
    if len(vendors) > 1:
        _disagree("rows_disagree", "Vendor", usable, order, findings)
    for (day, vendor), lines in _grouped(usable, _order_date_and_vendor):
        body = {
            "order_id": order,
            "supplier": vendor,
            "destination": _shared(lines, lambda line: line.country),
            "attributes": _attributes(lines, _ORDER_ATTRIBUTES),
        }
        event_id = _event_id("order", order, day if len(days) > 1 else "", vendor if len(vendors) > 1 else "")
        for part, chunk in _chunks(lines):
            told = body | {"lines": [_order_line(line) for line in chunk]}
            yield _draft("order_placed", event_id + part, day, day, lines=chunk, body=told)


def _shipment(shipment_id: str, members: Sequence[Line], findings: Findings) -> Iterator[_Draft]:
    """The notices, the planned deliveries and the deliveries of one shipment."""
    _note_differences(shipment_id, members, findings)
    shared = {
        "shipment_id": shipment_id,
        "origin": _origin(members),
        "destination": _shared(members, lambda line: line.country),
    }
    yield from _notices(members, shared)
    yield from _deliveries(members, shared | {"mode": _shared(members, lambda line: line.mode)})


def _notices(members: Sequence[Line], shared: dict[str, Any]) -> Iterator[_Draft]:
    """One notice for each order (and vendor) in the shipment.

    None where not one row of the shipment has a date: such rows are unmapped unless an order has them.
    """
    shared = shared | {"attributes": _attributes(members, ATTRIBUTES) | _freight(members)}
    told = [line for line in members if line.order and line.vendor]
    orders, vendors = {line.order for line in told}, {line.vendor for line in told}
    for (order, vendor), lines in _grouped(told, _order_and_vendor):
        recorded = _last(lines) or _last(members)
        if recorded is None:
            continue
        promised = _shared(lines, lambda line: line.scheduled)
        body = shared | {
            "order_id": order,
            "supplier": vendor,
            "promised_at": promised and instant(promised),
        }
        event_id = _event_id(
            "notice",
            shared["shipment_id"],
            order if len(orders) > 1 else "",
            vendor if len(vendors) > 1 else "",
        )
        for part, chunk in _chunks(lines):
            told_here = body | {"lines": [_goods(line) for line in chunk]}
            yield _draft("advance_ship_notice", event_id + part, recorded, recorded, lines=chunk, body=told_here)


def _deliveries(members: Sequence[Line], shared: dict[str, Any]) -> Iterator[_Draft]:
    """The milestone delivered: planned for each scheduled date, actual for each delivered date."""
    for shown, prefix, classifier, day_of in _DELIVERIES:
        for day, lines in _grouped(members, day_of):
            order = _shared(lines, lambda line: line.order)
            body = shared | {
                "references": {"order_id": order} if order else None,
                "milestone": "delivered",
                "classifier": classifier,
                "promised_at": instant(day) if classifier == "planned" else None,
            }
            event_id = _event_id(prefix, shared["shipment_id"], day)
            for part, chunk in _chunks(lines):
                told = body | {"lines": [_shipment_line(line) for line in chunk]}
                recorded = _last(lines) or day
                yield _draft(shown, event_id + part, day, recorded, lines=chunk, body=told)


def _event_id(*parts: object) -> str:
    """The parts that are not empty, joined by `/`.

    No two lists of parts give the same text: names hold no `|`, so it stands for a `/` inside a name
    (and `_chunks` can use `>`, which no name holds either).
    """
    return "/".join(str(part).replace("/", "|") for part in parts if part)


def _draft(
    shown: Shown,
    event_id: str,
    occurred: date,
    recorded: date,
    *,
    lines: Sequence[Line],
    body: dict[str, Any],
) -> _Draft:
    """An event with what all events of this source have; absent values are left out."""
    document = {
        "event_id": event_id,
        "source": SOURCE,
        "type": shown if shown in {"order_placed", "advance_ship_notice"} else "milestone",
        "occurred_at": instant(occurred),
        "recorded_at": instant(recorded),
        "precision": "day",
        "zone_assumed": True,
    }
    document |= {name: value for name, value in body.items() if value}
    if "order_id" in body:
        return _Draft(shown, supplier.TOPIC, body["order_id"], event_id, recorded, lines, document)
    return _Draft(shown, shipment.TOPIC, body["shipment_id"], event_id, recorded, lines, document)


def _goods(line: Line) -> dict[str, str]:
    """What every sort of line says."""
    goods = {"line_id": line.id, "item": line.item, "quantity": line.quantity, "unit": "pack"}
    return goods | ({"promised_at": instant(line.scheduled)} if line.scheduled else {})


def _order_line(line: Line) -> dict[str, str]:
    return _goods(line) | ({"unit_cost": line.price, "currency": "USD"} if line.price else {})


def _shipment_line(line: Line) -> dict[str, str]:
    return _goods(line) | ({"order_id": line.order} if line.order else {})


def _origin(members: Sequence[Line]) -> str | None:
    """`RDC` from a regional store, the manufacturing site for a direct drop, None where that is not one."""
    fulfilment = _shared(members, lambda line: line.fulfilment)
    if fulfilment == _FROM_RDC:
        return RDC
    return _shared(members, lambda line: line.site) if fulfilment == _DIRECT else None


def _freight(members: Sequence[Line]) -> dict[str, str]:
    """Freight and weight of the whole shipment: the text on its one first line."""
    first = [line for line in members if line.first]
    if len(first) != 1:
        return {}
    said = {"freight_usd": first[0].freight, "weight_kg": first[0].weight}
    return {name: text for name, text in said.items() if text}


def _attributes(members: Sequence[Line], columns: Iterable[str]) -> dict[str, str]:
    """The columns of which all rows of a group say the same."""
    names = (ATTRIBUTES[column] for column in columns)
    shared = ((name, _shared(members, _attribute(name))) for name in names)
    return {name: text for name, text in shared if text}


def _attribute(name: str) -> Callable[[Line], str | None]:
    return lambda line: line.attributes.get(name)


def _note_differences(shipment_id: str, members: Sequence[Line], findings: Findings) -> None:
    """One finding for each column that a shipment's rows should share and do not."""
    if len(members) == 1:
        return
    checks: list[tuple[str, str, Callable[[Line], object]]] = [
        ("two_promises_in_shipment", "Scheduled Delivery Date", lambda line: line.scheduled),
        ("two_deliveries_in_shipment", "Delivered to Client Date", lambda line: line.delivered),
        ("two_orders_in_shipment", "PO / SO #", lambda line: line.order),
        ("rows_disagree", "Delivery Recorded Date", lambda line: line.recorded),
        ("rows_disagree", "Vendor", lambda line: line.vendor),
        ("rows_disagree", "Country", lambda line: line.country),
    ]
    checks += [("rows_disagree", column, _attribute(name)) for column, name in ATTRIBUTES.items()]
    if _shared(members, lambda line: line.fulfilment) == _DIRECT:
        checks.append(("origin_not_uniform", "Manufacturing Site", lambda line: line.site))
    for kind, column, value_of in checks:
        if len({value for line in members if (value := value_of(line)) is not None}) > 1:
            _disagree(kind, column, members, shipment_id, findings)
    if sum(line.first for line in members) != 1:
        _disagree("rows_disagree", "First Line Designation", members, shipment_id, findings)


def _disagree(kind: str, column: str, members: Sequence[Line], group: str, findings: Findings) -> None:
    """One oddity for the group, on its first row in the file: who, and all that its rows say."""
    first = min(members, key=lambda line: line.row.line)
    said = sorted({line.row.cells[column] for line in members})
    findings.add(kind, first.odd(column, f"{group}: {' / '.join(said)}"))


def _last(lines: Iterable[Line]) -> date | None:
    """The last day on which one of these lines was recorded: the whole was known by then, not before."""
    return max((line.recorded for line in lines if line.recorded), default=None)


_Value = TypeVar("_Value")


def _shared(lines: Iterable[Line], value_of: Callable[[Line], _Value | None]) -> _Value | None:
    """The one value that the lines which have one share; None if there is none or more than one."""
    values = {value for line in lines if (value := value_of(line)) is not None}
    return values.pop() if len(values) == 1 else None


def _grouped(lines: Iterable[Line], key_of: Callable[[Line], _Value | None]) -> Iterator[tuple[_Value, list[Line]]]:
    """The lines by key, sorted by key; lines without a key are left out."""
    groups: defaultdict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        if (key := key_of(line)) is not None:
            groups[key].append(line)
    yield from sorted(groups.items())


def _order_date_and_vendor(line: Line) -> tuple[date, str] | None:
    return (line.ordered, line.vendor) if line.ordered and line.vendor else None


def _order_and_vendor(line: Line) -> tuple[str, str] | None:
    return (line.order, line.vendor) if line.order and line.vendor else None


def _chunks(lines: Sequence[Line]) -> Iterator[tuple[str, Sequence[Line]]]:
    """The lines in parts that fit into one event; the event_id of every part but the first is numbered."""
    for start in range(0, len(lines), MAX_LINES):
        yield f">{start // MAX_LINES + 1}" if start else "", lines[start : start + MAX_LINES]


_FROM_RDC: Final = "From RDC"
_DIRECT: Final = "Direct Drop"
_ORDER_ATTRIBUTES: Final = tuple(column for column in ATTRIBUTES if column != "Shipment Mode")
_RANK: Final = {
    "order_placed": 0,
    "advance_ship_notice": 1,
    "delivered planned": 2,
    "delivered actual": 3,
}
_DELIVERIES: Final[tuple[tuple[Shown, str, str, Callable[[Line], date | None]], ...]] = (
    ("delivered planned", "planned", "planned", lambda line: line.scheduled),
    ("delivered actual", "delivered", "actual", lambda line: line.delivered),
)
_encode: Final = msgspec.json.Encoder().encode
