"""A stock position from its facts: its books (streams.stock.books), and what shipments bring to it.

Goods in transit are balanced by shipment: what was shipped is in transit until it is received, or where no receipt
is known, until it is delivered; when the shipment has ended, the rest is a mismatch. Negative stock is shown, never
clamped.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.derived import ExceptionState, StockPosition, Transit
from schemas.event import Event
from schemas.quantities import shown
from schemas.times import DAY_MS
from streams.derivation import Derived, View
from streams.exceptions import exception_view, opened
from streams.facts import Fact, Statement, Target
from streams.leads.derive import lead_contribution, lead_target
from streams.stock.books import Books, Place, closed, in_order, place
from streams.stock.facts import InTransit, Movement, Payload, in_transit, movement_statement

VIEW: Final = "stock.positions"
CONTRIBUTIONS: Final = "transit.contributions"
DOCK_TO_STOCK: Final = "dock_to_stock"

_CHECKPOINT: Final = 64


class Stock:
    """The stock agent's rules."""

    name = "stock"
    events = ("warehouse.events",)
    contributions: Mapping[str, type[Any]] = {CONTRIBUTIONS: Transit}
    payload: Any = Payload
    base: Any = Books
    stubs = False

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that a warehouse event states."""
        return movement_statement(event, raw)

    def contributed(self, state: Transit) -> tuple[str, str, InTransit | None]:
        """What a shipment brings to a position."""
        return f"{state.site}|{state.item}", state.contributor, in_transit(state)

    def derive(self, entity: str, facts: Mapping[str, Fact], base: Books | None = None) -> Derived:
        """The position, its exceptions, and its dock-to-stock times."""
        return RunningStock(facts, base).derive(entity)

    def running(self, facts: Mapping[str, Fact], base: Books | None) -> "RunningStock":
        """The position kept up to date."""
        return RunningStock(facts, base)

    def close(self, base: Books | None, facts: Mapping[str, Fact]) -> Books:
        """The books of closed days."""
        return closed(base, facts)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """No dock-to-stock times remain for that site."""
        return lead_contribution(_contributor(entity), target)


class RunningStock:
    """A position whose movements are kept in order, with the books as they stood at every so many of them.

    A movement that comes last costs one step; one that comes out of order costs the steps after the checkpoint
    before it.
    """

    def __init__(self, facts: Mapping[str, Fact], base: Books | None) -> None:
        self._base = base
        ordered = in_order(facts)
        self._places: list[Place] = [where for where, _ in ordered]
        self._moves: list[Movement] = [move for _, move in ordered]
        self._transits = {
            identity[1:]: fact.payload for identity, fact in facts.items() if isinstance(fact.payload, InTransit)
        }
        self._checkpoints: list[Books] = [base.copy() if base is not None else Books()]
        self._books = self._checkpoints[0].copy()
        self._taken = 0

    def replace(self, identity: str, old: Fact | None, new: Fact) -> None:
        """A fact came in, perhaps in the place of an older version."""
        if old is not None and isinstance(old.payload, Movement):
            index = bisect_left(self._places, place(identity, old.payload))
            del self._places[index], self._moves[index]
            self._rewind(index)
        if isinstance(new.payload, Movement):
            where = place(identity, new.payload)
            index = len(self._places)
            if index and where < self._places[-1]:
                index = bisect_left(self._places, where)
            self._places.insert(index, where)
            self._moves.insert(index, new.payload)
            self._rewind(index)
        elif isinstance(new.payload, InTransit):
            self._transits[identity[1:]] = new.payload
        elif old is not None and isinstance(old.payload, InTransit):
            del self._transits[identity[1:]]

    def derive(self, entity: str) -> Derived:
        """The position, its exceptions, and its dock-to-stock times."""
        self._catch_up()
        books, transits = self._books, self._transits
        unit = books.unit if books.movements else next((transits[name].unit for name in sorted(transits)), "")
        balances = [_balance(name, transit, books) for name, transit in transits.items() if transit.unit == unit]
        is_mixed = books.is_mixed or any(transit.unit != unit for transit in transits.values())
        position = _position(entity, unit, books, balances, is_mixed=is_mixed)
        contributions: dict[Target, msgspec.Struct] = {}
        dock_to_stock = tuple(_dock_to_stock(books))
        if dock_to_stock:
            target = lead_target(DOCK_TO_STOCK, position.site)
            contributions[target] = lead_contribution(_contributor(entity), target, dock_to_stock)
        views = (
            View(VIEW, entity, position),
            exception_view(f"stock/{entity}", _exceptions(entity, position, balances)),
        )
        return Derived(views, contributions)

    def _rewind(self, index: int) -> None:
        """The movements from this one on are not as they were taken."""
        if index >= self._taken:
            return
        kept = index // _CHECKPOINT
        del self._checkpoints[kept + 1 :]
        self._books = self._checkpoints[kept].copy()
        self._taken = kept * _CHECKPOINT

    def _catch_up(self) -> None:
        while self._taken < len(self._moves):
            self._books.take(self._moves[self._taken])
            self._taken += 1
            if self._taken % _CHECKPOINT == 0:
                self._checkpoints.append(self._books.copy())


class _Balance(NamedTuple):
    """What one shipment brought, and since when it is known that something is missing."""

    in_transit: int
    mismatch: int
    known_at: int | None


def _contributor(entity: str) -> str:
    return f"stock/{entity}"


def _position(entity: str, unit: str, books: Books, balances: Iterable[_Balance], *, is_mixed: bool) -> StockPosition:
    site, _, item = entity.partition("|")
    mismatch = in_transit_now = 0
    is_amiss = False
    for balance in balances:
        mismatch += balance.mismatch
        in_transit_now += balance.in_transit
        is_amiss = is_amiss or balance.mismatch != 0
    reserved = books.sum("reserved") - books.sum("released")
    quarantined = books.sum("quarantined") - books.sum("restored")
    findings = {"negative_stock": books.on_hand < 0, "quantity_mismatch": is_amiss, "unit_conflict": is_mixed}
    return StockPosition(
        site=site,
        item=item,
        unit=unit,
        on_hand=books.on_hand,
        reserved=reserved,
        quarantined=quarantined,
        available=books.on_hand - reserved - quarantined,
        in_transit=in_transit_now,
        received=books.sum("received"),
        returned=books.sum("returned"),
        moved_in=books.sum("moved_in"),
        adjusted=books.sum("adjusted"),
        count_variance=books.variance,
        shipped=books.sum("shipped"),
        moved_out=books.sum("moved_out"),
        scrapped=books.sum("scrapped"),
        picked=books.sum("picked"),
        packed=books.sum("packed"),
        put_away=books.sum("put_away"),
        mismatch=mismatch,
        movements=books.movements,
        last_movement_at=books.last_at,
        negative_since=books.negative_since,
        stockout_since=books.stockout_since,
        findings=tuple(finding for finding, found in findings.items() if found),
    )


def _balance(shipment: str, transit: InTransit, books: Books) -> _Balance:
    """Balance what was shipped with what is in transit, arrived (by receipts, else as delivered) or amiss."""
    receipt = books.receipts.get(shipment)
    arrived, known_at = (receipt.quantity, receipt.last_at) if receipt else (transit.delivered, transit.delivered_at)
    open_rest = transit.shipped - arrived
    if transit.final or open_rest < 0:
        return _Balance(0, open_rest, known_at)
    return _Balance(open_rest, 0, known_at)


def _dock_to_stock(books: Books) -> Iterable[tuple[int, int]]:
    """Of each receipt (by shipment, else by lot): from its first goods in to its last put away."""
    for dock in books.docks.values():
        if dock.first_at is not None and dock.last_at is not None and dock.stored >= dock.received:
            yield dock.last_at // DAY_MS, dock.last_at - dock.first_at


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
