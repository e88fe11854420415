"""An order's state from what was ordered and announced, and from what its shipments delivered.

A line that no order placed, and that only an advance ship notice or a shipment tells of, is `announced`:
its ordered quantity is what was announced, its date of order is unknown. A line is delivered when all that
was ordered has been; its date is that of the delivery that completed it. The lead time from order to
delivery is observed per line, for the route supplier|item.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.derived import Delivery, DeliveryLine, OrderLineState, OrderStatus
from schemas.event import Event
from schemas.times import DAY_MS
from streams.derivation import Derived, Running, View
from streams.facts import CONTRIBUTION_MARK, Fact, Statement, Target
from streams.leads.derive import Observation, lead_contribution, lead_target
from streams.orders.facts import CLOSED, DeliveryFact, OrderFact, Payload, delivery_fact, order_statement
from streams.orders.lines import OpenLine, fold_lines

VIEW: Final = "order.status"
CONTRIBUTIONS: Final = "delivery.contributions"
MEASURE: Final = "order_to_delivery"

_ENDED: Final = frozenset({"delivered", "cancelled", "closed"})
_PROGRESS: Final = ("announced", "placed", "confirmed", "shipped", "partly_delivered", "delivered")


class Orders:
    """The orders agent's rules."""

    name = "orders"
    events = ("supplier.events",)
    contributions: Mapping[str, type[Any]] = {CONTRIBUTIONS: Delivery}
    payload: Any = Payload
    base: Any = None
    stubs = True

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that a supplier event states."""
        return order_statement(event, raw)

    def contributed(self, state: Delivery) -> tuple[str, str, DeliveryFact | None]:
        """What a shipment tells an order."""
        return state.order_id, state.contributor, delivery_fact(state)

    def derive(self, entity: str, facts: Mapping[str, Fact], base: None = None) -> Derived:  # noqa: ARG002  # no periods, no base
        """The order's status, and the lead times of its lines."""
        status = _status(entity, _in_order(facts), _deliveries(facts))
        return Derived((View(VIEW, entity, status),), _lead_times(status), finished=status.final)

    def running(self, facts: Mapping[str, Fact], base: None) -> Running | None:  # noqa: ARG002  # few facts each
        """Nothing is kept up to date: an order has few facts."""
        return None

    def close(self, base: Any, facts: Mapping[str, Fact]) -> Any:
        """Never asked: it closes as a whole."""
        raise AssertionError(base, facts)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """The order has no lead time for that route any more."""
        return lead_contribution(_contributor(entity), target)


def _contributor(entity: str) -> str:
    return f"order/{entity}"


def _in_order(facts: Mapping[str, Fact]) -> list[OrderFact]:
    """Placed first, since the rest speaks of what was placed; then by time, step and identity."""
    # An identity stands once, so the facts themselves are never compared.
    keyed = [
        (fact.payload.step > 0, fact.payload.occurred_at, fact.payload.step, identity, fact.payload)
        for identity, fact in facts.items()
        if isinstance(fact.payload, OrderFact)
    ]
    keyed.sort()
    return [entry[4] for entry in keyed]


def _deliveries(facts: Mapping[str, Fact]) -> list[tuple[str, DeliveryFact]]:
    """What each shipment tells, with its id, in the order of the ids."""
    found = [
        (identity.removeprefix(CONTRIBUTION_MARK), fact.payload)
        for identity, fact in facts.items()
        if isinstance(fact.payload, DeliveryFact)
    ]
    found.sort(key=_shipment)
    return found


def _shipment(delivery: tuple[str, DeliveryFact]) -> str:
    return delivery[0]


def _status(entity: str, said: list[OrderFact], deliveries: Iterable[tuple[str, DeliveryFact]]) -> OrderStatus:
    supplier = buyer = destination = None
    closed = False
    for fact in said:
        supplier = fact.supplier or supplier
        buyer = fact.buyer or buyer
        destination = fact.destination or destination
        closed = closed or fact.step == CLOSED
    open_lines = fold_lines(said)
    arrived: dict[str, list[tuple[str, DeliveryLine]]] = defaultdict(list)
    for shipment_id, delivery in deliveries:
        for told in delivery.lines:
            arrived[told.line_id].append((shipment_id, told))
            if told.line_id not in open_lines:
                open_lines[told.line_id] = _heard_of(told, closed=closed)
    lines = tuple([_line(open_lines[line_id], arrived.get(line_id, ())) for line_id in sorted(open_lines)])
    return OrderStatus(
        order_id=entity,
        status=_of_order(lines, closed=closed),
        supplier=supplier,
        buyer=buyer,
        destination=destination,
        ordered_at=min([line.ordered_at for line in lines if line.ordered_at is not None], default=None),
        lines=lines,
        final=bool(lines) and _ENDED.issuperset([line.status for line in lines]),
    )


