"""The lines of an order as its own events leave them, before any delivery is counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.orders.facts import ANNOUNCED, CANCELLED, CHANGED, CLOSED, CONFIRMED, PLACED, Line, OrderFact


@dataclass(slots=True)
class OpenLine:
    """A line while the events of its order are taken one after the other."""

    line_id: str
    item: str = ""
    unit: str = ""
    ordered: int = 0
    announced: int = 0
    status: str = "announced"
    ordered_at: int | None = None
    requested_at: int | None = None
    promised_at: int | None = None
    due_at: int | None = None
    unit_cost_micros: int | None = None
    currency: str | None = None
    shipments: set[str] = field(default_factory=set)
    promised_by_notice: bool = False
    unit_conflict: bool = False


def fold_lines(said: Iterable[OrderFact]) -> dict[str, OpenLine]:
    """The lines by id after these events, which come in the order in which they are to be taken."""
    lines: dict[str, OpenLine] = {}
    for fact in said:
        step = fact.step
        if step == CLOSED or (step == CANCELLED and not fact.lines):
            for line in lines.values():
                _end(line, step)
        for told in fact.lines:
            if told.line_id not in lines:
                lines[told.line_id] = OpenLine(told.line_id)
            line = lines[told.line_id]
            if step == CANCELLED:
                _end(line, step)
            elif step == ANNOUNCED:
                _announce(line, fact, told)
            else:
                _order(line, fact, told, step)
    return lines


def _end(line: OpenLine, step: int) -> None:
    if line.status not in {"cancelled", "closed"}:
        line.status = "cancelled" if step == CANCELLED else "closed"


def _order(line: OpenLine, fact: OrderFact, told: Line, step: int) -> None:
    """What was placed, confirmed or changed; what an event does not say stays."""
    line.item = line.item if told.item is None else told.item
    line.unit = line.unit if told.unit is None else told.unit
    line.ordered = line.ordered if told.quantity is None else told.quantity
    line.requested_at = line.requested_at if told.requested_at is None else told.requested_at
    if told.promised_at is not None:
        line.promised_at, line.due_at, line.promised_by_notice = told.promised_at, told.due_at, False
    if told.unit_cost_micros is not None:
        line.unit_cost_micros, line.currency = told.unit_cost_micros, told.currency
    if step == PLACED:
        line.ordered_at = fact.occurred_at if line.ordered_at is None else line.ordered_at
        line.status = "placed"
    elif step == CHANGED and told.quantity == 0:
        line.status = "cancelled"
    elif step == CHANGED and told.quantity and line.status == "cancelled":
        line.status = "placed"
    elif step == CONFIRMED and line.status == "placed":
        line.status = "confirmed"


def _announce(line: OpenLine, fact: OrderFact, told: Line) -> None:
    """A ship notice: tells of a line nobody placed, and promises only where nobody else did."""
    line.item = line.item or told.item or ""
    line.unit = line.unit or told.unit or ""
    if told.unit == line.unit:
        line.announced += told.quantity or 0
    else:
        line.unit_conflict = True
    if line.promised_at is None or line.promised_by_notice:
        line.promised_at, line.due_at, line.promised_by_notice = told.promised_at, told.due_at, True
    if fact.shipment_id is not None:
        line.shipments.add(fact.shipment_id)
