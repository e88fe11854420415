"""From what the agents publish (schemas/derived.py) to rows of the tables of states."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from schemas.derived import (
    ExceptionSet,
    LeadStats,
    LeadWindow,
    OrderLineState,
    OrderStatus,
    Published,
    ShipmentStatus,
    StockPosition,
)
from schemas.wire import Rejection
from sinks.tables import STATES

Row = tuple[Any, ...]

_INT64: Final = 2**63
_INT256: Final = 2**255
_DAYS: Final = range(-25_567, 120_530)
"""What a Date32 can hold: 1900-01-01 to 2299-12-31, in days since 1970-01-01."""


def state_row(topic: str, value: bytes) -> Row | Rejection:
    """The row of a record of a view topic, in the order of its table's columns, or why there is none."""
    name = _FORMS[topic].__name__
    try:
        published = _DECODERS[topic](value)
        row: Row = (*published.version, *_ROWS[topic](published.state), published.gone)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return Rejection("invalid", f"The record is no {name}: {error}. Only our agents write to {topic}.")
    if published.version[0] < 0 or published.version[1] < 0 or not _fits(row):
        return Rejection("invalid", f"The record is no {name}: a number in it is out of range.")
    return row


def _order(state: OrderStatus) -> Row:
    return (
        state.order_id,
        state.status,
        state.supplier or "",
        state.buyer or "",
        state.destination or "",
        state.ordered_at,
        state.final,
        *_columns(_LINE, map(_order_line, state.lines)),
    )


def _order_line(line: OrderLineState) -> Row:
    return (
        *(line.line_id, line.status, line.item, line.unit),
        *(line.ordered, line.shipped, line.delivered),
        *(line.ordered_at, line.requested_at, line.promised_at, line.due_at, line.delivered_at),
        *(line.late, line.late_ms, line.unit_cost_micros, line.currency or ""),
        *(line.shipments, line.findings),
    )


def _shipment(state: ShipmentStatus) -> Row:
    milestones = (
        (m.leg, m.milestone, m.planned_at, m.planned_due_at, m.estimated_at, m.actual_at, m.inferred, m.location or "")
        for m in state.milestones
    )
    lines = (
        (
            *(line.item, line.unit, line.order_id or "", line.line_id or "", line.shipped, line.delivered),
            *(line.delivered_at, line.promised_at, line.due_at, line.late, line.late_ms),
        )
        for line in state.lines
    )
    return (
        *(state.shipment_id, state.status, state.leg, state.final),
        *(state.carrier or "", state.mode or "", state.origin or "", state.destination or "", state.lane),
        *(state.promised_at, state.due_at, state.estimated_at, state.departed_at, state.delivered_at),
        *(state.late, state.late_ms, state.latitude_micros, state.longitude_micros, state.seen_at),
        *(state.orders, state.findings),
        *_columns(_MILESTONE, milestones),
        *_columns(_SHIPMENT_LINE, lines),
    )


def _lead(state: LeadStats) -> Row:
    if state.last_day is not None and state.last_day not in _DAYS:
        message = f"last_day {state.last_day} is out of range"
        raise ValueError(message)
    return (state.measure, state.route, state.last_day, *_window(state.recent), *_window(state.all))


def _window(window: LeadWindow) -> Row:
    squares = int(window.squares)
    if not -_INT256 <= squares < _INT256:
        message = f"squares {window.squares} is out of range"
        raise ValueError(message)
    return (
        *(window.count, window.negative, window.total, _Exact(squares), window.p50, window.p90, window.p95),
        *_columns(2, window.buckets),
    )


def _exceptions(state: ExceptionSet) -> Row:
    return (
        state.entity,
        *_columns(4, ((e.exception_id, e.kind, e.opened_at, e.detail) for e in state.exceptions)),
    )


class _Exact(int):
    """An integer that may need more than 64 bits."""


def _columns(width: int, rows: Iterable[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Rows turned into `width` columns, also where there are none."""
    return tuple(zip(*rows, strict=True)) or ((),) * width


def _fits(values: Iterable[Any]) -> bool:
    """Whether every integer fits its 64 bits."""
    for value in values:
        kind = type(value)
        if kind is int:
            if not -_INT64 <= value < _INT64:
                return False
        elif kind is tuple and not _fits(value):
            return False
    return True


def _nested(topic: str, prefix: str) -> int:
    return sum(name.startswith(f"{prefix}.") for name in STATES[topic].names)


_LINE: Final = _nested("order.status", "lines")
_MILESTONE: Final = _nested("shipment.status", "milestones")
_SHIPMENT_LINE: Final = _nested("shipment.status", "lines")

_FORMS: Final[dict[str, type[Any]]] = {
    "order.status": OrderStatus,
    "shipment.status": ShipmentStatus,
    "stock.positions": StockPosition,
    "lead.stats": LeadStats,
    "exceptions": ExceptionSet,
}

_DECODERS: Final[dict[str, Callable[[bytes], Any]]] = {
    topic: msgspec.json.Decoder(Published[form]).decode  # type: ignore[valid-type]  # built at run time
    for topic, form in _FORMS.items()
}

_ROWS: Final[dict[str, Callable[[Any], Row]]] = {
    "order.status": _order,
    "shipment.status": _shipment,
    "stock.positions": attrgetter(*STATES["stock.positions"].names[2:-1]),
    "lead.stats": _lead,
    "exceptions": _exceptions,
}