def _heard_of(told: DeliveryLine, *, closed: bool) -> OpenLine:
    """A line that only a shipment tells of."""
    line = OpenLine(told.line_id, told.item, told.unit)
    if closed:
        line.status = "closed"
    return line


def _line(line: OpenLine, arrived: Sequence[tuple[str, DeliveryLine]]) -> OrderLineState:
    ordered = line.ordered if line.ordered_at is not None or line.ordered else line.announced
    if not arrived:
        return _state(line, ordered, line.status, shipments=tuple(sorted(line.shipments)))
    line.unit = line.unit or arrived[0][1].unit
    line.item = line.item or arrived[0][1].item
    counted = [told for _, told in arrived if told.unit == line.unit]
    shipped = sum([told.shipped for told in counted])
    delivered = sum([told.delivered for told in counted])
    if not ordered and line.status == "announced":
        ordered = shipped
    delivered_at = _completed_at(counted, ordered)
    if line.promised_at is None:
        promise = next((told for told in counted if told.promised_at is not None), None)
        if promise is not None:
            line.promised_at, line.due_at = promise.promised_at, promise.due_at
    line.unit_conflict = line.unit_conflict or len(counted) < len(arrived)
    return _state(
        line,
        ordered,
        _of_line(line, shipped, delivered, complete=delivered_at is not None),
        shipments=tuple(sorted({*line.shipments, *[shipment for shipment, _ in arrived]})),
        shipped=shipped,
        delivered=delivered,
        delivered_at=delivered_at,
    )


def _state(  # what a line's own events leave, and what deliveries add to it
    line: OpenLine,
    ordered: int,
    status: str,
    *,
    shipments: tuple[str, ...],
    shipped: int = 0,
    delivered: int = 0,
    delivered_at: int | None = None,
) -> OrderLineState:
    promised_at, due_at, ordered_at = line.promised_at, line.due_at, line.ordered_at
    late = delivered_at is not None and due_at is not None and delivered_at > due_at
    findings = []
    if delivered_at is not None and ordered_at is not None and delivered_at < ordered_at:
        findings.append("delivered_before_ordered")
    if delivered > ordered:
        findings.append("delivered_more_than_ordered")
    if line.unit_conflict:
        findings.append("unit_conflict")
    return OrderLineState(
        line_id=line.line_id,
        status=status,
        item=line.item,
        unit=line.unit,
        ordered=ordered,
        shipped=shipped,
        delivered=delivered,
        ordered_at=ordered_at,
        requested_at=line.requested_at,
        promised_at=promised_at,
        due_at=due_at,
        delivered_at=delivered_at,
        late=late,
        late_ms=delivered_at - promised_at if late and delivered_at is not None and promised_at is not None else 0,
        unit_cost_micros=line.unit_cost_micros,
        currency=line.currency,
        shipments=shipments,
        findings=tuple(findings),
    )


def _completed_at(told: Sequence[DeliveryLine], ordered: int) -> int | None:
    """When the delivery came that made the line complete (ms); None while something is missing."""
    if len(told) == 1:
        (only,) = told
        return only.delivered_at if only.delivered and only.delivered >= ordered else None
    total = 0
    for line in sorted(told, key=lambda one: (one.delivered_at is None, one.delivered_at or 0)):
        if line.delivered_at is None or line.delivered == 0:
            continue
        total += line.delivered
        if total >= ordered:
            return line.delivered_at
    return None


def _of_line(line: OpenLine, shipped: int, delivered: int, *, complete: bool) -> str:
    if complete:
        return "delivered"
    if line.status in {"cancelled", "closed"}:
        return line.status
    if delivered:
        return "partly_delivered"
    return "shipped" if shipped else line.status


def _of_order(lines: tuple[OrderLineState, ...], *, closed: bool) -> str:
    """The order's status from its lines': ended as they ended, else the furthest that all have come."""
    statuses = {line.status for line in lines}
    going = statuses - _ENDED
    if going:
        if "delivered" in statuses:
            return "partly_delivered"
        return max(going, key=_PROGRESS.index)
    if "delivered" in statuses:
        return "delivered"
    if closed:
        return "closed"
    return "cancelled" if statuses else "announced"


def _lead_times(status: OrderStatus) -> Mapping[Target, msgspec.Struct]:
    """From order to delivery, of each line where both dates are known, per supplier|item."""
    observed: dict[Target, list[Observation]] = defaultdict(list)
    for line in status.lines:
        if line.ordered_at is None or line.delivered_at is None or status.supplier is None:
            continue
        target = lead_target(MEASURE, f"{status.supplier}|{line.item}")
        observed[target].append((line.delivered_at // DAY_MS, line.delivered_at - line.ordered_at))
    contributor = _contributor(status.order_id)
    return {target: lead_contribution(contributor, target, seen) for target, seen in observed.items()}
