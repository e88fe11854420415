"""A stock position from its facts.

On hand changes by warehouse events only, taken in the order (occurred_at, kind, source, event_id). A count
is a barrier: on hand after it is what was counted, and the difference to the books is count variance, so

    received + returned + moved_in + adjusted + count_variance = on_hand + shipped + moved_out + scrapped

holds at every moment. Negative stock is shown, never clamped. Two units for one item are a finding and
are never summed: the unit of the earliest movement counts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.derived import ExceptionState, StockPosition, Transit
from schemas.event import Event
from schemas.quantities import shown
from schemas.times import DAY_MS
from streams.derivation import Derived, View
from streams.exceptions import exception_view, opened
from streams.facts import Fact, Statement, Target, by_time
from streams.leads.derive import lead_contribution, lead_target
from streams.stock.facts import KINDS, InTransit, Movement, Payload, in_transit, movement_statement

VIEW: Final = "stock.positions"
CONTRIBUTIONS: Final = "transit.contributions"
DOCK_TO_STOCK: Final = "dock_to_stock"

_SIGN: Final = {
    "received": 1,
    "returned": 1,
    "moved_in": 1,
    "adjusted": 1,
    "shipped": -1,
    "moved_out": -1,
    "scrapped": -1,
}
"""How a movement changes on hand; kinds that are not here leave it as it is."""


class Stock:
    """The stock agent's rules."""

    name = "stock"
    events = ("warehouse.events",)
    contributions: Mapping[str, type[Any]] = {CONTRIBUTIONS: Transit}
    payload: Any = Payload

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that a warehouse event states."""
        return movement_statement(event, raw)

    def contributed(self, state: Transit) -> tuple[str, str, InTransit | None]:
        """What a shipment brings to a position."""
        return f"{state.site}|{state.item}", state.contributor, in_transit(state)

    def derive(self, entity: str, facts: Mapping[str, Fact]) -> Derived:
        """The position, its exceptions, and its dock-to-stock times."""
        moves = _in_order(facts)
        position, receipts = _position(entity, moves, _transits(facts))
        contributions: dict[Target, msgspec.Struct] = {}
        dock_to_stock = tuple(_dock_to_stock(move for move in moves if move.unit == position.unit))
        if dock_to_stock:
            target = lead_target(DOCK_TO_STOCK, position.site)
            contributions[target] = lead_contribution(_contributor(entity), target, dock_to_stock)
        views = (
            View(VIEW, entity, position),
            exception_view(f"stock/{entity}", _exceptions(entity, position, receipts)),
        )
        return Derived(views, contributions)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """No dock-to-stock times remain for that site."""
        return lead_contribution(_contributor(entity), target)


class _Balance(NamedTuple):
    """What one shipment brought, and since when it is known that something is missing."""

    in_transit: int
    mismatch: int
    known_at: int | None


def _contributor(entity: str) -> str:
    return f"stock/{entity}"


def _in_order(facts: Mapping[str, Fact]) -> list[Movement]:
    keyed = [
        (fact.payload.occurred_at, fact.payload.kind, by_time(identity), fact.payload)
        for identity, fact in facts.items()
        if isinstance(fact.payload, Movement)
    ]
    keyed.sort(key=lambda entry: entry[:3])
    return [entry[3] for entry in keyed]


def _transits(facts: Mapping[str, Fact]) -> dict[str, InTransit]:
    """What is known to come, by shipment, in the order of their names."""
    return {
        identity[1:]: fact.payload for identity, fact in sorted(facts.items()) if isinstance(fact.payload, InTransit)
    }


def _position(
    entity: str, moves: list[Movement], transits: Mapping[str, InTransit]
) -> tuple[StockPosition, list[_Balance]]:
    site, _, item = entity.partition("|")
    units = [move.unit for move in moves] + [transit.unit for transit in transits.values()]
    unit = units[0] if units else ""
    counted = [move for move in moves if move.unit == unit]
    sums, on_hand, variance, negative_since, stockout_since = _fold(counted)
    balances = [_balance(shipment, transit, counted) for shipment, transit in transits.items() if transit.unit == unit]
    mismatch = sum(balance.mismatch for balance in balances)
    reserved = sums["reserved"] - sums["released"]
    quarantined = sums["quarantined"] - sums["restored"]
    findings = {
        "negative_stock": on_hand < 0,
        "quantity_mismatch": any(balance.mismatch for balance in balances),
        "unit_conflict": any(other != unit for other in units),
    }
    position = StockPosition(
        site=site,
        item=item,
        unit=unit,
        on_hand=on_hand,
        reserved=reserved,
        quarantined=quarantined,
        available=on_hand - reserved - quarantined,
        in_transit=sum(balance.in_transit for balance in balances),
        received=sums["received"],
        returned=sums["returned"],
        moved_in=sums["moved_in"],
        adjusted=sums["adjusted"],
        count_variance=variance,
        shipped=sums["shipped"],
        moved_out=sums["moved_out"],
        scrapped=sums["scrapped"],
        picked=sums["picked"],
        packed=sums["packed"],
        put_away=sums["put_away"],
        mismatch=mismatch,
        movements=len(moves),
        last_movement_at=moves[-1].occurred_at if moves else None,
        negative_since=negative_since,
        stockout_since=stockout_since,
        findings=tuple(finding for finding, found in findings.items() if found),
    )
    return position, balances


def _fold(moves: Iterable[Movement]) -> tuple[Counter[str], int, int, int | None, int | None]:
    """Sums by kind, on hand, count variance, and since when on hand is below zero or zero."""
    sums: Counter[str] = Counter()
    on_hand = variance = 0
    negative_since: int | None = None
    stockout_since: int | None = None
    for move in moves:
        kind = KINDS[move.kind]
        if kind == "counted":
            variance += move.quantity - on_hand
            on_hand = move.quantity
        else:
            sums[kind] += move.quantity
            on_hand += _SIGN.get(kind, 0) * move.quantity
        if on_hand >= 0:
            negative_since = None
        elif negative_since is None:
            negative_since = move.occurred_at
        if on_hand != 0:
            stockout_since = None
        elif stockout_since is None:
            stockout_since = move.occurred_at
    return sums, on_hand, variance, negative_since, stockout_since


def _balance(shipment: str, transit: InTransit, moves: Iterable[Movement]) -> _Balance:
    """Balance what was shipped with what is in transit, arrived (by receipts, else as delivered) or amiss."""
    receipts = [move for move in moves if move.shipment_id == shipment and KINDS[move.kind] == "received"]
    arrived = sum(move.quantity for move in receipts) if receipts else transit.delivered
    open_rest = transit.shipped - arrived
    known_at = max((move.occurred_at for move in receipts), default=transit.delivered_at)
    if transit.final or open_rest < 0:
        return _Balance(0, open_rest, known_at)
    return _Balance(open_rest, 0, known_at)


def _dock_to_stock(moves: Iterable[Movement]) -> Iterable[tuple[int, int]]:
    """Of each receipt (by shipment, else by lot): from its first goods in to its last put away."""
    receipts: dict[str, list[Movement]] = defaultdict(list)
    for move in moves:
        receipt = move.shipment_id or move.lot
        if receipt is not None and KINDS[move.kind] in {"received", "put_away"}:
            receipts[receipt].append(move)
    for _, handled in sorted(receipts.items()):
        came = [move for move in handled if KINDS[move.kind] == "received"]
        stored = [move for move in handled if KINDS[move.kind] == "put_away"]
        quantity = sum(move.quantity for move in came)
        if came and stored and sum(move.quantity for move in stored) >= quantity:
            finished = stored[-1].occurred_at
            yield finished // DAY_MS, finished - came[0].occurred_at


def _exceptions(entity: str, position: StockPosition, balances: Iterable[_Balance]) -> Iterable[ExceptionState]:
    name = f"stock/{entity}"
    if position.negative_since is not None:
        detail = f"On hand is {shown(position.on_hand)} {position.unit}: more was taken out than came in."
        yield opened("negative_stock", name, position.negative_since, detail)
    elif position.stockout_since is not None:
        yield opened("stockout", name, position.stockout_since, "Nothing is on hand.")
    amiss = [balance for balance in balances if balance.mismatch]
    if amiss:
        since = min(balance.known_at or 0 for balance in amiss)
        yield opened("quantity_mismatch", name, since, _mismatch(amiss, position.unit))


def _mismatch(amiss: Iterable[_Balance], unit: str) -> str:
    """What is missing, and what came too much; one shipment's rest does not make up for another's."""
    missing = sum(balance.mismatch for balance in amiss if balance.mismatch > 0)
    surplus = -sum(balance.mismatch for balance in amiss if balance.mismatch < 0)
    parts = []
    if missing:
        parts.append(f"{shown(missing)} {unit} shipped to this site never arrived")
    if surplus:
        parts.append(f"{shown(surplus)} {unit} more arrived than was shipped")
    return "; ".join(parts) + "."
